"""The table of published figures in the docs is the one that its script makes of the files that are there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from diswot.harness.runs import published

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("published_docs", DOCS / "measurements" / "published.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_table_in_the_page_is_that_of_the_csv_file(script: ModuleType) -> None:
    section = script.PAGE.read_text().partition(script.BEGIN)[2].partition(script.END)[0]
    assert section == script.rendered(pd.read_csv(script.CSV))


def test_csv_file_has_the_published_figures_as_they_ship(script: ModuleType) -> None:
    shipped = {
        (one.proxy, one.space, one.subset, one.accuracy.data_set, one.accuracy.split, one.metric, one.source): one
        for one in published.figures()
    }
    table = pd.read_csv(script.CSV, keep_default_na=False)
    for line in table.to_dict("records"):
        figure = shipped.pop(tuple(line[key] for key in script.KEYS))
        assert line["published"] == figure.figure
        assert line["place"] == figure.place
        assert line["difference"] == pytest.approx(line["ours"] - figure.figure, abs=2e-4)
        large = abs(line["difference"]) > published.LARGE
        assert line["explanation"] == ((figure.explanation or published.UNEXPLAINED) if large else "")
    assert {figure.proxy for figure in shipped.values()} == {"vkdnw", "vkdnw_agg", "eznas", "ntk_trace"}
