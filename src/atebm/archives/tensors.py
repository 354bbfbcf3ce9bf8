"""Reading tensor files written by PyTorch or safetensors, which are checked before these libraries load them.

PyTorch's own reader with weights_only runs no code, but trusts the sizes that a file states for its tensors, packed
members and storages. Here nothing in a file is executed, and nothing grows larger than the file.
"""

import io
import math
import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import IO, Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ..utils.errors import DataError
from ..utils.unpickling import Data
from .members import check_apart, open_zip

ZIP = b"PK\x03\x04"  # the start of a torch.save file; before PyTorch 1.6, it was several pickles and then raw bytes
PICKLES = 5  # of that old format: a magic number, its version, the machine's sizes, the contents, the storages' names
MOST_HEADER = 2**24  # bytes of a .safetensors header, which lists the tensors; our networks' headers take 0.03 MB
BYTES = {  # bytes per number
    "ByteStorage": 1,
    "CharStorage": 1,
    "BoolStorage": 1,
    "ShortStorage": 2,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "IntStorage": 4,
    "FloatStorage": 4,
    "LongStorage": 8,
    "DoubleStorage": 8,
}


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .safetensors file. Raises DataError for any other file."""
    try:
        with path.open("rb") as file:
            if int.from_bytes(file.read(8), "little") > MOST_HEADER:
                raise ValueError("its header is too long")
        return load_file(path)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # safetensors has its own class of errors
        raise DataError(f"{path} cannot be read as tensors ({' '.join(str(error).split())}).") from None


def load_pickled(file: IO[bytes], path: Path, device: torch.device) -> Any:
    """Return the contents of a torch.save file at `path`: tensors in plain containers. Nothing in it is executed.

    Raises UnpicklingError if it holds anything else, and the errors of torch and pickle if it is damaged.
    """
    if file.read(len(ZIP)) == ZIP:
        check_zip(file, path)
    else:
        # read from memory: torch would first let tarfile test a file on disk, and that may never return
        file = file if isinstance(file, io.BytesIO) else io.BytesIO(path.read_bytes())
        check_pickles(file)
    file.seek(0)
    return torch.load(file, map_location=device, weights_only=True)


def check_zip(file: IO[bytes], path: Path) -> None:
    """Raise an error unless every member of a torch.save zip is as long as it states."""
    with open_zip(path, file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
                raise UnpicklingError(f"member {member.filename!r} is packed")
        check_apart(archive, path)
        (contents,) = [name for name in members if name.endswith("/data.pkl")]
        folder = contents.removesuffix("data.pkl") + "data/"
        if len(members) < len(archive.infolist()):
            raise UnpicklingError("two members have one name")
        sizes = {name.removeprefix(folder): member.file_size for name, member in members.items()}
        with archive.open(contents) as stream:
            Checkpoint(stream, members[contents].file_size, sizes).load()


def check_pickles(file: IO[bytes]) -> None:
    """Raise an error if the pickles of an old torch.save file state more numbers than the file has bytes for."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    for _ in range(PICKLES):
        Checkpoint(file, size - file.tell(), None).load()


class Part:
    """A placeholder for an object in a checkpoint: it is checked, and then discarded."""

    def __setstate__(self, state: Any) -> None:
        raise UnpicklingError(f"a state of {type(self).__name__} does not belong there")


class Kind(Part):
    """A type of storage, known by the bytes per number."""

    def __init__(self, width: int):
        self.width = width


class Storage(Part):
    def __init__(self, numbers: int):
        self.numbers = numbers


class Stated(Part):
    """A tensor. It may not state more numbers than its storage has, which a stride of 0 would allow."""

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any):
        numbers = [offset, *size, *stride]
        if not isinstance(storage, Storage) or not all(type(number) is int and number >= 0 for number in numbers):
            raise UnpicklingError("a tensor has no storage or no size")
        if math.prod(size) > storage.numbers:
            raise UnpicklingError(f"a tensor of {math.prod(size)} numbers is in a storage of {storage.numbers}")


class Parameter(Part):
    def __init__(self, tensor: Any, *_: Any):
        if not isinstance(tensor, Stated):
            raise UnpicklingError("a parameter has no tensor")


class Size(Part):
    def __init__(self, sides: Any):
        if not all(type(side) is int for side in sides):
            raise UnpicklingError("a size has numbers that are not integers")


class Ordered(dict[Any, Any]):
    """An OrderedDict that is filled item by item, so that each key is checked."""

    def __init__(self) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise UnpicklingError("the state of an OrderedDict is not a dict")


PARTS = {
    ("collections", "OrderedDict"): Ordered,
    ("torch._utils", "_rebuild_tensor_v2"): Stated,
    ("torch._utils", "_rebuild_parameter"): Parameter,
    ("torch", "Size"): Size,
    **{("torch", name): Kind(width) for name, width in BYTES.items()},
}


class Checkpoint(Data):
    """A reader of torch.save pickles; `sizes` has the bytes of the storages by name, None if they follow the pickle."""

    def __init__(self, file: IO[bytes], size: int, sizes: dict[str, int] | None):
        super().__init__(file, size, PARTS)
        self.sizes, self.left = sizes, size
        self.stated: dict[str, int] = {}

    def persistent_load(self, pid: Any) -> Storage:
        """Return a storage: ("storage", its kind, its name, its device, how many numbers it has)."""
        match pid:
            case ("storage", Kind(width=width), str(key), str(), int(numbers)) if self.sizes is not None:
                known = self.sizes.get(key, -1) == width * numbers
            case ("storage", Kind(width=width), str(key), str(), int(numbers), None) if self.sizes is None:
                if key not in self.stated:
                    self.stated[key] = width * numbers
                    self.left -= width * numbers
                known = self.stated[key] == width * numbers >= 0 and self.left >= 0
            case _:
                raise UnpicklingError("an object is stored elsewhere")
        if not known:
            raise UnpicklingError(f"storage {key[:20]!r} does not have the {numbers} numbers that it states")
        return Storage(numbers)
