"""What DisWOT compares, of one run: the relations of images and of classes in the teacher and in two students."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from diswot.benchmarks import spaces, teachers
from diswot.benchmarks.seeding import derive
from diswot.harness import files
from diswot.harness.compute import task
from diswot.harness.compute.task import Context
from diswot.harness.runs.results import Results
from diswot.proxies import losses
from diswot.proxies.scoring import TEACHER_PASSES
from diswot.proxies.trace import Trace

#: DisWOT's initialisation of both networks.
_INIT = "gaussian"


def write(context: Context, seed: int, results: Results) -> Path:
    """Write ``relations.npz`` into a run's folder: matrices of the teacher and of its best and worst student.

    Best and worst by the first target, over the cells that were scored. The matrices are M_r's Gram matrix of the last
    activation maps, rows divided by their norms (N x N), and the same of the classifier's gradient by class (classes x
    classes). Images are sorted by label, so that classes are blocks.

    Args:
        context: of the sweep.
        seed: of the weights.
        results: of the same run, correlated.
    """
    settings = context.settings
    space = spaces.get(settings.space)
    first = results.targets[results.targets["target"] == results.targets["target"].iloc[0]].set_index("cell")[
        "accuracy"
    ]
    good, bad = int(first.idxmax()), int(first.idxmin())
    build_teacher = functools.partial(teachers.build, settings.teacher, num_classes=settings.classes)
    networks = {
        "teacher": (settings.teacher, build_teacher, derive("teacher", settings.teacher, seed)),
        **{
            name: (
                f"{cell}, {first[cell]:.2f} %",
                functools.partial(space.build, space.representative(cell), settings.classes),
                task.student_key(space.name, space.representative(cell), seed),
            )
            for name, cell in (("good", good), ("bad", bad))
        },
    }
    arrays: dict[str, Any] = {}
    for name, (described, build, key) in networks.items():
        images, labels = task.batches_on_device(context)[0]
        order = labels.argsort(stable=True)
        network = task.make_network(build, _INIT, key, settings.device)
        trace = Trace(network, images[order], labels[order], needs=TEACHER_PASSES)
        arrays[name] = np.array(described)
        arrays[f"{name}_relation"] = losses.relations(trace.features[-2]).cpu().numpy()
        arrays[f"{name}_semantic"] = losses.relations(trace.classifier_gradient).cpu().numpy()

    def fill(temporary: Path) -> None:
        with temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    return files.write(results.folder / "relations.npz", fill)
