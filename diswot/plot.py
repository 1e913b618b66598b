"""Figures for a paper or a notebook: each function draws one figure of a run onto matplotlib Axes and returns them.

The first argument of every function is a run, or its `diswot.harness.runs.results.Results`. Keywords that several
functions have:

- ``target``, ``targets``: accuracies, ``table:column``; by default the first, or all, that the run was correlated with.
- ``proxies``: which proxies; all by default.
- ``labels``: what is written in place of the name of a proxy or target.
- ``order``: ``"value"``, the best first, or ``"given"``: as in ``proxies``, or as the run was asked for.
- ``ax``: Axes to draw onto, in the user's own style; by default new ones in the style of the project's reports.

No function changes a global setting of matplotlib. Errors are `diswot.benchmarks.errors.InputError`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from diswot.harness.runs.results import Results
    from diswot.harness.runs.stored_search import Search

__all__ = ["bars", "cost", "heatmap", "over_vanilla", "recall", "scatter", "trajectories"]

Order: TypeAlias = Literal["given", "value"]


class HasResults(Protocol):
    """An object with results, such as a run."""

    @property
    def results(self) -> Results:
        """Return the run as tidy tables."""
        ...


Run: TypeAlias = "Results | HasResults"
Labels: TypeAlias = "Mapping[str, str] | None"


def bars(
    run: Run,
    *,
    target: str | None = None,
    targets: Sequence[str] | None = None,
    proxies: Sequence[str] | None = None,
    labels: Labels = None,
    order: Order = "value",
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean correlation over seeds of every proxy with targets; whiskers are 95 % intervals over functions.

    A dot marks proxies that are not significantly different from the best; a dashed line the ceiling that the noise of
    the accuracies sets. By value, proxies are sorted by the first target.
    """
    from diswot.reports.figures import bars as figure
    from diswot.reports.style import typography

    results = _results(run, labels)
    data = _evidence(results, [target] if target else targets, proxies, order, "target" if target else "targets")
    several = data["target"].nunique()
    called = _called(data["proxy"], labels, ax) | _targets_called(data, labels, ax)
    heads = [called[name] for name in data["target"].unique()]
    columns = figure.columns(heads, 3.1 - max(map(typography.width, map(called.get, data["proxy"]))))
    height = (0.15 + 0.05 * (several - 1)) * data["proxy"].nunique() + 0.75 + 0.15 * math.ceil(several / columns)
    with _axes(ax, 3.3, height) as axes:
        figure.draw(axes, data, called)
        if several > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)
        else:
            name = data["target"].iloc[0]
            axes.set_xlabel(f"{axes.get_xlabel()} with {(labels or {}).get(name, name)}")
    return axes


