"""The claims board: verdicts must follow from the numbers alone, and from enough of them."""

import json
import math
import shutil
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import planned, request_for

from atebm.config.roles import CLEAN, HELD_OUT, IN, WORST
from atebm.pipeline.tasks import STABILITY
from atebm.report import draw
from atebm.report.registry import Evidence, claims_of_detection, claims_of_generation, spread
from atebm.report.sign_flip import holm, sign_flip
from atebm.report.verdicts import Criterion, counted, decided, fragile, sign_test
from atebm.utils.files import write_text

ROWS4 = {row: f"a set (for {row})" for row in ("SVHN", "CIFAR-100", "ImageNet", "Uniform Noise")}
GENERATION = claims_of_generation(0.1, dict(zip(STABILITY, (5e-4, 5e-4, 1e-6), strict=True)), 4)
DETECTION = claims_of_detection(ROWS4)
BOARD = [*GENERATION, *DETECTION]


@pytest.mark.parametrize("n", [2, 5, 8])
def test_the_sign_flip_test_counts_all_signs(n):
    differences = np.random.default_rng(n).normal(0.5, 1, n)
    means = [np.mean(signs * differences) for signs in product((1, -1), repeat=n)]
    assert sign_flip(differences) == pytest.approx(np.mean(np.array(means) >= differences.mean() - 1e-12))


def test_the_sign_flip_test_cannot_go_below_one_in_two_to_the_n():
    assert sign_flip(np.full(5, 0.3)) == 1 / 32 and sign_flip(-np.arange(1.0, 9)) == 1


@pytest.mark.parametrize("numbers", [[math.nan] * 8, [1.0] * 7 + [math.nan], [math.inf, 1.0], [1.0], [1.0] * 21])
def test_the_sign_flip_test_wants_a_few_finite_numbers(numbers):
    with pytest.raises(ValueError, match="finite numbers"):
        sign_flip(numbers)


def test_the_sign_flip_test_keeps_its_level():
    draws = np.random.default_rng(0).normal(0, 1, (400, 6))
    rejected = sum(sign_flip(row) <= 0.05 for row in draws)
    assert 3 / 64 * 400 * 0.4 < rejected < 3 / 64 * 400 * 1.8  # 3/64 is the largest attainable level below 0.05


def rejected(p_values: list[float], level: float) -> list[bool]:
    """Holm's procedure as he stated it: from the least on, until one exceeds level / (how many are left)."""
    left, verdicts = len(p_values), [False] * len(p_values)
    for index in sorted(range(len(p_values)), key=p_values.__getitem__):
        if p_values[index] > level / left:
            break
        verdicts[index], left = True, left - 1
    return verdicts


def test_adjusted_p_values_reject_what_holms_procedure_rejects():
    draws = np.random.default_rng(0).uniform(0, 0.3, (50, 6)).tolist()
    for p_values, level in product(draws, (0.02, 0.1, 0.3)):
        assert (holm(p_values) <= level).tolist() == rejected(p_values, level)
    assert holm([0.9, 0.5]).tolist() == [1, 1]


def one(effect: list[float], above: float = 1, below: float = math.inf, **more: float) -> pd.Series:
    return decided([Criterion(above, below, **more)], [pd.Series(effect)], 0.05).iloc[0]


@pytest.mark.parametrize(
    ("effect", "verdict"),
    [
        ([2.0, 1.5, 3.0, 1.2, 4.0], "holds"),
        ([0.5, 0.7, 0.3, 0.9, 0.2], "fails"),
        ([2.0, 0.5, 3.0, 0.4, 1.1], "undecided"),
        ([2.0, 1.5, 3.0, 1.2], ""),  # too few
        ([math.inf] * 5, "holds"),
        ([2.0, 1.5, 3.0, 1.2, math.nan], "undecided"),  # a detector whose logits are not finite is no equal
    ],
)
def test_a_verdict_follows_from_the_effects(effect, verdict):
    assert one(effect)["verdict"] == verdict


def test_between_two_bounds_is_neither_too_little_nor_too_much():
    assert one([1.2, 1.1, 1.3, 1.2, 1.1], 1, 1.5)["verdict"] == "holds"
    assert one([1.8, 1.9, 2.0, 1.7, 1.6], 1, 1.5)["verdict"] == "fails"
    assert one([0.8, 0.9, 0.7, 0.6, 0.5], 1, 1.5)["verdict"] == "fails"


