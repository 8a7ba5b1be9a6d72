"""Convolution in so small blocks that tiny signals have many, and short filters many parts."""

import itertools

import numpy as np
import pytest
import torch
from grafx.processors.core.convolution import _convolve, _correlate, convolve
from grafx.processors.core.convolution import _numba as _convolution_numba

TAPS = [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 40]
SAMPLES = [1, 3, 4, 5, 8, 9, 16, 33, 70]


@pytest.fixture(params=[4, 8, 32], autouse=True)
def n(request, monkeypatch):
    if _convolution_numba.plan(request.param, torch.float64) is None:
        pytest.skip("torch was built without transforms that kernels can call")
    monkeypatch.setattr(
        _convolution_numba, "cheapest_blocks", lambda samples, taps: _convolution_numba._blocks_of(request.param, taps)
    )
    return request.param


def convolved(x, h, delay):
    """y[n] = Σ h[m] x[n + delay − m] as a direct sum."""
    return np.convolve(x, h)[delay : delay + x.size]


def correlated(g, x, num_taps, delay):
    """h[m] = Σ g[n] x[n + delay − m] as a direct sum."""
    padded = np.pad(x, num_taps)
    return np.array([g @ padded[num_taps + delay - m :][: g.size] for m in range(num_taps)])


def test_there_are_parts(n):
    assert _convolution_numba.cheapest_blocks(70, n // 2) == (n, n // 2 + 1, 1)
    assert _convolution_numba.cheapest_blocks(70, n // 2 + 1) == (n, n // 2, 2)
    assert _convolution_numba.cheapest_blocks(70, 5 * n // 2).parts == 5
    assert _convolution_numba.cheapest_blocks(70, 5 * n // 2 + 1).parts == 6


@pytest.mark.parametrize("taps", TAPS)
@pytest.mark.parametrize("silence", [0, 20])
def test_all_boundaries(taps, silence, rng):
    for samples, delay in itertools.product(SAMPLES, sorted({0, taps // 2, taps - 1})):
        x, h = rng.standard_normal((1, 2, samples)), rng.standard_normal((3, 1, taps))
        x[..., :silence] = 0
        g = rng.standard_normal((3, 2, samples))
        y = _convolve(torch.from_numpy(x), torch.from_numpy(h), delay)
        gh = _correlate(torch.from_numpy(g), torch.from_numpy(x), taps, delay)
        for b, c in np.ndindex(3, 2):
            np.testing.assert_allclose(y[b, c], convolved(x[0, c], h[b, 0], delay), rtol=0, atol=1e-13)
            np.testing.assert_allclose(gh[b, c], correlated(g[b, c], x[0, c], taps, delay), rtol=0, atol=1e-13)


def test_a_row_does_not_see_the_one_before(rng):
    x, h, g = (torch.from_numpy(rng.standard_normal((1, 8, length))) for length in (50, 21, 50))
    together = _convolve(x, h, 5), _correlate(g, x, 21, 5)
    for c in range(8):
        row = slice(c, c + 1)
        alone = _convolve(x[:, row], h[:, row], 5), _correlate(g[:, row], x[:, row], 21, 5)
        assert torch.equal(together[0][:, row], alone[0]) and torch.equal(together[1][:, row], alone[1])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("mode", ["causal", "zerophase"])
def test_a_bad_row_does_not_reach_the_others(value, mode, rng):
    x, h, g = (torch.from_numpy(rng.standard_normal((5, 2, length))) for length in (60, 37, 60))

    def results():
        leaves = x.clone().requires_grad_(), h.clone().requires_grad_()
        y = convolve(*leaves, mode)
        return y.detach(), *torch.autograd.grad(y, leaves, g)

    clean = results()
    x[1, 0, 30], h[2, 1, 20], g[3, 0, 7] = value, value, value
    bad = torch.zeros(5, 2, dtype=torch.bool)
    bad[[1, 2, 3], [0, 1, 0]] = True
    touched = torch.zeros_like(bad)
    for tensor, expected in zip(results(), clean, strict=True):
        assert torch.equal(tensor[~bad], expected[~bad])
        touched |= ~tensor.isfinite().all(-1)
    assert torch.equal(touched, bad)


def test_silence_before_a_bad_sample_stays_silent(rng):
    x, h = torch.zeros(1, 1, 200, dtype=torch.float64), torch.from_numpy(rng.standard_normal((1, 1, 40)))
    x[..., 150] = float("nan")
    y = convolve(x, h)
    assert (y[..., : 150 - 32] == 0).all()
    assert y[..., 150:190].isnan().all()
