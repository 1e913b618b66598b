"""Model the accuracies of every cell of NAS-Bench-201 from measured accuracies of some functions.

A Gaussian process is fitted to features of the function's representative: cells that compute the same function get the
same prediction. It learns the logarithm of the distance to an accuracy that no cell reaches, because poor cells scatter
more than good ones. The standard deviation is that of another training: it holds the noise of a training too.
Importing this loads scikit-learn.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import KFold

from diswot.benchmarks import spaces
from diswot.benchmarks.errors import InputError, counted
from diswot.benchmarks.spaces.nb201 import EDGES, OPERATIONS, Cell, counts
from diswot.benchmarks.tables import units
from diswot.benchmarks.tables.registry import load
from diswot.benchmarks.tables.table import MODELLED, Card, Table
from diswot.benchmarks.tables.targets import targets

#: Fits accuracies by function and returns ``mean`` and ``std`` of functions.
Predicting = Callable[[pd.Series, Sequence[int]], pd.DataFrame]

#: Functions with a live path that a table must know to be modelled.
FEWEST_FUNCTIONS = 50

#: The validation leaves out one of so many parts of the functions at a time.
FOLDS = 10

#: The share of another training's accuracies that ``mean ± COVERED_STD · std`` should hold.
COVERAGE = 0.9
COVERED_STD = float(stats.norm.ppf((1 + COVERAGE) / 2))

#: The accuracy that no cell reaches: so many standard deviations of the measured accuracies above the highest.
_ABOVE_HIGHEST = 1.5

#: Of more functions than these, a sample decides the kernel; all of them decide the predictions.
_FUNCTIONS_FOR_KERNEL = 1000

_PATHS = (((0, 3),), ((0, 1), (1, 3)), ((0, 2), (2, 3)), ((0, 1), (1, 2), (2, 3)))
_KINDS = ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3", "skip_connect")
_SPACE = spaces.get("nb201")


@dataclass(frozen=True, eq=False)
class Modelled:
    """A modelled table, and how good it is.

    Attributes:
        table: all 15,625 cells; for each column its prediction and its standard deviation, ``COLUMN-std``, in percent.
        validation: a row a column; see `validate`.
    """

    table: Table
    validation: pd.DataFrame


def model(spec: str, *, classes: int = 10, step: Callable[[], object] = lambda: None) -> Modelled:
    """Model all cells of NAS-Bench-201 from a table, and validate the model on functions left out.

    Args:
        spec: ``table:column``, or ``table`` for all its accuracies; a built-in's name or the path of a file. Where
            ``vanilla`` and ``distilled`` are modelled, so is ``gain``, their difference.
        classes: of the images. A cell without a live path has the accuracy of chance, 100 / ``classes`` percent.
        step: called after each of `FOLDS` fits per column.

    Raises:
        InputError: if the table or column is not known, is not of NAS-Bench-201, holds something else than accuracies,
            knows fewer than `FEWEST_FUNCTIONS` functions, or is already modelled; or ``classes`` is below 2.
    """
    if classes < 2:
        raise InputError(f"classes: {classes} is not a number of classes; give 2 or more.")
    measured, source = measured_in(spec)
    fitted = list(measured)
    held_out = {name: cross_predicted(accuracies, step) for name, accuracies in measured.items()}
    everything = {name: predict(accuracies, _functions()) for name, accuracies in measured.items()}
    if {"vanilla", "distilled"} <= set(measured):
        both = pd.concat([measured["vanilla"], measured["distilled"]], axis=1, keys=["vanilla", "distilled"]).dropna()
        measured["gain"] = both["distilled"] - both["vanilla"]
        pair = (held_out["vanilla"].loc[both.index], held_out["distilled"].loc[both.index])
        errors = [(one["mean"] - both[name]) / one["std"] for one, name in zip(pair, both, strict=True)]
        alike = float(np.corrcoef(errors)[0, 1])
        held_out["gain"] = _difference(*pair, alike)
        everything["gain"] = _difference(everything["vanilla"], everything["distilled"], alike)
    validation = validate(measured, held_out)
    frame = _by_cell(everything, 100 / classes)
    table = Table(f"{source.name}-model", _SPACE.name, frame, _card(source, fitted, validation))
    return Modelled(table, validation)


def validate(measured: dict[str, pd.Series], predicted: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Compare measured accuracies of functions with predictions by a model that was not fitted to them.

    Args:
        measured: by column, in percent by function.
        predicted: by column, ``mean`` and ``std`` of the same functions.

    Returns:
        A row a column: ``functions``; ``spearman``; ``spearman_better_half``, of functions above the median measured
        accuracy; ``rmse`` in points; ``coverage_90``, the share of measured accuracies within the 90 % interval, and
        the same of the functions above and below the median prediction.
    """
    rows = []
    for name, accuracies in measured.items():
        mean, std = predicted[name]["mean"], predicted[name]["std"]
        error = mean - accuracies
        held = error.abs() <= COVERED_STD * std
        better, high = accuracies > accuracies.median(), mean > mean.median()
        rows.append(
            {
                "column": name,
                "functions": len(accuracies),
                "spearman": mean.corr(accuracies, method="spearman"),
                "spearman_better_half": mean[better].corr(accuracies[better], method="spearman"),
                "rmse": float(np.sqrt((error**2).mean())),
                "coverage_90": held.mean(),
                "coverage_90_high": held[high].mean(),
                "coverage_90_low": held[~high].mean(),
            }
        )
    return pd.DataFrame(rows)


