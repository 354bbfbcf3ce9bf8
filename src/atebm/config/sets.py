"""The settings of image sets, one class per reader."""

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

# How many labels the images of public archives have; archives that are not here have one.
LABELS = {"cifar10": 10, "svhn": 10, "fashion_mnist": 10, "cifar100": 100, "imagenet": 1000, "imagenet32": 1000}
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
GREY = ("fashion_mnist",)  # archives whose images have one channel


class Images(Section):
    """The base of all image sets. Each declares its `channels`, its reader, and facts known before it is read."""

    paper = Paper("ours")
    makes: ClassVar[str]  # "module:function", called as function(these settings, places): data/content.py has the types
    words: ClassVar[str]  # describes its images; {key} is replaced by a value, {of} by the words of the whole set
    embedded: ClassVar[str] = ""  # the folder or table in data/embedded/ that it is read from
    title: str | None = key(
        "title of its images in captions, rows and legends; null: the reader's description. In no digest",
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
        """Return the names of its labels, if they are known before it is read."""
        return ()

    @property
    def archives(self) -> tuple[tuple[str, str | None], ...]:
        """Return the archives of data/sources.yaml that it is read from, each with its split; None: all files."""
        return ()

    @property
    def listed(self) -> tuple[str, ...]:
        """Return the names of its files in the table of data/embedded/."""
        return ()

    def described(self, of: str) -> str:
        """Return in words what the images are; `of` describes the set that they are a part of."""
        return self.words.format(**dict(self) | {"of": of})


class OfN(Images):
    """A set whose number of images is chosen."""

    n: PositiveInt = key("number of images")

    @property
    def images(self) -> int:
        return self.n


class Counted(Images):
    """A set whose number of images is known."""

    count: PositiveInt = key("number of images, which is checked when the set is read")

    @property
    def images(self) -> int:
        return self.count


class Part(Images):
    """A part of another set, with the same channels."""

    of: SetName = key("set of which it is a part")


class OfArchive(Counted):
    """Images of a public archive."""

    words = "{archive}"
    archive: ArchiveName = key("archive of data/sources.yaml")
    split: Literal["train", "held_out"] = key("part of the archive")

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
    """The embedded test split of Fashion-MNIST: 28x28 grey pixels, padded to 32x32 and resized to `size`."""

    paper = Paper("ours: a stand-in")
    makes = "atebm.data.embedded:fashion_mnist"
    embedded = "fashion-mnist"
    words = "Fashion-MNIST {size}x{size}"
    channels: ClassVar[int] = 1
    reader: Literal["fashion_mnist"] = key("name of the reader")
    split: Literal["train", "held_out"] = key("part: held_out is the last `held_out` images, train all others")
    held_out: PositiveInt = key("how many of the 10,000 images are held out, counted from the last", lt=10_000)
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
    """Random crops of photographs that are embedded here or ship with Python packages."""

    paper = Paper("ours: a stand-in")
    makes = "atebm.data.embedded:photograph_crops"
    embedded = "photographs.csv"
    channels: ClassVar[int] = 1
    reader: Literal["photographs"] = key("name of the reader")
    photographs: Unique[PhotographName] = key("names of photographs in data/embedded/photographs.csv", min_length=1)
    seed: NonNegativeInt = key("seed of the crops")
    size: PositiveInt = key("side", unit="pixels")
    crop_min: PositiveInt = key(
        "smallest side of a crop; sides are distributed log-uniformly", unit="pixels of the photograph"
    )
    crop_max: PositiveInt = key("largest side of a crop", unit="pixels of the photograph")
    min_std: NonNegativeFloat = key(
        "least standard deviation of a crop; a flatter crop is drawn again", unit="grey levels of 255"
    )

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
    """Random crops of photographs in colour; grey photographs get three equal channels."""

    channels: ClassVar[int] = 3
    reader: Literal["colour_photographs"] = key("name of the reader")  # type: ignore[assignment]


class Folder(OfN):
    """Some of your image files, as registered by `atebm own`, in random order and resized to one size."""

    paper = Paper("your own images")
    makes = "atebm.data.folder:images_of"
    words = "images of {folder}"
    reader: Literal["folder"] = key("name of the reader")
    folder: str = key("path of the folder: absolute, or relative to the checkout")
    files: PositiveInt = key("number of image files in the folder and below, which is checked when they are read")
    bytes: PositiveInt = key("bytes of these files, checked when they are read")
    sha256: Sha256 = key("digest of the files' names and contents, checked when they are read")
    channels: Annotated[Literal[1, 3], BeforeValidator(number_of)] = key("number of colour channels")
    size: PositiveInt = key("side; images of other shapes are stretched, as in scoring", unit="pixels")
    seed: NonNegativeInt = key("seed of the order", default=0, in_digest=True)
    skip: NonNegativeInt = key("images at the start of that order, left to other sets", default=0, in_digest=True)

    @model_validator(mode="after")
    def _there(self) -> "Folder":
        if self.skip + self.n > self.files:
            text = f": skip + n = {self.skip + self.n}, but folder {self.folder} has {self.files} images: lower n"
            raise mistake(["n"], text)
        return self


class Archive(OfArchive):
    """A public archive of the paper; data/README.md lists the source, licence and access of each."""

    paper = Paper("supplement 3, datasets; Table S4")
    makes = "atebm.data.archive_sets:content"
    reader: Literal["archive"] = key("name of the reader")
    size: PositiveInt = key("side", unit="pixels")


class Parquet(Counted):
    """Images of a data set on the Hugging Face Hub, at a revision, read from its parquet shards."""

    paper = Paper("ours: for archives of the paper that are no longer available in their original form")
    makes = "atebm.data.hub_sets:content"
    words = "{repository}"
    channels: ClassVar[int] = 3
    reader: Literal["parquet"] = key("name of the reader")
    repository: str = key("data set on the Hub: OWNER/NAME", pattern=REPOSITORY)
    revision: str = key("git revision; `atebm fetch OWNER/NAME` names the newest", pattern=REVISION)
    files: str = key(
        "shards to read, as a pattern that is matched from the right: train-*.parquet", default="*.parquet"
    )
    image: str | None = key("column of images; null: the first suitable column", default=None)
    label: str | None = key("column of labels; null: all images have one label", default=None)
    kinds: PositiveInt = key("number of different labels in that column, which is checked", default=1)
    only: Unique[str] = key("names of the labels whose images are read; []: all", default=())
    pixels: PositiveInt | None = key(
        "side of the stored images, which is checked; null: any size", unit="pixels", default=None
    )
    size: PositiveInt = key("side of the images", unit="pixels")
    resize: Literal["lanczos", "bicubic", "area", "bilinear"] = key(
        "filter that resizes images; lanczos and bicubic resize the short side, then crop the middle"
    )

    @property
    def listing(self) -> str:
        """Return the name of the file in data/archives/ that lists the shards."""
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
            raise mistake(["label"], " is missing: kinds and only are about labels, so name their column")
        return self


class ImageIndex(OfArchive):
    """An index of the image files in a public archive, for a set that is too large for an array; sizes differ."""

    paper = Paper("supplement 3, datasets")
    size: ClassVar[None] = None  # no reader makes an array of it: a kind of step of its own makes the index
    reader: Literal["index"] = key("name of the reader")


class TinyImages(OfN):
    """Images drawn at random from 80 Million Tiny Images without CIFAR's, for users who have this withdrawn set."""

    paper = Paper("supplement 3, datasets; Table S4")
    makes = "atebm.data.archive_sets:tiny_images"
    words = "80 Million Tiny Images"
    channels: ClassVar[int] = 3
    reader: Literal["tiny_images"] = key("name of the reader")
    seed: NonNegativeInt = key("seed for choosing the images")
    size: Annotated[Literal[32], BeforeValidator(number_of)] = key("side", unit="pixels", default=32, in_digest=True)

    @property
    def archives(self) -> tuple[tuple[str, str | None], ...]:
        return (("tiny_images", None), ("tiny_images_exclusions", None))


class Drawn(OfN, Part):
    """Images drawn once at random, without replacement, from another set."""

    paper = Paper("Sec. 5.1, sources; supplement 3, evaluation metrics")
    makes = "atebm.data.subsets:drawn"
    words = "{of}"
    reader: Literal["drawn"] = key("name of the reader")
    of: SetName = key("set from which the images are drawn; it must not itself be drawn")
    seed: NonNegativeInt = key("seed for choosing the images")
    skip: NonNegativeInt = key(
        "images at the start of the seed's order, left to other sets, so that the sets are disjoint",
        default=0,
        in_digest=True,
    )
    size: PositiveInt = key("side", unit="pixels")
    crop: "Crop | None" = key(
        "how images of an index are brought to one size; null: images of an array stay as they are",
        source="authors' script",
    )


class Noise(OfN):
    """Uniform noise, stored in whole grey levels like all images (the authors' noise is not rounded)."""

    paper = Paper("Tables 4 and S8")
    makes = "atebm.data.embedded:noise"
    words = "uniform noise"
    reader: Literal["noise"] = key("name of the reader")
    seed: NonNegativeInt = key("seed of the noise")
    size: PositiveInt = key("side", unit="pixels")
    channels: PositiveInt = key("number of colour channels", source="ours", default=3, in_digest=True)


class Digits(Images):
    """The handwritten digits that ship with scikit-learn: 8x8 grey pixels, resized to `size`."""

    paper = Paper("ours: a stand-in")
    makes = "atebm.data.embedded:digits"
    words = "handwritten digits"
    embedded = "digits.csv"
    channels: ClassVar[int] = 1
    reader: Literal["digits"] = key("name of the reader")
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
    """The images of some classes of another set, which stand in for a task's own data at small scales."""

    paper = Paper("ours: a stand-in")
    makes = "atebm.data.subsets:of_classes"
    reader: Literal["classes"] = key("name of the reader")
    classes: Unique[str] = key("names of classes in that set", min_length=1)
    count: PositiveInt = key("number of images, which is checked when the set is read, since labels are read only then")

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
