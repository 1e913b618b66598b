"""A trace: one network, one batch, and every pass over them that some proxy asks for, computed once.

A trace owns its network: whoever makes one hands over a network that may be written to. Batch normalisation uses the
batch's own statistics, as in every reference implementation; everything else is in evaluation mode, so dropout is off.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, overload

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.weak import WeakIdKeyDictionary

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.seeding import generator
from diswot.proxies import hessian, module_passes, passes
from diswot.proxies.declarations import PASSES, UndeclaredPassError, UndefinedScore
from diswot.proxies.passes import NORMALISATIONS, gradient

#: Modules whose weights proxies look at.
WEIGHTED = (nn.Conv2d, nn.Linear)
_NEED_GRAPH = {"gradients", "channel_saliency", "input_gradients", "hessian_products", "second_batch_gradients"}

T = TypeVar("T")


class Pass(Generic[T]):
    """An attribute of a trace that is computed when first read, and only for a proxy that declares it."""

    def __init__(self, compute: Callable[[Trace], T]) -> None:
        """Wrap the method that computes the pass."""
        self.compute = compute
        self.name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, trace: None, owner: type) -> Pass[T]: ...
    @overload
    def __get__(self, trace: Trace, owner: type) -> T: ...
    def __get__(self, trace: Trace | None, owner: type) -> Pass[T] | T:
        """Return the value, computing it the first time.

        Raises:
            UndeclaredPassError: if the proxy that is being evaluated does not declare this pass.
        """
        if trace is None:
            return self
        if self.name not in trace.readable:
            raise UndeclaredPassError(f"it reads trace.{self.name} without declaring it in needs")
        if self.name not in trace.computed:
            with trace.reading(PASSES):  # a pass may build on others
                trace.computed[self.name] = self.compute(trace)
                trace.handed_out.add(trace.computed[self.name])
        value: T = trace.computed[self.name]
        return value


class HandedOut:
    """The tensors that proxies can reach, and whether one of them has been written to."""

    def __init__(self) -> None:
        """Begin with none, and go by torch's count of in-place writes."""
        self._mark: Callable[[Tensor], object] = _writes
        self._marked: list[tuple[Tensor, object]] = []

    def add(self, value: object) -> None:
        """Hand out the tensors in a value."""
        self._marked += [(tensor, self._mark(tensor)) for tensor in _tensors(value)]

    def watch_contents(self) -> None:
        """From now on go by contents too: writing through ``.numpy()`` or ``.data`` is not counted."""
        if self._mark is not _writes_and_contents:
            self._mark = _writes_and_contents
            self._marked = [(tensor, self._mark(tensor)) for tensor, _ in self._marked]

    @property
    def is_written_to(self) -> bool:
        """Whether a tensor is another one than when it was handed out."""
        return any(self._mark(tensor) != mark for tensor, mark in self._marked)


@dataclass(frozen=True)
class Layer:
    """A module with weights of its own, and what the structural pass says of it.

    Attributes:
        name: its name in the network.
        module: the module of the traced network.
        params: how many weights it has; those that it shares with a module before it are that one's.
        multiply_accumulates: of one image's forward pass; 0 for normalisation. The classifier's bias counts.
        live: whether a signal passes from the network's input through it to the logits; the classifier always is.
        synflow: the sum over its weight tensor of weight times gradient in the synflow pass (float64); 0 for
            normalisation.
    """

    name: str
    module: nn.Module
    params: int
    multiply_accumulates: int
    live: bool
    synflow: Tensor


@dataclass(frozen=True)
class Perturbation:
    """What Zen-score compares: the batch and the same batch with a little noise.

    Attributes:
        distance: mean over the batch of the L1 distance of the last feature maps.
        running_variances: of every BatchNorm after the two forward passes, each (channels,).
    """

    distance: Tensor
    running_variances: tuple[Tensor, ...]


@dataclass(frozen=True)
class _Run:
    features: Sequence[Tensor]
    logits: Tensor
    relu_outputs: list[Tensor]
    outputs: dict[nn.Module, Tensor]
    batch_variances: list[Tensor | None]