def predict(accuracies: pd.Series, functions: Sequence[int]) -> pd.DataFrame:
    """Fit a Gaussian process to accuracies and predict functions.

    Args:
        accuracies: in percent by function, that is by the index of its representative; not all alike.
        functions: to predict, with a live path.

    Returns:
        ``mean`` and ``std`` in percent, a row a function. Neither depends on the order of the accuracies.
    """
    accuracies = accuracies.sort_index()
    ceiling = accuracies.max() + _ABOVE_HIGHEST * accuracies.std()
    distances = np.log(ceiling - accuracies.to_numpy(float))
    known = feature_table().loc[accuracies.index].to_numpy()
    kernel = ConstantKernel() * Matern(10.0, (1.0, 1e3), nu=1.5) + WhiteKernel(0.1)
    sample = np.random.default_rng(0).permutation(len(known))[:_FUNCTIONS_FOR_KERNEL]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a kernel at its bounds, as of data without noise, is fine
        fitted = GaussianProcessRegressor(kernel, normalize_y=True).fit(known[sample], distances[sample])
        if len(sample) < len(known):
            fitted = GaussianProcessRegressor(fitted.kernel_, optimizer=None, normalize_y=True).fit(known, distances)
    middle, spread = fitted.predict(feature_table().loc[list(functions)].to_numpy(), return_std=True)
    distance = np.exp(middle + spread**2 / 2)  # mean and standard deviation of a log-normal distribution
    return pd.DataFrame(
        {"mean": (ceiling - distance).clip(0, 100), "std": distance * np.sqrt(np.expm1(spread**2))},
        index=pd.Index(functions, name="function"),
    )


def features(cell: Cell) -> dict[str, float]:
    """Return what the model knows of a cell; equal for cells that compute the same function.

    The operations of its representative, their numbers, its four paths and what is on them, and its size.
    """
    shown = cell.representative
    on = dict(zip(EDGES, shown.operations, strict=True))
    paths = [[on[edge] for edge in path] for path in _PATHS]
    live = [path for path in paths if "none" not in path]
    size = counts.live(shown)
    made: dict[str, float] = {
        f"{source}->{target}={kind}": on[source, target] == kind for source, target in EDGES for kind in OPERATIONS
    }
    made |= {f"number of {kind}": shown.operations.count(kind) for kind in OPERATIONS}
    for place, path in enumerate(paths):
        made[f"path {place} is live"] = path in live
        made |= {f"{kind} on path {place}": path.count(kind) if path in live else 0 for kind in _KINDS}
    for name, of in _ON_PATHS.items():
        numbers = [of(path) for path in live] or [0]
        made |= {f"most {name}": max(numbers), f"fewest {name}": min(numbers), f"mean {name}": float(np.mean(numbers))}
    made["live paths"] = len(live)
    made["paths of skips"] = sum(set(path) == {"skip_connect"} for path in live)
    for name in ("3x3", "convolutions", "pooling"):
        made[f"paths with {name}"] = sum(_ON_PATHS[name](path) > 0 for path in live)
    return made | {"log params": float(np.log(size.params)), "log flops": float(np.log(size.flops))}


#: What is counted on each path from input to output.
_ON_PATHS: dict[str, Callable[[list[str]], int]] = {
    "3x3": lambda path: path.count("nor_conv_3x3"),
    "1x1": lambda path: path.count("nor_conv_1x1"),
    "pooling": lambda path: path.count("avg_pool_3x3"),
    "convolutions": lambda path: path.count("nor_conv_3x3") + path.count("nor_conv_1x1"),
    "pixels seen": lambda path: 2 * path.count("nor_conv_3x3") + 2 * path.count("avg_pool_3x3"),
}


@functools.cache
def feature_table() -> pd.DataFrame:
    """Return the features of all functions with a live path, standardised over these. It must not be changed."""
    made = pd.DataFrame({index: features(Cell.from_index(index)) for index in _functions()}).T.astype(float)
    made = made.loc[:, made.nunique() > 1]
    return (made - made.mean()) / made.std()


@functools.cache
def _functions() -> tuple[int, ...]:
    # All functions with a live path.
    every = sorted({_SPACE.representative(cell) for cell in _SPACE.cells})
    return tuple(index for index in every if not Cell.from_index(index).is_degenerate)


