"""The command line as a whole: help, JSON, exit codes, and `doctor` where there is nothing."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from conftest import REPOSITORY, checkout, planned, run, write_specs
from typer.testing import CliRunner

from atebm.cli.app import app
from atebm.cli.verbs import GROUPS
from atebm.config.origins import leaves
from atebm.pipeline.artifacts import ARTIFACTS


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group below `atebm`, with its words."""

    def below(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
        for name, child in getattr(command, "commands", {}).items():
            yield (*words, name), child
            yield from below(child, (*words, name))

    return below(typer.main.get_command(app), ())


COMMANDS = dict(commands())


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def atebm(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "atebm", *arguments, PYTHONPATH=f"{REPOSITORY}/src")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_an_example_that_it_understands(words):
    command = COMMANDS[words]
    assert command.help and len(command.help.split()) > 3
    assert command.epilog.startswith("Example: atebm "), "no example"
    example = shlex.split(command.epilog.removeprefix("Example: atebm "))
    assert command.hidden or invoke(*words, "--help").exit_code == 0
    if not hasattr(command, "commands"):
        assert tuple(example[: len(words)]) == words
        known = {option for parameter in command.params for option in parameter.opts}
        if words != ("warm",):  # whose arguments are another command's
            assert {word for word in example if re.match("--?[a-z]", word, re.IGNORECASE)} <= known | {"-f"}
        for parameter in command.params:
            assert parameter.help, f"{parameter.name} says nothing"


def test_the_help_shows_every_group_and_the_exit_codes():
    shown = invoke("--help").stdout
    assert [group for group in GROUPS if f"\n{group}:\n" not in shown] == []
    plumbing = {words[0] for words, command in COMMANDS.items() if command.hidden}
    listed = set(re.findall(r"^  ([a-z][a-z-]*)  ", shown, re.MULTILINE))
    assert {"step", "render", "docs"} <= plumbing and not plumbing & listed
    assert listed == {words[0] for words in COMMANDS} - plumbing
    assert "Exit codes: 0 success" in shown and "--install-completion" in shown


def test_the_help_is_there_at_once():
    """Nothing heavy is imported for it."""
    code = "import sys; from atebm.cli.app import app\ntry: app(['--help'])\nfinally: print(*sys.modules)"
    shown = run(REPOSITORY, sys.executable, "-c", code, PYTHONPATH=f"{REPOSITORY}/src").stdout
    loaded = {module.partition(".")[0] for module in shown.splitlines()[-1].split()}
    assert "typer" in loaded and not loaded & {
        "rich",
        "torch",
        "numpy",
        "pandas",
        "PIL",
        "yaml",
        "pydantic",
        "snakemake",
    }


def test_the_version_is_the_packages():
    assert invoke("--version").stdout == f"atebm {metadata.version('atebm')}\n"


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """A checkout in which nothing was computed, at scale smoke."""
    folder = checkout(tmp_path_factory.mktemp("bare"))
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("scale: demo", "scale: smoke", 1))
    return folder


def both(folder: Path, monkeypatch, *arguments: str) -> tuple[Any, str]:
    """What a command says as JSON, and as lines."""
    monkeypatch.chdir(folder)
    as_json, as_lines = invoke(*arguments, "--json"), invoke(*arguments)
    assert as_json.exit_code == as_lines.exit_code, as_json.output
    return json.loads(as_json.stdout), as_lines.stdout


def test_status_as_json_and_as_lines(bare, monkeypatch):
    found, text = both(bare, monkeypatch, "status")
    todo = both(bare, monkeypatch, "status", "--todo")[1]
    ids = {f"{kind}/{id}" for kind, id in planned("smoke").steps}
    assert {row["step"] for row in found["steps"]} == ids == set(re.findall(r"^to do +(\S+)$", todo, re.MULTILINE))
    assert {row["state"] for row in found["steps"]} == {"to do"}
    assert {row["state"] for row in found["about_all"]} == {"to draw"}
    sums = (
        f"smoke scale: 0 of {len(ids)} steps done, 0 of {len(found['artifacts'])} artifacts drawn from the present plan"
    )
    assert text.splitlines()[0] == todo.splitlines()[0] == sums
    assert text.splitlines()[1].startswith("next: `snakemake --cores all` draws ")
    counts = re.findall(r"^  (\w+) +0 +0 +(\d+)$", text, re.MULTILINE)
    assert sum(int(number) for _, number in counts) == len(ids) and len(text.splitlines()) < 90


