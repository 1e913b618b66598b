"""Score one network with many proxies: group them by initialisation, share a trace, keep what happens to each apart."""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import initialisation
from benchmarks.errors import InputError
from proxies.registry import Proxy, UndefinedScore, get, is_built_in
from proxies.trace import Trace, bits

#: The passes of a teacher that a student may read.
TEACHER_PASSES = frozenset({"features", "logits", "classifier_gradient"})

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Outcome:
    """What became of one proxy on one network.

    Attributes:
        value: the score; None unless it has one.
        error: what was raised: an `UndefinedScore`, or any other exception for a failure.
        seconds: spent in the proxy and in the passes that it was the first to ask for.
    """

    value: float | None
    error: Exception | None
    seconds: float

    @property
    def status(self) -> str:
        """``ok``, ``undefined`` or ``failed``."""
        if self.error is None:
            return "ok"
        return "undefined" if isinstance(self.error, UndefinedScore) else "failed"


@torch.inference_mode(False)  # where the caller has it on, no gradient could be computed
def score(
    network: nn.Module,
    images: Tensor | Sequence[Tensor],
    labels: Tensor | Sequence[Tensor],
    names: Sequence[str],
    *,
    teacher: nn.Module | None,
    init: str,
    seed: int,
) -> dict[str, float]:
    """Score one network on one batch; see `proxies.score`, the public name of this."""
    if init not in ("keep", "default"):
        raise InputError(f"init: {init!r} is not known; allowed: keep, default.")
    if isinstance(names, str):
        raise InputError(f"names: {names!r} is a text; give a list of names, such as ['nwot'].")
    chosen = [get(name) for name in names]
    batches = _batches(images, labels)
    _require_interface("network", network, chosen)
    compared = [proxy for proxy in chosen if proxy.needs_teacher]
    if teacher is not None and compared:
        _require_interface("teacher", teacher, compared)
    results: dict[str, float] = {}
    for kind in dict.fromkeys("keep" if init == "keep" else proxy.init for proxy in chosen):
        group = [proxy for proxy in chosen if init == "keep" or proxy.init == kind]

        def make_network(kind: str = kind) -> nn.Module:
            return _initialised(network, kind, seed)

        teacher_trace = None
        if teacher is not None and any(proxy.needs_teacher for proxy in group):
            teacher_trace = trace_teacher(_initialised(teacher, kind, f"teacher {seed}"), batches[0])
        outcomes = evaluate(group, make_network, batches, teacher=teacher_trace, seed=seed)
        for name, outcome in outcomes.items():
            if isinstance(outcome.error, UndefinedScore):
                raise UndefinedScore(f"{name}: {outcome.error}") from outcome.error
            if outcome.error is not None:
                raise outcome.error
            assert outcome.value is not None
            results[name] = outcome.value
    return {name: results[name] for name in names}


def trace_teacher(network: nn.Module, batch: Batch) -> Trace:
    """Trace a teacher, which is taken over, for use beside any number of students."""
    return Trace(network, *batch, needs=TEACHER_PASSES)


def evaluate(
    proxies: Sequence[Proxy],
    make_network: Callable[[], nn.Module],
    batches: Sequence[Batch],
    *,
    teacher: Trace | None,
    seed: object,
    given: Callable[[], Mapping[str, Any]] = dict,
) -> dict[str, Outcome]:
    """Evaluate proxies on one trace of one network, and keep what one does out of the others' numbers.

    Args:
        proxies: all of one initialisation.
        make_network: makes the network with its weights; a trace takes it over. Called again where a proxy has
            meddled with the trace, for those that come after it.
        batches: one or two pairs of images and labels.
        teacher: the teacher's trace on the first batch.
        seed: anything whose text identifies the randomness.
        given: makes the passes that are computed elsewhere; called as often as `make_network`.

    Returns:
        An outcome by name. A proxy that raises, returns no single number, or leaves the network or the global
        random state changed, is its own failure and nobody else's.
    """
    needs = frozenset().union(*(proxy.needs for proxy in proxies))
    second = batches[1] if len(batches) > 1 else None
    built_in = [proxy for proxy in proxies if is_built_in(proxy)]
    # Built-ins first: whatever a plug-in does, and no check sees, comes too late for them.
    groups = [built_in, *([proxy] for proxy in proxies if proxy not in built_in)]
    outcomes: dict[str, Outcome] = {}
    trace: Trace | None = None
    while groups:
        group = groups.pop(0)
        if trace is None:
            trace = Trace(
                make_network(),
                *batches[0],
                second_batch=second,
                teacher=teacher,
                seed=seed,
                needs=needs,
                given=given(),
            )
            before = _state(trace.network)
        found, meddled = _evaluate_group(group, trace, before)
        if meddled is None:
            outcomes |= found
            continue
        trace = None
        if len(group) > 1:
            groups = [*([proxy] for proxy in group), *groups]
        else:
            outcomes |= {n: Outcome(None, RuntimeError(meddled), outcome.seconds) for n, outcome in found.items()}
    return {proxy.name: outcomes[proxy.name] for proxy in proxies}


