from functools import partial

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.biquad import biquad_cascade
from grafx.processors.core.state_space import _numba as _state_space_numba
from grafx.processors.core.state_space import _state_space, decay_samples, state_space
from grafx.processors.core.state_space import _torch as _state_space_torch
from scipy.signal import butter, dlsim, ellip, sosfilt, tf2ss
from torch.autograd import gradcheck

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def systems(*shape, order):
    """Random stable matrices A, B, C and D."""
    A = torch.randn(*shape, order, order, dtype=DOUBLE)
    A = 0.95 * A / (torch.linalg.matrix_norm(A, 2)[..., None, None] if order else 1)
    return A, *torch.randn(2, *shape, order, dtype=DOUBLE), torch.randn(shape, dtype=DOUBLE)


def packed(A, B, C, D):
    return torch.cat([torch.cat([A, B[..., None]], -1), torch.cat([C[..., None, :], D[..., None, None]], -1)], -2)


@pytest.mark.parametrize("length", [2, 3, 9, 256, 257, 515])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_is_dlsim(length, order):
    u, initial, matrices = torch.randn(9, length, dtype=DOUBLE), torch.randn(9, order), systems(9, order=order)
    y, final = state_space(u, *matrices, initial)
    for r in (0, 7, 8):
        A, B, C, D = (m[r].numpy() for m in matrices)
        plant = A, B[:, None], C[None], D[None, None], 1
        _, expected, states = dlsim(plant, u[r].numpy(), x0=initial[r].numpy())
        np.testing.assert_allclose(y[r], expected[:, 0], atol=1e-12)
        np.testing.assert_allclose(final[r], A @ states[-1] + B * u[r, -1].item(), atol=1e-12)


@pytest.mark.parametrize("order", [0, 3])
def test_short_signals(order):
    A, B, C, D = systems(2, order=order)
    initial = torch.randn(2, order, dtype=DOUBLE)
    y, final = state_space(torch.empty(2, 0), A, B, C, D, initial)
    assert y.shape == (2, 0)
    torch.testing.assert_close(final, initial)
    u = torch.randn(2, 1, dtype=DOUBLE)
    y, final = state_space(u, A, B, C, D, initial)
    torch.testing.assert_close(y, (C * initial).sum(1, keepdim=True) + D[:, None] * u)
    torch.testing.assert_close(final, (A @ initial[..., None])[..., 0] + B * u)


@pytest.mark.parametrize("design", [partial(butter, 4, 1e-2), partial(ellip, 4, 0.1, 80, 0.7)])
def test_float32_signals_keep_their_accuracy(design):
    u = torch.randn(1, 100_000)
    A, B, C, D = (torch.from_numpy(m) for m in tf2ss(*design()))
    y, _ = state_space(u, A, B[:, 0], C[0], D[0, 0])
    expected = sosfilt(design(output="sos"), u.double().numpy())
    np.testing.assert_allclose(y, expected, atol=1e-5 * np.abs(expected).max())


def test_a_biquad_is_a_system_of_two_states():
    x, sos = torch.randn(3, 400), torch.tensor([[0.3, -0.2, 0.1, 1, -1.8, 0.9]], dtype=DOUBLE)
    b0, b1, b2, _, a1, a2 = sos[0]
    A = torch.stack([-a1, torch.tensor(1.0), -a2, torch.tensor(0.0)]).reshape(2, 2).double()
    y, final = state_space(x, A, torch.stack([b1 - a1 * b0, b2 - a2 * b0]), torch.tensor([1.0, 0.0]), b0)
    expected, expected_final = biquad_cascade(x, sos)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(final, expected_final[:, 0])


@pytest.mark.parametrize("cut", [0, 1, 255, 256, 300, 600])
def test_blocks_carry_on_from_the_state(cut):
    u, matrices = torch.randn(2, 600), systems(2, order=3)
    whole, last = state_space(u, *matrices)
    head, state = state_space(u[:, :cut], *matrices)
    tail, final = state_space(u[:, cut:], *matrices, state)
    torch.testing.assert_close(torch.cat([head, tail], 1), whole)
    torch.testing.assert_close(final, last)


