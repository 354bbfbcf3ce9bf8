"""Tables from hand-made records: what stands in them must follow from the records alone."""

import json
from collections.abc import Iterable
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import request_for, typed
from scipy import stats

from atebm.publish.notebook import normalised, without_tries
from atebm.report import Document, ablations, draw, drawing
from atebm.report.tabulating import HERE

EXTRACTOR = {"extractor": "classifier", "kind": "classifier", "sha256": "0123456789abcdef", "classes": ["bag", "shirt"]}
DISTANCES = {0: 80.0, 1: 100.0, 2: 90.0}


def behind(root: Path, name: str, images: dict, steps: int | str = "selected", released: bool | None = None):
    """Write what samples and their training left, and return the folders of both.

    `released`: whether the weights are imported ones, and the authors'; None where they were trained.
    """
    run, seed = images["run"], images["seed"]
    settings = {
        f"sample/{name}": {"steps": steps},
        f"train/{run}-{seed}": {"monitor": {"n": 500, "steps": [12, 24], "step_size": 0.5}}
        if released is None
        else {"weights": "ab" * 32},
    }
    for step, own in settings.items():
        path = root / f"work/specs/{step}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():  # `trained` has written one
            path.write_text(json.dumps({"settings": own, "parents": {}}))
    folder = root / f"work/train/{run}-{seed}"
    if not folder.exists():
        folder.mkdir(parents=True)
        imported = {"released": {"file": "model.pth", "sha256": "ab" * 32, "verified": released}}
        record = {"run": run, "seed": seed} | ({"best": {"steps": 20}} if released is None else imported)
        (folder / "run.json").write_text(json.dumps(record))
    return f"work/sample/{name}", f"work/train/{folder.name}"


def plan_file(
    root: Path, seeds: list[int], inception: bool = False, released: bool | None = None, scale: str = "demo"
) -> str:
    """A request of Table 2 with three metrics per image set, as the workflow leaves them.

    With Inception KID is one of them, and there are fewer held-out images than samples.
    """
    needs = {}

    def add(role: str, folder_name: str, images: dict, metric: str, **values) -> None:
        folder = root / "work/metric" / folder_name
        folder.mkdir(parents=True)
        n = 20 if inception and images == {"set": task.held_out} else 50
        shared = {"metric": metric, "images": images, "n_samples": n, "extractor": EXTRACTOR, "standin": not inception}
        (folder / "metric.json").write_text(json.dumps({"step": f"metric/{folder_name}", **shared, **values}))
        needs[role] = f"work/metric/{folder_name}"

    images = {
        f"{which}{seed}": {"run": "cifar10", "seed": seed, "checkpoint": which}
        for seed in seeds
        for which in (("best", "last") if released is None else ("best",))
    }
    task = typed(scale).tasks["cifar10"]
    images |= {name: {"set": name} for name in (task.sources, task.held_out)}
    for name, described in images.items():
        if "run" in described:
            row, seed = described["checkpoint"], f"/{described['seed']}"
            sample, model = behind(root, name, described, released=released)
            needs |= {f"samples/{row}{seed}": sample, f"model/{row}{seed}": model}
        else:
            row, seed = "sources" if name == task.sources else "held_out", ""
        distance = DISTANCES[described["seed"]] if "seed" in described else 450.0 if name == task.sources else 2.0
        half = {"value_at_half": distance + 3, "n_reference": 800}
        add(
            f"metric/{row}/frechet{seed}",
            f"{name}.frechet",
            described,
            "frechet",
            name="FID of 50" if inception else "Frechet distance (stand-in)",
            value=distance,
            ci95=7.0,
            **half,
        )
        add(
            f"metric/{row}/inception_score{seed}",
            f"{name}.is",
            described,
            "inception_score",
            name="IS" if inception else "inception-style score (stand-in)",
            value=4.0,
            ci95=0.1,
        )
        if inception:
            kid = {"name": "KID", "value": distance / 1000, "ci95": 0.001}
            add(f"metric/{row}/kid{seed}", f"{name}.kid", described, "kid", **kid)
            continue
        shares = {"bag": 0.03, "shirt": 0.97}
        rarest = {"name": "smallest class share", "value": 0.03, "shares": shares}
        add(f"metric/{row}/class_shares{seed}", f"{name}.shares", described, "class_shares", **rarest)
    if inception:
        found = {"name": "distance to published statistics", "value": 0.3, "max_distance": 0.1, "within": False}
        found |= {"archive": {"statistics.npz": {}}}
        add("agreement/statistics", "agreement", {"set": task.p_data}, "agreement", **found)
    return request_for(root, "table2", needs, scale)


