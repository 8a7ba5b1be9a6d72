import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.ramp import _numba as _ramp_numba
from grafx.processors.core.ramp import _torch as _ramp_torch
from grafx.processors.core.ramp import linear_ramp
from torch.autograd import gradcheck

DOUBLE = torch.float64
ROWS = 4
DURATIONS = {
    "whole": torch.full((ROWS, 1), 7.0, dtype=DOUBLE),
    "of rows": torch.tensor([[2.5], [0.3], [-4.0], [60.0]], dtype=DOUBLE),
    "of samples": None,
}


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def starts(length, share):
    """For each sample, the first one of the stretch that it belongs to."""
    moves = torch.rand(ROWS, length) < share
    return torch.where(moves, torch.arange(length), 0).cummax(1).values


def steps(length, share, dtype=DOUBLE):
    """Targets that stay where they are for a while."""
    return torch.randn(ROWS, length, dtype=dtype).gather(1, starts(length, share))


def states():
    state = torch.randn(ROWS, 4, dtype=DOUBLE)
    state[:, 3] = torch.tensor([0.0, 0.4, 5.0, 9.3])
    return state


def durations(name, length):
    return 20 * torch.rand(ROWS, length, dtype=DOUBLE) - 2 if DURATIONS[name] is None else DURATIONS[name]


