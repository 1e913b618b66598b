"""What a proxy may declare and raise. It imports nothing of this project, so every other module may import it."""

from __future__ import annotations

from typing import Literal

Direction = Literal["higher", "lower"]

#: The modules that hold this project's own proxies.
FAMILIES = (
    *("counts", "gradients", "activations", "az_nas", "fisher_information", "expressivity", "responses"),
    *("diswot", "distillation", "autodas"),
)

#: What a proxy may say that it needs; each is an attribute of `diswot.proxies.trace.Trace`.
PASSES = (
    "weights",
    "layers",
    "features",
    "logits",
    "relu_outputs",
    "gradients",
    "channel_saliency",
    "input_gradients",
    "hessian_products",
    "hessian_weights",
    "second_batch_gradients",
    "perturbation",
    "classifier_gradient",
    "blocks",
    "tangent_kernel",
    "gradient_signs",
    "image_maps",
    "fisher_information",
    "activation_rows",
    "curve",
    "relu_correlations",
    "relu_gradients",
    "label_gradient_norms",
    "lone_images",
    "ones_gradients",
    "teacher",
)

#: The initialisations that a proxy may be defined on; each is a function of `diswot.benchmarks.initialisation`.
INITIALISATIONS = ("default", "gaussian", "kaiming")

#: What a score may be declared not to depend on: the number of images; which of the cells of one function it is of,
#: and with which weights.
INDEPENDENCES = ("batch_size", "isomorphism")

#: The checks of `diswot check` that a proxy may be declared to fail: `diswot.proxies.testing.PROPERTIES`, those that
#: are asked again at full size, and whether a worker process finds the same scores.
CHECKS = (
    *("side_effects", "one_number", "special_cells", "needs", "deterministic", "order", "sizes", "float64"),
    *("memory_format", "device", "live_edges", "batch_size", "isomorphism", "memory_limit", "time_limit"),
    *("one_number-full-size", "special_cells-full-size", "float64-full-size", "memory_format-full-size", "workers"),
)

#: How the cause ends of a score that is infinite on the better side.
OVERFLOWED = "it overflowed"


class UndefinedScore(ArithmeticError):  # noqa: N818 - the contract's name
    """The proxy has no value here, and why; raised instead of returning a sentinel number."""


class ProxyError(RuntimeError):
    """What a proxy does and may not do; its text goes on from the word "it"."""


class UndeclaredPassError(ProxyError):
    """It reads a pass that it does not declare in ``needs``."""
