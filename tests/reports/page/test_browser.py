"""The page in a browser: opened from disk, narrow and wide, light and dark, by mouse and by keyboard."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diswot import reports

NAMES = ["snip", "zen", "synflow", "nwot_of_a_very_long_name_that_has_to_be_broken"]
PARTS = ("overview", "proxies", "explorer", "search", "distillation", "methods")
SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    browser, control = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or control is None:
        pytest.skip("chromium or chromedriver is not there")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(executable_path=control))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def address(make: Callable[..., Any], searched: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    results = make(folder / "s0", names=NAMES, cells=12, seeds=2)
    results.evidence.loc[results.evidence["proxy"] == "zen", "spearman"] = float("nan")
    results = replace(results, search=searched(space="s0", drivers=NAMES, teachers=("resnet20", "resnet56")))
    other = make(folder / "other", names=NAMES[:2], cells=12)
    page: Path = reports.build([results, other], folder, ("scatters", "search", "search-cells"))[0]
    return page.as_uri()


@pytest.fixture
def page(driver: Any, address: str) -> Any:
    return show(driver, address, 1600, "light", "proxies")


def show(driver: Any, address: str, width: int, scheme: str, part: str) -> Any:
    # A headless window has a least width; the device's own does not.
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    colours = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": colours})
    driver.get("about:blank")  # or the same page would not be loaded anew
    driver.get(f"{address}#run-1-{part}")
    return driver


def press(driver: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def one(driver: Any, selector: str) -> Any:
    return driver.find_element("css selector", f"#run-1 .part:not([hidden]) {selector}")


def shown(driver: Any, column: int) -> list[tuple[str, float | None]]:
    """Return the words, and what is sorted by, of the shown rows of the first table in a column."""
    script = """
        const rows = Array.from(document.querySelector("table.sortable").tBodies[0].rows);
        return rows.filter((row) => !row.hidden).map((row) => row.cells[arguments[0]])
            .map((cell) => [cell.textContent, cell.dataset.value]);
    """
    found = driver.execute_script(script, column)
    return [(words.removesuffix(" #"), float(value) if value else None) for words, value in found]


def values(driver: Any, column: int) -> list[float | None]:
    return [value for _, value in shown(driver, column)]


def texts(driver: Any, column: int) -> list[str]:
    return [words for words, _ in shown(driver, column)]


def head(driver: Any, column: int) -> Any:
    return driver.find_elements("css selector", "table.sortable thead th")[column]


def chosen(driver: Any, name: str, value: str) -> None:
    field = one(driver, f".controls [name={name}]")
    script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change', {bubbles: true}))"
    driver.execute_script(script, field, value)


def waiting(driver: Any, script: str) -> Any:
    """Return what a script gives once that is something."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 10).until(lambda browser: browser.execute_script(script))


@pytest.mark.parametrize("width", [400, 1000, 1600])
@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 27)")])
def test_every_part_fits_and_is_silent(driver: Any, address: str, width: int, scheme: str, paper: str) -> None:
    show(driver, address, width, scheme, "overview")
    assert driver.execute_script("return getComputedStyle(document.body).backgroundColor") == paper
    root = "document.documentElement"
    for part in PARTS:
        driver.execute_script("location.hash = arguments[0]", f"run-1-{part}")
        waiting(driver, f"return !document.getElementById('run-1-{part}').hidden")
        wide, room = driver.execute_script(f"return [{root}.scrollWidth, {root}.clientWidth]")
        assert wide <= room <= width, part
    broken = "return Array.from(document.images).filter((one) => one.complete && !one.naturalWidth).length"
    assert driver.execute_script(broken) == 0
    assert driver.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_part_keeps_wcag_aa(driver: Any, address: str, scheme: str) -> None:
    checker = pytest.importorskip("axe_core_python")
    show(driver, address, 1000, scheme, "overview")
    driver.execute_script((Path(checker.__file__).parent / "axe.min.js").read_text())
    for part in PARTS:
        driver.execute_script("location.hash = arguments[0]", f"run-1-{part}")
        waiting(driver, f"return !document.getElementById('run-1-{part}').hidden")
        assert violations(driver) == [], part
    driver.get_log("browser")  # axe tries what the page's policy forbids


def violations(driver: Any) -> list[tuple[str, str]]:
    """Return what axe-core finds against WCAG AA: rule and element."""
    driver.execute_script("for (const one of document.querySelectorAll('#run-1 details')) one.open = true")
    script = """
        const done = arguments[arguments.length - 1];
        const options = {runOnly: ["wcag2a", "wcag2aa", "wcag21aa"], resultTypes: ["violations"]};
        axe.run(document, options).then((found) => done(
            found.violations.flatMap((rule) => rule.nodes.slice(0, 3).map((node) => [rule.id, node.html.slice(0, 120)]))
        ));
    """
    found: list[tuple[str, str]] = driver.execute_async_script(script)
    return found


