"""What the benchmarks say of their numbers; no speed is asserted anywhere."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def turns():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import turns

        yield turns
        del sys.modules["turns"]


@pytest.mark.parametrize("power", [-1, 0, 0.5, 2])
def test_the_exponent_of_a_power_law_is_its_own(turns, power):
    x = [1, 3, 10, 200]
    assert turns.exponent(x, [7 * value**power for value in x]) == pytest.approx(power, abs=1e-12)


def test_the_exponent_of_noisy_times_is_numpys(turns):
    random = np.random.default_rng(0)
    x = np.array([4, 8, 16, 32, 64])
    seconds = 0.02 * x**1.1 * np.exp(0.2 * random.standard_normal(len(x)))
    slope, _ = np.polyfit(np.log(x), np.log(seconds), 1)
    assert abs(slope - 1.1) > 0.01
    assert turns.exponent(x.tolist(), seconds.tolist()) == pytest.approx(slope, rel=1e-9)


def test_peers_take_turns_and_every_second_round_in_reverse(turns):
    called = []
    clocks = {name: lambda name=name: called.append(name) or float(len(called)) for name in "abc"}
    times = turns.in_turns(clocks, 3)
    assert "".join(called) == "abccbaabc"
    assert times == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


def test_a_verdict_is_about_the_fastest_of_the_others_within_each_round(turns, capsys):
    findings = turns.Findings()
    # the whole second round took twice as long: no ratio moves
    times = {"ours": [1.0, 2.0, 1.0], "slow": [4.0, 8.0, 4.0], "quick": [1.5, 3.0, 1.6]}
    findings.at_least("step", times, ("slow", "quick", "absent"), "ours", 1.4)
    findings.at_least("step", times, "quick", "ours", 1.51)
    findings.at_least("step", times, "absent", "ours", 1)
    assert [verdict["said"] for verdict in findings.verdicts] == ["met", "not met", "not measured"]
    assert findings.verdicts[0]["values"] == pytest.approx([1.5, 1.5, 1.6])
    first, second, third = capsys.readouterr().out.splitlines()
    assert (
        "the fastest of slow; quick; absent (it was quick) (without absent: not measured): met 1.50 (1.50 to" in first
    )
    assert second.endswith("at least 1.51 times as fast as quick: not met 1.50 (1.50 to 1.55)")
    assert third.endswith("as fast as absent: not measured")


@pytest.mark.parametrize(("values", "said"), [([1.0, 1.05, 9.0], "met"), ([1.0, 1.06, 1.06], "not met")])
def test_an_upper_bound_is_kept_by_the_median(turns, tmp_path, values, said):
    findings = turns.Findings()
    findings.at_most("exponent", values, 1.05, "%.2f")
    findings.write(tmp_path / "found.json")
    (verdict,) = json.loads((tmp_path / "found.json").read_text())["verdicts"]
    assert verdict["said"] == said and verdict["values"] == values
