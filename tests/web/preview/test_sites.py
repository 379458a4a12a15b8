import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.previews import Label
from web.preview.sites import Site

LABEL = Label(8080, "web", "bob")
HOST = f"{LABEL}.localhost:8000"
SITE = Site(LABEL, "http", HOST)
paths = st.just("") | st.builds("".join, st.tuples(st.sampled_from("/?#"), st.text("ab/?#:@")))


@given(paths)
def test_the_app_hears_its_own_name_and_the_browser_the_previews(path: str) -> None:
    there, here = f"http://{HOST}{path}".encode(), f"http://localhost:8080{path}".encode()
    assert SITE.localised(there) == here
    assert SITE.published(here) == there


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"])
def test_an_app_may_call_itself_by_any_name_of_its_machine(scheme: str, name: str) -> None:
    url = f"{scheme}://{name}:8080/x".encode()
    assert SITE.published(url) == f"http://{HOST}/x".encode()


@pytest.mark.parametrize(("port", "scheme"), [(80, "http"), (443, "https")])
def test_the_usual_port_may_go_unsaid(port: int, scheme: str) -> None:
    site = Site(Label(port, "web", "bob"), "https", "a.apps.test")
    assert site.published(f"{scheme}://localhost/x".encode()) == b"https://a.apps.test/x"
    assert SITE.published(f"{scheme}://localhost/x".encode()) == f"{scheme}://localhost/x".encode()


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8081/", "http://localhost:80801/", "http://localhost:8080.evil.example/",
     "http://localhost:8080@evil.example/", "//localhost:8080/", "/x", "null", ""],
)  # fmt: skip
def test_what_only_begins_like_the_app_is_left_alone(url: str) -> None:
    assert SITE.published(url.encode()) == url.encode()


@pytest.mark.parametrize(
    "url",
    [f"https://{HOST}/", f"http://{HOST}0/", f"http://{HOST}.evil.example/",
     f"http://{HOST}@evil.example/", f"http://x.{HOST}/", "http://localhost:8000/", "null"],
)  # fmt: skip
def test_what_only_begins_like_the_preview_is_left_alone(url: str) -> None:
    assert SITE.localised(url.encode()) == url.encode()