@pytest.mark.parametrize(
    ("effect", "verdict"),
    [
        ([1.001, 1.007, 1.002, 1.001, 1.001], "no difference that matters"),  # though every seed is above 1
        ([1.0] * 5, "no difference that matters"),  # a tie
        ([0.99, 0.995, 0.99, 0.999, 0.99], "no difference that matters"),
        ([1.001, 1.007, 1.03, 1.001, 1.001], "no difference that matters"),  # by its median
        ([1.01, 1.05, 1.04, 1.03, 1.06], "holds"),
        ([0.5, 0.9, 0.8, 0.7, 0.6], "fails"),
        ([1.01, 0.5, 1.04, 0.7, 1.06], "undecided"),
    ],
)
def test_an_effect_of_nothing_is_no_better(effect, verdict):
    assert one(effect, smallest=1.02)["verdict"] == verdict


def test_parts_hold_together_or_not_at_all():
    """The parts of a claim share the larger p-value, and count once among the claims of their family."""
    up, mixed = pd.Series([2.0, 3, 4, 5, 6]), pd.Series([2.0, 0.1, 0.2, 5, 6])
    parts, alone = [Criterion(above=1, claim="both")] * 2, Criterion(above=1)
    both = decided([*parts, alone], [up, up, up], 0.07)
    assert both["p_holds"].tolist() == pytest.approx([2 / 32] * 3) and set(both["verdict"]) == {"holds"}
    split = decided([*parts, alone], [up, mixed, up], 0.07)
    assert split["p_holds"].iloc[0] == split["p_holds"].iloc[1] > 0.07
    assert split["verdict"].tolist() == ["undecided", "undecided", "holds"]


def test_what_is_only_shown_takes_no_part():
    effects = [pd.Series([2.0, 3, 4, 5, 6])] * 2
    frame = decided([Criterion(above=1), Criterion(above=1, tested=False)], effects, 0.05)
    assert frame["p_holds"].iloc[0] == 1 / 32 and np.isnan(frame["p_holds"].iloc[1])
    assert frame["verdict"].tolist() == ["holds", ""]


def test_more_claims_want_more_seeds():
    """Five seeds decide one claim, and not the board's largest family; eight do, and one more claim would undo them."""
    tested = [claim.test for claim in GENERATION if claim.test.tested]
    most = max(len({test.claim or number for number, test in enumerate(tested)}), len(DETECTION))

    def verdicts(seeds: int, claims: int) -> set[str]:
        effects = [pd.Series(np.linspace(2, 3, seeds))] * claims
        return set(decided([Criterion(above=1)] * claims, effects, 0.05)["verdict"])

    seeds = planned("demo").config.claims.seeds
    assert verdicts(5, 1) == {"holds"} and verdicts(5, most) == {"undecided"}
    assert verdicts(seeds, most) == {"holds"} and verdicts(seeds, most + 1) == {"undecided"}


def test_families_are_adjusted_apart():
    effects = [pd.Series(np.linspace(2, 3, 6))] * 5
    tests = [Criterion(above=1, family=family) for family in "aabbb"]
    assert decided(tests, effects, 0.05)["p_holds"].tolist() == pytest.approx([2 / 64] * 2 + [3 / 64] * 3)


def test_the_sign_test_counts_signs():
    assert sign_test(pd.Series([1.0, 2, 3, -0.1, 5, 6, 7, 8])) == pytest.approx(9 / 256)
    assert sign_test(pd.Series([-1.0] * 8)) == 1


