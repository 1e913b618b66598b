"""Several networks of one structure in one pass: the passes of a trace, vectorised over weight seeds.

On an accelerator a network this small is bound by the launching of its kernels; eight weight seeds in one pass
launch little more than one does. `torch.func.vmap` turns each operation into one over all networks, so nothing here
knows what the networks are made of. The numbers are those of `proxies.trace` but for rounding, because another kernel
carries out the operation. At a batch of 4 that moves ``epe_nas`` by 1.1 %, and ``zico`` and ``fisher`` by .4 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from diswot.proxies.passes import gradient, hooked
from diswot.proxies.trace import WEIGHTED, Perturbation, draw_noise, mixed_variances, saliency, use_batch_statistics

#: The passes that are computed here; a trace computes any other one by itself.
PASSES = (
    *("features", "logits", "relu_outputs", "gradients", "channel_saliency", "input_gradients"),
    *("hessian_products", "hessian_weights", "second_batch_gradients", "perturbation"),
)

_NEED_HESSIAN = frozenset({"hessian_products", "hessian_weights"})
_NEED_LOSS = frozenset({"gradients", "channel_saliency", "second_batch_gradients"}) | _NEED_HESSIAN


def passes(
    networks: Sequence[nn.Module],
    images: Tensor,
    labels: Tensor,
    *,
    second_batch: tuple[Tensor, Tensor],
    seeds: Sequence[object],
    needs: frozenset[str],
) -> list[dict[str, Any]]:
    """Compute the passes of several networks at once.

    Args:
        networks: of one structure, each with weights of its own; they are taken over.
        images: (batch, channels, height, width), the same for all.
        labels: (batch,).
        second_batch: images and labels of the second batch.
        seeds: for every network what its trace's randomness derives from.
        needs: the passes that will be read; those that are not in `PASSES` are left out.

    Returns:
        For every network its passes by name, as `diswot.proxies.trace.Trace` has them.
    """
    count = len(networks)
    # In the default layout, which vmap's rules know best: pooling warns of a slow way in channels_last.
    networks = [network.eval().to(memory_format=torch.contiguous_format) for network in networks]  # type: ignore[call-overload]
    initial = [use_batch_statistics(network) for network in networks]
    shapes = _output_shapes(networks[0], images[:1])
    watched = [_Watched(network) for network in networks]
    weights, buffers = stack_module_state(watched)
    weights = {name: weight.detach().requires_grad_(True) for name, weight in weights.items()}
    weighted = [weights[f"network.{name}.weight"] for name, m in networks[0].named_modules() if isinstance(m, WEIGHTED)]

    def forward(batch: Tensor, probes: Sequence[Tensor] = ()) -> tuple[Any, ...]:
        def one(w: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, p: list[Tensor]) -> tuple[Any, ...]:
            result: tuple[Any, ...] = functional_call(watched[0], (w, b), (x, p))
            return result

        return vmap(one)(weights, buffers, batch, list(probes))

    def alike(batch: Tensor) -> Tensor:
        return batch.detach().expand(count, *batch.shape).contiguous()

    found: dict[str, list[Any]] = {}
    with torch.enable_grad():
        batched = alike(images).requires_grad_(True)
        probes = [images.new_zeros((count, len(images), *shape), requires_grad=True) for shape in shapes]
        first = forward(batched, probes if "channel_saliency" in needs else ())
        features, logits, relu_outputs, outputs, variances = first
        found["features"] = _of_each(features, count)
        found["logits"] = list(logits.detach())
        found["relu_outputs"] = _of_each(relu_outputs, count)
        if needs & _NEED_LOSS:
            loss = _loss(logits, labels)
            gradients = gradient(loss, weighted)
            found["gradients"] = _of_each(gradients, count)
        if "channel_saliency" in needs:
            reached = torch.autograd.grad(loss, probes, retain_graph=True, allow_unused=True)
            modules = [module for module in networks[0].modules() if isinstance(module, WEIGHTED)]
            absent = images.new_zeros((len(images), 1))
            found["channel_saliency"] = [
                tuple(
                    absent if g is None else saliency(module, output[k].detach(), g[k])
                    for module, output, g in zip(modules, outputs, reached, strict=True)
                )
                for k in range(count)
            ]
        if "input_gradients" in needs:
            found["input_gradients"] = list(gradient(logits.sum(), [batched])[0].flatten(2))
        if needs & _NEED_HESSIAN:
            again = gradient(loss, weighted, create_graph=True)
            for name in needs & _NEED_HESSIAN:
                vector = gradients if name == "hessian_products" else [weight.detach() for weight in weighted]
                product = torch.stack([(v * g).sum() for v, g in zip(vector, again, strict=True)]).sum()
                found[name] = _of_each(gradient(product, weighted), count)
        if "second_batch_gradients" in needs:
            second = gradient(_loss(forward(alike(second_batch[0]))[1], second_batch[1]), weighted)
            found["second_batch_gradients"] = list(zip(found["gradients"], _of_each(second, count), strict=True))
    if "perturbation" in needs:
        with torch.no_grad():
            noise = torch.stack([draw_noise(images, seed) for seed in seeds])
            perturbed, _, _, _, after = forward(batched + 0.01 * noise)
            distances = (features[-2] - perturbed[-2]).abs().flatten(2).sum(2).mean(1)
        found["perturbation"] = [
            Perturbation(distance, mixed_variances(initial[k], [v[k] for v in variances], [v[k] for v in after]))
            for k, distance in enumerate(distances.detach())
        ]
    return [{name: found[name][k] for name in PASSES if name in needs} for k in range(count)]


class _Watched(nn.Module):
    # What a forward pass leaves behind, as outputs, which is all that vmap lets out. A gradient with respect to what
    # vmap has let out would be zero, so zeros are added to the outputs of the layers, and stand for these.
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, probes: Sequence[Tensor]) -> tuple[Any, ...]:
        relu_outputs: list[Tensor] = []
        outputs: dict[nn.Module, Tensor] = {}
        modules = list(self.network.modules())
        weighted = [module for module in modules if isinstance(module, WEIGHTED)]
        probe_of: dict[nn.Module, Tensor] = dict(zip(weighted, probes, strict=True)) if probes else {}

        def keep_relu(module: nn.Module, inputs: Any, output: Tensor) -> None:
            relu_outputs.append(output)

        def keep_output(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            outputs[module] = output
            return output + probe_of[module] if probes else output

        hooks = [m.register_forward_hook(keep_relu) for m in modules if isinstance(m, nn.ReLU)]
        hooks += [m.register_forward_hook(keep_output) for m in weighted]
        with hooked(hooks):
            features = self.network.features(images)
            logits = self.network.classifier(features[-1])
        absent = logits.new_zeros((len(images), 1))
        variances = [m.running_var.clone() for m in modules if isinstance(m, _BatchNorm) and m.running_var is not None]
        return features, logits, relu_outputs, [outputs.get(module, absent) for module in weighted], variances


def _output_shapes(network: Any, image: Tensor) -> list[tuple[int, ...]]:
    # Of one image, a layer in turn; (1,) for a layer that does not run.
    with torch.no_grad():
        outputs = _Watched(network)(image, ())[3]
    return [tuple(output.shape[1:]) for output in outputs]


def _loss(logits: Tensor, labels: Tensor) -> Tensor:
    # Each network's loss depends on its own weights alone, so the gradient of the sum is that of each.
    return torch.stack([F.cross_entropy(one, labels) for one in logits]).sum()


def _of_each(batched: Sequence[Tensor], count: int) -> list[tuple[Tensor, ...]]:
    return [tuple(one[k].detach() for one in batched) for k in range(count)]
