import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.backends import numba_rows
from grafx.processors.core.recursion import _numba as _recursion_numba
from grafx.processors.core.recursion import _torch as _recursion_torch
from grafx.processors.core.recursion import (
    ballistics,
    first_order,
    last_output,
    onepole,
)
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


def loop_first_order(u, a, initial):
    """Rows of u (R, L) and a (R, L), sample by sample."""
    y, state = np.empty(np.broadcast_shapes(u.shape, a.shape), np.result_type(u, a, initial)), initial
    for n in range(u.shape[1]):
        state = a[:, n] * state + u[:, n]
        y[:, n] = state
    return y


def random(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype)


def stable(*shape, dtype=torch.float64):
    """Coefficients inside the unit circle."""
    a = random(*shape, dtype=dtype)
    return a / (1 + a.abs())


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
    a = stable(2, 41)
    for recursion in (
        lambda u, y0, at: onepole(u, 0.9, y0),
        lambda u, y0, at: ballistics(u, 0.6, 0.95, y0),
        lambda u, y0, at: first_order(u, 0.9j, y0),
        lambda u, y0, at: first_order(u, a[:, at], y0),
    ):
        whole = recursion(u, torch.full((2,), 0.3, dtype=torch.float64), slice(None))
        head = recursion(u[:, :cut], 0.3, slice(cut))
        tail = recursion(u[:, cut:], last_output(head, 0.3), slice(cut, None))
        torch.testing.assert_close(torch.cat([head, tail], 1), whole)
        torch.testing.assert_close(last_output(tail, last_output(head, 0.3)), whole[:, -1])


@pytest.mark.parametrize("shape", [(0, 5), (2, 0, 5), (0, 0), (5,), (1, 2, 3, 4)])
def test_any_leading_shape(shape):
    u = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    by_sample = torch.full(shape, 0.5)
    for y in (
        onepole(u, 0.5),
        onepole(u, 0.5, taps=2),
        ballistics(u, 0.5, 0.6),
        first_order(u, 0.5),
        first_order(u, by_sample),
    ):
        assert y.shape == shape
        assert last_output(y).shape == shape[:-1]
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
        torch.testing.assert_close(
            first_order(view, view.tanh()), first_order(view.contiguous(), view.tanh().contiguous())
        )