def test_lists_as_json_and_as_lines(bare, monkeypatch):
    found, text = both(bare, monkeypatch, "status", "artifacts", "runs", "sets", "scales")
    assert {row["artifact"]: row["title"] for row in found["artifacts"]} == {
        name: planned("smoke").title(name) for name in ARTIFACTS
    }
    assert {row["run"] for row in found["runs"]} == set(planned("smoke").config.runs)
    (fashion,) = (row for row in found["sets"] if row["set"] == "fashion")
    assert fashion["images"] == 800 and fashion["size"] == 8 and fashion["state"] == "to do"
    assert [row["scale"] for row in found["scales"] if row["configured"]] == ["smoke"]
    for kind, key in (("artifacts", "artifact"), ("runs", "run"), ("sets", "set"), ("scales", "scale")):
        shown = re.search(rf"^{kind}:\n((?:  .*\n)+)", text, re.MULTILINE)
        assert shown and [line.split()[0] for line in shown[1].splitlines()] == [row[key] for row in found[kind]]
    assert set(both(bare, monkeypatch, "status", "runs")[0]) == {"scale", "runs"}


def test_explain_as_json_and_as_lines(bare, monkeypatch):
    found, text = both(bare, monkeypatch, "explain", "table2")
    behind = {f"{s.kind}/{s.id}" for step in planned("smoke").artifacts["table2"] for s in step.ancestry()}
    assert {row["step"] for row in found["steps"]} == behind
    assert all(f"{step}  (not computed yet): " in text for step in behind)
    (train,) = (row for row in found["steps"] if row["step"].startswith("train/cifar10-"))
    (step_size,) = (row for row in train["settings"] if row["key"] == "step_size")
    line = int(step_size["origin"].removeprefix("workflow/scales/smoke.yaml:"))
    assert "step_size: 0.5" in (bare / "workflow/scales/smoke.yaml").read_text().splitlines()[line - 1]
    assert found["artifact"]["file"] in text and found["artifact"]["state"] == "to draw"


def test_verify_and_prune_as_json_and_as_lines(bare, monkeypatch):
    left = bare / "work/train/gone-0123abcd"
    left.mkdir(parents=True)
    (left / "log.csv").write_text("12345")
    found, text = both(bare, monkeypatch, "prune")
    assert found == {"steps": [{"step": "train/gone-0123abcd", "bytes": 5}], "bytes": 5, "removed": False}
    assert text.splitlines() == [
        "   5 bytes  train/gone-0123abcd",
        "Not used by any plan: 1 step (5 bytes); --yes removes them.",
    ]
    found, text = both(bare, monkeypatch, "verify")
    assert [row["kind"] for row in found["findings"]] == ["missing"] and found["checked"] == 5
    assert f"\nmissing  {found['findings'][0]['what']}\n" in text and "files checked: 1 finding." in text
    assert atebm(bare, "verify").returncode == 1, "a finding"
    assert json.loads(atebm(bare, "prune", "--yes", "--json").stdout)["removed"] and not left.exists()
    assert atebm(bare, "verify").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["status", "sets", "scales"], 0, ""),
        (["status", "fonts"], 2, "'fonts' is not one of 'artifacts', 'runs', 'sets', 'scales'"),
        (["explain", "tabel2"], 1, "error: the plan of the smoke scale has no 'tabel2'; did you mean table2"),
        (["score", "config.yaml", "--run", "cifar11"], 1, "error: there is no run 'cifar11'; did you mean cifar10"),
        (["config", "runs.cifr10"], 1, "error: the configuration has no 'runs.cifr10'; did you mean runs.cifar10"),
        (["apply", "sample"], 1, "error: name image files or folders, or use --count 64"),
        (["step", "work/specs/train/none.json"], 2, "does not exist"),
        (
            ["train", "work/specs/train/none.json"],
            2,
            "there is no command `train`: to train on your images, use `atebm own`",
        ),
        (["sample", "--count", "3"], 2, "there is no command `sample`: to generate images, use `atebm apply sample`"),
        (["gather", "x", "y"], 2, "use `atebm join SPEC SHARDS`"),
        (["scor"], 2, "No such command 'scor'. Did you mean 'score'"),
        (["status", "--jsn"], 2, "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_exit_codes(bare, arguments, code, said):
    finished = atebm(bare, *arguments)
    assert finished.returncode == code and said in finished.stderr, finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["explain", "tabel2"], 1, "did you mean table2"),
        (["score", "nowhere.png"], 2, "does not exist"),
        (["status", "--jsn"], 2, "No such option"),
    ],
)
def test_errors_are_json_where_json_is_asked_for(bare, arguments, code, said):
    finished = atebm(bare, *arguments, "--json")
    found = json.loads(finished.stdout)
    assert finished.returncode == found["exit_code"] == code and said in found["error"] and finished.stderr == ""


