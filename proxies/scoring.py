"""Score one network with many proxies: group them by initialisation, share a trace, keep what happens to each apart."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from diswot.benchmarks import initialisation
from diswot.benchmarks.errors import InputError, described, printable
from diswot.benchmarks.isolation import interrupts_are_heeded, kept_apart, restored_random_state, without_autocast
from diswot.proxies.adapt import Adapted
from diswot.proxies.copying import copied
from diswot.proxies.declarations import OVERFLOWED, ProxyError, UndefinedScore
from diswot.proxies.losses import ShapeMismatchError
from diswot.proxies.registry import Proxy, get, is_built_in
from diswot.proxies.trace import Trace, bits

#: The passes that read no images: what is made of them alone has a score whatever the images are.
_WITHOUT_IMAGES = frozenset({"weights", "layers"})

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
    undefined: str,
) -> dict[str, float]:
    """Score one network on one batch; see `proxies.score`, the public name of this."""
    for argument, value, allowed in (("init", init, ("keep", "default")), ("undefined", undefined, ("raise", "nan"))):
        if value not in allowed:
            raise InputError(f"{argument}: {value!r} is not known; allowed: {', '.join(allowed)}.")
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
            return _initialised("network", network, kind, seed)

        teacher_trace = None
        if teacher is not None and any(proxy.needs_teacher for proxy in group):
            teacher_trace = trace_teacher(_initialised("teacher", teacher, kind, f"teacher {seed}"), batches[0])
        outcomes = evaluate(group, make_network, batches, teacher=teacher_trace, seed=seed)
        for name, outcome in outcomes.items():
            if outcome.status == "failed":
                assert outcome.error is not None
                if undefined == "raise" or not isinstance(outcome.error, ShapeMismatchError):
                    raise outcome.error
                warnings.warn(f"{name} is NaN: {outcome.error}", stacklevel=5)  # of who calls `diswot.score`
            if outcome.value is None and undefined == "raise":
                others = len(dict.fromkeys(names)) > 1
                hint = '; undefined="nan" gives NaN for it and keeps the other scores' if others else ""
                raise UndefinedScore(f"{name}: {printable(outcome.error)}{hint}") from outcome.error
            results[name] = math.nan if outcome.value is None else outcome.value
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
    watch_built_ins: bool = False,
) -> dict[str, Outcome]:
    """Evaluate proxies on one trace of one network, and keep what one does out of the others' numbers.

    Args:
        proxies: all of one initialisation.
        make_network: makes the network with its weights; a trace takes it over. Called again where a proxy has
            tampered with the trace, for those that come after it.
        batches: one or two pairs of images and labels.
        teacher: the teacher's trace on the first batch.
        seed: anything whose text identifies the randomness.
        given: makes the passes that are computed elsewhere; called as often as `make_network`.
        watch_built_ins: whether built-ins are watched as plug-ins are. They are in `diswot check` and in the tests,
            which prove that they change nothing; elsewhere that would cost time and find nothing.

    Returns:
        An outcome by name. A proxy that raises or returns no single number is its own failure and nobody else's; so
        is one that is watched and leaves the network or the global random state changed.
    """
    needs = all_needs(proxies)
    second = batches[1] if len(batches) > 1 else None
    built_in = [proxy for proxy in proxies if is_built_in(proxy)]
    # Built-ins first: whatever a plug-in does, and no check sees, comes too late for them.
    groups = [group for group in (built_in, *([proxy] for proxy in proxies if proxy not in built_in)) if group]
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
        with without_autocast():
            if group == built_in and not watch_built_ins:
                outcomes |= _evaluate_group(group, trace)
                continue
            evaluated, tampering = _watch(group, trace)
        if tampering is None:
            outcomes |= evaluated
            continue
        trace = None
        if len(group) > 1:
            groups = [*([proxy] for proxy in group), *groups]
        else:
            outcomes |= {n: Outcome(None, ProxyError(tampering), outcome.seconds) for n, outcome in evaluated.items()}
    return {proxy.name: outcomes[proxy.name] for proxy in proxies}


def all_needs(proxies: Sequence[Proxy]) -> frozenset[str]:
    """Return the passes that proxies read, and the logits, which must be finite, where one of them reads the images."""
    needs: frozenset[str] = frozenset().union(*(proxy.needs for proxy in proxies))
    return needs | {"logits"} if needs - _WITHOUT_IMAGES else needs


def _evaluate_group(group: Sequence[Proxy], trace: Trace) -> dict[str, Outcome]:
    return _outcomes({proxy: _ask(proxy, trace) for proxy in group})


def _watch(group: Sequence[Proxy], trace: Trace) -> tuple[dict[str, Outcome], str | None]:
    # The outcomes, and how the group tampers with the network, the trace or the process; None if it does not.
    before = _state(trace.network)
    with restored_random_state(trace.images.device) as random_state_is_untouched, kept_apart() as changed:
        if not all(is_built_in(proxy) for proxy in group):
            trace.handed_out.watch_contents()
        outcomes = _evaluate_group(group, trace)
        tampering = _difference(before, trace)
        if tampering is None and not random_state_is_untouched():
            tampering = "it draws from the global random state; draw from a generator seeded by trace.seed"
        return outcomes, tampering or changed()


@dataclass(frozen=True)
class _Answer:
    value: Tensor | float | None
    error: Exception | None
    seconds: float


def _ask(proxy: Proxy, trace: Trace) -> _Answer:
    start = time.perf_counter()
    value: Tensor | float | None = None
    error: Exception | None = None
    try:
        with torch.enable_grad():
            if proxy.needs - _WITHOUT_IMAGES:
                trace.require_finite(with_teacher=proxy.needs_teacher)
            with trace.reading(proxy.needs):
                value = _one_number(proxy.function(trace))
            if not is_built_in(proxy):  # a tensor of any kind may come from there
                value = float(value)
    except Exception as raised:  # noqa: BLE001 - whatever a proxy raises is its own outcome
        value, error = None, raised
    except BaseException as raised:
        if isinstance(raised, KeyboardInterrupt) and interrupts_are_heeded():
            raise
        does = described(raised) if isinstance(raised, SystemExit) else f"it raises {described(raised)}"
        value, error = None, ProxyError(does)
    return _Answer(value, error, time.perf_counter() - start)


def _one_number(value: object) -> Tensor | float:
    if isinstance(value, Tensor):
        kind = _kind(value)
        if kind is not None:
            raise TypeError(f"it returned {kind} tensor, not one number")
        if value.dim():
            raise TypeError(f"it returned a {type(value).__name__} of shape {tuple(value.shape)}, not one number")
        return value.detach()
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise TypeError(f"it returned a {type(value).__name__}, not one number")
    try:
        return float(value)
    except OverflowError:  # a whole number of over 300 digits
        return math.inf if value > 0 else -math.inf


def _kind(tensor: Tensor) -> str | None:
    # What keeps a tensor without dimensions from being a number.
    kinds = {
        "a nested": tensor.is_nested,
        "a meta": tensor.is_meta,
        "a quantised": tensor.is_quantized,
        "a sparse": tensor.layout != torch.strided,
        "a complex": tensor.is_complex(),
        "a boolean": tensor.dtype == torch.bool,
    }
    return next((kind for kind, is_so in kinds.items() if is_so), None)


def _outcomes(answers: Mapping[Proxy, _Answer]) -> dict[str, Outcome]:
    # The scores leave the device in one transfer: waiting for each would leave the device idle in between.
    tensors = {proxy: answer.value for proxy, answer in answers.items() if isinstance(answer.value, Tensor)}
    moved = torch.stack([value.double() for value in tensors.values()]).tolist() if tensors else []
    numbers = dict(zip(tensors, moved, strict=True))
    outcomes = {}
    for proxy, answer in answers.items():
        value, error = numbers.get(proxy, answer.value), answer.error
        if value is not None and not math.isfinite(value):
            error = UndefinedScore(_why_undefined(value, proxy))
            value = None
        outcomes[proxy.name] = Outcome(value, error, answer.seconds)
    return outcomes


def _why_undefined(value: float, proxy: Proxy) -> str:
    if math.isnan(value):
        return "the score is nan"
    best = math.inf if proxy.direction == "higher" else -math.inf
    return f"the score is {value:+}" + (f": {OVERFLOWED}" if value == best else "")


def _batches(images: Tensor | Sequence[Tensor], labels: Tensor | Sequence[Tensor]) -> list[Batch]:
    inputs, classes = ([one] if isinstance(one, Tensor) else list(one) for one in (images, labels))
    if (
        isinstance(images, Tensor) != isinstance(labels, Tensor)
        or (len(inputs), len(classes)) not in ((1, 1), (2, 2))
        or not all(isinstance(one, Tensor) for one in (*inputs, *classes))
    ):
        given = " and ".join(f"a {type(one).__name__} of {len(one)}" for one in (images, labels))
        raise InputError(f"images, labels: give a tensor each, or a pair of tensors each, not {given}.")
    return [_batch(x, y) for x, y in zip(inputs, classes, strict=True)]


def _batch(images: Tensor, labels: Tensor) -> Batch:
    if images.dim() != 4 or labels.shape != images.shape[:1] or not len(labels):
        raise InputError(
            f"images, labels: shapes {tuple(images.shape)} and {tuple(labels.shape)} are not (batch, channels, height, "
            "width) and (batch,) with one image or more."
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
            "the pooled vector last, and classifier: diswot.adapt makes one of any torch module."
        )
    reads = next((proxy.name for proxy in proxies if "classifier_gradient" in proxy.needs), None)
    weight = getattr(network.classifier, "weight", None)
    if reads and not isinstance(weight, Tensor):
        raise InputError(
            f"{argument}: {reads} reads classifier.weight, and the classifier is a {type(network.classifier).__name__} "
            "without one; give a linear layer."
        )


def _initialised(argument: str, network: nn.Module, kind: str, seed: object) -> nn.Module:
    network = copied(argument, network)
    network.zero_grad(set_to_none=True)
    if kind != "keep":
        # An adapted network gets the weights that its module would get: they are drawn by name.
        drawn = network.module if isinstance(network, Adapted) else network
        initialisation.BY_NAME[kind](drawn, f"{kind} {seed}")
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
    parameters = list(network.parameters())
    return _State(
        weights=tuple(parameter.detach().clone() for parameter in parameters),
        gradients=sum(parameter.grad is not None for parameter in parameters),
        trainable=tuple(parameter.requires_grad for parameter in parameters),
        training=tuple(module.training for module in modules),
        hooks=sum(len(getattr(module, table)) for module in modules for table in hook_tables),
        structure=tuple(
            (id(m), vars(m).get("forward"), *(vars(m).get(name) for name in ("momentum", "eps", "p", "inplace")))
            for m in modules
        ),
    )


def _difference(before: _State, trace: Trace) -> str | None:
    try:
        tampering = _differing(before, _state(trace.network))
        if tampering is None and trace.handed_out.is_written_to:
            return "it writes to a tensor of the trace, which other proxies read"
        return tampering
    except Exception as error:  # noqa: BLE001 - a plug-in may leave anything in place of the network
        return f"it leaves the trace in a state that cannot be compared: {described(error)}"


def _differing(before: _State, after: _State) -> str | None:
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
