"""optuna's samplers as searches; they need the extra ``optuna``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.seeding import derive
from diswot.benchmarks.spaces import Space
from diswot.harness.search.algorithms import Options, Search
from diswot.harness.search.ask_and_tell import Optimiser, search_by

if TYPE_CHECKING:
    import optuna


class _Study:
    """A study of optuna with one categorical parameter a place, and a second objective where there are costs."""

    def __init__(self, space: Space, sampler: optuna.samplers.BaseSampler, costs: Mapping[int, float] | None) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        best, least = optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE
        self._study = optuna.create_study(directions=[best] if costs is None else [best, least], sampler=sampler)
        self._options, self._decode, self._costs = space.options, space.decode, costs
        self._trial: optuna.Trial | None = None

    def ask(self) -> Sequence[int]:
        self._trial = self._study.ask()
        return [
            self._trial.suggest_categorical(f"place {place}", range(count)) for place, count in enumerate(self._options)
        ]

    def tell(self, chosen: Sequence[int], good: float) -> None:
        import optuna

        assert self._trial is not None
        if math.isfinite(good):
            cost = [] if self._costs is None else [self._costs[self._decode(tuple(chosen))]]
            self._study.tell(self._trial, [good, *cost])
        else:
            self._study.tell(self._trial, state=optuna.trial.TrialState.FAIL)


def _sampled(
    name: str, make: Callable[[int], optuna.samplers.BaseSampler], costs: Mapping[int, float] | None = None
) -> Callable[[Space, int], Optimiser]:
    def optimiser(space: Space, seed: int) -> Optimiser:
        try:
            sampler = make(derive("optuna", seed) % 2**32)
        except ImportError as error:
            raise InputError(
                f"algorithms: {name} is a sampler of optuna, which is not installed: `pip install optuna`."
            ) from error
        return _Study(space, sampler, costs)

    return optimiser


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed)


#: Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), with optuna's usual settings.
tpe = search_by(_sampled("tpe", _tpe))


def nsga2(space: Space, cells: Sequence[int], options: Options, seed: int) -> Search:
    """Search for the front of score and cost by NSGA-II (Deb et al., 2002), with optuna's usual settings.

    Raises:
        InputError: if there is no cost.
    """
    if options.costs is None:
        raise InputError(
            "algorithms: nsga2 has two objectives; name the second one by --cost, such as --cost params or --cost "
            "hw-nas-bench:edgegpu_latency."
        )

    def sampler(seed: int) -> optuna.samplers.BaseSampler:
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(population_size=max(2, options.population), seed=seed)

    return search_by(_sampled("nsga2", sampler, options.costs))(space, cells, options, seed)
