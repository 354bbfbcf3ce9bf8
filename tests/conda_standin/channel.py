"""Makes a conda channel of two packages without a network: `python`, which is the running interpreter, and `pip`.

The interpreter is not copied: bin/python is a link to it beside a pyvenv.cfg, so that sys.prefix is the environment's
and its site-packages are empty. pip is the wheel that Python ships.
"""

import asyncio
import ensurepip
import hashlib
import io
import json
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

PYTHON = "python{}.{}".format(*sys.version_info)


def write_channel(channel: Path) -> None:
    """The channel's packages and their index, at `channel`."""
    from rattler.index import index_fs

    (channel / "linux-64").mkdir(parents=True)
    write_python(channel)
    write_pip(channel)
    asyncio.run(index_fs(channel))


def write_python(channel: Path) -> None:
    interpreter = Path(sys.executable).resolve()
    version = "{}.{}.{}".format(*sys.version_info)
    settings = f"home = {interpreter.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    links = {"bin/python": str(interpreter), "bin/python3": "python", f"bin/{PYTHON}": "python"}
    write_package(channel, "python", version, {"pyvenv.cfg": settings.encode()}, links)


def write_pip(channel: Path) -> None:
    # Debian, among others, keeps it elsewhere.
    folder = sysconfig.get_config_var("WHEEL_PKG_DIR") or Path(ensurepip.__file__).with_name("_bundled")
    (wheel,) = Path(folder).glob("pip-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        files = {f"lib/{PYTHON}/site-packages/{name}": archive.read(name) for name in names}
    write_package(channel, "pip", wheel.name.split("-")[1], files, {})


def write_package(channel: Path, name: str, version: str, files: dict[str, bytes], links: dict[str, str]) -> None:
    """One package, of `files` (path -> content) and symbolic `links` (path -> target)."""
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": [], "subdir": "linux-64"}
    paths = [path_entry(path, "hardlink", content) for path, content in files.items()]
    paths += [path_entry(path, "softlink", b"") for path in links]
    about = {
        "info/index.json": json.dumps(index).encode(),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(),
    }
    with tarfile.open(channel / f"linux-64/{name}-{version}-0.tar.bz2", "w:bz2", compresslevel=1) as archive:
        for path, content in {**about, **files}.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for path, target in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)


def path_entry(path: str, kind: str, content: bytes) -> dict[str, str | int]:
    digest = hashlib.sha256(content).hexdigest()
    return {"_path": path, "path_type": kind, "sha256": digest, "size_in_bytes": len(content)}