def test_a_verdict_that_one_seed_or_rounding_can_turn_is_fragile():
    """One seed of eight is a little on the wrong side: the sign-flip test decides, the sign test does not."""
    near, clear, down = pd.Series([1.5, 1.6, 1.7, 1.8, 1.4, 1.3, 1.5, 0.99]), pd.Series(np.linspace(2, 3, 8)), 1 / 2
    criteria = [Criterion(above=1)] * 5
    now = decided(criteria, [near, clear, *[down * clear / clear] * 3], 0.05)
    assert now["verdict"].tolist() == ["holds", "holds", "fails", "fails", "fails"]
    assert now["p_sign"].iloc[0] == pytest.approx(4 * 9 / 256)
    assert [bool(why) for why in fragile(now, None, 0.05)] == [True, False, False, False, False]
    mixed = pd.Series([2, 0.5, 3, 0.4, 2, 0.5, 3, 0.4])
    before = decided(criteria, [clear, mixed, *[down * clear / clear] * 3], 0.05)
    reasons = fragile(now, before, 0.05)
    assert "sign test" in reasons[0] and "undecided when the same seeds were computed before" in reasons[1]
    assert reasons[2:] == ["", "", ""]
    assert counted(now.assign(fragile=reasons)) == "2 hold (of these 2 fragile), 3 fail"


# --- from files ---------------------------------------------------------------------------------------------------

SEEDS = range(6)
DISTANCES = {  # as the paper would have them
    "cifar10": 70.0,
    "cifar10_p0_narrowest": 140.0,
    "cifar10_K_one": 200.0,
    "cifar10_K_max": 60.0,
    "cifar10_small_steps": 70.0,
    "cifar10_middle_steps": 71.0,
    "cifar10_large_steps": 73.0,
    "celebahq256": 50.0,
    "celebahq256_r1_0": 80.0,
    "celebahq256_scratch": 90.0,
    "celebahq256_scratch_r1_0": 91.0,
    "celebahq256_small_steps": 50.0,
    "celebahq256_middle_steps": 51.0,
    "celebahq256_large_steps": 52.0,
    "celebahq256_blurred": 60.0,
    "celebahq256_short": 300.0,
    "celebahq256_long": 55.0,
}
EXTRACTOR = {"extractor": "classifier", "kind": "classifier", "sha256": "0123456789abcdef"}
# On validation sources, at these numbers of gradient steps
CURVES = {"cifar10": ([10, 100, 400], [900.0, 80.0, 70.0]), "cifar10_K_max": ([80, 400, 900], [400.0, 85.0, 60.0])}
# AUROC, clean and in the worst case: a robust detector, and two that are not; on noise, all are equal
AREAS = {"cifar10_ood": (0.95, 0.8), "cifar10_ood_plain": (0.96, 0.3), "cifar10_ood_oe": (0.99, 0.0)}
GAPS = {"cifar10_max_likelihood": 1e9, "cifar10_binary_at": 17.0, "cifar10_max_likelihood_small_lr": -0.01}


