from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.spaces import nb201, s0
from diswot.harness.evidence import panel
from diswot.harness.evidence import table as evidence_table
from diswot.harness.runs import stored_search
from diswot.harness.runs.provenance import Info, ProxyRecord
from diswot.harness.runs.results import Answered, Results
from diswot.harness.runs.settings import Settings
from diswot.harness.runs.stored_search import (
    CURVE_COLUMNS,
    FRONT_COLUMNS,
    HYPERVOLUME_COLUMNS,
    PICK_COLUMNS,
    SUMMARY_COLUMNS,
    TEACHER_COLUMNS,
    Search,
)

SCORES = ["space", "cell", "proxy", "version", "seed", "status", "value", "cause", "seconds"]


def make_run(
    folder: Path,
    names: Sequence[str] = ("snip",),
    cells: int = 3,
    seeds: int = 1,
    targets: Sequence[str] = ("s0-diswot:distilled", "s0-diswot:vanilla"),
    undefined_share: float = 0.0,
    constant: bool = False,
    cause: str = "the features are constant",
    trainings: int = 0,
) -> Results:
    generator = np.random.default_rng(5)
    quality = generator.normal(size=cells)
    # Networks of S0 as far as there are so many.
    numbers = np.array(s0.NUMBERS[:cells]) if cells <= len(s0.NUMBERS) else np.arange(cells)
    frames = []
    for place, name in enumerate(names):
        signal = np.cos(place * 0.08)
        for seed in range(seeds):
            noise = generator.normal(size=cells)
            value = np.ones(cells) if constant else signal * quality + (1.02 - signal) * noise
            undefined = generator.random(cells) < (undefined_share if undefined_share == 1 or place % 3 == 1 else 0)
            frames.append(
                pd.DataFrame(
                    {
                        "space": "s0",
                        "cell": numbers,
                        "proxy": name,
                        "version": 1,
                        "seed": seed,
                        "status": np.where(undefined, "undefined", "ok"),
                        "value": np.where(undefined, np.nan, value),
                        "cause": pd.Series(np.where(undefined, cause, ""), dtype=object).replace("", None),
                        "seconds": 0.01,
                    }
                )
            )
    accuracies = pd.concat(
        pd.DataFrame({"cell": numbers, "target": target, "accuracy": 70 + quality + 0.3 * generator.normal(size=cells)})
        for target in targets
    )
    scores = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=SCORES)
    proxies = pd.DataFrame(
        {
            "name": list(names),
            "version": 1,
            "direction": "higher",
            "family": "family",
            "source": "Lee et al., SNIP, ICLR 2019, https://arxiv.org/abs/1810.02340",
            "differences": "",
            "needs": [["features", "gradients"] for _ in names],
            "default_init": "kaiming",
            "live_edges_only": False,
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    costs = [0.01 * 1.7 ** ((place * 5) % 11) for place in range(len(names))]
    priced = pd.DataFrame({"name": list(names), "seconds": 1.0, "relative_cost": costs})
    priced.to_csv(folder / "costs.csv", index=False)
    found = [
        evidence_table.TargetAccuracies(
            str(name),
            part.set_index("cell")["accuracy"],
            pd.DataFrame(
                {seed: part["accuracy"].to_numpy() + generator.normal(size=cells) * 0.3 for seed in range(trainings)},
                index=part["cell"],
            ),
        )
        for name, part in accuracies.groupby("target", sort=False)
    ]
    space = replace(spaces.get("s0"), costs={"live_flops": lambda cell, classes: cell}, canonical=lambda cell: cell)
    correlations, evidence = evidence_table.tables(panel.build(scores, proxies), proxies, found, space)
    return Results(
        folder=folder,
        info=provenance(names),
        scores=scores,
        correlations=correlations,
        evidence=evidence,
        method=Answered(targets=list(targets), metric="spearman", undefined="worst"),
        targets=accuracies,
        proxies=proxies,
        cards={
            "s0-diswot": replace(
                tables.load("s0-diswot").card,
                source="figures published with the paper, https://arxiv.org/abs/2303.15678",
                licence="figures",
                recipe="200 epochs",
                citation="Dong, Li and Wei, DisWOT, CVPR 2023",
                data_hash="cd" * 32,
            )
        },
    )


PROXIES = (
    *("diswot", "diswot_semantic", "diswot_relation", "params", "flops", "live_params", "live_flops", "live_convs"),
    *("l2_norm", "grad_norm", "snip", "plain", "grasp", "fisher", "synflow", "logsynflow", "zico", "nwot", "jacov"),
    *("epe_nas", "zen", "kd", "fitnet", "at", "sp", "cc", "rkd", "pkt", "nst", "kdsvd", "fsp", "ickd"),
    *("ntk_cond", "linear_regions", "az_trainability", "az_expressivity", "az_progressivity", "meco", "swap", "tcet"),
)


def over_searches(values: np.ndarray) -> dict[str, float]:
    mean, std = values.mean(), values.std(ddof=1) if len(values) > 1 else np.nan
    half = 2 * std / len(values) ** 0.5
    return {"mean": mean, "std": std, "low": mean - half, "high": mean + half}


def trail(random: np.random.Generator, good: np.ndarray, bias: float, evaluations: int) -> list[int]:
    """Return the current picks of a search that draws better cells with a bias."""
    weights = np.exp(bias * good)
    drawn = random.choice(len(good), evaluations, replace=False, p=weights / weights.sum())
    return [int(drawn[: at + 1][good[drawn[: at + 1]].argmax()]) for at in range(evaluations)]


def worth(accuracies: pd.Series, ends: np.ndarray, seconds: float) -> dict[str, float]:
    """Return what a summary says of final picks."""
    reached = accuracies.to_numpy()[ends]
    reached = reached[np.isfinite(reached)]
    row = {"known": len(reached), "random_evaluations": 54.0, "evaluations_saved": 3.6, "fewer": 31.5}
    if not len(reached):
        return row
    over, highest = over_searches(reached), accuracies.max()
    row |= {f"accuracy_{name}": over[name] for name in ("std", "low", "high")}
    row |= {"accuracy": over["mean"], "regret": highest - over["mean"], "percentile": 97.25}
    row |= {"regret_low": highest - over["high"], "regret_high": highest - over["low"]}
    return row | {"training_evaluations": 80.0, "training_seconds": 72000.0, "seconds_saved": 72000 / seconds}


def provenance(names: Sequence[str]) -> Info:
    settings = Settings(
        space="s0",
        images="cifar100",
        batch_size=64,
        batch_seed=0,
        augment=False,
        classes=100,
        teacher="resnet56",
        device="cpu",
        batch="ab" * 32,
    )
    described = {"version": "1", "direction": "higher", "family": "family", "live_edges_only": False}
    return Info(
        space="s0",
        settings=settings,
        settings_hash=settings.hash,
        versions={"python": "3.11.2", "torch": "2.7.1"},
        git_revision="0123abcd",
        commands=["diswot evaluate --space s0 --images cifar100"],
        threads="1 a worker",
        created="2025-01-02T03:04:05Z",
        hashes={"batch": "ab" * 32},
        proxies=[ProxyRecord(name=name, **described) for name in names or ("none",)],
    )


def search_info(
    drivers: Sequence[str], searches: int, evaluations: int, winner: bool, seconds: bool, **asked: Any
) -> stored_search.Info:
    target = next(iter(asked["targets"]), "")
    chosen = stored_search.Winner(
        **{"driver": drivers[0], "target": target, "metric": "spearman", "chosen_on": 300, "chosen": 0.81},
        **{"undefined": 0, "runner_up": "kd", "margin": 0.012, "margin_p": 0.34, "significant": False},
        **{"judged_on": 300, "judged": 0.79, "judged_low": 0.74, "judged_high": 0.83},
    )
    described = [
        stored_search.DriverRecord(
            **{"name": name, "kind": "proxy", "members": [name], "direction": "higher"},
            seconds_per_evaluation=0.4 * 3.0**-number if seconds else None,
            seconds_from="costs.csv: each proxy computed alone, 2 threads of an Epyc 7B13",
        )
        for number, name in enumerate(drivers)
    ]
    how = {"population": 20, "tournament": 5, "crossover": 0.0, "searches": searches}
    source = "nb201-kd, median on 2 threads of an Epyc 7B13"
    return stored_search.Info(
        created="2025-01-02T03:04:05Z",
        budgets={},
        weight_seed=0,
        commands=["diswot search runs/nb201 --proxy winner --searches 12"],
        options=stored_search.Options(evaluations=evaluations, algorithms=["evolution", "random"], **how),
        drivers=described,
        winner=chosen if winner else None,
        trainings={target: stored_search.Costs(seconds=900.0, source=source)},
        machine="Epyc 7B13, 2 threads, torch 2.7.1",
        **asked,
    )


def make_search(
    space: str = "nb201",
    drivers: Sequence[str] = ("diswot",),
    targets: Sequence[str] = ("nb201-kd:distilled", "nb201-kd:vanilla"),
    teachers: Sequence[str] = ("resnet56",),
    searches: int = 12,
    evaluations: int = 60,
    known_share: float = 1.0,
    winner: bool = True,
    seconds: bool = True,
    scores: str = "stored",
) -> Search:
    """Return a made-up search whose tables agree with each other."""
    random = np.random.default_rng(11)
    cells = np.array(spaces.get(space).cells)
    if space == "nb201":
        cells = cells[:600]
        counts = [nb201.counts.official(nb201.Cell.from_index(int(cell))) for cell in cells]
        params, flops = (np.array([getattr(count, name) for count in counts]) for name in ("params", "flops"))
    else:
        flops = np.array([s0.flops(int(cell)) for cell in cells])
        params = flops // 100
    quality = np.log(flops) + 0.3 * random.normal(size=len(cells))
    quality = (quality - quality.mean()) / quality.std()
    accuracies = pd.DataFrame(index=range(len(cells)))
    for target in targets:
        accuracy = 94 - 6 / (1 + np.exp(1.2 * quality)) + 0.15 * random.normal(size=len(cells))
        accuracies[target] = np.where(random.random(len(cells)) < known_share, accuracy, np.nan)
    curves, picks, summary, scored = [], [], [], {}

    def picked(place: int, **head: Any) -> dict[str, Any]:
        cell = int(cells[place])
        known = accuracies.iloc[place].to_dict()
        described = {"cell": cell, "architecture": spaces.get(space).describe(cell)}
        return {**head, **described, "params": params[place], "flops": flops[place], **known}

    for teacher in teachers:
        for number, driver in enumerate(drivers):
            noise = 0.3 + 0.15 * number + (0 if driver == "flops" else 0.1 * len(scored))
            good = quality + noise * np.random.default_rng(number + 31 * len(scored)).normal(size=len(cells))
            values = {0: good, 1: np.exp(9 * good), 2: -np.exp(-2 * good), 3: 4e7 * (good + 9)}[number % 4]
            scored[teacher, driver] = good
            cost = 0.4 * 3.0**-number if seconds else np.nan
            for algorithm, bias in (("evolution", 1.0), ("random", 0.0)):
                current = np.array([trail(random, good, bias, evaluations) for _ in range(searches)])
                head = {"teacher": teacher, "driver": driver, "algorithm": algorithm}
                for quantity in ("score", *targets):
                    table = values[current] if quantity == "score" else accuracies[quantity].to_numpy()[current]
                    for place in np.unique(np.linspace(0, evaluations - 1, 30).round().astype(int)):
                        column = table[:, place]
                        defined = column[np.isfinite(column)]
                        if len(defined):
                            row = {**head, "quantity": quantity, "evaluation": place + 1, "searches": len(defined)}
                            curves.append(row | {"seconds": cost * (place + 1)} | over_searches(defined))
                ends = current[:, -1]
                for seed, place in enumerate(ends):
                    found = 1 + int((current[seed] == place).argmax())
                    row = picked(place, **head, seed=seed, evaluations=evaluations, found_at=found)
                    picks.append(row | {"score": values[place]})
                for target in targets:
                    row = {"target": target, "searches": searches, "picks": len(set(ends)), "evaluations": evaluations}
                    row |= {"seconds": cost * evaluations}
                    summary.append(head | row | worth(accuracies[target], ends, cost * evaluations))
            top = int(good.argmax())
            head = {"teacher": teacher, "driver": driver, "algorithm": "exhaustive"}
            picks.append(picked(top, **head, evaluations=len(cells)) | {"score": values[top]})
    oracles = {}
    for target in targets:
        if accuracies[target].notna().any():
            top = int(accuracies[target].argmax())
            row = picked(top, teacher=None, driver=target, algorithm="oracle", evaluations=len(cells))
            picks.append(row)
            oracles[target] = stored_search.Oracle(
                cell=int(row["cell"]),
                architecture=row["architecture"],
                accuracy=float(accuracies[target].max()),
                known=int(accuracies[target].notna().sum()),
            )
    between = [
        {
            **{"driver": driver, "teacher": one, "other": other, "cells": len(cells), "searches": searches},
            "spearman": pd.Series(scored[one, driver]).corr(pd.Series(scored[other, driver]), method="spearman"),
            "same_pick": 0.25,
        }
        for driver in drivers
        for place, one in enumerate(teachers)
        for other in teachers[place + 1 :]
    ]
    asked = {"space": space, "scores": scores, "teachers": list(teachers), "targets": list(targets)}
    asked |= {"cells": len(cells), "oracles": oracles, "failed": []}
    info = search_info(drivers, searches, evaluations, winner, seconds, **asked)
    return Search(
        info=info,
        curves=pd.DataFrame(curves, columns=list(CURVE_COLUMNS)),
        picks=pd.DataFrame(picks, columns=[*PICK_COLUMNS, *targets]),
        summary=pd.DataFrame(summary, columns=list(SUMMARY_COLUMNS)),
        teachers=pd.DataFrame(between, columns=list(TEACHER_COLUMNS)),
    )


def with_cost(search: Search, cost: str = "hw-nas-bench:edgegpu_latency") -> Search:
    """Return the search with made-up fronts of score and cost, and their hypervolumes."""
    random = np.random.default_rng(5)
    made = search.info.options
    target = next(iter(search.info.targets), None)
    points, volumes = [], []
    heads = search.curves[["teacher", "driver", "algorithm"]].drop_duplicates().to_dict("records")
    wholes = [head | {"algorithm": "exhaustive"} for head in heads if head["algorithm"] == "random"]
    oracles = [{"driver": name, "algorithm": "oracle"} for name in search.info.targets]
    for head in [*heads, *wholes, *oracles]:
        searched = head["algorithm"] in made.algorithms
        for seed in range(made.searches) if searched else (None,):
            length = int(random.integers(1, 12))
            costs, shares = (np.sort(random.random(length)) for _ in range(2))
            for cell, (cost_share, share) in enumerate(zip(costs, shares, strict=True)):
                point = {"cell": cell, "architecture": "a", "cost": 2 + 6 * cost_share, "share": share, "seed": seed}
                known = dict.fromkeys(search.info.targets, 60 + 30 * share)
                points.append({**point, "score": -1 / share, **head, **known})
        for quantity in ("score", *([target] if target else [])) if searched else ():
            volumes.append({**head, "quantity": quantity, "searches": made.searches, "hypervolume": 0.9})
    curves = search.curves[search.curves["quantity"] == "score"].assign(quantity="hypervolume")
    columns = [*FRONT_COLUMNS, *search.info.targets]
    growth = curves["evaluation"] / curves["evaluation"].max()
    curves = curves.assign(mean=growth, low=growth - 0.1, high=growth + 0.1)
    return replace(
        search,
        info=search.info.model_copy(update={"cost": cost}),
        curves=pd.concat([search.curves, curves], ignore_index=True),
        fronts=pd.DataFrame(points, columns=columns).astype({"seed": "Int64"}),
        hypervolumes=pd.DataFrame(volumes, columns=list(HYPERVOLUME_COLUMNS)),
    )


EIGHT_DRIVERS = ("diswot", "diswot_semantic", "diswot_relation", "flops", "synflow", "nwot", "kd", "a_vote")


LONG_DRIVERS = [f"a_driver_whose_name_goes_on_and_on_{number}_until_$x^2$ nothing_fits" for number in range(11)]


SEARCHES: dict[str, dict[str, Any]] = {
    "one driver": {},
    "eight drivers, three teachers": {"drivers": EIGHT_DRIVERS, "teachers": ("resnet20", "resnet32", "resnet56")},
    "s0, live": {
        **{"space": "s0", "drivers": EIGHT_DRIVERS[:3], "teachers": ("resnet20", "resnet56"), "scores": "live"},
        **{"targets": ("s0-diswot:distilled", "s0-diswot:vanilla"), "evaluations": 20},
    },
    "no accuracies": {"drivers": EIGHT_DRIVERS[:2], "known_share": 0.0, "seconds": False},
    "some accuracies": {"drivers": EIGHT_DRIVERS[:4], "known_share": 0.6},
    "one search": {"drivers": EIGHT_DRIVERS[:2], "searches": 1, "winner": False},
    "one evaluation": {"drivers": EIGHT_DRIVERS[:5], "evaluations": 1},
    "no targets": {"targets": (), "winner": False, "drivers": EIGHT_DRIVERS[:3]},
    "long names": {
        **{"drivers": LONG_DRIVERS, "teachers": [f"a teacher with a long name, {number}" for number in range(6)]},
        **{"targets": [f"table-with-a-long-name-{number}:the accuracy after_training" for number in range(5)]},
        **{"searches": 3, "evaluations": 12},
    },
}


#: Those that have a second objective.
TWO_OBJECTIVES = (
    *("eight drivers, three teachers", "some accuracies", "one search", "one evaluation", "no targets", "long names"),
)


def nothing_known(search: Search) -> Search:
    """Return the search with every number that may be missing missing."""
    numeric = {"mean", "std", "low", "high", "seconds", "score", "params", "flops", "found_at", "spearman"}
    numeric |= {"same_pick", "searches", "picks", "evaluations", "known", *search.summary.columns[9:]}
    tables = {}
    for name in ("curves", "picks", "summary", "teachers"):
        frame: pd.DataFrame = getattr(search, name).copy()
        for column in numeric & set(frame):
            frame[column] = np.nan
        tables[name] = frame
    winner = search.info.winner
    assert winner is not None
    unknown = {"runner_up": None, "margin": None, "margin_p": None, "chosen": np.nan, "judged": np.nan}
    changes = {"trainings": {}, "commands": [], "winner": winner.model_copy(update=unknown)}
    return replace(search, info=search.info.model_copy(update=changes), **tables)


@pytest.fixture(scope="session")
def search_case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Results]:
    @cache
    def made(name: str) -> Results:
        if name == "nothing known":
            search = nothing_known(make_search(drivers=EIGHT_DRIVERS[:3], teachers=("resnet20", "resnet56")))
        elif name == "empty tables":
            search = make_search()
            empty = {table: getattr(search, table).iloc[:0] for table in ("curves", "picks", "summary", "teachers")}
            search = replace(search, **empty)
        else:
            search = make_search(**SEARCHES[name])
            search = with_cost(search) if name in TWO_OBJECTIVES else search
        return replace(make_run(tmp_path_factory.mktemp("run")), search=search)

    return made


@pytest.fixture(scope="session")
def searched() -> Callable[..., Search]:
    return make_search


@pytest.fixture(scope="session")
def make() -> Callable[..., Results]:
    return make_run


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Results]:
    def made(folder: str = "s0-run", **changes: Any) -> Results:
        return make_run(tmp_path / folder, **changes)

    return made


