"""Lines of a log, by a clock that the tests turn."""

import io
from itertools import pairwise

import pytest

from atebm.utils import progress as module
from atebm.utils.progress import MINUTES, pace, progress


@pytest.fixture
def clock(monkeypatch):
    """The seconds that have passed, [0.0]; and no terminal."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.sys, "stderr", io.StringIO())
    return now


def test_a_slow_computation_has_a_line_a_minute(clock, capsys):
    """Of 1,000 parts at a minute each there would else be one line in 100 minutes."""
    spoke = []
    with progress("train", 1000) as report:
        for done in range(1, 100):
            clock[0] += 60
            report(done, "K 3")
            if line := capsys.readouterr().out:
                spoke.append((clock[0] / 60, line))
    minutes = [0, *(minute for minute, _ in spoke)]
    assert max(b - a for a, b in pairwise(minutes)) == MINUTES and len(spoke) == 99
    assert spoke[0][1] == "train: 1/1000 after 60 s, 0.017/s, 16:39:00 left  K 3\n"  # 999 minutes


def test_a_fast_one_has_few_lines(clock, capsys):
    with progress("sample", 200) as report:
        for done in range(1, 201):
            clock[0] += 0.5
            report(done)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10 and lines[0] == "sample: 20/200 after 10 s, 2/s, 0:01:30 left"
    assert lines[-1] == "sample: 200/200 after 100 s, 2/s"


def test_what_an_interrupted_one_had_done_counts_for_no_speed(clock, capsys):
    with progress("set", 100, start=80) as report:
        clock[0] += 10
        report(90)
    assert capsys.readouterr().out == "set: 90/100 after 10 s, 1/s, 0:00:10 left\n"


def test_nothing_is_known_of_the_speed_before_something_is_done():
    assert pace(0, 10, 5.0) == "5 s" and pace(3, 7, 0.0) == "0 s"
