"""The 2D simulations of Algorithms 1 and 3."""

from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from .base import Paper, Section, Unique, key

Activation = Literal["relu", "tanh"]


class ToySettings(Section):
    """The 2D simulation of Algorithm 1 (Fig. 1); settings where the paper is silent are ours."""

    paper = Paper("Algorithm 1; Fig. 1; the numbers are ours")
    seeds: PositiveInt = key("networks, each of its own seed")
    width: PositiveInt = key("units of each hidden layer")
    first_layer_gain: PositiveFloat = key("factor of the first layer's initial weights and biases")
    iterations: PositiveInt = key("training iterations")
    m: PositiveInt = key("fresh points of each distribution in an iteration")
    K: PositiveInt = key("PGD steps")
    step_size: PositiveFloat = key("length of a step, in the plane")
    lr: PositiveFloat = key("learning rate of Adam")


class Toy(ToySettings):
    activations: Unique[Activation] = key("activations of the networks; Fig. 1 is drawn with the first", min_length=1)


class ToyStep(ToySettings):
    """One `toy` step: all seeds and both p_0 of one activation."""

    activation: Activation = key("activation of the network")
    seed: NonNegativeInt = key("the first seed")


class Minimax(Section):
    """The 2D simulation of Algorithm 3 (Fig. S1); settings where the paper is silent are ours."""

    paper = Paper("Algorithm 3; supplement Fig. 1; the numbers are ours")
    activation: Activation = key("activation of the network")
    seeds: PositiveInt = key("networks, each of its own seed")
    width: PositiveInt = key("units of each hidden layer")
    first_layer_gain: PositiveFloat = key("factor of the first layer's initial weights and biases")
    m: PositiveInt = key("particles, and points of p_data, drawn once")
    outer: PositiveInt = key("moves of every particle")
    inner: PositiveInt = key("steps of D before each move")
    batch: PositiveInt = key("points of each distribution in a step of D")
    step_size: PositiveFloat = key("length of the first move, in the plane")
    decay: NonNegativeFloat = key("exponent: move number k of n has length step_size * (1 - k / n)^decay")
    lr: PositiveFloat = key("learning rate of Adam")


class MinimaxStep(Minimax):
    """One `minimax` step: all seeds and both p_0."""

    seed: NonNegativeInt = key("the first seed")
