import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from grafx.processors.core import _numba_rows, _recursion_numba, _recursion_torch
from grafx.processors.core.recursion import _ballistics, _onepole, ballistics, onepole
from scipy.signal import lfilter
from torch.autograd import gradcheck

LENGTHS = [0, 1, 2, 3, 4, 5, 37, 200]


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def loop_ballistics(u, attack, release, initial):
    y = np.empty_like(u)
    for r in range(u.shape[0]):
        state = initial[r]
        for n in range(u.shape[1]):
            a = attack[r] if u[r, n] >= state else release[r]
            state = a * state + (1 - a) * u[r, n]
            y[r, n] = state
    return y


def double(*shape):
    return torch.rand(*shape, dtype=torch.float64)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_onepole_is_lfilter(length, dtype):
    u = torch.randn(3, 2, length, dtype=dtype)
    alpha, initial = torch.tensor([[0.9], [0.0], [0.99999]], dtype=torch.float64), double(3, 2)
    y = onepole(u, alpha, initial)
    assert y.dtype == dtype and y.shape == u.shape
    for i in range(3 if length else 0):
        a = alpha[i].item()
        for c in range(2):
            expected, _ = lfilter([1 - a], [1, -a], u[i, c].double().numpy(), zi=[a * initial[i, c].item()])
            np.testing.assert_allclose(y[i, c], expected, rtol=1e-6 if dtype == torch.float32 else 1e-12, atol=1e-9)


def test_onepole_stays_accurate_beside_the_unit_circle():
    alpha = 1 - 1e-5
    u = torch.rand(1, 200_000)
    expected = lfilter([1 - alpha], [1, -alpha], u.double().numpy())
    y = onepole(u, torch.tensor(alpha, dtype=torch.float64))
    np.testing.assert_allclose(y, expected, rtol=1e-6)


@pytest.mark.parametrize("taps", [1, 2, 7, 36, 37, 38, 1000])
def test_truncated_onepole_is_a_finite_convolution(taps):
    u, alpha = torch.randn(2, 37, dtype=torch.float64), torch.tensor([0.3, 0.98], dtype=torch.float64)
    y = onepole(u, alpha, taps=taps)
    for row, a, x in zip(y, alpha.numpy(), u.numpy(), strict=True):
        expected = np.convolve(x, (1 - a) * a ** np.arange(taps))[:37]
        np.testing.assert_allclose(row, expected, atol=1e-14)


def test_truncated_onepole_forgets_a_loud_past():
    u = torch.zeros(1, 40_000)
    u[:, :1000] = 1e3
    y = onepole(u, torch.tensor(1 - 1e-5, dtype=torch.float64), taps=16384)
    assert y[:, 20_000:].abs().max() < 1e-9


@pytest.mark.parametrize("attack, release", [(0.5, 0.95), (0.95, 0.5), (0.7, 0.7), (0.0, 1.0), (1.0, 0.0)])
@pytest.mark.parametrize("length", LENGTHS)
def test_ballistics_is_the_sample_loop(attack, release, length):
    u, initial = torch.randn(3, length, dtype=torch.float64), double(3)
    y = ballistics(u, attack, release, initial)
    expected = loop_ballistics(u.numpy(), [attack] * 3, [release] * 3, initial.numpy())
    np.testing.assert_allclose(y, expected, atol=1e-14)
    np.testing.assert_allclose(ballistics(u.float(), attack, release, initial), expected, atol=1e-6)