@pytest.fixture(scope="session")
def proxies() -> tuple[str, ...]:
    return PROXIES


def texts(figure: Figure) -> list[Text]:
    found = list(figure.texts)
    for axes in figure.axes:
        titles = [child for child in axes.get_children() if isinstance(child, Text)]
        legend = axes.get_legend()
        found += [axes.xaxis.label, axes.yaxis.label, *titles, *(legend.get_texts() if legend else [])]
        found += [*labels(axes.xaxis), *labels(axes.yaxis)]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def labels(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [label for tick in ticks for label in (tick.label1, tick.label2)]


def _assert_legible(figure: Figure) -> None:
    for dpi in (100, 150, 200, 300):
        figure.set_dpi(dpi)
        figure.draw_without_rendering()
        found = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
        page = figure.bbox
        for words, box in found:
            assert box.x0 >= page.x0, f"{words!r} is clipped on the left at {dpi} dpi"
            assert box.x1 <= page.x1, f"{words!r} is clipped on the right at {dpi} dpi"
            assert box.y0 >= page.y0, f"{words!r} is clipped at the foot at {dpi} dpi"
            assert box.y1 <= page.y1, f"{words!r} is clipped at the head at {dpi} dpi"
        # All pairs at once: hundreds of texts make tens of thousands of pairs.
        low, high = (np.array([getattr(box, end) for _, box in found]).reshape(-1, 1, 2) for end in ("min", "max"))
        shared = np.minimum(high, high.swapaxes(0, 1)) - np.maximum(low, low.swapaxes(0, 1))
        height = (high - low)[:, 0, 1]
        # Boxes hold the room for the tails of letters that a line need not have: a fifth of a line may be shared.
        room = 0.2 * np.minimum(height[:, None], height)
        pairs = np.argwhere(np.triu(shared.min(axis=2) > np.maximum(room, 0), k=1))
        overlapping = [(found[first][0], found[second][0]) for first, second in pairs]
        assert not overlapping, f"texts overlap at {dpi} dpi: {overlapping[:3]}"
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 7


@pytest.fixture(scope="session")
def assert_legible() -> Callable[[Figure], None]:
    return _assert_legible
