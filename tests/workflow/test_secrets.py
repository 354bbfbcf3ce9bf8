"""What is written down when everything is computed: nothing of the environment that is nobody's business."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from conftest import SECRET, SECRETS, run

from atebm.archives import fetch
from atebm.utils.errors import DataError


def holding(folder: Path, *words: str) -> list[str]:
    """All files below a folder, hidden ones too, that hold one of these words in their bytes or in their names."""
    found = re.compile(b"|".join(re.escape(word.encode()) for word in words), re.IGNORECASE)
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [
        str(name)
        for path in paths
        if found.search(str(name := path.relative_to(folder)).encode()) or found.search(path.read_bytes())
    ]


def test_no_secret_of_the_environment_and_no_home_is_written_down(computed):
    """In whatever file: records, logs, notebooks as papermill left them, the manifest, Snakemake's own."""
    assert len(list(computed.rglob("*.log"))) > 50 and (computed / "results/manifest.json").exists()
    assert holding(computed, SECRET) == []


def test_results_and_records_name_no_folder_of_this_machine(computed):
    """They are published; logs, which are not, may say where they were written."""
    made_in = (computed.parent / "made_in").read_text()
    places = (str(computed), made_in, f"{Path.home()}/", sys.prefix)
    assert holding(computed / "results", *places) == []
    assert holding(computed / "work", *places) == []


def test_the_search_finds_what_is_there(tmp_path):
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/log.bin").write_bytes(b"\0" + SECRETS["DATABASE_URL"].format(SECRET).encode())
    (tmp_path / f"{SECRET}.txt").touch()
    (tmp_path / "clean").write_text("nothing")
    assert sorted(holding(tmp_path, SECRET)) == [".hidden/log.bin", f"{SECRET}.txt"]


@pytest.mark.parametrize("verb", ["train", "render"])
def test_a_step_that_fails_says_no_secret_either(computed, tmp_path, verb):
    """Tracebacks, and papermill's, without the values of variables."""
    folder = Path(shutil.copytree(computed, tmp_path / "checkout"))
    if verb == "train":
        (spec,) = folder.glob("work/specs/train/cifar10-*.json")
        spec.write_text(spec.read_text().replace('"p_data": "data/', '"p_data": "data/no'))
        shutil.rmtree(folder / "work/train" / spec.stem)
        command = ["step", str(spec)]
    else:
        (record,) = folder.glob("work/metric/cifar10.best.frechet-*/metric.json")
        record.write_text("{}")
        command = [
            "render",
            "work/specs/artifact/table2.json",
            "notebooks/table2.ipynb",
            "out.ipynb",
            "results/table2.csv",
        ]
    secrets = {name: value.format(SECRET) for name, value in SECRETS.items()}
    failed = run(folder, sys.executable, "-m", "atebm", *command, **secrets)
    assert failed.returncode == 1 and "error" in failed.stderr.lower(), failed.stdout + failed.stderr
    assert SECRET not in failed.stdout + failed.stderr and holding(folder, SECRET) == []


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:hunter2@example.org/a.zip", "https://example.org/a.zip"),
        ("https://example.org/a.zip?X-Amz-Signature=hunter2", "https://example.org/a.zip?..."),
        ("http://token@127.0.0.1:8080/a?b#hunter2", "http://127.0.0.1:8080/a?..."),
        ("https://example.org/a.zip", "https://example.org/a.zip"),
    ],
)
def test_an_address_is_shown_without_its_password_and_keys(address, shown):
    assert fetch.public(address) == shown


def test_a_fetch_that_fails_shows_neither(tmp_path, monkeypatch):
    """From a closed port of this machine."""
    monkeypatch.setattr(fetch, "RETRIES", 0)
    address = f"http://user:{SECRET}@127.0.0.1:9/a.zip?token={SECRET}"
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/a\.zip\?\.\.\.: no answer") as failed:
        fetch.fetch("afhq.zip", url=address, folder=tmp_path)
    assert SECRET not in str(failed.value) and holding(tmp_path, SECRET) == []
