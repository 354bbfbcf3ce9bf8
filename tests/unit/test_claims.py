"""The registry of claims and its board: every claim can come out both ways, and none holds where nothing was learnt."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from board_world import SEEDS, SOURCES, World
from conftest import planned

from atebm.pipeline.evidence import EVIDENCE, TIERS, seeds_by_role
from atebm.report.claims.board import claims, words_of
from atebm.report.claims.claim import Claim, Words
from atebm.report.claims.controls import CONTROLS, controls
from atebm.report.claims.effects import Effects, effects_by_part, effects_of
from atebm.report.claims.evidence import Evidence
from atebm.report.claims.registry import registry
from atebm.report.claims.reproduced import judged, rules
from atebm.report.claims.stability import DIVERGES
from atebm.report.drawn import Drawn
from atebm.report.needs import Needs
from atebm.report.published import published
from atebm.report.verdicts import NOT_RUN, NOT_TESTABLE, VERDICTS, Bound, Measured, decided

BOARD = registry()
TESTED = [claim for claim in BOARD if claim.parts]
COLUMNS = [
    *("id", "place", "claim", "data", "test", "effect", "unit", "margin", "p_holds", "p_fails", "p_sign", "verdict"),
    *("fragile", "seeds", "effect_by_seed", "reason"),
]


# --- the registry -------------------------------------------------------------------------------------------------


def test_every_sentence_has_a_test_or_a_reason():
    assert len(BOARD) >= 40 and len({claim.id for claim in BOARD}) == len(BOARD)
    for claim in BOARD:
        assert claim.claim and claim.place and claim.family
        assert claim.parts or claim.reason, claim.id
        assert bool(claim.unit) == bool(claim.parts), claim.id
        labels = [part.label for part in claim.parts]
        assert len(labels) == 1 or (all(labels) and len(set(labels)) == len(labels)), claim.id
        assert not any(mark in label for label in labels for mark in (": ", "; ")), claim.id


def test_a_bound_is_on_one_side_and_its_smallest_effect_fits_its_unit():
    for part in (part for claim in TESTED for part in claim.parts):
        bound = part.bound
        assert math.isinf(bound.above) != math.isinf(bound.below)
        assert bound.smallest == 0 or (bound.smallest > 1 if bound.ratio else bound.smallest > 0)
        assert not bound.given or bound.smallest == 0


def test_a_claim_asks_for_what_its_plan_declares_and_for_nothing_else(tmp_path):
    """pipeline/evidence.py has the claims' roles, so that a plan need not import what draws."""
    assert {claim.id for claim in TESTED} == set(EVIDENCE)
    needs = World(tmp_path).needs({}, tmp_path)
    for claim in TESTED:
        evidence = Evidence(needs)
        effects_by_part(claim, evidence)
        assert evidence.asked == set(claim.needed.roles), claim.id


def test_a_role_has_the_seeds_of_the_claim_that_wants_most():
    seeds = seeds_by_role()
    assert seeds["train/cifar10_max_likelihood"] == TIERS["C"] and seeds["detection/church256"] == TIERS["B"]
    assert seeds["distance/cifar10"] == TIERS["A"], "though some claims of tier B want it, too"
    first = seeds_by_role(("A",))
    assert "detection/church256" not in first and first["distance/cifar10"] == TIERS["A"]
    assert set(first.values()) == {TIERS["A"]}


# --- both ways, and where nothing was learnt ----------------------------------------------------------------------


def verdicts_in(world: World, *ids: str) -> dict[str, str]:
    """Return the verdicts on the claims of these ids, or on all."""
    board = [claim for claim in TESTED if claim.id in (ids or EVIDENCE)]
    effects = effects_of(world.needs({"scale": "demo", "needs": {}}, world.folder), board)
    assert effects.facts["missing"] == {}
    decisions = decided([effects.tested(claim) for claim in board], 0.05)["verdict"]
    return {claim.id: verdict for claim, verdict in zip(board, decisions, strict=True)}


def test_every_claim_holds_where_all_is_as_the_paper_has_it(tmp_path):
    assert {id: verdict for id, verdict in verdicts_in(World(tmp_path)).items() if verdict != "holds"} == {}


