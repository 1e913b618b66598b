"""What the page says about a run, as plain values; the template only arranges them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import counted, some
from diswot.harness.evidence import intervals
from diswot.harness.evidence.ensembles import ENSEMBLES, Ensemble
from diswot.harness.evidence.metrics import METRICS
from diswot.harness.evidence.panel import UNDEFINED
from diswot.harness.evidence.table import LITTLE, SIGNIFICANCE
from diswot.harness.runs.results import Results
from diswot.reports.page.tables import Field, Row, Table, flat, of_texts, table, text, value
from diswot.reports.searches import of
from diswot.reports.style.wording import (
    NOT_DEFINED,
    UNKNOWN,
    Number,
    estimate,
    estimated,
    joined,
    number,
    plain,
    probability,
    whole,
    with_interval,
)
from diswot.reports.summary import (
    best_first,
    circumstances,
    conditions,
    metric_of,
    table_of,
    targets_of,
)

#: After a correlation that is not significantly different from the best one.
NOT_DIFFERENT = "*"

FAMILY = text("Family", "family", choice=True)


def title(results: Results) -> str:
    """Return what a reader calls the run: its search space, its images, and its folder where that has another name."""
    parts = [results.info.space, results.info.settings.images]
    named = [] if results.folder.name == "-".join(parts) else [results.folder.name]
    return " · ".join(dict.fromkeys([*parts, *named]))


def overview(results: Results) -> list[tuple[str, str]]:
    """Return the sample of the run as pairs of a name and a value."""
    scores = results.scores
    statuses = scores["status"].value_counts()
    return [
        ("Cells", f"{scores['cell'].nunique():,}"),
        ("Proxies", f"{scores['proxy'].nunique():,}"),
        ("Ensembles", f"{len(ensembles_of(results)):,}"),
        ("Seeds", f"{scores['seed'].nunique():,}"),
        ("Scores", f"{len(scores):,}"),
        ("Not defined", f"{int(statuses.get('undefined', 0)):,}"),
        ("Failed", f"{int(statuses.get('failed', 0)):,}"),
        ("Images", plain(results.info.settings.images)),
        ("Batch size", plain(results.info.settings.batch_size)),
        ("Teacher", plain(results.info.settings.teacher)),
        ("Targets", ", ".join(targets_of(results))),
    ]


def sample(results: Results) -> str:
    """Return what was scored, in a sentence."""
    scores = results.scores
    counts = [
        counted(scores["proxy"].nunique(), "proxy", "proxies"),
        *([counted(len(ensembles_of(results)), "ensemble")] if ensembles_of(results) else []),
        counted(scores["cell"].nunique(), "cell"),
        counted(scores["seed"].nunique(), "weight seed"),
    ]
    return f"{joined(', '.join(counts), conditions(results))}."


def findings(results: Results) -> list[tuple[str, str]]:
    """Return what was found, as pairs of what it is about and sentences: the best by target, and distilled against
    vanilla.
    """
    summary = best_first(results)
    found = [(target, _best(of(summary, target=target))) for target in targets_of(results)]
    return found + [
        (f"{table_of(target)}: distilled against vanilla", _over_vanilla(summary[summary["target"] == target]))
        for target in _distilled(summary)
    ]


def _best(rows: pd.DataFrame) -> str:
    if rows.empty or rows["best"].isna().all():
        return "no correlation is defined."
    metric = metric_of(rows)
    if not (rows["proxy"] == rows["best"]).any():
        return f"the highest correlation is that of {rows['best'].iloc[0]}, which is not among those shown."
    best = rows[rows["proxy"] == rows["best"].iloc[0]].iloc[0]
    seeds = counted(int(best["seeds"]), "seed")
    kind = " (an ensemble)" if best["family"] == "ensemble" else ""
    rho = with_interval(best[metric], best["low"], best["high"])
    sentences = [
        f"{best['proxy']}{kind} has the highest {METRICS[metric].label} correlation, {rho} "
        f"(n = {int(best['n']):,}, {seeds}).",
        _not_different(rows[rows["proxy"] != best["proxy"]]),
        f"Controlling for the network's size, its correlation is {estimated(best, 'partial')}.",
    ]
    if pd.notna(best["ceiling"]):
        sentences.append(
            "The accuracies differ from one training seed to the next, which lets no proxy correlate much higher than "
            f"about {number(best['ceiling']).text}."
        )
    if pd.notna(best["reliability"]) and best["reliability"] < LITTLE:
        sentences.append(
            f"Two training seeds agree by {number(best['reliability']).text} only, so this target decides little."
        )
    return " ".join(sentence for sentence in sentences if sentence)


def _not_different(others: pd.DataFrame) -> str:
    if others.empty:
        return ""
    compared = others[others["gap_to_best_p"].notna()]
    if compared.empty:
        return f"A comparison with the others takes {intervals.FEWEST_FUNCTIONS} functions."
    alike = [str(row["proxy"]) for row in compared.to_dict("records") if row["not_significantly_different"] == 1]
    if not alike:
        return f"All others are significantly worse (p < {SIGNIFICANCE}, corrected for all pairs of proxies)."
    if len(alike) == len(compared):
        return "None of the others is significantly different from it."
    are = f"are {len(alike)}" if len(alike) > 1 else "is 1"
    return f"Not significantly different from it {are} of the {len(compared)} others: {some(alike)}."


def _over_vanilla(rows: pd.DataFrame) -> str:
    known = rows[rows["over_vanilla"].notna()]
    higher, lower = int((known["over_vanilla_low"] > 0).sum()), int((known["over_vanilla_high"] < 0).sum())
    most = known.loc[known["over_vanilla"].abs().idxmax()]
    by_chance = (1 - intervals.LEVEL) * len(known)
    judged = counted(len(known), "proxy", "proxies") + (" and ensembles" if "ensemble" in set(known["family"]) else "")
    return (
        f"For {higher + lower} of {judged} the correlation with distilled accuracy "
        f"differs from that with vanilla accuracy by more than its interval: {higher} higher, {lower} lower; intervals "
        f"hold one by one, so about {by_chance:.0f} would do so by chance. "
        f"The largest difference is that of {most['proxy']}, {estimated(most, 'over_vanilla')}."
    )


def correlation_table(results: Results) -> Table:
    """Return the main table: one row a proxy with its correlations, the best proxy first."""
    summary = best_first(results)
    metric = metric_of(summary)
    by_key = summary.set_index(["proxy", "target"]).to_dict("index")
    targets = targets_of(results)
    first = summary.drop_duplicates("proxy").to_dict("records")

    def toward(target: str) -> Field:
        def show(proxy: str) -> Number:
            row = by_key.get((proxy, target))
            return UNKNOWN if row is None else _marked(_measured(row, metric, interval=True), row | {"proxy": proxy})

        functions = int(summary.loc[summary["target"] == target, "n_functions"].max())
        return value(f"{target} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{functions:,})", show, "proxy")

    fields = [
        text("Proxy", "proxy"),
        *map(toward, targets),
        *[value(f"Partial, {target}, controlling for FLOPs", _partially) for target in targets[:1]],
        value("Not defined", whole, "undefined"),
        value("Failed", whole, "failed"),
        FAMILY,
        text("Better", "direction"),
    ]
    caption = f"{METRICS[metric].label} correlation of every proxy with every target"
    return table("correlations", caption, first if targets else [], fields)


def _partially(row: Row) -> Number:
    return estimate(row, "partial")


def _marked(number: Number, row: Row) -> Number:
    alike = _is_best(row) or bool(pd.notna(row["gap_to_best_p"]) and row["not_significantly_different"] == 1)
    return replace(number, text=f"{number.text}{NOT_DIFFERENT}", best=_is_best(row)) if alike else number


def _metrics(names: Iterable[str], leading: str = "") -> list[Field]:
    # The leading metric has an interval.
    return [value(METRICS[name].label, partial(_measured, name=name, interval=name == leading)) for name in names]


def _measured(row: Row, name: str, interval: bool = False) -> Number:
    low, high = (row["low"], row["high"]) if interval else (None, None)
    cell = number(row[name], std=row[f"{name}_std"], low=low, high=high)
    defined, seeds = int(row[f"{name}_seeds"]), int(row["seeds"])
    if pd.isna(row[name]) or defined == seeds:
        return cell
    return replace(cell, spread=f"{cell.spread} ({defined} of {seeds} seeds)".strip())


def _is_best(row: Row) -> bool:
    return bool(row["proxy"] == row["best"])


def sampled(results: Results) -> str:
    """Return what stands above the main table: the sample, and what becomes of undefined scores."""
    summary = best_first(results)
    if summary.empty:
        return ""
    undefined = "are left out" if results.method.undefined == "omit" else "rank worst"
    return (
        f"{circumstances(results, summary)}. Means over seeds, ± standard deviation where there is more "
        f"than one seed. Scores that are not defined {undefined}."
    )


def reading(results: Results) -> list[str]:
    """Return what the columns of the main table mean, a sentence or two each."""
    summary = best_first(results)
    if summary.empty:
        return []
    label = METRICS[metric_of(summary)].label
    return [
        "Cells that compute the same function are copies, and each function counts once. Brackets hold the "
        f"{intervals.LEVEL:.0%} interval over functions. It says nothing about other seeds or other images.",
        f"Partial: the partial {label} correlation with the target, controlling for the FLOPs of live edges.",
        "Gap to the best: how much lower the correlation is than the highest one with this target, paired by function. "
        "p: how likely such a difference is by chance, corrected for all pairs of proxies (Holm).",
        f"{NOT_DIFFERENT} not significantly different from the best: p is above {SIGNIFICANCE}. n: how many different "
        "functions count. Not defined and failed: scores of all seeds.",
    ]


def distilled_tables(results: Results) -> list[tuple[str, Table]]:
    """Return the names of the accuracy tables with a distilled and a vanilla column, and how the two compare."""
    summary = best_first(results)
    return [
        (table_of(target), _distilled_table(summary, target, place))
        for place, target in enumerate(_distilled(summary), start=1)
    ]


def _distilled_table(summary: pd.DataFrame, target: str, place: int) -> Table:
    metric = metric_of(summary)
    label = METRICS[metric].label
    by_target = {name: part.set_index("proxy").to_dict("index") for name, part in summary.groupby("target")}

    def toward(column: str) -> list[Field]:
        known = by_target.get(f"{table_of(target)}:{column}")
        if known is None:
            return []
        shown = {proxy: _measured(row, metric, interval=True) for proxy, row in known.items()}
        return [value(f"{label}, {column}", lambda proxy: shown.get(proxy, UNKNOWN), "proxy")]

    difference = value("Distilled minus vanilla", lambda row: estimate(row, "over_vanilla"))
    fields = [text("Proxy", "proxy"), *toward("distilled"), *toward("vanilla"), difference, *toward("gain"), FAMILY]
    rows = summary[summary["target"] == target].to_dict("records")
    return table(f"distilled-{place}", f"Correlations with distilled and vanilla accuracy, {label}", rows, fields)


def subset_tables(results: Results) -> list[tuple[str, Table]]:
    """Return, by target, correlations by subset of the cells; nothing where there is only one subset."""
    evidence = results.evidence
    metric = metric_of(evidence)
    label = f"{METRICS[metric].label} by subset of the cells"
    found = []
    for place, target in enumerate(targets_of(results), start=1):
        subsets = {str(name): part for name, part in of(evidence, target=target).groupby("subset", sort=False)}
        if len(subsets) > 1:
            fields = [text("Proxy", "proxy"), *(_subset_field(name, part, metric) for name, part in subsets.items())]
            rows = _records(best_first(results), target)
            found.append((target, table(f"subsets-{place}", f"{label}, {target}", rows, fields)))
    return found


def _subset_field(name: str, evidence: pd.DataFrame, metric: str) -> Field:
    # The number of cells stands in the head where it is the same for all.
    same = evidence["n"].nunique() == 1
    by_proxy = evidence.set_index("proxy").to_dict("index")

    def show(row: Row) -> Number:
        known = by_proxy.get(row["proxy"])
        if known is None:
            return UNKNOWN
        shown = number(known[metric], low=known["low"], high=known["high"])
        return shown if same else replace(shown, spread=f"n = {int(known['n']):,}")

    return value(f"{name}, n = {int(evidence['n'].iloc[0]):,}" if same else name, show)


def subset_summaries(results: Results) -> list[tuple[str, str]]:
    """Return the subsets that are shown and what they hold."""
    known = spaces.get(results.info.space).subsets
    return [(name, known[name].summary) for name in results.evidence["subset"].drop_duplicates() if name in known]


def metric_tables(results: Results) -> list[tuple[str, Table]]:
    """Return, by target, every metric and how far a proxy is from the best one."""
    summary = best_first(results)
    metric = metric_of(summary)
    fields = [
        text("Proxy", "proxy"),
        *_metrics([metric, *(name for name in METRICS if name != metric)], metric),
        value("Partial, controlling for FLOPs", _partially),
        value("Gap to the best", lambda row: Number(0.0, "best") if _is_best(row) else estimate(row, "gap_to_best")),
        value("p", lambda row: Number(1.0, "") if _is_best(row) else probability(row["gap_to_best_p"])),
        value("Cells", whole, "n"),
        value("Functions", whole, "n_functions"),
        value("Seeds", whole, "seeds"),
    ]
    return [
        (
            target,
            table(
                f"metrics-{place}",
                f"All metrics with {target}",
                _records(summary, target),
                fields,
            ),
        )
        for place, target in enumerate(targets_of(results), start=1)
    ]


def _records(frame: pd.DataFrame, target: str) -> Sequence[Row]:
    return of(frame, target=target).to_dict("records")


def metric_summaries() -> list[tuple[str, str]]:
    """Return the metrics and what they say."""
    return [
        (metric.label, f"{metric.summary}; {'higher' if metric.higher_is_better else 'lower'} is better")
        for metric in METRICS.values()
    ]


def problem_table(results: Results) -> Table:
    """Return what is undefined or failed, by proxy, status and cause: scores, cells, and one cell as an example."""
    bad = results.scores[results.scores["status"] != "ok"]
    causes = bad.assign(
        cause=bad["cause"].astype(object).where(bad["cause"].notna(), "no cause was stored"),
        status=bad["status"].replace("undefined", NOT_DEFINED),
    )
    counts = causes.groupby(["proxy", "status", "cause"], sort=False, as_index=False).agg(
        scores=("cell", "size"), cells=("cell", "nunique"), example=("cell", "min")
    )
    counts = counts.sort_values(
        ["status", "scores", "proxy", "cause"], ascending=[True, False, True, True], kind="stable"
    )
    fields = [
        text("Proxy", "proxy"),
        text("Outcome", "status", choice=True),
        value("Scores", whole, "scores"),
        value("Cells", whole, "cells"),
        value("For example cell", lambda cell: Number(cell, str(cell)), "example"),
        text("Cause", "cause"),
    ]
    caption = "Scores that are not defined or failed, by proxy and cause"
    return table("problems", caption, counts.to_dict("records"), fields)


def made_by(results: Results) -> list[str]:
    """Return the commands that made the scores, as one would type them; none where none was stored."""
    return [plain(command) for command in results.info.commands]


def rebuilt_by(results: Results) -> list[str]:
    """Return the commands that make the numbers and the page anew from the stored scores."""
    options = [word for name in results.method.targets for word in ("--target", str(name))]
    method = results.method
    for option, asked, usual in (
        ("--metric", method.metric, "spearman"),
        ("--undefined", method.undefined, UNDEFINED[0]),
    ):
        options += [option, asked] if asked != usual else []
    # Where a search alone made the run, nothing was correlated.
    verbs = ("report",) if results.search is not None and not results.method.targets else ("correlate", "report")
    run = results.info.shipped.name if results.info.shipped is not None else str(results.folder)
    return [shlex.join(["diswot", verb, run, *options]) for verb in verbs]


def provenance(results: Results) -> Table:
    """Return all that was stored about how the run was made and stands nowhere else."""
    left = {
        name: value for name, value in results.info.stored().items() if name not in ("command", "commands", "proxies")
    }
    return of_texts("settings", "Settings and provenance", ("Name", "Value"), flat(left))


def accuracy_table(results: Results) -> Table:
    """Return one row per target: cells with an accuracy, and the lowest, mean and highest accuracy."""
    known = results.targets.groupby("target", sort=False)["accuracy"].agg(["count", "min", "mean", "max"])
    labels = {"min": "Lowest %", "mean": "Mean %", "max": "Highest %"}
    fields = [
        text("Target", "target"),
        value("Cells", whole, "count"),
        *(value(label, number, name) for name, label in labels.items()),
    ]
    rows = known.reset_index().to_dict("records")
    return table("targets", "Accuracies by target, in percent", rows, fields, sortable=False)


def card_rows(results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the cards of the accuracy tables: name, and pairs of a field and a text."""
    return [(name, flat(vars(card))) for name, card in results.cards.items()]