def _evaluate_group(group: Sequence[Proxy], trace: Trace, before: _State) -> tuple[dict[str, Outcome], str | None]:
    with (
        _restored_random_state(trace.images.device) as random_state_is_untouched,
        _restored_settings() as settings_are_untouched,
    ):
        if not all(is_built_in(proxy) for proxy in group):
            trace.handed_out.watch_contents()
        answers = {proxy.name: _ask(proxy, trace) for proxy in group}
        outcomes = _outcomes(answers)
        meddled = _difference(before, _state(trace.network))
        if meddled is None and trace.handed_out.is_written_to:
            meddled = "it writes to a tensor of the trace, which other proxies read"
        if meddled is None and not random_state_is_untouched():
            meddled = "it draws from the global random state; draw from a generator seeded by trace.seed"
        if meddled is None and not settings_are_untouched():
            meddled = "it changes torch's number of threads or default type"
    return outcomes, meddled


@dataclass(frozen=True)
class _Answer:
    value: Tensor | float | None
    error: Exception | None
    seconds: float


def _ask(proxy: Proxy, trace: Trace) -> _Answer:
    start = time.perf_counter()
    try:
        with trace.reading(proxy.needs), torch.enable_grad():
            value = _one_number(proxy.function(trace))
    except Exception as error:  # noqa: BLE001 - whatever a proxy raises is its own outcome
        return _Answer(None, error, time.perf_counter() - start)
    except SystemExit as error:
        return _Answer(None, RuntimeError(f"it calls sys.exit({error.code})"), time.perf_counter() - start)
    return _Answer(value, None, time.perf_counter() - start)


def _one_number(value: object) -> Tensor | float:
    if isinstance(value, Tensor) and value.dim() == 0 and not value.is_complex() and value.dtype != torch.bool:
        return value.detach()
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
        raise TypeError(f"it returned a {type(value).__name__}{shape}, not one number")
    return float(value)


def _outcomes(answers: Mapping[str, _Answer]) -> dict[str, Outcome]:
    # The scores leave the device in one transfer: waiting for each would leave the device idle in between.
    tensors = {name: answer.value for name, answer in answers.items() if isinstance(answer.value, Tensor)}
    moved = torch.stack([value.double() for value in tensors.values()]).tolist() if tensors else []
    numbers = dict(zip(tensors, moved, strict=True))
    outcomes = {}
    for name, answer in answers.items():
        value, error = numbers.get(name, answer.value), answer.error
        if value is not None and not math.isfinite(value):
            value, error = None, UndefinedScore(f"the score is {value}")
        outcomes[name] = Outcome(value, error, answer.seconds)
    return outcomes


def _batches(images: Tensor | Sequence[Tensor], labels: Tensor | Sequence[Tensor]) -> list[Batch]:
    pictures, classes = ([one] if isinstance(one, Tensor) else list(one) for one in (images, labels))
    if (
        isinstance(images, Tensor) != isinstance(labels, Tensor)
        or (len(pictures), len(classes)) not in ((1, 1), (2, 2))
        or not all(isinstance(one, Tensor) for one in (*pictures, *classes))
    ):
        given = " and ".join(f"a {type(one).__name__} of {len(one)}" for one in (images, labels))
        raise InputError(f"images, labels: give a tensor each, or a pair of tensors each, not {given}.")
    return [_batch(x, y) for x, y in zip(pictures, classes, strict=True)]