def test_no_claim_holds_where_labels_were_shuffled_and_models_broken(tmp_path):
    """A control: all AUROCs are 1/2, all samples as far as their sources, D as it was drawn.

    Also not those which say that two models are alike: so they are here, and it says nothing.
    """
    found = verdicts_in(World(tmp_path, broken=True))
    assert {id for id, verdict in found.items() if verdict == "holds"} == set()
    assert sum(verdict == "fails" for verdict in found.values()) > 30


def constructed(claim: Claim, outside: int | None = None) -> Measured:
    """Return effects inside each part's bound, but for one part."""
    noise, parts = np.random.default_rng(0).uniform(1, 2, 12), []
    for number, part in enumerate(claim.parts):
        bound, sign = part.bound, -1 if number == outside else 1
        side = sign if math.isinf(bound.below) else -sign
        smallest = bound.smallest if bound.ratio else 2 * bound.smallest or 1
        values = (
            bound.value * max(smallest**2, 1.3) ** (side * noise)
            if bound.ratio
            else bound.value + side * noise * smallest
        )
        parts.append((bound, pd.DataFrame({"effect": values, "lesser": math.nan}, index=SEEDS)))
    return Measured(claim.family, tuple(parts))


@pytest.mark.parametrize("claim", TESTED, ids=lambda claim: claim.id)
def test_every_claim_comes_out_both_ways(claim):
    assert decided([constructed(claim)], 0.05)["verdict"].item() == "holds"
    for number, part in enumerate(claim.parts):
        verdict = decided([constructed(claim, outside=number)], 0.05)["verdict"].item()
        assert verdict == ("undecided" if part.bound.given else "fails"), "a condition that is not met decides nothing"


SPOILT: dict[str, tuple[Callable[[World], None], str, str]] = {  # a world in which one thing is not as the paper has it
    "a weak model beside RATIO": (
        lambda world: world.areas.update(cifar10_ood=(0.94, 0.7)),
        "ratio_worst",
        "fails",
    ),
    "outlier exposure that withstands": (
        lambda world: world.areas.update(cifar10_ood_oe=(0.99, 0.999)),
        "oe_collapses",
        "fails",
    ),
    "perfect detectors": (
        lambda world: world.areas.update(cifar10_ood=(1.0, 1.0), cifar10_ood_plain=(1.0, 1.0)),
        "worst_plain_svhn",
        "too easy here",
    ),
    "one p_0 as good": (
        lambda world: world.distances.update(cifar10_p0_narrower=50.5),
        "p0_diverse",
        "no difference that matters",
    ),
    "a better p_0": (lambda world: world.distances.update(cifar10_p0_narrower=30.0), "p0_diverse", "fails"),
    "harm by R1": (lambda world: world.distances.update(celebahq256_scratch=120.0), "r1_harmless", "fails"),
    "a rival that learnt nothing": (
        lambda world: world.distances.update(cifar10_ebm=SOURCES),
        "ebm_competitive",
        "undecided",
    ),
    "R1 that stalls too": (
        lambda world: world.curves.update(celebahq256=world.curves["celebahq256_r1_0"]),
        "r1_needed_slope",
        "fails",
    ),
    "slow progressive training": (
        lambda world: world.curves.update(cifar10=([100, 400, 900, 1600, 2500, 3600], [300.0, 250, 200, 150, 100, 60])),
        "progressive_cheaper",
        "fails",
    ),
}


@pytest.mark.parametrize(("spoil", "claim", "verdict"), SPOILT.values(), ids=SPOILT)
def test_what_is_spoilt_shows_in_its_claim(tmp_path, spoil, claim, verdict):
    world = World(tmp_path)
    spoil(world)
    assert verdicts_in(world, claim) == {claim: verdict}


# --- effects ------------------------------------------------------------------------------------------------------


@pytest.fixture
def evidence(tmp_path) -> Evidence:
    return Evidence(World(tmp_path).needs({}, tmp_path))