def row(frame: pd.DataFrame, approach: str) -> pd.Series:
    return frame.set_index("approach").loc[approach]


def test_one_seed_has_the_metrics_own_interval(tmp_path):
    frame = draw(plan_file(tmp_path, [0]), str(tmp_path / "table2.csv")).frame
    theirs, ours = row(frame, "Ours"), row(frame, HERE)
    assert (theirs.published_is, theirs.published_fid) == ("9.10", "13.21")
    assert (theirs.measured_distance, ours.published_fid) == ("", ""), "of other data: another row"
    assert (ours.measured_distance, ours.measured_distance_ci95, ours.seeds) == ("80", "7", 1)
    assert (ours.data, ours.weights) == ("Fashion-MNIST 16x16 (for CIFAR-10)", "trained here")
    assert ours.difference == "", "a stand-in's distance is no FID"
    assert (
        "By that classifier, the rarest class among the samples is bag, with 3.0 %."
        in (tmp_path / "table2.md").read_text()
    )


def test_several_seeds_have_mean_spread_and_median_ratio(tmp_path):
    frame = draw(plan_file(tmp_path, [0, 1, 2]), str(tmp_path / "table2.csv")).frame
    ours = row(frame, HERE)
    values = np.array(list(DISTANCES.values()))
    half_width = stats.t.ppf(0.975, 2) * stats.sem(values)
    assert float(ours.measured_distance) == pytest.approx(90) and ours.seeds == 3
    assert float(ours.measured_distance_ci95) == pytest.approx(half_width, rel=0.05)
    text = (tmp_path / "table2.md").read_text()
    assert "5.62 (seed 0), 4.50 (seed 1), 5.00 (seed 2); median 5.00." in text
    assert "for half as many samples it is 93." in text


def test_distances_of_different_numbers_of_images_share_no_column(tmp_path):
    frame = draw(plan_file(tmp_path, [0], inception=True), str(tmp_path / "table2.csv")).frame
    ours, held_out = row(frame, HERE), row(frame, "held-out real images")
    assert (ours.measured_distance, ours.measured_distance_of_20_images, ours.measured_kid) == ("80", "", "0.08")
    assert (held_out.measured_distance, held_out.measured_distance_of_20_images) == ("", "2")
    assert (held_out.measured_distance_ci95, held_out.measured_distance_of_20_images_ci95) == ("", "7")
    page = (tmp_path / "table2.md").read_text()
    header = page.splitlines()[2]
    assert "FID of another number of images, measured" in header and "KID, measured" in header
    assert "2 ± 7 (20 images)" in page


def test_on_the_papers_own_data_both_numbers_share_a_row(tmp_path):
    frame = draw(plan_file(tmp_path, [0], inception=True, scale="paper"), str(tmp_path / "table2.csv")).frame
    ours = row(frame, "Ours")
    assert (ours.published_fid, ours.measured_distance, ours.data) == ("13.21", "80", "CIFAR-10")
    assert float(ours.difference) == pytest.approx(80 - 13.21) and HERE not in set(frame["approach"])
    page = (tmp_path / "table2.md").read_text()
    assert "stand-in" not in page and "selected on validation sources" in page and "weights" not in page
    assert "and the published statistics in statistics.npz is 0.3, not below 0.1" in page
    assert "distance to published statistics" not in page, "it is no measured column"


@pytest.mark.parametrize(("verified", "words"), [(True, "the authors', verified"), (False, "imported, not verified")])
def test_a_table_of_imported_weights_says_so(tmp_path, verified, words):
    plan = plan_file(tmp_path, [0], inception=True, released=verified, scale="paper")
    frame = draw(plan, str(tmp_path / "table2.csv")).frame
    assert row(frame, "Ours").weights == f"{words} (model.pth, sha256 abababababab)"
    assert not frame["approach"].str.contains("last iteration").any()
    page = (tmp_path / "table2.md").read_text()
    assert words in page and "weights, measured" in page and "selected on validation sources" not in page


