"""Training batches from sets of any size: kept on the device, read from disk, or decoded from image files by workers.

All ways give the same batches: a batch is a pure function of its `Recipe` and the iteration. So a resumed run gets the
same batches as an uninterrupted one, with any number of processes and workers.
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

RESIDENT_SHARE = 0.25  # share of memory that a set may keep; a run has two sets, its network and its batches
MOST_WORKERS = 8  # workers per process and set: measured, 8 decode two batches of 40 ImageNet images per second
AHEAD = 2  # batches that each worker makes in advance


@dataclass(frozen=True)
class Recipe:
    """The settings that, together with the iteration, determine a batch."""

    how: dict[str, Any]  # a `config.Augment`
    batch_size: int
    rows: range  # the rows of each batch that this process makes
    seed: int
    stream: int  # number of the stream of random numbers

    def key(self, iteration: int) -> tuple[int, int, int]:
        return self.seed, self.stream, iteration

    def indices(self, n: int, iteration: int) -> Tensor:
        """Return the indices (b,) of the images at `rows`, in a set of `n`. Raises ValueError if a batch is larger."""
        order = batch_indices(n, self.batch_size, iteration, self.seed, self.stream)
        return order[self.rows.start : self.rows.stop]

    def augmented(self, images: Tensor, iteration: int) -> Tensor:
        """Return the images at `rows` augmented, as floats (b, C, H, W) in [0, 1] on their device."""
        return augment(images, self.how, self.key(iteration), self.rows, self.batch_size)


class Stream(Protocol):
    """A set, as training uses it."""

    shape: tuple[int, ...]  # the shape of one image, (C, H, W)

    def __len__(self) -> int: ...

    def batch(self, iteration: int) -> tuple[Tensor, Tensor]:
        """Return this process's rows of a batch on the device: floats (b, C, H, W) in [0, 1], and indices (b,)."""

    def close(self) -> None:
        """End the workers."""


class Resident:
    """A set that stays on the device as uint8 (N, C, H, W), and is augmented there."""

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
    """Batches made by workers: item `iteration` is uint8 (b, C, H, W) and indices (b,)."""

    shape: tuple[int, ...]

    def __len__(self) -> int:
        raise NotImplementedError

    def finished(self, images: Tensor, iteration: int) -> Tensor:
        """Return the batch after the work that is left for the device."""
        raise NotImplementedError


class Mapped(Batches):
    """Batches of an array on disk: gathered by workers, augmented on the device, with the same bytes as `Resident`."""

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
    """Batches of an array on disk: gathered and augmented by workers. On a CPU, the bytes are those of `Resident`."""

    def __getitem__(self, iteration: int) -> tuple[Tensor, Tensor]:
        images, indices = super().__getitem__(iteration)
        recipe = self.recipe
        return augment_each(images, recipe.how, recipe.key(iteration), recipe.rows), indices

    def finished(self, images: Tensor, iteration: int) -> Tensor:
        whole = to_float(images) if images.dtype == torch.uint8 else images
        return whole.contiguous(memory_format=torch.channels_last)


class Indexed(Batches):
    """Batches of image files: read, decoded and cropped by workers, with the same random states as in `augment`.

    Raises ValueError for an augmentation that does not bring images of all sizes to (C, H, W) = `shape`.
    """

    def __init__(self, folder: Path, recipe: Recipe, shape: tuple[int, ...]):
        how = recipe.how
        if how["name"] != "resized_crop_flip" or how["probability"] != 1 or shape != (3, shape[1], shape[1]):
            raise ValueError(f"{how} does not bring image files to {shape}")
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
    """Batches that workers make in advance, from the first requested iteration on."""

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
    """Image files stretched to squares: item `rows`, a slice, is uint8 (b, 3, size, size)."""

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

    Images of an index are brought to `shape`, (C, H, W). An array stays on the device if it fits, unless it is
    augmented image by image and a GPU would have to wait: AutoAugment of both sets takes longer than an iteration.
    Raises ValueError for an index without a shape, or with an unsuitable augmentation.
    """
    if is_index(folder):
        if shape is None:
            raise ValueError(f"{folder}: image files need a shape")
        return Streamed(Indexed(folder, recipe, shape), device, workers_of(processes))
    workers = workers_of(processes)
    if device.type == "cuda" and recipe.how["name"] in EACH and workers:
        return Streamed(Augmented(Stored(folder), recipe), device, workers)
    stored = Stored(folder, device)
    if fits(stored, device):
        return Resident(stored.resident(), recipe)
    return Streamed(Mapped(Stored(folder), recipe), device, workers)


def iterate_set(folder: Path, device: torch.device, batch_size: int, size: int) -> Iterator[Tensor]:
    """Yield all of a set in order, as uint8 (b, C, H, W) on the device; images of an index are squashed to `size`."""
    if not is_index(folder):
        yield from Stored(folder, device).batches(batch_size)
        return
    squashed = Squashed(folder, size)
    rows = cuts(len(squashed.pictures.entries), batch_size)
    with closing(load_ahead(squashed, rows, device, workers_of(1))) as batches:
        for batch in batches:
            yield batch.to(device, non_blocking=True)


def fits(stored: Stored, device: torch.device) -> bool:
    """Return whether a set may stay on the device, and log the reason."""
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
    """Return the bytes of memory: of a GPU, the free memory; else all memory, since other programs come and go."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return total_memory()


def total_memory() -> int:
    """Return the bytes of this machine's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


# --- workers ----------------------------------------------------------------------------------------------------


def workers_of(processes: int) -> int:
    """Return the number of workers per set and process; 0 on a single core, where workers would save no time."""
    available = cores()
    return 0 if available == 1 else min(available // processes, MOST_WORKERS)


def load_ahead(dataset: Dataset[Any], items: Iterable[Any], device: torch.device, workers: int) -> Generator[Any]:
    """Yield `dataset[item]` for each item in order, made in advance by workers, and pinned for a GPU.

    Raises the dataset's errors. Closing the generator ends the workers.
    """
    loader = DataLoader(
        Careful(dataset),
        batch_size=None,
        sampler=items,
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        pin_memory=device.type == "cuda",
        worker_init_fn=begin_worker,
        generator=torch.Generator(),  # for seeds that are not used; by default the global generator would change
    )
    for made_item in loader:
        if isinstance(made_item, UserError):
            raise made_item
        yield made_item


class Careful(Dataset[Any]):
    """A dataset that returns user errors as items: raised in a worker, they would carry its whole traceback."""

    def __init__(self, dataset: Dataset[Any]):
        self.dataset = dataset

    def __getitem__(self, item: Any) -> Any:
        try:
            return self.dataset[item]
        except UserError as error:
            return error


def begin_worker(worker: int) -> None:
    """Prepare a DataLoader's worker for its parent's signals, and for the sockets through which batches pass.

    Terminals and schedulers also signal workers, but the parent still needs them for its last iterations. Only the
    first SIGTERM is ignored, since a second one may come from a parent that waits for this worker to end.
    """
    tempfile.tempdir = for_sockets()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))


@contextmanager
def watched() -> Iterator[None]:
    """Turn the death of a worker, which torch reports at any point of the block, into a DataError."""
    try:
        yield
    except (RuntimeError, ConnectionError, EOFError) as error:  # the last two if it was sending a batch
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"a process that reads images was killed ({reason}), most often because memory ran out, or shared memory "
            "in a container (docker run --shm-size=2g). Run it again."
        ) from None
