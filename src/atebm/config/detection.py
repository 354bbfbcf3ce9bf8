"""Out-of-distribution detection and its attacks."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from .base import Paper, Section


class AutoPgd(Section):
    """Auto-PGD with its published schedule."""

    paper = Paper("Table S8; Sec. 5.2")
    steps: PositiveInt
    restarts: PositiveInt


class PlainPgd(Section):
    """The PGD attack of Eq. 7 at several step sizes."""

    paper = Paper("ours: a check of Auto-PGD")
    steps: PositiveInt
    step_sizes: tuple[PositiveFloat, ...] = Field(min_length=1)  # in units of the radius


class SquareAttack(Section):
    """The gradient-free attack by random squares."""

    paper = Paper("ours: a check for masked gradients")
    queries: PositiveInt


class Detection(Section):
    """Out-of-distribution detection with the models of a task, clean and in the worst case."""

    paper = Paper("Sec. 5.2; Tables 4 and S8")
    in_distribution: Annotated[
        Literal["p_data", "held_out"], Paper("authors' script")
    ]  # the images that should score high
    n: PositiveInt  # images of each set, drawn by the seed; where fewer are held out, all of these
    seed: Annotated[NonNegativeInt, Paper("authors' script")]  # also of the attacks
    # images a forward pass; shards are whole batches, so that their number changes no byte
    batch_size: Annotated[PositiveInt, Paper("authors' script")]
    radius: PositiveFloat  # of the L2 ball that an out-of-distribution image may be moved in, in [0, 1] pixel space
    auto_pgd: AutoPgd  # the published protocol; the worst of all attacks has the two others, too, and clean images
    pgd: PlainPgd
    square: SquareAttack
    # other radii and, at `radius`, other numbers of steps that Auto-PGD is run with: a stronger attack must find more
    radii: Annotated[tuple[PositiveFloat, ...], Paper("ours")]
    steps: Annotated[tuple[PositiveInt, ...], Paper("ours")]