def test_a_caption_is_broken_into_lines_of_about_one_length():
    words = "one two three four five six seven"
    assert drawing.balanced(words, 40) == words
    assert drawing.balanced(words, 30) == "one two three four\nfive six seven"  # and not "... six" above "seven"


def test_a_headline_says_fid_only_of_fid(tmp_path):
    stand_in = draw(plan_file(tmp_path / "a", [0]), str(tmp_path / "a/table2.csv")).headline
    data, distance = "Fashion-MNIST 16x16 (for CIFAR-10)", "stand-in distance 80 (source images 450)"
    others = "last iteration 80, held-out real images 2"
    assert stand_in == f"{data}: {distance}, not comparable with FID; {others}"
    genuine = draw(plan_file(tmp_path / "b", [0], inception=True), str(tmp_path / "b/table2.csv"))
    assert (
        genuine.headline == "IS 4, FID 80 (source images 450); last iteration 80"
        and genuine.published == "IS 9.10, FID 13.21"
    )


def test_what_was_not_measured_is_empty(tmp_path):
    draw(plan_file(tmp_path, [0]), str(tmp_path / "table2.csv"))
    frame = pd.read_csv(tmp_path / "table2.csv", keep_default_na=False, dtype=str)
    measured = [
        column for column in frame if not column.startswith("published") and column not in ("approach", "group")
    ]
    assert (frame.loc[:21, measured] == "").all(axis=None)
    assert (frame.loc[22:, ["published_is", "published_fid"]] == "").all(axis=None)


@pytest.mark.parametrize("distance_of_rival", [0.49, 0.51])  # of the sources'
def test_rivals_of_table2_have_a_row_where_they_have_learnt(tmp_path, distance_of_rival):
    request = Path(plan_file(tmp_path, [0]))
    contents = json.loads(request.read_text())
    needs = contents["request"]["needs"]
    sources = json.loads((tmp_path / needs["metric/sources/frechet"] / "metric.json").read_text())["value"]
    for rival, share in (("cifar10_ebm", distance_of_rival), ("cifar10_gan", 0.1)):
        images = {"run": rival, "seed": 0}
        needs[f"metric/rivals/{rival}/frechet/0"] = distance(tmp_path, rival, share * sources, images)
    request.write_text(json.dumps(contents))
    frame = draw(str(request), str(tmp_path / "table2.csv")).frame.set_index("approach")
    assert float(frame.loc["small GAN, trained here", "measured_distance"]) == pytest.approx(0.1 * sources, rel=1e-3)
    learnt, name = distance_of_rival < 0.5, "EBM with a buffer of samples, trained here"
    assert (name in frame.index) == learnt
    assert ("The EBM with a buffer of samples has no row: " in (tmp_path / "table2.md").read_text()) != learnt


# --- Tables 3 and S7 ----------------------------------------------------------------------------------------------


def distance(root: Path, name: str, value: float, images: dict, to: str = "", standin: bool = True) -> str:
    """A Frechet distance of `name`, as a step leaves it."""
    folder = root / "work/metric" / name
    folder.mkdir(parents=True)
    record = {
        "metric": "frechet",
        "name": "Frechet distance (stand-in)" if standin else "FID",
        "value": value,
        "ci95": 1.0,
        "images": {"size": None, **images},
        "reference": {"set": to},
        "n_samples": 50,
        "n_reference": 800,
        "extractor": EXTRACTOR,
        "standin": standin,
        "step": f"metric/{name}",
    }
    (folder / "metric.json").write_text(json.dumps(record))
    return f"work/metric/{name}"


RULED = {"celebahq256": 10, "afhqcat256": 20, "church256": 30}  # distance of samples, by task of Table 3


