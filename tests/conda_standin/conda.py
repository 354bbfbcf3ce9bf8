"""Stands in for the `conda` command, which no package registry has: answers the calls that Snakemake makes.

    python conda.py BASE ARGUMENTS...

BASE is the installation: BASE/bin/activate, BASE/channel in place of every channel that an environment names, and
BASE/calls.log, to which each call is appended. Solver and linker are rattler's, real ones. So what passes here was
parsed, solved, created and activated; it does not prove that conda-forge has the packages, that conda itself does the
same, or that an environment holds every console script: the PATH goes on behind it, so rules call `python -m`.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import yaml


def main(base: Path, arguments: list[str]) -> None:
    with (base / "calls.log").open("a") as log:
        print(*arguments, file=log)
    if arguments == ["--version"]:
        print("conda 25.1.0")
    elif arguments == ["info", "--json"]:
        print(json.dumps({"conda_prefix": str(base), "platform": "linux-64"}))
    elif arguments == ["config", "--get", "channel_priority", "--json"]:
        print(json.dumps({"get": {"channel_priority": "strict"}}))
    elif arguments[:2] == ["env", "create"]:
        create(base, Path(value(arguments, "--file")), Path(value(arguments, "--prefix")))
    elif arguments == ["clean", "-y", "--tarballs"]:
        pass  # Snakemake asks for it after each environment
    else:
        sys.exit(f"the stand-in for conda does not know this call: {' '.join(arguments)}")


def value(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


def create(base: Path, file: Path, prefix: Path) -> None:
    """The environment that `file` describes, at `prefix`: first what conda installs, then what pip does."""
    dependencies = yaml.safe_load(file.read_text())["dependencies"]
    asyncio.run(install(base, [line for line in dependencies if isinstance(line, str)], prefix))
    for section in dependencies:
        if isinstance(section, dict):
            subprocess.run([prefix / "bin/python", "-m", "pip", "install", "--quiet", *section["pip"]], check=True)


async def install(base: Path, lines: list[str], prefix: Path) -> None:
    import rattler

    packages = await rattler.solve(
        sources=[rattler.Channel(str(base / "channel"))],
        specs=[rattler.MatchSpec(line, strict=True) for line in lines],
        platforms=["linux-64", "noarch"],
        gateway=rattler.Gateway(cache_dir=base / "cache"),
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    await rattler.install(packages, target_prefix=prefix, cache_dir=base / "cache/packages", show_progress=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
