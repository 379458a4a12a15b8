import pytest

from models import Template
from orchestrator import languages
from orchestrator.errors import BadInput, NotFound
from orchestrator.languages import BUILT_IN, Language

RUST = Language("rust", "Rust", (".rs",), ("rust-analyzer", "--log file"))


def template(*own: Language) -> Template:
    return Template(languages=languages.stored(own))


def test_a_templates_own_servers_come_before_those_built_in() -> None:
    assert languages.of(template(RUST)) == [RUST, *BUILT_IN]


def test_a_templates_own_server_replaces_one_built_in() -> None:
    own = Language("python", "Python", (".py",), ("pylsp",))
    assert languages.of(template(own)) == [own, BUILT_IN[1]]
    assert languages.named(template(own), "python").command == ("pylsp",)
    with pytest.raises(NotFound):
        languages.named(template(own), "rust")


def test_lines_are_read_as_they_are_written() -> None:
    text = languages.written((RUST, *BUILT_IN))
    assert text.startswith("rust | Rust | .rs | rust-analyzer '--log file'\n")
    assert languages.parse(f"\n{text}\n\n") == (RUST, *BUILT_IN)
    assert languages.parse("") == ()


@pytest.mark.parametrize(
    "line",
    ["rust", "rust | Rust | .rs", "R | Rust | .rs | a", "rust | | .rs | a", "rust | Rust | rs | a",
     "rust | Rust | | a", "rust | Rust | .rs |", "rust | Rust | .rs | 'a", "a|A|.a|b\na|A|.a|c",
     "a|A|.a|b\0", "\n".join(f"a{n}|A|.a|b" for n in range(17))],
)  # fmt: skip
def test_what_is_no_server_is_refused(line: str) -> None:
    with pytest.raises(BadInput) as refused:
        languages.parse(line)
    assert refused.value.field == "languages"
