"""The figures of a run: what there is to draw, in one place."""

from __future__ import annotations

from reports.bars import bar_data, correlation_bars
from reports.canvas import png, save
from reports.scatter import rank_scatter, scatter_data

__all__ = ["bar_data", "correlation_bars", "png", "rank_scatter", "save", "scatter_data"]
