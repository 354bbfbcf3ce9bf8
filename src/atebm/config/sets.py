"""Image sets by the reader that makes them, and tasks: a target distribution and the sets around it."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from .augment import Crop
from .base import Paper, Section, without_nulls
from .roles import HELD_OUT, IN


class Images(Section):
    """What every image set has."""

    paper = Paper("ours")
    # what its images are, in captions, rows and legends; null: as its reader describes them. It is in no digest
    title: Annotated[str | None, Paper("ours")] = Field(default=None, exclude=True)


class FashionMnist(Images):
    """The embedded test split of Fashion-MNIST: 28x28 grey, padded to 32x32, resized to `size`."""

    paper = Paper("ours: a stand-in")
    reader: Literal["fashion_mnist"]
    split: Literal["train", "held_out"]
    held_out: Annotated[int, Field(gt=0, lt=10_000)]  # the last so many of the 10,000 images
    size: PositiveInt  # pixels a side

    @property
    def images(self) -> int:
        return self.held_out if self.split == "held_out" else 10_000 - self.held_out


class Photographs(Images):
    """Random crops of photographs that ship inside Python packages (data/embedded/photographs.csv)."""

    paper = Paper("ours: a stand-in")
    reader: Literal["photographs"]
    photographs: tuple[str, ...] = Field(min_length=1)
    n: PositiveInt
    seed: NonNegativeInt
    size: PositiveInt  # pixels a side
    crop_min: PositiveInt  # smallest side of a crop, pixels of the photograph; sides are log-uniform
    crop_max: PositiveInt
    min_std: NonNegativeFloat  # flatter crops are drawn again; grey levels of 255

    @property
    def images(self) -> int:
        return self.n

    @model_validator(mode="after")
    def _ordered(self) -> "Photographs":
        if self.crop_min > self.crop_max:
            raise ValueError(f"crop_min {self.crop_min} is larger than crop_max {self.crop_max}")
        return self


class ColourPhotographs(Photographs):
    """The same in colour; of photographs that are grey, in three equal channels."""

    reader: Literal["colour_photographs"]  # type: ignore[assignment]


class Folder(Images):
    """Some of your image files, which `atebm own` has looked at, in a random order and of one size."""

    paper = Paper("your own images")
    reader: Literal["folder"]
    folder: str  # absolute, or in the checkout
    # image files in it and below, their bytes, and the digest of their names and contents: asserted
    files: PositiveInt
    bytes: PositiveInt
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    channels: Annotated[Literal[1, 3], BeforeValidator(lambda value: {"1": 1, "3": 3}.get(str(value), value))]
    size: PositiveInt  # pixels a side; others are stretched, as all images that are scored are
    seed: NonNegativeInt = 0  # of the order
    skip: NonNegativeInt = 0  # images, first in that order, that are left to other sets
    n: PositiveInt

    @property
    def images(self) -> int:
        return self.n

    @model_validator(mode="after")
    def _there(self) -> "Folder":
        if self.skip + self.n > self.files:
            raise ValueError(f"skip + n = {self.skip + self.n}, but folder {self.folder} has {self.files} images")
        return self


class Archive(Images):
    """A public archive of the paper (data/README.md lists source, licence and access of each)."""

    paper = Paper("supplement 3, datasets; Table S4")
    reader: Literal["archive"]
    archive: str
    split: Literal["train", "held_out"]
    size: PositiveInt  # pixels a side
    count: PositiveInt  # images, asserted

    @property
    def images(self) -> int:
        return self.count


class ImageIndex(Images):
    """Where each image file of a public archive lies: a set that is too large for an array, of images of all sizes."""

    paper = Paper("supplement 3, datasets")
    reader: Literal["index"]
    archive: str
    split: Literal["train", "held_out"]
    count: PositiveInt  # images, asserted

    @property
    def images(self) -> int:
        return self.count


class TinyImages(Images):
    """Images drawn at random from 80 Million Tiny Images, for those who hold that withdrawn set, without CIFAR's."""

    paper = Paper("supplement 3, datasets; Table S4")
    reader: Literal["tiny_images"]
    n: PositiveInt
    seed: NonNegativeInt
    size: Literal[32] = 32

    @property
    def images(self) -> int:
        return self.n