def test_flags_have_no_metavars_and_every_verb_that_finds_something_has_json():
    shown = {words: command for words, command in COMMANDS.items() if not command.hidden}
    wants = {words for words, command in shown.items() if not hasattr(command, "commands")} - {("warm",)}
    assert {words for words in wants if not any("--json" in one.opts for one in shown[words].params)} == set()
    said = invoke("status", "-h").stdout
    assert re.search(r"^  --json +Print JSON", said, re.MULTILINE) and "-h, --help" in said


def test_the_composed_configuration_is_yaml_with_origins_and_the_papers_values(bare, monkeypatch):
    """Every value reads as what the configuration has."""
    found, text = both(bare, monkeypatch, "config")
    rows = {row["key"]: row for row in found["values"]}
    assert dict(leaves(yaml.safe_load(text))) == {tuple(row["path"]): row["value"] for row in found["values"]}
    step_size = rows["runs.cifar10.step_size"]
    assert step_size["value"] == 0.5 and step_size["paper"] == 0.1 and step_size["differs"]
    assert re.fullmatch(r"workflow/scales/smoke.yaml:\d+", step_size["origin"])
    assert rows["runs.cifar10.eps"]["origin"].startswith("config.yaml:") and not rows["runs.cifar10.eps"]["differs"]
    transfer = rows["detection.cifar10.transfer"]  # no file of this scale says it
    assert (transfer["value"], transfer["origin"], transfer["paper"]) == (True, "default", False)
    only = both(bare, monkeypatch, "config", "runs.cifar10", "--different", "-C", "runs={cifar10: {r1: 7}}")[0]
    assert {row["key"] for row in only["values"]} >= {"runs.cifar10.step_size", "runs.cifar10.r1"}
    assert all(row["differs"] and row["key"].startswith("runs.cifar10.") for row in only["values"])
    (r1,) = (row for row in only["values"] if row["key"] == "runs.cifar10.r1")
    assert r1["value"] == 7 and r1["origin"] == "--config"


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("toy", ["--workers=2"], "a step of kind toy does not take --workers. Its options: none."),
        ("data", ["--device=cpu"], "a step of kind data does not take --device. Its options: --workers."),
        ("pretrain", ["--tensorboard=here"], "does not take --tensorboard. Its options: --device, --micro-batch."),
        ("train", ["--shard=0-of-1"], "does not take --shard. Its options: --device, --tensorboard, --micro-batch."),
        ("sample", ["--shard=0-of-1"], "is computed in shards: name the shard and its file"),
        ("attack", ["--shard=1-of-1", "--out=shard.npz"], "'1-of-1' is not a shard"),
    ],
)
def test_a_step_takes_the_options_of_its_kind(tmp_path, kind, arguments, said):
    (spec,) = islice((step for (of, _), step in planned("smoke").known.items() if of == kind), 1)
    write_specs(tmp_path, spec)
    refused = invoke("step", str(tmp_path / spec.spec_file), *arguments)
    assert refused.exit_code == 2 and said in re.sub(r"[\s│]+", " ", refused.stderr), refused.stderr
    assert not (tmp_path / spec.folder).exists()


def test_what_the_environment_says_of_all_steps_need_not_fit_each(tmp_path, monkeypatch):
    monkeypatch.setenv("ATEBM_DEVICE", "cuda:99")
    monkeypatch.setenv("ATEBM_TENSORBOARD", "work/tensorboard")
    network = planned("smoke").network(3)
    write_specs(tmp_path, network)
    made = invoke("step", str(tmp_path / network.spec_file))
    assert made.exit_code == 0 and (tmp_path / network.record).exists(), made.output


