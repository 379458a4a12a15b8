"""A page hears of what is done in the terminal."""

from contextlib import ExitStack

import pytest
from docker import APIClient

from tests.end_to_end.conversation import conversing
from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server
from tests.end_to_end.waiting import AT_ONCE_SECONDS, until
from tests.web.routes import UPGRADE

pytestmark = pytest.mark.engine


@pytest.fixture
def home(person: Person) -> str:
    """The person's home, in a workspace that runs."""
    person.open()
    return f"/home/{person.username}"


def shell(client: APIClient, person: Person, script: str) -> str:
    return execute(client, person.container(), "bash", "-c", script)


def watchers(client: APIClient, person: Person) -> str:
    return execute(client, person.container(), "pgrep", "-x", "python3").strip()


def test_what_the_terminal_does_is_told(
    person: Person, home: str, docker_client: APIClient
) -> None:
    with conversing(person.visit(), "files/watch") as page:
        page.say({"watch": [""], "files": []})
        assert page.next() == {"watching": 1}
        shell(docker_client, person, "echo 1 > ~/new; mkdir ~/sub")
        told = page.until(lambda said: "changed" in said)["changed"]
        assert {"path": f"{home}/new", "kind": "created"} in told
        page.say({"watch": ["sub"]})
        page.until(lambda said: "watching" in said)
        shell(docker_client, person, "cd ~/sub; git init -q; git commit -q --allow-empty -m one")
        page.until(lambda said: "git" in said)


def test_the_program_goes_with_the_page(
    server: Server, person: Person, home: str, docker_client: APIClient
) -> None:
    with conversing(person.visit(), "files/watch") as page:
        page.say({"watch": [""]})
        page.next()
        assert len(watchers(docker_client, person).splitlines()) == 1
        port = page.local_port
    until(lambda: not watchers(docker_client, person), "the program is gone")
    until(lambda: not person.rows(), "no row is left")
    assert not server.holds(port)


def test_the_page_is_hung_up_on_when_the_sign_in_ends(
    person: Person, home: str, docker_client: APIClient
) -> None:
    visit = person.visit()
    with conversing(visit, "files/watch") as page:
        page.say({"watch": [""]})
        page.next()
        visit.submit("/logout")
        until(lambda: page.next() is None, "the page is hung up on", seconds=AT_ONCE_SECONDS)
    until(lambda: not watchers(docker_client, person), "the program is gone")


def test_the_page_is_hung_up_on_when_the_workspace_stops(person: Person, home: str) -> None:
    with conversing(person, "files/watch") as page:
        page.say({"watch": [""]})
        page.next()
        person.ok("POST", "/api/v1/workspaces/main/stop")
        until(lambda: page.next() is None, "the page is hung up on", seconds=AT_ONCE_SECONDS)


def test_a_program_that_is_killed_takes_the_page_along(
    person: Person, home: str, docker_client: APIClient
) -> None:
    with conversing(person, "files/watch") as page:
        page.say({"watch": [""]})
        page.next()
        shell(docker_client, person, "pkill -KILL -x python3")
        assert page.next() is None


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("nonsense", None),
        ("[" * 100_000, None),
        ([], "watch"),
        ({"watch": "x"}, "watch"),
        ({"watch": [""] * 501}, "watch"),
        ({"files": [7]}, "files"),
        ({"watch": ["../x"]}, "watch"),
        ({"watch": ["a\0b"]}, "watch"),
    ],
)
def test_what_cannot_be_watched_is_refused_and_the_page_stays(
    person: Person, home: str, message: object, field: str | None
) -> None:
    with conversing(person, "files/watch") as page:
        page.say(message)
        problem = page.next()["problem"]
        assert (problem["slug"], problem.get("field")) == ("bad-input", field)
        page.say({"watch": [""]})
        assert page.next() == {"watching": 1}


def test_a_huge_message_ends_the_connection(person: Person, home: str) -> None:
    with conversing(person, "files/watch") as page:
        page.say("x" * (2 << 20))
        assert page.next() is None


def test_typing_keeps_the_workspace_and_watching_does_not(person: Person, home: str) -> None:
    with conversing(person, "files/watch") as page:
        page.say({"watch": [""]})
        page.next()
        before = person.workspace()["activity"]["last_input_at"]

        def typed() -> object:
            page.say({"typed": True})
            return person.workspace()["activity"]["last_input_at"]

        assert before is None
        until(typed, "somebody has typed")


def test_pages_that_watch_have_an_end(person: Person, home: str) -> None:
    path = "/api/v1/workspaces/main/files/watch"
    with ExitStack() as pages:
        for _ in range(20):
            pages.enter_context(conversing(person, "files/watch"))
        with person.asking("GET", path, header=UPGRADE) as refused:
            assert refused.status == 429
    until(lambda: not person.rows(), "no row is left")
    with conversing(person, "files/watch") as page:
        page.say({"watch": [""]})
        assert page.next() == {"watching": 1}


def test_a_page_is_told_why_it_is_refused(person: Person, home: str) -> None:
    """A browser shows it nothing of an answer by HTTP, which a program gets."""
    person.ok("POST", "/api/v1/workspaces/main/stop")
    with conversing(person.visit(), "files/watch") as page:
        assert page.next()["problem"]["slug"] == "workspace-stopped"
        assert page.next() is None
        assert (page.code, page.reason) == (4409, "workspace-stopped")
    with person.asking("GET", "/api/v1/workspaces/main/files/watch", header=UPGRADE) as refused:
        assert refused.status == 409
    until(lambda: not person.rows(), "no row is left")