def measured_in(spec: str) -> tuple[dict[str, pd.Series], Table]:
    """Return the accuracies of the functions that a table knows, by column, and the table; see `model`."""
    chosen = targets(spec, _SPACE.name)
    table = load(chosen[0].table, _SPACE.name)
    if table.card.is_modelled:
        raise InputError(f"table: {spec} is modelled already; give the measured table.")
    asked = [target.column for target in chosen]
    columns = asked
    if len(asked) > 1:
        columns = [name for name in asked if units.is_accuracy(name) and not _is_of_a_seed(name, asked)]
    if not columns or not units.is_accuracy(columns[0]):
        raise InputError(f"table: {spec} holds no accuracies; a model is made of accuracies in percent alone.")
    functions = table.frame.index.map(_SPACE.representative)
    frame = table.frame[columns].groupby(functions).mean()
    frame = frame[frame.index.isin(_functions())]
    measured = {str(name): frame[name].dropna() for name in columns}
    for name, accuracies in measured.items():
        if len(accuracies) < FEWEST_FUNCTIONS:
            raise InputError(
                f"table: {table.name}:{name} has an accuracy of {counted(len(accuracies), 'function')} with a live "
                f"path; a model needs {FEWEST_FUNCTIONS} or more."
            )
        if accuracies.nunique() == 1:
            raise InputError(f"table: {table.name}:{name} is the same for all functions; there is nothing to model.")
    return measured, table


def _is_of_a_seed(column: str, others: Collection[str]) -> bool:
    # Of the column without the seed's number: a number of epochs ends names too, such as cifar10-test-200.
    found = re.fullmatch(r"(.+)-(?:seed)?[0-9]+", column)
    return found is not None and found[1] in others


def cross_predicted(
    accuracies: pd.Series, step: Callable[[], object] = lambda: None, predicting: Predicting | None = None
) -> pd.DataFrame:
    """Return predictions of functions by models that were fitted without them; see `predict`.

    Args:
        accuracies: in percent by function.
        step: called after each of `FOLDS` fits.
        predicting: another model than `predict`.
    """
    accuracies = accuracies.sort_index()
    predicting = predicting or predict
    parts = []
    for kept_in, left_out in KFold(FOLDS, shuffle=True, random_state=0).split(accuracies):
        parts.append(predicting(accuracies.iloc[kept_in], accuracies.index[left_out].tolist()))
        step()
    return pd.concat(parts).sort_index()


def _difference(vanilla: pd.DataFrame, distilled: pd.DataFrame, alike: float) -> pd.DataFrame:
    # Students of a pair begin alike: their errors are correlated.
    variance = vanilla["std"] ** 2 + distilled["std"] ** 2 - 2 * alike * vanilla["std"] * distilled["std"]
    return pd.DataFrame({"mean": distilled["mean"] - vanilla["mean"], "std": np.sqrt(variance.clip(lower=0))})


def _by_cell(predicted: dict[str, pd.DataFrame], chance: float) -> pd.DataFrame:
    columns = {}
    for name, of in predicted.items():
        columns[name], columns[f"{name}-std"] = of["mean"], of["std"]
    by_function = pd.DataFrame(columns).round(3)
    if {"vanilla", "distilled", "gain"} <= set(columns):
        by_function["gain"] = (by_function["distilled"] - by_function["vanilla"]).round(3)
    cells = list(_SPACE.cells)
    frame = by_function.reindex([_SPACE.representative(cell) for cell in cells]).set_axis(pd.Index(cells, name="cell"))
    constant = {name: chance if units.is_accuracy(name) else 0.0 for name in frame.columns}
    return frame.fillna(constant)  # the cells without a live path


def _card(source: Table, columns: list[str], validation: pd.DataFrame) -> Card:
    of = validation.set_index("column")
    return replace(
        source.card,
        source=f"modelled by diswot-bench from {source.name} ({', '.join(columns)}), SHA-256 {source.card.data_hash}",
        recipe=(
            f"{MODELLED}: a Gaussian process (Matérn 3/2) on features of the cell, fitted to the accuracies of "
            f"{int(of['functions'].max())} functions; COLUMN-std: standard deviation of another training; a cell "
            f"without a live path has the accuracy of chance. Fitted to: {source.card.recipe}"
        ),
        seeds=f"none; fitted to: {source.card.seeds}",
        measured="; ".join(
            f"{name}, {FOLDS}-fold over {int(row['functions'])} functions left out: Spearman {row['spearman']:.3f} "
            f"(better half {row['spearman_better_half']:.3f}), root mean squared error {row['rmse']:.2f} points, "
            f"{COVERAGE:.0%} intervals hold {row['coverage_90']:.1%}"
            for name, row in of.iterrows()
        ),
    )
