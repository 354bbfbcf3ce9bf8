"""Batches for training beside torchvision's datasets and torch's DataLoader: `python benchmarks/data.py`.

Each peer makes the same number of augmented batches of the same images, floats in [0, 1] where training wants them.
They take turns within each round, and what is reported are medians and quartiles over the rounds: of times, start and
end of workers included, and of ratios within a round, which a busy machine moves less. On a CPU, times are those that
the process and its workers ran for, others' turns on the cores left out; with a GPU, by the clock.

- image files: JPEGs of ImageNet's usual 500 x 375 pixels, crops of photographs that ship with scikit-image; 256 pixels
  and the augmentation of p_0 of the 256 x 256 tasks. Ours from a tar by its index; torchvision's ImageFolder from the
  same files in folders, with the same number of workers.
- resident sets: ours on the device; torchvision's CIFAR10, or a dataset like it, on the same array in memory, with the
  same number of workers as above, classic transforms on Pillow's images.
- AutoAugment, as the runs of Table 4 have it: what the main process, which a GPU waits for, spends on a batch where
  workers augment, and where it does so itself.
"""

import io
import resource
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import skimage.data
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import CIFAR10, ImageFolder
from turns import Findings, Times, in_turns, on_device, options_of, preamble, quartiles, ratios

from atebm.config import load
from atebm.data.index import pictures_of
from atebm.data.readers.images import tar_pictures
from atebm.data.stored import Stored
from atebm.data.stream import Augmented, Indexed, Recipe, Resident, Stream, Streamed, load_ahead, workers_of
from atebm.utils.files import write_text

ROOT = Path(__file__).resolve().parents[1]
FILES, CLASSES = 400, 10
OURS = "ours"


def photographs(n: int, size: tuple[int, int]) -> Iterator[Image.Image]:
    """Random crops of colour photographs, enlarged or shrunk to `size`, (width, height)."""
    random = np.random.default_rng(0)
    originals = [
        Image.fromarray(load()) for load in (skimage.data.astronaut, skimage.data.coffee, skimage.data.chelsea)
    ]
    for number in range(n):
        original = originals[number % len(originals)]
        width = int(random.integers(200, 300))
        height = width * size[1] // size[0]
        left, top = random.integers(0, original.width - width), random.integers(0, original.height - height + 1)
        yield original.crop((left, top, left + width, top + height)).resize(size, Image.Resampling.BICUBIC)


def write_files(root: Path) -> tuple[Path, Path]:
    """Folders of an `index` step and of torchvision's ImageFolder, of the same JPEGs."""
    index, unpacked, archive = root / "work/index/files-0", root / "files", root / "files.tar"
    index.mkdir(parents=True)
    with tarfile.open(archive, "w") as file:
        for number, picture in enumerate(photographs(FILES, (500, 375))):
            content = io.BytesIO()
            picture.save(content, "JPEG", quality=92)
            member = tarfile.TarInfo(f"n{number % CLASSES:02}/{number:04}.JPEG")
            member.size = len(content.getvalue())
            file.addfile(member, io.BytesIO(content.getvalue()))
            (unpacked / member.name).parent.mkdir(parents=True, exist_ok=True)
            (unpacked / member.name).write_bytes(content.getvalue())
    np.save(index / "entries.npy", tar_pictures(archive, "*", FILES).entries)
    write_text(index / "set.json", f'{{"set": "files", "n": {FILES}, "archive": "{archive.name}"}}')
    return index, unpacked


class Array(CIFAR10):
    """torchvision's CIFAR10 on an array (N, H, W, 3) that needs no download."""

    def __init__(self, images: np.ndarray, transform: Callable[[Image.Image], Tensor]):
        self.data, self.targets, self.transform, self.target_transform = images, [0] * len(images), transform, None


# --- the peers ----------------------------------------------------------------------------------------------------


def recipe_of(how: dict[str, Any], batch: int) -> Recipe:
    return Recipe(how, batch, range(batch), seed=0, stream=2)