def of_table3(
    root: Path,
    standin: bool = True,
    church_seeds: tuple[int, ...] = (0,),
    scale: str = "demo",
    tasks: Iterable[str] = RULED,
) -> str:
    """Table 3's needs; each task's samples, sources and real images have distances of their own."""
    needs = {}
    for run in tasks:
        value = RULED[run]
        task = typed(scale).tasks[run]
        p_data = task.p_data
        for size, add in ((None, 0), (task.also_at, 5)) if task.also_at else ((None, 0),):
            for seed in church_seeds if run == "church256" else (0,):
                images = {"run": run, "seed": seed, "checkpoint": "best", "size": size}
                name, role = f"{run}{size}{seed}", f"{run}/samples"
                far = distance(root, name, value + add + seed, images, p_data, standin)
                needs[f"{'shrunk' if size else 'metric'}/{role}/frechet/{seed}"] = far
                sample, model = behind(root, name, images)
                needs |= {f"samples/{role}/{seed}": sample, f"model/{role}/{seed}": model}
            for row, name, far in (("sources", task.sources, 100), ("held_out", task.held_out, 1)):
                of = {"set": name, "size": size}
                there = distance(root, f"{name}{size}.to_{p_data}", far + value + add, of, p_data, standin)
                needs[f"{'shrunk' if size else 'metric'}/{run}/{row}/frechet"] = there
    return request_for(root, "table3", needs, scale)


def test_table3_of_one_task_keeps_the_published_rows_of_the_others(tmp_path):
    drawn = draw(of_table3(tmp_path, tasks=["afhqcat256"]), str(tmp_path / "table3.csv"))
    published = pd.read_csv(Path(__file__).parents[2] / "data/published/table3.csv", dtype=str)
    measured = drawn.frame["measured_distance"] != ""
    assert set(drawn.frame.loc[~measured, "dataset"]) == set(published["dataset"])
    assert set(drawn.frame.loc[measured, "measured_distance"]) == {"20", "120", "21"}
    assert drawn.headline.endswith(" 20")


def test_table3_has_each_number_in_its_own_row(tmp_path):
    frame = draw(of_table3(tmp_path), str(tmp_path / "table3.csv")).frame
    published = pd.read_csv(Path(__file__).parents[2] / "data/published/table3.csv", dtype=str)
    theirs = frame[frame["published_fid"] != ""]
    assert list(zip(theirs["dataset"], theirs["approach"], theirs["published_fid"], strict=True)) == list(
        published.itertuples(index=False, name=None)
    )
    measured = frame[frame["measured_distance"] != ""].set_index(["dataset", "approach"])["measured_distance"]
    shrunk = ", all shrunk to 8x8"
    raw, real = "source images, unchanged (crops of 7 other photographs)", "held-out real images"
    tops, footwear, bags = (
        f"{what} of Fashion-MNIST 16x16 (for {title})"
        for what, title in (("tops", "CelebA-HQ 256"), ("footwear", "AFHQ-CAT 256"), ("bags", "LSUN-Church 256"))
    )
    assert measured.to_dict() == {
        (tops, HERE): "10",
        (tops, raw): "110",
        (tops, real): "11",
        (footwear, HERE): "20",
        (footwear, raw): "120",
        (footwear, real): "21",
        (bags, HERE): "30",
        (bags, raw): "130",
        (bags, real): "31",
        (bags, HERE + shrunk): "35",
        (bags, raw + shrunk): "135",
        (bags, real + shrunk): "36",
    }
    order = [tops, "CelebA-HQ 256", footwear, "AFHQ-CAT", bags, "LSUN Church"]
    assert list(frame["dataset"].unique()) == order
    assert list(frame["dataset"]) == sorted(frame["dataset"], key=order.index)
    assert (frame["difference"] == "").all()
    text = (tmp_path / "table3.md").read_text()
    assert "stand-in" in text and "11.00 times smaller than that of the source images" in text


def test_a_difference_stands_only_where_both_are_fid(tmp_path):
    plan = of_table3(tmp_path, standin=False, church_seeds=(0, 2), scale="paper")
    frame = draw(plan, str(tmp_path / "table3.csv")).frame
    differences = frame[frame["difference"] != ""].set_index("approach")["difference"].to_dict()
    assert {name: float(value) for name, value in differences.items()} == {
        "Ours": pytest.approx(10 - 17.31),
        "Ours (256x256)": pytest.approx(31 - 14.87),  # the last of the two of this name, mean of two seeds
        "Ours (64x64)": pytest.approx(36 - 10.84),
    }
    church = frame[(frame["dataset"] == "LSUN Church") & (frame["approach"] == "Ours (256x256)")].iloc[0]
    assert church["seeds"] == 2
    assert float(church["measured_distance_ci95"]) == pytest.approx(stats.t.ppf(0.975, 1) * 1, rel=0.05)
    assert "stand-in" not in (tmp_path / "table3.md").read_text()


