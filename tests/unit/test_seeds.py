"""What tests draw is the same in every run: of a test alone, beside others, and on another machine."""

import ast
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import REPOSITORY, seed

OF_THE_SYSTEM = {"default_rng", "SeedSequence", "RandomState", "Random"}  # without an argument, seeded by the system


def drawn() -> list[float]:
    """A number of each global generator."""
    return [random.random(), np.random.random(), torch.rand(()).item()]  # noqa: NPY002


@pytest.fixture(scope="module")
def of_the_module() -> list[float]:
    return drawn()


@pytest.fixture
def of_a_test() -> list[float]:
    return drawn()


def test_a_test_draws_what_its_name_says(request):
    here = drawn()
    seed(request.node.nodeid)
    assert drawn() == here


def test_a_fixture_draws_what_its_name_says(of_the_module, of_a_test, request):
    seed(f"{request.node.parent.nodeid}::of_the_module")
    assert drawn() == of_the_module
    seed(f"{request.node.nodeid}::of_a_test")
    assert drawn() == of_a_test


def unseeded(path: Path) -> list[str]:
    """Where a file makes a generator without a seed: nothing else can seed that one."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    made = {call: getattr(call.func, "attr", getattr(call.func, "id", "")) for call in calls}
    bare = [call for call, name in made.items() if name in OF_THE_SYSTEM and not call.args and not call.keywords]
    return [f"{path.name}:{call.lineno}" for call in bare]


def test_no_generator_of_the_tests_is_seeded_by_the_system():
    assert [place for path in (REPOSITORY / "tests").rglob("*.py") for place in unseeded(path)] == []
