"""The official files, as the packages that read them write them."""

from __future__ import annotations

import bz2
import copy
import itertools
import os
import pickle
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats_bench
import numpy as np
import pandas as pd
import pytest
import torch

import diswot
from diswot.benchmarks import tables
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces.nb201 import Cell
from diswot.benchmarks.tables import official

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # whatever that package warns of is not ours
    from nas_201_api import NASBench201API
    from nas_201_api.api_utils import ArchResults, ResultsCount

EVALUATED = {
    "cifar10-valid": ("x-valid", "ori-test"),
    "cifar10": ("ori-test",),
    "cifar100": ("x-valid", "x-test", "ori-test"),
    "ImageNet16-120": ("x-valid", "x-test", "ori-test"),
}
#: As in the real file: a cell may have been trained with fewer seeds than another.
SEEDS = {0: {12: (111, 777), 200: (777, 888, 999)}, 11: {12: (111,), 200: (888,)}, 284: {12: (777,), 200: (777, 999)}}


def training(images: str, seed: int, epochs: int, index: int, random: np.random.Generator) -> ResultsCount:
    curve = {epoch: float(random.uniform(1, 99)) for epoch in range(epochs)}
    config = {"channel": 16, "num_cells": 5, "arch_str": str(Cell.from_index(index)), "class_num": 10}
    made = ResultsCount(images, None, curve, curve, np.float64(0.8), 113.9, config, seed, epochs, None)
    made.update_train_info(curve, None, curve, OrderedDict(curve))
    keys = [f"{name}@{epoch}" for name in EVALUATED[images] for epoch in range(epochs)]
    accuracies, losses, times = ({key: float(random.uniform(1, 99)) for key in keys} for _ in range(3))
    accuracies[keys[-1]] = np.float64(accuracies[keys[-1]])
    made.update_eval(accuracies, losses, times)
    made.update_latency([np.float64(0.01)])
    return made


def results(index: int, epochs: int, seeds: tuple[int, ...], random: np.random.Generator) -> dict[str, Any]:
    made = ArchResults(index, str(Cell.from_index(index)))
    for images, seed in itertools.product(EVALUATED, reversed(seeds)):
        made.update(images, seed, training(images, seed, epochs, index, random))
    made.clear_params()
    return made.state_dict()


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    """What the official .pth holds, for three cells."""
    random = np.random.default_rng(0)
    return {
        "meta_archs": [str(Cell.from_index(index)) for index in range(max(SEEDS) + 1)],
        "total_archs": 15625,
        "arch2infos": {
            index: {"full": results(index, 200, by[200], random), "less": results(index, 12, by[12], random)}
            for index, by in SEEDS.items()
        },
        "evaluated_indexes": set(SEEDS),
    }


@pytest.fixture(params=[True, False], ids=["zip", "before 1.6"])
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[object], Path]:
    def write(value: object) -> Path:
        path = tmp_path / "NAS-Bench-201-v9.pth"
        torch.save(value, path, _use_new_zipfile_serialization=request.param)
        return path

    return write


def expected(content: dict[str, Any]) -> Iterator[tuple[int, str, float]]:
    """Cell, column and accuracy as the package says them."""
    api = NASBench201API(content, verbose=False)
    for index, (images, sets), epochs in itertools.product(SEEDS, EVALUATED.items(), (12, 200)):
        for seed in (False, *SEEDS[index][epochs]):
            info = api.get_more_info(index, images, hp=str(epochs), is_random=seed)
            for evaluated in sets:
                if images in ("cifar100", "ImageNet16-120") and evaluated == "ori-test":
                    continue
                name = "val" if evaluated == "x-valid" else "test"
                column = f"{images.lower()}-{name}-{epochs}" + (f"-seed{seed}" if seed else "")
                yield index, column, info["valid-accuracy" if name == "val" else "test-accuracy"]


def test_every_accuracy_is_what_the_package_says(content: dict[str, Any], save: Callable[[object], Path]) -> None:
    steps: list[int] = []
    table = official.read(save(content), lambda: steps.append(1))
    assert (table.name, table.space, len(steps)) == ("NAS-Bench-201-v9", "nb201", 3)
    assert table.frame.index.tolist() == list(SEEDS)
    known = {(cell, column): accuracy for cell, column, accuracy in expected(content)}
    read = {key: value for key, value in table.frame.stack().items() if not np.isnan(value)}
    assert read == known
    assert table.frame.size > len(known)  # a seed that a cell lacks is unknown, never a copy


