"""Results are the same, bit by bit, in every run, for every number of threads, and for callers side by side."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from grafx.processors.core.backends import numba_rows
from grafx.processors.core.backends import threads as pool
from grafx.processors.core.biquad import biquad_cascade
from grafx.processors.core.convolution import convolve
from grafx.processors.core.recursion import ballistics, first_order, onepole
from grafx.processors.core.state_space import state_space

ROWS, LENGTH = 21, 700
DOUBLE = torch.float64
STABLE = torch.tensor([0, 0, 0, 2, 0, 0])
FUNCTIONS = {
    "onepole": lambda u, c: onepole(u, c[:, 0], c[:, 1]),
    "truncated onepole": lambda u, c: onepole(u, c[:, 0], taps=90),
    "first_order": lambda u, c: first_order(u, c[:, 0], c[:, 1]),
    "first_order of samples": lambda u, c: first_order(u, c[:, :1] * u.tanh()),
    "first_order of complex numbers": lambda u, c: torch.view_as_real(first_order(u, c[:, 0] * 1j)),
    "ballistics": lambda u, c: ballistics(u, c[:, 0], c[:, 1]),
    "biquad_cascade": lambda u, c: biquad_cascade(u, c.unflatten(1, (2, 6)) + STABLE)[0],
    "state_space": lambda u, c: state_space(u, c[:, :4].unflatten(1, (2, 2)) / 4, c[:, 4:6], c[:, 6:8], c[:, 8])[0],
    "convolve": lambda u, c: convolve(u[None], c[None].to(u.dtype)),
    "zero-phase convolve": lambda u, c: convolve(u[None], torch.cat([u, c], 1)[None].to(u.dtype), "zerophase"),
}


@pytest.fixture(params=["torch's threads", "new threads"])
def threads(request, monkeypatch):
    """Has rows shared out however few they are, and gives back the setting of torch."""
    if request.param == "new threads":
        monkeypatch.setattr(pool, "_pool", lambda: None)
    monkeypatch.setattr(numba_rows, "MIN_WORK_PER_THREAD", 1)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def results(function, u, c):
    """The output and the gradients."""
    leaves = u.clone().requires_grad_(), c.clone().requires_grad_()
    y = function(*leaves)
    return y.detach(), *torch.autograd.grad(y, leaves, y.detach().cos())


def identical(some, others):
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_every_number_of_threads(name, dtype, threads):
    u, c = torch.randn(ROWS, LENGTH, dtype=dtype), torch.rand(ROWS, 12, dtype=DOUBLE)
    torch.set_num_threads(1)
    expected = results(FUNCTIONS[name], u, c)
    for num_threads in (1, 2, 3, 8):
        torch.set_num_threads(num_threads)
        assert identical(results(FUNCTIONS[name], u, c), expected)


def test_long_sums_have_one_order():
    """Torch's own depend on the number of threads; kernels are given the threads that there were."""
    before, signal = torch.get_num_threads(), torch.randn(1_000_003)
    sums = set()
    try:
        for num_threads in (1, 2, 8):
            torch.set_num_threads(num_threads)
            with pool.sums_in_one_order(), pool.sums_in_one_order():
                sums.add(signal.sum().item())
                assert torch.get_num_threads() == 1 and pool.kernel_threads() == num_threads
            assert torch.get_num_threads() == pool.kernel_threads() == num_threads
    finally:
        torch.set_num_threads(before)
    assert len(sums) == 1


@pytest.mark.parametrize("num_threads", [1, 2])
def test_callers_side_by_side(threads, num_threads):
    """Different operators and signals at once, more of them than cores."""
    work = [
        (function, torch.randn(ROWS, LENGTH - i), torch.rand(ROWS, 12, dtype=DOUBLE))
        for i in range(4)
        for function in FUNCTIONS.values()
    ]
    torch.set_num_threads(num_threads)
    expected = [results(*each) for each in work]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda each: results(*each), work))
    assert all(r.isfinite().all() for each in expected for r in each)
    assert all(map(identical, together, expected))