def test_first_screen_answers_in_two_sentences(page: Any) -> None:
    answered = page.execute_script("return document.querySelector('.answer p').innerText")
    assert re.fullmatch(r"\S+ predicts \S+ best: Spearman .* functions\. Searches by \S+ .* cell \d+, .*\.", answered)
    assert answered.count(". ") == 1


def test_tabs_and_back_follow_the_address(page: Any) -> None:
    def visible() -> list[str]:
        return page.execute_script(
            "return Array.from(document.querySelectorAll('.part:not([hidden])'), (one) => one.id)"
        )

    assert visible() == ["run-1-proxies"]
    page.find_element("link text", "Search").click()
    waiting(page, "return !document.getElementById('run-1-search').hidden")
    assert visible() == ["run-1-search"]
    assert page.find_element("css selector", "#run-1 .tabs [aria-current]").text == "Search"
    page.back()
    waiting(page, "return document.getElementById('run-1-search').hidden")
    assert visible() == ["run-1-proxies"]
    page.find_element("css selector", ".runs a:last-child").click()  # the other run, in the same part
    waiting(page, "return !document.getElementById('run-2-proxies').hidden")
    assert visible() == ["run-2-proxies"]


def test_a_row_can_be_linked_to(driver: Any, address: str) -> None:
    show(driver, address, 1600, "light", "row-synflow")
    assert not driver.find_element("id", "run-1-proxies").get_property("hidden")
    row = driver.find_element("id", "run-1-row-synflow")
    assert 0 < row.rect["y"] - driver.execute_script("return scrollY") < 900
    assert row.find_element("css selector", ".anchor").get_property("hash") == "#run-1-row-synflow"


def test_a_click_sorts_numbers_with_the_undefined_last(page: Any) -> None:
    button = head(page, 1).find_element("tag name", "button")
    for turn, order in ((True, "descending"), (False, "ascending")):
        button.click()
        found = values(page, 1)
        known = [value for value in found if value is not None]
        assert found == [*sorted(known, reverse=turn), None]
        assert head(page, 1).get_attribute("aria-sort") == order


