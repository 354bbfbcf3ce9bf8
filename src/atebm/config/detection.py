"""Out-of-distribution detection and its attacks."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from .base import Paper, Section, Unique, key
from .roles import PUBLISHED


class Attack(Section):
    """The base of all attacks. Each declares its function, its columns of scores.csv, and its cost per image."""

    # "module:function", called as function(f, x, eps, seed, numbers, **keywords): it returns images of a higher f in
    # the balls of radius eps around images x (B, C, H, W) in [0, 1]; `numbers` are the images' numbers in their set
    function: ClassVar[str]
    few: ClassVar[dict[str, Any]] = {}  # faster settings for user images; empty: the settings of config.yaml

    @property
    def copies(self) -> int:
        """Return how many copies of an image pass through the network at once."""
        return 1

    def columns(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the columns of the attack with this name, and for each the keywords of its function."""
        return {name: self.model_dump()}

    def cost(self) -> tuple[int, int]:
        """Return how often f is computed per image and radius: without its gradient, and with it."""
        raise NotImplementedError


class AutoPgd(Attack):
    """Auto-PGD with its published schedule."""

    paper = Paper("Table S8; Sec. 5.2")
    function = "atebm.attacks.auto_pgd:attack"
    few: ClassVar = {"steps": 20, "restarts": 1}
    steps: PositiveInt = key("gradient steps per restart")
    restarts: PositiveInt = key("starting points; the worst result counts")

    @property
    def copies(self) -> int:
        return self.restarts

    def cost(self) -> tuple[int, int]:
        return self.restarts, self.restarts * self.steps


class PlainPgd(Attack):
    """The PGD attack of Eq. 7 at several step sizes."""

    paper = Paper("ours: a check of Auto-PGD")
    function = "atebm.attacks.pgd:attack"
    few: ClassVar = {"steps": 20, "step_sizes": [0.2]}
    steps: PositiveInt = key("gradient steps")
    step_sizes: Unique[PositiveFloat] = key("step sizes, each a separate attack", unit="radii", min_length=1)

    def columns(self, name: str) -> dict[str, dict[str, Any]]:
        return {f"{name}_{share:g}": {"steps": self.steps, "share": share} for share in self.step_sizes}

    def cost(self) -> tuple[int, int]:
        return 0, self.steps * len(self.step_sizes)


class SquareAttack(Attack):
    """The gradient-free attack with random squares."""

    paper = Paper("ours: a check for masked gradients")
    function = "atebm.attacks.square:attack"
    few: ClassVar = {"queries": 50}
    queries: PositiveInt = key("values of f that the attack may compute per image")

    def cost(self) -> tuple[int, int]:
        return 1 + self.queries, 0


class Detection(Section):
    """Out-of-distribution detection with the models of a task, clean and in the worst case."""

    paper = Paper("Sec. 5.2; Tables 4 and S8")
    in_distribution: Literal["p_data", "held_out"] = key("the images that should score high", source="authors' script")
    n: PositiveInt = key("images of each set, drawn by the seed; a set of held-out images with fewer gives all it has")
    seed: NonNegativeInt = key("seed for the choice of images and for the attacks", source="authors' script")
    batch_size: PositiveInt = key(
        "images in a forward pass; shards are whole batches, so that the number of shards changes no byte",
        source="authors' script",
    )
    radius: PositiveFloat = key(
        "radius of the L2 ball in which an out-of-distribution image may be moved", unit="[0, 1] pixels"
    )
    auto_pgd: AutoPgd = key("the published attack; the worst case also has the other attacks and clean images")
    pgd: PlainPgd = key("the PGD attack of Eq. 7, as a check")
    square: SquareAttack = key("the attack without gradients, as a check")
    radii: Unique[PositiveFloat] = key("other radii at which Auto-PGD runs", unit="[0, 1] pixels", source="ours")
    steps: Unique[PositiveInt] = key(
        "other numbers of Auto-PGD steps, at `radius`: a stronger attack must find more", source="ours"
    )
    transfer: bool = key(
        "whether the check for masked gradients also tries the images found with the gradients of a model of another "
        "seed, which is trained only for this",
        source="ours",
        default=True,
    )

    @property
    def others(self) -> dict[str, None]:
        """Return the settings of an `attack` step that switch off all attacks except the published one."""
        return dict.fromkeys(name for name in ATTACKS if name != PUBLISHED and getattr(self, name))


# The fields of Detection that are attacks, in the order in which they are tried.
ATTACKS: dict[str, type[Attack]] = {
    name: kind
    for name, field in Detection.model_fields.items()
    for kind in (field.annotation, *get_args(field.annotation))  # a field that can be null has several types
    if isinstance(kind, type) and issubclass(kind, Attack)
}


def attacks_of(settings: Mapping[str, Any]) -> dict[str, Attack]:
    """Return the attacks in the settings of an `attack` step, in order."""
    return {name: kind.model_validate(settings[name]) for name, kind in ATTACKS.items() if settings.get(name)}


def columns_of(settings: Mapping[str, Any]) -> list[str]:
    """Return the columns that these attacks have in scores.csv."""
    return [column for name, attack in attacks_of(settings).items() for column in attack.columns(name)]