def of_tableS7(root: Path, ways: dict[str, tuple[tuple[int, float], ...]], scale: str) -> str:
    needs = {}
    for run, samplers in ways.items():
        for steps, size in samplers:
            images = {"run": run, "seed": 0, "checkpoint": "best", "steps": steps, "step_size": size}
            name, row = f"{run}{steps}", f"{run}/{run}_{steps}"
            value = steps + (run == "celebahq256")
            needs[f"metric/{row}/frechet/0"] = distance(root, name, value, images, standin=scale != "paper")
            sample, model = behind(root, name, images, steps)
            needs |= {f"samples/{row}/0": sample, f"model/{row}/0": model}
    return request_for(root, "tableS7", needs, scale)


def test_tableS7_keeps_samplers_of_other_data_apart(tmp_path):
    ways = {"cifar10": ((12, 1.0), (48, 0.25), (24, 0.5)), "celebahq256": ((12, 1.0), (24, 0.5), (48, 0.25))}
    frame = draw(of_tableS7(tmp_path, ways, "demo"), str(tmp_path / "tableS7.csv")).frame
    columns = ["sampler", "published_fid", "measured_distance"]
    assert frame[columns].to_numpy().tolist() == [
        ["64 x 0.1", "13.07", ""],
        ["32 x 0.2", "13.21", ""],
        ["16 x 0.4", "13.49", ""],
        ["40 x 4.0", "19.19", ""],
        ["20 x 8.0", "18.97", ""],
        ["10 x 16.0", "19.19", ""],
        ["48 x 0.25", "", "48"],
        ["24 x 0.5", "", "24"],
        ["12 x 1.0", "", "12"],
        ["48 x 0.25", "", "49"],
        ["24 x 0.5", "", "25"],
        ["12 x 1.0", "", "13"],
    ]
    page = (tmp_path / "tableS7.md").read_text()
    assert (
        "The largest distance is 4.00 times the smallest. Steps times step size is 12; for the sampler that training "
        "selected it is 10." in page
    )
    assert page.splitlines()[4].startswith("| Fashion-MNIST 16x16 (for CIFAR-10)"), "measured rows first"


def test_tableS7_pairs_the_samplers_of_the_papers_data(tmp_path):
    ways = {
        "cifar10": ((64, 0.1), (32, 0.2), (16, 0.4)),
        "celebahq256": ((40, 4.0), (20, 8.0), (10, 16.0)),
    }
    frame = draw(of_tableS7(tmp_path, ways, "paper"), str(tmp_path / "tableS7.csv")).frame
    assert frame["measured_distance"].tolist() == ["64", "32", "16", "41", "21", "11"] and len(frame) == 6


# --- Figs. 2 to 5 and Sec. 5.3 ------------------------------------------------------------------------------------


def trained(root: Path, run: str, seed: int, monitor: str = "", log: str = "", **settings) -> str:
    """A training as its step leaves it: record, spec and the two .csv."""
    folder = root / f"work/train/{run}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    parents = {"init": {"step": "pretrain/x"}} if settings.pop("init", False) else {}
    best = {"iteration": 40} if monitor else None
    record = {"run": run, "seed": seed, "best": best, "iterations": 60, "gradient_steps": 99, "diverged": "inf" in log}
    (folder / "run.json").write_text(json.dumps(record | {"parents": parents}))
    (folder / "monitor.csv").write_text(monitor or "iteration\n")
    (folder / "log.csv").write_text(log)
    spec = root / f"work/specs/train/{folder.name}.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    base = {"r1": 0.1, "monitor": {"n": 500}, "in_attack": None, "schedule": {"K_start": 0, "K_max": 16}}
    spec.write_text(json.dumps({"settings": base | settings}))
    return f"work/train/{folder.name}"


def stand_in(root: Path) -> str:
    folder = root / "work/extractor/classifier"
    folder.mkdir(parents=True)
    (folder / "extractor.json").write_text(json.dumps({"kind": "classifier"}))
    return "work/extractor/classifier"