def test_effects_are_in_honest_units(evidence):
    assert evidence.ratio("cifar10_p0_narrowest", "cifar10").mean() == pytest.approx(2.8, rel=0.01)
    lead = evidence.lead("cifar10_ood", "cifar10_ood_oe", "SVHN", "worst")
    assert lead["effect"].mean() == pytest.approx(70, abs=1) and lead["lesser"].mean() == pytest.approx(10, abs=1)
    assert evidence.slope("celebahq256_r1_0").mean() == pytest.approx(0, abs=0.1)
    assert evidence.slope("celebahq256").mean() == pytest.approx(
        100 * np.polyfit([3, 4, 5, 6], np.log([80, 70, 60, 50]), 1)[0]
    )
    assert evidence.gap("cifar10_binary_at").mean() == pytest.approx(17, rel=0.01)
    assert evidence.translated("afhqcat256_from_celebahq256", "afhqcat256").mean() == pytest.approx(1.2, rel=0.01)
    assert evidence.made_worse("celebahq256_denoising").tolist() == [12.5] * 12
    assert evidence.memorised("cifar10", "pixels").tolist() == pytest.approx([1] * 12)


@pytest.mark.parametrize(
    ("slower", "faster", "ratio"),
    [
        (([80, 160, 240], [300, 100, 60]), ([10, 40, 90], [300, 80, 60]), 6.0),  # 90 is near enough: 240 over 40
        (([80, 160, 240], [300, 200, 100]), ([10, 40, 90], [300, 80, 60]), 6.0),  # never arrives: at least 240 over 40
        (([80, 160, 240], [50, 60, 60]), ([100, 400, 900], [300, 200, 100]), 80 / 900),  # the other never does
        (([800, 1600, 2400], [300, 100, 60]), ([10, 40, 90], [300, 200, 100]), 1.0),  # stopped before it could tell
        (([80, 160, 240], [60, 300, 300]), ([80, 160, 240], [300, 300, 60]), 80 / 240),  # best so far counts
        (([80, 160, 240], [300, 100, 60]), ([0, 40, 90], [60, 60, 60]), math.inf),  # arrives before K grows from 0
        (([0, 160, 240], [60, 60, 60]), ([0, 40, 90], [60, 60, 60]), 1.0),
    ],
)
def test_a_cost_counts_as_far_as_its_order_is_known(tmp_path, slower, faster, ratio):
    world = World(tmp_path, seeds=range(1))
    world.curves |= {"cifar10_K_max": slower, "cifar10": faster}
    found = Evidence(world.needs({}, tmp_path)).cost("cifar10_K_max", "cifar10")
    assert found.tolist() == pytest.approx([ratio])


def test_an_overflow_is_an_infinite_gap(tmp_path):
    needs = World(tmp_path, seeds=range(2)).needs({}, tmp_path)
    needs.results["train/cifar10_max_likelihood/1"].record["diverged"] = True
    assert Evidence(needs).gap("cifar10_max_likelihood")[1] == math.inf


def test_a_run_that_stopped_at_its_gap_counts_with_that_gap(tmp_path):
    needs = World(tmp_path, seeds=range(1)).needs({}, tmp_path)
    for run in ("cifar10_max_likelihood", "cifar10_max_likelihood_small_lr_long"):  # the second has a gap to stop at
        log = pd.DataFrame({"iteration": [100, 120], "K": 4, "logit_data": [500.0, 1100.0], "logit_contrastive": 0.0})
        needs.results[f"train/{run}/0"].tables["log.csv"] = log
    assert Evidence(needs).gap("cifar10_max_likelihood_small_lr_long")[0] == 1100
    assert Evidence(needs).gap("cifar10_max_likelihood")[0] == 800, "the median of 100 iterations"


@pytest.mark.parametrize("scale", ["smoke", "demo", "paper"])
def test_no_run_stops_before_its_gap_counts(scale):
    stops = {name: run.stop_at_gap for name, run in planned(scale).config.runs.items() if run.stop_at_gap}
    assert stops.keys() == {f"cifar10_{way}_small_lr_long" for way in ("max_likelihood", "binary_at")}
    assert set(stops.values()) == {DIVERGES}


# --- the board ----------------------------------------------------------------------------------------------------


