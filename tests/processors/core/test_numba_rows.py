import subprocess
import sys

import numpy as np
import pytest
from grafx.processors.core.backends.numba_rows import kernel, put_samples, take_samples


def test_compiles_where_nothing_can_be_cached():
    namespace = {}
    exec("def double(x): return 2 * x", namespace)  # numba finds no place for the cache of what has no file
    assert kernel(namespace["double"])(21) == 42


def test_keeps_what_was_compiled():
    assert put_samples.stats.cache_path


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.bool_])
@pytest.mark.parametrize("first, last", [(0, 7), (2, 5), (9, 9)])
@pytest.mark.parametrize("start, stop", [(0, 0), (0, 3), (1, 17), (2, 26)])
def test_rows_side_by_side_and_back(dtype, first, last, start, stop):
    signals = np.random.default_rng(0).integers(0, 2, (10, 26)).astype(dtype)
    block = np.full((30, 8), 7.0)
    take_samples(signals, first, last, start, stop, block)
    rows = np.minimum(first + np.arange(8), last)
    np.testing.assert_array_equal(block[: stop - start], signals[rows, start:stop].T)
    assert (block[stop - start :] == 7).all()
    copy = np.zeros_like(signals)
    put_samples(block, first, last, start, stop, copy)
    expected = np.zeros_like(signals)
    expected[first : last + 1, start:stop] = signals[first : last + 1, start:stop]
    np.testing.assert_array_equal(copy, expected)


@pytest.mark.slow
def test_loading_numba_waits_for_the_first_recursion():
    code = "import sys, grafx.processors; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
