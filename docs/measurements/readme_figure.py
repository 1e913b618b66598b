"""Draw README's first figure: `python docs/measurements/readme_figure.py docs/figures/nb201-all-cells.png`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

import diswot
from diswot.harness.evidence.table import by_evidence, leading
from diswot.harness.runs import run_folder
from diswot.harness.runs.precomputed import catalogue

matplotlib.use("Agg")

#: How many leading proxies, and which others a reader looks for.
LEADING, OTHERS = 12, ("diswot", "grad_norm", "kd")

with TemporaryDirectory() as folder:
    run = diswot.load(run_folder.show(catalogue.load("nb201-cifar10"), Path(folder)))
    run.correlate()
    targets = ["nb201-kd:distilled", "nb201-kd:vanilla"]
    chosen = [*by_evidence(leading(run.results.evidence))[:LEADING], *OTHERS]
    labels = {target: target.rpartition(":")[2] for target in targets}
    axes = diswot.plot.bars(run, targets=targets, proxies=chosen, labels=labels)
    axes.set_xlabel("Spearman correlation, 567 functions")
    axes.figure.savefig(sys.argv[1], dpi=160)
