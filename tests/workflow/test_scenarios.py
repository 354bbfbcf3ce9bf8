"""Re-runs: each change of a row may run exactly the steps that the row names, and no result may ever be stale.

Which steps a change asks for is a question to the plan alone, asked of every row. That Snakemake runs exactly these is
tried with dummy steps (dummy_cli.py), and real rules, plan and records, in checkouts in which it could go wrong: with
Snakemake's memory, without it and with all mtimes shuffled, in a folder with a space in its name, and in a git clone
after `dvc pull`. Each of them gets one row of each kind of change; `make test-slow` tries all rows in all of them.
"""

import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import conftest
import pytest
import requests
from conftest import checkout, seldom, snakemake
from dummy_cli import value_of

from atebm.archives.catalogue import ARCHIVES
from atebm.archives.fetch import fetch
from atebm.cli.fork_server import SERVER
from atebm.config.load import load
from atebm.pipeline import plan as plan_module
from atebm.pipeline.artifacts import ARTIFACTS
from atebm.pipeline.kinds import REVISION
from atebm.pipeline.plan import Plan
from atebm.pipeline.staleness import renderings, stale
from atebm.pipeline.step import Step
from atebm.utils.hashing import canonical

# What the scenarios run: a figure of its own, two artifacts that share steps, and a table of settings. The others would
# only add more of the same: every artifact's plan is made in test_run.py, and all of them are drawn there.
DRAWN = ("fig1", "table2", "figS2", "tableS3")
OF_ALL = {"render/manifest", "render/site"}  # what is written anew with any of the results
RENDERS = {f"render/{artifact}" for artifact in DRAWN} | OF_ALL
METRICS = ("frechet", "inception_score", "class_shares")
SAMPLES = ("cifar10.best", "cifar10.last")
FROM_SAMPLES = (  # what follows from a change of the samples
    {f"{kind}/{name}" for kind in ("sample", "features") for name in SAMPLES}
    | {f"metric/{name}.{metric}" for name in SAMPLES for metric in METRICS}
    | {"render/table2", "render/figS2"}
    | OF_ALL
)
WATCHED = {"ascent/cifar10_trajectory"}  # of Fig. S2's animation
FROM_TRAINING = FROM_SAMPLES | WATCHED | {"train/cifar10", "render/tableS3"}
EVERYTHING = "everything"  # that the plan of the row's configuration has


KEPT, FETCHED = (f"church_outdoor_{part}_lmdb.zip" for part in ("train", "val"))  # DVC keeps the first alone


@dataclass(frozen=True)
class Row:
    """One change to a checkout in which everything was run at scale demo."""

    runs: set[str] | str  # "kind/name" of the steps that may run, and must; or EVERYTHING
    config: tuple[str, ...] = ()  # of --config
    edits: dict[str, tuple[str, str]] = field(default_factory=dict)  # file -> (what stands there, what then does)
    revision: dict[str, int] = field(default_factory=dict)  # what the edits make of it

    def steps(self, folder: Path) -> set[str]:
        return everything(folder, self.config) if isinstance(self.runs, str) else self.runs


def everything(folder: Path, config: tuple[str, ...] = ()) -> set[str]:
    """All steps and renderings of the plan that a checkout has under --config."""
    plan = Plan(load(folder, config)[0])
    fetched = {f"fetch/{file}" for file in archives_of(plan)}
    return {f"{step.kind}/{step.name}" for step in plan.steps.values()} | fetched | RENDERS


def archives_of(plan: Plan) -> set[str]:
    """The files of data/archives/ that a plan's steps read."""
    return {file for step in plan.steps.values() for file in step.archives}


def asked_for(folder: Path, config: tuple[str, ...] = ()) -> set[str]:
    """The steps and renderings that a checkout lacks under --config, as plan and files tell; nothing is run."""
    plan = Plan(load(folder, config)[0])
    missing = [step for step in plan.steps.values() if not all((folder / file).exists() for file in step.files)]
    fetched = {path.name for step in missing for path in step.missing_archives(folder / ARCHIVES)}
    return (
        {f"{step.kind}/{step.name}" for step in missing}
        | {f"fetch/{file}" for file in fetched}
        | {f"render/{name}" for name in stale(plan, folder)}
    )