def request() -> dict:
    plan = planned("demo")
    config = plan.config
    return {
        "scale": "demo",
        "needs": {},
        "tasks": {name: task.model_dump() for name, task in config.tasks.items()},
        "sets": {name: config.title_of(name) for task in config.tasks.values() for name in task.sets},
        **plan.settings("claims"),
    }


def board(tmp_path: Path, **world: object) -> Drawn:
    return claims(World(tmp_path, **world).needs(request(), tmp_path / "numbers"))


def test_the_board_has_a_row_for_each_claim(tmp_path):
    drawn = board(tmp_path)
    frame = drawn.frame
    assert list(frame)[: len(COLUMNS)] == COLUMNS and frame["id"].tolist() == [claim.id for claim in BOARD]
    tested = frame["verdict"].isin(VERDICTS)
    assert tested.sum() == len(TESTED) and (frame.loc[~tested, "verdict"] == NOT_TESTABLE).all()
    assert (frame.loc[~tested, "reason"] != "").all() and (frame.loc[tested, "effect_by_seed"] != "").all()
    assert frame.loc[tested, ["p_holds", "p_fails", "p_sign"]].notna().all(axis=None)
    assert "at most 0.15" in drawn.caption and "stand-in" in drawn.caption
    row = frame.set_index("id").loc["ratio_worst"]
    assert "handwritten digits (for SVHN)" in row["effect"] and row["unit"] == "points of AUROC"
    assert "3 points" in row["margin"] and row["seeds"] == 12


def test_a_role_that_was_not_run_is_no_verdict(tmp_path):
    frame = board(tmp_path, missing=("detection/cifar10_ood_ratio",), seeds=range(4)).frame.set_index("id")
    for id in ("ratio_clean", "ratio_worst", "ratio_robust"):
        assert frame.loc[id, "verdict"] == NOT_RUN and "detection/cifar10_ood_ratio" in frame.loc[id, "reason"]
    assert frame.loc["oe_collapses", "verdict"] == "inside in 4 of 4"


def test_fewer_than_twelve_seeds_give_values_and_no_verdict_word(tmp_path):
    frame = board(tmp_path, seeds=range(4)).frame.set_index("id")
    assert not frame["verdict"].isin(VERDICTS).any() and frame["p_holds"].isna().all()
    assert (
        frame.loc["p0_diverse", "verdict"] == "inside in 4 of 4"
        and "fewer than 12" in frame.loc["p0_diverse", "reason"]
    )
    assert "after 200 iterations" in frame.loc["at_stable", "reason"]


def test_the_board_says_how_long_runs_were_trained_that_stopped_at_a_gap(tmp_path):
    needs = World(tmp_path, seeds=range(3)).needs(request(), tmp_path / "numbers")
    for seed, iterations in enumerate((2400, 20000, 900)):
        needs.results[f"train/cifar10_max_likelihood_small_lr_long/{seed}"].record["iterations"] = iterations
    frame = claims(needs).frame.set_index("id")
    assert frame.loc["likelihood_diverges_small_lr", "reason"].startswith("after 900 to 20,000 iterations; ")
    assert "under Eq. 2, K = 4 is above 1000" in frame.loc["likelihood_diverges_small_lr", "test"]


def with_ruler(needs: Needs, ruler: str, factor: Callable[[str], float]) -> Needs:
    """Add distances by another extractor, `factor` times those by the board's."""
    for role, made in list(needs.results.items()):
        if role.startswith("distance/"):
            sampler = role.split("/")[1]
            record = made.record | {"value": made.record["value"] * factor(sampler)}
            other = type(made)(record, made.folder)  # type: ignore[call-arg, arg-type]
            needs.results[role.replace("distance/", f"distance_by/{ruler}/")] = other  # type: ignore[assignment]
    return needs


def test_another_extractor_shows_in_the_board(tmp_path):
    needs = World(tmp_path).needs(request(), tmp_path / "numbers")
    with_ruler(needs, "one", lambda sampler: 1.0)
    with_ruler(needs, "other", lambda sampler: 0.01 if sampler == "cifar10_K_one" else 1.0)
    drawn = claims(needs)
    frame = drawn.frame.set_index("id")
    assert frame.loc["k_ends", "fragile"] == "by extractor other: fails" and frame.loc["k_ends", "verdict"] == "holds"
    assert (frame.loc[["p0_diverse", "ratio_worst"], "fragile"] == "").all()
    assert "another extractor (here: one, other)" in drawn.caption


