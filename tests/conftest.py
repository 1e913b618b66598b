"""What tests of several packages share."""

from __future__ import annotations

import itertools
import pickle
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# Timing says nothing on a shared machine, and a run that fails must fail again.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")

# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: Files that take long, and are begun first: while one that is begun last runs, the other processes have nothing to do.
LONGEST = (
    *("test_faults.py", "test_testing.py", "test_scoring.py", "test_sweep.py", "test_distillation.py", "test_study.py"),
    *("test_search_figures.py", "test_figures.py", "test_executor.py", "test_cli.py", "test_golden.py"),
    *("test_browser.py", "test_commands.py", "test_notebook.py", "test_interface.py", "test_extension.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first; a file's tests stay in their order."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """The networks are small, and threads that wait for each other on a busy machine cost more than they bring."""
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """New folders inside one of their own: pytest looks through all that lie beside each other to number the next."""
    folder = tmp_path_factory.mktemp("caches")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_cache(caches: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder: an empty one, whatever the user has fetched."""
    folder = next(caches)
    folder.mkdir()
    monkeypatch.setenv("DISWOT_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; skips where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("there is no folder of real data beside the project")
    return folder


@pytest.fixture(scope="session")
def image_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CIFAR-10 in its official layout, in which the class is the colour: 200 images to train on and 100 to test."""
    folder = tmp_path_factory.mktemp("images") / "cifar-10-batches-py"
    folder.mkdir()
    random = np.random.default_rng(0)
    colours = random.integers(60, 200, (10, 3))
    for name, count in {**{f"data_batch_{number}": 40 for number in range(1, 6)}, "test_batch": 100}.items():
        labels = np.arange(count) % 10
        noise = random.integers(-50, 50, (count, 3, 32, 32))
        pixels = np.clip(colours[labels][:, :, None, None] + noise, 0, 255).astype(np.uint8)
        content = {b"data": pixels.reshape(count, -1), b"labels": labels.tolist()}
        (folder / name).write_bytes(pickle.dumps(content, protocol=4))
    return folder.parent
