"""A space, a table, a metric, an ensemble, a distiller, a figure and a search from another distribution: one file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MODULE = """
import numpy as np
import pandas as pd

from diswot.benchmarks.spaces import Space, nb201
from diswot.benchmarks.tables import Card, Provider, Table
from diswot.harness.distillation.distillers import distiller
from diswot.harness.evidence import influence, measures
from diswot.harness.evidence.ensembles import Ensemble, mean_rank
from diswot.harness.evidence.measures import Measure
from diswot.reports.figures import bars
from diswot.reports.figures.kinds import Kind

CELLS = (0, 11, 284, 1000, 2000, 3000, 4000, 5000, 6111, 9930, 13714, 15624)


def build(cell, classes, **_skeleton):
    return nb201.build(cell, num_classes=classes, C=4, N=1)


def count(cell, classes):
    return sum(weight.numel() for weight in build(cell, classes).parameters())


TINY = Space(
    name="tiny",
    cells=CELLS,
    parse=int,
    describe=str,
    build=build,
    classes=10,
    costs=dict.fromkeys(("params", "flops", "live_params", "live_flops"), count),
    options=(len(CELLS),),
    encode=lambda cell: (CELLS.index(cell),),
    decode=lambda places: CELLS[places[0]],
    targets=("tiny-table:accuracy",),
)


def load():
    frame = pd.DataFrame({"accuracy": 90 + np.sqrt(np.arange(12))}, index=pd.Index(CELLS, name="cell"))
    return Table("tiny-table", "tiny", frame, Card(*["made up"] * 9))


TABLE = Provider("tiny-table", "tiny", load)
MINE = Measure("mine", "Mine", measures.spearman, True, "the same again", influence.spearman)
PAIR = Ensemble("pair", ("params", "snip"), mean_rank, "made up")
FIGURE = Kind("mine", "My own figure", bars.drawings)


@distiller(source="made up", weight=2.0, reads="logits")
def mine(lesson):
    return (lesson.logits - lesson.teacher_logits).square().mean()


def first(space, cells, options, seed):
    for cell in cells[: options.evaluations]:
        yield [cell]
"""

ENTRY_POINTS = """
[diswot.spaces]
tiny = tiny_lab:TINY
[diswot.tables]
tiny-table = tiny_lab:TABLE
[diswot.metrics]
mine = tiny_lab:MINE
[diswot.ensembles]
pair = tiny_lab:PAIR
[diswot.distillers]
mine = tiny_lab:mine
[diswot.figures]
mine = tiny_lab:FIGURE
[diswot.algorithms]
first = tiny_lab:first
"""

COMMANDS = """
tables list
evaluate --space tiny --cells all --proxies params,snip,jacov --batch-size 4 --teacher tiny:0 --workers 1 --out run
correlate run --measure mine
search run --proxy pair --algorithm first,random --seeds 2
report run --measure mine --figures mine --out page
"""


#: Students are trained in a thread: that processes know what is installed, the sweep shows.
SCRIPT = """
import sys
from concurrent.futures import ThreadPoolExecutor
from diswot.harness import pool
from diswot.harness.cli import main

*scored, taught = {commands}
status = next(filter(None, map(main, scored)), 0)
pool.local = lambda workers, devices: ThreadPoolExecutor(1)
sys.exit(status or main(taught))
"""


def test_one_file_and_one_registration_each_extend_every_command(tmp_path: Path, image_dir: Path) -> None:
    (tmp_path / "tiny_lab.py").write_text(MODULE)
    record = tmp_path / "tiny_lab-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-lab\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text(ENTRY_POINTS)
    changes = ["--set", "samples=64", "--set", "epochs=1", "--set", "batch_size=32", "--set", "teacher_recipe=mini"]
    distil = ["distill", "--space", "tiny", "--cells", "11,", "--distillers", "mine", "--teacher", "tiny:0", *changes]
    distil += ["--image-dir", str(image_dir), "--workers", "1", "--out", "taught"]
    commands = [*(line.split() for line in COMMANDS.split("\n") if line), distil]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(commands=commands)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "tiny-table" in done.stdout
    evidence = (tmp_path / "run" / "evidence.csv").read_text().splitlines()
    assert "mine_deviation" in evidence[0]
    assert any("tiny-table:accuracy,pair," in line for line in evidence)
    assert "My own figure" in (tmp_path / "page" / "report.html").read_text()
    assert "first" in (tmp_path / "run" / "search" / "summary.csv").read_text()
    assert ",mine," in (tmp_path / "taught" / "trainings.csv").read_text()
