"""A space, a table, a metric, an ensemble, a distiller, a figure and a search of another distribution: the page's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "extend.md"

COMMANDS = """\
tables list
evaluate --space tiny --cells all --proxies params,snip,jacov --batch-size 4 --teacher tiny:111 --workers 1 --out run
correlate run --metric mine
search run --proxy pair --algorithm first,random --searches 2
report run --metric mine --figures mine --out page
distill --space tiny --cells 111, --distillers mine --teacher tiny:111 --image-dir IMAGES --workers 1 --out taught \
    --set samples=64 --set epochs=1 --set batch_size=32 --set teacher_recipe=mini
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
    page = PAGE.read_text(encoding="utf-8")
    (declared,), (module,) = (re.findall(f"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("toml", "python"))
    (tmp_path / "my_lab.py").write_text(module)
    record = tmp_path / "my_lab-0.1.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: my-lab\nVersion: 0.1\n")
    groups = re.findall(r'entry-points."(.*)"]\n(.*) = "(.*)"', declared)
    (record / "entry_points.txt").write_text("".join("[{}]\n{} = {}\n".format(*group) for group in groups))
    commands = [[*map({"IMAGES": str(image_dir)}.get, words, words)] for words in map(str.split, COMMANDS.splitlines())]
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
    assert "mine_std" in evidence[0]
    assert any("tiny-table:accuracy,pair," in line for line in evidence)
    assert "My own figure" in (tmp_path / "page" / "report.html").read_text()
    assert "first" in (tmp_path / "run" / "search" / "summary.csv").read_text()
    assert ",mine," in (tmp_path / "taught" / "trainings.csv").read_text()
