"""What people say, made within a bounded time and once."""

import pytest
from markupsafe import Markup

from web import documents, markdown
from web.markdown import Base

BASE = Base("/global/ann/hello")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were read as Markdown."""
    read: list[str] = []
    attempt = markdown.attempt

    def watched(text: str, base: Base | None, seconds: float) -> Markup | None:
        read.append(text)
        return attempt(text, base, seconds)

    monkeypatch.setattr(markdown, "attempt", watched)
    return read


def test_a_text_is_read_once_for_each_place(made: list[str]) -> None:
    texts = ["*once*", "**other**", "*once*"]
    first = documents.shown(BASE, texts)
    assert [f"{html}" for html in first] == [
        "<p><em>once</em></p>\n", "<p><strong>other</strong></p>\n", "<p><em>once</em></p>\n"
    ]  # fmt: skip
    assert documents.shown(BASE, texts) == first
    assert made == ["*once*", "**other**"]
    documents.shown(Base("/global/bob/hello"), ["*once*"])
    assert len(made) == 3


def test_what_a_page_has_no_time_for_is_shown_as_written_and_not_kept(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(documents, "PAGE_SECONDS_MAX", 0.0)
        (html,) = documents.shown(BASE, ["*late* <b>"])
    assert html == '<pre class="plain-text">*late* &lt;b&gt;</pre>'
    assert made == []
    (html,) = documents.shown(BASE, ["*late* <b>"])
    assert "<em>late</em>" in html
