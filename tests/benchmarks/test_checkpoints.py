"""Files of other people's weights: where they keep them, and what damage becomes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from diswot.benchmarks import checkpoints, teachers
from diswot.benchmarks.errors import InputError

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 1.6"])


def save(path: Path, content: object, zipped: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


@FORMATS
def test_repdistiller_s_files_are_read(tmp_path: Path, zipped: bool) -> None:
    # As its train_teacher.py writes the best epoch: the classifier is called fc, and shortcuts are convolutions.
    torch.manual_seed(0)
    network = teachers.build("resnet20", num_classes=100)
    state = {key.replace("classifier", "fc"): value for key, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9).state_dict()
    content = {"epoch": 240, "model": state, "best_acc": torch.tensor(69.06), "optimizer": optimizer}
    path = save(tmp_path / "resnet20_best.pth", content, zipped)
    name, read = checkpoints.network(checkpoints.read(path), path=path, num_classes=100)
    assert name == "resnet20"
    for key, value in network.state_dict().items():
        assert torch.equal(read.state_dict()[key], value)


@pytest.mark.parametrize("key", ["state_dict", "model_state_dict", "model", "net", None])
@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.", "model.model._orig_mod."],
)
def test_read_takes_off_what_wrappers_put_before_a_name(tmp_path: Path, key: str | None, prefix: str) -> None:
    network = teachers.build("resnet20", num_classes=10)
    state = {prefix + name.replace("classifier", "linear"): value for name, value in network.state_dict().items()}
    path = save(tmp_path / "x.pth", {"epoch": 3, key: state} if key else state)
    name, read = checkpoints.network(checkpoints.read(path), path=path, num_classes=10)
    assert name == "resnet20"
    assert all(torch.equal(read.state_dict()[name], value) for name, value in network.state_dict().items())


def test_read_takes_a_network_of_compiled_parts(tmp_path: Path) -> None:
    network = teachers.build("resnet20", num_classes=10)
    state = {name.replace(".conv1.", "._orig_mod.conv1."): value for name, value in network.state_dict().items()}
    assert any("_orig_mod" in name for name in state)
    path = save(tmp_path / "x.pth", {"model": {"state_dict": state}})
    assert checkpoints.network(checkpoints.read(path), path=path, num_classes=10)[0] == "resnet20"


def test_read_refuses_the_weights_of_two_networks(tmp_path: Path) -> None:
    path = save(tmp_path / "x.pth", {"fc.weight": torch.zeros(2, 3), "model.fc.weight": torch.ones(2, 3)})
    with pytest.raises(InputError, match=r"holds the weights of several networks: 'fc.weight', 'model.fc.weight'\."):
        checkpoints.read(path)


def test_refusals_name_the_keys_of_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "x.pth", {"epoch": 3, "weights": {"fc.weight": torch.zeros(2, 3)}})
    with pytest.raises(InputError, match=r"under state_dict, .*, net, and the file holds 'epoch', 'weights'\."):
        checkpoints.read(path)
    content: dict[str, Any] = {}
    content["model"] = content  # no end of them
    with pytest.raises(InputError, match="holds no state dictionary"):
        checkpoints.read(save(tmp_path / "x.pth", content))
    path = save(tmp_path / "x.pth", {f"student.{number}": torch.zeros(2) for number in range(9)})
    with pytest.raises(InputError, match=r"classifier, linear, fc, and the file holds 'student\.0', .* and 3 more\."):
        checkpoints.network(checkpoints.read(path), path=path, num_classes=10)


@pytest.mark.parametrize("content", [3, {}, {"model": 3}, {"state_dict": None}, {"model": {}}, {"model": {"a": 1}}])
def test_what_holds_no_state_dictionary_is_one_sentence(tmp_path: Path, content: object) -> None:
    with pytest.raises(InputError, match="holds no state dictionary"):
        checkpoints.read(save(tmp_path / "x.pth", content))


def test_what_is_more_than_weights_is_refused_without_advice_to_trust_it(tmp_path: Path) -> None:
    path = save(tmp_path / "resnet20_last.pth", {"opt": argparse.Namespace(lr=0.05), "model": {}})
    with pytest.raises(InputError, match="no file of weights that can be read safely, which holds tensors") as error:
        checkpoints.read(path)
    assert "weights_only" not in str(error.value)


@pytest.mark.parametrize("head", [torch.tensor(1.0), torch.zeros(10), torch.zeros(10, 64, 1, 1)])
def test_a_classifier_that_is_no_matrix_is_one_sentence(tmp_path: Path, head: torch.Tensor) -> None:
    path = save(tmp_path / "x.pth", {"fc.weight": head})
    with pytest.raises(InputError, match=f"has a classifier of {head.dim()} dimensions; weights of one have 2"):
        checkpoints.network(checkpoints.read(path), path=path, num_classes=10)


@pytest.fixture
def small() -> dict[str, Any]:
    return {"epoch": 1, "model": {"fc.weight": torch.zeros(2, 3), "bn1.num_batches_tracked": torch.tensor(1)}}


@FORMATS
def test_every_truncation_is_one_sentence(tmp_path: Path, zipped: bool, small: dict[str, Any]) -> None:
    path = save(tmp_path / "x.pth", small, zipped)
    whole = path.read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"x\.pth is damaged or no file of weights that can be read safely"):
            checkpoints.read(path)


def damaged(whole: bytes) -> Iterator[bytes]:
    """The file with one byte of its pickles less by one, each of the first few hundred in turn."""
    begin = whole.index(b"\x80\x02")
    for position in range(begin, begin + 450):
        yield whole[:position] + bytes([(whole[position] - 1) % 256]) + whole[position + 1 :]


@FORMATS
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_damaged_byte_is_one_sentence_or_harmless(tmp_path: Path, zipped: bool, small: dict[str, Any]) -> None:
    path = save(tmp_path / "x.pth", small, zipped)
    sentences = set()
    for content in damaged(path.read_bytes()):
        path.write_bytes(content)
        try:
            checkpoints.network(checkpoints.read(path), path=path, num_classes=2)
        except InputError as error:
            sentences.add(str(error))
    assert any("is damaged" in sentence for sentence in sentences)
    assert not any("\n" in sentence for sentence in sentences)