def proxy_table(results: Results) -> Table:
    """Return the records of the proxies, in the order of their names."""
    # The name is the row's head.
    names = sorted(map(str, results.proxies.columns), key=lambda name: name != "name")
    rows = results.proxies.sort_values("name").to_dict("records") if len(results.proxies) else []
    fields = [text(name.replace("_", " "), name) for name in names]
    return table("proxies", "Records of the proxies", rows, fields, sortable=False)


def ensemble_table(results: Results) -> Table:
    """Return the ensembles that the evidence has: members, source, and where they differ from it."""
    rows = [(one.name, ", ".join(one.members), one.source, one.differences) for one in ensembles_of(results)]
    return of_texts("ensembles", "Ensembles of proxies", ("Ensemble", "Members", "Source", "Differences"), rows)


def ensembles_of(results: Results) -> list[Ensemble]:
    """Return the ensembles that the evidence has."""
    evidence = results.evidence
    names = evidence.loc[evidence["family"] == "ensemble", "proxy"].drop_duplicates()
    return [ENSEMBLES[name] for name in names if name in ENSEMBLES]


def citations(results: Results) -> list[tuple[str, str]]:
    """Return each source once, with what is from it: tables first, then proxies and ensembles."""
    sources = [(card.citation, f"table {name}") for name, card in results.cards.items()]
    if "source" in results.proxies:
        ordered = results.proxies.sort_values("name")
        sources += zip(ordered["source"], ordered["name"], strict=True)
    sources += [(one.source, one.name) for one in ensembles_of(results)]
    found: dict[str, list[str]] = {}
    for source, name in sources:
        if plain(source):
            found.setdefault(plain(source), []).append(str(name))
    return [(source, ", ".join(names)) for source, names in found.items()]


def _distilled(summary: pd.DataFrame) -> list[str]:
    return [str(name) for name in summary.loc[summary["over_vanilla"].notna(), "target"].drop_duplicates()]
