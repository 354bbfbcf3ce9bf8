"""Batches for training from sets of every size: on the device, from the disk, or decoded from image files by workers.

All give the same: what a batch holds is a pure function of its `Recipe` and the iteration. So a resumed run sees what
an uninterrupted one would have seen, with any number of processes and workers.
"""

import itertools
import os
import signal
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..pipeline.job import record_of
from ..utils.errors import DataError, UserError
from ..utils.processes import for_sockets
from .augment import EACH, augment, augment_each, crop_picture
from .index import is_index, pictures_of
from .parallel import cores
from .readers.transforms import squash
from .stored import Stored, batch_indices, cuts, moved, to_float

RESIDENT_SHARE = 0.25  # of the memory that a set may take for good; a run has two, its network and its batches
MOST_WORKERS = 8  # of a process and a set: as many decode two batches of 40 ImageNet images a second each (ours)
AHEAD = 2  # batches that each worker makes before they are asked for


@dataclass(frozen=True)
class Recipe:
    """What a batch of a set is a pure function of, together with the iteration."""

    how: dict[str, Any]  # a `config.Augment`
    batch_size: int
    rows: range  # of each batch, that this process makes
    seed: int
    stream: int  # of random numbers

    def key(self, iteration: int) -> tuple[int, int, int]:
        return self.seed, self.stream, iteration

    def indices(self, n: int, iteration: int) -> Tensor:
        """Return indices (b,) in a set of `n` images of those at `rows`. Raises ValueError as `batch_indices`."""
        order = batch_indices(n, self.batch_size, iteration, self.seed, self.stream)
        return order[self.rows.start : self.rows.stop]

    def augmented(self, images: Tensor, iteration: int) -> Tensor:
        """Return floats (b, C, H, W) in [0, 1] of those images, where they are."""
        return augment(images, self.how, self.key(iteration), self.rows, self.batch_size)


class Stream(Protocol):
    """A set, as training sees it."""

    shape: tuple[int, ...]  # of one image, (C, H, W)

    def __len__(self) -> int: ...

    def batch(self, iteration: int) -> tuple[Tensor, Tensor]:
        """Return this process's rows of a batch on the device: floats (b, C, H, W) in [0, 1], and indices (b,)."""

    def close(self) -> None:
        """End its workers."""


class Resident:
    """A set on the device, uint8 (N, C, H, W), where it is augmented too."""

    def __init__(self, images: Tensor, recipe: Recipe):
        self.images, self.recipe, self.shape = images, recipe, tuple(images.shape[1:])

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, iteration: int) -> tuple[Tensor, Tensor]:
        indices = moved(self.recipe.indices(len(self), iteration), self.images.device)
        return self.recipe.augmented(self.images[indices], iteration), indices

    def close(self) -> None:
        pass


class Batches(Dataset[Any]):
    """What workers make: item `iteration` is uint8 (b, C, H, W) and indices (b,)."""

    shape: tuple[int, ...]

    def __len__(self) -> int:
        raise NotImplementedError

    def finished(self, images: Tensor, iteration: int) -> Tensor:
        """Return what is left to do on the device."""
        raise NotImplementedError


class Mapped(Batches):
    """Of an array on disk: gathered by workers, augmented on the device, to the very bytes of `Resident`."""

    def __init__(self, stored: Stored, recipe: Recipe):
        self.stored, self.recipe, self.shape = stored, recipe, stored.shape

    def __len__(self) -> int:
        return len(self.stored)

    def __getitem__(self, iteration: int) -> tuple[Tensor, Tensor]:
        indices = self.recipe.indices(len(self), iteration)
        return self.stored[indices], indices

    def finished(self, images: Tensor, iteration: int) -> Tensor:
        return self.recipe.augmented(images, iteration)


class Augmented(Mapped):
    """Of an array on disk: gathered and augmented by workers. On a CPU the same bytes as `Resident`'s."""

    def __getitem__(self, iteration: int) -> tuple[Tensor, Tensor]:
        images, indices = super().__getitem__(iteration)
        recipe = self.recipe
        return augment_each(images, recipe.how, recipe.key(iteration), recipe.rows), indices

    def finished(self, images: Tensor, iteration: int) -> Tensor:
        whole = to_float(images) if images.dtype == torch.uint8 else images
        return whole.contiguous(memory_format=torch.channels_last)


class Indexed(Batches):
    """Of image files: read, decoded and cropped by workers, each image with the random state that `augment` gives it.

    Raises ValueError for an augmentation that does not bring images of all sizes to (C, H, W) = `shape`.
    """

    def __init__(self, folder: Path, recipe: Recipe, shape: tuple[int, ...]):
        how = recipe.how
        if how["name"] != "resized_crop_flip" or how["probability"] != 1 or shape != (3, shape[1], shape[1]):
            raise ValueError(f"{how} does not make {shape} of image files")
        self.pictures, self.recipe, self.shape = pictures_of(folder), recipe, shape

    def __len__(self) -> int:
        return len(self.pictures.entries)

    def __getitem__(self, iteration: int) -> tuple[Tensor, Tensor]:
        recipe, size = self.recipe, self.shape[1]
        indices, key = recipe.indices(len(self), iteration), recipe.key(iteration)
        pictures = self.pictures.read(self.pictures.file, self.pictures.entries[indices.numpy()])
        images = np.empty((len(indices), size, size, 3), np.uint8)
        for image, picture, row in zip(images, pictures, recipe.rows, strict=True):
            image[:] = crop_picture(size, recipe.how, key, picture, row)
        return torch.from_numpy(images).permute(0, 3, 1, 2), indices

    def finished(self, images: Tensor, iteration: int) -> Tensor:
        return to_float(images)


