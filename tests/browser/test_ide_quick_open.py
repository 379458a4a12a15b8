"""Finding a file by a few letters of its name, however many there are."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.ide import Ide
from tests.browser.screen import becomes, requests_of
from tests.end_to_end.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.engine]


def box(ide: Ide) -> Locator:
    ide.page.locator("#quick-open").click()
    return ide.page.get_by_role("dialog", name="Quick open")


def offers(found: Locator, letters: str, *names: str) -> None:
    """Type letters and wait until exactly these files are offered, in any order."""
    found.get_by_role("combobox").fill(letters)
    options = found.locator("[role=option] .label")
    until(lambda: set(options.all_inner_texts()) == set(names), f"{letters} finds {names}")


def test_names_are_fetched_before_they_are_asked_for(ide: Ide) -> None:
    ide.fill({"early.txt": ""})
    asked = requests_of(ide.page.context, "/files/names")
    ide.go()
    until(lambda: asked, "names are asked for")
    ide.write("work/late.txt", "")
    offers(box(ide), "worklate", "late.txt")
    assert all("q=&" in request.url for request in asked)


def test_more_letters_find_less_and_fewer_find_more(ide: Ide) -> None:
    ide.fill({"zebra.txt": "", "zebrafish.txt": "", "sub/Zeal.txt": ""}).go()
    found = box(ide)
    offers(found, "workze", "zebra.txt", "zebrafish.txt", "Zeal.txt")
    offers(found, "workzebra", "zebra.txt", "zebrafish.txt")
    offers(found, "workzebraf", "zebrafish.txt")
    offers(found, "workzea", "Zeal.txt", "zebra.txt", "zebrafish.txt")
    offers(found, "workzeal", "Zeal.txt")
    offers(found, "work zebra fish", "zebrafish.txt")


def test_enter_takes_what_was_typed_last(ide: Ide) -> None:
    ide.fill({"aa.txt": "", "ab.txt": ""}).go()
    found = box(ide)
    offers(found, "worka", "aa.txt", "ab.txt")
    second = found.locator("[role=option] .label").nth(1).inner_text()
    found.get_by_role("combobox").evaluate(
        """(input, name) => {
            input.value = `work${name}`;
            input.dispatchEvent(new Event("input"));
            input.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        }""",
        second,
    )
    expect(ide.tab(second)).to_have_attribute("aria-selected", "true")


def test_a_name_is_found_among_thousands_alike(ide: Ide) -> None:
    ide.fill({}).go()
    ide.screen.type("cd work; seq -f 'much-%g.txt' 9000 | xargs touch; echo made-$((40 + 2))")
    ide.screen.shows("^made-42")
    ide.go()
    found = box(ide)
    found.get_by_role("combobox").fill("workmuch")
    expect(found.get_by_role("option")).to_have_count(60)
    offers(found, "workmuch8765", "much-8765.txt")
    becomes(ide.page, "document.querySelector('.palette .where').textContent", "work")
    ide.fill({})