def loop(targets, durations, state):
    """Sample by sample, one row after the other."""
    y, final = np.empty(targets.shape), state.copy()
    for row, x in enumerate(targets.astype(float)):
        value, target, increment, remaining = state[row]
        for n, d in enumerate(np.broadcast_to(durations[row], x.shape)):
            if remaining <= 0.5 or abs(x[n] - target) > 1e-12:
                remaining = max(d, 1.0)
                target, increment = x[n], (x[n] - value) / remaining
            else:
                remaining -= 1
            value += increment
            if remaining <= 1:
                value, remaining = target, 0.0
            y[row, n] = value
        final[row] = value, target, increment, remaining
    return y, final


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("length", [0, 1, 2, 3, 300])
@pytest.mark.parametrize("share", [0.03, 0.4, 1.0])
def test_is_the_loop_over_samples(share, length, name, dtype):
    x, d, state = steps(length, share, dtype), durations(name, length).to(dtype), states()
    y, final = linear_ramp(x, d, state)
    assert y.dtype == dtype and final.dtype == DOUBLE
    for result, expected in zip((y, final), loop(x.numpy(), d.numpy(), state.numpy()), strict=True):
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-13)


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("share", [0.03, 0.4, 1.0])
@pytest.mark.parametrize("length", [0, 1, 200])
def test_is_the_same_in_plain_torch(length, share, name):
    given = steps(length, share), durations(name, length), states()
    results, expected = _ramp_torch.ramp(*given), _ramp_numba.ramp(*given)
    torch.testing.assert_close(results, expected)
    grads = torch.randn(ROWS, length, dtype=DOUBLE), torch.randn(ROWS, 4, dtype=DOUBLE)
    saved = *given, expected[0], expected[2]
    torch.testing.assert_close(
        _ramp_torch.ramp_backward(*grads, *saved), _ramp_numba.ramp_backward(*grads, *saved), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_gradients(share, name):
    """Targets that are equal move together, for a difference between them would start another ramp.

    A duration is no whole number, where the number of steps changes.
    """
    index, levels = starts(40, share), torch.randn(ROWS, 40, dtype=DOUBLE)
    arguments = [t.requires_grad_() for t in (levels, durations(name, 40) + 0.37, states())]
    assert gradcheck(lambda levels, d, state: linear_ramp(levels.gather(1, index), d, state), arguments)


def test_gradients_of_single_precision_are_those_of_double():
    x, d, state = steps(500, 0.2), durations("of samples", 500), states()
    grads = []
    for dtype in (torch.float32, DOUBLE):
        leaves = [t.detach().to(dtype).requires_grad_() for t in (x.float(), d.float(), state)]
        y, final = linear_ramp(*leaves)
        weights = torch.linspace(-1, 1, 500, dtype=dtype)
        grads.append(torch.autograd.grad((y * weights).sum() + final.sum(), leaves))
    for single, double in zip(*grads, strict=True):
        assert single.dtype == torch.float32
        assert (single - double).norm() < 1e-6 * double.norm()


def test_lands_on_targets_and_stays():
    x = torch.tensor([[1.0] * 6 + [-0.3] * 6], dtype=DOUBLE)
    y, final = linear_ramp(x, torch.tensor([[4.0]], dtype=DOUBLE), torch.zeros(1, 4, dtype=DOUBLE))
    expected = [0.25, 0.5, 0.75, 1, 1, 1, 0.675, 0.35, 0.025, -0.3, -0.3, -0.3]
    np.testing.assert_allclose(y[0], expected, atol=1e-15)
    assert torch.equal(y[0, [3, 4, 5, 9, 10, 11]], x[0, [3, 4, 5, 9, 10, 11]])
    # A new ramp from the target to itself began 2 samples ago.
    assert final[0].tolist() == [-0.3, -0.3, 0.0, 3.0]


def test_a_drift_below_the_threshold_is_noticed_when_it_adds_up():
    x = torch.arange(40, dtype=DOUBLE)[None] * 3e-13
    y, _ = linear_ramp(x, torch.full((1, 1), 1e9, dtype=DOUBLE), torch.tensor([[0.0, 0.0, 0.0, 1e9]], dtype=DOUBLE))
    assert (y[0, :4] == 0).all() and (y[0, 4:] > 0).all()  # 4 · 3e-13 is the first one above 1e-12


@pytest.mark.parametrize("cuts", [[1] * 90, [0, 30, 0, 1, 59, 0]])
def test_blocks_carry_on_from_the_state(cuts):
    x, d, state = steps(90, 0.1), durations("of samples", 90), states()
    whole, final = linear_ramp(x, d, state)
    pieces = []
    for part, of in zip(x.split(cuts, 1), d.split(cuts, 1), strict=True):
        y, state = linear_ramp(part, of, state)
        pieces.append(y)
    assert torch.equal(torch.cat(pieces, 1), whole) and torch.equal(state, final)


def test_extreme_durations_and_broken_targets_come_to_an_end():
    x = torch.tensor([[1.0, 1.0, 1.0, float("nan"), 1.0, 1.0, 1.0, 1.0, 1.0]], dtype=DOUBLE)
    state = torch.zeros(1, 4, dtype=DOUBLE)
    y, _ = linear_ramp(x, torch.full((1, 1), 2.0, dtype=DOUBLE), state)
    assert y[0, :2].tolist() == [0.5, 1.0]
    d = torch.tensor([[float("inf")]], dtype=DOUBLE, requires_grad=True)
    y, _ = linear_ramp(x[:, :3], d, state)
    assert not y.any() and torch.autograd.grad(y.sum(), d)[0].item() == 0


def test_refuses_what_does_not_fit():
    x, d, state = torch.randn(2, 5), torch.ones(2, 1), torch.zeros(2, 4)
    with pytest.raises(ParameterError, match=r"float32 or float64, not torch\.int64"):
        linear_ramp(x.long(), d, state)
    for wrong, message in [
        ((x, torch.ones(2, 4), state), r"duration must be of shape \(\.\.\., 5 or 1\)"),
        ((x, d, torch.zeros(2, 3)), r"state must be of shape \(\.\.\., 4\)"),
        ((x, d, torch.zeros(3, 4)), r"state \(3, 4\) do not broadcast"),
        ((x, d[0, 0], state), r"duration must be of shape \(\.\.\., 5 or 1\)"),
    ]:
        with pytest.raises(ParameterError, match=message):
            linear_ramp(*wrong)
