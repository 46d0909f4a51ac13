"""The page in a real browser, headless: every control, keys, narrow screens, no scripts, and hostile rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.browse.source import wait
from tests.pipelines.browse.served import Served, serving, write_data

pytestmark = pytest.mark.slow

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
expect = playwright.expect

OF = "of=small%40v1"
USUAL = ("404", "Autofocus processing was blocked")  # the latter comes and goes with how quickly a page is left
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
PAGES = (
    *(
        "/",
        f"/dataset?{OF}",
        f"/table?{OF}",
        f"/table?{OF}&dense=1&show=question&show=reason",
        f"/search?{OF}&q=what",
    ),
    *(f"/row?{OF}&row=0", f"/row?{OF}&row=3", f"/row?{OF}&row=4", f"/row?{OF}&row=3&written=1"),
    *(f"/compare?{OF}&row=4", f"/raw?{OF}&row=3", "/nothing"),
)


@pytest.fixture
def _small_parts() -> None:
    """Indexes as they are: the server of this module outlives a test."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(write_data(tmp_path_factory.mktemp("data"))) as found:
        found.page(f"/dataset?{OF}")
        assert wait(found.desk.opened["small@v1"], 30)
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


class Watched:
    """A page that notes what it says on its console, and whom it asks."""

    def __init__(self, browser: Any, served: Served, **how: Any) -> None:
        self.context = browser.new_context(**{"viewport": WIDE, **how})
        self.page = self.context.new_page()
        self.troubles: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda told: self.troubles.append(told.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.served = served

    def go(self, path: str) -> Any:
        self.page.goto(self.served.url + path)
        return self.page

    def close(self) -> None:
        self.context.close()
        assert not [each for each in self.troubles if not any(usual in each for usual in USUAL)]
        assert not [each for each in self.asked if not each.startswith((self.served.url, "data:"))]


@pytest.fixture
def watched(browser: Any, served: Served) -> Iterator[Watched]:
    found = Watched(browser, served)
    yield found
    found.close()


@pytest.fixture
def narrow(browser: Any, served: Served) -> Iterator[Watched]:
    found = Watched(browser, served, viewport=NARROW, is_mobile=True, has_touch=True)
    yield found
    found.close()


@pytest.fixture
def plain(browser: Any, served: Served) -> Iterator[Watched]:
    found = Watched(browser, served, java_script_enabled=False)
    yield found
    found.close()


def press(page: Any, *keys: str) -> None:
    """Press keys once the page listens to them."""
    expect(page.locator("#theme")).to_be_visible()
    for key in keys:
        page.keyboard.press(key)


def back(page: Any) -> None:
    """Go one page back by the page's own history, as the button does, and wait until it is shown.

    Playwright's `go_back` asks the page for its history, and fails if that page has just given way to another.
    """
    left = page.url
    page.wait_for_load_state()
    page.evaluate("setTimeout(() => history.back())")
    page.wait_for_url(lambda url: url != left)


def rows(page: Any) -> Any:
    return page.locator("tbody tr[data-item]")


def test_why_a_row_was_dropped_is_three_clicks_away(watched: Watched):
    page = watched.go("/")
    page.get_by_role("link", name="small", exact=True).first.click()
    page.get_by_role("link", name="too much like an earlier question").click()
    rows(page).first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Left out by novelty: too much like an earlier question"
    )
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()


def test_without_scripts_the_same_can_be_read(plain: Watched):
    page = plain.go("/")
    page.get_by_role("link", name="small", exact=True).first.click()
    page.get_by_role("link", name="too much like an earlier question").click()
    rows(page).first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Left out by novelty")
    page.get_by_role("link", name="As written").click()
    page.locator("summary", has_text="What was asked").first.click()
    expect(page.get_by_text("Pose!").first).to_be_visible()
    page.get_by_label("right").check()
    page.get_by_label("note").fill("checked by hand")
    page.get_by_role("button", name="Save mark").click()
    expect(page.get_by_text("checked by hand").first).to_be_visible()
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)
    page = plain.go(f"/table?{OF}")
    page.get_by_placeholder("Search questions").fill("again")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("status").last).to_contain_text("in 70 rows")
    for told in ("#theme", "#keys"):
        expect(page.locator(told)).to_be_hidden()


def test_tables_are_sorted_filtered_searched_and_arranged(watched: Watched):
    page = watched.go(f"/table?{OF}")
    expect(rows(page)).to_have_count(50)
    page.get_by_role("link", name="Next").click()
    expect(rows(page)).to_have_count(20)
    page.get_by_role("link", name="Previous").click()
    page.get_by_role("columnheader", name="attempts").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="attempts")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("columnheader", name="attempts").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="attempts")).to_have_attribute("aria-sort", "descending")
    page.locator("summary", has_text="Filter").click()
    page.get_by_label("attempts at least").fill("1")
    page.get_by_role("textbox", name="question").fill("WHAT")
    page.get_by_role("combobox", name="outcome").select_option("accepted")
    page.get_by_role("button", name="Show these rows").click()
    expect(rows(page)).to_have_count(1)
    assert "max." not in page.url
    page.get_by_role("link", name="Take away: question contains WHAT").click()
    expect(rows(page)).to_have_count(50)
    back(page)
    expect(rows(page)).to_have_count(1)
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="reason").uncheck()
    page.get_by_role("checkbox", name="longest").check()
    page.get_by_role("button", name="Show these columns").click()
    expect(page.get_by_role("columnheader", name="longest")).to_be_visible()
    expect(page.get_by_role("columnheader", name="reason")).to_have_count(0)
    page.get_by_role("link", name="Dense").click()
    expect(page.locator(".rows.dense")).to_be_visible()


