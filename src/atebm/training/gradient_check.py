"""Compute the `check` step: the numbers behind each line of Table 1, binary adversarial training and max. likelihood.

The network is a small one with random weights in double precision, since the lines hold for any f. Its images are the
first ones of p_data and p_0; its attack has the run's step size and K.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from ..attacks.langevin import langevin
from ..attacks.pgd import Logit, norms, pgd, pgd_step
from ..data.stored import Stored
from ..models.energy import Energy
from ..pipeline.job import Job
from .losses import binary_at_loss, max_likelihood_loss

IMAGES, WIDTH = 64, 8
STEEPER = 10.0  # f is multiplied by this factor, to see which steps become longer


def write_check(job: Job) -> None:
    """Write check.json with `gradient`, `contrastive_data` and `p_0`, one for each line of the table."""
    settings = job.settings
    sets = {role: Stored(job.parent(role)) for role in ("p_data", "p_0")}
    n = min(IMAGES, *map(len, sets.values()))
    images = {role: stored[slice(n)].double() / 255 for role, stored in sets.items()}
    torch.manual_seed(settings["seed"])
    network = {"name": "small", "width": WIDTH, "mean": settings["mean"], "std": settings["std"]}
    f = Energy(network, tuple(images["p_data"].shape[1:])).double()
    steps, step_size = settings["K"], settings["step_size"]
    contrastive = pgd(f, images["p_0"], steps, step_size)
    job.finish(
        {
            "gradient": gradient_check(f, images["p_data"], contrastive),
            "contrastive_data": step_check(f, images["p_0"], steps, step_size, settings["seed"]),
            "p_0": spread(**images),
            "images": n,
            "K": steps,
            "step_size": step_size,
            "device": "cpu",
        }
    )


def gradient_check(f: Energy, data: Tensor, contrastive: Tensor) -> dict[str, float]:
    """Compare gradients of the losses of Eqs. 11 and 2 by autograd with the formulas of Eqs. 14 and 2, image by image.

    Returns the largest difference of a parameter's derivative, relative to the largest derivative; and the mean weights
    that Eq. 14 gives to images of p_data and to contrastive ones; Eq. 2 gives 1 to both.
    """
    on_data, on_contrastive = f(data), f(contrastive)
    # Eq. 11 is a sum of two means; the loss here is one mean over all 2m images with the opposite sign
    binary_at = loss_gradient(f, -2 * binary_at_loss(on_data, on_contrastive))
    likelihood = loss_gradient(f, -max_likelihood_loss(on_data, on_contrastive))
    of_data, of_contrastive = per_image_gradients(f, data), per_image_gradients(f, contrastive)
    weight_data = 1 - torch.sigmoid(on_data.detach())
    weight_contrastive = torch.sigmoid(on_contrastive.detach())
    eq14 = (weight_data[:, None] * of_data).mean(0) - (weight_contrastive[:, None] * of_contrastive).mean(0)
    return {
        "eq14_difference": relative_difference(binary_at, eq14),
        "eq2_difference": relative_difference(likelihood, of_data.mean(0) - of_contrastive.mean(0)),
        "parameters": eq14.numel(),
        "weight_p_data": weight_data.mean().item(),
        "weight_contrastive": weight_contrastive.mean().item(),
    }


def loss_gradient(f: Energy, objective: Tensor) -> Tensor:
    """Return the derivatives (P,) of a scalar with respect to all parameters of f."""
    gradients = torch.autograd.grad(objective, list(f.parameters()), retain_graph=True)
    return torch.cat([gradient.flatten() for gradient in gradients])


def per_image_gradients(f: Energy, images: Tensor) -> Tensor:
    """Return grad_theta f(x) for each image, (n, P), by torch.func on f itself, without a loss."""

    def value(parameters: dict[str, Tensor], image: Tensor) -> Tensor:
        return functional_call(f, parameters, (image[None],)).squeeze(0)

    parameters = {name: parameter.detach() for name, parameter in f.named_parameters()}
    gradients = vmap(grad(value), in_dims=(None, 0))(parameters, images)
    return torch.cat([gradients[name].flatten(1) for name in parameters], dim=1)


def relative_difference(a: Tensor, b: Tensor) -> float:
    return ((a - b).abs().max() / b.abs().max()).item()


def step_check(f: Energy, x: Tensor, steps: int, step_size: float, seed: int) -> dict[str, Any]:
    """Return how far PGD (Eq. 8) and Langevin dynamics (Eq. 3) move images under f and a steeper f; L2, [0, 1] pixels.

    step_error: largest |distance of one step / step_size - 1| over all images and steps, before pixels are clipped to
    [0, 1]. reach: largest distance after all steps over step_size * steps, at most 1 by Sec. 4.3; without clipping and
    (reach_clamped) with it. steeper: length of a step under STEEPER * f over that under f; for Langevin dynamics, of
    the gradient term without the noise. noise: length of Langevin's noise over sqrt(step_size * pixels).
    """

    def steep(x: Tensor) -> Tensor:
        return STEEPER * f(x)

    def flat(x: Tensor) -> Tensor:
        return 0 * f(x)

    def drawn(logit: Logit) -> Tensor:
        return langevin(logit, x, 1, step_size, torch.Generator().manual_seed(seed))

    path = [x]
    for _ in range(steps):
        path.append(pgd_step(f, path[-1], step_size))
    lengths = torch.stack([norms(after - before) for before, after in pairwise(path)]) / step_size
    noise = drawn(flat)
    return {
        "pgd_step_error": (lengths - 1).abs().max().item(),
        "pgd_reach": (norms(path[-1] - x) / (step_size * steps)).max().item(),
        "pgd_reach_clamped": (norms(pgd(f, x, steps, step_size) - x) / (step_size * steps)).max().item(),
        "pgd_steeper": ratio(pgd_step(steep, x, step_size) - x, path[1] - x),
        "langevin_steeper": ratio(drawn(steep) - noise, drawn(f) - noise),
        "langevin_noise": ratio(noise - x, torch.full_like(x, step_size**0.5)),
        "steeper_by": STEEPER,
    }


def ratio(a: Tensor, b: Tensor) -> float:
    """Return the mean length of a over the mean length of b, both (n, ...)."""
    return (norms(a).mean() / norms(b).mean()).item()


def spread(p_data: Tensor, p_0: Tensor) -> dict[str, float]:
    """Return mean L2 distances: between two images of p_0, two of p_data, and from p_0 to the nearest p_data image."""
    data, source = p_data.flatten(1), p_0.flatten(1)
    return {
        "between_p_0": torch.pdist(source).mean().item(),
        "between_p_data": torch.pdist(data).mean().item(),
        "to_nearest_p_data": torch.cdist(source, data).amin(1).mean().item(),
    }
