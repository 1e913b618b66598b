"""A study: searches with several drivers, algorithms, seeds and teachers, and what they are worth."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd

from diswot.benchmarks import spaces, tables
from diswot.benchmarks.errors import InputError, named, unknown
from diswot.benchmarks.spaces import Space
from diswot.benchmarks.tables import units
from diswot.benchmarks.tables.targets import DISTILLED
from diswot.harness import evidence, files, search
from diswot.harness.compute import devices, sweep
from diswot.harness.evidence.ensembles import ENSEMBLES
from diswot.harness.runs import answers, results, run_folder, stored_search
from diswot.harness.runs.results import Results
from diswot.harness.runs.settings import Settings
from diswot.harness.runs.stored_search import Costs, DriverRecord, Failure, Oracle, Search, Winner
from diswot.harness.search import budget as budgets
from diswot.harness.search import driver as drivers
from diswot.harness.search import fronts, judge, replay, sources, winner
from diswot.harness.search.algorithms import ALGORITHMS, Options, check
from diswot.harness.search.driver import Driver, Scores
from diswot.harness.search.judge import Found, Truth
from diswot.harness.search.plan import WINNER, WINNING_PROXY, NoSearchError, Plan
from diswot.harness.search.side_by_side import Trail
from diswot.harness.search.sources import Source
from diswot.proxies import registry


def study(plan: Plan) -> Search:
    """Carry out a study, keep it in the run's folder, and return it.

    What is scored on the way is stored as it comes, beside the run and apart from its sample: the same call continues.

    Raises:
        InputError: if the plan is no good, or nothing that it needs is known.
    """
    for algorithm in plan.algorithms:
        if algorithm not in ALGORITHMS:
            raise unknown("algorithms", algorithm, ALGORITHMS)
    settings = _settings(plan)
    space = spaces.get(settings.space)
    _refuse_costs(plan, space)
    teachers = plan.teachers or (settings.teacher,)
    # What is wrong with a request is said before anything is begun.
    prepared = _prepared(plan, space, plan.cells or tuple(space.cells), settings.classes) if plan.live else None
    base = _base(plan)
    asked = _question(plan, base, space, teachers)
    if (answered := _stored(plan.run, asked)) is not None:
        return answered
    chosen = _winner(plan, base, space) if {WINNER, WINNING_PROXY} & set(plan.drivers) else None
    names = _named(plan.drivers, chosen)
    # What is scored live has the direction that its proxy has now, which may not be that of the run's scores.
    recorded = base.proxies if prepared is None else base.proxies.iloc[:0]
    driven = [drivers.get(name, recorded) for name in names]
    keys = [(algorithm, seed) for algorithm in plan.algorithms for seed in range(plan.searches)]
    failed: Counter[tuple[str, str]] = Counter()
    found: list[Found] = []
    if prepared is None:
        known = {teacher: sources.stored(base, teacher, driven, plan.weight_seed) for teacher in teachers}
        options, truth = _prepared(plan, space, _known_to_all(plan, space, known), settings.classes)
    else:
        options, truth = prepared
    for teacher in teachers:
        opened = (
            nullcontext(Source(known[teacher]))
            if plan.live is None
            else sources.live(base, teacher, driven, plan.weight_seed, plan.live, failed)
        )
        with opened as source:
            found += _searched(source, base, teacher, driven, options, truth, keys, failed)
    _refuse_unknown(plan, found, truth)
    picked = judge.picks(found, truth)
    made = Search(
        info=_info(plan, found, truth, options, chosen, picked, failed, asked),
        curves=judge.curves(found, truth),
        picks=picked,
        summary=judge.summary(found, picked, truth),
        teachers=judge.teachers(found),
    )
    if plan.cost is not None:
        made = replace(
            made,
            curves=pd.concat([made.curves, fronts.curves(found, truth)], ignore_index=True),
            fronts=fronts.fronts(found, truth),
            hypervolumes=fronts.hypervolumes(found, truth),
        )
    stored_search.write(plan.run, made)
    return made


def _named(asked: Sequence[str], chosen: Winner | None) -> tuple[str, ...]:
    if chosen is None:
        return tuple(dict.fromkeys(asked))
    if WINNING_PROXY in asked and chosen.proxy is None:
        raise NoSearchError(f"driver: no proxy has a correlation with {chosen.target}; name one instead.")
    meant = {WINNER: chosen.driver, WINNING_PROXY: chosen.proxy or ""}
    return tuple(dict.fromkeys(meant.get(name, name) for name in asked))


def _prepared(plan: Plan, space: Space, cells: Sequence[int], classes: int) -> tuple[Options, Truth]:
    ordered = sorted(cells)  # a trajectory must not depend on their order
    unknown_costs = budgets.unknown_costs(space, ordered, plan.budgets, classes)
    costs = None if plan.cost is None else _second_objective(plan.cost, space, ordered, classes)
    if plan.cost is not None and costs is not None:
        unknown_costs |= {plan.cost: len(ordered) - len(costs)} if len(costs) < len(ordered) else {}
        ordered = list(costs)
    held = budgets.held(space, ordered, plan.budgets, classes)
    options = _options(plan, len(held), costs)
    check(options, held)
    truth = _truth(plan, space, held, classes)
    return options, replace(
        truth, unknown_costs=unknown_costs, costs={cell: costs[cell] for cell in held} if costs else {}
    )


@named("cost", "budgets", "table", "targets")
def _second_objective(cost: str, space: Space, cells: Sequence[int], classes: int) -> dict[int, float]:
    costs = budgets.costs_of(space, cells, cost, classes)
    if not costs:
        raise InputError(f"cost: {cost} is known of none of the {len(cells)} cells that may be searched.")
    return costs


def _searched(
    source: Source,
    base: Results,
    teacher: str,
    driven: Sequence[Driver],
    options: Options,
    truth: Truth,
    keys: Sequence[replay.Key],
    failed: Counter[tuple[str, str]],
) -> Iterator[Found]:
    for driver in driven:
        trails = replay.carry_out(truth.space, truth.cells, options, driver, source, keys)
        _refuse_undefined(driver, trails, failed)
        scores = source.known[driver.name]
        yield Found(teacher, driver, scores, trails, *sources.seconds(base, teacher, driver), truth.cells)


def _options(plan: Plan, cells: int, costs: Mapping[int, float] | None) -> Options:
    evaluations = plan.evaluations or min(200, max(1, cells // 2))
    population = plan.population or min(20, max(1, evaluations // 4))
    return Options(evaluations, population, plan.tournament or min(5, population), plan.crossover, costs)


def _settings(plan: Plan) -> Settings:
    if plan.live is not None and not run_folder.info_path(plan.run).is_file():
        return sweep.prepare(plan.live).settings
    runs = run_folder.find(plan.run)
    if runs != [plan.run]:
        raise InputError(f"run: {plan.run} holds several runs; name one of {', '.join(map(str, runs))}.")
    return run_folder.read_info(plan.run).settings


def _base(plan: Plan) -> Results:
    # A search that scores everything itself begins a run without scores, so that there is something to report.
    if plan.live is not None and not run_folder.info_path(plan.run).is_file():
        if {WINNER, WINNING_PROXY} & set(plan.drivers):
            raise InputError(
                f"driver: the winner is the proxy with the highest correlation in a run, and {plan.run} is none yet; "
                "name a proxy, or give the folder of a run."
            )
        none = pd.DataFrame(columns=["name", "direction"])
        members = {member: None for name in plan.drivers for member in drivers.get(name, none).members}
        begun = replace(plan.live, proxies=tuple(map(registry.get, members)))
        with sweep.opened(begun, plan.run, sweep.prepare(begun)):
            pass
    return results.scored(plan.run)  # an earlier search that cannot be read is no hindrance to a new one


def _choosing(plan: Plan, base: Results, space: Space) -> tuple[str, ...]:
    return plan.targets or results.default_targets(space.name, sorted(set(base.scores["cell"])))


def _winner(plan: Plan, base: Results, space: Space) -> Winner:
    target = next(iter(results.targets_of(space.name, _choosing(plan, base, space)).values()))
    accuracies = tables.load(target.table, space.name).frame[target.column].dropna()
    own = base.scores[base.scores["seed"] == plan.weight_seed]
    return winner.choose(own, base.proxies, target.name, accuracies, space)


def _known_to_all(plan: Plan, space: Space, known: Mapping[str, Mapping[str, Scores]]) -> tuple[int, ...]:
    # So that all drivers, with all teachers, are compared on the same cells.
    every = [scores for of_teacher in known.values() for scores in of_teacher.values()]
    cells = tuple(cell for cell in plan.cells or space.cells if all(cell in scores for scores in every))
    if not cells:
        names = dict.fromkeys(name for of_teacher in known.values() for name in of_teacher)
        with_teachers = f" with all of {', '.join(known)}" if len(known) > 1 else ""
        raise InputError(
            f"cells: {plan.run} has scores of all of {', '.join(names)}{with_teachers} for none of the cells; "
            "`--scores live` makes them."
        )
    return cells


def _refuse_undefined(
    driver: Driver, trails: Mapping[replay.Key, Trail], failed: Mapping[tuple[str, str], int]
) -> None:
    if any(trail.picks for trail in trails.values()):
        return
    cells = {cell for trail in trails.values() for cell in trail.cells}
    causes = [cause for proxy, cause in failed if proxy in driver.members]
    if causes:
        raise InputError(f"driver: {driver.name} has no score of the {len(cells)} cells searched: {causes[0]}.")
    raise NoSearchError(
        f"driver: {driver.name} is undefined on every one of the {len(cells)} cells that were searched; name "
        "another one."
    )


def _question(plan: Plan, base: Results, space: Space, teachers: Sequence[str]) -> str:
    # Empty where what is computed depends on more than the scores and the accuracies.
    if plan.live is not None or plan.budgets or plan.cost is not None:
        return ""
    found = hashlib.sha256(repr(replace(plan, run=Path())).encode())
    found.update(sources.read_from(base, teachers))
    found.update(base.proxies.to_json().encode())
    names = (*_judging(plan, space), *_choosing(plan, base, space))
    for name, target in results.targets_of(space.name, names).items():
        accuracies = tables.load(target.table, space.name).frame[target.column]
        found.update(repr((name, tables.training_seconds(target.table))).encode())
        found.update(pd.util.hash_pandas_object(accuracies).to_numpy().tobytes())
    plugged_in = (space, *(ALGORITHMS[name] for name in plan.algorithms), *ENSEMBLES.values())
    found.update(files.code_of(search, evidence, spaces, tables) + answers.code_of_plugins(*plugged_in))
    found.update(repr([*ENSEMBLES]).encode())
    return found.hexdigest()


def _stored(run: Path, asked: str) -> Search | None:
    # The search of an earlier call, where it answers the same question.
    with suppress(InputError):  # one that cannot be read is made anew
        known = stored_search.read(run)
        if known is not None and asked and known.info.question == asked:
            return known
    return None


def _judging(plan: Plan, space: Space) -> tuple[str, ...]:
    fetched = [name for name in space.further_targets if tables.is_there(tables.Target.named(name).table)]
    return plan.targets or (*space.targets, *_modelled(space), *fetched)


def _truth(plan: Plan, space: Space, cells: tuple[int, ...], classes: int) -> Truth:
    accuracies, trainings, read_from = {}, {}, {}
    chosen = results.targets_of(space.name, _judging(plan, space))
    results.say_fractions(chosen.values(), space.name)
    for name, target in chosen.items():
        column = tables.load(target.table, space.name).frame[target.column].dropna()
        known = column[column.index.isin(cells)]
        if known.empty and plan.targets:
            raise InputError(
                f"targets: {name} has an accuracy for none of the {len(cells)} cells that may be searched."
            )
        if known.empty:
            continue
        accuracies[name] = known
        read_from[name] = f"{target.table}:{target.column}"
        seconds, machine = tables.training_seconds(target.table)
        if target.column in seconds:
            source = f"{target.table}: mean of its trainings, {target.column}, on {machine}"
            trainings[name] = Costs(seconds=seconds[target.column], source=source)
    return Truth(space, cells, classes, accuracies, trainings, read_from)


def _refuse_costs(plan: Plan, space: Space) -> None:
    for name, target in results.targets_of(space.name, plan.targets).items() if plan.targets else ():
        if units.is_cost(target.column):
            raise InputError(
                f"targets: {name} is a cost, of which less is better, and a search is judged by accuracies; a cost is "
                f"a budget, such as --budget {target.table}:{target.column}=NUMBER."
            )


def _modelled(space: Space) -> list[str]:
    # Distilled accuracies that a model predicts of every cell: they judge picks, and take no part in correlations.
    modelled = [one for one in tables.TABLES.values() if one.is_modelled and one.space == space.name]
    return [tables.Target(one.name, DISTILLED).name for one in modelled]


def _refuse_unknown(plan: Plan, found: Sequence[Found], truth: Truth) -> None:
    # Of a target that was asked for; of the usual ones the summary says that no pick is known.
    visited = {cell for one in found for trail in one.trails.values() for cell in trail.cells}
    for name, accuracies in truth.accuracies.items():
        if plan.targets and not visited & set(accuracies.index):
            table = tables.Target.named(name).table
            hint = f"; --cells {table} keeps them to its cells" if table in tables.names() else ""
            raise NoSearchError(
                f"targets: {name} has an accuracy for none of the {len(visited)} cells that the searches scored{hint}."
            )


def _info(
    plan: Plan,
    found: Sequence[Found],
    truth: Truth,
    options: Options,
    chosen: Winner | None,
    picked: pd.DataFrame,
    failed: Counter[tuple[str, str]],
    asked: str,
) -> stored_search.Info:
    oracles = picked[picked["algorithm"] == "oracle"].set_index("driver")
    described: dict[str, DriverRecord] = {}
    for one in found:
        mine = DriverRecord(
            name=one.driver.name,
            kind="proxy" if one.driver.ensemble is None else "ensemble",
            members=list(one.driver.members),
            direction="higher" if one.driver.ensemble or one.driver.signs[0] > 0 else "lower",
            seconds_per_evaluation=one.seconds,
            seconds_from=one.seconds_from,
        )
        described.setdefault(one.driver.name, mine)  # of several teachers, what the first one's search took
    return stored_search.Info(
        question=asked,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        commands=[run_folder.command()],
        space=truth.space.name,
        scores="stored" if plan.live is None else "live",
        options=stored_search.Options(
            **{name: value for name, value in vars(options).items() if name != "costs"},
            searches=plan.searches,
            algorithms=list(plan.algorithms),
        ),
        budgets=dict(plan.budgets),
        unknown_costs=dict(truth.unknown_costs),
        cost=plan.cost,
        cells=len(truth.cells),
        weight_seed=plan.weight_seed,
        teachers=list(dict.fromkeys(one.teacher for one in found)),
        targets=list(truth.accuracies),
        sources=dict(truth.sources),
        drivers=list(described.values()),
        winner=chosen,
        oracles={
            name: Oracle(
                cell=int(oracles.loc[name, "cell"]),
                architecture=str(oracles.loc[name, "architecture"]),
                accuracy=float(accuracies.max()),
                known=len(accuracies),
            )
            for name, accuracies in truth.accuracies.items()
        },
        failed=[Failure(proxy=proxy, cause=cause, scores=n) for (proxy, cause), n in failed.most_common()],
        trainings=dict(truth.trainings),
        machine=devices.machine(),
    )
