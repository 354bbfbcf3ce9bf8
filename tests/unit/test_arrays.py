"""Arrays in files, part by part, against numpy's whole ones."""

import io
from zipfile import ZipFile

import numpy as np
import pytest

from atebm.evaluation.frechet import BLOCK, Gaussian
from atebm.utils import npy
from atebm.utils.npy import Rows


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_file_that_is_written_in_parts_is_numpys_own(dtype):
    whole = np.arange(120).reshape(10, 3, 4).astype(dtype)
    expected, file = io.BytesIO(), io.BytesIO()
    np.save(expected, whole)
    npy.begin_npy(file, dtype, whole.shape)
    for part in (whole[:4], whole[4:4], whole[:, ::-1][4:, ::-1]):
        npy.append(file, part)
    assert file.getvalue() == expected.getvalue()


def test_archives_are_joined_in_order(tmp_path):
    parts = [np.arange(8.0).reshape(4, 2), np.empty((0, 2)), np.arange(8.0, 14.0).reshape(3, 2)]
    paths = [tmp_path / f"{number}.npz" for number in range(3)]
    for path, part in zip(paths, parts, strict=True):
        with ZipFile(path, "w") as archive:
            npy.add_arrays(archive, {"other": np.zeros(1), "rows": part})
        with np.load(path, allow_pickle=False) as written:
            assert np.array_equal(written["rows"], part)
    with (tmp_path / "whole.npy").open("wb") as file:
        npy.join(file, paths, "rows")
    assert np.array_equal(np.load(tmp_path / "whole.npy"), np.concatenate(parts))


@pytest.fixture
def features(tmp_path) -> np.ndarray:
    made = np.random.default_rng(0).standard_normal((2 * BLOCK + 5, 6)).astype(np.float32)
    np.save(tmp_path / "features.npy", made)
    return made


def test_rows_are_those_of_the_file(features, tmp_path):
    rows, first = Rows.of(tmp_path / "features.npy", 101), features[:101]
    assert len(rows) == 101 and rows.shape == (101, 6)
    assert np.array_equal(rows[:], first) and np.array_equal(rows[90:500], first[90:])
    assert np.array_equal(rows.first(7)[:], first[:7]) and len(rows.first(1000)) == 101
    for part, expected in zip(rows.split(4), np.array_split(first, 4), strict=True):
        assert np.array_equal(part[:], expected) and np.array_equal(part.first(3)[1:], expected[1:3])


def test_a_gaussian_of_rows_in_a_file_is_that_of_the_array_to_the_bit(features, tmp_path):
    of_file, of_array = Gaussian.of(Rows.of(tmp_path / "features.npy")), Gaussian.of(features)
    assert np.array_equal(of_file.mean, features.mean(axis=0, dtype=np.float64))
    assert np.array_equal(of_file.covariance, of_array.covariance)
    np.testing.assert_allclose(of_file.covariance, np.cov(features.T.astype(np.float64)), rtol=1e-10, atol=1e-12)