def board_plan(root: Path, distances: dict[str, float] = DISTANCES) -> str:
    needs = {}

    def folder(role: str, kind: str, name: str, record: dict, **frames: pd.DataFrame) -> None:
        path = root / "work" / kind / name
        path.mkdir(parents=True)
        (path / {"train": "run.json"}.get(kind, f"{kind}.json")).write_text(json.dumps(record))
        for file, frame in frames.items():
            frame.to_csv(path / f"{file}.csv", index=False)
        needs[role] = f"work/{kind}/{name}"

    for seed in SEEDS:
        for sampler, distance in distances.items():
            images = {"run": sampler, "seed": seed, "sampler": sampler}
            record = {"metric": "frechet", "name": "Frechet distance (stand-in)", "images": images, "standin": True}
            record |= {"value": distance + seed, "extractor": EXTRACTOR}
            folder(f"distance/{sampler}/{seed}", "metric", f"{sampler}.{seed}", record)
        for run, areas in AREAS.items():
            rows = [
                {
                    "row": row,
                    "radius": 1,
                    "attack": attack,
                    "in": inside,
                    "auroc": 1.0 if row == "Uniform Noise" else area,
                }
                for row in ROWS4
                for attack, area in zip((CLEAN, WORST), areas, strict=True)
                for inside in (IN, HELD_OUT)
            ]
            how = {"auto_pgd": {"steps": 50}, "square": {}}
            record = {"run": run, "seed": seed, "settings": how}
            folder(f"detection/{run}/{seed}", "detection", f"{run}.{seed}", record, detection=pd.DataFrame(rows))
        for run in (*CURVES, *GAPS):
            steps, values = CURVES.get(run, ([], []))
            monitor = {"iteration": range(len(steps)), "gradient_steps": steps, "steps": 8, "distance": values}
            gap = [0.0, GAPS.get(run, 1.0) * (1 + seed / 10)]
            log = {"iteration": [100, 400], "K": 4, "logit_data": gap, "logit_contrastive": 0.0}
            record = {"run": run, "seed": seed, "best": {"iteration": 2}, "diverged": run == "cifar10_max_likelihood"}
            record["iterations"] = 400
            frames = {"monitor": pd.DataFrame(monitor), "log": pd.DataFrame(log)}
            folder(f"train/{run}/{seed}", "train", f"{run}.{seed}", record, **frames)
            settings = {"objective": "binary_at", "langevin": None, "optimizer": {"lr": 1.0}}
            spec = root / f"work/specs/train/{run}.{seed}.json"
            spec.parent.mkdir(parents=True, exist_ok=True)
            spec.write_text(json.dumps({"settings": settings, "parents": {}}))
    games = [{"seed": seed, "setting": p_0, "u": -1.3863, "d_off_support_max": 0.5} for seed in SEEDS for p_0 in "ab"]
    toy = pd.DataFrame(games).assign(state="final")
    folder("maximin", "toy", "relu", {}, toy=pd.concat([toy.assign(state="initial", u=-9.0), toy]))
    folder("minimax", "minimax", "relu", {}, minimax=pd.DataFrame(games).assign(d_off_support_max=0.8))
    tasks = {name: {"title": name, "p_data": "clothes", "p_0": "crops"} for name in ("cifar10", "celebahq256")}
    tasks["cifar10"]["out_of_distribution"] = dict.fromkeys(ROWS4, "a set")
    sets = {"clothes": "clothes", "crops": "crops of a photograph", "a set": "a set"}
    stability = {run: {"lr": 1e-6 if "small" in run else 5e-4, "K": 4} for run in GAPS}
    settings = {"level": 0.05, "margin": 0.1, "stability": stability}
    return request_for(root, "claims", needs, "smoke", tasks=tasks, sets=sets, settings=settings)


@pytest.fixture
def board(tmp_path) -> pd.DataFrame:
    out = tmp_path / "claims.csv"
    frame = draw(board_plan(tmp_path), str(out)).frame
    assert "stand-in" in out.with_suffix(".md").read_text() and len(pd.read_csv(out)) == len(BOARD)
    return frame.set_index("id")


def test_what_is_as_the_paper_has_it_points_that_way(board):
    """All least p-values that six seeds can give, 1/64, but adjusted for twelve claims: too few seeds."""
    board = board[(board["family"] == "generation") & board["p_holds"].notna()]
    assert board["p_holds"].tolist() == pytest.approx([12 / 64] * 13) and (board["p_fails"] == 1).all()
    assert (board["verdict"] == "undecided").all() and (board["seeds"] == 6).all()


def test_divergence_that_was_not_reached_is_no_verdict(board):
    row = board.loc["likelihood_diverges_small_lr"]
    assert row["verdict"] == "not reached in 400 iterations" and np.isnan(row["p_holds"])
    assert "1e-6" in row["claim"] and "K = 4" in row["test"]


def test_a_robust_detector_is_better_where_others_are_not_perfect(board):
    board = board[board["family"] == "detection"]
    noise = board.index.str.contains("uniform_noise")
    robust = board.index.str.contains("worst") & ~noise
    assert robust.sum() == 6 and board.loc[robust, "p_holds"].tolist() == pytest.approx([10 / 64] * 6)
    assert (board.loc[noise, "verdict"] == "no difference that matters").all(), "a tie"
    assert board.loc["worst_plain_svhn", "effect_by_seed"] == " ".join(["2.667"] * 6)
    assert board.loc["worst_oe_svhn", "effect_by_seed"] == " ".join(["inf"] * 6)
    assert board.loc["worst_oe_svhn", "claim"].endswith("outlier exposure: a set (for SVHN)")
    clean = board[board.index.str.contains("clean")]
    assert clean["effect_by_seed"].tolist() == [" ".join(["0.9896"] * 6), " ".join(["0.9596"] * 6)]
    assert clean["p_holds"].lt(1).tolist() == [True, False] and clean["p_fails"].lt(1).tolist() == [False, True]


