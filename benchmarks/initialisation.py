"""Random weights for a network, drawn tensor by tensor from the seed and the tensor's name.

A tensor's values depend on the seed, its name and its shape alone, so a network and the same network with some
edges left out have the same weights wherever they share an edge.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from diswot.benchmarks.errors import InputError
from diswot.benchmarks.seeding import generator

_WEIGHTED = (nn.Conv2d, nn.Linear)


def default(network: nn.Module, seed: object) -> None:
    """Draw weights as torch's constructors do: uniform in ±1/sqrt(fan in), for weights and biases alike.

    Args:
        network: written to in place; its modules with parameters must be Conv2d, Linear or BatchNorm.
        seed: anything whose text identifies the draw.
    """

    def draw(values: Tensor, fan_in: int, source: torch.Generator) -> Tensor:
        bound = fan_in**-0.5
        return values.uniform_(-bound, bound, generator=source)

    _fill(network, seed, draw, draw)


def gaussian(network: nn.Module, seed: object) -> None:
    """Draw weights from N(0, 1) and set biases to zero.

    Source: the DisWOT release, which takes it over from ZenNAS (``network_weight_gaussian_init``).
    """

    def draw(values: Tensor, fan_in: int, source: torch.Generator) -> Tensor:
        return values.normal_(generator=source)

    _fill(network, seed, draw, _zero)


def kaiming(network: nn.Module, seed: object) -> None:
    """Draw weights from N(0, 2 / fan in) and set biases to zero.

    Source: He et al., "Delving Deep into Rectifiers", ICCV 2015; AZ-NAS (``kaiming_normal_fanin_init``), and VKDNW.
    """

    def draw(values: Tensor, fan_in: int, source: torch.Generator) -> Tensor:
        return values.normal_(std=(2 / fan_in) ** 0.5, generator=source)

    _fill(network, seed, draw, _zero)


#: Every initialisation by its name.
BY_NAME: dict[str, Callable[[nn.Module, object], None]] = {
    "default": default,
    "gaussian": gaussian,
    "kaiming": kaiming,
}


def drawn(build: Callable[[], nn.Module], init: str, seed: object) -> nn.Module:
    """Build a network on the host and draw its weights; what its constructor draws is thrown away.

    Args:
        build: makes the network.
        init: the name of an initialisation.
        seed: anything whose text identifies the draw.
    """
    with torch.random.fork_rng(devices=[]):  # on the meta device, to draw nothing, building would take twice as long
        network = build()
    BY_NAME[init](network, seed)
    return network


_Draw = Callable[[Tensor, int, torch.Generator], Tensor]


def _zero(values: Tensor, fan_in: int, source: torch.Generator) -> Tensor:
    return values.zero_()


@torch.no_grad()
def _fill(network: nn.Module, seed: object, draw_weight: _Draw, draw_bias: _Draw) -> None:
    for name, module in network.named_modules():
        if isinstance(module, _WEIGHTED):
            fan_in = module.weight[0].numel()
            for kind, draw in (("weight", draw_weight), ("bias", draw_bias)):
                parameter = getattr(module, kind)
                if parameter is not None:
                    source = generator(seed, f"{name}.{kind}")
                    # Drawn on the host in the default layout: the same values on every device.
                    blank = torch.empty(parameter.shape, dtype=torch.float32, device=source.device)
                    parameter.copy_(draw(blank, fan_in, source))
        elif isinstance(module, _BatchNorm):
            module.reset_parameters()
        elif next(module.parameters(recurse=False), None) is not None:
            raise InputError(f"init: a {type(module).__name__} ({name}) cannot be initialised; use init='keep'.")