class Drawn(Images):
    """Images drawn at random, without replacement, from another set, and frozen."""

    paper = Paper("Sec. 5.1, sources; supplement 3, evaluation metrics")
    reader: Literal["drawn"]
    of: str  # a set that is not drawn itself
    n: PositiveInt
    seed: NonNegativeInt
    # images, first in the seed's order, that are left to other sets: what is drawn from there on is disjoint from them
    skip: NonNegativeInt = 0
    size: PositiveInt  # pixels a side
    # how images of an index, which have all sizes, get theirs; null: those of an array stay as they are
    crop: Annotated["Crop | None", Paper("authors' script")]

    @property
    def images(self) -> int:
        return self.n


class Noise(Images):
    """Uniform noise, in whole grey levels as all images are stored (the authors' is not rounded)."""

    paper = Paper("Tables 4 and S8")
    reader: Literal["noise"]
    n: PositiveInt
    seed: NonNegativeInt
    size: PositiveInt  # pixels a side
    channels: Annotated[PositiveInt, Paper("ours")] = 3

    @property
    def images(self) -> int:
        return self.n


class Digits(Images):
    """The handwritten digits that ship with scikit-learn, 8x8 grey, resized to `size`."""

    paper = Paper("ours: a stand-in")
    reader: Literal["digits"]
    size: PositiveInt  # pixels a side

    @property
    def images(self) -> int:
        return 1797


class OfClasses(Images):
    """The images of some classes of another set: they stand in for a task's own data at small scales."""

    paper = Paper("ours: a stand-in")
    reader: Literal["classes"]
    of: str
    classes: tuple[str, ...] = Field(min_length=1)  # by their names in that set
    count: PositiveInt  # images, asserted: no label is read before a job is run

    @property
    def images(self) -> int:
        return self.count


ImageSet = Annotated[
    FashionMnist
    | Photographs
    | ColourPhotographs
    | Folder
    | Digits
    | Archive
    | ImageIndex
    | TinyImages
    | Drawn
    | Noise
    | OfClasses,
    Field(discriminator="reader"),
]


class Task(Section):
    """A target distribution and the sets around it; all names point into `sets`."""

    paper = Paper("Sec. 5; supplement 3, datasets")
    title: str  # what the paper calls its data; where p_data has another title, p_data stands in for it
    p_data: str
    held_out: str  # real images that no training sees
    p_0: str
    validation_sources: str  # select checkpoint and sampler length on these
    sources: str  # report on these
    # sets that the model should score lower than p_data, by their rows in the tables; a row of null is left out
    out_of_distribution: Annotated[
        dict[str, str],
        BeforeValidator(without_nulls),
        Paper("Tables 4 and S8; authors' script"),
    ] = Field(default={})
    # pixels a side that images are shrunk to (averages over areas) for a second distance; null: for none
    also_at: Annotated[PositiveInt | None, Paper("Table 3, 64x64; how images are shrunk: ours")] = None

    @model_validator(mode="after")
    def _rows_are_no_roles(self) -> "Task":
        """An attack has its sets by their rows, beside its model and what is in distribution."""
        if taken := {"model", "surrogate", IN, HELD_OUT}.intersection(self.out_of_distribution):
            raise ValueError(f"out_of_distribution has a row {min(taken)!r}, a name that attacks use: choose another")
        return self

    @property
    def sets(self) -> list[str]:
        roles = (self.p_data, self.held_out, self.p_0, self.validation_sources, self.sources)
        return list(dict.fromkeys((*roles, *self.out_of_distribution.values())))