def texts(figure) -> list[str]:
    """All labels of a figure's lines and axes."""
    found = [(*axis.get_legend_handles_labels()[1], axis.get_xlabel(), axis.get_ylabel()) for axis in figure.axes]
    return [text for texts in found for text in texts]


@pytest.fixture
def drawn(monkeypatch) -> list:
    """The figures that are saved."""
    figures = []
    saved = drawing.save
    monkeypatch.setattr(drawing, "save", lambda figure, out: figures.append(figure) or saved(figure, out))
    return figures


MONITOR = """iteration,gradient_steps,steps,distance
20,100,12,{0}
20,100,24,900
40,300,12,500
40,300,24,{1}
"""


def test_fig2_draws_the_best_length_of_each_check_and_the_settings_of_each_run(tmp_path, drawn):
    scratch, imported = "celebahq256_scratch_r1_0", "celebahq256_r1_0"
    needs = {
        "train/celebahq256/0": trained(tmp_path, "celebahq256", 0, MONITOR.format(300, 100), init=True),
        "train/celebahq256/1": trained(tmp_path, "celebahq256", 1, MONITOR.format(200, 60), init=True),
        f"train/{scratch}/0": trained(tmp_path, scratch, 0, MONITOR.format(700, 90), r1=0),
        f"train/{imported}/0": trained(tmp_path, imported, 0, r1=0, init=True, weights="ab" * 32),  # has no curve
        "extractor": stand_in(tmp_path),
    }
    frame = draw(request_for(tmp_path, "fig2", needs), str(tmp_path / "fig2.png")).frame
    mine = frame[(frame["run"] == "celebahq256") & (frame["seed"] == 0)]
    rows = [[20, 12, 300, False], [40, 24, 100, True]]
    assert mine[["iteration", "steps", "distance", "kept"]].to_numpy().tolist() == rows
    labels = texts(drawn[0])
    assert "R1 0.1, pre-trained" in labels and "R1 0, from scratch" in labels
    assert not any("R1 0, pre-trained" in label for label in labels)
    assert "Frechet distance (stand-in) of 500 samples" in labels
    lines = {line.get_label(): line.get_xydata().tolist() for line in drawn[0].axes[0].lines}
    assert lines["R1 0.1, pre-trained"] == [[20, 250], [40, 80]], "the mean over seeds"
    (band,) = drawn[0].axes[0].collections
    assert set(band.get_paths()[0].vertices[:, 1]) == {60, 100, 200, 300}, "their range"
    assert {path.suffix for path in tmp_path.glob("fig2.*")} == {".png", ".svg", ".csv"}


def test_fig5_shows_the_cost_beside_the_iterations(tmp_path, drawn):
    fixed = {"schedule": {"K_start": 16, "K_max": 16}}
    costly = MONITOR.format(400, 80).replace(",300,", ",640,")
    needs = {
        "train/cifar10/0": trained(tmp_path, "cifar10", 0, MONITOR.format(300, 100)),
        "train/cifar10_K_max/0": trained(tmp_path, "cifar10_K_max", 0, costly, **fixed),
        "extractor": stand_in(tmp_path),
    }
    draw(request_for(tmp_path, "fig5", needs), str(tmp_path / "fig5.png"))
    iterations, cost = ({line.get_label(): list(line.get_xdata()) for line in axis.lines} for axis in drawn[0].axes)
    assert iterations["K = 16"] == [20, 40] and cost["K = 16"] == [100, 640]
    assert cost["K = 0, 1, ..., 16"] == [100, 300]
    caption = " ".join(drawn[0]._suptitle.get_text().split())
    assert "1.5 times the smallest distance of all runs: K = 0, 1, ..., 16: 300; K = 16: 640." in caption
    assert "2 of 2 trainings have their smallest distance at the last check" in caption

    needs["train/cifar10/0"] = trained(tmp_path, "cifar10", 0, MONITOR.format(120, 180))
    draw(request_for(tmp_path, "fig5", needs), str(tmp_path / "fig5.png"))
    caption = " ".join(drawn[1]._suptitle.get_text().split())
    assert "K = 0, 1, ..., 16: 100; K = 16: 640." in caption, "the best so far counts"
    assert "1 of 2 trainings have their smallest distance at the last check" in caption
    needs["train/cifar10/0"] = trained(tmp_path, "cifar10", 0, MONITOR.format(300, 290))
    draw(request_for(tmp_path, "fig5", needs), str(tmp_path / "fig5.png"))
    assert "K = 0, 1, ..., 16: not reached in 300; K = 16: 640." in " ".join(drawn[2]._suptitle.get_text().split())