def test_means_stand_before_their_seeds(content: dict[str, Any], save: Callable[[object], Path]) -> None:
    columns = list(official.read(save(content)).frame)
    assert columns[:4] == [f"cifar10-valid-val-{end}" for end in ("12", "12-seed111", "12-seed777", "200")]
    assert len(columns) == 7 * (3 + 4)


def test_what_is_read_is_forgotten_as_it_is_read(content: dict[str, Any], save: Callable[[object], Path]) -> None:
    # A training's curves are thousands of numbers, and the unpickler's memo holds every dictionary until the end.
    kept: list[dict] = []

    def watch(trained: Any) -> Any:
        kept.append(trained)
        return trained

    with pytest.MonkeyPatch.context() as patch:
        last = official._last
        patch.setattr(official, "_last", lambda accuracies: watch(last(accuracies)))
        official.read(save(content))
    assert len(kept) == sum(len(seeds) for by in SEEDS.values() for seeds in by.values()) * len(EVALUATED)
    assert max(map(len, kept)) <= 6  # three sets, after epochs 12 and 200


class Executing:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch executed",)


def altered(content: dict[str, Any], alter: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    copied = copy.deepcopy(content)
    alter(copied)
    return copied


def first(content: dict[str, Any], key: str = "full") -> dict[str, Any]:
    return content["arch2infos"][0][key]


def one(content: dict[str, Any]) -> dict[str, Any]:
    return first(content)["all_results"]["cifar100", 777]


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "malicious": (lambda c: c.update(extra=Executing()), r"asks for .*\.system, which data has no need of"),
    "malicious inside": (lambda c: one(c).update(arch_config=Executing()), r"asks for .*\.system, which data has no"),
    "tensors": (lambda c: one(c).update(net_state_dict=torch.zeros(2)), "asks for torch"),
    "no cells": (lambda c: c.pop("arch2infos"), "has no dictionary arch2infos; what can be imported is the official"),
    "empty": (lambda c: c["arch2infos"].clear(), "holds no accuracy; what can be imported"),
    "one training": (lambda c: c["arch2infos"][0].pop("less"), r"arch2infos\[0\] lacks 'less' or 'full'"),
    "another index": (
        lambda c: c["arch2infos"].update({5: c["arch2infos"].pop(0)}),
        r"arch2infos\[5\] holds cell 0, whose official index is not 5",
    ),
    "another space": (lambda c: first(c).update(arch_str="64:64:64:64:64"), "is not laid out .*not an architecture"),
    "no string": (lambda c: first(c).pop("arch_str"), r"is not laid out as the official one \(KeyError: 'arch_str'\)"),
    "no seeds": (lambda c: first(c).update(dataset_seed=None), r"is not laid out as the official one \(AttributeErr"),
    "a seed too many": (lambda c: first(c)["dataset_seed"]["cifar10"].append(5), r"\(KeyError: \('cifar10', 5\)\)"),
    "no results": (lambda c: first(c).update(all_results=[]), "is not laid out as the official one"),
    "no accuracies": (lambda c: one(c).update(eval_acc1es=None), "is not laid out as the official one"),
    "other epochs": (lambda c: one(c).update(epochs=90), r"\(ValueError: 90 epochs where there should be 200\)"),
    "no number": (lambda c: one(c)["eval_acc1es"].update({"x-test@199": "good"}), "could not convert string to float"),
    "no percentage": (lambda c: one(c)["eval_acc1es"].update({"x-test@199": 173}), r"the accuracy 173\.0"),
    "not a number": (lambda c: one(c)["eval_acc1es"].update({"x-test@199": float("nan")}), "the accuracy nan"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_unexpected_content_is_one_sentence(
    content: dict[str, Any], save: Callable[[object], Path], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    alter, sentence = FAULTS[fault]
    with pytest.raises(InputError, match=rf"NAS-Bench-201-v9\.pth'.*{sentence}") as error:
        official.read(save(altered(content, alter)))
    assert "\n" not in str(error.value)
    assert not Path("executed").exists()


@pytest.mark.parametrize("value", [{"state_dict": 1}, [1, 2], 3, {"arch2infos": [1]}])
def test_another_file_of_torch_is_one_sentence(save: Callable[[object], Path], value: object) -> None:
    with pytest.raises(InputError, match="has no dictionary arch2infos; what can be imported is the official NAS-Ben"):
        official.read(save(value))


def test_every_way_of_being_cut_short_is_one_sentence(content: dict[str, Any], save: Callable[[object], Path]) -> None:
    path = save(content)
    whole = path.read_bytes()
    for length in [*range(40), *range(40, len(whole) - 200, len(whole) // 12), len(whole) // 2 + 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"v9\.pth'.*(is no whole file of torch|is damaged|data has no need of)"):
            official.read(path)


def test_what_torch_did_not_write_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    for written in (b"", b"cell,a\n", pickle.dumps(Executing()), pickle.dumps({"arch2infos": {}})):
        path.write_bytes(written)
        with pytest.raises(InputError, match=r"x\.pth' is no whole file of torch\.save; what can be imported is"):
            official.read(path)
    pd.DataFrame({"a": [1]}).to_csv(path, compression={"method": "zip", "archive_name": "a.csv"})
    with pytest.raises(InputError, match=r"x\.pth' is no whole file of torch\.save"):
        official.read(path)
    with pytest.raises(InputError, match=r"there is no file or folder '.*y\.pth'; what can be imported is"):
        official.read(tmp_path / "y.pth")


# NATS-Bench


def nats(folder: Path, index: int, states: object) -> Path:
    path = folder / f"{index:06d}.pickle.pbz2"
    path.write_bytes(bz2.compress(pickle.dumps(states, protocol=4)))
    return path


def test_a_folder_says_what_the_file_says(
    content: dict[str, Any], save: Callable[[object], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "NATS-tss-v1_0-simple"
    folder.mkdir()
    for index, by_key in content["arch2infos"].items():
        nats(folder, index, {"12": by_key["less"], "200": by_key["full"]})
    (folder / "meta.pickle.pbz2").write_bytes(b"not looked at")
    steps: list[int] = []
    table = official.read(folder, lambda: steps.append(1))
    assert len(steps) == official.count(folder) == 3
    pd.testing.assert_frame_equal(table.frame, official.read(save(content)).frame)
    assert table.name == "NATS-tss-v1_0-simple"
    assert "NATS-Bench" in table.card.citation


@pytest.mark.parametrize(
    ("alter", "sentence"),
    [
        (lambda path, states: nats(path.parent, 0, Executing()), r"asks for .*\.system, which data has no need of"),
        (lambda path, states: nats(path.parent, 0, [states]), "lacks '12' or '200'"),
        (lambda path, states: nats(path.parent, 0, {"90": states["12"]}), "lacks '12' or '200'"),
        (lambda path, states: nats(path.parent, 0, {**states, "12": None}), "is not laid out as the official one"),
        (lambda path, states: path.rename(path.with_name("000007.pickle.pbz2")), "holds cell 0, .* index is not 7"),
        (lambda path, states: path.write_bytes(path.read_bytes()[:-50]), "is damaged or is not a pickle"),
        (lambda path, states: path.write_bytes(b"not bz2"), "cannot be read: Invalid data stream"),
        (lambda path, states: path.unlink(), "holds no cell; what can be imported is"),
    ],
)
def test_a_faulty_folder_is_one_sentence(
    content: dict[str, Any], tmp_path: Path, alter: Callable[[Path, dict], object], sentence: str
) -> None:
    by_key = content["arch2infos"][0]
    states = {"12": by_key["less"], "200": by_key["full"]}
    alter(nats(tmp_path, 0, states), states)
    with pytest.raises(InputError, match=sentence):
        official.read(tmp_path)


def renamed(content: dict[str, Any]) -> dict[str, Any]:
    """The same content as NATS-Bench's files have it."""
    cells = {index: {"12": by["less"], "200": by["full"]} for index, by in content["arch2infos"].items()}
    return content | {"arch2infos": cells}


@pytest.fixture(params=["nas_201_api", "nats_bench", "nats_bench, fast mode"])
def api(request: pytest.FixtureRequest, content: dict[str, Any], tmp_path: Path) -> Any:
    """A loaded object of each package, made by the package's own classes."""
    if request.param == "nas_201_api":
        return NASBench201API(content, verbose=False)
    cells = renamed(content)
    if request.param == "nats_bench":
        return nats_bench.create(cells, "tss", fast_mode=False, verbose=False)
    folder = tmp_path / "NATS-tss-v1_0-3ffb9-simple"
    folder.mkdir()
    with bz2.open(folder / "meta.pickle.pbz2", "wb") as file:
        pickle.dump({"meta_archs": content["meta_archs"], "evaluated_indexes": set(SEEDS)}, file)
    for index, states in cells["arch2infos"].items():
        nats(folder, index, states)
    return nats_bench.create(str(folder), "tss", fast_mode=True, verbose=False)


def test_from_api_gives_what_the_object_says(api: Any, content: dict[str, Any]) -> None:
    frame = diswot.tables.from_api(api, hp=None)
    known = {(cell, column): accuracy for cell, column, accuracy in expected(content)}
    assert {key: value for key, value in frame.stack().items() if not np.isnan(value)} == known
    assert frame.index.tolist() == list(SEEDS)


@pytest.mark.parametrize("hp", ["12", 200])
def test_from_api_separates_12_and_200_epochs(api: Any, hp: int | str) -> None:
    frame = diswot.tables.from_api(api, hp=hp)
    seeds = {"12": (111, 777), "200": (777, 888, 999)}[str(hp)]
    ends = [f"{hp}", *(f"{hp}-seed{seed}" for seed in seeds)]
    assert list(frame)[: len(ends)] == [f"cifar10-valid-val-{end}" for end in ends]
    assert len(frame.columns) == 7 * len(ends)
    means = frame[[f"cifar100-test-{end}" for end in ends[1:]]].mean(axis=1)  # never one random training
    assert frame[f"cifar100-test-{hp}"].to_numpy() == pytest.approx(means.to_numpy(), rel=1e-12)


def test_from_api_writes_a_table_with_its_card(api: Any, tmp_path: Path) -> None:
    path = tmp_path / "nb201-12.parquet"
    frame = diswot.tables.from_api(api, hp="12", out=path)
    table = tables.load(path)
    pd.testing.assert_frame_equal(table.frame, frame)
    assert table.name == "nb201-12"
    assert f"loaded by {type(api).__module__.partition('.')[0]}" in table.card.source
    (target,) = tables.targets(f"{path}:cifar100-test-12")
    assert target.name == "nb201-12:cifar100-test-12"


def test_from_api_refuses_what_is_no_loaded_object(content: dict[str, Any]) -> None:
    api = NASBench201API(content, verbose=False)
    size = types.SimpleNamespace(arch2infos_dict={}, search_space_name="size")
    for wrong in ("NAS-Bench-201-v1_1-096897.pth", content, size, None):
        with pytest.raises(InputError, match=r"api: a \w+ is no loaded nas_201_api.NASBench201API, and no object of"):
            diswot.tables.from_api(wrong)
    with pytest.raises(InputError, match=r"hp: '90' is not known.* Allowed: 12, 200"):
        diswot.tables.from_api(api, hp=90)
    api.arch2infos_dict.clear()
    with pytest.raises(InputError, match="api: the NASBench201API of 0 cells holds no accuracy after 200 epochs"):
        diswot.tables.from_api(api)


def test_real_cells_of_nats_bench(shared_data: Path) -> None:
    frame = official.read(shared_data / "nats-tss-sample").frame
    known = tables.load(shared_data / "nb201_200ep.csv.gz").frame.loc[[0, 11, 284]]
    names = {
        "cifar10-test-200": "c10_test200_nats",
        "cifar100-test-200": "c100_test200_nats",
        "imagenet16-120-test-200": "in16_test200_nats",
        "cifar10-valid-val-200": "c10valid_val200_nb201",
        "cifar10-valid-test-200": "c10valid_test200_nb201",
        "cifar100-val-200": "c100_val200_nb201",
        "cifar100-test-200-": "c100_test200_nb201",
        "imagenet16-120-val-200": "in16_val200_nb201",
    }
    for column, name in names.items():
        # The two releases differ in the ninth digit.
        assert frame[column.rstrip("-")].to_dict() == pytest.approx(known[name].to_dict(), abs=1e-6)
