"""The settings of the 2D simulations of Algorithms 1 and 3."""

from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from .base import Paper, Section, Unique, key

Activation = Literal["relu", "tanh"]


class ToySettings(Section):
    """The 2D simulation of Algorithm 1 (Fig. 1); settings that the paper does not state are ours."""

    paper = Paper("Algorithm 1; Fig. 1; the numbers are ours")
    seeds: PositiveInt = key("number of networks, each with its own seed")
    width: PositiveInt = key("units of each hidden layer")
    first_layer_gain: PositiveFloat = key("factor on the first layer's initial weights and biases")
    iterations: PositiveInt = key("training iterations")
    m: PositiveInt = key("points newly drawn from each distribution in an iteration")
    K: PositiveInt = key("PGD steps")
    step_size: PositiveFloat = key("length of a step, in the plane")
    lr: PositiveFloat = key("learning rate of Adam")


class Toy(ToySettings):
    activations: Unique[Activation] = key("activations of the networks; Fig. 1 is drawn with the first", min_length=1)


class ToyStep(ToySettings):
    """The settings of a `toy` step: all seeds and both choices of p_0, for one activation."""

    activation: Activation = key("activation of the network")
    seed: NonNegativeInt = key("the first seed")


class Minimax(Section):
    """The 2D simulation of Algorithm 3 (Fig. S1); settings that the paper does not state are ours."""

    paper = Paper("Algorithm 3; supplement Fig. 1; the numbers are ours")
    activation: Activation = key("activation of the network")
    seeds: PositiveInt = key("number of networks, each with its own seed")
    width: PositiveInt = key("units of each hidden layer")
    first_layer_gain: PositiveFloat = key("factor on the first layer's initial weights and biases")
    m: PositiveInt = key("number of particles, and of points of p_data; both are drawn once")
    outer: PositiveInt = key("moves of each particle")
    inner: PositiveInt = key("steps of D before each move")
    batch: PositiveInt = key("points of each distribution in a step of D")
    step_size: PositiveFloat = key("length of the first move, in the plane")
    decay: NonNegativeFloat = key("exponent in the length of move k of n, step_size * (1 - k / n)^decay")
    lr: PositiveFloat = key("learning rate of Adam")


class MinimaxStep(Minimax):
    """The settings of a `minimax` step: all seeds and both choices of p_0."""

    seed: NonNegativeInt = key("the first seed")