def test_ballistics_rises_with_attack_and_falls_with_release():
    step = torch.tensor([[1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(ballistics(step, 0.0, 0.5), torch.tensor([[1.0, 1.0, 0.5, 0.25]]).double())


def test_ballistics_with_equal_coefficients_is_onepole():
    u = torch.randn(2, 100, dtype=torch.float64)
    torch.testing.assert_close(ballistics(u, 0.9, 0.9, 0.2), onepole(u, 0.9, 0.2))


@pytest.mark.parametrize("cut", [0, 1, 6, 41])
def test_blocks_carry_on_from_the_last_output(cut):
    u = torch.randn(2, 41, dtype=torch.float64)
    for recursion in (lambda u, y0: onepole(u, 0.9, y0), lambda u, y0: ballistics(u, 0.6, 0.95, y0)):
        whole = recursion(u, torch.full((2,), 0.3, dtype=torch.float64))
        head = recursion(u[:, :cut], 0.3)
        tail = recursion(u[:, cut:], head[:, -1] if cut else 0.3)
        torch.testing.assert_close(torch.cat([head, tail], 1), whole)


@pytest.mark.parametrize("shape", [(0, 5), (2, 0, 5), (0, 0), (5,), (1, 2, 3, 4)])
def test_any_leading_shape(shape):
    u = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    for y in (onepole(u, 0.5), onepole(u, 0.5, taps=2), ballistics(u, 0.5, 0.6)):
        assert y.shape == shape
        (grad,) = torch.autograd.grad(y.sum(), u)
        assert grad.shape == shape


def test_coefficients_broadcast_over_leading_axes_and_so_do_their_gradients():
    u = torch.randn(2, 3, 20, dtype=torch.float64)
    alpha = double(2, 1).requires_grad_()
    each = alpha.detach().expand(2, 3).clone().requires_grad_()
    y = onepole(u, alpha)
    torch.testing.assert_close(y, onepole(u, each))
    y.square().sum().backward()
    onepole(u, each).square().sum().backward()
    torch.testing.assert_close(alpha.grad, each.grad.sum(1, keepdim=True))
    assert onepole(u[0], double(4, 1)).shape == (4, 3, 20)


def test_any_memory_layout():
    u = torch.randn(30, 6, 2, dtype=torch.float64)
    for view in (u.permute(2, 1, 0), u[:, 0].T, u[0, :, :1].expand(6, 9), u.transpose(0, 2)[..., ::3]):
        torch.testing.assert_close(onepole(view, 0.9), onepole(view.clone(memory_format=torch.contiguous_format), 0.9))
        expected = ballistics(view.clone(memory_format=torch.contiguous_format), 0.3, 0.9)
        torch.testing.assert_close(ballistics(view, 0.3, 0.9), expected)


@pytest.mark.parametrize("length", [0, 1, 2, 11])
@pytest.mark.parametrize("taps", [None, 1, 4])
def test_onepole_gradients(length, taps):
    u = torch.randn(3, length, dtype=torch.float64, requires_grad=True)
    alpha, initial = double(3).requires_grad_(), double(3).requires_grad_()
    assert gradcheck(lambda *args: onepole(*args, taps=taps), (u, alpha, initial))


@pytest.mark.parametrize("length", [0, 1, 2, 40])
def test_ballistics_gradients(length):
    u = torch.randn(3, length, dtype=torch.float64, requires_grad=True)
    coefficients = [double(3).requires_grad_() for _ in range(3)]
    assert gradcheck(ballistics, (u, *coefficients))


@pytest.mark.parametrize("taps", [5, 60])
def test_plain_torch_onepole_agrees(taps):
    u, grad = torch.randn(2, 3, 60, dtype=torch.float64)
    args = u, double(3), double(3)
    y = _recursion_numba.onepole(*args, taps)
    torch.testing.assert_close(_recursion_torch.onepole(*args, taps), y)
    torch.testing.assert_close(
        _recursion_torch.onepole_backward(grad, *args, y, taps),
        _recursion_numba.onepole_backward(grad, *args, y, taps),
    )


@pytest.mark.parametrize("length", [0, 1, 60])
def test_plain_torch_ballistics_agrees(length):
    u, grad = torch.randn(2, 3, length, dtype=torch.float64)
    args = u, double(3), double(3), double(3)
    output = _recursion_numba.ballistics(*args)
    torch.testing.assert_close(_recursion_torch.ballistics(*args), output)
    torch.testing.assert_close(
        _recursion_torch.ballistics_backward(grad, *args, *output),
        _recursion_numba.ballistics_backward(grad, *args, *output),
    )


def test_operators_meet_the_contract_of_torch():
    u, alpha = torch.randn(3, 9), torch.rand(3, dtype=torch.float64)
    for args in [(u, alpha, torch.zeros(3), 9), (u, alpha, torch.zeros(3), 4)]:
        torch.library.opcheck(_onepole, args)
        differentiable = [a.clone().requires_grad_() if torch.is_tensor(a) else a for a in args]
        torch.library.opcheck(_onepole, differentiable)
    args = [a.requires_grad_() for a in (u.clone(), alpha.clone(), torch.rand(3), torch.zeros(3))]
    torch.library.opcheck(_ballistics, args)


def test_compiles_to_one_graph():
    def smooth(u, alpha):
        return ballistics(onepole(u, alpha, taps=8), alpha, 0.9, 1.0)

    u, alpha = torch.randn(2, 3, 20), torch.rand(2, 1, requires_grad=True)
    compiled = torch.compile(smooth, backend="eager", fullgraph=True)
    y = compiled(u, alpha)
    torch.testing.assert_close(y, smooth(u, alpha))
    (grad,) = torch.autograd.grad(y.sum(), alpha)
    torch.testing.assert_close(grad, torch.autograd.grad(smooth(u, alpha).sum(), alpha)[0])


@pytest.mark.parametrize("num_threads", [1, 2, 3, 16])
def test_rows_are_shared_out_over_threads(monkeypatch, num_threads):
    monkeypatch.setattr(_numba_rows, "MIN_WORK_PER_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: num_threads)
    u, alpha = torch.randn(7, 50, dtype=torch.float64), double(7)
    expected = [lfilter([1 - a], [1, -a], x) for a, x in zip(alpha.numpy(), u.numpy(), strict=True)]
    np.testing.assert_allclose(onepole(u, alpha), expected, atol=1e-14)


def test_concurrent_callers_do_not_disturb_each_other():
    signals = torch.randn(16, 4, 20_000)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda u: onepole(u, 0.99), signals))
    torch.testing.assert_close(torch.stack(together), onepole(signals, 0.99), rtol=0, atol=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_works_in_a_forked_worker():
    u = torch.rand(4, 20_000)
    expected = onepole(u, 0.99)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if onepole(u, 0.99).numpy().tobytes() == expected.numpy().tobytes() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_decays_to_silence_rather_than_to_subnormal_numbers(dtype):
    u = torch.zeros(1, 20_000, dtype=dtype)
    u[:, 0] = 1
    for y in (onepole(u, 0.9), ballistics(u, 0.5, 0.9)):
        assert y[0, -1] == 0
        torch.testing.assert_close(y[0, :9].diff().sign(), -torch.ones(8, dtype=dtype))


def test_extreme_inputs_stay_finite():
    u = torch.tensor([[1e30, -1e30, 0.0, 1e-30]], requires_grad=True)
    for alpha in (0.0, 1.0):
        a = torch.tensor(alpha, requires_grad=True)
        for y in (onepole(u, a), onepole(u, a, taps=2), ballistics(u, a, 1 - a)):
            assert y.isfinite().all()
            assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), (u, a)))
