"""optuna's samplers as searches; they need the extra ``optuna``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.seeding import derive
from diswot.benchmarks.spaces import Space
from diswot.harness.search.ask_and_tell import Optimiser, search_by

if TYPE_CHECKING:
    import optuna


class _Study:
    """A study of optuna with one categorical parameter a place."""

    def __init__(self, space: Space, sampler: optuna.samplers.BaseSampler) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._options = space.options
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
            self._study.tell(self._trial, good)
        else:
            self._study.tell(self._trial, state=optuna.trial.TrialState.FAIL)


def _sampled(name: str, make: Callable[[int], optuna.samplers.BaseSampler]) -> Callable[[Space, int], Optimiser]:
    def optimiser(space: Space, seed: int) -> Optimiser:
        try:
            sampler = make(derive("optuna", seed) % 2**32)
        except ImportError as error:
            raise InputError(
                f"algorithms: {name} is a sampler of optuna, which is not installed: "
                "pip install 'diswot-bench[optuna]'."
            ) from error
        return _Study(space, sampler)

    return optimiser


def _tpe(seed: int) -> optuna.samplers.BaseSampler:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed)


#: Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), with optuna's usual settings.
tpe = search_by(_sampled("tpe", _tpe))