def renders(steps: set[str]) -> set[str]:
    return {name for name in steps if name.startswith("render/")}


DEMO = "workflow/scales/demo.yaml"
ROWS = {
    "nothing": Row(set()),
    "scale": Row(EVERYTHING, config=("scale=paper",)),
    "training key": Row(FROM_TRAINING, edits={DEMO: ("    r1: 0\n", "    r1: 0.02\n")}),
    "training key that the scale overrides": Row(
        {"render/table2", "render/figS2"} | OF_ALL, edits={"config.yaml": ("r1: 0.01", "r1: 0.02")}
    ),
    "training key by --config, over both": Row(FROM_TRAINING, config=('runs={"cifar10":{"r1":0.5}}',)),
    "sampler key": Row(
        FROM_SAMPLES,
        edits={DEMO: ("cifar10: { steps: selected, ", "cifar10: { steps: 7, ")},
    ),
    "settings of a run that none of these is drawn from": Row(
        {"render/tableS3"} | OF_ALL,
        edits={DEMO: ("epochs_per_K: 0.32,", "epochs_per_K: 0.33,")},
    ),
    "metric key": Row(
        {f"metric/{name}.inception_score" for name in (*SAMPLES, "fashion_held_out", "photographs_test")}
        | {"render/table2"}
        | OF_ALL,
        edits={"config.yaml": ("  splits: 10", "  splits: 5")},
    ),
    "notebook": Row({"render/fig1"} | OF_ALL, edits={"notebooks/fig1.ipynb": ("what binary", "What binary")}),
    "drawing code": Row(
        {"render/table2"} | OF_ALL, edits={"src/atebm/report/generation.py": ('"""Draw', '"""Now draw')}
    ),
    "code of all tables, and of pages": Row(
        RENDERS,
        edits={"src/atebm/utils/markdown.py": ("def plain", "# a comment\ndef plain")},
    ),
    "the sentence of an error": Row(set(), edits={"src/atebm/utils/files.py": ("there is no", "there is really no")}),
    "published numbers": Row({"render/table2"} | OF_ALL, edits={"data/published/table2.csv": ("9.10", "9.11")}),
    "the overview's template": Row({"render/site"}, edits={"src/atebm/publish/index.html.j2": ("<h1", "<h1 ")}),
    "the template of artifacts' pages": Row(RENDERS, edits={"src/atebm/publish/artifact.html.j2": ("<h1", "<h1 ")}),
    "revision of sample": Row(
        FROM_SAMPLES,
        edits={"src/atebm/pipeline/kinds.py": ('S4)",\n            revision=2', 'S4)",\n            revision=30')},
        revision={"sample": 30},  # of more letters: of equal age and size, Python would take what it compiled before
    ),
    "seed": Row(
        FROM_SAMPLES | WATCHED | {"train/cifar10", "toy/relu", "toy/tanh", "render/fig1"},
        config=("seed=3",),
    ),
    "shards and device": Row(set(), config=("shards=3", "device=cpu")),
}


def undisturbed(folder: Path) -> None:
    pass


def without_memory(folder: Path) -> None:
    shutil.rmtree(folder / ".snakemake", ignore_errors=True)


def shuffled(folder: Path) -> None:
    """Every file gets an age of its own, at random, as clones and pulls leave them; and no memory."""
    without_memory(folder)
    ages = random.Random(0)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and ".git" not in path.parts:
            os.utime(path, (age := 1_600_000_000 + ages.randrange(10**8), age))


# By every variant: nothing, what is computed, what is only drawn, another plan.
OBEYED = ("nothing", "training key", "notebook", "scale")
VARIANTS: dict[str, Callable[[Path], None]] = {
    "living tree": undisturbed,
    "no memory, shuffled mtimes": shuffled,
    "clone and dvc pull": undisturbed,
}


