"""What a training goes on from: the last whole state, whatever happened to the files."""

import os
import signal
import time
from pathlib import Path

import pytest
import torch

from atebm.training.checkpoint import FORMER, STATE, load_state, save_state
from atebm.training.distributed import ALONE
from atebm.training.signals import BUDGET, signals, stops
from atebm.utils.errors import ConfigError, DataError

CPU = torch.device("cpu")


def state(iteration: int) -> dict:
    return {"iteration": iteration, "model": {"w": torch.arange(1000.0) + iteration}}


@pytest.fixture
def two(tmp_path) -> Path:
    """A folder in which a state was saved twice."""
    for iteration in (20, 40):
        save_state(state(iteration), tmp_path / "run")
    return tmp_path / "run"


def test_the_last_state_is_gone_on_from(two):
    found = load_state(two, CPU)
    assert found and found["iteration"] == 40 and torch.equal(found["model"]["w"], state(40)["model"]["w"])
    assert {path.name for path in two.iterdir()} == {STATE, FORMER}
    assert load_state(two.parent / "another", CPU) is None


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # one bit of a weight, which torch itself would not notice
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, cut, emptied, Path.unlink])
def test_a_damaged_state_is_noticed_and_the_one_before_is_gone_on_from(two, damage, capsys):
    damage(two / STATE)
    found = load_state(two, CPU)
    assert found and found["iteration"] == 20
    assert (f"{two / STATE} is damaged" in capsys.readouterr().out) == (damage is not Path.unlink)


def test_with_damaged_states_alone_nothing_begins_anew_by_itself(two):
    flip(two / STATE)
    cut(two / FORMER)
    with pytest.raises(DataError, match=f"no intact state is left in {two}: remove that folder"):
        load_state(two, CPU)


def test_a_state_of_another_version_is_called_that(two, capsys):
    """Of the first versions, which kept no sha256: plain files of torch."""
    torch.save(state(60), two / STATE)
    found = load_state(two, CPU)
    assert found and found["iteration"] == 20
    assert f"warning: {two / STATE} is of another version of this program." in capsys.readouterr().out


def test_a_pickle_in_the_place_of_a_state_is_not_executed(two):
    class Malice:
        def __reduce__(self):
            return os.mkdir, (str(two / "executed"),)

    save_state({"iteration": Malice()}, two)
    with pytest.raises(Exception, match=r"would run posix\.mkdir"):
        load_state(two, CPU)
    assert not (two / "executed").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_ask_to_stop(number):
    before = signal.getsignal(number)
    with signals() as received:
        assert not stops(1, received, ALONE)
        os.kill(os.getpid(), number)
        assert stops(1, received, ALONE) and received == [number]
    assert signal.getsignal(number) == before


def test_the_end_of_a_budget_of_time_asks_to_stop(monkeypatch):
    monkeypatch.setenv(BUDGET, "0.005")  # minutes
    began = time.monotonic()
    with signals() as received:
        while not stops(1, received, ALONE) and time.monotonic() < began + 10:
            time.sleep(0.01)
    assert received == [signal.SIGALRM] and 0.25 < time.monotonic() - began < 5
    monkeypatch.setenv(BUDGET, "60")
    with signals():
        assert 3500 < signal.getitimer(signal.ITIMER_REAL)[0] <= 3600
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0, "an alarm is left, which would end whatever comes next"


@pytest.mark.parametrize("minutes", ["", "soon", "-1", "0", "inf", "nan"])
def test_a_budget_that_is_none_is_refused(monkeypatch, minutes):
    monkeypatch.setenv(BUDGET, minutes)
    with pytest.raises(ConfigError, match=f"{BUDGET}={minutes}: set it to the minutes"), signals():
        pass
