"""A mistake in a file of the configuration is the same sentence by Snakemake as by atebm, before any work."""

import sys
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY, checkout, run, snakemake

FILE = "workflow/scales/mistaken.yaml"
TABLE = yaml.safe_load((REPOSITORY / "tests/unit/mistakes.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Path:
    """Return a checkout in which nothing was computed."""
    return checkout(tmp_path_factory.mktemp("mistaken") / "checkout")


@pytest.mark.parametrize("kind", TABLE)
def test_a_mistake_is_the_same_sentence_by_snakemake_as_by_atebm(fresh, kind):
    row = TABLE[kind][0]
    (fresh / FILE).write_text(row["whole"] if "whole" in row else f"like: smoke\n{row['write']}\n")
    for answer in (
        snakemake(fresh, "--dry-run", "--config", "scale=mistaken"),
        run(fresh, sys.executable, "-m", "atebm", "status", "-C", "scale=mistaken"),
    ):
        assert answer.returncode != 0
        assert f"error: {row['says']}\n" in answer.stderr.replace(FILE, "FILE")
        assert "Traceback" not in answer.stderr and "Job stats" not in answer.stdout + answer.stderr
    assert not (fresh / "work/specs").exists()
