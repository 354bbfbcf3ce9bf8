"""Image sets by the reader that makes them, and tasks: a target distribution and the sets around it."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from ..utils.hub import REPOSITORY, REVISION, listing_of
from .augment import Crop
from .base import Paper, Section, variants, without_nulls
from .roles import HELD_OUT, IN

# Labels of the public archives that classify something.
LABELS = {"cifar10": 10, "svhn": 10, "fashion_mnist": 10, "cifar100": 100, "imagenet": 1000, "imagenet32": 1000}
GREY = ("fashion_mnist",)  # archives whose images have one channel


class Images(Section):
    """What every image set declares, beside its `channels`: who reads it, and what is known of it before."""

    paper = Paper("ours")
    makes: ClassVar[str]  # "module:function", called as function(these settings, places): data/content.py has the types
    words: ClassVar[str]  # what its images are; {keys} stand for their values, {of} for the words of the whole set
    embedded: ClassVar[str] = ""  # what of data/embedded/ it is read from: a folder, or a table of files
    # what its images are, in captions, rows and legends; null: as its reader describes them. It is in no digest
    title: Annotated[str | None, Paper("ours")] = Field(default=None, exclude=True)

    @property
    def images(self) -> int:
        """Return how many images it has."""
        raise NotImplementedError

    @property
    def labels(self) -> int:
        """Return how many different labels they have."""
        return 1

    @property
    def archives(self) -> tuple[tuple[str, str | None], ...]:
        """Return the archives of data/sources.yaml that it is read from, each with the split; None: all its files."""
        return ()

    @property
    def listed(self) -> tuple[str, ...]:
        """Return the rows of the table in data/embedded/ that name the files that it is read from."""
        return ()

    def described(self, of: str) -> str:
        """Return in words what the images are; `of` says it of the set that they are a part of."""
        return self.words.format(**dict(self) | {"of": of})


class OfN(Images):
    """A set that has as many images as it asks for."""

    n: PositiveInt

    @property
    def images(self) -> int:
        return self.n


class Counted(Images):
    """A set whose number of images is known."""

    count: PositiveInt  # images, asserted

    @property
    def images(self) -> int:
        return self.count


class Part(Images):
    """A part of another set, which has its channels."""

    of: str


class OfArchive(Counted):
    """Images of a public archive."""

    words = "{archive}"
    archive: str
    split: Literal["train", "held_out"]

    @property
    def archives(self) -> tuple[tuple[str, str | None], ...]:
        return ((self.archive, self.split),)

    @property
    def labels(self) -> int:
        return LABELS.get(self.archive, 1)

    @property
    def channels(self) -> int:
        return 1 if self.archive in GREY else 3


class FashionMnist(Images):
    """The embedded test split of Fashion-MNIST: 28x28 grey, padded to 32x32, resized to `size`."""

    paper = Paper("ours: a stand-in")
    makes = "atebm.data.embedded:fashion_mnist"
    embedded = "fashion-mnist"
    words = "Fashion-MNIST {size}x{size}"
    channels: ClassVar[int] = 1
    reader: Literal["fashion_mnist"]
    split: Literal["train", "held_out"]
    held_out: Annotated[int, Field(gt=0, lt=10_000)]  # the last so many of the 10,000 images
    size: PositiveInt  # pixels a side

    @property
    def images(self) -> int:
        return self.held_out if self.split == "held_out" else 10_000 - self.held_out

    @property
    def labels(self) -> int:
        return 10


class Photographs(OfN):
    """Random crops of photographs, embedded here or inside Python packages (data/embedded/photographs.csv)."""

    paper = Paper("ours: a stand-in")
    makes = "atebm.data.embedded:photograph_crops"
    embedded = "photographs.csv"
    channels: ClassVar[int] = 1
    reader: Literal["photographs"]
    photographs: tuple[str, ...] = Field(min_length=1)
    seed: NonNegativeInt
    size: PositiveInt  # pixels a side
    crop_min: PositiveInt  # smallest side of a crop, pixels of the photograph; sides are log-uniform
    crop_max: PositiveInt
    min_std: NonNegativeFloat  # flatter crops are drawn again; grey levels of 255

    @property
    def listed(self) -> tuple[str, ...]:
        return self.photographs

    @property
    def labels(self) -> int:
        return len(self.photographs)

    def described(self, of: str) -> str:
        return f"crops of {len(self.photographs)} photograph{'s' * (len(self.photographs) > 1)}"

    @model_validator(mode="after")
    def _ordered(self) -> "Photographs":
        if self.crop_min > self.crop_max:
            raise ValueError(f"crop_min {self.crop_min} is larger than crop_max {self.crop_max}")
        return self


class ColourPhotographs(Photographs):
    """The same in colour; of photographs that are grey, in three equal channels."""

    channels: ClassVar[int] = 3
    reader: Literal["colour_photographs"]  # type: ignore[assignment]


class Folder(OfN):
    """Some of your image files, which `atebm own` has looked at, in a random order and of one size."""

    paper = Paper("your own images")
    makes = "atebm.data.folder:images_of"
    words = "images of {folder}"
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

    @model_validator(mode="after")
    def _there(self) -> "Folder":
        if self.skip + self.n > self.files:
            raise ValueError(f"skip + n = {self.skip + self.n}, but folder {self.folder} has {self.files} images")
        return self


class Archive(OfArchive):
    """A public archive of the paper (data/README.md lists source, licence and access of each)."""

    paper = Paper("supplement 3, datasets; Table S4")
    makes = "atebm.data.archive_sets:content"
    reader: Literal["archive"]
    size: PositiveInt  # pixels a side


class Parquet(Counted):
    """Images of a data set of the Hugging Face Hub, at a revision, out of its parquet shards."""

    paper = Paper("ours: for archives of the paper that cannot be had as its authors had them")
    makes = "atebm.data.hub_sets:content"
    words = "{repository}"
    channels: ClassVar[int] = 3
    reader: Literal["parquet"]
    repository: Annotated[str, Field(pattern=REPOSITORY)]
    revision: Annotated[str, Field(pattern=REVISION)]  # of git; `atebm fetch OWNER/NAME` says which is the newest
    files: str = "*.parquet"  # the shards that are read, by a pattern that counts from the right: train-*.parquet
    image: str | None = None  # column; null: the first that can be one
    label: str | None = None  # column; null: all images have one label
    kinds: PositiveInt = 1  # different labels of that column, asserted
    only: tuple[str, ...] = ()  # labels whose images are read, by name; none: all
    pixels: PositiveInt | None = None  # a side of the images as they are stored, asserted; null: of any size
    size: PositiveInt  # pixels a side
    resize: Literal["lanczos", "bicubic", "area", "bilinear"]  # lanczos, bicubic: short side, then a crop of the middle

    @property
    def listing(self) -> str:
        """Return the file of data/archives/ that lists the shards."""
        return listing_of(self.repository, self.revision)

    @property
    def archives(self) -> tuple[tuple[str, str | None], ...]:
        return ((self.listing, None),)

    @property
    def labels(self) -> int:
        return self.kinds

    @model_validator(mode="after")
    def _labelled(self) -> "Parquet":
        if self.label is None and (self.only or self.kinds > 1):
            raise ValueError("kinds and only are of the labels in a column: name it as label")
        return self


class ImageIndex(OfArchive):
    """Where each image file of a public archive lies: a set that is too large for an array, of images of all sizes."""

    paper = Paper("supplement 3, datasets")
    size: ClassVar[None] = None  # no reader makes an array of it: it is a kind of step of its own
    reader: Literal["index"]


class TinyImages(OfN):
    """Images drawn at random from 80 Million Tiny Images, for those who hold that withdrawn set, without CIFAR's."""

    paper = Paper("supplement 3, datasets; Table S4")
    makes = "atebm.data.archive_sets:tiny_images"
    words = "80 Million Tiny Images"
    channels: ClassVar[int] = 3
    reader: Literal["tiny_images"]
    seed: NonNegativeInt
    size: Literal[32] = 32

    @property
    def archives(self) -> tuple[tuple[str, str | None], ...]:
        return (("tiny_images", None), ("tiny_images_exclusions", None))


