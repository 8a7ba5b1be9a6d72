import math

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.ladder import _ladder, saturating_ladder
from grafx.processors.core.ladder import _numba as _ladder_numba
from grafx.processors.core.ladder import _torch as _ladder_torch
from scipy.optimize import brentq
from torch.autograd import gradcheck

DOUBLE = torch.float64
LAST = torch.tensor([0.0, 0, 0, 0, 1])


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def arguments(rows, length, level=3.0):
    """Signals, coefficients of the operator, and states."""
    c = torch.cat([torch.rand(rows, 1), 4.4 * torch.rand(rows, 1), torch.randn(rows, 5)], 1).double()
    return level * torch.randn(rows, length, dtype=DOUBLE), c, torch.randn(rows, 4, dtype=DOUBLE)


def sample_by_sample(x, g, k, mix, s):
    """Stages that integrate g / (1 − g) times (input − output) by the trapezoidal rule, in a loop that is searched."""
    step, y = g / (1 - g), []
    for x_n in x:

        def taps(v, s=s):
            outputs = [math.tanh(v)]
            for s_i in s:
                outputs.append((step * outputs[-1] + s_i) / (1 + step))
            return outputs

        v = brentq(lambda v, x_n=x_n: v + k * taps(v)[4] - x_n, -1e3, 1e3, xtol=1e-14)
        found = taps(v)
        s = [2 * y_i - s_i for y_i, s_i in zip(found[1:], s, strict=True)]
        y.append(np.dot(mix.numpy(), found))
    return np.array(y), s


def test_is_a_loop_of_stages_that_is_solved_for_each_sample():
    x, c, state = arguments(9, 60, 10.0)
    y, final = saturating_ladder(x, c[:, 0], c[:, 1], c[:, 2:], state)
    for r in range(9):
        expected, states = sample_by_sample(x[r].tolist(), c[r, 0].item(), c[r, 1].item(), c[r, 2:], state[r].tolist())
        np.testing.assert_allclose(y[r], expected, atol=1e-11)
        np.testing.assert_allclose(final[r], states, atol=1e-11)


def test_without_feedback_the_first_tap_is_the_hyperbolic_tangent_to_the_last_digits():
    x = torch.tensor([0.0, 1e-12, 1e-5, 0.01, 0.3, 1, 4, 18, 19.9, 20.1, 1e3, 1e30]).double()
    y, _ = saturating_ladder(torch.cat([x, -x]), torch.tensor(0.5), torch.tensor(0.0), LAST.flip(0))
    torch.testing.assert_close(y, torch.cat([x, -x]).tanh(), rtol=1e-15, atol=0)


@pytest.mark.parametrize("cut", [0, 1, 255, 256, 600])
def test_blocks_carry_on_from_the_state(cut):
    x, g, k = torch.randn(2, 600), torch.tensor([0.1, 0.6]), torch.tensor([4.2, 1.0])
    whole, last = saturating_ladder(x, g, k, LAST)
    head, state = saturating_ladder(x[:, :cut], g, k, LAST)
    tail, final = saturating_ladder(x[:, cut:], g, k, LAST, state)
    torch.testing.assert_close(torch.cat([head, tail], 1), whole)
    torch.testing.assert_close(final, last)


@pytest.mark.parametrize("length", [0, 1, 13])
def test_gradients(length):
    args = [t.requires_grad_() for t in arguments(3, length)]
    assert gradcheck(lambda *args: _ladder(*args, 256)[:2], args)


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_gradients_where_the_backward_pass_starts_from_kept_states(chunk):
    args = [t.requires_grad_() for t in arguments(9, 20)]
    assert gradcheck(lambda *args: _ladder(*args, chunk)[:2], args, fast_mode=True)


@pytest.mark.parametrize("length", [0, 1, 60])
def test_plain_torch_agrees(length):
    args, grad = (*arguments(9, length), 16), torch.randn(9, length, dtype=DOUBLE)
    output = _ladder_numba.ladder(*args)
    torch.testing.assert_close(_ladder_torch.ladder(*args), output)
    args = grad, torch.randn(9, 4, dtype=DOUBLE), *args[:2], output[2], 16
    torch.testing.assert_close(_ladder_torch.ladder_backward(*args), _ladder_numba.ladder_backward(*args))


def test_a_bad_row_does_not_reach_the_others():
    x = torch.randn(8, 300)
    x[3, 150] = float("nan")
    x.requires_grad_()
    y, _ = saturating_ladder(x, torch.tensor(0.3), torch.tensor(3.0), LAST)
    for tensor in (y, *torch.autograd.grad(y.square().sum(), x)):
        assert tensor[[0, 1, 2, 4, 5, 6, 7]].isfinite().all()
        assert not tensor[3].isfinite().all()


def test_leading_axes_broadcast():
    x, g, k = torch.randn(2, 3, 40), torch.rand(2, 1), torch.rand(3)
    y, final = saturating_ladder(x, g, k, LAST)
    assert y.shape == (2, 3, 40) and final.shape == (2, 3, 4)
    torch.testing.assert_close(y[1, 2], saturating_ladder(x[1, 2], g[1, 0], k[2], LAST)[0])
    assert saturating_ladder(x[:0], g[:0], k, LAST)[0].shape == (0, 3, 40)


def test_what_does_not_fit_is_refused_by_name():
    x, g = torch.randn(2, 10), torch.tensor(0.5)
    with pytest.raises(ParameterError, match=r"not torch\.float16"):
        saturating_ladder(x.half(), g, g, LAST)
    with pytest.raises(ParameterError, match=r"mix must be of shape \(\.\.\., 5\) for x \(2, 10\), .* not \(4,\)"):
        saturating_ladder(x, g, g, LAST[:4])
    with pytest.raises(ParameterError, match=r"cutoff \(3,\)"):
        saturating_ladder(x, torch.zeros(3), g, LAST)
