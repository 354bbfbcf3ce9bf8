"""Progress of jobs on the terminal, from logs that the test writes."""

import io
import time
from collections.abc import Callable

import pytest

from atebm.cli import follow
from atebm.cli.follow import following


@pytest.fixture
def logs(tmp_path, monkeypatch):
    monkeypatch.setattr(follow, "POLL", 0.01)
    (tmp_path / "train").mkdir()
    (tmp_path / "train/old.log").write_text("train old: 5/10 after 50 s, 0.1/s, 0:00:50 left\n")
    return tmp_path


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "nothing was shown"
        time.sleep(0.01)


def test_lines_of_long_jobs_are_shown_as_they_come_and_no_others(logs):
    out, log = io.StringIO(), logs / "train/run.log"
    with following(logs, out), log.open("w") as file:
        for text, last in (
            ("train a, fp32\ntrain a: 1/9 after 5 s, 0.2/s, 0:00:40 left\ntrain a: 2/9 after 25 s", ""),
            (", 0.1/s, 0:01:10 left  K 2\n", "25 s"),
            ("train a: 3/9 after 30 s, 0.1/s, 0:01:00 left  K 3\n", "25 s"),
            ("train a: 4/9 after 46 s, 0.1/s, 0:01:00 left\ntrain a: 5/9 after 47 s, 0.1/s, 0:00:40 left\n", "47 s"),
        ):
            file.write(text)
            file.flush()
            until(lambda last=last: last in out.getvalue())
            time.sleep(0.1)
    assert out.getvalue().splitlines() == [
        "  train a: 2/9 after 25 s, 0.1/s, 0:01:10 left  K 2",
        "  train a: 5/9 after 47 s, 0.1/s, 0:00:40 left",
    ]


def test_a_log_that_begins_anew_is_read_from_its_start(logs):
    out = io.StringIO()
    with following(logs, out):
        (logs / "train/old.log").write_text("train old: 6/10 after 99 s\n")
        until(lambda: "6/10" in out.getvalue())


def test_without_logs_nothing_is_shown(tmp_path):
    with following(tmp_path / "logs", out := io.StringIO()):
        pass
    assert out.getvalue() == ""
