"""Measure models of `nb201-kd`, and write the table `nb201-kd-model` by that of `diswot.benchmarks.tables.model`.

Run: ``python docs/measurements/model.py [--ship]``. It writes two tables and takes about four minutes on one core.

- docs/measurements/model.csv: models on functions left out of the fit, tenfold; and the agreement of predictions, and
  of a training with seed 0, with the mean of the trainings that no model was fitted to, seeds 1 and 2.
- docs/measurements/model-bias.csv: each proxy's Spearman correlation with measured accuracies and with predictions of
  the same functions by models that were not fitted to them. NAS-Bench-301 did the same.

``--ship`` writes the table and its card into benchmarks/tables/data, one row a function in single precision. Do this
whenever nb201-kd grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd
from scipy import stats
from sklearn.ensemble import BaggingRegressor, GradientBoostingRegressor, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

import diswot
from diswot.benchmarks import spaces, tables
from diswot.benchmarks.tables import model, nb201_kd, nb201_kd_model
from diswot.harness import files
from diswot.harness.evidence import panel

FOLDER = Path("docs/measurements")


@click.command()
@click.option("--ship", is_flag=True, help="Write the shipped table and its card.")
def main(ship: bool) -> None:
    """Write the measurements, and with --ship the table."""
    measured, _ = model.measured_in(nb201_kd.NAME)
    left_out = {
        name: {column: model.cross_predicted(of, predicting=predicting) for column, of in measured.items()}
        for name, predicting in MODELS.items()
    }
    parts = [model.validate(measured, of).assign(predictor=name) for name, of in left_out.items()]
    table = pd.concat([*parts, second_look()], ignore_index=True)
    first = ["predictor", "column", "functions"]
    table = table[first + [name for name in table if name not in first]]
    table.loc[table["predictor"] == "gradient boosting", table.filter(like="coverage").columns] = np.nan  # has no std
    table.to_csv(FOLDER / "model.csv", index=False, float_format="%.3f")
    click.echo(table.round(3).to_string(index=False))
    by_proxy = bias(measured, {name: of["mean"] for name, of in left_out["gaussian process"].items()})
    by_proxy.to_csv(FOLDER / "model-bias.csv", index=False, float_format="%.3f")
    click.echo(by_proxy.round(3).to_string(index=False))
    for column, of in by_proxy.groupby("column", sort=False):
        alike = of["measured"].corr(of["modelled"], method="spearman")
        gain = (of["modelled"].abs() - of["measured"].abs()).describe()
        click.echo(f"{column}: Spearman over {len(of)} proxies {alike:.3f}; modelled - measured:\n{gain.round(3)}")
    if ship:
        click.echo(f"wrote {shipped()}")


def shipped() -> Path:
    """Write the table that is shipped, and its card, and return its path."""
    space, path = spaces.get(nb201_kd_model.SPACE), Path(f"benchmarks/tables/data/{nb201_kd_model.NAME}.parquet")
    functions = [cell for cell in space.cells if space.representative(cell) == cell]
    made = model.model(nb201_kd.NAME).table
    files.write_with_card(path, lambda: replace(made, frame=made.frame.loc[functions].astype("float32")))
    return path


def second_look() -> pd.DataFrame:
    """Return the Spearman correlation with the mean of seeds 1 and 2, of functions trained with three seeds."""
    frame = tables.load(nb201_kd.NAME).frame
    rows = []
    for column in ("vanilla", "distilled"):
        first = frame.loc[frame.index.isin(model.feature_table().index), f"{column}-0"].dropna()
        others = frame.loc[first.index, [f"{column}-1", f"{column}-2"]].dropna().mean(axis=1)
        of = {
            "a training, seed 0": first,
            "fitted to seed 0 of all": model.predict(first, first.index.tolist())["mean"],
            "fitted to seed 0 of the others": model.cross_predicted(first)["mean"],
        }
        for name, values in of.items():
            agreement = values[others.index].corr(others, method="spearman")
            rows.append(
                {"predictor": f"seeds 1 and 2: {name}", "column": column, "functions": len(others)}
                | {"spearman": agreement, "rmse": float(np.sqrt(((values[others.index] - others) ** 2).mean()))}
            )
    return pd.DataFrame(rows)


def bias(measured: dict[str, pd.Series], predicted: dict[str, pd.Series]) -> pd.DataFrame:
    """Return each proxy's Spearman correlation with measured and with modelled accuracies of the same functions."""
    run = diswot.load("nb201-cifar10")
    functions = sorted(measured["distilled"].index)
    scores = panel.build(run.scores[run.scores["cell"].isin(functions)], pd.DataFrame(run.info["proxies"]))
    rows = []
    varied = np.ptp(np.where(np.isfinite(scores.scores[:, 0]), scores.scores[:, 0], -1e300), axis=1) > 0
    for place, proxy in ((place, name) for place, name in enumerate(scores.proxies) if varied[place]):
        for column, accuracies in measured.items():
            pair = (accuracies.loc[scores.cells], predicted[column].loc[scores.cells])
            of = [float(stats.spearmanr(scores.scores[place, 0], values).statistic) for values in pair]
            rows.append({"proxy": proxy, "column": column, "measured": of[0], "modelled": of[1]})
    return pd.DataFrame(rows).sort_values(["column", "measured"], ascending=False)


