"""The page in a browser: opened from disk, narrow and wide, light and dark, by mouse and by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diswot import reports

NAMES = ["snip", "zen", "synflow", "nwot_of_a_very_long_name_that_has_to_be_broken"]
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


@pytest.fixture(scope="session")
def address(make: Callable[..., Any], searched: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    results = make(folder / "s0", names=NAMES, cells=12, seeds=2)
    results.evidence.loc[results.evidence["proxy"] == "zen", "spearman"] = float("nan")
    results = replace(results, search=searched(drivers=NAMES, teachers=("resnet20", "resnet56")))
    page: Path = reports.build([results], folder, ("scatters", "search", "search-cells"))[0]
    return page.as_uri()


@pytest.fixture
def page(driver: Any, address: str) -> Any:
    show(driver, address, 1600, "light")
    return driver


def show(driver: Any, address: str, width: int, scheme: str) -> None:
    # A headless window has a least width; the device's own does not.
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    colours = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": colours})
    driver.get(address)


def press(driver: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def values(driver: Any, column: int) -> list[float | None]:
    """Return what the shown rows of the first table are sorted by in a column."""
    script = """
        const rows = Array.from(document.querySelector("table.sortable").tBodies[0].rows);
        return rows.filter((row) => !row.hidden).map((row) => row.cells[arguments[0]].dataset.value);
    """
    return [float(value) if value else None for value in driver.execute_script(script, column)]


def texts(driver: Any, column: int) -> list[str]:
    """Return the words of the shown rows of the first table in a column."""
    script = """
        const rows = Array.from(document.querySelector("table.sortable").tBodies[0].rows);
        return rows.filter((row) => !row.hidden).map((row) => row.cells[arguments[0]].textContent.trim());
    """
    found: list[str] = driver.execute_script(script, column)
    return found


def head(driver: Any, column: int) -> Any:
    return driver.find_elements("css selector", "table.sortable thead th")[column]


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 27)")])
def test_the_page_fits_and_is_silent(driver: Any, address: str, width: int, scheme: str, paper: str) -> None:
    show(driver, address, width, scheme)
    assert driver.get_log("browser") == []
    root = "document.documentElement"
    wide, room = driver.execute_script(f"return [{root}.scrollWidth, {root}.clientWidth]")
    assert wide <= room <= width
    assert driver.execute_script("return getComputedStyle(document.body).backgroundColor") == paper
    broken = "return Array.from(document.images).filter((one) => one.complete && !one.naturalWidth).length"
    assert driver.execute_script(broken) == 0


def test_a_click_sorts_numbers_with_the_undefined_last(page: Any) -> None:
    button = head(page, 2).find_element("tag name", "button")
    for turn, order in ((True, "descending"), (False, "ascending")):
        button.click()
        found = values(page, 2)
        known = [value for value in found if value is not None]
        assert found == [*sorted(known, reverse=turn), None, None]
        assert head(page, 2).get_attribute("aria-sort") == order


def test_the_keyboard_sorts_and_shows_where_it_is(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    page.execute_script("arguments[0].focus()", head(page, 0).find_element("tag name", "button"))
    press(page, Keys.TAB, Keys.TAB)
    focused = page.switch_to.active_element
    assert focused.text.startswith("Spearman")
    assert focused.value_of_css_property("outline-style") == "solid"
    press(page, Keys.ENTER)
    assert head(page, 2).get_attribute("aria-sort") == "descending"
    assert values(page, 2)[-2:] == [None, None]
    press(page, Keys.ENTER)
    known = values(page, 2)[:-2]
    assert known == sorted(known)


def test_names_are_sorted_by_the_alphabet(page: Any) -> None:
    head(page, 0).find_element("tag name", "button").click()
    assert texts(page, 0) == sorted(texts(page, 0))
    assert head(page, 0).get_attribute("aria-sort") == "ascending"


def test_filters_hide_rows_and_count_the_others(page: Any) -> None:
    bar = page.find_element("css selector", ".filter")
    count = bar.find_element("tag name", "output")
    assert count.text == "8 of 8 rows"
    field = bar.find_element("tag name", "input")
    field.send_keys("SYN flow")
    assert (set(texts(page, 0)), count.text) == ({"synflow"}, "2 of 8 rows")
    choice = bar.find_element("tag name", "select")
    assert choice.accessible_name == "Target:"
    choice.send_keys("s0-diswot:vanilla")
    assert (texts(page, 1), count.text) == (["s0-diswot:vanilla"], "1 of 8 rows")
    field.clear()
    field.send_keys("nothing is called so")
    assert (texts(page, 0), count.text) == ([], "0 of 8 rows")


def test_the_first_tab_shows_a_link_past_the_head(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    press(page, Keys.TAB)
    link = page.switch_to.active_element
    assert link.text == "Skip to the results"
    assert link.rect["x"] >= 0
    press(page, Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("id") == "content"