def test_effects_are_what_the_files_say(board):
    by_seed = {claim: [float(value) for value in row.split()] for claim, row in board["effect_by_seed"].items()}
    assert by_seed["p0_diverse"] == pytest.approx([(140 + seed) / (70 + seed) for seed in SEEDS], rel=1e-3)
    assert by_seed["progressive_cheaper"] == [4] * 6  # 400 steps until 1.5 x 60, over 100
    assert by_seed["at_stable"] == pytest.approx([17 * (1 + seed / 10) for seed in SEEDS], rel=1e-3)
    assert by_seed["likelihood_diverges"] == [math.inf] * 6  # it overflowed
    assert by_seed["steps_for_size"] == pytest.approx([(73 + s) / (70 + s) for s in SEEDS], rel=1e-3)
    assert by_seed["steps_best_number"] == pytest.approx([(55 + seed) / (50 + seed) for seed in SEEDS], rel=1e-3)
    assert by_seed["d_off_support"] == [1.6] * 6


def test_a_run_that_never_arrives_costs_all_that_it_took(tmp_path, monkeypatch):
    monkeypatch.setitem(CURVES, "cifar10", ([10, 100, 400], [900.0, 800.0, 700.0]))
    frame = draw(board_plan(tmp_path), str(tmp_path / "claims.csv")).frame.set_index("id")
    assert frame.loc["progressive_cheaper", "effect_by_seed"] == " ".join(["1"] * 6)


def test_the_board_is_drawn_from_its_numbers_where_the_steps_are_not(tmp_path):
    """And to the same bytes; the old one, whose steps are nowhere, from its effects."""
    plan, out = board_plan(tmp_path), tmp_path / "claims.csv"
    frame = draw(plan, str(out)).frame
    first = out.read_bytes()
    for kind in ("metric", "detection", "train", "toy", "minimax"):
        shutil.rmtree(tmp_path / "work" / kind)
    out.unlink()
    draw(plan, str(out))
    assert out.read_bytes() == first
    shutil.rmtree(tmp_path / "numbers")
    rows = [
        (claim, seed, 3 * float(effect))
        for claim, effects in zip(frame["id"], frame["effect_by_seed"], strict=True)
        for seed, effect in enumerate(effects.split())
    ]
    effects = pd.DataFrame(rows, columns=["id", "seed", "effect"])
    write_text(tmp_path / "numbers/claims.csv", effects.to_csv(index=False))
    effects.loc[effects["id"] == "p0_diverse", "effect"] = 0.5
    write_text(tmp_path / "numbers/before.csv", effects.to_csv(index=False))
    facts = {"measure": "distance", "extractor": "one", "standin": True, "iterations": 400, "computed": "Long ago."}
    write_text(tmp_path / "numbers/claims.json", json.dumps(facts | {"earlier": "before.csv"}))
    old = draw(plan, str(out)).frame.set_index("id")
    assert old.loc["at_stable", "effect_by_seed"].startswith(f"{3 * 17:.4g}")
    assert old.loc["p0_diverse", "fragile"] == "", "undecided both times"
    assert "Long ago." in out.with_suffix(".md").read_text()


def test_every_claim_has_its_numbers_at_every_scale():
    """What `claims` asks of the plan is what the board reads."""
    for scale in ("smoke", "demo", "paper"):
        plan = planned(scale)
        names = {step.name.removesuffix(".best.frechet") for step in plan.artifacts["claims"] if step.kind == "metric"}
        runs = {step.name for step in plan.artifacts["claims"] if step.kind == "train"}
        assert {step.name for step in plan.artifacts["claims"] if step.kind == "detection"} == {*AREAS}
        assert set(DISTANCES) - names <= {"cifar10_middle_steps", "celebahq256_middle_steps"}  # the run's own sampler
        assert runs == {*CURVES, *GAPS}
        assert not names - set(DISTANCES)


def test_evidence_of_an_equal_sampler_is_the_runs_own():
    evidence = Evidence.__new__(Evidence)
    frame = pd.DataFrame({"cifar10": [70.0], "cifar10_small_steps": [77.0], "cifar10_large_steps": [71.0]})
    object.__setattr__(evidence, "distances", frame)
    assert spread(evidence, "cifar10").tolist() == [1.1]