@pytest.fixture(scope="module", autouse=True)
def few_artifacts() -> Iterator[None]:
    """Plans that are made here have those artifacts that the checkout has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "ARTIFACTS", {name: ARTIFACTS[name] for name in DRAWN})
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A checkout with dummy steps, in a folder with a space in its name, in which everything was run."""
    folder = checkout(tmp_path_factory.mktemp("scenarios") / "the base")
    shutil.copy(Path(__file__).with_name("dummy_cli.py"), folder / "src/atebm/cli/app.py")
    with (folder / "src/atebm/pipeline/artifacts.py").open("a") as file:
        file.write(f"\n\nARTIFACTS = {{name: ARTIFACTS[name] for name in {DRAWN}}}\n")
    assert run(folder) == everything(folder)
    return folder


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request, base) -> tuple[Path, Callable[[Path], None]]:
    """A checkout in which everything was run, and what happens to it before each further run."""
    folder = base.parent / request.param
    if request.param == "clone and dvc pull":
        shutil.copytree(request.getfixturevalue("clone"), folder)
    else:
        shutil.copytree(base, folder)
    return folder, VARIANTS[request.param]


@pytest.fixture(scope="module")
def origin(base, tmp_path_factory) -> Path:
    """The base as a git repository, after `dvc repro` and two fetches, with all that DVC keeps pushed to a remote."""
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    folder = base.parent / "origin"
    shutil.copytree(base, folder)
    shell(folder, "git init --quiet --initial-branch main")
    shell(folder, "dvc remote add --default storage ../remote")
    assert "Running stage 'report'" in dvc(folder, "repro")
    for name in (KEPT, FETCHED):  # nobody documents a checksum of these
        with zipfile.ZipFile(tmp_path_factory.getbasetemp() / name, "w") as archive:
            archive.writestr(f"{Path(name).stem}/data.mdb", name * 1000)
        fetch(name, given=tmp_path_factory.getbasetemp() / name, folder=folder / ARCHIVES)
    (folder / ARCHIVES / f"{KEPT}.dvc").unlink()  # the recipe of docs/howto/archives.md
    dvc(folder, "add", f"{ARCHIVES}/{KEPT}")
    shell(folder, "git add --all")
    shell(folder, "git -c user.name=Test -c user.email=test@example.org commit --quiet --message all")
    dvc(folder, "push")
    return folder


@pytest.fixture(scope="module")
def clone(origin) -> Path:
    """A git clone of the origin on which only `dvc pull` was run."""
    shell(origin.parent, "git clone --quiet origin clone")
    dvc(origin.parent / "clone", "pull")
    return origin.parent / "clone"


