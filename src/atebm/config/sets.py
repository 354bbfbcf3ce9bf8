"""Image sets by the reader that makes them, and tasks: a target distribution and the sets around it."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from ..utils.hub import REPOSITORY, REVISION, listing_of
from .augment import Crop
from .base import (
    ArchiveName,
    Paper,
    PhotographName,
    Section,
    SetName,
    Sha256,
    Unique,
    key,
    mistake,
    number_of,
    variants,
)

# Labels of the public archives that classify something.
LABELS = {"cifar10": 10, "svhn": 10, "fashion_mnist": 10, "cifar100": 100, "imagenet": 1000, "imagenet32": 1000}
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
GREY = ("fashion_mnist",)  # archives whose images have one channel


class Images(Section):
    """What every image set declares, beside its `channels`: who reads it, and what is known of it before."""

    paper = Paper("ours")
    makes: ClassVar[str]  # "module:function", called as function(these settings, places): data/content.py has the types
    words: ClassVar[str]  # what its images are; {keys} stand for their values, {of} for the words of the whole set
    embedded: ClassVar[str] = ""  # what of data/embedded/ it is read from: a folder, or a table of files
    title: str | None = key(
        "what its images are, in captions, rows and legends; null: as its reader describes them; in no digest",
        source="ours",
        default=None,
        exclude=True,
        min_length=1,
    )

    @property
    def images(self) -> int:
        """Return how many images it has."""
        raise NotImplementedError

    @property
    def labels(self) -> int:
        """Return how many different labels they have."""
        return 1

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of its labels, where they are known before it is read."""
        return ()

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

    n: PositiveInt = key("images")

    @property
    def images(self) -> int:
        return self.n


class Counted(Images):
    """A set whose number of images is known."""

    count: PositiveInt = key("images, which a job checks")

    @property
    def images(self) -> int:
        return self.count


class Part(Images):
    """A part of another set, which has its channels."""

    of: SetName = key("set that it is a part of")


