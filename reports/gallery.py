"""Which figures a run gets, what stands below them, and their small copies for the page."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from harness.evidence.table import by_evidence
from reports import figures, names
from reports.numbers import counted, with_deviation
from reports.summary import conditions, on_all_cells, sample, targets_of

if TYPE_CHECKING:
    from harness.results import Results

PAGE_DPI = 150
PAGE_COLOURS = 96


@dataclass(frozen=True)
class Picture:
    """A figure as the page shows it; width and height are the pixels of the PNG."""

    stem: str
    alternative: str
    caption: str
    png: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Pictures:
    """The figures of one run: the bars (none without correlations) and one scatter per proxy."""

    bars: tuple[Picture, ...]
    scatters: tuple[Picture, ...]


def draw(results: Results, folder: Path) -> tuple[Pictures, list[Path]]:
    """Draw and save the bars, and a rank scatter of every proxy against the first target, best proxy first.

    Raises:
        benchmarks.errors.InputError: the folder cannot be made or written to.
    """
    targets = targets_of(results)
    if not targets:
        return Pictures((), ()), []
    summary = on_all_cells(results)
    bars, written = _draw_bars(results, summary, folder)
    scatters = []
    with_target = summary[summary["target"] == targets[0]]
    for proxy in by_evidence(with_target):
        picture, paths = _draw_scatter(results, with_target[with_target["proxy"] == proxy], folder)
        scatters.append(picture)
        written += paths
    return Pictures((bars,), tuple(scatters)), written


def _draw_bars(results: Results, summary: pd.DataFrame, folder: Path) -> tuple[Picture, list[Path]]:
    figure = figures.correlation_bars(results)
    paths = figures.save(figure, folder, "correlations", figures.bar_data(results))
    targets = ", ".join(targets_of(results))
    seeds = "; whiskers are standard deviations over seeds" if int(summary["seeds"].max()) > 1 else ""
    caption = f"Mean Spearman correlation of every proxy with {targets}; {_sample(results, summary)}{seeds}."
    alternative = f"Bars of the Spearman correlation of {counted(summary['proxy'].nunique(), 'proxy', 'proxies')}"
    return _picture(figure, "correlations", f"{alternative}; the table above holds the numbers.", caption), paths


def _draw_scatter(results: Results, row: pd.DataFrame, folder: Path) -> tuple[Picture, list[Path]]:
    values = row.iloc[0]
    proxy, target = str(values["proxy"]), str(values["target"])
    stem = names.stem("scatter", proxy, target)
    figure = figures.rank_scatter(results, proxy, target)
    paths = figures.save(figure, folder, stem, figures.scatter_data(results, proxy, target))
    rho = with_deviation(values["spearman"], values["spearman_deviation"])
    undefined = f"; {values['undefined']:,} of {values['scores']:,} scores not defined" if values["undefined"] else ""
    failed = f"; {counted(int(values['failed']), 'unit')} failed" if values["failed"] else ""
    caption = f"{proxy} against {target}: Spearman {rho}; {_sample(results, row)}{undefined}{failed}."
    return _picture(figure, stem, f"Rank of {proxy} score against rank of {target} accuracy", caption), paths


def _sample(results: Results, rows: pd.DataFrame) -> str:
    return "; ".join(part for part in (sample(rows), conditions(results)) if part)


def _picture(figure: Figure, stem: str, alternative: str, caption: str) -> Picture:
    # A palette keeps forty pictures small enough for one page.
    with Image.open(io.BytesIO(figures.png(figure, PAGE_DPI))) as image:
        small = image.convert("RGB").quantize(PAGE_COLOURS, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    small.save(buffer, format="PNG", optimize=True)
    return Picture(stem, alternative, caption, buffer.getvalue(), small.width, small.height)
