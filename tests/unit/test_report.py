"""Tables from hand-made records: what stands in them must follow from the records alone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import typed
from scipy import stats

from atebm import report
from atebm.report.render import normalised

EXTRACTOR = {"extractor": "classifier", "kind": "classifier", "sha256": "0123456789abcdef", "classes": ["bag", "shirt"]}
DISTANCES = {0: 80.0, 1: 100.0, 2: 90.0}


def plan_file(root: Path, seeds: list[int], inception: bool = False) -> str:
    """A plan of Table 2 with three metrics per image set, as the workflow leaves them.

    With Inception KID is one of them, and there are fewer held-out images than samples.
    """
    needs = []

    def add(folder_name: str, images: dict, metric: str, **values) -> None:
        folder = root / "work/metric" / folder_name
        folder.mkdir(parents=True)
        n = 20 if inception and images == {"set": "fashion_held_out"} else 50
        shared = {"metric": metric, "images": images, "n_samples": n, "extractor": EXTRACTOR, "standin": not inception}
        (folder / "metric.json").write_text(json.dumps({**shared, **values}))
        needs.append(f"work/metric/{folder_name}")

    images = {
        f"{which}{seed}": {"run": "cifar10", "seed": seed, "checkpoint": which}
        for seed in seeds
        for which in ("best", "last")
    }
    images |= {name: {"set": name} for name in ("photographs_test", "fashion_held_out")}
    for name, described in images.items():
        distance = DISTANCES[described["seed"]] if "seed" in described else {"p": 450.0, "f": 2.0}[name[0]]
        half = {"value_at_half": distance + 3, "n_reference": 800}
        add(
            f"{name}.frechet",
            described,
            "frechet",
            name="Frechet distance (stand-in)",
            value=distance,
            ci95=7.0,
            **half,
        )
        add(f"{name}.is", described, "inception_score", name="inception-style score (stand-in)", value=4.0, ci95=0.1)
        if inception:
            add(f"{name}.kid", described, "kid", name="KID", value=distance / 1000, ci95=0.001)
            continue
        shares = {"bag": 0.03, "shirt": 0.97}
        add(f"{name}.shares", described, "class_shares", name="smallest class share", value=0.03, shares=shares)
    tasks = {"cifar10": typed("demo").tasks["cifar10"].model_dump()}
    path = root / "work/specs/artifact/table2.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"plan": {"artifact": "table2", "scale": "demo", "tasks": tasks, "needs": needs}}))
    return str(path)


def row(frame: pd.DataFrame, approach: str) -> pd.Series:
    return frame.set_index("approach").loc[approach]


def test_one_seed_has_the_metrics_own_interval(tmp_path):
    frame = report.table2(plan_file(tmp_path, [0]), str(tmp_path / "table2.csv"))
    ours = row(frame, "Ours")
    assert (ours.published_is, ours.published_fid) == ("9.10", "13.21")
    assert (ours.measured_distance, ours.measured_distance_ci95, ours.seeds) == ("80", "7", 1)
    assert "Rarest class among our samples by that classifier: bag, 3.0 %." in (tmp_path / "table2.md").read_text()


def test_several_seeds_have_mean_spread_and_median_ratio(tmp_path):
    frame = report.table2(plan_file(tmp_path, [0, 1, 2]), str(tmp_path / "table2.csv"))
    ours = row(frame, "Ours")
    values = np.array(list(DISTANCES.values()))
    half_width = stats.t.ppf(0.975, 2) * stats.sem(values)
    assert float(ours.measured_distance) == pytest.approx(90) and ours.seeds == 3
    assert float(ours.measured_distance_ci95) == pytest.approx(half_width, rel=0.05)
    text = (tmp_path / "table2.md").read_text()
    assert "5.62 (seed 0), 4.50 (seed 1), 5.00 (seed 2); median 5.00." in text
    assert "from half of our samples it is 93." in text


def test_distances_of_different_numbers_of_images_share_no_column(tmp_path):
    frame = report.table2(plan_file(tmp_path, [0], inception=True), str(tmp_path / "table2.csv"))
    ours, held_out = row(frame, "Ours"), row(frame, "p_data: held-out real images")
    assert (ours.measured_distance, ours.measured_distance_of_20_images, ours.measured_kid) == ("80", "", "0.08")
    assert (held_out.measured_distance, held_out.measured_distance_of_20_images) == ("", "2")
    assert (held_out.measured_distance_ci95, held_out.measured_distance_of_20_images_ci95) == ("", "7")
    header = (tmp_path / "table2.md").read_text().splitlines()[2]
    assert "distance of 20 images, measured" in header and "KID, measured" in header


def test_what_was_not_measured_is_empty(tmp_path):
    report.table2(plan_file(tmp_path, [0]), str(tmp_path / "table2.csv"))
    frame = pd.read_csv(tmp_path / "table2.csv", keep_default_na=False, dtype=str)
    measured = [
        column for column in frame if not column.startswith("published") and column not in ("approach", "group")
    ]
    assert (frame.loc[1:21, measured] == "").all(axis=None)
    assert (frame.loc[22:, ["published_is", "published_fid"]] == "").all(axis=None)


def test_an_executed_notebook_is_normalised(tmp_path):
    import nbformat

    results = []
    for run in ("first", "second"):  # papermill's timings, and random ids
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell("1 + 1")], metadata={"papermill": {"at": run}}
        )
        notebook.cells[0].metadata = {"papermill": {"start": run}, "execution": {"iopub": run}, "tags": ["kept"]}
        nbformat.write(notebook, tmp_path / f"{run}.ipynb")
        results.append(normalised(tmp_path / f"{run}.ipynb"))
    assert results[0] == results[1]
    assert results[0].cells[0].metadata == {"tags": ["kept"]}
