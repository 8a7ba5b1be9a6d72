import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.comb import _numba as _comb_numba
from grafx.processors.core.comb import _torch as _comb_torch
from grafx.processors.core.comb import comb_filter
from scipy.signal import lfilter
from torch.autograd import gradcheck

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def loops(rows, taps=3):
    """Filters whose gain is below 1 at all frequencies, and what is mixed."""
    b = 0.9 * torch.nn.functional.normalize(torch.randn(rows, taps, dtype=DOUBLE), 1, -1)
    a = torch.cat([torch.ones(rows, 1), 0.1 * torch.randn(rows, taps - 1)], 1).double()
    return b * (1 - a[:, 1:].abs().sum(1, keepdim=True)), 2 * a, torch.randn(rows, 3, dtype=DOUBLE)


def in_scipy(x, delay, b, a, mix):
    """c₀ v + c₁ z⁻ᵐ v + c₂ (b/a) z⁻ᵐ v, where v = x a / (a − z⁻ᵐ b)."""
    late = np.zeros(delay)
    denominator = np.pad(a, (0, delay + len(b) - len(a))) - np.concatenate([late, b])
    v = lfilter(a, denominator, x)
    u = lfilter([*late, 1], [1], v)
    return mix[0] * v + mix[1] * u + mix[2] * lfilter(b, a, u)


@pytest.mark.parametrize("length", [1, 2, 300])
@pytest.mark.parametrize("taps", [1, 2, 3])
def test_is_a_long_filter_of_scipy(taps, length):
    x, delays, (b, a, mix) = torch.randn(4, length, dtype=DOUBLE), torch.tensor([1, 2, 50, 400]), loops(4, taps)
    y, _ = comb_filter(x, delays, b, a, mix)
    for r in range(4):
        expected = in_scipy(x[r].numpy(), delays[r].item(), *(t[r].numpy() for t in (b, a, mix)))
        np.testing.assert_allclose(y[r], expected, atol=1e-12)


def test_it_is_a_plain_feedback_comb_by_default():
    y, _ = comb_filter(torch.eye(1, 10), torch.tensor(3), torch.tensor([0.5]))
    torch.testing.assert_close(y, torch.tensor([[1, 0, 0, 0.5, 0, 0, 0.25, 0, 0, 0.125]]))


def test_with_a_gain_it_is_an_allpass_filter():
    y, _ = comb_filter(
        torch.eye(1, 4096, dtype=DOUBLE), torch.tensor(7), torch.tensor([-0.6]), mix=torch.tensor([0.6, 1, 0])
    )
    torch.testing.assert_close(torch.fft.rfft(y).abs(), torch.ones(1, 2049, dtype=DOUBLE))


@pytest.mark.parametrize("cut", [0, 1, 6, 100, 200])
def test_blocks_carry_on_from_the_state(cut):
    x, delays, loop = torch.randn(2, 200), torch.tensor([3, 60]), loops(2)
    whole, (past, inner) = comb_filter(x, delays, *loop)
    head, state = comb_filter(x[:, :cut], delays, *loop)
    tail, final = comb_filter(x[:, cut:], delays, *loop, state=state)
    assert past.shape == (2, 60) and inner.shape == (2, 2)
    torch.testing.assert_close(torch.cat([head, tail], 1), whole)
    torch.testing.assert_close(final, (past, inner))


def test_delays_may_become_longer_within_what_is_kept():
    x, b = torch.randn(1, 100, dtype=DOUBLE), torch.tensor([0.5])
    _, state = comb_filter(x, torch.tensor(5), b, max_delay=40)
    y, _ = comb_filter(x, torch.tensor(40), b, max_delay=40, state=state)
    v = lfilter([1], [1, *[0] * 4, -0.5], x[0])
    np.testing.assert_allclose(y[0, :40], x[0, :40].numpy() + 0.5 * v[60:])