def scatter(
    run: Run,
    *,
    proxy: str | None = None,
    target: str | None = None,
    annotate: int = 0,
    labels: Labels = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw rank of a proxy's score against rank of accuracy, a dot a cell and seed; hexagons above 2,000 dots.

    The title states the rank correlations on all these cells.

    Args:
        run: the run.
        proxy: or ensemble, whose scores; the best one for the target by default.
        target: the accuracies.
        annotate: how many of the most accurate cells are marked with their index.
        labels: see the module.
        ax: see the module.
    """
    from diswot.reports.figures import choice
    from diswot.reports.figures import scatter as figure
    from diswot.reports.summary import column_of, on_all_cells

    results = _results(run, labels)
    target = _target(results, target)
    accuracies = choice.accuracies_of(results, target)
    scores = choice.scores_on(results, accuracies.index)
    ranked = _evidence(results, [target], None, "value")["proxy"]
    scored = ranked[ranked.isin(scores.proxies)]
    name = _known("proxy", scored, [proxy] if proxy else None)[0]
    evidence = on_all_cells(results).set_index(["proxy", "target"], drop=False)
    row = evidence.loc[(name, target)]
    labels = labels or {}
    with _axes(ax, 3.3, 3.5) as axes:
        points = figure.scatter_data(scores, accuracies, row)
        figure.draw(axes, points, labels.get(target, f"{column_of(target)} accuracy"), annotate)
        axes.set_title(f"{_called([name], labels, ax, 3.0)[name]}\n{figure.correlations(row)}")
    return axes


def heatmap(
    run: Run,
    *,
    targets: Sequence[str] | None = None,
    proxies: Sequence[str] | None = None,
    labels: Labels = None,
    order: Order = "value",
    ax: Axes | None = None,
) -> Axes:
    """Draw the rank correlations of proxies' scores with each other, or with targets where these are given.

    By value, proxies with alike scores are neighbours; with targets the best by the first target is on top.
    """
    from diswot.harness.evidence import panel
    from diswot.reports.figures import agreement
    from diswot.reports.figures import heatmap as figure
    from diswot.reports.style import typography
    from diswot.reports.summary import metric_of

    results = _results(run, labels)
    if targets is None:
        scores = panel.build(results.scores, results.proxies, undefined=results.method.undefined)
        table = agreement.agreement(scores)
        chosen = _known("proxies", table.index, proxies)
        table = table.loc[chosen, chosen]
        table = agreement.clustered(table) if _by_value(order) and len(table) > 1 else table
        label = agreement.LABEL
    else:
        data = _evidence(results, targets, proxies, order)
        label = f"{metric_of(data).capitalize()} correlation"
        table = data.pivot(index="proxy", columns="target", values=metric_of(data))
        table = table.loc[data["proxy"].unique(), data["target"].unique()]
    row_heads, column_heads = (list(_called(part, labels, ax).values()) for part in (table.index, table.columns))
    side = 0.3 if max(table.shape) <= figure.MOST_NUMBERED else 0.15
    across = max(map(typography.width, row_heads)) + max(side * len(column_heads), 0.6) + 0.8
    up = max(map(typography.width, column_heads)) + max(0.15 * len(row_heads), 1.2) + 0.2
    with _axes(ax, min(across, 6.9), min(up, 6.9)) as axes:
        figure.draw(axes, table, (row_heads, column_heads), label)
    return axes


def recall(
    run: Run,
    *,
    target: str | None = None,
    proxies: Sequence[str] | None = None,
    labels: Labels = None,
    order: Order = "value",
    seed: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw which share of the truly best k cells is among the k best by score, against k; chance in grey.

    Args:
        run: the run.
        target: whose best cells.
        proxies: by default the six best that rank the cells otherwise than each other.
        labels: see the module.
        order: see the module.
        seed: of the scores; the lowest by default.
        ax: see the module.
    """
    from diswot.reports.figures import recall as figure
    from diswot.reports.style import canvas

    results = _results(run, labels)
    target = _target(results, target)
    evidence = _evidence(results, [target], proxies, order)["proxy"]
    seed = int(results.scores["seed"].min()) if seed is None else _known("seed", results.scores["seed"], [seed])[0]
    data, _ = figure.recall_data(results, target, seed, evidence, None if proxies else figure.MOST)
    if data.empty:
        raise _missing(f"no score of {target} is defined", "`diswot.evaluate` other proxies or cells")
    with _axes(ax, 3.3, 2.6 + 0.07 * data["proxy"].nunique()) as axes:
        figure.draw(axes, data, _called(data["proxy"], labels, ax, 1.1))
        if ax is None:
            canvas.legend(axes.figure.canvas.figure, 2, handlelength=2.2)
        else:
            axes.legend()
    return axes


def cost(
    run: Run,
    *,
    target: str | None = None,
    proxies: Sequence[str] | None = None,
    labels: Labels = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw each proxy's cost, relative to one forward and backward pass, against its correlation with a target.

    The line is the front of proxies that no cheaper proxy beats. It has its names at the right, as the user's own
    proxies have; others are named where there is room.

    Raises:
        InputError: the run's folder holds no ``costs.csv``.
    """
    from diswot.harness.compute import costs
    from diswot.reports.figures import cost as figure
    from diswot.reports.summary import metric_of

    results = _results(run, labels)
    target = _target(results, target)
    known = costs.of_run(results.folder, results.info)
    if known is None:
        raise _missing("it has no costs", f"`diswot bench --out {costs.path_of(results.folder)}`")
    evidence = _evidence(results, [target], proxies, "value")
    data = figure.cost_data(known["relative_cost"], evidence, metric_of(evidence))
    if data.empty:
        raise _missing("no proxy has both a cost and a correlation", f"`diswot bench --out {results.folder}/costs.csv`")
    with _axes(ax, 3.3, 2.6) as axes:
        axes.set_ylabel(f"{metric_of(evidence).capitalize()} with {(labels or {}).get(target, target)}")
        figure.draw(axes, data, _called(data["proxy"], labels, ax))
    return axes


def over_vanilla(
    run: Run,
    *,
    target: str | None = None,
    proxies: Sequence[str] | None = None,
    labels: Labels = None,
    order: Order = "value",
    ax: Axes | None = None,
) -> Axes:
    """Draw how much higher each proxy correlates with distilled than with vanilla accuracy, with 95 % intervals.

    A filled dot's interval excludes zero.

    Raises:
        InputError: no target is a distilled accuracy with its vanilla one.
    """
    from diswot.reports.figures import over_vanilla as figure
    from diswot.reports.summary import vanilla_of

    results = _results(run, labels)
    _target(results, target)
    distilled = list(vanilla_of(results))
    if not distilled:
        raise _missing("no target has both a distilled and a vanilla accuracy", "`correlate` with one that has")
    target = _known("target", distilled, [target] if target else None)[0]
    evidence = _evidence(results, [target], proxies, order)
    data = figure.difference_data(evidence)
    data = (
        data if _by_value(order) else data.set_index("proxy").reindex(evidence["proxy"]).dropna(how="all").reset_index()
    )
    with _axes(ax, 3.3, 0.15 * len(data) + 0.6) as axes:
        figure.draw(axes, data, _called(data["proxy"], labels, ax))
    return axes


def trajectories(
    run: Run,
    *,
    target: str | None = None,
    proxies: Sequence[str] | None = None,
    labels: Labels = None,
    order: Order = "value",
    ax: Axes | None = None,
) -> Axes:
    """Draw the accuracy of the current pick against evaluations, a curve a driver; random search in grey.

    Args:
        run: the run, which holds a search.
        target: the accuracies; the first one that enough of the searches know by default.
        proxies: the drivers; the seven most interesting ones by default.
        labels: see the module.
        order: of colours: see the module.
        ax: see the module.

    Raises:
        InputError: the run holds no search.
    """
    from diswot.reports import searches
    from diswot.reports.figures import search_accuracy as figure

    results = _results(run, labels)
    search = results.search
    if search is None:
        raise _missing("it holds no search", f"`diswot search {results.folder}`")
    drivers = searches.drivers(search)
    chosen = _known("proxies", drivers, proxies)
    chosen = [name for name in drivers if name in chosen] if _by_value(order) else chosen
    lacks = ("the search does not know {}", f"`run.search({drivers[0]!r}, targets=[{{!r}}])`")
    targets = _known_targets(results, "target", search.info.targets, [target] if target else None, lacks)
    data, target = _curves(search, targets, chosen if proxies else chosen[: figure.MOST])
    best = searches.highest(search, target)
    with _axes(ax, 3.6, 2.6) as axes:
        figure.draw(axes, data, best, _called(data["driver"], labels, ax))
    return axes


def _curves(search: Search, targets: list[str], drivers: list[str]) -> tuple[pd.DataFrame, str]:
    from diswot.reports.figures import search_accuracy as figure

    for name in targets:
        data = figure.accuracy_data(search, name, drivers)
        if not data.empty:
            return data, name
    raise _missing("too few searches know an accuracy of their picks", "`diswot search` with another --target")


def _results(run: Run, labels: Labels) -> Results:
    from diswot.reports import paper

    results = run.results if hasattr(run, "results") else run
    paper.check_labels(labels or (), paper.labelled(results))
    return results


def _missing(what: str, command: str, argument: str = "run") -> Exception:
    from diswot.benchmarks.errors import InputError

    return InputError(f"{argument}: {what}; run {command} first.")


def _by_value(order: str) -> bool:
    return _known("order", ("given", "value"), [order])[0] == "value"


def _known(argument: str, allowed: Any, chosen: Sequence[Any] | None) -> list[Any]:
    # What is chosen, each once, in its own order; all where nothing is.
    from diswot.benchmarks.errors import InputError, unknown

    names = list(dict.fromkeys(allowed))
    for name in [chosen] if isinstance(chosen, str) else chosen or ():
        if name not in names:
            raise unknown(argument, name, names)
    if chosen is not None and not len(chosen):
        raise InputError(f"{argument}: the list is empty; allowed: {', '.join(map(str, names))}.")
    return names if chosen is None else list(dict.fromkeys([chosen] if isinstance(chosen, str) else chosen))


def _target(results: Results, target: str | None) -> str:
    return _targets(results, [target] if target else None, "target")[0]


def _targets(results: Results, targets: Sequence[str] | None, argument: str) -> list[str]:
    from diswot.reports.summary import targets_of

    if results.evidence.empty:
        raise _missing("it holds no correlation", "`run.correlate()` or `diswot correlate`")
    lacks = ("the run was not correlated with {}", "`run.correlate([{!r}])`")
    return _known_targets(results, argument, targets_of(results), targets, lacks)


def _known_targets(
    results: Results, argument: str, allowed: Sequence[str], chosen: Sequence[str] | None, lacks: tuple[str, str]
) -> list[str]:
    # As `_known`; an accuracy that a table has is no wrong name, and the error says what brings it.
    from diswot.reports.summary import is_target

    for name in [chosen] if isinstance(chosen, str) else chosen or ():
        if name not in allowed and is_target(name, results.info.space):
            raise _missing(lacks[0].format(name), lacks[1].format(name), argument)
    return _known(argument, allowed, chosen)


def _evidence(
    results: Results,
    targets: Sequence[str] | None,
    proxies: Sequence[str] | None,
    order: str,
    argument: str = "targets",
) -> pd.DataFrame:
    """Return the rows that decide, each function counted once: targets as given, proxies in drawing order."""
    from diswot.reports import summary

    wanted = _targets(results, targets, argument)
    evidence = summary.best_first(results)
    shown = _known("proxies", results.evidence["proxy"], proxies)
    if _by_value(order):
        first = evidence[evidence["target"] == wanted[0]]
        ranked = first.sort_values(summary.metric_of(first), ascending=False, kind="stable")["proxy"]
        shown = [name for name in ranked if name in shown]
    evidence = evidence[evidence["target"].isin(wanted) & evidence["proxy"].isin(shown)]
    return summary.arranged(summary.arranged(evidence, "target", wanted), "proxy", shown)


def _called(proxies: Iterable[str], labels: Labels, ax: Axes | None, room: float = 1.35) -> dict[str, str]:
    # On new Axes, whose width is known, names are as short as in the reports; a user's own may have room for more.
    from diswot.reports.style import typography

    texts = {name: (labels or {}).get(name, name) for name in proxies}
    return texts if ax else {name: typography.elide(text, room) for name, text in texts.items()}


def _targets_called(data: pd.DataFrame, labels: Labels, ax: Axes | None) -> dict[str, str]:
    # A column's name is enough where all are of a single table.
    from diswot.reports.summary import column_of, table_of

    targets = data["target"].unique()
    short = len({table_of(target) for target in targets}) == 1
    columns = {target: column_of(target) for target in targets} if short else {}
    return _called(targets, columns | dict(labels or {}), ax)


@contextmanager
def _axes(ax: Axes | None, width: float, height: float) -> Iterator[Axes]:
    # Yields the user's own Axes, or new ones, width x height in inches, that keep the paper's style when drawn later.
    if ax is not None:
        yield ax
        return
    from matplotlib import pyplot as plt

    from diswot.reports.style import canvas

    with canvas.style():
        figure, ax = plt.subplots(figsize=(width, height), layout="constrained")
        canvas.settle(ax)
        yield ax
        canvas.fit(figure)