def test_names_are_completed(bare, monkeypatch):
    monkeypatch.chdir(bare)
    (bare / "workflow/scales/broken.yaml").write_text("a: [")
    try:
        for words, offered in (
            ("atebm score --run cifar10_o", "cifar10_ood"),
            ("atebm explain tableS", "tableS8"),
            ("atebm status -C scale=f", "scale=fashion"),
            ("atebm fetch cifar100", "cifar100"),
            ("atebm status s", "scales"),
            ("atebm score --fit c", "crop"),
            ("atebm own --size 25", "256"),
            ("atebm apply sample --device c", "cpu"),
            ("atebm config runs.cifar10_o", "runs.cifar10_ood"),
            ("atebm import-weights --task c", "celebahq256"),
        ):
            environment = {"_ATEBM_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
            shown = CliRunner().invoke(app, [], env=environment, prog_name="atebm").stdout.split()
            assert offered in shown and all(word.startswith(words.split()[-1]) for word in shown), shown
        monkeypatch.chdir(bare / "data")
        assert CliRunner().invoke(app, [], env=environment | {"COMP_WORDS": "atebm score --run c"}, prog_name="atebm")
    finally:
        (bare / "workflow/scales/broken.yaml").unlink()


# --- doctor -------------------------------------------------------------------------------------------------------


def doctor(folder: Path, *arguments: str, path: str = f"{REPOSITORY}/src") -> subprocess.CompletedProcess[str]:
    """On a machine with nothing on PATH."""
    command = [sys.executable, "-m", "atebm", "doctor", *arguments]
    environment = {"PATH": "", "PYTHONPATH": path}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_doctor_on_a_bare_machine_speaks_in_sentences(tmp_path, bare):
    found = doctor(tmp_path)
    assert found.returncode == 0 and found.stderr == ""
    checks = [line for line in found.stdout.splitlines() if line][:-1]
    assert {line.split()[0] for line in checks if line[0] != " "} <= {"ok", "-", "\u2713"}
    for line, below in zip(checks, [*checks[1:], ""], strict=True):  # a remedy below each dash, and below nothing else
        assert line.startswith("-") == below.startswith("    "), (line, below)
    said = ("not a checkout", "- git is not", "- snakemake is not", "computes on cpu", "Everything that is required")
    assert [words for words in said if words not in found.stdout] == []
    in_checkout = doctor(bare)
    assert in_checkout.returncode == 0 and "public archives are not in data/archives/" in in_checkout.stdout
    assert len(in_checkout.stdout.splitlines()) <= 24, "a short list"
    assert "Traceback" not in in_checkout.stderr, "Snakemake may say that it finds no shell"


def test_doctor_names_what_is_missing(tmp_path):
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.12: cannot open shared object file')")
    found = doctor(tmp_path, path=f"{tmp_path}{os.pathsep}{REPOSITORY}/src")
    assert found.returncode == 1 and "Traceback" not in found.stderr
    cross, below = found.stdout.splitlines()[:2]
    assert cross.split()[0] in ("!!", "\u2717") and "PyTorch cannot be loaded" in cross and "install it again" in below
    assert found.stdout.splitlines()[-1] == "Missing requirements: 1."


def test_doctor_says_what_each_scale_needs(bare):
    """Beside the plan's own numbers."""
    found = json.loads(atebm(bare, "doctor", "--scales", "--json").stdout)
    rows = {row["scale"]: row for row in found["scales"]}
    assert set(rows) == {"board", "demo", "fashion", "paper", "released", "smoke", "weekend"}
    assert found["missing"] == [] and rows["released"]["hours"] < 3 < rows["weekend"]["hours"] < 55
    assert rows["smoke"]["steps"] == len(planned("smoke").steps) and rows["smoke"]["fetch"] == []
    assert "cifar-10-python.tar.gz" in rows["paper"]["fetch"] and rows["paper"]["fetch_gb"] > 100
    expected = json.loads((REPOSITORY / "data/expected/paper_h100.json").read_text())["total"]
    assert rows["paper"]["hours"] == expected["hours"]
    assert rows["paper"]["work_gb"] == pytest.approx(expected["gigabytes"], rel=1e-3)
    assert found["machine"]["cores"] >= 1 and found["devices"][-1]["device"] == "cpu"
