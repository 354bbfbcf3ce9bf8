"""Out-of-distribution detection and its attacks."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from .base import Paper, Section, Unique, key
from .roles import PUBLISHED


class Attack(Section):
    """What every attack declares: its function, its columns of scores.csv, and what an image costs it."""

    # "module:function", called as function(f, x, eps, seed, numbers, **keywords): images of a higher f in the balls of
    # radius eps around images x (B, C, H, W) in [0, 1], which have these numbers in their set
    function: ClassVar[str]
    few: ClassVar[dict[str, Any]] = {}  # settings for your images, where minutes count; none: those of config.yaml

    @property
    def copies(self) -> int:
        """Return how many copies of an image pass the network at once."""
        return 1

    def columns(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the columns of the attack of this name, and the keywords of its function for each."""
        return {name: self.model_dump()}

    def cost(self) -> tuple[int, int]:
        """Return for how many copies of an image f is computed at a radius: alone, and with its gradient."""
        raise NotImplementedError


class AutoPgd(Attack):
    """Auto-PGD with its published schedule."""

    paper = Paper("Table S8; Sec. 5.2")
    function = "atebm.attacks.auto_pgd:attack"
    few: ClassVar = {"steps": 20, "restarts": 1}
    steps: PositiveInt = key("gradient steps of each restart")
    restarts: PositiveInt = key("starting points, of which the worst counts")

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
    step_sizes: Unique[PositiveFloat] = key("step sizes, each an attack of its own", unit="radii", min_length=1)

    def columns(self, name: str) -> dict[str, dict[str, Any]]:
        return {f"{name}_{share:g}": {"steps": self.steps, "share": share} for share in self.step_sizes}

    def cost(self) -> tuple[int, int]:
        return 0, self.steps * len(self.step_sizes)


class SquareAttack(Attack):
    """The gradient-free attack by random squares."""

    paper = Paper("ours: a check for masked gradients")
    function = "atebm.attacks.square:attack"
    few: ClassVar = {"queries": 50}
    queries: PositiveInt = key("values of f that the attack may ask for")

    def cost(self) -> tuple[int, int]:
        return 1 + self.queries, 0


class Detection(Section):
    """Out-of-distribution detection with the models of a task, clean and in the worst case."""

    paper = Paper("Sec. 5.2; Tables 4 and S8")
    in_distribution: Literal["p_data", "held_out"] = key("the images that should score high", source="authors' script")
    n: PositiveInt = key("images of each set, drawn by the seed; all of them where a set of held-out images has fewer")
    seed: NonNegativeInt = key("seed of the choice of images and of the attacks", source="authors' script")
    batch_size: PositiveInt = key(
        "images in a forward pass; shards are whole batches, so that their number changes no byte",
        source="authors' script",
    )
    radius: PositiveFloat = key(
        "radius of the L2 ball that an out-of-distribution image may be moved in", unit="[0, 1] pixels"
    )
    auto_pgd: AutoPgd = key("the published attack; the worst case also has the other attacks and clean images")
    pgd: PlainPgd = key("the PGD attack of Eq. 7, as a check")
    square: SquareAttack = key("the attack without gradients, as a check")
    radii: Unique[PositiveFloat] = key("other radii that Auto-PGD is run at", unit="[0, 1] pixels", source="ours")
    steps: Unique[PositiveInt] = key(
        "other numbers of steps of Auto-PGD, at `radius`: a stronger attack must find more", source="ours"
    )
    transfer: bool = key(
        "whether OOD masking also tries what the gradients of a model of another seed find, trained for that alone",
        source="ours",
        default=True,
    )

    @property
    def others(self) -> dict[str, None]:
        """Return settings of an `attack` step that leave out all attacks but the published one."""
        return dict.fromkeys(name for name in ATTACKS if name != PUBLISHED and getattr(self, name))


# Fields of Detection that are attacks, in the order in which they are tried.
ATTACKS: dict[str, type[Attack]] = {
    name: kind
    for name, field in Detection.model_fields.items()
    for kind in (field.annotation, *get_args(field.annotation))  # of one that can be null, its types
    if isinstance(kind, type) and issubclass(kind, Attack)
}


def attacks_of(settings: Mapping[str, Any]) -> dict[str, Attack]:
    """Return the attacks that the settings of an `attack` step name, in order."""
    return {name: kind.model_validate(settings[name]) for name, kind in ATTACKS.items() if settings.get(name)}


def columns_of(settings: Mapping[str, Any]) -> list[str]:
    """Return the columns of scores.csv that these attacks have."""
    return [column for name, attack in attacks_of(settings).items() for column in attack.columns(name)]
