"""Two people in two workspaces: publish, find, fork, push, propose, talk, merge, pull."""

import re
from collections.abc import Callable, Iterator

import docker
import pytest
from playwright.sync_api import expect

from tests.browser.screen import Screen
from tests.browser.test_every_page import SIDEWAYS, TOO_WIDE, WIDTHS
from tests.end_to_end.person import Person, execute
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]

README = (
    "# Orbit\\n\\nA pocket planetarium for the terminal. It draws the planets where they are "
    "**right now**.\\n\\n```sh\\npython moons.py --from earth --zoom 4\\n```\\n\\n"
    "| Key | What it does |\\n|:-:|---|\\n| `+` `-` | zoom |\\n| `t` | tomorrow |\\n\\n"
    "- [x] planets\\n- [x] moons of Jupiter\\n- [ ] comets\\n"
)
MOONS = 'MOONS = {"Io": 1.769, "Europa": 3.551, "Ganymede": 7.155}\\n'


@pytest.fixture
def two(server: Server, people: Callable[..., Person]) -> Iterator[tuple[Person, Person]]:
    """Two people whose workspaces run."""
    made = people(server, "ada"), people(server, "grace")
    for one in made:
        one.open()
    yield made
    for one in made:
        one.ok("POST", "/api/v1/workspaces/main/stop")


def test_from_one_home_to_another_and_back(
    new_screen: Callable[..., Screen], two: tuple[Person, Person]
) -> None:
    ada, grace = (new_screen().let_in(one.username) for one in two)
    grace.go("/global")
    expect(grace.page.locator("[data-live].on")).to_be_visible()

    publish(ada)
    expect(grace.page.locator("[data-feed]")).to_contain_text("Begin a pocket planetarium")
    grace.page.reload()
    grace.photograph("commons-discover")
    fork(grace)
    change(grace)
    propose(grace)
    review_and_merge(ada, grace)

    ada.enter()
    ada.type("clear; cd ~/orbit && git pull -q /global/ada/orbit main && grep Io moons.py")
    ada.shows(r'"Io": 1\.769138')
    ada.type("git log --format='%an<%s>' -3 | cat")
    ada.shows("grace<Be exact about Io>")
    ada.go("/global/ada/orbit/commits/main")
    expect(ada.page.locator("svg.lanes")).to_have_count(3)
    ada.photograph("commons-log")


def publish(screen: Screen) -> None:
    """Push a repository to a name that does not exist yet."""
    screen.enter()
    for line in (
        "git init -q orbit && cd orbit",
        f"printf '{README}' > README.md; printf '{MOONS}' > moons.py",
        "git add . && git commit -qm 'Begin a pocket planetarium'",
        "clear",
        "git push /global/ada/orbit main",
    ):
        screen.type(line)
    screen.shows(r"\[new branch\] +main -> main")
    screen.photograph("commons-push")


def fork(screen: Screen) -> None:
    """Find it, read it, like it and copy it."""
    page = screen.page
    page.locator(".repos").get_by_role("link", name="orbit").click()
    expect(page.get_by_role("heading", name="Orbit", exact=True)).to_be_visible()
    page.get_by_role("button", name="Star").click()
    expect(page.get_by_role("button", name="Starred")).to_have_attribute("aria-pressed", "true")
    screen.photograph("commons-repository")
    page.get_by_role("button", name="Fork").click()
    expect(page.get_by_text("Forked from ada/orbit")).to_be_visible()


def change(screen: Screen) -> None:
    """Open the copy in the workspace and push a branch from there."""
    screen.page.get_by_role("button", name="Open in my workspace").click()
    screen.shows(r"grace@main:~/orbit\$ *\Z")
    for line in (
        "git switch -q -c exact && sed -i s/1.769/1.769138/ moons.py",
        "git commit -qam 'Be exact about Io'",
        "clear; git push -u origin exact",
    ):
        screen.type(line)
    screen.shows(r"\[new branch\] +exact -> exact")


def propose(screen: Screen) -> None:
    """Offer the branch to where the copy came from."""
    page = screen.go("/global/grace/orbit/").page
    page.get_by_role("link", name="Propose a change to it").click()
    page.get_by_label("From").select_option("grace/orbit:exact")
    page.get_by_label("Title").fill("Be exact about Io")
    page.get_by_label("What it does and why").fill("After a year it was **40° off**.")
    page.get_by_role("button", name="Propose it").click()
    expect(page.get_by_text("It can be merged by those who may write")).to_be_visible()


def review_and_merge(owner: Screen, author: Screen) -> None:
    """Ask about a line, get an answer, and merge."""
    page = owner.go("/global/ada/orbit/proposals/").page
    page.get_by_role("link", name="Be exact about Io").click()
    page.get_by_role("link", name="Changes").click()
    line = page.locator("tr.add").first
    line.hover()
    line.get_by_role("button", name="Comment on line 1").click()
    page.get_by_label("What you say about this line").fill("Where is `1.769138` from?")
    page.get_by_role("button", name="Say it").click()
    expect(page.locator("tr.remark")).to_contain_text("Where is 1.769138 from?")
    owner.photograph("commons-changes")

    author.page.reload()
    author.page.get_by_label("Say something").fill("The *Explanatory Supplement*, table 9.3.")
    author.page.get_by_role("button", name="Comment", exact=True).click()
    expect(author.page.locator(".thread .comment")).to_have_count(3)

    page.get_by_role("link", name="Discussion").click()
    expect(page.locator(".thread")).to_contain_text("table 9.3")
    owner.photograph("commons-proposal")
    page.get_by_role("button", name="Merge it").click()
    expect(page.get_by_text("merged it")).to_be_visible()