def _batch(images: Tensor, labels: Tensor) -> Batch:
    if images.dim() != 4 or labels.shape != images.shape[:1] or not len(labels):
        raise InputError(
            f"images, labels: shapes {tuple(images.shape)} and {tuple(labels.shape)} are not (batch, channels, height, "
            "width) and (batch,) with one picture or more."
        )
    if labels.is_floating_point() or labels.is_complex():
        raise InputError(f"labels: {labels.dtype} holds no class numbers; give integers.")
    # Copies: autograd takes no tensor that was made in inference mode.
    return images.clone(), labels.to(torch.int64, copy=True)


def _require_interface(argument: str, network: nn.Module, proxies: Sequence[Proxy]) -> None:
    lacks = [name for name in ("features", "classifier") if not callable(getattr(network, name, None))]
    if lacks:
        raise InputError(
            f"{argument}: a {type(network).__name__} has no {' and no '.join(lacks)}; a network has features(images), "
            "the pooled vector last, and classifier."
        )
    reads = next((proxy.name for proxy in proxies if "classifier_gradient" in proxy.needs), None)
    weight = getattr(network.classifier, "weight", None)
    if reads and not isinstance(weight, Tensor):
        raise InputError(
            f"{argument}: {reads} reads classifier.weight, and the classifier is a {type(network.classifier).__name__} "
            "without one; give a linear layer."
        )


def _initialised(network: nn.Module, kind: str, seed: object) -> nn.Module:
    network = copy.deepcopy(network)
    network.zero_grad(set_to_none=True)
    if kind != "keep":
        initialisation.BY_NAME[kind](network, f"{kind} {seed}")
    return network


@dataclass(frozen=True)
class _State:
    weights: tuple[Tensor, ...]
    gradients: int
    trainable: tuple[bool, ...]
    training: tuple[bool, ...]
    hooks: int
    structure: tuple[tuple[object, ...], ...]


def _state(network: nn.Module) -> _State:
    modules = list(network.modules())
    hook_tables = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return _State(
        weights=tuple(parameter.detach().clone() for parameter in network.parameters()),
        gradients=sum(parameter.grad is not None for parameter in network.parameters()),
        trainable=tuple(parameter.requires_grad for parameter in network.parameters()),
        training=tuple(module.training for module in modules),
        hooks=sum(len(getattr(module, table)) for module in modules for table in hook_tables),
        structure=tuple(
            (id(m), vars(m).get("forward"), *(vars(m).get(name) for name in ("momentum", "eps", "p", "inplace")))
            for m in modules
        ),
    )


def _difference(before: _State, after: _State) -> str | None:
    same = len(before.weights) == len(after.weights) and all(
        one.shape == other.shape and torch.equal(bits(one), bits(other))
        for one, other in zip(before.weights, after.weights, strict=True)
    )
    if not same:
        return "it changes the network's weights"
    if before.gradients != after.gradients:
        return "it leaves gradients on the network"
    if before.trainable != after.trainable:
        return "it changes which weights are trainable"
    if before.training != after.training:
        return "it changes the network's mode"
    if before.structure != after.structure:
        return "it replaces a module of the network, its forward or its settings"
    if before.hooks != after.hooks:
        return "it leaves a hook on the network"
    return None


@contextmanager
def _restored_random_state(device: torch.device) -> Iterator[Callable[[], bool]]:
    host, numpy_state, python_state = torch.get_rng_state(), np.random.get_state(), random.getstate()

    def untouched() -> bool:
        return (
            torch.equal(host, torch.get_rng_state())
            and python_state == random.getstate()
            and all(np.array_equal(a, b) for a, b in zip(numpy_state, np.random.get_state(), strict=True))
        )

    try:
        with torch.random.fork_rng(devices=[] if device.type == host.device.type else [device]):
            yield untouched
    finally:
        torch.set_rng_state(host)
        np.random.set_state(numpy_state)
        random.setstate(python_state)


@contextmanager
def _restored_settings() -> Iterator[Callable[[], bool]]:
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    try:
        yield lambda: (threads, dtype) == (torch.get_num_threads(), torch.get_default_dtype())
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