def test_a_search_shows_its_hits_and_leads_to_their_place(watched: Watched):
    page = watched.go(f"/search?{OF}")
    page.get_by_role("searchbox").fill("not sure")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".hits mark")).to_have_text(["not sure"])
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    page.get_by_role("link", name="row 0").click()
    expect(page.locator("details.attempt:target")).to_have_attribute("open", "")


def test_a_story_unfolds_compares_and_is_marked(watched: Watched):
    page = watched.go(f"/row?{OF}&row=0")
    expect(page.locator("math").first).to_be_visible()
    thoughts = page.get_by_text("I am not sure.")
    expect(thoughts).to_be_hidden()
    page.get_by_role("button", name="Unfold all").click()
    expect(thoughts).to_be_visible()
    press(page, "o")
    expect(thoughts).to_be_hidden()
    page.get_by_role("link", name="Side by side").first.click()
    expect(page.locator("ins").first).to_be_visible()
    page.get_by_label("Left").select_option(index=0)
    with page.expect_navigation():
        page.get_by_role("button", name="Compare").click()
    back(page)
    back(page)
    page.get_by_label("unsure").check()
    page.get_by_label("note").fill("<b>hm</b>")
    page.get_by_role("button", name="Save mark").click()
    expect(page.get_by_text("<b>hm</b>").first).to_be_visible()
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("<b>hm</b>")).to_have_count(0)
    page.get_by_role("link", name="Raw facts").click()
    expect(page.locator("pre.json").first).to_be_visible()


def test_keys_lead_everywhere(watched: Watched):
    page = watched.go(f"/dataset?{OF}")
    press(page, "Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    press(page, "?")
    expect(page.get_by_role("dialog")).to_be_visible()
    press(page, "Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    press(page, "j", "Enter")
    expect(rows(page).first).to_be_visible()


def test_keys_go_through_a_table_and_its_stories(watched: Watched):
    page = watched.go(f"/table?{OF}")
    press(page, "n")
    expect(rows(page)).to_have_count(20)
    press(page, "p")
    expect(rows(page)).to_have_count(50)
    press(page, "/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    press(page, "j", "k", "?")
    expect(search).to_have_value("jk?")
    press(page, "Escape", "j", "j", "ArrowDown", "k")
    expect(rows(page).nth(1).get_by_role("link")).to_be_focused()
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Left out by novelty")
    press(page, "n")
    expect(page.get_by_text("Row 2 ·")).to_be_visible()
    press(page, "p")
    expect(page.get_by_text("Row 1 ·")).to_be_visible()
    press(page, "w")
    expect(page.get_by_role("link", name="As written")).to_have_attribute("aria-current", "true")
    press(page, "m")
    expect(page.get_by_label("right")).to_be_focused()
    press(page, "Escape", "Escape")
    expect(rows(page).first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_theme_is_the_systems_until_a_person_chooses(browser: Any, served: Served, scheme: str):
    watched = Watched(browser, served, color_scheme=scheme)
    page = watched.go("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.locator("#theme").click()
    after = page.evaluate(ground)
    assert before != after
    page.reload()
    assert page.evaluate(ground) == after
    watched.close()


@pytest.mark.parametrize("path", PAGES)
def test_no_page_is_wider_than_a_phone(narrow: Watched, path: str):
    page = narrow.go(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


@pytest.mark.parametrize("path", PAGES)
def test_nothing_that_a_model_wrote_runs(watched: Watched, path: str):
    page = watched.go(path)
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    assert page.evaluate("window.broken") is None
    assert page.locator("main :is(img, script, iframe, style, [style], [onerror], [onclick])").count() == 0
    headings = page.get_by_role("heading", level=1)
    assert headings.count() <= 1 or path.startswith("/row")


@pytest.mark.parametrize("path", PAGES)
def test_every_control_has_a_name(watched: Watched, path: str):
    page = watched.go(path)
    nameless = page.evaluate(
        "[...document.querySelectorAll('a, button, input:not([type=hidden]), select, textarea, summary')]"
        ".filter((each) => !(each.innerText || each.ariaLabel || each.labels?.length || each.textContent.trim()))"
        ".map((each) => each.outerHTML)"
    )
    assert nameless == []


def test_a_story_can_be_printed(watched: Watched):
    page = watched.go(f"/row?{OF}&row=0")
    page.emulate_media(media="print")
    expect(page.locator(".top")).to_be_hidden()
    expect(page.get_by_role("heading", name="The problem")).to_be_visible()
