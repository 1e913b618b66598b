"""Write a run's tables for a paper, in LaTeX and Markdown, and choose proxies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from diswot.benchmarks.errors import InputError, unknown
from diswot.benchmarks.paths import expanded
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.harness.evidence.intervals import FEWEST_FUNCTIONS
from diswot.harness.runs.results import Results
from diswot.proxies import registry
from diswot.reports.style import look
from diswot.reports.style.wording import decimal
from diswot.reports.summary import best_first, circumstances, column_of, is_target, metric_of, table_of, targets_of

_MARKS = {mark: f"\\{mark}" for mark in "&%#_{}$"} | {
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"\N{MINUS SIGN}": "$-$", "\N{PLUS-MINUS SIGN}": r"$\pm$", "\N{EM DASH}": "---"},
}


def look_of(
    *,
    proxies: Sequence[str],
    labels: Mapping[str, str] | Path | None,
    order: str,
    width: str = "",
    caption: bool = True,
    annotate: int = 0,
) -> look.Look:
    """Return a look, with labels given or read from a file.

    Raises:
        InputError: the file is not like that, the order or width is not known, or nothing gives an order.
    """
    if order not in look.ORDERS:
        raise unknown("order", order, look.ORDERS)
    if width and width not in look.WIDTHS:
        raise unknown("width", width, look.WIDTHS)
    called = read_labels(labels) if isinstance(labels, Path) else dict(labels or {})
    if order == "given" and not (proxies or called):
        raise InputError("order: 'given' takes proxies or labels, whose order it is.")
    return look.Look(tuple(proxies), called, order, width, caption, annotate)


def chosen(results: Results, proxies: Sequence[str]) -> Results:
    """Return a run with some of its proxies and ensembles; by default with all.

    Which correlation is the best, and which are not significantly different from it, stays as among all.

    Raises:
        InputError: the run has no correlation of one of the names.
    """
    known = list(dict.fromkeys(results.evidence["proxy"]))
    for name in proxies:
        if name not in known:
            raise unknown("proxies", name, known)
    if not proxies:
        return results
    frames = {name: getattr(results, name) for name in ("scores", "correlations", "evidence")}
    shown = {name: frame[frame["proxy"].isin(proxies)].reset_index(drop=True) for name, frame in frames.items()}
    return replace(results, proxies=results.proxies[results.proxies["name"].isin(proxies)], **shown)


def check_labels(labels: Iterable[str], own: Iterable[str]) -> None:
    """Refuse a label of nothing.

    Args:
        labels: names that have one: of proxies, ensembles or targets.
        own: names that a run has, beside those of the registry and of the built-in tables.

    Raises:
        InputError: a name is not known.
    """
    known = {*registry.names(), *ENSEMBLES, *own}
    for name in labels:
        if name not in known and not is_target(name):
            raise unknown("labels", name, sorted(known), "A label is of a proxy, an ensemble or a target.")


def labelled(run: Results) -> set[str]:
    """Return the names of a run that may have a label."""
    names = {*run.evidence["proxy"], *run.evidence["target"], *(proxy.name for proxy in run.info.proxies)}
    return names if run.search is None else names | {driver.name for driver in run.search.info.drivers}


def read_labels(file: Path) -> dict[str, str]:
    """Return the labels of proxies and targets from a file: lines of ``NAME,LABEL``, in the order of the file.

    Raises:
        InputError: the file cannot be read, or a line is not like that.
    """
    try:
        lines = expanded("labels", file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"labels: {file} cannot be read: {error}.") from error
    found = {}
    for number, line in enumerate(lines, start=1):
        name, comma, label = (part.strip() for part in line.partition(","))
        if line.strip() and not (name and comma and label):
            raise InputError(f"labels: line {number} of {file} is {line!r}; a line is NAME,LABEL.")
        if line.strip():
            found[name] = label
    return found


def latex(results: Results) -> str:
    """Return a LaTeX table (needs booktabs) in the current look. Bold and stars are those of `markdown`."""

    def written(text: str, best: bool, star: bool, interval: str) -> str:
        number = f"\\textbf{{{_escaped(text)}}}" if best else _escaped(text)
        return f"{number}{'$^{*}$' if star else ''}" + (f" {{\\scriptsize {_escaped(interval)}}}" if interval else "")

    heads, lines = _cells(results, written, "--")
    table = [
        f"% needs \\usepackage{{booktabs}}; {_note(results)}",
        f"\\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
        *("\\toprule", f"{' & '.join(map(_escaped, heads))} \\\\", "\\midrule"),
        *(f"{' & '.join([_escaped(line[0]), *line[1:]])} \\\\" for line in lines),
        *("\\bottomrule", "\\end{tabular}"),
    ]
    return "\n".join([*table, ""])


def markdown(results: Results) -> str:
    """Return a Markdown table in the current look. The best is bold; a star marks no significant difference from it.

    A dash stands for a correlation of fewer than `FEWEST_FUNCTIONS` functions.
    """

    def written(text: str, best: bool, star: bool, interval: str) -> str:
        return " ".join(filter(None, [(f"**{text}**" if best else text) + r"\*" * star, interval]))

    heads, lines = _cells(results, written, "-")
    rule = ["---", *["---:"] * (len(heads) - 1)]
    table = [" | ".join(part.replace("|", r"\|") for part in line) for line in [heads, rule, *lines]]
    return "\n".join([*(f"| {line} |" for line in table), "", _note(results), ""])


def is_known(results: Results) -> bool:
    """Return whether a table of a run has any correlation: of `FEWEST_FUNCTIONS` functions or more."""
    return not _known(best_first(results)).empty


def _known(evidence: pd.DataFrame) -> pd.DataFrame:
    return evidence[(evidence["n_functions"] >= FEWEST_FUNCTIONS) & evidence[metric_of(evidence)].notna()]


def _cells(
    results: Results, written: Callable[[str, bool, bool, str], str], absent: str
) -> tuple[list[str], list[list[str]]]:
    evidence, called = best_first(results), look.current().called
    metric, targets = metric_of(evidence), targets_of(results)
    known = _known(evidence)
    highest = known.groupby("target")[metric].max()
    by_key = known.set_index(["proxy", "target"]).to_dict("index")

    def shown(proxy: str, target: str) -> str:
        row = by_key.get((proxy, target))
        if row is None:
            return absent
        interval = "" if pd.isna(row["low"]) else f"[{_short(row['low'])}, {_short(row['high'])}]"
        alike = bool(row["not_significantly_different"] == 1)
        best = row[metric] == highest[target]
        return written(decimal(float(row[metric])), best, alike and proxy != row["best"], interval)

    # A column's name does where all are of one table.
    one_table = len(set(map(table_of, targets))) == 1
    heads = [called(target, column_of(target) if one_table else target) for target in targets]
    proxies = list(dict.fromkeys(evidence["proxy"]))
    return ["Proxy", *heads], [[called(proxy), *(shown(proxy, target) for target in targets)] for proxy in proxies]


def _short(value: float) -> str:
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _note(results: Results) -> str:
    evidence = best_first(results)
    return (
        f"{metric_of(evidence).capitalize()} correlation, 95 % interval over functions; bold: best of "
        f"these; *: not significantly different from the best of all of the run's "
        f"(p > 0.05, Holm); {circumstances(results, evidence)}."
    )


def _escaped(text: str) -> str:
    return "".join(_MARKS.get(mark, mark) for mark in text)
