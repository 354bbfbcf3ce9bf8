"""Folders that take long to fill: filled once in a session of tests, or once for all sessions until a change."""

import hashlib
import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from atebm.utils.files import atomic
from atebm.utils.hashing import sha256
from atebm.utils.locks import locked

TESTS = Path(__file__).parent


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder of a name that `make` fills, one for all processes of pytest-xdist: the others wait for the first."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, finished = base / name, base / f"{name}.finished"
    with locked(base / f"{name}.lock"):
        if not finished.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed to fill it
            make(folder)
            finished.touch()
    return folder


def kept_for(config: pytest.Config, folder: Path, make: Callable[[Path], None]) -> None:
    """Let `make` go on filling a folder, or copy what it made of an equal one in an earlier session of tests.

    The copy lies in pytest's cache under a digest of all that it depends on, and only the last one is kept.
    """
    if not hasattr(config, "cache"):  # pytest -p no:cacheprovider
        make(folder)
        return
    cache = config.cache.mkdir(folder.name)
    kept = cache / dependencies(folder)
    with locked(cache.with_suffix(".lock")):
        if kept.exists():
            shutil.copytree(kept, folder, dirs_exist_ok=True)
            return
    make(folder)
    with locked(cache.with_suffix(".lock")):
        for older in cache.iterdir():
            shutil.rmtree(older)
        with atomic(kept) as temporary:
            shutil.copytree(folder, temporary)


def dependencies(folder: Path) -> str:
    """A digest of what decides what is made in a folder: its files, who makes it, Python, packages and processor."""
    import torch

    digest = hashlib.sha256()
    files = [*folder.rglob("*"), TESTS / "conftest.py", Path(__file__)]
    for path in sorted(path for path in files if path.is_file()):
        name = path.relative_to(folder) if path.is_relative_to(folder) else path.name
        digest.update(f"{name}: {sha256(path)}\n".encode())
    packages = sorted(f"{package.name}=={package.version}" for package in metadata.distributions())
    processor = (*platform.uname(), torch.backends.cpu.get_cpu_capability())
    digest.update(repr((sys.version, sys.prefix, packages, processor)).encode())
    return digest.hexdigest()