class Streamed:
    """Batches that workers make ahead, from the first iteration that is asked for onwards."""

    def __init__(self, batches: Batches, device: torch.device, workers: int):
        self.batches, self.device, self.workers, self.shape = batches, device, workers, batches.shape
        self._items: Iterator[Any] = iter(())
        self._next: int | None = None  # the iteration that _items yields next

    def __len__(self) -> int:
        return len(self.batches)

    def batch(self, iteration: int) -> tuple[Tensor, Tensor]:
        if iteration != self._next:
            self.close()
            self._items = load_ahead(self.batches, itertools.count(iteration), self.device, self.workers)
        images, indices = next(self._items)
        self._next = iteration + 1
        images = images.to(self.device, non_blocking=True)
        return self.batches.finished(images, iteration), indices.to(self.device, non_blocking=True)

    def close(self) -> None:
        self._items, self._next = iter(()), None


class Squashed(Dataset[Tensor]):
    """Image files, stretched to squares: item `rows`, a slice, is uint8 (b, 3, size, size)."""

    def __init__(self, folder: Path, size: int):
        self.pictures, self.size = pictures_of(folder), size

    def __getitem__(self, rows: slice) -> Tensor:
        pictures = self.pictures.read(self.pictures.file, self.pictures.entries[rows])
        images = np.stack([squash(picture, self.size) for picture in pictures])
        return torch.from_numpy(images).permute(0, 3, 1, 2)


def open_stream(
    folder: Path, recipe: Recipe, device: torch.device, processes: int, shape: tuple[int, ...] | None = None
) -> Stream:
    """Return the set of a `data` or `index` step, for one of `processes` on this machine.

    `shape`, (C, H, W), is what images of an index are brought to. An array stays on the device where it fits, unless it
    is augmented image by image and a GPU would wait for that: AutoAugment of both sets takes longer than an iteration.
    Raises ValueError for an index without a shape, and as `Indexed`.
    """
    if is_index(folder):
        if shape is None:
            raise ValueError(f"{folder}: image files want a shape")
        return Streamed(Indexed(folder, recipe, shape), device, workers_of(processes))
    workers = workers_of(processes)
    if device.type == "cuda" and recipe.how["name"] in EACH and workers:
        return Streamed(Augmented(Stored(folder), recipe), device, workers)
    stored = Stored(folder, device)
    if fits(stored, device):
        return Resident(stored.resident(), recipe)
    return Streamed(Mapped(Stored(folder), recipe), device, workers)


def iterate_set(folder: Path, device: torch.device, batch_size: int, size: int) -> Iterator[Tensor]:
    """Yield all of a set in its order, uint8 (b, C, H, W) on the device; image files of an index squashed to `size`."""
    if not is_index(folder):
        yield from Stored(folder, device).batches(batch_size)
        return
    squashed = Squashed(folder, size)
    rows = cuts(len(squashed.pictures.entries), batch_size)
    with closing(load_ahead(squashed, rows, device, workers_of(1))) as batches:
        for batch in batches:
            yield batch.to(device, non_blocking=True)


def fits(stored: Stored, device: torch.device) -> bool:
    """Return whether a set may stay on the device, which the log says, and why."""
    memory = memory_of(device)
    stays = stored.bytes <= RESIDENT_SHARE * memory
    name, where = record_of(stored.file.parent)["set"], "stay on" if stays else "stream to"
    print(
        f"{name}: {len(stored)} images, {stored.bytes / 1e6:,.1f} MB, {where} {device.type} "
        f"(at most {RESIDENT_SHARE:.0%} of its {memory / 1e9:.3g} GB may stay)",
        flush=True,
    )
    return stays


def memory_of(device: torch.device) -> int:
    """Return bytes: of a GPU those that are free now.

    Elsewhere all of the machine's, for which programs come and go.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


# --- workers ----------------------------------------------------------------------------------------------------


def workers_of(processes: int) -> int:
    """Return workers of a set and process; none on a single core, where one would only take turns with its parent."""
    available = cores()
    return 0 if available == 1 else min(available // processes, MOST_WORKERS)


def load_ahead(dataset: Dataset[Any], items: Iterable[Any], device: torch.device, workers: int) -> Generator[Any]:
    """`dataset[item]` of each item, in order, made ahead by workers, pinned for a GPU.

    Raises what the dataset raises. Closing it ends the workers.
    """
    loader = DataLoader(
        Careful(dataset),
        batch_size=None,
        sampler=items,
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        pin_memory=device.type == "cuda",
        worker_init_fn=begin_worker,
        generator=torch.Generator(),  # of seeds that nobody uses, and that would come from the global one
    )
    for made_item in loader:
        if isinstance(made_item, UserError):
            raise made_item
        yield made_item


class Careful(Dataset[Any]):
    """A dataset whose errors for the user are items: raised in a worker, they would come with its whole traceback."""

    def __init__(self, dataset: Dataset[Any]):
        self.dataset = dataset

    def __getitem__(self, item: Any) -> Any:
        try:
            return self.dataset[item]
        except UserError as error:
            return error


def begin_worker(worker: int) -> None:
    """Prepare a process of a DataLoader: for its parent's signals, and for the sockets that its batches pass through.

    Terminals and schedulers signal workers too, and the parent still needs them for its last iterations. Ignored is
    the first SIGTERM alone, since the second may be a parent's that waits for this worker's end.
    """
    tempfile.tempdir = for_sockets()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))


@contextmanager
def watched() -> Iterator[None]:
    """Turn the death of a worker, which torch reports wherever the block happens to be, into a DataError."""
    try:
        yield
    except (RuntimeError, ConnectionError, EOFError) as error:  # the last two where its batch was on the way
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"a process that reads images was ended from outside ({said}), most often "
            "for want of memory, or of shared memory in a container (docker run --shm-size=2g). Run it again."
        ) from None
