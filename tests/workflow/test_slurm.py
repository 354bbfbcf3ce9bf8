"""The workflow through a real Slurm, which the tests start here: one node, no accounting, four GPUs by name only.

Wants root, since Slurm's daemons do, and Debian's slurm-wlm and munge; Slurm's own configuration is put in /etc/slurm,
for jobs have no other way to it, unless there is one already.
"""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import checkout, run

from atebm.cli.fork_server import SERVER

PROFILE = ("--workflow-profile", "workflow/profiles/slurm", "--config", "scale=smoke")
# A machine of two cores plays the cluster, and is asked for less than the profile's steps of the paper's scale take.
HERE = ("--slurm-status-command", "squeue", "--latency-wait", "5")
SOON = ("--seconds-between-status-checks", "2", "--slurm-init-seconds-before-status-checks", "2")  # not after 40 s
LESS = ("--default-resources", "mem_mb=500", "runtime=5", "--set-resources", "train:runtime=7", "train:cpus_per_task=2")
CONF = """# Written by the tests of atebm, process {process}.
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MinJobAge=300
KillWait=20
InactiveLimit=0
ReturnToService=2
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=1000 Gres=gpu:4 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
CONFIGURATION = Path("/etc/slurm/slurm.conf")
DAEMONS = (["runuser", "-u", "munge", "--", "munged", "--foreground"], ["slurmctld", "-D"], ["slurmd", "-D"])


def hindrance() -> str:
    """Return why no Slurm can be started here; nothing where one can."""
    path = f"{os.defpath}:/usr/sbin"
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(name, path=path)]
    if missing:
        return f"no {', '.join(missing)} here: apt-get install slurm-wlm munge"
    if os.geteuid() != 0:
        return "Slurm's daemons want root"
    if CONFIGURATION.exists() and not left_over(CONFIGURATION.read_text()):
        return f"this machine has a Slurm of its own, or of other tests that run: {CONFIGURATION}"
    return ""


def left_over(configuration: str) -> bool:
    """Return whether a slurm.conf is one that tests wrote which were killed since, and so did not remove it."""
    process = re.match(r"# Written by the tests of atebm, process (\d+)\.", configuration)
    if not process:
        return False
    try:
        return b"python" not in Path(f"/proc/{process[1]}/cmdline").read_bytes()  # or another has its number
    except FileNotFoundError:
        return True


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[None]:
    if reason := hindrance():
        pytest.skip(reason)
    folder, host = tmp_path_factory.mktemp("slurm"), socket.gethostname()
    for name in ("state", "spool"):
        (folder / name).mkdir()
    CONFIGURATION.parent.mkdir(exist_ok=True)
    CONFIGURATION.write_text(CONF.format(process=os.getpid(), host=host, folder=folder))
    devices = "".join(f"NodeName={host} Name=gpu File=/dev/{name}\n" for name in ("null", "zero", "full", "random"))
    (CONFIGURATION.parent / "gres.conf").write_text(devices)  # Slurm wants devices, and does nothing with them here
    Path("/run/munge").mkdir(exist_ok=True)
    shutil.chown("/run/munge", "munge")
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
    daemons = [
        subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *daemon],  # they end with these tests, though these be killed
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for daemon in DAEMONS
    ]  # fmt: skip
    try:
        wait_for(lambda: "idle" in run(folder, "sinfo", "--noheader", "-o", "%t").stdout, "the node is not idle", 60)
        yield
    finally:
        run(folder, "scancel", "--user", "root")
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()
        for name in ("slurm.conf", "gres.conf"):
            (CONFIGURATION.parent / name).unlink()


def wait_for(condition: Callable[[], bool], otherwise: str, seconds: float) -> None:
    for _ in range(int(5 * seconds)):
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError(otherwise)


def test_what_killed_tests_left_is_no_slurm_of_the_machine():
    gone = subprocess.Popen(["true"])
    gone.wait()
    with subprocess.Popen(["sleep", "60"]) as another:  # which has the number of tests that are gone
        numbers = (gone.pid, another.pid, os.getpid())
        ours = [left_over(CONF.format(process=number, host="here", folder="/tmp")) for number in numbers]
        another.kill()
    assert ours == [True, True, False]
    assert not left_over("# slurm.conf\nClusterName=cluster\n") and not left_over("")


@pytest.mark.slow
def test_an_artifact_is_made_by_slurm_jobs_to_the_same_bytes(slurm, computed, tmp_path):
    """All that it takes from the data and their extractor: features, training, sampling, rendering."""
    folder = checkout(tmp_path / "checkout")
    for kind in ("data", "extractor", "ascent"):  # whose jobs Slurm would get as it gets the others
        shutil.copytree(computed / "work" / kind, folder / "work" / kind)
    made = run(folder, "snakemake", "results/figS2.png", *PROFILE, *HERE, *SOON, *LESS)
    assert made.returncode == 0, made.stdout + made.stderr
    jobs = run(folder, "scontrol", "show", "jobs", "--oneliner").stdout.splitlines()
    assert len(jobs) > 5 and all("JobState=COMPLETED" in job for job in jobs)
    (training,) = [job for job in jobs if "rule_train" in job]
    assert "TimeLimit=00:07:00" in training and "NumCPUs=2" in training
    on_gpus = {rule for rule in ("train", "sample", "features", "metric") for job in jobs if asks(job, rule)}
    assert on_gpus == {"train", "sample", "features"}
    for name in ("results/figS2.csv", "results/figS2.png"):
        assert (folder / name).read_bytes() == (computed / name).read_bytes()
    for step in (folder / "work/train").glob("*/last.safetensors"):
        assert step.read_bytes() == (computed / step.relative_to(folder)).read_bytes()


def asks(job: str, rule: str) -> bool:
    """Whether a job is one of that rule, and was given a GPU."""
    return f"rule_{rule}_" in job and "TresPerJob=gres:gpu:1" in job


@pytest.mark.slow
@pytest.mark.parametrize("how", ["scancel", "time limit"])
def test_a_training_that_slurm_ends_is_retried_and_goes_on(slurm, computed, tmp_path, how, monkeypatch):
    """It gets SIGTERM and some seconds, saves, and the retry has the bytes of a run that nobody disturbed."""
    monkeypatch.delenv(SERVER)  # signals go to what Slurm has started
    folder = Path(shutil.copytree(computed, tmp_path / "checkout"))
    (spec,) = folder.glob("work/specs/train/cifar10-*.json")
    trained = folder / "work/train" / spec.stem
    wanted = {path.name: path.read_bytes() for path in trained.iterdir()}
    shutil.rmtree(trained)
    log = folder / f"logs/train/{spec.stem}.log"
    log.unlink(missing_ok=True)
    command = ["snakemake", f"work/train/{spec.stem}/run.json", *PROFILE, *HERE, *SOON, *LESS]
    workflow = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: log.exists() and "/40 after" in log.read_text(), "no training began", 300)
    job = run(folder, "squeue", "--noheader", "--states", "RUNNING", "-o", "%i").stdout.split()[0]
    if how == "scancel":
        run(folder, "scancel", job)
    else:
        run(folder, "scontrol", "update", f"JobId={job}", "EndTime=now")
    wait_for(lambda: list(folder.glob("work/checkpoints/train/*/state.pt")) != [], "nothing was saved", 120)
    output, _ = workflow.communicate(timeout=600)
    assert workflow.returncode == 0, output
    assert "Trying to restart job" in output
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == wanted