def test_figs_3_and_4_draw_means_and_each_seed(tmp_path, drawn):
    values = {"cifar10_K_one": (90.0, 110.0), "cifar10_K_max": (40.0, 50.0)}
    needs = {}
    for run, distances in values.items():
        K = {"cifar10_K_one": 1, "cifar10_K_max": 16}[run]
        for seed, value in enumerate(distances):
            images = {"run": run, "seed": seed, "checkpoint": "best", "steps": 24, "step_size": 0.5}
            needs[f"distance/{run}/{seed}"] = distance(tmp_path, f"{run}.{seed}", value, images)
            needs[f"train/{run}/{seed}"] = trained(tmp_path, run, seed, schedule={"K_start": K, "K_max": K})
    frame = draw(request_for(tmp_path, "fig4", needs), str(tmp_path / "fig4.png")).frame
    assert frame.groupby("K")["distance"].apply(list).to_dict() == {"1": [90, 110], "16": [40, 50]}
    means = next(line for line in drawn[0].axes[0].lines if line.get_linestyle() == "-")
    assert means.get_xydata().tolist() == [[1, 100], [16, 45]]

    other = tmp_path / "fig3"
    needs = {f"train/{run}/0": trained(other, run, 0) for run in ablations.FIG3}
    for place, run in enumerate(ablations.FIG3):
        images = {"run": run, "seed": 0, "checkpoint": "best", "steps": 24, "step_size": 0.5}
        needs[f"distance/{run}/0"] = distance(other, run, 100.0 + place, images)
    frame = draw(request_for(other, "fig3", needs), str(other / "fig3.png")).frame
    bars = [bar.get_width() for bar in drawn[1].axes[0].patches]
    assert bars == [100, 101, 102] == frame.set_index("run").loc[list(ablations.FIG3), "distance"].tolist()
    names = [label.get_text() for label in drawn[1].axes[0].get_yticklabels()]
    assert [name.split()[3] for name in names] == ["20", "4", "1"]  # p_0: crops of so many photographs
    assert "All models use the same sampler: 24 steps of 0.5." in " ".join(drawn[1]._suptitle.get_text().split())


LOG = "iteration,K,gradient_steps,loss,r1,logit_data,logit_contrastive,auc\n"


def test_stability_states_the_median_of_the_last_100_iterations(tmp_path, drawn):
    adam, small = {"lr": 5e-4}, {"lr": 1e-6}
    growing = LOG + "".join(f"{i},4,{i},0,0,{10.0 ** (i / 20)},0,1\n" for i in range(20, 201, 20))
    calm = LOG + "".join(f"{i},4,{i},0,0,{i % 40},-1,1\n" for i in range(20, 201, 20))
    overflow = LOG + "20,4,0,0,0,5,1,1\n40,4,0,nan,0,inf,-inf,0\n"
    runs = {
        "a": (growing, "max_likelihood", None, adam),
        "b": (overflow, "max_likelihood", {"step_size": 0.01}, adam),
        "c": (calm, "binary_at", None, small),
    }
    needs = {}
    for run, (log, objective, langevin, optimizer) in runs.items():
        settings = {"objective": objective, "langevin": langevin, "optimizer": optimizer}
        needs[f"train/{run}/0"] = trained(tmp_path, run, 0, log=log, **settings)
    frame = draw(request_for(tmp_path, "stability", needs), str(tmp_path / "stability.png")).frame
    last = frame.groupby("run").last()
    # iterations 120, 140, ..., 200
    assert last.loc["a", "median_gap_100"] == pytest.approx(1e8) and last.loc["c", "median_gap_100"] == 1
    assert last.loc["a", "gap"] == pytest.approx(1e10) and list(last["overflowed"]) == [False, True, False]
    large, small = (axis.get_legend_handles_labels()[1] for axis in drawn[0].axes)
    assert large == ["Eq. 2, PGD, LR 0.0005: 1e+08", "Eq. 2, Langevin, LR 0.0005: overflow at iteration 40"]
    assert small == ["Eq. 11, PGD, LR 1e-06: 1"], "a panel per learning rate"
    caption = " ".join(drawn[0]._suptitle.get_text().split())
    assert "not reached" not in caption, "under Eq. 2 it grew"


