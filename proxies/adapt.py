"""Adapt any torch module, which need have a forward alone, to what a trace asks of a network."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor, nn

from diswot.benchmarks.errors import InputError, quoted, unknown
from diswot.proxies.copying import copied
from diswot.proxies.passes import argument, hooked

#: Where networks have names: the module that lists and makes them, the function that makes one, and how.
_LIBRARIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "timm": ("timm", "create_model", {"pretrained": False}),
    "torchvision": ("torchvision.models", "get_model", {"weights": None}),
}


def adapt(module: nn.Module | str, features: Sequence[str], classifier: str, *, blocks: Sequence[str] = ()) -> Adapted:
    """Return a network that proxies can score, made of a copy of a module.

    The module itself is not changed. `diswot.score` takes the result as a network and as a teacher.

    Args:
        module: whose ``forward(images)`` runs its named modules; or the name of a network of timm or torchvision, such
            as ``resnet18``, whose weights are then drawn at random.
        features: names of the modules whose outputs are the feature maps, (batch, channels, height, width), in the
            order of the stages. Where such a module runs several times, the last output counts.
        classifier: name of the ``nn.Linear`` that makes the logits. Its input, flattened, is the pooled vector.
        blocks: names of the modules that run one after another between the images and the last map; only the
            ``az_`` proxies read them, and have no score without.

    Raises:
        InputError: if there is no module of a name, the classifier is no linear layer, the module cannot be copied, or
            no installed package has a network of that name.
    """
    if isinstance(module, str):
        module = _of_library(module)
    if not isinstance(module, nn.Module):
        raise InputError(f"module: a {type(module).__name__} is no torch module; give an nn.Module or a text.")
    modules = dict(module.named_modules(remove_duplicate=False))
    for parameter, given in (("features", features), ("blocks", blocks), ("classifier", [classifier])):
        if isinstance(given, str) or not all(isinstance(name, str) for name in given):
            raise InputError(f"{parameter}: {given!r} is not allowed; give a list of names of modules.")
        for name in given:
            if not name or name not in modules:
                raise unknown(parameter, name, filter(None, modules), hint="`module.named_modules()` lists them.")
    if not features:
        raise InputError("features: the list is empty; name one module or more that puts out feature maps.")
    if not isinstance(modules[classifier], nn.Linear):
        linear = ", ".join(name for name, layer in modules.items() if isinstance(layer, nn.Linear)) or "there is none"
        raise InputError(
            f"classifier: {quoted(classifier)} is a {type(modules[classifier]).__name__} and not an nn.Linear. "
            f"Allowed: {linear}."
        )
    return Adapted(copied("module", module), features, classifier, blocks)


class Adapted(nn.Module):
    """A module, with the ``features`` and the ``classifier`` that a trace reads; made by `adapt`.

    Attributes:
        module: what was adapted.
    """

    def __init__(self, module: nn.Module, features: Sequence[str], classifier: str, blocks: Sequence[str]) -> None:
        """Take over a module; the arguments are those of `adapt`."""
        super().__init__()
        self.module = module
        # Names and not modules: what has two names in a network is easily saved, moved or counted twice.
        self._features = tuple(features)
        self._classifier = classifier
        self._blocks = tuple(blocks)

    @property
    def classifier(self) -> nn.Linear:
        """The layer that makes the logits of the pooled vector."""
        return cast("nn.Linear", self.module.get_submodule(self._classifier))

    @property
    def blocks(self) -> list[nn.Module] | None:
        """The modules that run one after another; None where none were named."""
        return [self.module.get_submodule(name) for name in self._blocks] or None

    def forward(self, images: Tensor) -> Any:
        """Return what the module returns."""
        return self.module(images)

    def features(self, images: Tensor) -> list[Tensor]:
        """Run the module and return the feature maps, (batch, channels, height, width), the pooled vector last.

        Raises:
            InputError: if a named module does not run, or deals in something else.
        """
        seen: dict[str, Tensor] = {}

        def keep_output(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
                if not isinstance(output, Tensor) or output.dim() != 4:
                    raise InputError(
                        f"features: {name} puts out {shape}, and not maps (batch, channels, height, width)."
                    )
                seen[name] = output.clone()  # a module that works in place may come next

            return hook

        def keep_input(module: nn.Module, inputs: tuple[Tensor, ...], by_name: dict[str, Tensor]) -> None:
            vectors = argument(inputs, by_name)
            seen[self._classifier] = vectors.flatten(1)
            if seen[self._classifier].shape[1] != self.classifier.in_features:
                raise InputError(
                    f"classifier: {self._classifier} reads {tuple(vectors.shape)}, and not one vector an image."
                )

        hooks = [self.module.get_submodule(n).register_forward_hook(keep_output(n)) for n in self._features]
        hooks.append(self.classifier.register_forward_pre_hook(keep_input, with_kwargs=True))
        with hooked(hooks):
            self.module(images)
        for parameter, name in (*(("features", name) for name in self._features), ("classifier", self._classifier)):
            if name not in seen:
                raise InputError(
                    f"{parameter}: {name} does not run when a {type(self.module).__name__} is called; name a module "
                    "that does."
                )
        return [*(seen[name] for name in self._features), seen[self._classifier]]


def _of_library(name: str) -> nn.Module:
    libraries = {package: _imported(where) for package, (where, *_) in _LIBRARIES.items()}
    installed: dict[str, Any] = {package: library for package, library in libraries.items() if library is not None}
    if not installed:
        raise InputError(
            f"module: {quoted(name)} would be a network of {' or '.join(libraries)}, and neither is installed; install "
            "one, or give the network itself."
        )
    for package, library in installed.items():
        if name in library.list_models():
            _, make, options = _LIBRARIES[package]
            with torch.random.fork_rng():
                network: nn.Module = getattr(library, make)(name, **options)
            return network
    allowed = {model for library in installed.values() for model in library.list_models()}
    raise unknown("module", name, sorted(allowed), hint=f"It is looked for in {' and '.join(installed)}.")


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
