"""How much a correlation depends on the weights that were drawn: a box over seeds for every proxy."""

from __future__ import annotations

from diswot.benchmarks.errors import counted
from diswot.harness.runs.results import Results
from diswot.reports.figures.drawing import Drawing
from diswot.reports.style import canvas, typography
from diswot.reports.style.wording import joined, left_out
from diswot.reports.summary import arranged, circumstances, metric_of, targets_of, toward, troubles

_LINE = {"color": "#333333", "linewidth": 0.6}


def drawings(results: Results) -> list[Drawing]:
    """Return the box plot over seeds for the first target; nothing where no proxy has two seeds that are defined."""
    target, metric = targets_of(results)[0], metric_of(results.evidence)
    evidence = toward(results, target)
    by_seed = results.correlations[results.correlations["target"] == target]
    data = by_seed[["proxy", "seed", metric]].dropna().rename(columns={metric: "correlation"})
    # Read back from a file, the column may hold objects.
    data = arranged(data.astype({"correlation": float}), "proxy", evidence["proxy"])
    if data.empty or data.groupby("proxy").size().max() < 2:
        return []
    values = {str(name): part["correlation"].to_numpy() for name, part in data.groupby("proxy", sort=False)}
    what = f"{metric.capitalize()} correlation"
    words = joined(
        circumstances(results, evidence),
        "dots: single seeds; boxes: quartiles and median over seeds, lines to the extremes",
        left_out(len(evidence) - len(values), "proxy", "proxies", "without a correlation"),
    )
    with canvas.style():
        figure, (axes,) = canvas.sheet(canvas.SINGLE_COLUMN, canvas.ROW * len(values) + canvas.AXIS_LABELS, f"{words}.")
        canvas.list_proxies(axes, list(canvas.short(values).values()))
        # A label at the right end may be as long as axes and names together.
        axes.set_xlabel(typography.elide(f"{what} with {target}", canvas.SINGLE_COLUMN - 0.3), loc="right")
        axes.boxplot(
            list(values.values()),
            positions=range(len(values)),
            orientation="horizontal",
            widths=0.62,
            whis=(0, 100),
            manage_ticks=False,
            showcaps=False,
            patch_artist=True,
            boxprops={"facecolor": "#CFE3F1", "edgecolor": "#333333", "linewidth": 0.5},
            whiskerprops=_LINE,
            medianprops=_LINE | {"linewidth": 1.0},
        )
        for height, correlations in enumerate(values.values()):
            axes.plot(correlations, [height] * len(correlations), "o", color="C0", markersize=2.4, markeredgewidth=0)
        if data["correlation"].min() < 0 < data["correlation"].max():
            axes.axvline(0, color="#333333", linewidth=0.5, zorder=0.9)
    return [
        Drawing(
            "seeds",
            figure,
            data,
            f"{what} of every proxy with {target}, seed by seed; {words}{troubles(evidence)}.",
            f"Box plot over seeds of the {what} of {counted(len(values), 'proxy', 'proxies')} with {target}",
        )
    ]