def test_stability_says_where_nothing_grew(tmp_path, drawn):
    calm = LOG + "".join(f"{i},4,{i},0,0,0,0.01,0\n" for i in range(20, 401, 20))
    settings = {"objective": "max_likelihood", "langevin": None, "optimizer": {"lr": 1e-6}, "in_attack": {"steps": 2}}
    needs = {"train/a/0": trained(tmp_path, "a", 0, log=calm, **settings)}
    draw(request_for(tmp_path, "stability", needs), str(tmp_path / "stability.png"))
    caption = " ".join(drawn[0]._suptitle.get_text().split())
    assert (
        "At learning rate 1e-06, the gap under Eq. 2 with PGD is still below 1 after 400 iterations" in caption
        and "K = 4." in caption
    )
    assert "Before each update an attack lowers the logits" in caption


def test_what_a_notebook_reads_before_it_is_drawn_is_kept(tmp_path, drawn):
    """So that its cells find it in a clone, also where the drawing does not read it."""
    calm = LOG + "".join(f"{i},4,{i},0,0,0,0.01,0\n" for i in range(20, 101, 20))
    settings = {"objective": "binary_at", "langevin": None, "optimizer": {"lr": 1e-6}}
    needs = {"train/a/0": trained(tmp_path, "a", 0, log=calm, **settings)}
    (tmp_path / needs["train/a/0"] / "more.csv").write_text("number\n1\n")
    document = Document(request_for(tmp_path, "stability", needs), str(tmp_path / "results/stability.png"))
    document.table("train/a/0", "more.csv")
    assert len(document.frame) > 0
    (listed,) = json.loads((tmp_path / "work/drawn/stability.json").read_text())["numbers"].values()
    assert set(listed) == {"log.csv", "more.csv"}
    assert list(tmp_path.glob("results/numbers/train/*/more.csv"))


def test_an_executed_notebook_is_normalised(tmp_path):

    def written(*more: nbformat.NotebookNode) -> nbformat.NotebookNode:
        heading = nbformat.v4.new_markdown_cell("# Table 2: FID on CIFAR-10\n\nWords, [code](../src/atebm).")
        parameters = nbformat.v4.new_code_cell('out = "../results/table2.csv"', metadata={"tags": ["parameters"]})
        return nbformat.v4.new_notebook(cells=[heading, parameters, *more])

    tried = nbformat.v4.new_code_cell("2 + 2", metadata={"tags": ["try"]})
    nbformat.write(written(tried, nbformat.v4.new_code_cell("1 + 1")), tmp_path / "source.ipynb")
    results = []
    for run in ("first", "second"):  # papermill's timings, and random ids
        injected = nbformat.v4.new_code_cell('out = "/elsewhere"', metadata={"tags": ["injected-parameters"]})
        notebook = without_tries(written(injected, tried, nbformat.v4.new_code_cell("1 + 1")))
        notebook.metadata["papermill"] = {"at": run}
        notebook.cells[3].metadata = {"papermill": {"start": run}, "execution": {"iopub": run}, "tags": ["kept"]}
        nbformat.write(notebook, tmp_path / f"{run}.ipynb")
        title, places = "Table 2: stand-in distance on digits (for SVHN)", {"out": "../table2.csv"}
        results.append(normalised(tmp_path / f"{run}.ipynb", tmp_path / "source.ipynb", title, places, "../.."))
    assert results[0] == results[1]
    assert [cell.source for cell in results[0].cells] == [
        "# Table 2: stand-in distance on digits (for SVHN)\n\nWords, [code](../../src/atebm).",
        'out = "../table2.csv"',
        "2 + 2",
        "1 + 1",
    ]
    assert results[0].cells[3].metadata == {"tags": ["kept"]}