def test_leading_axes_broadcast():
    x, delays, (b, a, mix) = torch.randn(2, 1, 50), torch.tensor([2, 3, 9]), loops(3)
    y, (past, inner) = comb_filter(x, delays, b, a, mix[0])
    assert y.shape == (2, 3, 50) and past.shape == (2, 3, 9) and inner.shape == (2, 3, 2)
    torch.testing.assert_close(y[1, 2], comb_filter(x[1, 0], delays[2], b[2], a[2], mix[0])[0])
    assert comb_filter(x[:0], delays, b)[0].shape == (0, 3, 50)


@pytest.mark.parametrize("length", [0, 1, 13])
@pytest.mark.parametrize("taps", [1, 3])
def test_gradients(taps, length):
    delays, state = torch.tensor([1, 6, 20]), (torch.randn(3, 20, dtype=DOUBLE), torch.randn(3, 2, dtype=DOUBLE))
    args = [t.requires_grad_() for t in (torch.randn(3, length, dtype=DOUBLE), *loops(3, taps), *state)]

    def run(x, b, a, mix, *state):
        y, after = comb_filter(x, delays, b, a, mix, state=state)
        return y, *after

    assert gradcheck(run, args)


@pytest.mark.parametrize("length", [0, 1, 60])
@pytest.mark.parametrize("delays", [(1, 2, 9), (20, 50, 70)])
def test_plain_torch_agrees(delays, length):
    x, grad = torch.randn(2, 3, length, dtype=DOUBLE)
    b, a, mix = loops(3)
    coefficients = torch.cat([b / 2, a[:, 1:] / 2, mix], 1)
    args = x, torch.tensor(delays), coefficients, torch.randn(3, 70, dtype=DOUBLE), torch.randn(3, 2, dtype=DOUBLE)
    y, line, final = _comb_numba.comb(*args)
    torch.testing.assert_close(_comb_torch.comb(*args), (y, line, final))
    args = grad, torch.randn_like(line), torch.randn_like(final), *args[:3], line
    torch.testing.assert_close(_comb_torch.comb_backward(*args), _comb_numba.comb_backward(*args))


def test_a_bad_row_does_not_reach_the_others():
    x, delays = torch.randn(3, 100), torch.tensor([5, 6, 7])
    x[1, 50] = float("nan")
    y, _ = comb_filter(x, delays, torch.tensor([0.5]))
    assert y[[0, 2]].isfinite().all() and y[1, 50::6].isnan().all()


def test_decays_to_silence_rather_than_to_subnormal_numbers():
    x = torch.zeros(1, 5000)
    x[:, 0] = 1e-30
    for b, a in (([0.5], [1.0]), ([0.4, 0.1], [1.0, -0.1])):
        y, (past, inner) = comb_filter(x, torch.tensor(3), torch.tensor(b), torch.tensor(a))
        assert (y[0, 4000:] == 0).all() and (past == 0).all() and (inner == 0).all()


def test_what_does_not_fit_is_refused_by_name():
    x, b = torch.randn(2, 10), torch.tensor([0.5])
    with pytest.raises(ParameterError, match=r"not torch\.float16"):
        comb_filter(x.half(), torch.tensor(3), b)
    with pytest.raises(ParameterError, match="must be integers"):
        comb_filter(x, torch.tensor(3.0), b)
    with pytest.raises(ParameterError, match="from 1 to 3 samples, but reach from 0 to 3"):
        comb_filter(x, torch.tensor([0, 3]), b)
    with pytest.raises(ParameterError, match="from 1 to 2 samples, but reach from 3 to 3"):
        comb_filter(x, torch.tensor(3), b, max_delay=2)
    with pytest.raises(ParameterError, match=r"b is \(4,\)"):
        comb_filter(x, torch.tensor(3), torch.ones(4))
    with pytest.raises(ParameterError, match=r"delays \(3,\) do not broadcast with those of x \(2, 10\)"):
        comb_filter(x, torch.tensor([3, 3, 3]), b)