def test_no_argument_is_changed():
    u, grad = torch.randn(2, 3, 30)
    a, initial, by_sample = double(3), double(3), torch.rand(3, 30)
    arguments = [u, a, initial, by_sample, grad]
    before = [t.clone() for t in arguments]
    leaves = [t.requires_grad_() for t in arguments[:4]]
    for y in (
        onepole(u, a, initial),
        onepole(u, a, initial, taps=4),
        ballistics(u, a, initial, initial),
        first_order(u, a, initial),
        first_order(u, by_sample, initial),
    ):
        torch.autograd.grad(y, leaves, grad, allow_unused=True)
    for argument, old in zip(arguments, before, strict=True):
        torch.testing.assert_close(argument.detach(), old, rtol=0, atol=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_bad_row_does_not_reach_the_others(value):
    u, a = torch.rand(9, 50), torch.rand(9, 50)
    u[3, 20], a[5, 20] = value, value
    u, a = u.requires_grad_(), a.requires_grad_()
    good = [0, 1, 2, 4, 6, 7, 8]
    for y in (
        onepole(u, a[:, 20]),
        onepole(u, a[:, 20], taps=7),
        ballistics(u, a[:, 20], 0.5),
        first_order(u, a[:, 20]),
        first_order(u, a),
        first_order(u, a + 0j),
    ):
        grads = torch.autograd.grad(y.abs().square().sum(), (u, a))
        for tensor in (y, *grads):
            assert tensor[good].isfinite().all()
        assert y[3, :20].isfinite().all()
        assert not y[3].isfinite().all()


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


@pytest.mark.parametrize("length", [*LENGTHS, 1030])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_first_order_is_lfilter_or_a_loop(length, dtype):
    u = random(3, length, dtype=dtype)
    exact = torch.complex128 if u.is_complex() else torch.float64
    tolerance = {"rtol": 1e-12, "atol": 1e-12} if dtype == exact else {"rtol": 1e-5, "atol": 1e-6}
    a, initial = stable(3, dtype=exact), random(3, dtype=exact)
    y = first_order(u, a, initial)
    assert y.dtype == dtype and y.shape == (3, length)
    for r in range(3 if length else 0):
        c = a[r].item()
        expected, _ = lfilter([1], [1, -c], u[r].to(exact).numpy(), zi=[c * initial[r].item()])
        np.testing.assert_allclose(y[r], expected, **tolerance)
    varying = stable(3, length, dtype=dtype)
    expected = loop_first_order(*(t.to(exact).numpy() for t in (u, varying, initial)))
    np.testing.assert_allclose(first_order(u, varying, initial), expected, **tolerance)


def test_coefficients_are_constant_or_one_for_each_sample_by_their_axes():
    u = random(2, 3, 5)
    constant, by_sample = stable(2, 3), stable(2, 3, 5)
    whole = first_order(u, constant[..., None].expand(2, 3, 5))
    torch.testing.assert_close(first_order(u, constant), whole)
    torch.testing.assert_close(first_order(u, constant[..., None]), whole)
    torch.testing.assert_close(first_order(u, 0.5), first_order(u, torch.full((3,), 0.5)))
    each = torch.stack([torch.stack([first_order(u[i, j], by_sample[i, j]) for j in range(3)]) for i in range(2)])
    torch.testing.assert_close(first_order(u, by_sample), each)
    torch.testing.assert_close(first_order(u, by_sample[:1, :1]), first_order(u, by_sample[:1, :1].expand(2, 3, 5)))
    square = random(3, 3)
    torch.testing.assert_close(first_order(square, square)[0, 1], square[0, 0] * square[0, 1] + square[0, 1])
    assert first_order(u[0, 0], stable(4, 1)).shape == (4, 5)
    assert first_order(u, stable(4, 1, 1, 1)).shape == (4, 2, 3, 5)


def test_first_order_is_complex_if_anything_is():
    u, a, initial = random(2, 9), stable(2), random(2)
    z = torch.complex(a, stable(2) / 2)
    expected = first_order(u + 0j, z, initial + 0j)
    torch.testing.assert_close(first_order(u, z, initial), expected)
    torch.testing.assert_close(first_order(u + 0j, a, initial), first_order(u, a, initial) + 0j)
    torch.testing.assert_close(first_order(u, a, 1j)[:, 0], u[:, 0] + 1j * a)
    assert first_order(u.float(), z).dtype == torch.complex64
    torch.testing.assert_close(first_order(u, 1), u.cumsum(1))
    torch.testing.assert_close(first_order(u, -torch.arange(9)[None])[:, 2], u[:, 2] - 2 * (u[:, 1] - u[:, 0]))


def test_conjugated_and_negated_views():
    z, a = random(2, 9, dtype=torch.complex128), stable(2, dtype=torch.complex128)
    torch.testing.assert_close(first_order(z.conj(), a.conj()), first_order(z, a).conj().resolve_conj())
    torch.testing.assert_close(first_order(z.conj().imag, 0.5), -first_order(z.imag, 0.5))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 11, 20])
@pytest.mark.parametrize("steps", ["constant", "varying"])
@pytest.mark.parametrize("complexes", ["", "u", "a", "initial", "u a initial"])
def test_first_order_gradients(length, steps, complexes):
    def leaf(name, *shape):
        return stable(*shape, dtype=torch.complex128 if name in complexes else torch.float64).requires_grad_()

    a = leaf("a", 2) if steps == "constant" else leaf("a", 2, length)
    assert gradcheck(first_order, (leaf("u", 2, length), a, leaf("initial", 2)))