def test_leading_axes_broadcast_in_any_memory_layout():
    u, (A, B, C, D) = torch.randn(20, 3, 2).permute(2, 1, 0), systems(3, order=2)
    y, final = state_space(u, A, B[1], C, D[:1])
    assert y.shape == (2, 3, 20) and final.shape == (2, 3, 2)
    torch.testing.assert_close(y[1, 2], state_space(u[1, 2], A[2], B[1], C[2], D[0])[0])
    assert state_space(u[:0], A, B, C, D)[0].shape == (0, 3, 20)


@pytest.mark.parametrize("length", [0, 1, 2, 13])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_gradients(length, order):
    u = torch.randn(2, length, dtype=DOUBLE)
    args = [t.requires_grad_() for t in (u, *systems(2, order=order), torch.randn(2, order, dtype=DOUBLE))]
    assert gradcheck(state_space, args)


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_gradients_where_the_backward_pass_starts_from_kept_states(chunk):
    args = torch.randn(9, 20, dtype=DOUBLE), packed(*systems(9, order=2)), torch.randn(9, 2, dtype=DOUBLE)
    args = [t.requires_grad_() for t in args]
    assert gradcheck(lambda *args: _state_space(*args, chunk)[:2], args, fast_mode=True)


@pytest.mark.parametrize("length", [0, 1, 2, 60])
def test_plain_torch_agrees(length):
    u, grad = torch.randn(2, 9, length, dtype=DOUBLE)
    args = u, packed(*systems(9, order=3)), torch.randn(9, 3, dtype=DOUBLE), 16
    output = _state_space_numba.state_space(*args)
    torch.testing.assert_close(_state_space_torch.state_space(*args), output)
    args = grad, torch.randn(9, 3, dtype=DOUBLE), *args[:2], output[2], 16
    torch.testing.assert_close(
        _state_space_torch.state_space_backward(*args), _state_space_numba.state_space_backward(*args)
    )


def test_a_bad_row_does_not_reach_the_others():
    u, (A, *rest) = torch.randn(8, 300), systems(8, order=2)
    u[3, 150], A[5, 1, 0] = float("nan"), float("inf")
    leaves = u.requires_grad_(), A.requires_grad_()
    y, _ = state_space(u, A, *rest)
    good = [0, 1, 2, 4, 6, 7]
    for tensor in (y, *torch.autograd.grad(y.square().sum(), leaves)):
        assert tensor[good].isfinite().all()
        assert not tensor[[3, 5]].isfinite().all()


def test_decays_to_silence_rather_than_to_subnormal_numbers():
    smallest = torch.finfo(torch.float32).tiny
    u = torch.zeros(1, 30_000)
    u[:, 0] = 1e3 * smallest
    u.requires_grad_()
    y, final = state_space(u, torch.tensor([[0.999]]), torch.ones(1), torch.ones(1), torch.tensor(0.0))
    (grad,) = torch.autograd.grad(y, u, u.detach().flip(1))
    assert (final == 0).all()
    for decay in (y, grad.flip(1)):
        assert decay[0, 1:6000].min() > smallest
        assert (decay[0, 10_000:] == 0).all()


def test_a_mode_has_fallen_by_60_decibels_when_it_is_told_to_have():
    A = torch.tensor([[[0.9]], [[-0.99]]], dtype=DOUBLE)
    y, _ = state_space(torch.eye(1, 1000).expand(2, -1), A, torch.ones(1), torch.ones(1), torch.zeros(()))
    samples = decay_samples(A)
    assert 0.99e-3 < y[1, samples].abs() < 1e-3 < y[1, samples - 2].abs()
    assert decay_samples(A[:0]) == 0


def test_what_does_not_fit_is_refused_by_name():
    u, (A, B, C, D) = torch.randn(2, 10), systems(2, order=3)
    with pytest.raises(ParameterError, match=r"not torch\.float16"):
        state_space(u.half(), A, B, C, D)
    with pytest.raises(ParameterError, match=r"A \(2, 3, 3\), C \(2, 2\)"):
        state_space(u, A, B, C[:, :2], D)
    with pytest.raises(ParameterError, match=r"A \(2, 2, 3\)"):
        state_space(u, A[:, :2], B, C, D)
    with pytest.raises(ParameterError, match=r"D \(3,\) do not broadcast with those of u \(2, 10\)"):
        state_space(u, A, B, C, torch.zeros(3))