def test_what_was_not_run_says_which_number_it_lacks(tmp_path):
    found = effects_of(World(tmp_path, missing=("detection/cifar10_ood_ratio",)).needs(request(), tmp_path), BOARD)
    assert (
        found.facts["missing"].keys() >= {"ratio_worst"}
        and "cifar10_ood_ratio" in found.facts["missing"]["ratio_worst"]
    )


def test_numbers_of_an_earlier_registry_do_not_decide(tmp_path):
    """A claim that has other parts now than when its numbers were kept reads as not run."""
    table = pd.DataFrame(
        {"id": ["p0_diverse"], "part": [0], "ruler": [""], "seed": [0], "effect": [2.0], "lesser": [math.nan]}
    )
    claim = next(claim for claim in BOARD if claim.id == "p0_diverse")
    assert Effects(table, {}).tested(claim).seeds == 0


def test_a_board_of_every_scale_says_its_data():
    for scale, K in (("smoke", "K from 0 to 2"), ("demo", "K = 4"), ("paper", "K from 0 to 25")):
        plan = planned(scale)
        tasks = {name: task.model_dump() for name, task in plan.config.tasks.items()}
        sets = {name: plan.config.title_of(name) for task in plan.config.tasks.values() for name in task.sets}
        needs = Needs({"tasks": tasks, "sets": sets, "scale": scale, **plan.settings("claims")}, {})
        words = words_of(needs)
        assert isinstance(words, Words) and len(words.rows) == 4 and words.K == K
        assert len(registry(words)) == len(BOARD)


# --- published numbers --------------------------------------------------------------------------------------------


def test_every_published_number_of_the_papers_own_models_has_a_rule():
    frame = rules()
    counts = frame.groupby("table").size().to_dict()
    assert counts == {"table2": 2, "table3": 4, "table4": 8, "tableS7": 6, "tableS8": 36}
    assert (frame["within"].astype(float) > 0).all() and (frame["reason"] != "").all()
    ours = published("table4")["Ours"].tolist()
    assert sorted(frame.loc[frame["table"] == "table4", "published"]) == sorted(ours)
    s8 = published("tableS8").drop(columns=["setting", "dataset"]).to_numpy().ravel()
    assert sorted(frame.loc[frame["table"] == "tableS8", "published"].astype(float)) == pytest.approx(
        sorted(100 * float(value) for value in s8 if value != "N/A")
    )


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ([13.0, 13.5, 14.0], "reproduced"),
        ([14.8, 14.9, 14.7], "not reproduced"),
        ([11.0, 11.1, 11.2], "not reproduced"),
        ([13.2, 13.2], "not run"),
    ],
)
def test_a_rule_comes_out_both_ways(ours, said):
    assert judged("13.21", "1.50", ours) == said
    assert isinstance(BOARD[0].parts[0].bound, Bound)


# --- controls -----------------------------------------------------------------------------------------------------


def test_no_claim_holds_in_spoilt_results(tmp_path):
    frame = controls(World(tmp_path).needs(request(), tmp_path / "numbers")).frame
    assert len(frame) >= len(CONTROLS) and set(frame["family"]) == {claim.family for claim in TESTED}
    assert (frame["verdict"] == "holds").all(), "as measured"
    assert not (frame["verdict_spoilt"] == "holds").any()
    broken = frame[frame["control"].str.startswith("a broken model")]
    assert set(broken["verdict_spoilt"]) <= {"fails", "no difference that matters"}


def test_a_control_that_spoils_nothing_is_seen(tmp_path, monkeypatch):
    harmless = [replace(control, swap=dict) for control in CONTROLS]
    monkeypatch.setattr("atebm.report.claims.controls.CONTROLS", harmless)
    frame = controls(World(tmp_path).needs(request(), tmp_path / "numbers")).frame
    assert (frame["verdict_spoilt"] == "holds").all()