@pytest.fixture(scope="module")
def published(server: Server) -> str:
    """A repository of somebody whose workspace has pushed and stopped."""
    one = Person(server, "lovelace")
    one.open()
    script = """
        cd && git init -q engine && cd engine && mkdir -p src/deep &&
        printf '# Engine\\n\\n|a|b|\\n|-|-|\\n|1|2|\\n\\n```python\\nx = 1\\n```\\n' > README.md &&
        seq -f 'value_%g = None  # and words that make the line long' 60 > src/deep/a.py &&
        git add . && git commit -qm Begin && git push -q /global/lovelace/engine main &&
        git switch -qc side && sed -i 3d src/deep/a.py && git commit -qam 'Take a line' &&
        git tag v1 && git push -q /global/lovelace/engine side v1 main:earlier
    """
    client = docker.from_env().api
    try:
        said = execute(client, one.container(), "bash", "-c", script)
    finally:
        client.close()
    assert one.call("GET", "/api/v1/repos/lovelace/engine").status == 200, said
    one.ok("POST", "/api/v1/workspaces/main/stop")
    offer = {"source": "lovelace/engine", "source_branch": "side", "target_branch": "main"}
    one.call("POST", "/api/v1/repos/lovelace/engine/proposals", offer | {"title": "Take a line"})
    return "/global/lovelace/engine"


PAGES = (
    "/", "/tree/main/src/deep", "/blob/main/src/deep/a.py", "/blob/main/README.md",
    "/blame/main/src/deep/a.py", "/commits/side", "/commit/side", "/compare/main...side",
    "/branches", "/tags", "/proposals/", "/proposals/1", "/proposals/1/files", "/proposals/new",
    "/settings", "/forks",
)  # fmt: skip


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_page_is_whole_on_every_screen(
    new_screen: Callable[..., Screen], published: str, theme: str
) -> None:
    screen = new_screen(color_scheme=theme, reduced_motion="reduce").let_in("lovelace")
    for path in ("/global", "/global/lovelace/", "/global/-/new", *(published + p for p in PAGES)):
        screen.go(path)
        for device, size in WIDTHS.items():
            screen.page.set_viewport_size(size)
            name = path.removeprefix("/global").strip("/").replace("/", "-") or "discover"
            screen.photograph(f"commons-{name}-{theme}-{device}")
            assert screen.page.evaluate(TOO_WIDE) == [], f"{path} on a {device}"
            assert screen.page.evaluate(SIDEWAYS) <= 0, f"{path} on a {device}"


def test_pages_work_without_scripts(new_screen: Callable[..., Screen], published: str) -> None:
    screen = new_screen(java_script_enabled=False).let_in("lovelace")
    page = screen.go(f"{published}/").page
    page.get_by_text("main", exact=True).first.click()
    page.get_by_role("link", name="side").click()
    expect(page).to_have_url(f"{screen.url}{published}/tree/side")
    page.get_by_role("button", name="Star").click()
    expect(page.get_by_role("button", name="Starred")).to_be_visible()
    screen.go(f"{published}/proposals/1/files")
    page.locator("tr.del").first.hover()
    page.get_by_role("button", name="Comment on line 3").first.click()
    page.get_by_label("What you say about this line").fill("Why?")
    page.get_by_role("button", name="Say it").click()
    expect(page.locator("tr.remark")).to_contain_text("Why?")


def test_lines_are_chosen_by_their_numbers(
    new_screen: Callable[..., Screen], published: str
) -> None:
    page = new_screen().let_in("lovelace").go(f"{published}/blob/main/src/deep/a.py").page
    page.get_by_role("link", name="Line 2", exact=True).click()
    page.get_by_role("link", name="Line 5", exact=True).click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile(r"#L2-L5$"))
    page.reload()
    expect(page.locator("tr.chosen")).to_have_count(4)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_log_is_divided_by_the_days_of_its_reader(
    new_screen: Callable[..., Screen], published: str, zone: str
) -> None:
    screen = new_screen(timezone_id=zone).let_in("lovelace").go(f"{published}/commits/side")
    written = "document.querySelector('time').dateTime"
    options = '"en-GB", {dateStyle: "long"}'
    day = screen.page.evaluate(f"new Date({written}).toLocaleDateString({options})")
    expect(screen.page.locator(".day")).to_have_text([day])


def test_the_title_of_a_proposal_follows_its_branch_until_it_is_changed(
    new_screen: Callable[..., Screen], published: str
) -> None:
    page = new_screen().let_in("lovelace").go(f"{published}/proposals/new").page
    source, title = page.get_by_label("From"), page.get_by_label("Title")
    for branch, subject in (("earlier", "Begin"), ("side", "Take a line")):
        source.select_option(f"lovelace/engine:{branch}")
        expect(title).to_have_value(subject)
    title.fill("Mine")
    source.select_option("lovelace/engine:earlier")
    expect(title).to_have_value("Mine")


def test_branches_are_switched_by_keyboard(
    new_screen: Callable[..., Screen], published: str
) -> None:
    screen = new_screen().let_in("lovelace").go(f"{published}/")
    page = screen.page
    page.locator("[data-switch] summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-switch] a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("[data-switch] summary").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-switch] a").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/tree/"))


def test_the_palette_knows_the_commons(new_screen: Callable[..., Screen], published: str) -> None:
    screen = new_screen().let_in("lovelace").go(f"{published}/")
    screen.page.keyboard.press("Control+k")
    screen.page.keyboard.type("my repositories")
    screen.page.keyboard.press("Enter")
    expect(screen.page.get_by_role("heading", name="lovelace")).to_be_visible()