@pytest.fixture(scope="module", autouse=True)
def unserved() -> Iterator[None]:
    """Jobs are in the process group of their workflow, which some of them kill."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(SERVER)
        yield


def shell(folder: Path, command: str) -> str:
    finished = conftest.run(folder, *command.split(), RAN=str(folder / "ran.log"))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def dvc(folder: Path, *arguments: str) -> str:
    return shell(folder, " ".join(("dvc", *arguments)))


def run(folder: Path, *config: str, **environment: str) -> set[str]:
    """Run the whole workflow; returns the names of the steps that ran. KILL kills it, see dummy_cli.py."""
    (folder / "ran.log").write_text("")
    arguments, log = (("--config", *config) if config else ()), str(folder / "ran.log")
    if environment:  # a process of its own, with its jobs in its group
        run = conftest.run(folder, "snakemake", "--cores", "2", *arguments, RAN=log, **environment)
    else:
        run = snakemake(folder, *arguments, RAN=log)
    assert run.returncode == (-9 if environment else 0), run.stdout + run.stderr
    ran = (folder / "ran.log").read_text().split("\n")[:-1]
    assert len(ran) == len(set(ran)), "a step ran twice"
    return set(ran)


def assert_fresh(folder: Path, config: tuple[str, ...]) -> None:
    """Every result shows the present plan and the values that its settings give, worked out here from settings."""
    plan = Plan(load(folder, config)[0])
    wanted = renderings(plan, folder)
    for artifact, steps in plan.artifacts.items():
        shown = canonical({"request": wanted[artifact], "values": {step.folder: expected(step) for step in steps}})
        for suffix in ARTIFACTS[artifact].suffixes:
            assert (folder / f"results/{artifact}.{suffix}").read_text() == shown, f"{artifact}.{suffix} is stale"


def expected(step: Step) -> str:
    parents = {role: expected(parent) for role, parent in step.parents.items()}
    return value_of(step.kind, step.settings, REVISION[step.kind], parents)


@contextmanager
def changed(folder: Path, row: Row) -> Iterator[None]:
    """The row's edits in a checkout, and what they make of this process's revisions, for the block."""
    originals = {name: (folder / name).read_text() for name in row.edits}
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, (old, new) in row.edits.items():
                assert originals[name].count(old), f"{old!r} does not stand in {name}"
                (folder / name).write_text(originals[name].replace(old, new, 1))
            for kind, revision in row.revision.items():
                patch.setitem(REVISION, kind, revision)
            yield
    finally:
        for name, text in originals.items():
            (folder / name).write_text(text)


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
def test_a_change_asks_for_exactly_the_steps_of_its_row(base, row):
    assert asked_for(base) == set(), "everything was run"
    with changed(base, row):
        assert asked_for(base, row.config) == row.steps(base)
    assert asked_for(base) == set(), "once it is undone"


@pytest.mark.parametrize("row", seldom(ROWS, often=OBEYED))
def test_scenario(variant, row):
    folder, disturb = variant
    with changed(folder, row):
        disturb(folder)
        steps = row.steps(folder)
        assert run(folder, *row.config) == steps
        assert_fresh(folder, row.config)
    disturb(folder)
    assert run(folder) == renders(steps)
    assert_fresh(folder, ())


@pytest.fixture(scope="module")
def at_paper_scale(base) -> Path:
    """A copy of the base in which everything was run at scale paper, too, and nothing remembers it."""
    folder = base.parent / "at paper scale"
    shutil.copytree(base, folder)
    assert run(folder, "scale=paper") == everything(folder, ("scale=paper",))
    without_memory(folder)
    return folder


def test_what_is_prepared_needs_no_archive(at_paper_scale):
    """As in a clone after `dvc pull`; the model has seen the archive, so nothing is made of it again."""
    folder, archives = at_paper_scale, at_paper_scale / "data/archives"
    shutil.rmtree(archives)
    assert run(folder, "scale=paper") == set()
    for kind in ("data", "features"):
        (lost,) = (folder / "work" / kind).glob("cifar10_test-*")
        shutil.rmtree(lost)
    shutil.rmtree(next((folder / "work/metric").glob("cifar10_test.to_cifar10.frechet-*")))
    ran = run(folder, "scale=paper")
    assert {"fetch/cifar-10-python.tar.gz", "data/cifar10_test", "metric/cifar10_test.to_cifar10.frechet"} < ran
    assert not {"data/cifar10", "train/cifar10"} & ran, "made again, though it was here, for its archive was not"
    assert [path.name for path in archives.iterdir()] == ["cifar-10-python.tar.gz"]


def test_archives_that_are_here_are_never_made_again(at_paper_scale):
    """Not even if all is: Snakemake would first delete them, and some took a registration and days."""
    folder, archives = at_paper_scale, at_paper_scale / "data/archives"
    used = archives_of(Plan(load(folder, ("scale=paper",))[0]))
    for file in used:
        (archives / file).write_text("mine")
    (folder / "ran.log").write_text("")
    forced = snakemake(folder, "--forceall", "models", "--config", "scale=paper", RAN=str(folder / "ran.log"))
    assert forced.returncode == 0, forced.stdout + forced.stderr
    assert "train/cifar10" in (folder / "ran.log").read_text() and "fetch" not in (folder / "ran.log").read_text()
    assert {path.name: path.read_text() for path in archives.iterdir()} == dict.fromkeys(used, "mine")


VICTIMS, MOMENTS = ("train/cifar10", "sample/cifar10.best", "render/table2"), ("before", "half", "after")
KILLS = [f"{victim} {moment}" for victim in VICTIMS for moment in MOMENTS]
ONCE = KILLS[::4]  # each victim, and each moment


@pytest.mark.parametrize(
    "moment", [pytest.param(kill, marks=() if kill in ONCE else pytest.mark.slow) for kill in KILLS]
)
def test_killed_there_it_goes_on_from_there(base, moment):
    """Nothing that was finished runs again, nothing unfinished is taken for finished, and no flag is needed."""
    folder, config = base.parent / "killed", (f"seed={100 + KILLS.index(moment)}",)
    if not folder.exists():
        shutil.copytree(base, folder)
    killed = run(folder, *config, KILL=moment)
    assert snakemake(folder, "--unlock").returncode == 0
    then = run(folder, *config)
    victim, when = moment.split()
    assert killed & then == set() and (victim in killed) == (when == "after") and killed | then == ROWS["seed"].runs
    assert_fresh(folder, config)


def test_what_failed_is_tried_again_only_where_it_goes_on_from_a_checkpoint(base):
    """A training that crashed; an error of anything else would come again."""
    folder, fails = base.parent / "failing", ("train/cifar10", "toy/relu")
    shutil.copytree(base, folder)
    for config, option in (("seed=200", ()), ("seed=201", ("--retries", "1"))):
        (folder / "ran.log").write_text("")
        environment = {"RAN": str(folder / "ran.log"), "FAIL": " ".join(fails)}
        failed = snakemake(folder, "--keep-going", *option, "--config", config, **environment)
        assert failed.returncode == 1
        ran = (folder / "ran.log").read_text().splitlines()
        assert [ran.count(step) for step in fails] == [2 if option else 3, 1]


def test_dvc_repro_again_skips_all_stages(origin):
    assert dvc(origin, "repro").count("didn't change, skipping") == 3


def test_a_clone_after_dvc_pull_is_complete(origin, clone):
    """DVC, Snakemake and the bytes agree that nothing is to be done."""
    stages = ("train", "evaluate", "report")
    assert "up to date" in dvc(clone, "status", *stages)
    assert dvc(clone, "repro").count("didn't change, skipping") == 3
    assert run(clone) == set()
    assert "up to date" in dvc(clone, "status", *stages)
    for part in ("results", "work/data", "work/train", "work/sample", "work/metric"):
        assert contents(clone / part) == contents(origin / part)


def test_an_archive_that_dvc_keeps_is_pulled_and_others_stay_away(origin, clone):
    """Of the archives in data/sources.yaml nearly all are nowhere here: the tests around this one had to bear that."""
    archives = [path.name for path in (clone / ARCHIVES).glob("[!.]*") if path.suffix != ".dvc"]
    assert archives == [KEPT] and (clone / ARCHIVES / KEPT).read_bytes() == (origin / ARCHIVES / KEPT).read_bytes()
    pointers = {path.name for path in (clone / ARCHIVES).glob("*.dvc")}
    assert {f"{KEPT}.dvc", f"{FETCHED}.dvc", "cifar-10-python.tar.gz.dvc"} <= pointers
    absent = {f"{ARCHIVES}/{name}" for name in pointers - {f"{KEPT}.dvc"}}
    assert json.loads(dvc(clone, "status", "--json")).keys() - {"plan"} == absent, "and plan, which is always changed"
    assert shell(clone, "git status --short -- data") == ""


def test_dvc_tells_an_archive_from_another(origin, clone):
    """The pointer that the first fetch wrote serves every clone."""
    name = f"{ARCHIVES}/{FETCHED}"
    try:
        shutil.copy(origin / name, clone / name)
        assert "up to date" in dvc(clone, "status", f"{name}.dvc")
        (clone / name).write_bytes(b"another")
        assert "modified" in dvc(clone, "status", f"{name}.dvc")
        assert "Everything is up to date." in dvc(clone, "pull")
        assert (clone / name).read_bytes() == b"another"
    finally:
        (clone / name).unlink()


def test_dvc_compares_numbers_and_curves(clone):
    """`dvc metrics diff` and `dvc plots` find what dvc.yaml declares; with real numbers, since dummies have none."""
    (clone / "results/metrics.json").write_text(json.dumps({"cifar10.best.seed0": {"frechet": 60.5}}))
    try:
        changes = json.loads(dvc(clone, "metrics", "diff", "--json"))["results/metrics.json"]
        assert changes == {"cifar10.best.seed0.frechet": {"old": None, "new": 60.5}}
    finally:
        shell(clone, "git checkout --quiet -- results/metrics.json")
    plots = json.loads(dvc(clone, "plots", "diff", "HEAD", "--json"))
    assert not plots.get("errors") and list(plots["data"]) == ["results/training/cifar10.0.csv"]
    (plot,) = plots["data"]["results/training/cifar10.0.csv"]
    points = [(point["rev"], point["auc"]) for point in plot["content"]["data"]["values"]]
    assert points == [("workspace", "0.9"), ("workspace", "0.8"), ("HEAD", "0.9"), ("HEAD", "0.8")]


@pytest.mark.slow
def test_an_s3_compatible_remote_serves_a_clone(origin, monkeypatch):
    """As a MinIO or Ceph store would, with the recipe of docs/howto/gpu.md; the server here is moto's."""
    server = pytest.importorskip("moto.server", reason="moto is not installed").ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in {
            "ACCESS_KEY_ID": "test",
            "SECRET_ACCESS_KEY": "test",
            "DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        requests.put(f"http://{host}:{port}/bucket", timeout=10).raise_for_status()
        shell(origin.parent, "git clone --quiet origin pushing")
        shell(origin.parent, "git clone --quiet origin pulling")
        dvc(origin.parent / "pushing", "pull")
        for clone in ("pushing", "pulling"):
            dvc(origin.parent / clone, "remote", "add", "--local", "--default", "s3", "s3://bucket/atebm")
            dvc(origin.parent / clone, "remote", "modify", "--local", "s3", "endpointurl", f"http://{host}:{port}")
        dvc(origin.parent / "pushing", "push")
        dvc(origin.parent / "pulling", "pull")
        for part in ("work", "data"):  # models and samples; archives
            assert contents(origin.parent / "pulling" / part) == contents(origin.parent / "pushing" / part)
        assert (origin.parent / "pulling" / ARCHIVES / KEPT).exists()
    finally:
        server.stop()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        (DEMO, "    r1: 0\n", "    r1: 0.03\n", {"train", "evaluate", "report"}),
        ("config.yaml", "splits: 10", "splits: 9", {"evaluate", "report"}),
        ("src/atebm/report/generation.py", '"""Draw', '"""Now draw', {"report"}),
        ("src/atebm/utils/errors.py", "class", "# a comment\nclass", set()),
        ("notebooks/fig1.ipynb", "what binary", "What binary", {"report"}),
    ],
)
def test_dvc_sees_what_changed(clone, file, old, new, stages):
    """By the lists of steps and renderings in work/plan/, which stage `plan` writes at each `dvc repro`."""
    text = (clone / file).read_text()
    (clone / file).write_text(text.replace(old, new, 1))
    try:
        shell(clone, "python -m atebm stages")
        status = json.loads(dvc(clone, "status", "--json", "train", "evaluate", "report"))
        changed = {stage for stage, changes in status.items() if any("changed deps" in change for change in changes)}
        assert changed == stages
    finally:
        (clone / file).write_text(text)
        shell(clone, "python -m atebm stages")