def classic(how: dict[str, Any], size: int) -> transforms.Compose:
    """torchvision's transforms for one of our augmentations."""
    flip, floats = transforms.RandomHorizontalFlip(), transforms.ToTensor()
    match how["name"]:
        case "crop_flip":
            return transforms.Compose([transforms.RandomCrop(size, padding=size // 8), flip, floats])
        case "resized_crop_flip":
            crop = transforms.RandomResizedCrop(size, tuple(how["scale"]), tuple(how["ratio"]))
            random = crop if how["probability"] == 1 else transforms.RandomApply([crop], how["probability"])
            return transforms.Compose([random, flip, floats])
    raise ValueError(how["name"])


def from_files(index: Path, how: dict[str, Any], batch: int, device: torch.device, workers: int) -> Iterator[Tensor]:
    indexed = Indexed(index, recipe_of(how, batch), (3, 256, 256))
    with closing(load_ahead(indexed, range(FILES // batch), device, workers)) as items:
        for iteration, (images, _) in enumerate(items):
            yield indexed.finished(images.to(device, non_blocking=True), iteration)


def from_device(images: np.ndarray, how: dict[str, Any], batch: int, device: torch.device) -> Callable[[], Any]:
    resident = Resident(torch.tensor(images).permute(0, 3, 1, 2).contiguous().to(device), recipe_of(how, batch))
    return lambda: (resident.batch(iteration)[0] for iteration in range(len(images) // batch))


def loaded(dataset: Any, batch: int, device: torch.device, workers: int) -> Iterator[Tensor]:
    """An epoch as people write it."""
    pin = device.type == "cuda"
    loader = DataLoader(dataset, batch, shuffle=True, num_workers=workers, drop_last=True, pin_memory=pin)
    for images, _ in loader:
        yield images.to(device, non_blocking=True)


def augmented(options: Any, findings: Findings) -> None:
    """Seconds of the main process for a batch of a run with AutoAugment, one by one, workers being under way."""
    run = load.load(ROOT, ["scale=paper"])[0].runs["cifar10_ood"].model_dump()
    how, batch, n = run["augment"]["p_data"], run["batch_size"], 4096
    with tempfile.TemporaryDirectory() as root:
        images = np.stack([np.asarray(picture) for picture in photographs(n, (32, 32))])
        np.save(Path(root) / "images.npy", images)
        stored = Stored(Path(root))
        peers: dict[str, Stream] = {
            "by workers": Streamed(Augmented(stored, recipe_of(how, batch)), options.device, max(1, workers_of(1))),
            "by itself": Resident(stored.resident().to(options.device), recipe_of(how, batch)),
        }
        same = [peer.batch(0)[0].cpu() for peer in peers.values()]
        if not torch.equal(*same):
            raise SystemExit("workers augment otherwise than the main process.")
        counts = {name: iter(range(1, 10**6)) for name in peers}

        def once(name: str) -> float:
            iteration, start = next(counts[name]), time.process_time()
            peers[name].batch(iteration)
            return time.process_time() - start

        times = in_turns({name: partial(once, name) for name in peers}, max(10, options.rounds))
        for peer in peers.values():
            peer.close()
    what = f"AutoAugment, batch {batch}: main process"
    print(f"\n| {what} | median ms (quartiles) | time / time by itself (quartiles) |\n|---|---|---|")
    for name, values in findings.keep(what, times, "by workers").items():
        milliseconds = quartiles([1000 * s for s in values], "%.3g")
        print(f"| {name} | {milliseconds} | {quartiles(ratios(times, name, 'by itself'), '%.3f')} |")
    print()
    findings.at_least(what, times, "by itself", "by workers", 10)


# --- measuring ----------------------------------------------------------------------------------------------------


def seconds(epoch: Callable[[], Iterable[Tensor]], device: torch.device) -> float:
    clock = ran if device.type == "cpu" else time.perf_counter
    start = clock()
    for batch in epoch():
        del batch
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - start


def ran() -> float:
    """Seconds that this process ran, and those of its workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def measured(peers: dict[str, Callable[[], Iterable[Tensor]]], rounds: int, device: torch.device) -> Times:
    """Seconds that each peer takes for its batches, once all have shown that they make the same kind of them."""
    seen = {name: torch.stack([batch.mean() for batch in epoch()]) for name, epoch in peers.items()}
    for name, means in seen.items():
        if len(means) != len(seen[OURS]) or abs(means.mean() - seen[OURS].mean()) > 0.03:
            raise SystemExit(f"{name} does other work than ours: {len(means)} batches of mean {means.mean():.3f}.")
    return in_turns({name: partial(seconds, epoch, device) for name, epoch in peers.items()}, rounds)


def report(
    what: str, times: Times, images: int, peer: str, least: float, device: torch.device, findings: Findings
) -> None:
    per = "images a second, of one core" if device.type == "cpu" else "images a second"
    print(f"\n| {what} | {per}: median (quartiles) | time / time of ours (quartiles) |\n|---|---|---|")
    for name, values in findings.keep(what, times, OURS).items():
        speed = quartiles([images / s for s in values], "%.0f")
        print(f"| {name} | {speed} | {quartiles(ratios(times, name, OURS), '%.2f')} |")
    print()
    findings.at_least(what, times, peer, OURS, least)


def main() -> None:
    options = on_device(options_of(__doc__, 9))
    device, workers, findings = options.device, workers_of(1), Findings()
    torch.set_num_threads(1)
    runs = load.load(ROOT, ["scale=paper"])[0].model_dump()["runs"]

    preamble(device)
    print(f"- torchvision {torchvision.__version__}, Pillow {PIL.__version__}")
    print(f"- {options.rounds} rounds, {workers} workers")

    run = runs["celebahq256"]
    how, batch = run["augment"]["p_0"], run["batch_size"]
    with tempfile.TemporaryDirectory() as folder:
        index, unpacked = write_files(Path(folder))
        folders = ImageFolder(unpacked, classic(how, 256))
        assert len(folders) == len(pictures_of(index).entries) == FILES
        peers: dict[str, Callable[[], Iterable[Tensor]]] = {
            OURS: partial(from_files, index, how, batch, device, workers),
            "ImageFolder": partial(loaded, folders, batch, device, workers),
        }
        times = measured(peers, options.rounds, device)
    report("image files, 500 x 375 to 256 pixels", times, FILES, "ImageFolder", 1, device, findings)

    for name, size, n, peer in (("cifar10", 32, 4096, "CIFAR10"), ("celebahq256", 256, 200, "dataset like CIFAR10")):
        run = runs[name]
        how, batch = run["augment"]["p_data"], run["batch_size"]
        images = np.stack([np.asarray(picture) for picture in photographs(n, (size, size))])
        peers = {
            OURS: from_device(images, how, batch, device),
            peer: partial(loaded, Array(images, classic(how, size)), batch, device, workers),
        }
        times = measured(peers, options.rounds, device)
        report(f"resident, {size} pixels, {how['name']}", times, n, peer, 5, device, findings)
    augmented(options, findings)
    findings.write(options.json)


if __name__ == "__main__":
    main()