class OfArchive(Counted):
    """Images of a public archive."""

    words = "{archive}"
    archive: ArchiveName = key("archive of data/sources.yaml")
    split: Literal["train", "held_out"] = key("which part of the archive")

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
    reader: Literal["fashion_mnist"] = key("which reader")
    split: Literal["train", "held_out"] = key("which part: the last `held_out` images, or all others")
    held_out: PositiveInt = key("how many of the 10,000 images, the last ones, are held out", lt=10_000)
    size: PositiveInt = key("side", unit="pixels")

    @property
    def images(self) -> int:
        return self.held_out if self.split == "held_out" else 10_000 - self.held_out

    @property
    def labels(self) -> int:
        return len(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return FASHION


class Photographs(OfN):
    """Random crops of photographs, embedded here or inside Python packages (data/embedded/photographs.csv)."""

    paper = Paper("ours: a stand-in")
    makes = "atebm.data.embedded:photograph_crops"
    embedded = "photographs.csv"
    channels: ClassVar[int] = 1
    reader: Literal["photographs"] = key("which reader")
    photographs: Unique[PhotographName] = key(
        "photographs, by their names in data/embedded/photographs.csv", min_length=1
    )
    seed: NonNegativeInt = key("seed of the crops")
    size: PositiveInt = key("side", unit="pixels")
    crop_min: PositiveInt = key("smallest side of a crop; sides are log-uniform", unit="pixels of the photograph")
    crop_max: PositiveInt = key("largest side of a crop", unit="pixels of the photograph")
    min_std: NonNegativeFloat = key("standard deviation below which a crop is drawn again", unit="grey levels of 255")

    @property
    def listed(self) -> tuple[str, ...]:
        return self.photographs

    @property
    def labels(self) -> int:
        return len(self.photographs)

    @property
    def names(self) -> tuple[str, ...]:
        return self.photographs

    def described(self, of: str) -> str:
        return f"crops of {len(self.photographs)} photograph{'s' * (len(self.photographs) > 1)}"

    @model_validator(mode="after")
    def _ordered(self) -> "Photographs":
        if self.crop_min > self.crop_max:
            raise mistake(["crop_min"], f" = {{}} is larger than crop_max = {self.crop_max}: lower it", self.crop_min)
        return self


class ColourPhotographs(Photographs):
    """The same in colour; of photographs that are grey, in three equal channels."""

    channels: ClassVar[int] = 3
    reader: Literal["colour_photographs"] = key("which reader")  # type: ignore[assignment]


class Folder(OfN):
    """Some of your image files, which `atebm own` has looked at, in a random order and of one size."""

    paper = Paper("your own images")
    makes = "atebm.data.folder:images_of"
    words = "images of {folder}"
    reader: Literal["folder"] = key("which reader")
    folder: str = key("path of the folder: absolute, or in the checkout")
    files: PositiveInt = key("image files in the folder and below, which a job checks")
    bytes: PositiveInt = key("bytes of these files, which a job checks")
    sha256: Sha256 = key("digest of the files' names and contents, which a job checks")
    channels: Annotated[Literal[1, 3], BeforeValidator(number_of)] = key("colour channels")
    size: PositiveInt = key("side; other images are stretched, as all images that are scored are", unit="pixels")
    seed: NonNegativeInt = key("seed of the order", default=0, in_digest=True)
    skip: NonNegativeInt = key("images, first in that order, that are left to other sets", default=0, in_digest=True)

    @model_validator(mode="after")
    def _there(self) -> "Folder":
        if self.skip + self.n > self.files:
            text = f": skip + n = {self.skip + self.n}, but folder {self.folder} has {self.files} images: ask for fewer"
            raise mistake(["n"], text)
        return self


class Archive(OfArchive):
    """A public archive of the paper (data/README.md lists source, licence and access of each)."""

    paper = Paper("supplement 3, datasets; Table S4")
    makes = "atebm.data.archive_sets:content"
    reader: Literal["archive"] = key("which reader")
    size: PositiveInt = key("side", unit="pixels")


class Parquet(Counted):
    """Images of a data set of the Hugging Face Hub, at a revision, out of its parquet shards."""

    paper = Paper("ours: for archives of the paper that cannot be had as its authors had them")
    makes = "atebm.data.hub_sets:content"
    words = "{repository}"
    channels: ClassVar[int] = 3
    reader: Literal["parquet"] = key("which reader")
    repository: str = key("data set of the Hub: OWNER/NAME", pattern=REPOSITORY)
    revision: str = key("revision of git; `atebm fetch OWNER/NAME` says which is the newest", pattern=REVISION)
    files: str = key(
        "shards that are read, by a pattern that counts from the right: train-*.parquet", default="*.parquet"
    )
    image: str | None = key("column of images; null: the first that can be one", default=None)
    label: str | None = key("column of labels; null: all images have one label", default=None)
    kinds: PositiveInt = key("different labels of that column, asserted", default=1)
    only: Unique[str] = key("labels, by name, whose images are read; none: all", default=())
    pixels: PositiveInt | None = key(
        "side of the images as they are stored, asserted; null: of any size", unit="pixels", default=None
    )
    size: PositiveInt = key("side of the images", unit="pixels")
    resize: Literal["lanczos", "bicubic", "area", "bilinear"] = key(
        "filter that brings images to their size; lanczos, bicubic: of the short side, then a crop of the middle"
    )

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
            raise mistake(["label"], " is missing: kinds and only are of the labels in a column, so name that")
        return self


class ImageIndex(OfArchive):
    """Where each image file of a public archive lies: a set that is too large for an array, of images of all sizes."""

    paper = Paper("supplement 3, datasets")
    size: ClassVar[None] = None  # no reader makes an array of it: it is a kind of step of its own
    reader: Literal["index"] = key("which reader")


class TinyImages(OfN):
    """Images drawn at random from 80 Million Tiny Images, for those who hold that withdrawn set, without CIFAR's."""

    paper = Paper("supplement 3, datasets; Table S4")
    makes = "atebm.data.archive_sets:tiny_images"
    words = "80 Million Tiny Images"
    channels: ClassVar[int] = 3
    reader: Literal["tiny_images"] = key("which reader")
    seed: NonNegativeInt = key("seed of the choice")
    size: Annotated[Literal[32], BeforeValidator(number_of)] = key("side", unit="pixels", default=32, in_digest=True)

    @property
    def archives(self) -> tuple[tuple[str, str | None], ...]:
        return (("tiny_images", None), ("tiny_images_exclusions", None))


class Drawn(OfN, Part):
    """Images drawn at random, without replacement, from another set, and frozen."""

    paper = Paper("Sec. 5.1, sources; supplement 3, evaluation metrics")
    makes = "atebm.data.subsets:drawn"
    words = "{of}"
    reader: Literal["drawn"] = key("which reader")
    of: SetName = key("set that the images are drawn from, which is not drawn itself")
    seed: NonNegativeInt = key("seed of the choice")
    skip: NonNegativeInt = key(
        "images, first in the seed's order, that are left to other sets: what is drawn from there on is "
        "disjoint from them",
        default=0,
        in_digest=True,
    )
    size: PositiveInt = key("side", unit="pixels")
    crop: "Crop | None" = key(
        "how images of an index, which have all sizes, get theirs; null: images of an array stay as they are",
        source="authors' script",
    )


class Noise(OfN):
    """Uniform noise, in whole grey levels as all images are stored (the authors' is not rounded)."""

    paper = Paper("Tables 4 and S8")
    makes = "atebm.data.embedded:noise"
    words = "uniform noise"
    reader: Literal["noise"] = key("which reader")
    seed: NonNegativeInt = key("seed of the noise")
    size: PositiveInt = key("side", unit="pixels")
    channels: PositiveInt = key("colour channels", source="ours", default=3, in_digest=True)


class Digits(Images):
    """The handwritten digits that ship with scikit-learn, 8x8 grey, resized to `size`."""

    paper = Paper("ours: a stand-in")
    makes = "atebm.data.embedded:digits"
    words = "handwritten digits"
    embedded = "digits.csv"
    channels: ClassVar[int] = 1
    reader: Literal["digits"] = key("which reader")
    size: PositiveInt = key("side", unit="pixels")

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
    reader: Literal["classes"] = key("which reader")
    classes: Unique[str] = key("classes, by their names in that set", min_length=1)
    count: PositiveInt = key("images, which a job checks: no label is read before")

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
