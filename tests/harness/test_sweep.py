from __future__ import annotations

import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
import torch

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.spaces import nb201
from diswot.harness import progress
from diswot.harness.compute import sweep, task
from diswot.harness.compute.plan import Plan
from diswot.harness.runs import results, run_folder
from diswot.harness.runs.store import Store
from diswot.proxies import registry

Sweep = Callable[..., sweep.Tally]
MakePlan = Callable[..., Plan]

#: How long a process may take to start and to store a score on a busy machine.
PATIENCE = 120.0


@pytest.fixture
def run(inline: Callable[[int], Executor]) -> Sweep:
    def call(plan: Plan, folder: Path) -> sweep.Tally:
        return sweep.run(plan, folder, make_executor=inline)

    return call


def scores(folder: Path) -> pd.DataFrame:
    """Everything stored but the time it took, by identity."""
    with Store(run_folder.store_path(folder), create=False) as store:
        return store.frame().drop(columns="seconds")


def stored(folder: Path) -> int:
    path = run_folder.store_path(folder)
    if not path.exists():
        return 0
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM scores").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def assert_same(one: Path, other: Path) -> None:
    pd.testing.assert_frame_equal(scores(one), scores(other), check_exact=True)


def test_every_score_is_stored(run: Sweep, make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan(seeds=(0, 7))
    tally = run(plan, tmp_path)
    assert (tally.before, dict(tally.statuses), dict(tally.causes)) == (0, {"ok": 16}, {})
    found = scores(tmp_path)
    assert set(zip(found["cell"], found["seed"], strict=True)) == {(111, 0), (111, 7), (113, 0), (113, 7)}
    assert (found["space"] == "s0").all()
    assert (found["version"] == found["proxy"].map(lambda name: registry.get(name).version)).all()
    by_seed = found.pivot(index=["cell", "proxy"], columns="seed", values="value")
    assert (by_seed.loc[(slice(None), "params"), 0] == by_seed.loc[(slice(None), "params"), 7]).all()
    assert (by_seed.loc[(slice(None), "snip"), 0] != by_seed.loc[(slice(None), "snip"), 7]).all()


def test_a_score_is_what_the_library_gives(run: Sweep, make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan("snip,diswot")
    run(plan, tmp_path)
    context = sweep.prepare(plan)
    records = task.score_cell(context, 113, 0, ("diswot", "snip"))
    found = scores(tmp_path).set_index(["cell", "proxy"])["value"]
    assert {r.proxy: r.value for r in records} == found[113].to_dict()


#: A skip connection from input to output, and the same beside a dead 1x1 convolution: no cell is quicker.
SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
DEAD = "|nor_conv_1x1~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


@pytest.mark.parametrize(
    ("space", "cells"), [("s0", (113, 111)), ("nb201", tuple(nb201.as_cell(text).index for text in (SKIP, DEAD)))]
)
def test_neither_order_nor_company_changes_a_score(
    run: Sweep, make_plan: MakePlan, tmp_path: Path, space: str, cells: tuple[int, ...]
) -> None:
    names = ("params", "snip", "zico", "zen", "diswot")
    run(make_plan(",".join(names), space=space, cells=cells, seeds=(0, 1)), tmp_path / "one")
    run(make_plan(",".join(names[::-1]), space=space, cells=cells[::-1], seeds=(1, 0)), tmp_path / "other")
    assert_same(tmp_path / "one", tmp_path / "other")
    for name in names:
        run(make_plan(name, space=space, cells=cells[1:], seeds=(1,)), tmp_path / "alone")
    alone = scores(tmp_path / "alone")
    both = scores(tmp_path / "one").merge(alone[["cell", "proxy", "seed"]])
    pd.testing.assert_frame_equal(both, alone, check_exact=True)


def test_what_is_dead_changes_only_what_counts_it(run: Sweep, make_plan: MakePlan, tmp_path: Path) -> None:
    cells = tuple(nb201.as_cell(text).index for text in (SKIP, DEAD))
    run(make_plan("params,live_params,snip,zen,diswot", space="nb201", cells=cells), tmp_path)
    by_cell = scores(tmp_path).pivot(index="proxy", columns="cell", values="value")
    differ = by_cell.index[by_cell[cells[0]] != by_cell[cells[1]]]
    assert list(differ) == [name for name in by_cell.index if not registry.get(name).live_edges_only]


def test_a_complete_sweep_does_nothing(run: Sweep, make_plan: MakePlan, tmp_path: Path) -> None:
    run(make_plan(), tmp_path)
    before = scores(tmp_path)
    tally = sweep.run(make_plan(), tmp_path, make_executor=lambda workers: pytest.fail("there was work to do"))
    assert (tally.before, dict(tally.statuses)) == (8, {})
    pd.testing.assert_frame_equal(scores(tmp_path), before)


def test_only_what_is_missing_is_done(run: Sweep, make_plan: MakePlan, tmp_path: Path) -> None:
    run(make_plan("params,snip"), tmp_path / "grown")
    for plan, before, done in (
        (make_plan("params,snip,zen"), 4, 2),
        (make_plan("params", seeds=(0, 1)), 2, 2),
        (make_plan("params", cells=(111, 113, 115)), 2, 1),
        (make_plan("params,snip,zen", cells=(111, 113, 115), seeds=(0, 1)), 9, 9),
    ):
        tally = run(plan, tmp_path / "grown")
        assert (tally.before, tally.statuses["ok"]) == (before, done)
    run(make_plan("params,snip,zen", cells=(111, 113, 115), seeds=(0, 1)), tmp_path / "at once")
    assert_same(tmp_path / "grown", tmp_path / "at once")
    assert len(results.load(tmp_path / "grown").scores) == 18


@pytest.mark.parametrize(
    "change", [{"batch_size": 8}, {"batch_seed": 1}, {"teacher": "s0:113"}, {"space": "nb201", "cells": (12,)}]
)
def test_other_settings_are_refused(run: Sweep, make_plan: MakePlan, tmp_path: Path, change: dict[str, Any]) -> None:
    run(make_plan("params"), tmp_path)
    before = scores(tmp_path)
    with pytest.raises(InputError, match=f"holds a run with other settings: {next(iter(change))} "):
        run(make_plan("params", **change), tmp_path)
    pd.testing.assert_frame_equal(scores(tmp_path), before)


def test_a_version_of_its_own_is_scored_anew(run: Sweep, make_plan: MakePlan, tmp_path: Path) -> None:
    run(make_plan("params"), tmp_path)
    plan = make_plan("params")
    newer = replace(plan.proxies[0], version="next")
    with Store(run_folder.store_path(tmp_path), create=False) as store:
        settings = sweep.prepare(plan).settings
        assert sweep.missing(plan, store, settings) == ([], 2)
        tasks, before = sweep.missing(replace(plan, proxies=(newer,)), store, settings)
    assert (len(tasks), before) == (2, 0)


#: What a proxy does, what becomes of it, and the cause that is stored.
BAD = {
    "raises": ("raise ValueError('no such luck')", "failed", "ValueError: no such luck"),
    "divides": ("return 1 / 0", "failed", "ZeroDivisionError: division by zero"),
    "nan": ("return float('nan')", "undefined", "the score is nan"),
    "infinite": ("return torch.tensor(float('-inf'))", "undefined", "the score is -inf"),
    "undefined": ("raise proxies.UndefinedScore('too few of them')", "undefined", "too few of them"),
    "text": ("return '1.5'", "failed", "TypeError: it returned a str, not one number"),
    "nothing": ("pass", "failed", "TypeError: it returned a NoneType, not one number"),
    "tensor": ("return torch.ones(2)", "failed", "TypeError: it returned a Tensor of shape (2,), not one number"),
    "unasked": ("return trace.logits.sum()", "failed", "logits"),
    "weights": (
        "with torch.no_grad():\n    next(trace.network.parameters()).mul_(2)\nreturn 1.0",
        "failed",
        "ProxyError: it changes the network's weights",
    ),
    "mode": ("trace.network.eval()\nreturn 1.0", "failed", "ProxyError: it changes the network's mode"),
    "hook": (
        "trace.network.register_forward_hook(lambda *args: None)\nreturn 1.0",
        "failed",
        "ProxyError: it leaves a hook on the network",
    ),
    "gradients": (
        "sum(p.sum() for p in trace.network.parameters()).backward()\nreturn 1.0",
        "failed",
        "ProxyError: it leaves gradients on the network",
    ),
    "torch_random": ("return torch.rand(())", "failed", "ProxyError: it draws from the global random state"),
    "python_random": ("return random.random()", "failed", "ProxyError: it draws from the global random state"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_proxy_is_an_outcome_and_nobody_elses_trouble(
    run: Sweep, make_plan: MakePlan, plugin: Callable[..., Path], tmp_path: Path, what: str
) -> None:
    body, status, cause = BAD[what]
    path = plugin(body)
    registry.load_file(path)
    run(make_plan("params,snip,zen", cells=(111,)), tmp_path / "without")
    tally = run(make_plan("mine,params,snip,zen", cells=(111,), plugins=(path,)), tmp_path / "with")
    found = scores(tmp_path / "with")
    mine = found[found["proxy"] == "mine"]
    assert len(mine) == 1
    assert set(mine["status"]) == {status}
    assert all(cause in text for text in mine["cause"])
    assert tally.statuses == {"ok": 3, status: 1}
    assert sum(tally.causes.values()) == (1 if status == "failed" else 0)
    others = found[found["proxy"] != "mine"].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, scores(tmp_path / "without"), check_exact=True)


def test_a_failed_score_is_tried_again(
    run: Sweep, make_plan: MakePlan, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    path = plugin(f"if not os.path.exists({str(tmp_path / 'mended')!r}):\n    raise OSError('not yet')\nreturn 2.0")
    registry.load_file(path)
    plan = make_plan("mine,params", plugins=(path,))
    assert run(plan, tmp_path / "run").statuses == {"ok": 2, "failed": 2}
    (tmp_path / "mended").touch()
    tally = run(plan, tmp_path / "run")
    assert (tally.before, tally.statuses) == (2, {"ok": 2})
    assert set(scores(tmp_path / "run")["status"]) == {"ok"}


def test_a_cell_that_kills_its_worker_is_a_failure_and_is_tried_again(
    run: Sweep, make_plan: MakePlan, tmp_path: Path, inline: Callable[[int], Executor]
) -> None:
    class Deadly(type(inline(1))):  # type: ignore[misc]
        def submit(self, function: Any, /, asked: task.Task) -> Future[Any]:
            if asked.network != 113:
                return super().submit(function, asked)
            future: Future[Any] = Future()
            future.set_exception(BrokenProcessPool())
            return future

    plan = make_plan("params,snip", cells=(111, 113, 115))
    tally = sweep.run(plan, tmp_path / "deadly", make_executor=lambda workers: Deadly())
    assert tally.statuses == {"ok": 4, "failed": 2}
    found = scores(tmp_path / "deadly").set_index(["cell", "proxy"])
    assert set(found.loc[113, "cause"]) == {"RuntimeError: its worker process died; memory may have run out"}
    assert run(plan, tmp_path / "deadly").statuses == {"ok": 2}
    run(plan, tmp_path / "untouched")
    assert_same(tmp_path / "deadly", tmp_path / "untouched")


def test_a_network_that_cannot_be_built_is_a_failure(
    run: Sweep, make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = task.make_network

    def fail(*arguments: Any) -> Any:
        network = build(*arguments)
        if sum(1 for _ in network.modules()) > 40:
            raise MemoryError("out of memory")
        return network

    monkeypatch.setattr(task, "make_network", fail)
    tally = run(make_plan("params,zen", cells=(111, 777)), tmp_path)
    assert tally.statuses == {"ok": 2, "failed": 2}
    found = scores(tmp_path)
    assert set(found[found["cell"] == 777]["cause"]) == {"MemoryError: out of memory"}


def test_a_full_disk_stops_the_sweep_and_keeps_what_was_stored(
    run: Sweep, make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Store.write

    def full(self: Store, records: Any) -> None:
        if stored(tmp_path) >= 4:
            raise InputError("store: it cannot be written: database or disk is full.")
        write(self, records)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", full)
        with pytest.raises(InputError, match="disk is full"):
            run(make_plan("params,snip", seeds=(0, 1)), tmp_path)
    assert stored(tmp_path) == 4
    tally = run(make_plan("params,snip", seeds=(0, 1)), tmp_path)
    assert (tally.before, tally.statuses["ok"]) == (4, 4)


@pytest.mark.parametrize("how", ["folder", "store", "replaced"])
def test_sweep_ends_where_its_store_is_removed(
    run: Sweep, make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    write = Store.write

    def remove(self: Store, records: Any) -> None:
        write(self, records)
        if how == "folder":
            shutil.rmtree(tmp_path / "run")
        else:
            self.path.rename(self.path.with_name("elsewhere"))
        if how == "replaced":
            self.path.touch()

    monkeypatch.setattr(Store, "write", remove)
    with pytest.raises(InputError, match=r"out: .*scores.sqlite was removed while it was written to"):
        run(make_plan("params"), tmp_path / "run")


def test_a_script_without_a_guard_stores_its_scores(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from diswot.harness.compute import sweep\n"
        "from diswot.harness.compute.plan import Plan\n"
        "from diswot.proxies import registry\n"
        "plan = Plan(space='s0', cells=(111, 113), proxies=registry.select('params'), seeds=(0,),\n"
        "    images='noise', image_dir=None, batch_size=2, batch_seed=0, augment=False, teacher='s0:111',\n"
        "    devices=('cpu',), device_name='test', workers=1)\n"
        f"print(dict(sweep.run(plan, Path({str(tmp_path / 'run')!r})).statuses))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.stdout, done.stderr) == ("{'ok': 2}\n", "")


def test_a_worker_imports_the_modules_that_register_proxies(
    make_plan: MakePlan, plugin: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plugin("return 4.0", file="of_a_user.py")
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.delitem(sys.modules, "of_a_user", raising=False)
    context = replace(sweep.prepare(make_plan("params", cells=(111,))), modules=("of_a_user",))
    asked = task.Task(111, (0,), (("mine", 0, (111,)),))
    assert [record.value for record in task.score_network(context, asked)] == [4.0]


def test_progress_is_a_line_now_and_then(
    run: Sweep,
    make_plan: MakePlan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LOG_LINES", 0.0)
    run(make_plan("params"), tmp_path)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("1 of 2 networks, about ")
    assert second == "2 of 2 networks, about 0 s to go"


def test_progress_is_a_bar_on_a_terminal(
    run: Sweep,
    make_plan: MakePlan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run(make_plan("params"), tmp_path)
    assert "2 scores: 100%" in capsys.readouterr().err


#: Slow enough to be killed in between, but only in a worker of the process that is killed.
SLOW = "import multiprocessing\nif multiprocessing.parent_process():\n    time.sleep(0.3)\nreturn 1.0"
KILLED = "params,snip,zen,diswot,mine"


class Process:
    """``diswot evaluate`` in a process of its own, as a user starts it."""

    def __init__(self, folder: Path, plugin: Path, cells: str, workers: int) -> None:
        command = ["evaluate", "--space", "s0", "--cells", cells, "--seeds", "2", "--proxies", KILLED]
        command += ["--batch-size", "4", "--teacher", "s0:111", "--plugin", str(plugin)]
        command += ["--device", "cpu", "--workers", str(workers), "--out", str(folder)]
        self.folder = folder
        start = [sys.executable, "-c", "import sys; from diswot.harness.cli import main; sys.exit(main())"]
        self.process = subprocess.Popen(
            start + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def until(self, *, scores: int = 0, workers: int = 0) -> list[psutil.Process]:
        """Wait until so many scores are stored and workers started; return the processes that it started."""
        end = time.monotonic() + PATIENCE
        while stored(self.folder) < scores or len(self.workers()) < workers:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < end, "nothing happened in time"
            time.sleep(0.05)
        return psutil.Process(self.process.pid).children(recursive=True)

    def workers(self) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.process.pid).children() if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # one that only asked for the processor's name may have ended
        return "--multiprocessing-fork" in process.cmdline()
    return False


def test_a_sweep_killed_twice_ends_with_the_same_scores(
    run: Sweep, make_plan: MakePlan, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    path = plugin(SLOW)
    killed = tmp_path / "killed"
    seen = 0
    for cells, workers in (("111,113,131,311", 2), ("311,131,113,111", 1)):
        process = Process(killed, path, cells, workers)
        children = process.until(scores=seen + 1)
        process.process.kill()
        process.process.communicate()
        _, alive = psutil.wait_procs(children, timeout=PATIENCE)
        assert alive == []
        seen = stored(killed)
    assert 10 <= seen < 40
    registry.load_file(path)
    plan = make_plan(KILLED, cells=(131, 111, 311, 113), seeds=(1, 0), plugins=(path,))
    tally = run(plan, killed)
    assert (tally.before, tally.statuses["ok"]) == (seen, 40 - seen)
    run(replace(plan, cells=(111, 113, 131, 311), seeds=(0, 1)), tmp_path / "untouched")
    assert_same(killed, tmp_path / "untouched")


def test_ctrl_c_ends_with_a_sentence_and_the_same_command_continues(
    run: Sweep, make_plan: MakePlan, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    path = plugin(SLOW)
    process = Process(tmp_path / "run", path, "111,113,131,311", 2)
    children = process.until(workers=2)  # which are importing then: nothing must be said of that
    for one in (process.process.pid, *(child.pid for child in children)):  # as a terminal does
        with suppress(psutil.NoSuchProcess):  # one that only asked for the processor's name has ended
            psutil.Process(one).send_signal(signal.SIGINT)
    out, error = process.process.communicate(timeout=PATIENCE)
    assert process.process.returncode == 1
    assert error.splitlines()[-1] == ("diswot: stopped; what was computed is stored, and the same command continues.")
    assert "Traceback" not in out + error
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert alive == []
    seen = stored(tmp_path / "run")
    registry.load_file(path)
    plan = make_plan(KILLED, cells=(111, 113, 131, 311), seeds=(0, 1), plugins=(path,))
    tally = run(plan, tmp_path / "run")
    assert (tally.before, tally.statuses["ok"]) == (seen, 40 - seen)


def test_a_suspended_worker_and_five_ctrl_c_end_with_one_sentence(plugin: Callable[..., Path], tmp_path: Path) -> None:
    process = Process(tmp_path / "run", plugin(SLOW), "111,113,131,311", 2)
    children = process.until(scores=1, workers=2)
    process.workers()[0].suspend()
    for _ in range(5):
        with suppress(ProcessLookupError):
            os.killpg(process.process.pid, signal.SIGINT)
        time.sleep(0.02)
    _, error = process.process.communicate(timeout=PATIENCE)
    assert process.process.returncode == 1
    assert error.splitlines()[-1] == "diswot: stopped; what was computed is stored, and the same command continues."
    assert error.count("stopped") == 1
    assert "Traceback" not in error
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert alive == []


def members(cell: int, count: int) -> tuple[int, ...]:
    """Cells of one function, the one that stands for them last."""
    others = [one for one in range(nb201.SIZE) if nb201.Cell.from_index(one).representative.index == cell != one]
    return (*others[: count - 1], cell)


def test_cells_of_one_function_are_scored_once_and_alike(run: Sweep, make_plan: MakePlan, tmp_path: Path) -> None:
    names, cell = "params,live_params,snip,nwot", nb201.as_cell(14).representative.index
    cells = members(cell, 3)
    plan = make_plan(names, space="nb201", cells=cells)
    tasks = task.tasks(sweep.prepare(plan).settings, [(one, 0, names.split(",")) for one in cells])
    assert [one.network for one in tasks] == [cells[0], cell, cells[1]]
    assert {name: got for name, _, got in tasks[1].wanted} == {
        **{"live_params": cells, "snip": cells},
        **{"params": (cell,), "nwot": (cell,)},
    }
    run(plan, tmp_path / "together")
    for one in cells:
        run(make_plan(names, space="nb201", cells=(one,)), tmp_path / "apart")
    assert_same(tmp_path / "apart", tmp_path / "together")
    values = scores(tmp_path / "together").set_index(["proxy", "cell"])["value"]
    assert values["snip"].nunique() == values["live_params"].nunique() == 1
    assert values["params"].nunique() > 1


def test_whatever_a_plug_in_raises_is_its_own_and_the_sweep_goes_on(
    run: Sweep, make_plan: MakePlan, plugin: Callable[..., Path], tmp_path: Path
) -> None:
    bodies = {
        "surrogate": "raise OSError(os.fsdecode(b'caf\\xe9'))",
        "absent": "raise proxies.UndefinedScore(f'there is no {os.fsdecode(bytes([233]))}')",
        "mute": "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})()",
        "leaves": "raise GeneratorExit",
        "quantised": "return torch.empty((), device='meta')",
        "turns_off": "torch.backends.mkldnn.enabled = False\nreturn 1.0",
    }
    for name, body in bodies.items():
        registry.load_file(plugin(body, name=name, file=f"{name}.py", needs="'weights'"))
    plan = make_plan(f"params,snip,{','.join(bodies)}", cells=(111,))
    run(plan, tmp_path / "run")
    found = scores(tmp_path / "run").set_index("proxy")
    assert dict(found["cause"]) == {
        "params": None,
        "snip": None,
        "surrogate": "OSError: caf\\udce9",
        "absent": "there is no \\udce9",
        "mute": "Mute: a Mute whose text cannot be made",
        "leaves": "ProxyError: it raises GeneratorExit: ",
        "quantised": "TypeError: it returned a meta tensor, not one number",
        "turns_off": "ProxyError: it changes torch.backends.mkldnn.enabled, from True to False",
    }
    assert list(found["status"].loc[["params", "snip", "absent"]]) == ["ok", "ok", "undefined"]
    again = run(plan, tmp_path / "run")
    assert again.statuses == {"failed": 5}
    run(make_plan("params,snip", cells=(111,)), tmp_path / "alone")
    assert scores(tmp_path / "alone").set_index("proxy").equals(found.loc[["params", "snip"]])


def test_vectorised_seeds_give_the_scores_of_each(run: Sweep, make_plan: MakePlan, tmp_path: Path) -> None:
    # Not plain, kdsvd: the first cancels to its rounding, the second depends on signs that rounding chooses.
    built_in = (name for name in registry.names() if registry.is_built_in(registry.get(name)))
    names = ",".join(name for name in built_in if name not in ("plain", "kdsvd"))
    plan = make_plan(names, cells=(113,), seeds=(0, 1), batch_size=8)
    run(plan, tmp_path / "plain")
    run(replace(plan, vectorised_seeds=2), tmp_path / "vectorised")
    one, other = (scores(tmp_path / name) for name in ("plain", "vectorised"))
    assert list(one["status"]) == list(other["status"])
    # The kernels add up in another order. pkt's terms cancel; zico divides by differences between two batches'
    # gradients, the smallest of which, with the fewest digits, weigh most.
    loose = {"pkt": 2e-3, "zico": 3e-2}
    for name, mine in other.groupby("proxy"):
        expected = one.loc[mine.index, "value"].to_numpy()
        assert mine["value"].to_numpy() == pytest.approx(expected, rel=loose.get(str(name), 1e-3), nan_ok=True), name


def test_vectorised_seeds_are_the_same_whichever_of_its_seeds_is_asked_for(
    run: Sweep, make_plan: MakePlan, tmp_path: Path
) -> None:
    run(make_plan(seeds=(0, 1, 2), vectorised_seeds=2), tmp_path / "together")
    for seed in (2, 1, 0):
        run(make_plan(seeds=(seed,), vectorised_seeds=2), tmp_path / "apart")
    assert_same(tmp_path / "apart", tmp_path / "together")


def test_tampering_with_vectorised_seeds_changes_nothing_for_others(
    run: Sweep, make_plan: MakePlan, tmp_path: Path, plugin: Callable[..., Path]
) -> None:
    registry.load_file(plugin("trace.logits.add_(1)\nreturn 1.0", name="aaa", needs="'logits'"))
    registry.load_file(plugin("return trace.logits.sum()", name="zzz", file="other.py", needs="'logits'"))
    run(make_plan("zzz", seeds=(0, 1), vectorised_seeds=2), tmp_path / "alone")
    run(make_plan("aaa,zzz", seeds=(0, 1), vectorised_seeds=2), tmp_path / "both")
    both = scores(tmp_path / "both")
    assert set(both[both["proxy"] == "aaa"]["status"]) == {"failed"}
    mine = both[both["proxy"] == "zzz"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, scores(tmp_path / "alone"))


def test_nothing_of_a_network_outlives_its_task(make_plan: MakePlan) -> None:
    names = tuple(name for name in registry.names() if registry.is_built_in(registry.get(name)))
    context = sweep.prepare(make_plan())
    tensors = []
    for cell in (111, 311, 111):
        task.score_cell(context, cell, 0, names)
        tensors.append(sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects()))
    # The first left the batches and the teacher, which stay. No garbage collection is waited for: activations that a
    # cycle held would pile up between two.
    assert tensors[1:] == [tensors[0]] * 2


@pytest.mark.parametrize("vectorised_seeds", [1, 6])
def test_a_teacher_is_made_once_a_seed_and_those_of_earlier_seeds_go(
    run: Sweep, make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vectorised_seeds: int
) -> None:
    made: list[object] = []
    real = task.trace_teacher
    monkeypatch.setattr(task, "trace_teacher", lambda *given: made.append(given) or real(*given))
    task._teachers.cache_clear()
    run(make_plan("kd", cells=(111, 113, 131), seeds=tuple(range(6)), vectorised_seeds=vectorised_seeds), tmp_path)
    assert len(made) == 6
    assert task._teachers.cache_info().currsize <= 4
