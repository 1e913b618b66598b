"""Trained weights from files: state dictionaries of other people's networks, read without running anything in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from diswot.benchmarks import teachers, unpickle
from diswot.benchmarks.errors import InputError
from diswot.benchmarks.resnet import CONVOLUTION, ZERO_PADDING
from diswot.benchmarks.spaces import s0

#: What the classifier is called elsewhere (akamaster's and chenyaofo's CIFAR ResNets).
_CLASSIFIERS = ("linear", "fc")

#: Where files that hold more have their state dictionary: those of most trainers, of PyTorch's tutorial, RepDistiller's
#: and kuangliu's.
_STATES = ("state_dict", "model_state_dict", "model", "net")

#: What `DataParallel`, `torch.compile` and Lightning put before the name of a weight, once or several times.
_WRAPPERS = re.compile(r"^(?:module\.|_orig_mod\.|model\.)+|(?<=\.)_orig_mod\.")


def read(path: Path) -> dict[str, Tensor]:
    """Return the weights in a file, by the names that this project's networks give them.

    The file holds a state dictionary, or one under one of the keys `_STATES`, as ``torch.save`` writes it; what
    ``DataParallel``, ``torch.compile`` and Lightning put before a name is taken off.

    Raises:
        InputError: if the file is missing or damaged, holds anything but tensors, or two weights of one name.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"teacher: {path} cannot be read: {error.strerror or error}.") from error
    except (RuntimeError, *unpickle.DAMAGE) as error:  # whose text may advise to read the file unsafely
        raise InputError(
            f"teacher: {path} is damaged or no file of weights that can be read safely, which holds tensors, numbers "
            "and texts in dictionaries and lists, and nothing else."
        ) from error
    state = content
    for _ in range(2):  # one may hold another
        if isinstance(state, Mapping):
            state = next((state[key] for key in _STATES if key in state), state)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()) or not state:
        raise InputError(
            f"teacher: {path} holds no state dictionary, which gives every weight's tensor by its name; it is looked "
            f"for at the top and under {', '.join(_STATES)}, and the file holds {_keys(content)}."
        )
    weights = {_our_name(str(name)): value for name, value in state.items()}
    if len(weights) < len(state):
        raise InputError(f"teacher: {path} holds the weights of several networks: {_keys(state)}.")
    return weights


def network(
    state: Mapping[str, Tensor], *, path: Path, num_classes: int, name: str | None = None
) -> tuple[str, nn.Module]:
    """Return the network that weights belong to, holding them, and its name among the teachers.

    Args:
        state: as `read` gives it.
        path: the file, for the error text.
        num_classes: how many the image set has.
        name: a teacher's name; None for a CIFAR ResNet, whose depths are read off the weights' names.

    Raises:
        InputError: if the classes do not match, or the weights fit no such network.
    """
    head = state.get("classifier.weight")
    if head is None:
        raise InputError(
            f"teacher: {path} has no classifier; it is looked for under classifier, {', '.join(_CLASSIFIERS)}, and "
            f"the file holds {_keys(state)}."
        )
    if head.dim() != 2:
        raise InputError(f"teacher: {path} has a classifier of {head.dim()} dimensions; weights of one have 2.")
    if len(head) != num_classes:
        raise InputError(f"teacher: {path} has {len(head)} classes; the images have {num_classes}.")
    called = teachers.canonical(name) if name else _resnet(state, path)
    shortcut = CONVOLUTION if any("downsample" in key for key in state) else ZERO_PADDING
    found = teachers.build(called, num_classes=num_classes, shortcut=shortcut)
    try:
        found.load_state_dict(dict(state))
    except RuntimeError as error:
        detail = (" ".join(str(error).split("\n")[1:2]).strip() or str(error))[:300]
        raise InputError(f"teacher: the weights in {path} do not fit {called}: {detail}") from error
    return called, found


def _our_name(name: str) -> str:
    name = _WRAPPERS.sub("", name)
    first, dot, rest = name.partition(".")
    return f"classifier.{rest}" if dot and first in _CLASSIFIERS else name


def _keys(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    names = [repr(str(name)[:60]) for name in content]
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "") or "nothing"


def _resnet(state: Mapping[str, Tensor], path: Path) -> str:
    blocks = {match.groups() for key in state if (match := re.match(r"layer([123])\.(\d+)\.conv1\.weight", key))}
    depths = tuple(sum(stage == number for stage, _ in blocks) for number in "123")
    for name, depth in teachers.RESNETS.items():
        if depths == (depth,) * 3:
            return name
    number = int("".join(map(str, depths)))
    if number in s0.NUMBERS:
        return f"s0:{number}"
    raise InputError(
        f"teacher: {path} is no CIFAR ResNet that is known; say what it is, as in nb201:6111={path.name}. "
        f"Known are {', '.join(teachers.RESNETS)} and S0's."
    )
