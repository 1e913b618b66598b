"""What is measured: training-free scores, each a pure function of a trace. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from diswot.proxies.declarations import UndefinedScore
from diswot.proxies.registry import Proxy, register

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Proxy", "UndefinedScore", "register", "score"]


def score(
    network: nn.Module,
    images: Tensor | Sequence[Tensor],
    labels: Tensor | Sequence[Tensor],
    names: Sequence[str],
    *,
    teacher: nn.Module | None = None,
    init: Literal["keep", "default"] = "keep",
    seed: int = 0,
    undefined: Literal["raise", "nan"] = "raise",
) -> dict[str, float]:
    """Score one network on one batch.

    The network's and the teacher's weights, mode, hooks and gradients, and the global random state, are the same
    after the call as before it. Neither `torch.autocast`, `torch.no_grad` nor inference mode changes a score.

    Args:
        network: has ``features(images) -> list[Tensor]`` (feature maps, the pooled vector last) and ``classifier``.
        images: (batch, 3, height, width); or a pair of such, of which proxies that need a second batch
            (``zico``) read the second. Given one, they halve it.
        labels: (batch,) class numbers, integers; a pair where images are a pair.
        names: which proxies.
        teacher: what proxies of the KD and DisWOT families compare with; the same interface as the network.
        init: ``keep`` scores the given weights, of network and teacher alike, for every proxy; ``default`` gives
            each proxy the initialisation that it declares, drawn from the seed.
        seed: of everything random.
        undefined: ``raise`` raises `UndefinedScore` for the first score that has no value; ``nan`` gives NaN for each
            such score and keeps the others. It also gives NaN, with a warning that has the reason, where a proxy cannot
            compare the shapes of network and teacher.

    Returns:
        The score by name, in the order of ``names``.

    Raises:
        InputError: if a name is not known, a proxy needs a teacher and there is none or one of other shapes, or what is
            given is not as above.
        UndefinedScore: if a score has no value on this network and batch, unless ``undefined`` is ``nan``.
    """
    from diswot.proxies import scoring

    return scoring.score(network, images, labels, names, teacher=teacher, init=init, seed=seed, undefined=undefined)