def _without_logarithm(accuracies: pd.Series, functions: Sequence[int]) -> pd.DataFrame:
    kernel = ConstantKernel() * Matern(10.0, (1.0, 1e3), nu=1.5) + WhiteKernel(0.1)
    fitted = GaussianProcessRegressor(kernel, normalize_y=True).fit(_x(accuracies.index), accuracies)
    mean, std = fitted.predict(_x(functions), return_std=True)
    return pd.DataFrame({"mean": mean, "std": std}, index=list(functions))


def _boosted(accuracies: pd.Series, functions: Sequence[int]) -> pd.DataFrame:
    fitted = _boosting(random_state=0).fit(_x(accuracies.index), accuracies)
    return pd.DataFrame({"mean": fitted.predict(_x(functions)), "std": np.nan}, index=list(functions))


def _bagged(accuracies: pd.Series, functions: Sequence[int]) -> pd.DataFrame:
    fitted = BaggingRegressor(_boosting(), n_estimators=20, oob_score=True, random_state=0)
    return _ensemble(fitted, accuracies, functions)


def _forest(accuracies: pd.Series, functions: Sequence[int]) -> pd.DataFrame:
    fitted = RandomForestRegressor(200, min_samples_leaf=2, max_features=0.3, oob_score=True, random_state=0)
    return _ensemble(fitted, accuracies, functions)


def _ensemble(
    ensemble: BaggingRegressor | RandomForestRegressor, accuracies: pd.Series, functions: Sequence[int]
) -> pd.DataFrame:
    # The members' variance, and the mean squared error of each function by the members that did not see it.
    fitted = ensemble.fit(_x(accuracies.index), accuracies)
    members = np.array([member.predict(_x(functions)) for member in fitted.estimators_])
    noise = np.mean((fitted.oob_prediction_ - accuracies) ** 2)
    std = np.sqrt(members.var(axis=0) + noise)
    return pd.DataFrame({"mean": members.mean(axis=0), "std": std}, index=list(functions))


def _boosting(**settings: int) -> GradientBoostingRegressor:
    return GradientBoostingRegressor(
        **settings,
        n_estimators=200,
        max_depth=4,
        learning_rate=0.04,
        subsample=0.5,
        max_features=0.2,
        min_samples_leaf=5,
    )


def _x(functions: Sequence[int] | pd.Index) -> np.ndarray:
    return model.feature_table().loc[list(functions)].to_numpy()


MODELS = {
    "gaussian process": model.predict,
    "gaussian process of accuracies": _without_logarithm,
    "gradient boosting": _boosted,
    "gradient boosting, bagged": _bagged,
    "random forest": _forest,
}


if __name__ == "__main__":
    main()
