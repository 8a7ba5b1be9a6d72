import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.feedback_delay import _numba as _feedback_delay_numba
from grafx.processors.core.feedback_delay import _torch as _feedback_delay_torch
from grafx.processors.core.feedback_delay import feedback_delay
from torch.autograd import gradcheck
from torch.library import opcheck

DOUBLE = torch.float64


def reference(x, times, feedback, limit):
    """Taps of one loop, sample by sample."""
    v, taps = [], []

    def at(n):
        return v[n] if n >= 0 else 0.0

    for n, time in enumerate(np.clip(np.asarray(times, float), 1, limit)):
        whole = int(time)
        part = time - whole
        taps.append((1 - part) * at(n - whole) + part * at(n - whole - 1))
        v.append(x[n] + feedback * taps[-1])
    return np.array(taps)


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def operands(rows=3, length=50, limit=9.5, varying=True):
    """Signals, times that are partly clipped, base, feedback and past."""
    kept = int(limit) + 1
    return (
        torch.randn(rows, length, dtype=DOUBLE),
        3 + 4 * torch.randn(rows, length if varying else 1, dtype=DOUBLE),
        torch.rand(rows, dtype=DOUBLE),
        torch.rand(rows, dtype=DOUBLE) * 1.8 - 0.9,
        torch.randn(rows, kept, dtype=DOUBLE),
    )


@pytest.mark.parametrize("dtype, limit", [(torch.float32, 1e-5), (DOUBLE, 1e-12)])
@pytest.mark.parametrize("longest", [1.0, 1.5, 9.5, 300.0])
@pytest.mark.parametrize("varying", [True, False])
def test_taps_are_those_of_the_loop(dtype, limit, longest, varying):
    x, times, base, feedback, _ = operands(limit=longest, varying=varying)
    y, _ = feedback_delay(x.to(dtype), times, feedback, longest, base=base, scale=1.3)
    assert y.dtype == dtype
    for r in range(3):
        moments = (base[r] + 1.3 * times[r]).expand(50)
        expected = reference(x[r].to(dtype).double(), moments, feedback[r].item(), longest)
        np.testing.assert_allclose(y[r], expected, rtol=0, atol=limit * np.abs(expected).max())


def test_leading_axes_broadcast():
    x, times = torch.randn(2, 3, 20, dtype=DOUBLE), 4 + torch.randn(2, 1, 20, dtype=DOUBLE)
    feedback = torch.tensor([[0.5], [-0.3]], dtype=DOUBLE)
    y, past = feedback_delay(x, times, feedback, 8)
    assert y.shape == (2, 3, 20) and past.shape == (2, 3, 9)
    for b, c in np.ndindex(2, 3):
        np.testing.assert_allclose(y[b, c], reference(x[b, c], times[b, 0], feedback[b].item(), 8), atol=1e-12)


@pytest.mark.parametrize("rows, length", [(3, 50), (1, 1), (2, 0), (0, 5)])
@pytest.mark.parametrize("varying", [True, False])
def test_plain_torch_gives_the_same(rows, length, varying):
    x, times, base, feedback, past = operands(rows, length, varying=varying)
    arguments = x, times, base, feedback, past, 9.5, 1.1
    compiled = _feedback_delay_numba.feedback_delay(*arguments)
    plain = _feedback_delay_torch.feedback_delay(*arguments)
    grads = torch.randn(rows, length, dtype=DOUBLE), torch.randn(rows, 10, dtype=DOUBLE)
    back = *grads, x, times, base, feedback, past, compiled[0], 9.5, 1.1
    compiled += tuple(_feedback_delay_numba.feedback_delay_backward(*back))
    plain += tuple(_feedback_delay_torch.feedback_delay_backward(*back))
    for a, b in zip(compiled, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("varying", [True, False])
def test_gradients(varying):
    x, times, base, feedback, past = (t.requires_grad_() for t in operands(2, 20, varying=varying))
    assert gradcheck(
        lambda *t: feedback_delay(t[0], t[1], t[3], 9.5, t[4], t[2], 1.1), (x, times, base, feedback, past)
    )


def test_what_torch_asks_of_operators():
    for rows, length in ((2, 9), (2, 0), (0, 4)):
        operator = torch.ops.grafx.feedback_delay.default
        leaves = [t.requires_grad_() for t in operands(rows, length)]
        opcheck(operator, (*leaves, 9.5, 1.0))


def test_blocks_in_a_row_give_the_whole():
    x, times, base, feedback, _ = operands(2, 100)
    whole, end = feedback_delay(x, times, feedback, 9.5, base=base)
    past, parts = None, []
    for block, moments in zip(x.split([0, 1, 30, 69], -1), times.split([0, 1, 30, 69], -1), strict=True):
        part, past = feedback_delay(block, moments, feedback, 9.5, past, base)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, -1), whole, rtol=0, atol=0)
    torch.testing.assert_close(past, end)


def test_it_stays_bounded_however_the_time_moves():
    x, times = torch.rand(4, 20000, dtype=DOUBLE) * 2 - 1, 200 * torch.rand(4, 20000, dtype=DOUBLE)
    y, _ = feedback_delay(x, times, torch.tensor([0.98, -0.98, 0.5, 0.0], dtype=DOUBLE), 150)
    assert (y.abs().amax(1) <= torch.tensor([50, 50, 2, 1]) + 1e-9).all()


def test_times_that_are_no_numbers_do_no_harm():
    x, times = torch.ones(1, 5), torch.tensor([[torch.nan, torch.inf, -torch.inf, 1e30, 2.0]])
    y, _ = feedback_delay(x, times, torch.tensor([0.5]), 3.0)
    assert y.isfinite().all()
    torch.testing.assert_close(_feedback_delay_torch.feedback_delay(
        x, times, torch.zeros(1).double(), torch.full((1,), 0.5).double(), torch.zeros(1, 4).double(), 3.0, 1.0
    )[0], y)  # fmt: skip


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": torch.zeros(1, 5).half()}, "x must be float32 or float64, not torch.float16"),
        ({"max_delay": 0.9}, "max_delay of a loop must be at least one sample, not 0.9"),
        ({"times": torch.ones(1, 4)}, r"times must be of shape \(\.\.\., 1 or 5\) for x \(1, 5\), not \(1, 4\)"),
    ],
)
def test_refusals(change, message):
    arguments = {"x": torch.zeros(1, 5), "times": torch.ones(1, 1), "feedback": torch.zeros(1), "max_delay": 3.0}
    with pytest.raises(ParameterError, match=message):
        feedback_delay(**(arguments | change))