def test_the_keyboard_sorts_and_shows_where_it_is(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    page.execute_script("arguments[0].focus()", head(page, 0).find_element("tag name", "button"))
    press(page, Keys.TAB)
    focused = page.switch_to.active_element
    assert focused.text.startswith("s0-diswot:distilled")
    assert focused.value_of_css_property("outline-style") == "solid"
    press(page, Keys.ENTER)
    assert head(page, 1).get_attribute("aria-sort") == "descending"
    press(page, Keys.ENTER)
    known = values(page, 1)[:-1]
    assert known == sorted(known)


def test_names_are_sorted_by_the_alphabet(page: Any) -> None:
    head(page, 0).find_element("tag name", "button").click()
    assert texts(page, 0) == sorted(texts(page, 0))
    assert head(page, 0).get_attribute("aria-sort") == "ascending"


def test_filters_hide_rows_and_count_the_others(page: Any) -> None:
    bar = one(page, ".filter")
    count = bar.find_element("tag name", "output")
    assert count.text == "4 of 4 rows"
    field = bar.find_element("tag name", "input")
    field.send_keys("SYN flow")
    assert (texts(page, 0), count.text) == (["synflow"], "1 of 4 rows")
    field.clear()
    field.send_keys("nothing is called so")
    assert (texts(page, 0), count.text) == ([], "0 of 4 rows")


@pytest.mark.parametrize(
    ("form", "begins", "holds"),
    [
        ("CSV", "Proxy,s0-diswot:distilled (n = 12),", "\nsynflow,0."),
        ("Markdown", "| Proxy | s0-diswot:distilled (n = 12) |", "\n| synflow | 0."),
        ("LaTeX", "\\begin{tabular}{lrr", "nwot\\_of\\_a\\_very"),
    ],
)
def test_tables_are_copied(page: Any, form: str, begins: str, holds: str) -> None:
    page.execute_script("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.find_element("xpath", f"//section[@id='run-1-proxies']//button[text()='{form}']").click()
    copied = waiting(page, "return window.copied").replace("\N{NO-BREAK SPACE}", " ")
    assert copied.startswith(begins)
    assert holds in copied
    assert one(page, ".copy [role=status]").text == f"copied as {form}"


def test_figures_are_enlarged_and_link_to_their_files(page: Any) -> None:
    one(page, "a.plate").click()
    image = page.find_element("css selector", "dialog[open] img")
    assert image.rect["width"] > 400
    for link in page.find_elements("css selector", "dialog figcaption a"):
        assert link.get_attribute("href").startswith(page.current_url.rpartition("/")[0] + "/s0/figures/")
    from selenium.webdriver.common.keys import Keys

    press(page, Keys.ESCAPE)
    assert page.find_elements("css selector", "dialog[open]") == []


def test_a_name_on_the_leaderboard_opens_its_scatter(driver: Any, address: str) -> None:
    show(driver, address, 1600, "light", "overview").find_element("link text", "synflow").click()
    waiting(driver, "return !document.getElementById('run-1-explorer').hidden")
    assert one(driver, ".sentence").text.startswith("synflow against s0-diswot:distilled, 12 cells; Spearman 0.")
    chosen(driver, "target", "s0-diswot:vanilla")
    assert one(driver, ".sentence").text.startswith("synflow against s0-diswot:vanilla")
    assert "target=s0-diswot%3Avanilla" in driver.current_url
    chosen(driver, "axes", "values")
    driver.refresh()  # what is chosen stands in the address
    assert one(driver, ".sentence").text.startswith("synflow against s0-diswot:vanilla")
    assert one(driver, ".controls [name=axes]").get_property("value") == "values"


def test_hovering_and_arrow_keys_name_cells(driver: Any, address: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    show(driver, address, 1600, "light", "explorer")
    plot = one(driver, ".plot")
    waiting(driver, "return document.querySelector('.part:not([hidden]) .ring')?.style.left")
    best = one(driver, ".about h4").text
    place = one(driver, ".ring").rect
    over = one(driver, ".u-over").rect
    plot.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert one(driver, ".about h4").text != best
    middle = (over["x"] + over["width"] / 2, over["y"] + over["height"] / 2)
    there = (place["x"] + place["width"] / 2 - middle[0], place["y"] + place["height"] / 2 - middle[1])
    ActionChains(driver).move_to_element_with_offset(one(driver, ".u-over"), *map(round, there)).perform()
    waiting(driver, f"return document.querySelector('#run-1 .about h4').textContent === '{best}'")
    assert one(driver, ".about code").text.startswith("ResNet[")
    assert "s0-diswot:vanilla" in one(driver, ".about dl").text
    blocks = driver.execute_script("return document.querySelectorAll('#run-1 .about g:not([hidden])').length")
    assert blocks == sum(map(int, best.removeprefix("Cell ")))
    plot.send_keys(Keys.ENTER)
    assert f"cell={best.removeprefix('Cell ')}" in driver.current_url


def test_ranks_in_the_explorer_begin_at_one(driver: Any, address: str) -> None:
    show(driver, address, 1600, "light", "explorer")
    driver.execute_script("""
        const drawn = CanvasRenderingContext2D.prototype.fillText;
        window.texts = [];
        CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
            window.texts.push(text);
            drawn.call(this, text, ...place);
        };
    """)
    chosen(driver, "target", "s0-diswot:vanilla")
    texts = waiting(driver, "return window.texts.length > 8 && window.texts")
    assert texts.count("1") == 2
    assert "0" not in texts
    assert any("(1 = best)" in text for text in texts)


def test_dragging_lists_the_cells_of_an_area(driver: Any, address: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    show(driver, address, 1600, "light", "explorer")
    waiting(driver, "return document.querySelector('.part:not([hidden]) .ring')?.style.left")
    over = one(driver, ".u-over")
    width, height = over.rect["width"], over.rect["height"]
    start = (-round(width / 2) + 5, -round(height / 2) + 5)
    drag = ActionChains(driver).move_to_element_with_offset(over, *start).click_and_hold()
    drag.move_by_offset(round(width) - 10, round(height) - 10).release().perform()
    assert one(driver, ".selection h4").text == "12 cells selected"
    lines = driver.find_elements("css selector", "#run-1 .selection tbody tr")
    assert len(lines) == 12
    assert [button.text for button in driver.find_elements("css selector", "#run-1 .selection .copy button")] == [
        *("CSV", "Markdown", "LaTeX")
    ]


def test_the_first_tab_shows_a_link_past_the_head(page: Any, address: str) -> None:
    from selenium.webdriver.common.keys import Keys

    page.get("about:blank")
    page.get(address)
    press(page, Keys.TAB)
    link = page.switch_to.active_element
    assert link.text == "Skip to the results"
    assert link.rect["x"] >= 0
    press(page, Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("id") == "content"
