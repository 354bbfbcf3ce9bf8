"""The 2D simulations of Algorithms 1 and 3."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from .base import Paper, Section

Activation = Literal["relu", "tanh"]


class ToySettings(Section):
    """The 2D simulation of Algorithm 1 (Fig. 1); settings where the paper is silent are ours."""

    paper = Paper("Algorithm 1; Fig. 1; the numbers are ours")
    seeds: PositiveInt
    width: PositiveInt
    first_layer_gain: PositiveFloat  # multiplies the first layer's initial weights and biases
    iterations: PositiveInt
    m: PositiveInt  # fresh points of each distribution an iteration
    K: PositiveInt
    step_size: PositiveFloat
    lr: PositiveFloat


class Toy(ToySettings):
    activations: tuple[Activation, ...] = Field(min_length=1)


class ToyStep(ToySettings):
    """One `toy` step: all seeds and both p_0 of one activation."""

    activation: Activation
    seed: NonNegativeInt  # the first


class Minimax(Section):
    """The 2D simulation of Algorithm 3 (Fig. S1); settings where the paper is silent are ours."""

    paper = Paper("Algorithm 3; supplement Fig. 1; the numbers are ours")
    activation: Activation
    seeds: PositiveInt
    width: PositiveInt
    first_layer_gain: PositiveFloat  # as the toy's
    m: PositiveInt  # particles, and points of p_data, drawn once
    outer: PositiveInt  # moves of every particle
    inner: PositiveInt  # steps of D before each move
    batch: PositiveInt  # points of each distribution a step of D
    step_size: PositiveFloat  # of the first move
    decay: NonNegativeFloat  # move number k of n has step_size * (1 - k / n)^decay
    lr: PositiveFloat


class MinimaxStep(Minimax):
    """One `minimax` step: all seeds and both p_0."""

    seed: NonNegativeInt  # the first
