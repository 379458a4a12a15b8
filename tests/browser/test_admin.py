"""What administrators do: invite, allow, write the catalogue, read the audit log."""

import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.screen import REFUSED, Complaints, Screen
from tests.end_to_end.person import PASSWORD, Person, Visit
from tests.end_to_end.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    """A server that takes new accounts by invitation only."""
    started = make_server(registration="invite").start()
    Person(started, "boss")
    return started


@pytest.fixture
def boss(new_screen: Callable[..., Screen]) -> Screen:
    return new_screen().sign_in("boss")


def make_invite(boss: Screen) -> str:
    boss.go("/admin/invites").button("Make an invite").click()
    return boss.page.locator("#new-invite").inner_text()


def accept(screen: Screen, invite: str, name: str) -> Screen:
    # The link names the host of the administrator's request: localhost here too.
    screen.page.goto(invite)
    return screen.fill_in(name, PASSWORD, "Create the account")


def test_invite_lets_one_person_in(
    boss: Screen, new_screen: Callable[..., Screen], complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    guest = new_screen().go("/register")
    expect(guest.page.get_by_role("heading", name="By invitation only")).to_be_visible()
    expect(guest.page.get_by_role("textbox")).to_have_count(0)
    guest.go("/login")
    expect(guest.page.get_by_text("You need an invite link")).to_be_visible()

    invite, name = make_invite(boss), f"u{secrets.token_hex(4)}"
    accept(guest, invite, name)
    expect(guest.page.get_by_role("heading", name="Open your first workspace")).to_be_visible()
    expect(guest.page.get_by_role("link", name="Users")).to_have_count(0)
    boss.go("/admin/invites")
    expect(boss.page.get_by_text(f"used by {name}")).to_be_visible()
    boss.photograph("admin-invites")

    late = accept(new_screen(), invite, f"u{secrets.token_hex(4)}")
    expect(late.page.get_by_role("alert")).to_contain_text("You need an invitation")


def test_withdrawn_invite_is_worth_nothing(
    boss: Screen, new_screen: Callable[..., Screen], complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    invite = make_invite(boss)
    boss.go("/admin/invites").button("Withdraw").click()
    expect(boss.button("Withdraw")).to_have_count(0)
    guest = accept(new_screen(), invite, f"u{secrets.token_hex(4)}")
    expect(guest.page.get_by_role("alert")).to_contain_text("You need an invitation")


def template_form(boss: Screen, name: str) -> Locator:
    """Open the fold of that name and return its form."""
    fold = boss.page.locator("details", has=boss.page.locator("summary", has_text=name))
    if not fold.evaluate("(element) => element.open"):
        fold.locator("summary").click()
    return fold


def test_catalogue_is_edited(boss: Screen, complaints: Complaints) -> None:
    complaints.expect(REFUSED)
    boss.go("/admin/templates")
    page, adding = boss.page, template_form(boss, "Add a template")
    for label, text in [("Name", "go-lab"), ("Title", "Go lab"), ("Container image", "go:1")]:
        adding.get_by_label(label, exact=True).fill(text)
    adding.get_by_label("Ports", exact=True).fill("3000, 99999")
    adding.get_by_role("button", name="Add the template").click()
    ports = page.locator("#new-ports")
    expect(ports).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_text("Ports are numbers from 1 to 65535")).to_be_visible()
    expect(page.locator("#new-name")).to_have_value("go-lab")
    boss.photograph("admin-templates-error")
    ports.fill("3000, 8080")
    page.get_by_role("button", name="Add the template").click()
    expect(page.get_by_text("Template added.")).to_be_visible()

    boss.go("/templates")
    entry = page.get_by_role("region", name="Go lab")
    expect(entry).to_contain_text("image missing")
    expect(entry).to_contain_text(":3000")
    expect(entry.get_by_role("link", name="New workspace")).to_have_count(0)

    editing = template_form(boss.go("/admin/templates"), "Go lab")
    editing.get_by_label("Title", exact=True).fill("Golang")
    editing.get_by_label("Offered to users").uncheck()
    editing.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Template saved.")).to_be_visible()
    expect(page.locator("summary", has_text="Golang")).to_contain_text("switched off")

    template_form(boss, "Golang").get_by_role("button", name="Delete").click()
    boss.dialog("Delete the template “go-lab”?").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Template deleted.")).to_be_visible()
    expect(page.locator("summary", has_text="Golang")).to_have_count(0)


@pytest.fixture
def guest(server: Server, boss: Screen, new_screen: Callable[..., Screen]) -> tuple[str, Screen]:
    name = f"u{secrets.token_hex(4)}"
    screen = accept(new_screen(), make_invite(boss), name)
    expect(screen.page.get_by_role("heading", name="Workspaces", exact=True)).to_be_visible()
    return name, screen


def test_allowance_is_what_the_person_may_use(boss: Screen, guest: tuple[str, Screen]) -> None:
    name, screen = guest
    boss.go("/admin/users").page.get_by_role("row", name=name).get_by_role(
        "button", name="Allowance"
    ).click()
    dialog = boss.dialog(f"Allowance of {name}")
    dialog.get_by_label("Workspaces").fill("1")
    dialog.get_by_label("Processors (cores)").fill("0.5")
    dialog.get_by_label("Memory (MiB)").fill("512")
    dialog.get_by_role("button", name="Save").click()
    expect(boss.page.get_by_text(f"Allowance of {name} saved.")).to_be_visible()
    expect(boss.page.get_by_role("row", name=name)).to_contain_text("0.5 CPU · 512 MiB")

    screen.go("/").button("New workspace").click()
    form = screen.dialog("New workspace")
    form.get_by_role("slider", name="Processors").press("End")
    expect(form.get_by_text("0.5 cores")).to_be_visible()
    expect(form.get_by_text("512 MiB", exact=True)).to_be_visible()
    form.get_by_role("button", name="Create and start").click()
    expect(screen.page.get_by_role("region", name="main")).to_contain_text("Running")


def test_rights_are_given_and_taken(
    boss: Screen, guest: tuple[str, Screen], complaints: Complaints
) -> None:
    complaints.expect(REFUSED)
    name, screen = guest
    screen.go("/admin/users")
    expect(screen.page.get_by_text("403")).to_be_visible()
    boss.go("/admin/users").choose(f"More for {name}", "Make administrator")
    boss.dialog().get_by_role("button", name="Make administrator").click()
    expect(boss.page.get_by_text(f"{name} is an administrator.")).to_be_visible()
    screen.go("/admin/users")
    expect(screen.page.get_by_role("heading", name="Users")).to_be_visible()
    boss.choose(f"More for {name}", "Take administrator rights")
    boss.dialog().get_by_role("button", name="Take administrator rights").click()
    expect(boss.page.get_by_text(f"{name} is an ordinary user.")).to_be_visible()
    screen.go("/admin/users")
    expect(screen.page.get_by_text("403")).to_be_visible()


def test_audit_log_tells_who_did_what(
    boss: Screen, guest: tuple[str, Screen], server: Server
) -> None:
    name, _ = guest
    visit = Visit(server, "boss")
    visit.submit(f"/admin/users/{name}/suspend")
    visit.submit(f"/admin/users/{name}/delete")
    page = boss.go("/admin/events").page
    first = page.locator("#events tbody tr").first
    for text in ("boss", "deleted", name, "127.0.0.1"):
        expect(first).to_contain_text(text)
    boss.photograph("admin-events")
    rows = page.locator("#events tbody tr:visible")
    before = rows.count()
    page.get_by_label("Filter this page").fill(name)
    expect(rows).not_to_have_count(before)
    for text in rows.all_inner_texts():
        assert name in text
