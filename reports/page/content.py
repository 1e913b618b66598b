"""What the page says about a run, as plain values; the template only arranges them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from diswot.benchmarks import spaces
from diswot.harness.evidence import intervals
from diswot.harness.evidence.ensembles import ENSEMBLES, Ensemble
from diswot.harness.evidence.measures import MEASURES
from diswot.harness.evidence.panel import UNDEFINED
from diswot.harness.evidence.table import LITTLE, SIGNIFICANCE, Method
from diswot.reports.page.tables import Column, Table, flat, of_texts
from diswot.reports.style.wording import (
    NOT_DEFINED,
    Number,
    counted,
    listed,
    number,
    plain,
    probability,
    whole,
    with_interval,
)
from diswot.reports.summary import best_first, circumstances, measure_of, setting, table_of, targets_of, undefined_of

if TYPE_CHECKING:
    from diswot.harness.runs.results import Results

#: The measures of the main table; all others stand in a table of their own.
MAIN = ("spearman", "kendall", "pearson")


def title(results: Results) -> str:
    """Return what a reader calls the run: its search space, its pictures and the name of its folder."""
    words = [results.info.get("space"), setting(results, "images"), results.folder.name]
    return " · ".join(dict.fromkeys(str(word) for word in words if word)) or "Run"


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
        ("Images", plain(setting(results, "images"))),
        ("Batch size", plain(setting(results, "batch_size"))),
        ("Teacher", plain(setting(results, "teacher"))),
        ("Targets", ", ".join(targets_of(results))),
    ]


def findings(results: Results) -> list[tuple[str, str]]:
    """Return what was found, as pairs of what it is about and sentences: the best by target, and distilled against
    vanilla.
    """
    summary = best_first(results)
    found = [(target, _best(summary[summary["target"] == target])) for target in targets_of(results)]
    return found + [
        (f"{table_of(target)}: distilled against vanilla", _over_vanilla(summary[summary["target"] == target]))
        for target in _distilled(summary)
    ]


def _best(rows: pd.DataFrame) -> str:
    if rows.empty or rows["best"].isna().all():
        return "no correlation is defined."
    measure = measure_of(rows)
    best = rows[rows["proxy"] == rows["best"].iloc[0]].iloc[0]
    seeds = counted(int(best["seeds"]), "seed")
    kind = " (an ensemble)" if best["family"] == "ensemble" else ""
    value = with_interval(best[measure], best["low"], best["high"])
    size = with_interval(best["partial"], best["partial_low"], best["partial_high"])
    sentences = [
        f"{best['proxy']}{kind} has the highest {MEASURES[measure].label} correlation, {value} "
        f"(n = {int(best['n']):,}, {seeds}).",
        _level(rows[rows["proxy"] != best["proxy"]]),
        f"Controlling for the network's size, its correlation is {size}.",
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


def _level(others: pd.DataFrame) -> str:
    if others.empty:
        return ""
    compared = others[others["behind_p"].notna()]
    if compared.empty:
        return f"A comparison with the others takes {intervals.FEWEST_FUNCTIONS} functions."
    level = [str(row["proxy"]) for row in compared.to_dict("records") if _holds(row["level_with_best"])]
    if not level:
        return f"All others are significantly worse (p < {SIGNIFICANCE}, corrected for all pairs of proxies)."
    if len(level) == len(compared):
        return "None of the others is significantly different from it."
    return f"Not significantly different from it {_are(len(level))} of the {len(compared)} others: {listed(level)}."


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"


def _over_vanilla(rows: pd.DataFrame) -> str:
    known = rows[rows["over_vanilla"].notna()]
    higher, lower = int((known["over_vanilla_low"] > 0).sum()), int((known["over_vanilla_high"] < 0).sum())
    most = known.loc[known["over_vanilla"].abs().idxmax()]
    value = with_interval(most["over_vanilla"], most["over_vanilla_low"], most["over_vanilla_high"])
    by_chance = (1 - intervals.LEVEL) * len(known)
    judged = counted(len(known), "proxy", "proxies") + (" and ensembles" if "ensemble" in set(known["family"]) else "")
    return (
        f"For {higher + lower} of {judged} the correlation with distilled accuracy "
        f"differs from that with vanilla accuracy by more than its interval: {higher} higher, {lower} lower; intervals "
        f"hold one by one, so about {by_chance:.0f} would do so by chance. "
        f"The largest difference is that of {most['proxy']}, {value}."
    )


def correlation_table(results: Results) -> Table:
    """Return the main table: a row per proxy and target on all cells, best proxy first."""
    summary = best_first(results)
    measure = measure_of(summary)
    others = tuple(name for name in MAIN if name != measure)
    columns = (
        Column("Proxy"),
        Column("Target", choice=True),
        *(Column(MEASURES[name].label, numeric=True) for name in (measure, *others)),
        Column("Given size", numeric=True),
        Column("Behind the best", numeric=True),
        Column("p", numeric=True),
        Column("Level with best"),
        Column("n", numeric=True),
        Column("Functions", numeric=True),
        Column("Seeds", numeric=True),
        Column("Not defined", numeric=True),
        Column("Failed", numeric=True),
        Column("Family", choice=True),
        Column("Better"),
    )
    rows: list[list[Number | str]] = [
        [
            row["proxy"],
            row["target"],
            _measured(row, measure, row["low"], row["high"]),
            *(_measured(row, name) for name in others),
            number(row["partial"], low=row["partial_low"], high=row["partial_high"]),
            *_behind(row),
            *(whole(row[name]) for name in ("n", "n_functions", "seeds", "undefined", "failed")),
            row["family"],
            row["direction"],
        ]
        for row in summary.to_dict("records")
    ]
    return Table("correlations", "Rank correlations by proxy and target", columns, rows)


def _behind(row: Mapping[Any, Any]) -> list[Number | str]:
    if row["proxy"] == row["best"]:
        return [Number(0.0, "best"), Number(1.0, ""), "best"]
    level = "" if pd.isna(row["behind_p"]) else plain(_holds(row["level_with_best"]))
    behind = number(row["behind"], low=row["behind_low"], high=row["behind_high"])
    return [behind, probability(row["behind_p"]), level]


def _measured(row: Mapping[Any, Any], name: str, low: float = float("nan"), high: float = float("nan")) -> Number:
    cell = number(row[name], deviation=row[f"{name}_deviation"], low=low, high=high)
    defined, seeds = int(row[f"{name}_seeds"]), int(row["seeds"])
    if pd.isna(row[name]) or defined == seeds:
        return cell
    return Number(cell.value, cell.text, f"{cell.spread} ({defined} of {seeds} seeds)".strip(), cell.aside)


def sampled(results: Results) -> str:
    """Return what stands above the main table: the sample, and what becomes of undefined scores."""
    summary = best_first(results)
    if summary.empty:
        return ""
    undefined = "are left out" if undefined_of(results) == "omit" else "rank worst"
    return (
        f"{circumstances(results, summary)}. Means over seeds, ± standard deviation where there is more "
        f"than one seed. Scores that are not defined {undefined}."
    )


def reading(results: Results) -> list[str]:
    """Return what the columns of the main table mean, a sentence or two each."""
    summary = best_first(results)
    if summary.empty:
        return []
    label = MEASURES[measure_of(summary)].label
    return [
        "Cells that compute the same function are copies, and each function counts once. Brackets hold the "
        f"{intervals.LEVEL:.0%} interval over functions. It says nothing about other seeds or other images.",
        f"Given size: the partial {label} correlation, controlling for the multiply-accumulates of all that is live.",
        "Behind the best: how much lower the correlation is than the highest one with this target, paired by function. "
        "p: how likely such a difference is by chance, corrected for all pairs of proxies (Holm). Level with best: "
        f"p is above {SIGNIFICANCE}.",
        "n: cells of one seed. Functions: how many different functions these compute. Not defined and failed: scores "
        "of all seeds.",
    ]


def distilled_tables(results: Results) -> list[tuple[str, Table]]:
    """Return the names of the accuracy tables with a distilled and a vanilla column, and how the two compare."""
    summary = best_first(results)
    return [
        (table_of(target), _distilled_table(summary, target, place))
        for place, target in enumerate(_distilled(summary), start=1)
    ]


def _distilled_table(summary: pd.DataFrame, target: str, place: int) -> Table:
    measure = measure_of(summary)
    names = {column: f"{table_of(target)}:{column}" for column in ("vanilla", "gain")}
    by_target = {name: rows.set_index("proxy").to_dict("index") for name, rows in summary.groupby("target")}
    shown = [name for name in ("vanilla", "gain") if names[name] in by_target]
    rows: list[list[Number | str]] = []
    for row in summary[summary["target"] == target].to_dict("records"):
        others = {name: by_target[names[name]].get(row["proxy"]) for name in shown}
        cells = [
            _measured(other, measure, other["low"], other["high"]) if other else number(float("nan"))
            for other in others.values()
        ]
        difference = number(row["over_vanilla"], low=row["over_vanilla_low"], high=row["over_vanilla_high"])
        distilled = _measured(row, measure, row["low"], row["high"])
        rows.append([row["proxy"], distilled, *cells[:1], difference, *cells[1:], row["family"]])
    label = MEASURES[measure].label
    heads = ("distilled", "vanilla", "distilled minus vanilla", *(("gain",) if "gain" in shown else ()))
    columns = (
        Column("Proxy"),
        *(Column(f"{label}, {head}" if "minus" not in head else head.capitalize(), numeric=True) for head in heads),
        Column("Family", choice=True),
    )
    return Table(f"distilled-{place}", f"Correlations with distilled and vanilla accuracy, {label}", columns, rows)


def subset_table(results: Results) -> Table | None:
    """Return correlations beside each other by subset of the cells; None where there is only one subset."""
    evidence = results.evidence
    present = [str(name) for name in evidence["subset"].drop_duplicates()]
    if len(present) < 2:
        return None
    measure = measure_of(evidence)
    cells = {str(name): rows for name, rows in evidence.groupby("subset")}
    same = {name: rows["n"].nunique() == 1 for name, rows in cells.items()}
    by_key = {name: rows.set_index(["proxy", "target"]).to_dict("index") for name, rows in cells.items()}

    def value(name: str, proxy: str, target: str) -> Number:
        row = by_key[name].get((proxy, target))
        if row is None:
            return number(float("nan"))
        found = number(row[measure], low=row["low"], high=row["high"])
        return found if same[name] else Number(found.value, found.text, f"n = {int(row['n']):,}", found.aside)

    counts = {name: f", n = {int(rows['n'].iloc[0]):,}" if same[name] else "" for name, rows in cells.items()}
    columns = (
        Column("Proxy"),
        Column("Target", choice=True),
        *(Column(f"{name}{counts[name]}", numeric=True) for name in present),
        Column("Family", choice=True),
    )
    rows: list[list[Number | str]] = [
        [row["proxy"], row["target"], *(value(name, row["proxy"], row["target"]) for name in present), row["family"]]
        for row in best_first(results).to_dict("records")
    ]
    return Table("subsets", f"{MEASURES[measure].label} by subset of the cells", columns, rows)


def subset_summaries(results: Results) -> list[tuple[str, str]]:
    """Return the subsets that are shown and what they hold."""
    space = results.info.get("space")
    known = spaces.get(space).subsets if space in spaces.names() else {}
    return [(name, known[name].summary) for name in results.evidence["subset"].drop_duplicates() if name in known]


def measure_table(results: Results) -> Table:
    """Return every measure that is not in the main table, on all cells."""
    rest = [measure for name, measure in MEASURES.items() if name not in MAIN]
    columns = (
        Column("Proxy"),
        Column("Target", choice=True),
        *(Column(measure.label, numeric=True) for measure in rest),
        Column("Family", choice=True),
    )
    rows: list[list[Number | str]] = [
        [row["proxy"], row["target"], *(_measured(row, measure.name) for measure in rest), row["family"]]
        for row in best_first(results).to_dict("records")
    ]
    return Table("measures", "Other measures by proxy and target", columns, rows)


def measure_summaries() -> list[tuple[str, str]]:
    """Return the other measures and what they say."""
    return [
        (measure.label, f"{measure.summary}; {'higher' if measure.higher_is_better else 'lower'} is better")
        for name, measure in MEASURES.items()
        if name not in MAIN
    ]


def problem_rows(results: Results) -> list[dict[str, Any]]:
    """Return what is undefined or failed, by proxy, status and cause: units, cells, and one cell as an example."""
    scores = results.scores
    bad = scores[scores["status"] != "ok"]
    if bad.empty:
        return []
    causes = bad.assign(cause=bad["cause"].astype(object).where(bad["cause"].notna(), "no cause was stored"))
    table = causes.groupby(["proxy", "status", "cause"], sort=False).agg(
        units=("cell", "size"), cells=("cell", "nunique"), example=("cell", "min")
    )
    rows = table.reset_index().sort_values(
        ["status", "units", "proxy", "cause"], ascending=[True, False, True, True], kind="stable"
    )
    words = {"undefined": NOT_DEFINED}
    return [{**row, "status": words.get(row["status"], row["status"])} for row in rows.to_dict("records")]


def problem_table(results: Results) -> Table:
    """Return `problem_rows` as a table."""
    columns = (
        Column("Proxy"),
        Column("Outcome", choice=True),
        *(Column(label, numeric=True) for label in ("Units", "Cells", "For example cell")),
        Column("Cause"),
    )
    rows: list[list[Number | str]] = [
        [
            *(row["proxy"], row["status"], whole(row["units"]), whole(row["cells"])),
            *(Number(row["example"], str(row["example"])), row["cause"]),
        ]
        for row in problem_rows(results)
    ]
    return Table("problems", "Scores that are not defined and units that failed, by proxy and cause", columns, rows)


def made_by(results: Results) -> list[str]:
    """Return the commands that made the scores, as one would type them; none where none was stored."""
    several, one = results.info.get("commands"), results.info.get("command")
    if several:
        return [plain(command) for command in several]
    if isinstance(one, (list, tuple)):  # word by word
        return [shlex.join(str(word) for word in one)]
    return [plain(one)] if one else []


def rebuilt_by(results: Results) -> list[str]:
    """Return the commands that make the numbers and the page anew from the stored scores."""
    options = [word for name in results.method.get("targets", ()) for word in ("--target", str(name))]
    usual = {"measure": Method().measure, "undefined": UNDEFINED[0]}
    for name, value in usual.items():
        if results.method.get(name, value) != value:
            options += [f"--{name}", str(results.method[name])]
    # Where a search alone made the run, nothing was correlated.
    verbs = ("report",) if results.search is not None and not results.method else ("correlate", "report")
    run = (results.info.get("shipped") or {}).get("name", str(results.folder))
    return [shlex.join(["diswot", verb, run, *options]) for verb in verbs]


def provenance(results: Results) -> Table:
    """Return all that was stored about how the run was made and stands nowhere else."""
    left = {name: value for name, value in results.info.items() if name not in ("command", "commands", "proxies")}
    return of_texts("settings", "Settings and provenance", ("Name", "Value"), flat(left))


def accuracy_table(results: Results) -> Table:
    """Return one row per target: cells with an accuracy, and the lowest, mean and highest accuracy."""
    columns = (
        Column("Target"),
        *(Column(label, numeric=True) for label in ("Cells", "Lowest %", "Mean %", "Highest %")),
    )
    found = results.targets.groupby("target", sort=False)["accuracy"].agg(["count", "min", "mean", "max"])
    rows: list[list[Number | str]] = [
        [str(target), whole(row["count"]), *(number(row[name]) for name in ("min", "mean", "max"))]
        for target, row in found.iterrows()
    ]
    return Table("targets", "Accuracies by target, in percent", columns, rows, sortable=False)


def card_rows(results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the cards of the accuracy tables: name, and pairs of a field and a text."""
    return [(name, flat(card)) for name, card in results.cards.items()]