class Drawn(OfN, Part):
    """Images drawn at random, without replacement, from another set, and frozen."""

    paper = Paper("Sec. 5.1, sources; supplement 3, evaluation metrics")
    makes = "atebm.data.subsets:drawn"
    words = "{of}"
    reader: Literal["drawn"]
    of: str  # a set that is not drawn itself
    seed: NonNegativeInt
    # images, first in the seed's order, that are left to other sets: what is drawn from there on is disjoint from them
    skip: NonNegativeInt = 0
    size: PositiveInt  # pixels a side
    # how images of an index, which have all sizes, get theirs; null: those of an array stay as they are
    crop: Annotated["Crop | None", Paper("authors' script")]


class Noise(OfN):
    """Uniform noise, in whole grey levels as all images are stored (the authors' is not rounded)."""

    paper = Paper("Tables 4 and S8")
    makes = "atebm.data.embedded:noise"
    words = "uniform noise"
    reader: Literal["noise"]
    seed: NonNegativeInt
    size: PositiveInt  # pixels a side
    channels: Annotated[PositiveInt, Paper("ours")] = 3


class Digits(Images):
    """The handwritten digits that ship with scikit-learn, 8x8 grey, resized to `size`."""

    paper = Paper("ours: a stand-in")
    makes = "atebm.data.embedded:digits"
    words = "handwritten digits"
    embedded = "digits.csv"
    channels: ClassVar[int] = 1
    reader: Literal["digits"]
    size: PositiveInt  # pixels a side

    @property
    def images(self) -> int:
        return 1797

    @property
    def listed(self) -> tuple[str, ...]:
        return ("digits",)

    @property
    def labels(self) -> int:
        return 10


class OfClasses(Counted, Part):
    """The images of some classes of another set: they stand in for a task's own data at small scales."""

    paper = Paper("ours: a stand-in")
    makes = "atebm.data.subsets:of_classes"
    reader: Literal["classes"]
    classes: tuple[str, ...] = Field(min_length=1)  # by their names in that set
    count: PositiveInt  # images, asserted: no label is read before a job is run

    @property
    def labels(self) -> int:
        return len(self.classes)

    def described(self, of: str) -> str:
        return f"{', '.join(self.classes)} of {of}"


ImageSet = Annotated[
    FashionMnist
    | Photographs
    | ColourPhotographs
    | Folder
    | Digits
    | Archive
    | Parquet
    | ImageIndex
    | TinyImages
    | Drawn
    | Noise
    | OfClasses,
    Field(discriminator="reader"),
]
SETS = variants(ImageSet)


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
