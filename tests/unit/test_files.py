"""Files are whole or absent, whatever interrupts the writing: deterministic, where test_kill.py relies on chance."""

import json
import signal
import subprocess
import sys

import pytest

from atebm.utils.files import atomic, sweep, write_if_changed, write_text
from atebm.utils.hashing import is_sealed, sealed

KILLED_HALFWAY = """
import os, signal, sys
from pathlib import Path
from atebm.utils.files import atomic
with atomic(Path(sys.argv[1])) as temporary, temporary.open("w") as file:
    file.write("half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("before", [None, "an older result"])
def test_kill_9_in_the_middle_of_a_write_leaves_what_was_there(tmp_path, before):
    path = tmp_path / "numbers.csv"
    if before:
        path.write_text(before)
    killed = subprocess.run([sys.executable, "-c", KILLED_HALFWAY, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (path.read_text() if path.exists() else None) == before
    (leftover,) = set(tmp_path.iterdir()) - {path}
    assert leftover.read_text() == "half" and leftover.suffix == ".csv"  # numpy and others look at the suffix
    sweep(tmp_path, "samples")
    assert leftover.exists(), "another part's leftover is not this job's to remove"
    sweep(tmp_path, "numbers")
    assert set(tmp_path.iterdir()) == ({path} if before else set())


def test_an_exception_in_the_middle_of_a_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic(path) as temporary:
        temporary.write_text("new")
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "old"
    write_text(path, "new")
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "new"


def test_what_did_not_change_keeps_its_age(tmp_path):
    path = tmp_path / "spec.json"
    write_if_changed(path, "a")
    age = path.stat().st_mtime_ns
    write_if_changed(path, "a")
    assert path.stat().st_mtime_ns == age
    write_if_changed(path, "b")
    assert path.read_text() == "b" and path.stat().st_mtime_ns > age


def test_any_change_of_a_sealed_record_shows():
    text = sealed({"value": 1.5, "files": {"a": "0"}})
    assert is_sealed(text)
    contents = json.loads(text)
    for other in (text.replace("1.5", "1.6"), text + " ", json.dumps(contents), sealed({}).replace("{", "{ ", 1), "x"):
        assert not is_sealed(other)