class Trace:
    """One network and one batch; see the module's docstring.

    Attributes:
        network: the network, owned by the trace.
        images: (batch, channels, height, width), in the memory format that they were given in.
        labels: (batch,).
        seed: what the randomness of this trace derives from.
        readable: the passes that may be read at the moment.
        computed: the passes computed so far.
        handed_out: the tensors that proxies can reach, the teacher's included.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor,
        *,
        second_batch: tuple[Tensor, Tensor] | None = None,
        teacher: Trace | None = None,
        noise: Tensor | None = None,
        seed: object = 0,
        needs: Iterable[str] = PASSES,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        """Take over a network.

        Args:
            network: has ``features(images)`` and ``classifier``; it is written to.
            images: (batch, channels, height, width).
            labels: (batch,) class numbers, int64.
            second_batch: images and labels of a second batch of the same size; without one, the batch is halved
                where two are needed.
            teacher: the trace of the teacher on the same batch.
            noise: what perturbs the images, of their shape; by default drawn from N(0, 1) with the seed.
            seed: anything whose text identifies the randomness.
            needs: the passes that will be read.
            given: passes of this network and batch that were computed elsewhere, by name.
        """
        self.network: Any = network.eval().requires_grad_(True)  # nn.Module does not know features and classifier
        self.images = images.detach().clone().requires_grad_(True)
        self.labels = labels.clone()
        self.seed = seed
        self.readable = frozenset(needs)
        self.computed: dict[str, Any] = dict(given or {})
        self.handed_out = HandedOut()
        self.handed_out.add([self.images, self.labels, *self.computed.values()])
        self._second_batch = second_batch
        known = torch.cat([labels, second_batch[1]]) if second_batch else labels
        # Looked at once: on an accelerator each look would wait for all that runs.
        self._extreme_labels: list[int] = torch.stack(known.aminmax()).tolist()
        self._teacher = None if teacher is None else Teacher(teacher, self.handed_out)
        self._noise = noise
        self._needed = self.readable
        # Copied before any pass: a network may keep activations on itself, which cannot be copied.
        self._evaluation = copy.deepcopy(network) if "fisher_information" in self._needed else None
        self._weighted = [module for module in network.modules() if isinstance(module, WEIGHTED)]
        self._normalisations = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        self._initial_statistics = use_batch_statistics(network)

    def require_finite(self, *, with_teacher: bool) -> None:
        """Refuse images or logits that are not finite: what is made of them has no meaning.

        Args:
            with_teacher: whether the teacher's logits are looked at too.

        Raises:
            UndefinedScore: if a number is NaN or infinite.
        """
        if "_not_finite" not in self.computed:
            second = [] if self._second_batch is None else [self._second_batch[0]]
            with self.reading(PASSES):
                looked_at = {"images": [self.images.detach(), *second], "logits": [self.logits]}
            self.computed["_not_finite"] = _not_finite(looked_at)
        not_finite: str | None = self.computed["_not_finite"]
        if not_finite is not None:
            raise UndefinedScore(f"the {not_finite} are not finite")
        if with_teacher and self._teacher is not None and not self._teacher.is_finite:
            raise UndefinedScore("the teacher's logits are not finite")

    @contextmanager
    def reading(self, needs: Iterable[str]) -> Iterator[None]:
        """Allow only these passes to be read inside the block."""
        before, self.readable = self.readable, frozenset(needs)
        try:
            yield
        finally:
            self.readable = before

    @Pass
    def weights(self) -> tuple[Tensor, ...]:
        """The weight tensors of all convolutions and linear layers, in the order of the modules, detached."""
        return tuple(module.weight.detach() for module in self._weighted)

    @Pass
    def features(self) -> tuple[Tensor, ...]:
        """What the network's ``features`` returns on the batch, detached; the last is the pooled vector."""
        return tuple(feature.detach() for feature in self._run.features)

    @Pass
    def logits(self) -> Tensor:
        """(batch, classes), detached."""
        return self._run.logits.detach()

    @Pass
    def relu_outputs(self) -> tuple[Tensor, ...]:
        """The output of every ReLU that ran, module or function, (batch, ...), detached, in the order of running.

        ReLUs that read the same tensor, as those on the edges out of a node do, have one and the same output.
        """
        detached = {id(output): output.detach() for output in self._run.relu_outputs}
        return tuple(detached[id(output)] for output in self._run.relu_outputs)

    @Pass
    def gradients(self) -> tuple[Tensor, ...]:
        """d(mean cross-entropy)/d(weight) for every tensor of `weights`; zero where the logits do not depend on it."""
        run = self._run
        if "_gradients" not in self.computed:
            with self._keeping_saliency(run):
                self.computed["_gradients"] = gradient(self._loss, self._weight_parameters)
        gradients: tuple[Tensor, ...] = self.computed["_gradients"]
        return gradients

    @Pass
    def channel_saliency(self) -> tuple[Tensor, ...]:
        """For every layer of `weights`, the sum over pixels of output times d(loss)/d(output): (batch, channels)."""
        _ = self.gradients  # the saliencies are reduced while the loss's gradients pass by, and not kept whole
        found: dict[nn.Module, Tensor] = self.computed["_saliency"]
        absent = self.images.new_zeros((len(self.images), 1))
        return tuple(found.get(module, absent) for module in self._weighted)

    @Pass
    def input_gradients(self) -> Tensor:
        """d(sum of all logits)/d(image), one row an image: (batch, channels * height * width)."""
        return gradient(self._run.logits.sum(), [self.images])[0].flatten(1)

    @Pass
    def hessian_products(self) -> tuple[Tensor, ...]:
        """H g for every tensor of `weights`: the loss's Hessian times its own gradient."""
        return self._hessian_times(self.gradients)

    @Pass
    def hessian_weights(self) -> tuple[Tensor, ...]:
        """H w for every tensor of `weights`: the loss's Hessian times the weights."""
        _ = self._run
        if "_hessian_weights" not in self.computed:
            self.computed["_hessian_weights"] = self._hessian_times([w.detach() for w in self._weight_parameters])
        products: tuple[Tensor, ...] = self.computed["_hessian_weights"]
        return products

    @Pass
    def second_batch_gradients(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """`gradients` on two batches: this one and the second; without a second, on the two halves of this one."""
        if self._second_batch is None:
            half = len(self.images) // 2
            if not half:
                raise UndefinedScore("it needs two batches, and one image cannot be halved")
            halves = ((self.images[:half], self.labels[:half]), (self.images[half:], self.labels[half:]))
            return self._gradients_on(*halves[0]), self._gradients_on(*halves[1])
        return self.gradients, self._gradients_on(*self._second_batch)

    @Pass
    def classifier_gradient(self) -> Tensor:
        """d(mean cross-entropy)/d(classifier weight): (classes, features)."""
        classifier = self.network.classifier
        with torch.enable_grad():
            loss = self._cross_entropy(classifier(self.features[-1]), self.labels)
            return gradient(loss, [classifier.weight])[0]

    @Pass
    def perturbation(self) -> Perturbation:
        """The batch against the batch plus 0.01 times Gaussian noise."""
        noise = draw_noise(self.images, self.seed) if self._noise is None else self._noise.to(self.images)
        first = self._run
        with torch.no_grad():
            second = self._forward(self.images + 0.01 * noise)
            difference = (first.features[-2] - second.features[-2]).abs().flatten(1).sum(1).mean()
            variances = mixed_variances(self._initial_statistics, first.batch_variances, second.batch_variances)
        return Perturbation(difference, variances)

    @Pass
    def layers(self) -> tuple[Layer, ...]:
        """Every module with weights: sizes, liveness and synflow, from one pass of a single image of ones.

        The pass runs in float64 with absolute weights and without normalisation, as synflow does (Tanaka et al.,
        NeurIPS 2020, algorithm 1). Every contribution is positive there. So a layer is live exactly when the signal at
        its output times its gradient is not zero.
        """
        return _structure(self.network, self.images[:1])

    @Pass
    def blocks(self) -> passes.Blocks:
        """The maps that the network's ``blocks`` put out, and what they make of random signs on the way back."""
        source = generator(self.seed, "blocks")

        def draw(like: Tensor) -> Tensor:  # on the host: the same values on every device
            signs = torch.randint(2, like.shape, generator=source, device=source.device, dtype=torch.int8)
            return signs.to(like.device, like.dtype) * 2 - 1

        return passes.blocks(self.network, self.images, draw)

    @Pass
    def tangent_kernel(self) -> Tensor:
        """Inner products of the first 16 images' gradients of their summed logits: (images, images), float64.

        These images are passed by themselves: with all of a batch of 64 it would take 64 backward passes of 64.
        """
        return passes.tangent_kernel(self.network, self.images[: passes.KERNEL_IMAGES])

    @Pass
    def gradient_signs(self) -> tuple[Tensor, ...]:
        """For every tensor of `weights`, the sum over images of the sign of its loss's gradient, passed alone."""
        weights = self._weight_parameters
        return passes.gradient_signs(self.network, weights, self.images, self.labels, self._cross_entropy)

    @Pass
    def image_maps(self) -> tuple[Tensor, ...]:
        """Every map (channels, height, width) that a module, or a function like one, makes of the first image."""
        return passes.image_maps(self.network, self.images[:1])

    @Pass
    def fisher_information(self) -> Tensor:
        """Of the first weight of each of the first 128 parameter tensors, normalisation in evaluation mode; float64."""
        return passes.fisher_information(self._evaluation, self.images)

    @Pass
    def activation_rows(self) -> tuple[Tensor, ...]:
        """A square matrix, pixels by channels, of what each layer and activation puts out for the batch, detached."""
        return module_passes.activation_rows(self.network, self.images)

    @Pass
    def curve(self) -> module_passes.Curve:
        """Two derivatives of the logits along the circle from the first image to the second, at the first."""
        if len(self.images) < 2:
            raise UndefinedScore("it needs two images, which span a plane")
        return module_passes.curve(self.network, *self.images[:2])

    @Pass
    def relu_correlations(self) -> tuple[module_passes.Correlations, ...]:
        """How the batch's images correlate at every ReLU: in what it reads, and in the loss's gradient there."""

        def loss(logits: Tensor) -> Tensor:
            return self._cross_entropy(logits, self.labels)

        return module_passes.relu_correlations(self.network, self.images, loss)

    @Pass
    def relu_gradients(self) -> tuple[Tensor, ...]:
        """For every ReLU-convolution-normalisation layer, the gradient of the pooled vectors' sum at the ReLU's input.

        Of the first 16 images, passed by themselves: (images, channels, height, width) a layer.
        """
        return module_passes.relu_gradients(self.network, self.images[: module_passes.GRADIENT_IMAGES])

    @Pass
    def label_gradient_norms(self) -> Tensor:
        """Every image's squared share of the gradient of the label logits with respect to the weights: (batch,)."""
        with torch.no_grad():
            self._cross_entropy(self.logits, self.labels)  # refuses labels that the network has no output for
        return module_passes.label_gradient_norms(self.network, self.images, self.labels)

    @Pass
    def lone_images(self) -> module_passes.LoneImages:
        """ReLU outputs and pooled vectors of the first three images, each passed alone."""
        return module_passes.lone_images(self.network, self.images[: module_passes.LONE_IMAGES])

    @Pass
    def ones_gradients(self) -> tuple[Tensor, ...]:
        """d(sum of the logits)/d(weight) of every convolution, on a batch of images of ones."""
        return module_passes.ones_gradients(self.network, self.images)

    @Pass
    def teacher(self) -> Teacher:
        """The teacher on the same batch."""
        if self._teacher is None:
            raise InputError("teacher: the proxy compares with a teacher and none was given.")
        return self._teacher

    @property
    def _weight_parameters(self) -> list[Tensor]:
        return [module.weight for module in self._weighted]

    @property
    def _run(self) -> _Run:
        if "_run" not in self.computed and "hessian_weights" in self._needed:
            self._run_with_moving_weights()
        if "_run" not in self.computed:
            with torch.set_grad_enabled(bool(self._needed & _NEED_GRAPH)):
                self.computed["_run"] = self._forward(self.images)
        run: _Run = self.computed["_run"]
        return run

    def _run_with_moving_weights(self) -> None:
        # The forward pass and the gradient serve all other passes: they have the numbers of the plain ones.
        with suppress(hessian.NoRuleError):
            with hessian.moving_weights(self._weighted) as rules:
                with rules:
                    run = self._forward(self.images)
                with self._keeping_saliency(run):
                    self.computed["_gradients"], self.computed["_hessian_weights"] = hessian.differentiate(
                        run.logits, lambda logits: self._cross_entropy(logits, self.labels), self._weight_parameters
                    )
            self.computed["_run"] = run

    def _hessian_times(self, vector: Sequence[Tensor]) -> tuple[Tensor, ...]:
        # By two backward passes.
        with torch.enable_grad():
            loss = self._cross_entropy(passes.logits(self.network, self.images.detach()), self.labels)
            gradients = gradient(loss, self._weight_parameters, create_graph=True)
            product = torch.stack([(v * g).sum() for v, g in zip(vector, gradients, strict=True)]).sum()
        return gradient(product, self._weight_parameters)

    @property
    def _loss(self) -> Tensor:
        return self._cross_entropy(self._run.logits, self.labels)

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        for label in self._extreme_labels:
            if not 0 <= label < logits.shape[1]:
                raise InputError(f"labels: {label} is not a class of a network with {logits.shape[1]} outputs.")
        return F.cross_entropy(logits, labels)

    def _gradients_on(self, images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            logits = passes.logits(self.network, images.detach())
            return gradient(self._cross_entropy(logits, labels), self._weight_parameters)

    @contextmanager
    def _keeping_saliency(self, run: _Run) -> Iterator[None]:
        found: dict[nn.Module, Tensor] = {}
        hooks = [
            output.register_hook(partial(_keep_saliency, found, module, output.detach()))
            for module, output in run.outputs.items()
            if output.requires_grad
        ]
        with passes.hooked(hooks):  # later passes run backward through the same outputs
            yield
        self.computed["_saliency"] = found

    def _forward(self, images: Tensor) -> _Run:
        relu_outputs: list[Tensor] = []
        outputs: dict[nn.Module, Tensor] = {}
        read: Any = WeakIdKeyDictionary()  # what a ReLU read, unless it is gone: when, and what came of it

        def keep_relu(source: Tensor, output: Tensor) -> None:
            version, known = read.get(source, (None, None))
            if version != source._version:  # not read before, or written to since
                known = output
                read[source] = (source._version, output)
            relu_outputs.append(known)

        def keep_relu_module(module: nn.Module, inputs: Any, by_name: Any, output: Tensor) -> None:
            keep_relu(passes.argument(inputs, by_name), output)

        def keep_output(module: nn.Module, inputs: Any, output: Tensor) -> None:
            outputs[module] = output

        hooks = []
        shown: AbstractContextManager[None] = nullcontext()
        if "relu_outputs" in self._needed:
            shown = passes.showing_calls(self.network, keep_relu, passes.RELUS)
            hooks += [
                module.register_forward_hook(keep_relu_module, with_kwargs=True)
                for module in self.network.modules()
                if isinstance(module, nn.ReLU)
            ]
        if "channel_saliency" in self._needed:
            hooks += [module.register_forward_hook(keep_output) for module in self._weighted]
        with passes.hooked(hooks), shown:
            features = passes.features(self.network, images)
            logits = self.network.classifier(features[-1])
        variances = [_clone(module.running_var) for module in self._normalisations]
        return _Run(features, logits, relu_outputs, outputs, variances)


class Teacher:
    """A student's view of a teacher: copies of the teacher's passes, shared with no other student.

    A teacher's trace serves many students. Whatever a proxy does to these copies ends with its student.
    """

    def __init__(self, trace: Trace, handed_out: HandedOut) -> None:
        """Wrap a teacher's trace; ``handed_out`` records the copies."""
        self._trace = trace
        self._handed_out = handed_out
        self._copies: dict[str, Any] = {}

    @property
    def features(self) -> tuple[Tensor, ...]:
        """As `Trace.features`."""
        return self._copy("features", lambda: tuple(feature.clone() for feature in self._trace.features))

    @property
    def logits(self) -> Tensor:
        """As `Trace.logits`."""
        return self._copy("logits", lambda: self._trace.logits.clone())

    @property
    def classifier_gradient(self) -> Tensor:
        """As `Trace.classifier_gradient`."""
        return self._copy("classifier_gradient", lambda: self._trace.classifier_gradient.clone())

    @property
    def is_finite(self) -> bool:
        """Whether every logit of the teacher is a finite number; looked at once for all students."""
        computed = self._trace.computed
        if "_is_finite" not in computed:
            computed["_is_finite"] = _not_finite({"logits": [self._trace.logits]}) is None
        return bool(computed["_is_finite"])

    def _copy(self, name: str, make: Callable[[], T]) -> T:
        if name not in self._copies:
            self._copies[name] = make()
            self._handed_out.add(self._copies[name])
        value: T = self._copies[name]
        return value


def use_batch_statistics(network: nn.Module) -> list[tuple[float | None, Tensor | None]]:
    """Have every BatchNorm use the batch's statistics, and leave the variance that it used in ``running_var``.

    Returns:
        For every BatchNorm, in the order of the modules, its momentum and its running variance as they were.
    """
    normalisations = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [(module.momentum, _clone(module.running_var)) for module in normalisations]
    for module in normalisations:
        module.train()
        module.momentum = 1.0  # one forward pass then leaves the batch's own variance in running_var
    return before


def mixed_variances(
    initial: Sequence[tuple[float | None, Tensor | None]],
    first: Sequence[Tensor | None],
    second: Sequence[Tensor | None],
) -> tuple[Tensor, ...]:
    """Return what two forward passes would have left in ``running_var``, with the momentum that each BatchNorm had.

    Args:
        initial: as `use_batch_statistics` returns it.
        first: the variances of the first pass, each (channels,).
        second: of the second.

    Raises:
        UndefinedScore: if a BatchNorm keeps none.
    """
    variances = []
    for one, two, (momentum, before) in zip(first, second, initial, strict=True):
        if one is None or two is None or before is None or momentum is None:
            raise UndefinedScore("a BatchNorm keeps no running statistics")
        after_one = (1 - momentum) * before + momentum * one
        variances.append((1 - momentum) * after_one + momentum * two)
    return tuple(variances)


def draw_noise(images: Tensor, seed: object) -> Tensor:
    """Draw noise from N(0, 1) in the shape of the images, on the host: the same values on every device."""
    source = generator(seed, "perturbation")
    noise = torch.empty(images.shape, dtype=torch.float32, device=source.device).normal_(generator=source)
    return noise.to(images)


def saliency(module: nn.Module, output: Tensor, gradient: Tensor) -> Tensor:
    """Return the sum over pixels of a module's output times its gradient: (batch, channels)."""
    product = output * gradient
    channel = product.dim() - 1 if isinstance(module, nn.Linear) else 1
    others = tuple(axis for axis in range(1, product.dim()) if axis != channel)
    return product.sum(dim=others) if others else product


def _keep_saliency(found: dict[nn.Module, Tensor], module: nn.Module, output: Tensor, gradient: Tensor) -> None:
    found[module] = saliency(module, output, gradient.detach())


def bits(tensor: Tensor) -> Tensor:
    """Return a tensor's bits as integers of its shape: NaN is not equal to itself, its bits are."""
    return tensor.view({1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()])


def _writes(tensor: Tensor) -> int:
    return tensor._version


def _writes_and_contents(tensor: Tensor) -> tuple[int, int]:
    values = bits(tensor.detach().flatten()).long()
    # By place, since a tensor may be sorted; odd, so that no change of one value is lost where the product overflows.
    places = torch.arange(1, 2 * len(values), 2, device=values.device)
    return tensor._version, int((values * places).sum())


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, Layer | Perturbation):
        yield from _tensors(list(vars(value).values()))


def _not_finite(named: Mapping[str, Sequence[Tensor]]) -> str | None:
    # In one look: on an accelerator each waits for all that runs.
    finite = [torch.stack([tensor.isfinite().all() for tensor in tensors]).all() for tensors in named.values()]
    return next((name for name, is_so in zip(named, torch.stack(finite).tolist(), strict=True) if not is_so), None)


def _clone(statistics: Tensor | None) -> Tensor | None:
    return None if statistics is None else statistics.detach().clone()


class _Logits(nn.Module):
    # Gives a network that need not have a forward one that `functional_call` can call.
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return passes.logits(self.network, images)


def _structure(network: Any, images: Tensor) -> tuple[Layer, ...]:
    named = [(name, m) for name, m in network.named_modules() if next(m.parameters(recurse=False), None) is not None]
    outputs: dict[nn.Module, Tensor] = {}

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            outputs[module] = output

    hooks = [module.register_forward_hook(keep) for _, module in named]
    whole = _Logits(network)
    absolute: dict[Tensor, Tensor] = {
        parameter: parameter.detach().double().abs().requires_grad_() for parameter in whole.parameters()
    }
    # Every module once, also where it has two names: `functional_call` would put its weights back under one of them.
    tensors: dict[str, Tensor] = {}
    for prefix, module in whole.named_modules():
        for key, parameter in module.named_parameters(prefix, recurse=False, remove_duplicate=False):
            tensors[key] = absolute[parameter]
        for key, buffer in module.named_buffers(prefix, recurse=False, remove_duplicate=False):
            tensors[key] = buffer.double() if buffer.is_floating_point() else buffer.clone()
    # The hooks hold the outputs, and so the graph, in a cycle.
    with passes.hooked(hooks), torch.enable_grad(), _without_normalisation(network):
        ones = torch.ones_like(images, dtype=torch.float64)
        total = functional_call(whole, tensors, (ones,), tie_weights=False).sum()
    # An output of nothing but zeros is not in the graph; nothing comes back to it.
    reached = [module for module, output in outputs.items() if output.requires_grad]
    # A tensor that several modules share is the first one's.
    first = {m.weight: m for _, m in reversed(named) if isinstance(m, WEIGHTED) and m in outputs}
    weights = {m: absolute[weight] for weight, m in first.items()}
    owners = {parameter: m for _, m in reversed(named) for parameter in m.parameters(recurse=False)}
    sizes: Counter[nn.Module] = Counter()
    for parameter, owner in owners.items():
        sizes[owner] += parameter.numel()
    found = gradient(total, [*(outputs[m] for m in reached), *weights.values()])
    signals = dict(zip(reached, found[: len(reached)], strict=True))
    flows = dict(zip(weights, found[len(reached) :], strict=True))
    nothing = ones.new_zeros(())
    passed = torch.stack([(outputs[m] * signals[m]).any() if m in signals else nothing.bool() for _, m in named])
    return tuple(
        Layer(
            name=name,
            module=module,
            params=sizes[module],
            multiply_accumulates=_multiply_accumulates(module, outputs.get(module)),
            live=live or module is network.classifier,  # its bias reaches the logits whatever comes before it
            synflow=(weights[module] * flows[module]).abs().sum().detach() if module in flows else nothing,
        )
        for (name, module), live in zip(named, passed.tolist(), strict=True)
    )


@contextmanager
def _without_normalisation(network: nn.Module) -> Iterator[None]:
    changed = [module for module in network.modules() if isinstance(module, NORMALISATIONS)]
    before = [vars(module).get("forward") for module in changed]
    try:
        for module in changed:
            setattr(module, "forward", _first_argument)  # noqa: B010 - the type checker refuses an assignment
        yield
    finally:
        for module, own in zip(changed, before, strict=True):
            del module.forward
            if own is not None:
                setattr(module, "forward", own)  # noqa: B010


def _first_argument(x: Tensor) -> Tensor:
    return x


def _multiply_accumulates(module: nn.Module, output: Tensor | None) -> int:
    if output is None or not isinstance(module, WEIGHTED):
        return 0
    pixels = output[0].numel() // len(module.weight)  # a linear layer's may be tokens
    return pixels * (module.weight.numel() + (module.bias.numel() if module.bias is not None else 0))
