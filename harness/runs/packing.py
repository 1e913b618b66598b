"""Make precomputed scores of a finished run's folder: the maintainers' side."""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from diswot.benchmarks import images, spaces
from diswot.benchmarks.errors import InputError, unknown
from diswot.harness import files
from diswot.harness.runs import answers, results, run_folder
from diswot.harness.runs.precomputed import catalogue
from diswot.harness.runs.precomputed.catalogue import Precomputed
from diswot.harness.runs.provenance import Card, devices
from diswot.harness.runs.results import Results
from diswot.proxies import registry

#: What a card does not take over from ``run.json``: the last of ``commands``, and what it says itself.
_NOT_TAKEN_OVER = {"command", "commands", "shipped"}

_LICENCE = "MIT, as this software; the images are not contained"

_CITATION = "CITATION.cff of diswot-bench, the source of each proxy, and of the images"

#: Seconds are noisy from their third digit on; more of them would be a third of the file.
_DIGITS_OF_SECONDS = 3


def pack(run: Path, name: str, proxies: Collection[str] | None = None) -> Precomputed:
    """Write the scores of a run into the package, in place of older ones of that name; return them.

    The same store gives the same bytes with the same version of pyarrow. Scores keep every bit; seconds are rounded to
    three digits.

    Args:
        run: the run's folder.
        name: of the precomputed scores.
        proxies: names of those that are packed; None for all of the run's.

    Raises:
        InputError: if the run is not complete, holds proxies that are not built in, or a name is none.
    """
    if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name):
        raise InputError(
            f"NAME: {name!r} must be lower-case letters, digits and single hyphens, such as nb201-cifar10."
        )
    found = _of(results.load(run), proxies)
    _refuse_unfinished(found)
    ordered = found.scores.sort_values(["proxy", "seed", "cell"], ignore_index=True)
    path = files.write(catalogue.data_path(name), lambda temporary: _write(ordered, temporary))
    files.write_json(catalogue.card_path(name), _card(name, found, files.digest(path)).stored())
    return catalogue.load(name)


def _of(found: Results, proxies: Collection[str] | None) -> Results:
    known = list(found.proxies["name"])
    for name in proxies or ():
        if name not in known:
            raise unknown("proxies", name, known)
    if proxies is None:
        return found
    records = [proxy for proxy in found.info.proxies if proxy.name in proxies]
    return replace(
        found,
        info=found.info.model_copy(update={"proxies": records}),
        scores=found.scores[found.scores["proxy"].isin(proxies)],
        proxies=found.proxies[found.proxies["name"].isin(proxies)],
    )


def _refuse_unfinished(found: Results) -> None:
    scores, folder = found.scores, found.folder
    space = spaces.get(found.info.space)
    built_in = {name for name in registry.names() if registry.is_built_in(registry.get(name))}
    own = [name for name in found.proxies["name"] if name not in built_in]
    if own:
        raise InputError(f"run: {folder} has scores of {', '.join(own)}, which are not built in.")
    wanted = pd.MultiIndex.from_product([found.proxies["name"], sorted(set(scores["seed"])), space.cells])
    missing = wanted.difference(pd.MultiIndex.from_frame(scores[["proxy", "seed", "cell"]]), sort=False)
    if len(missing) or not len(wanted):
        example = ", such as {} with seed {} of cell {}".format(*missing[0]) if len(missing) else ""
        raise InputError(
            f"run: {folder} is not complete: {len(missing)} of {len(wanted)} scores are missing{example}; "
            "`diswot evaluate --cells all` continues it."
        )
    failed = scores[scores["status"] == "failed"]
    if not failed.empty:
        first = failed.iloc[0]
        raise InputError(
            f"run: {len(failed)} scores of {folder} failed, such as {first['proxy']} of cell {first['cell']}: "
            f"{first['cause']}; `diswot evaluate` tries them again."
        )


def _write(ordered: pd.DataFrame, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {
            "proxy": pa.array(ordered["proxy"], pa.string()),
            "version": pa.array(ordered["version"], pa.string()),
            "seed": pa.array(ordered["seed"], pa.int64()),
            "cell": pa.array(ordered["cell"], pa.int32()),
            "status": pa.array(ordered["status"], pa.string()),
            "value": pa.array(ordered["value"], pa.float64(), from_pandas=True),
            "cause": pa.array(ordered["cause"], pa.string(), from_pandas=True),
            "seconds": pa.array(_rounded(ordered["seconds"].to_numpy(float)), pa.float32()),
        }
    )
    parquet.write_table(
        table,
        path,
        row_group_size=len(ordered) // ordered["proxy"].nunique(),  # one a proxy, so that some can be read alone
        compression="zstd",
        compression_level=19,
        use_dictionary=["proxy", "version", "status", "cause", "seconds"],
        # Scores that were float32 have 29 zero bits at the end, which only compress where these lie together.
        column_encoding={"value": "BYTE_STREAM_SPLIT", "cell": "DELTA_BINARY_PACKED", "seed": "DELTA_BINARY_PACKED"},
    )


def _rounded(seconds: np.ndarray) -> np.ndarray:
    digits = np.floor(np.log10(seconds, out=np.zeros_like(seconds), where=seconds > 0))
    scale = 10.0 ** (_DIGITS_OF_SECONDS - 1 - digits)
    return np.asarray(np.round(seconds * scale) / scale)


def _card(name: str, found: Results, data_hash: str) -> Card:
    info, scores = found.info, found.scores
    image_set = images.get(info.settings.images)
    undefined = scores[scores["status"] == "undefined"].groupby("proxy").size()
    return Card(
        **{key: getattr(info, key) for key in info.model_fields_set - _NOT_TAKEN_OVER},
        name=name,
        devices=devices(info),
        commands=[_without_folders(command) for command in info.commands],
        cells=int(scores["cell"].nunique()),
        seeds=sorted(int(seed) for seed in scores["seed"].unique()),
        scores=len(scores),
        undefined={str(proxy): int(count) for proxy, count in undefined.items()},
        failed=0,
        hours=round(_seconds_of_computing(found) / 3600, 3),
        image_source=f"{image_set.source} ({image_set.licence})",
        licence=_LICENCE,
        citation=_CITATION,
        data_hash=data_hash,
    )


def _seconds_of_computing(found: Results) -> float:
    # Where only live edges matter, all cells of a function have one score, computed once, and each has its seconds.
    scores, space = found.scores, spaces.get(found.info.space)
    by_function = scores["proxy"].isin(found.proxies.loc[found.proxies["live_edges_only"], "name"])
    stands_for = {cell: space.representative(cell) for cell in map(int, scores["cell"].unique())}
    network = scores["cell"].where(~by_function, scores["cell"].map(stands_for))
    once = ~scores.assign(network=network).duplicated(["proxy", "seed", "network"])
    return float(scores.loc[once, "seconds"].sum())


def _without_folders(command: str) -> str:
    # Where files lay on one machine helps nobody on another.
    words = shlex.split(command)
    return shlex.join(Path(word).name if Path(word).is_absolute() else word for word in words)


def keep_evidence(name: str) -> bool:
    """Judge precomputed scores by the default targets and method, keep that, and return whether it was new.

    Raises:
        InputError: if there are none of this name.
    """
    one = catalogue.load(name)
    with tempfile.TemporaryDirectory() as parent:
        found = results.correlate(run_folder.show(one, Path(parent)))
    if not found.method.kept:
        folder = catalogue.folder(name)
        shutil.rmtree(folder, ignore_errors=True)  # an answer to an earlier question
        answers.write(folder, found.method.question, found.correlations, found.evidence)
    return not found.method.kept
