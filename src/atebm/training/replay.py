"""Keep the replay buffer of an energy-based model: samples from which later chains of Langevin dynamics continue."""

import torch
from torch import Tensor, nn

from ..config.training import Langevin


class Replay(nn.Module):
    """A buffer of samples (Du and Mordatch 2019, Sec. 3.2); its state_dict is part of a checkpoint.

    A place at which no chain has ended is empty: a chain that draws it starts at its image of p_0.
    """

    samples: Tensor
    filled: Tensor

    def __init__(self, how: Langevin, shape: tuple[int, ...], device: torch.device):
        super().__init__()
        if how.buffer is None:
            raise ValueError("the replay buffer needs a size")
        self.size, self.reinitialise = how.buffer, how.reinitialise
        self.register_buffer("samples", torch.zeros(how.buffer, *shape, device=device))
        self.register_buffer("filled", torch.zeros(how.buffer, dtype=torch.bool, device=device))

    def draw(self, x_0: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return where chains start, (B, ...), and the places (B,) in the buffer where they end.

        x_0 are images of p_0, (B, ...); a share `reinitialise` of the chains starts there. All places differ.
        """
        places = torch.randperm(self.size, generator=generator)[: len(x_0)].to(x_0.device)
        anew = torch.rand(len(x_0), generator=generator).to(x_0.device) < self.reinitialise
        anew |= ~self.filled[places]
        return torch.where(anew.view(-1, *[1] * (x_0.ndim - 1)), x_0, self.samples[places].to(x_0.dtype)), places

    def keep(self, places: Tensor, x_star: Tensor) -> None:
        """Store samples (B, ...) at their places."""
        self.samples[places] = x_star.to(self.samples.dtype)
        self.filled[places] = True
