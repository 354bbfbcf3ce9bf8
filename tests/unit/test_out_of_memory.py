"""Batches that do not fit into memory, which a stand-in for a GPU's allocator decides."""

import numpy as np
import pytest
import torch

from atebm.device.out_of_memory import work_in_halves
from atebm.utils.errors import ResultError


@pytest.fixture(autouse=True)
def nothing_failed_yet(monkeypatch):
    monkeypatch.setattr("atebm.device.out_of_memory.TOO_MANY", {})


def work_in(memory: int, sizes: list[int]):
    """What gives rows and their squares, of at most so many rows at once."""

    def work(rows: slice) -> list[np.ndarray]:
        sizes.append(rows.stop - rows.start)
        if sizes[-1] > memory:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        numbers = np.arange(rows.start, rows.stop)
        return [numbers, numbers**2]

    return work


@pytest.mark.parametrize(("memory", "tried"), [(9, [9]), (5, [9, 4, 5]), (2, [9, 4, 2, 2, 2, 3, 1, 2])])
def test_what_does_not_fit_is_halved_until_it_does(memory, tried, capsys):
    sizes: list[int] = []
    numbers, squares = work_in_halves("some", work_in(memory, sizes), slice(3, 12))
    assert numbers.tolist() == list(range(3, 12)) and squares.tolist() == [n**2 for n in range(3, 12)]
    assert sizes == tried
    warned = [line for line in capsys.readouterr().out.splitlines() if "does not fit" in line]
    assert len(warned) == (memory < 9), "said once"


def test_what_did_not_fit_is_not_tried_again_with_work_of_its_kind():
    sizes: list[int] = []
    for kind in ("some", "some", "other"):
        sizes.append(0)
        rows, _ = work_in_halves(kind, work_in(5, sizes), slice(0, 12))
        assert rows.tolist() == list(range(12))
    assert sizes == [0, 12, 6, 3, 3, 3, 3, 0, 3, 3, 3, 3, 0, 12, 6, 3, 3, 3, 3]


def test_tensors_are_joined_as_tensors():
    def work(rows: slice) -> list[torch.Tensor]:
        if rows.stop - rows.start > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [torch.full((1, 2), float(rows.start))]

    (joined,) = work_in_halves("some", work, slice(0, 3))
    assert torch.equal(joined, torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))


def test_one_image_that_does_not_fit_is_a_sentence():
    with pytest.raises(ResultError, match=r"not even one image fits into this GPU's memory.*CUDA out of memory"):
        work_in_halves("some", work_in(0, []), slice(0, 4))


def test_other_errors_are_not_taken_for_want_of_memory():
    with pytest.raises(RuntimeError, match="a mistake"):
        work_in_halves("some", lambda rows: (_ for _ in ()).throw(RuntimeError("a mistake")), slice(0, 4))