def proxy_table(results: Results) -> Table:
    """Return the records of the proxies, in the order of their names."""
    records = results.proxies.sort_values("name").to_dict("records") if len(results.proxies) else []
    fields = [str(name) for name in results.proxies.columns]
    fields.sort(key=lambda name: name != "name")  # the name is the row's head
    heads = [name.replace("_", " ") for name in fields]
    return of_texts(
        "proxies", "Records of the proxies", heads, [[plain(row[name]) for name in fields] for row in records]
    )


def ensemble_table(results: Results) -> Table:
    """Return the ensembles that the evidence has: members, source, and where they differ from it."""
    rows = [(one.name, ", ".join(one.members), one.source, one.deviations) for one in ensembles_of(results)]
    return of_texts("ensembles", "Ensembles of proxies", ("Ensemble", "Members", "Source", "Deviations"), rows)


def ensembles_of(results: Results) -> list[Ensemble]:
    """Return the ensembles that the evidence has."""
    evidence = results.evidence
    names = evidence.loc[evidence["family"] == "ensemble", "proxy"].drop_duplicates()
    return [ENSEMBLES[name] for name in names if name in ENSEMBLES]


def citations(results: Results) -> list[tuple[str, str]]:
    """Return each source once, with what is from it: tables first, then proxies and ensembles."""
    sources = [(card.get("citation"), f"table {name}") for name, card in results.cards.items()]
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


def _holds(value: Any) -> bool:
    # Where some rows have no answer, a frame holds objects.
    return bool(pd.notna(value) and value)
