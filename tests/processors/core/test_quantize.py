import math

import numpy as np
import pytest
import torch
from grafx.processors.core.quantize import hold, quantize
from grafx.processors.core.streaming import block_by_block
from grafx.processors.errors import DerivativeError


def test_rounding(rng):
    x = torch.tensor(rng.normal(size=(2, 2, 50)))
    step = torch.tensor([0.25, 0.3], dtype=torch.float64)[:, None, None]
    y = quantize(x, step)
    torch.testing.assert_close(y[0], torch.floor(4 * x[0] + 0.5) / 4, rtol=0, atol=1e-15)
    assert ((y - x).abs() <= step / 2 + 1e-12).all()


def test_estimated_gradients_of_rounding(rng):
    x = torch.tensor(rng.normal(size=(1, 1, 20)), requires_grad=True)
    step = torch.full((1, 1, 1), 0.25, dtype=torch.float64, requires_grad=True)
    y, weights = quantize(x, step), torch.tensor(rng.normal(size=20))
    by_x, by_step = torch.autograd.grad((y * weights).sum(), (x, step))
    torch.testing.assert_close(by_x[0, 0], weights)
    torch.testing.assert_close(by_step.squeeze(), (weights * (y - x) / step).sum())


@pytest.mark.parametrize("duration", [1.0, 1.4, 2.0, 2.5, 3.0, math.pi, 17.3, 1e9])
def test_holding_is_the_formula(duration):
    x = torch.arange(1.0, 2001, dtype=torch.float64).expand(1, 2, -1)
    y = hold(x, torch.tensor([duration]))
    n = np.arange(2000)
    expected = np.ceil(np.floor(n / np.float32(duration) + 1e-9) * np.float64(np.float32(duration)) - 1e-6)
    np.testing.assert_array_equal(y[0, 1] - 1, expected)


def test_rows_hold_for_as_long_as_each_is_told(rng):
    x = torch.tensor(rng.normal(size=(2, 1, 9)))
    y = hold(x, torch.tensor([1.0, 3.0]))
    torch.testing.assert_close(y[0], x[0])
    torch.testing.assert_close(y[1, 0], x[1, 0, ::3].repeat_interleave(3))


@pytest.mark.parametrize("duration", [1.0, 1.7, 6.1])
def test_blocks_go_on_holding(duration, rng):
    x, durations = torch.tensor(rng.normal(size=(1, 1, 100))), torch.tensor([duration])
    state, blocks = None, []
    for block in x.split([0, 1, 1, 3, 0, 50, 45], -1):
        with block_by_block(state) as after:
            blocks.append(hold(block, durations))
        state = after()
    assert torch.equal(torch.cat(blocks, -1), hold(x, durations))


def test_gradients_of_holding(rng):
    """A ramp that is held for longer is later, by the part that has passed."""
    x = torch.arange(12.0).expand(1, 1, -1).clone().requires_grad_()
    duration = torch.tensor([4.0], requires_grad=True)
    y = hold(x, duration)
    by_x, by_duration = torch.autograd.grad(y.sum(), (x, duration))
    torch.testing.assert_close(by_x[0, 0], torch.tensor([4.0, 0, 0, 0] * 3))
    passed = sum((0, 0.25, 0.5, 0.75)) * 2  # of all but the first, before which nothing is known
    torch.testing.assert_close(by_duration, torch.tensor([-passed]))
    torch.testing.assert_close(y, hold(x.detach(), duration.detach()))


def test_holding_is_differentiated_once_and_in_reverse(rng):
    x = torch.tensor(rng.normal(size=(2, 1, 12)), requires_grad=True)
    duration = torch.tensor([4.3, 2.0], dtype=torch.double, requires_grad=True)
    by_x, by_duration = torch.autograd.grad(hold(x, duration).square().sum(), (x, duration), create_graph=True)
    for first in (by_x, by_duration):
        with pytest.raises(DerivativeError, match="hold cannot be differentiated again"):
            torch.autograd.grad(first.sum(), (x, duration), retain_graph=True)
    for function, value in ((lambda d: hold(x.detach(), d), duration), (lambda x: hold(x, duration.detach()), x)):
        with pytest.raises(DerivativeError, match="hold has no derivative in forward mode"):
            torch.func.jvp(function, (value.detach(),), (torch.ones_like(value),))


def test_one_duration_for_all_rows(rng):
    x, duration = torch.tensor(rng.normal(size=(3, 2, 12))), torch.tensor([4.3], dtype=torch.double)
    for_all, for_each = (duration.clone().requires_grad_() for _ in range(2))
    hold(x, for_all).square().sum().backward()
    hold(x, for_each.expand(3)).square().sum().backward()
    torch.testing.assert_close(for_all.grad, for_each.grad)
