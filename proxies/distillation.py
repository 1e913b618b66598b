"""KD zero-proxies: minus a distillation loss between an untrained student and an untrained teacher.

Which feature feeds which loss follows the DisWOT release (exps/parse_nb201_distill.py): the pooled vector, the logits,
or the feature maps from the second stage on; where the release does not run, the choice is stated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diswot.proxies.conditions import require_different_images, require_maps, require_two_images
from diswot.proxies.registry import register

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from diswot.proxies.trace import Trace


def _zero_proxy(
    paper: str,
    *,
    reads: str = "features",
    differences: str = "",
    expected_failed_checks: Mapping[str, str] | None = None,
) -> Callable[..., Any]:
    return register(
        family="distillation",
        version="1",
        needs=[reads, "teacher"],
        live_edges_only=True,
        source=f"{paper}; DisWOT release, distiller_zoo",
        differences=differences,
        expected_failed_checks=expected_failed_checks,
    )


@_zero_proxy(
    "Hinton, Vinyals and Dean, arXiv 1503.02531",
    reads="logits",
    differences="the released script passes the teacher first, which reverses the divergence; this is Hinton's",
)
def kd(trace: Trace) -> Tensor:
    """Minus KL(teacher || student) of the logits at temperature 4."""
    from diswot.proxies import losses

    return -losses.kd(trace.logits, trace.teacher.logits)


@_zero_proxy(
    "Romero et al., FitNets, ICLR 2015",
    differences="no regressor between the shapes: they must agree",
)
def fitnet(trace: Trace) -> Tensor:
    """Minus the mean squared difference of the pooled vectors."""
    from diswot.proxies import losses

    return -losses.fitnet(trace.features[-1], trace.teacher.features[-1])


@_zero_proxy("Zagoruyko and Komodakis, ICLR 2017")
def at(trace: Trace) -> Tensor:
    """Minus the distance of the spatial attention maps, summed over the maps from the second stage on."""
    from diswot.proxies import losses

    return -_summed("at", losses.attention, trace)


@_zero_proxy(
    "Tung and Mori, ICCV 2019",
    differences="over the whole batch; the released call compares the channels of the first image",
)
def sp(trace: Trace) -> Tensor:
    """Minus the distance of the images' relations in the last activation map."""
    from diswot.proxies import losses

    require_two_images(trace.features[-2])
    return -losses.similarity(trace.features[-2], trace.teacher.features[-2])


@_zero_proxy(
    "Peng et al., ICCV 2019",
    differences="RepDistiller's form, without the paper's kernel and embedding",
)
def cc(trace: Trace) -> Tensor:
    """Minus the mean product of consecutive images' differences between the pooled vectors."""
    from diswot.proxies import losses

    require_two_images(trace.features[-1])
    return -losses.correlation(trace.features[-1], trace.teacher.features[-1])


@_zero_proxy(
    "Park et al., CVPR 2019",
    differences="undefined where all pooled vectors are equal; the reference's eps makes them equidistant there",
)
def rkd(trace: Trace) -> Tensor:
    """Minus the distance and angle terms between the pooled vectors."""
    from diswot.proxies import losses

    require_different_images(trace.features[-1])
    return -losses.relational(trace.features[-1], trace.teacher.features[-1])


@_zero_proxy(
    "Passalis and Tefas, ECCV 2018",
    differences="in float64: the value is some 1e-7, of which the reference's float32 keeps two or three digits",
)
def pkt(trace: Trace) -> Tensor:
    """Minus the divergence of the pooled vectors' similarities read as probabilities."""
    from diswot.proxies import losses

    require_two_images(trace.features[-1])
    return -losses.probabilistic(trace.features[-1].double(), trace.teacher.features[-1].double())


@_zero_proxy("Huang and Wang, arXiv 1707.01219")
def nst(trace: Trace) -> Tensor:
    """Minus the maximum mean discrepancy of channel patterns, summed over the maps from the second stage on."""
    from diswot.proxies import losses

    return -_summed("nst", losses.neuron_selectivity, trace)


@_zero_proxy(
    "Lee, Kim and Song, ECCV 2018",
    differences="undefined where a map is the same for every image: a zero map's singular vectors are the solver's; "
    "the reference's score also depends on the signs of singular vectors, which float32 and float64 choose differently",
    expected_failed_checks={"float64": "the score depends on the signs of singular vectors, which are the solver's"},
)
def kdsvd(trace: Trace) -> Tensor:
    """Minus the distance of the leading singular vectors' relations between the last two maps."""
    from diswot.proxies import losses

    maps = trace.features[1:-1]
    require_maps(maps, 2)
    for one in maps:
        require_different_images(one)
    return -losses.singular_vectors(maps, trace.teacher.features[1:-1])


@_zero_proxy(
    "Yim et al., CVPR 2017",
    differences="the release cannot call it; taken over the three feature maps, as RepDistiller does",
)
def fsp(trace: Trace) -> Tensor:
    """Minus the distance of the flow matrices between consecutive maps."""
    from diswot.proxies import losses

    require_maps(trace.features[:-1], 2)
    return -losses.flow(trace.features[:-1], trace.teacher.features[:-1])


@_zero_proxy("Liu et al., ICCV 2021", differences="no embedding convolution: channels must agree")
def ickd(trace: Trace) -> Tensor:
    """Minus the distance of the channels' relations in the last activation map."""
    from diswot.proxies import losses

    return -losses.inter_channel(trace.features[-2], trace.teacher.features[-2])


@_zero_proxy(
    "Dong, Li and Wei, DisWOT, CVPR 2023",
    differences="the release has the loss but no call; taken over the three feature maps",
)
def rmi(trace: Trace) -> Tensor:
    """Minus (3 - the sum of the linear CKA of the three maps)."""
    from diswot.proxies import losses

    require_maps(trace.features[:-1], 1)
    for feature in trace.features[:-1]:
        require_different_images(feature)
    return -losses.kernel_alignment(trace.features[:-1], trace.teacher.features[:-1])


def _summed(name: str, distance: Callable[[Tensor, Tensor], Tensor], trace: Trace) -> Tensor:
    from diswot.proxies import losses

    require_maps(trace.features[1:-1], 1)
    maps = losses.pairs(name, trace.features[1:-1], trace.teacher.features[1:-1])
    return sum((distance(one, other) for one, other in maps), start=trace.features[-1].new_zeros(()))