def test_first_order_gradients_of_a_long_float32_signal():
    u, grad = torch.randn(2, 3, 30_000)
    a = torch.tensor([0.9, -0.99, 0.9999], dtype=torch.float64)[:, None]
    for coefficients in (a, a.expand(3, 30_000).contiguous()):
        leaves = u.clone().requires_grad_(), coefficients.clone().requires_grad_()
        grad_u, grad_a = torch.autograd.grad(first_order(*leaves), leaves, grad)
        y = first_order(u.double(), a)
        adjoint = [lfilter([1], [1, -c], g[::-1])[::-1] for c, g in zip(a[:, 0], grad.double().numpy(), strict=True)]
        slope = torch.from_numpy(np.stack(adjoint)) * torch.cat([torch.zeros(3, 1), y[:, :-1]], 1)
        for r in range(3):
            scale = np.abs(adjoint[r]).max()
            np.testing.assert_allclose(grad_u[r], adjoint[r], rtol=1e-5, atol=1e-6 * scale)
        if grad_a.shape[1] == 1:
            torch.testing.assert_close(grad_a, slope.sum(1, keepdim=True), rtol=1e-5, atol=1e-3)
        else:
            torch.testing.assert_close(grad_a, slope, rtol=1e-5, atol=1e-6 * slope.abs().max().item())


def test_a_million_samples_beside_the_unit_circle():
    u = torch.rand(1, 1 << 20)
    a = torch.tensor(1 - 1e-7, dtype=torch.float64)
    expected = lfilter([1], [1, -a.item()], u.double().numpy())
    for coefficients in (a, a.expand(1, 1 << 20), a + 0j):
        np.testing.assert_allclose(first_order(u, coefficients).real, expected, rtol=1e-6)
    np.testing.assert_allclose(onepole(u, a), expected * (1 - a.item()), rtol=1e-6)
    np.testing.assert_allclose(ballistics(u, a, a), expected * (1 - a.item()), rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
@pytest.mark.parametrize("length", [0, 1, 2, 60])
def test_plain_torch_first_order_agrees(dtype, length):
    u, grad, initial = random(3, length, dtype=dtype), random(3, length, dtype=dtype), random(3, dtype=dtype)
    for a in (stable(3, 1, dtype=dtype), stable(3, length, dtype=dtype)):
        y = _recursion_numba.first_order(u, a, initial)
        torch.testing.assert_close(_recursion_torch.first_order(u, a, initial), y)
        torch.testing.assert_close(
            _recursion_torch.first_order_backward(grad, a, initial, y),
            _recursion_numba.first_order_backward(grad, a, initial, y),
        )


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


@pytest.mark.parametrize("num_threads", [1, 2, 3, 16])
def test_rows_are_shared_out_over_threads(monkeypatch, num_threads):
    monkeypatch.setattr(numba_rows, "MIN_WORK_PER_THREAD", 1)
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
    impulse = torch.zeros(1, 22_000, dtype=dtype)
    impulse[:, 0] = 1e3 * torch.finfo(dtype).tiny
    u, a = impulse.clone().requires_grad_(), torch.full_like(impulse, 0.999).requires_grad_()
    for y in (
        onepole(u * 1000, 0.999),
        ballistics(u * 1000, 0.999, 0.999),
        first_order(u, 0.999),
        first_order(u, a),
        torch.view_as_real(first_order(u, 0.999j)).sum(2),
        first_order(u, a + 0j).real,
    ):
        assert (y[:, 1:6000] != 0).all()
        assert (y[:, 10_000:] == 0).all()
        (grad,) = torch.autograd.grad(y, u, impulse.flip(1))
        assert (grad[:, -6000:-1] != 0).any()
        assert (grad[:, :2000] == 0).all()


def test_extreme_inputs_stay_finite():
    u = torch.tensor([[1e30, -1e30, 0.0, 1e-30]], requires_grad=True)
    for alpha in (0.0, 1.0):
        a = torch.tensor(alpha, requires_grad=True)
        for y in (onepole(u, a), onepole(u, a, taps=2), ballistics(u, a, 1 - a)):
            assert y.isfinite().all()
            assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), (u, a)))


def test_what_does_not_fit_is_refused_by_name():
    u = torch.rand(3, 4)
    with pytest.raises(ParameterError, match=r"last axis of a \(3, 3\) is time, as a has as many axes as u \(3, 4\)"):
        first_order(u, torch.rand(3, 3))
    for smooth in (onepole, lambda u, a: ballistics(u, a, a), first_order):
        with pytest.raises(ParameterError, match=r"not torch\.float16: convert it"):
            smooth(u.half(), 0.5)
    with pytest.raises(ParameterError, match=r"not torch\.complex64"):
        onepole(u + 0j, 0.5)
    with pytest.raises(ParameterError, match="taps is the length of a response and must be at least 1, not 0"):
        onepole(u, 0.5, taps=0)
