import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.allpass_chain import _numba as _allpass_chain_numba
from grafx.processors.core.allpass_chain import _torch as _allpass_chain_torch
from grafx.processors.core.allpass_chain import allpass_chain
from torch.autograd import gradcheck
from torch.library import opcheck

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def operands(rows=3, length=40, stages=4, varying=True):
    return (
        torch.randn(rows, length, dtype=DOUBLE),
        torch.tanh(torch.randn(rows, length if varying else 1, dtype=DOUBLE)),
        torch.rand(rows, dtype=DOUBLE) * 1.8 - 0.9,
        torch.randn(rows, stages, dtype=DOUBLE),
    )


def reference(x, c, feedback, state):
    """The loop as linear equations of each sample."""
    s, y, stages = state.numpy(), [], len(state)
    for n in range(len(x)):
        d = np.sqrt(1 - c[n] ** 2)
        # e_0 − g e_K = x, and e_k − c e_{k−1} = d s_k.
        matrix, right = np.eye(stages + 1), np.array([x[n], *(d * s)])
        matrix[0, -1] -= feedback
        matrix[range(1, stages + 1), range(stages)] -= c[n]
        e = np.linalg.solve(matrix, right)
        s = d * e[:-1] - c[n] * s
        y.append(e[-1])
    return np.array(y), s


@pytest.mark.parametrize("dtype, limit", [(torch.float32, 1e-5), (DOUBLE, 1e-11)])
@pytest.mark.parametrize("stages", [1, 2, 5])
@pytest.mark.parametrize("varying", [True, False])
def test_outputs_solve_the_loop(dtype, limit, stages, varying):
    x, c, feedback, state = operands(stages=stages, varying=varying)
    y, final = allpass_chain(x.to(dtype), c.to(dtype), feedback, stages, state)
    assert y.dtype == dtype and final.dtype == DOUBLE
    for r in range(3):
        moving = c[r].to(dtype).double().expand(40).numpy()
        expected, end = reference(x[r].numpy(), moving, feedback[r].item(), state[r])
        np.testing.assert_allclose(y[r], expected, rtol=0, atol=limit * np.abs(expected).max())
        np.testing.assert_allclose(final[r], end, rtol=0, atol=limit * np.abs(expected).max())


def test_a_chain_that_stands_still_is_that_of_scipy():
    x, c = torch.randn(2, 500, dtype=DOUBLE), torch.tensor([[-0.9], [0.6]], dtype=DOUBLE)
    y, _ = allpass_chain(x, c, torch.zeros(2), 3)
    for r in range(2):
        a, expected = c[r].item(), x[r].numpy()
        for _ in range(3):
            expected = scipy.signal.lfilter([a, 1], [1, a], expected)
        np.testing.assert_allclose(y[r], expected, atol=1e-12)


def test_energy_is_kept_however_the_coefficient_moves():
    x, c, _, state = operands(4, 3000, 6)
    y, final = allpass_chain(x, 0.9999 * torch.sign(c) * c.abs() ** 0.1, torch.zeros(4), 6, state)
    before = x.square().sum(1) + state.square().sum(1)
    torch.testing.assert_close(y.square().sum(1) + final.square().sum(1), before)


@pytest.mark.parametrize("feedback", [0.98, -0.98])
def test_a_loop_dies_away_however_the_coefficient_moves(feedback):
    x, c, _, state = operands(4, 30000, 4)
    y, _ = allpass_chain(0 * x, 0.95 * c, torch.full((4,), feedback), 4, state)
    assert (y[:, -1000:].abs().amax(1) < 1e-6).all()


@pytest.mark.parametrize("rows, length", [(3, 40), (1, 1), (2, 0), (0, 5)])
@pytest.mark.parametrize("varying", [True, False])
def test_plain_torch_gives_the_same(rows, length, varying):
    x, c, feedback, state = operands(rows, length, varying=varying)
    compiled = _allpass_chain_numba.allpass_chain(x, c, feedback, state)
    plain = _allpass_chain_torch.allpass_chain(x, c, feedback, state)
    grads = torch.randn(rows, length, dtype=DOUBLE), torch.randn(rows, 4, dtype=DOUBLE)
    back = *grads, c, feedback, *compiled
    compiled += tuple(_allpass_chain_numba.allpass_chain_backward(*back))
    plain += tuple(_allpass_chain_torch.allpass_chain_backward(*back))
    for a, b in zip(compiled, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("varying", [True, False])
@pytest.mark.parametrize("stages", [1, 4])
def test_gradients(stages, varying):
    leaves = tuple(t.requires_grad_() for t in operands(2, 20, stages, varying))
    assert gradcheck(lambda x, c, g, s: allpass_chain(x, c, g, stages, s), leaves)


def test_gradients_in_single_precision_are_those_in_double():
    """States are taken from a rounded output, a million turns back."""
    x, _, feedback, _ = operands(1, 200000)
    c = torch.tan(np.pi * (0.02 + 0.019 * torch.sin(torch.arange(200000).double() / 9000)) - np.pi / 4)[None]
    results = []
    for dtype in (torch.float32, DOUBLE):
        leaves = [t.to(dtype).requires_grad_() for t in (x, c, feedback)]
        y, _ = allpass_chain(*leaves, 4)
        (y * torch.cos(torch.arange(200000).to(dtype))).sum().backward()
        results.append([leaf.grad.double() for leaf in leaves])
    for a, b in zip(*results, strict=True):
        assert (a - b).norm() <= 1e-4 * b.norm()


def test_what_torch_asks_of_operators():
    for rows, length in ((2, 9), (2, 0), (0, 4)):
        leaves = [t.requires_grad_() for t in operands(rows, length)]
        opcheck(torch.ops.grafx.allpass_chain.default, tuple(leaves))


def test_blocks_in_a_row_give_the_whole():
    x, c, feedback, _ = operands(2, 100)
    whole, end = allpass_chain(x, c, feedback, 4)
    state, parts = None, []
    for block, moving in zip(x.split([0, 1, 30, 69], -1), c.split([0, 1, 30, 69], -1), strict=True):
        part, state = allpass_chain(block, moving, feedback, 4, state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, -1), whole, rtol=0, atol=0)
    torch.testing.assert_close(state, end)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": torch.zeros(1, 5).half()}, "x must be float32 or float64, not torch.float16"),
        ({"num_stages": 0}, "num_stages must be at least 1, not 0"),
        (
            {"coefficient": torch.ones(1, 4)},
            r"coefficient must be of shape \(\.\.\., 1 or 5\) for x \(1, 5\), not \(1, 4\)",
        ),
    ],
)
def test_refusals(change, message):
    arguments = {"x": torch.zeros(1, 5), "coefficient": torch.zeros(1, 1), "feedback": torch.zeros(1), "num_stages": 2}
    with pytest.raises(ParameterError, match=message):
        allpass_chain(**(arguments | change))
