import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.biquad import _numba as _biquad_numba
from grafx.processors.core.biquad import _torch as _biquad_torch
from grafx.processors.core.biquad import biquad_cascade, biquads
from scipy.signal import butter, sosfilt
from torch.autograd import gradcheck

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def resonators(*shape, radius=(0.3, 0.99), dtype=DOUBLE):
    """Random stable sections (..., 6) with a leading coefficient that is not one."""
    r = torch.empty(shape, dtype=DOUBLE).uniform_(*radius)
    angle = torch.empty(shape, dtype=DOUBLE).uniform_(0.05, 3.0)
    poles = torch.stack([torch.ones_like(r), -2 * r * angle.cos(), r * r], -1)
    a0 = torch.empty(*shape, 1, dtype=DOUBLE).uniform_(0.5, 2)
    return torch.cat([torch.randn(*shape, 3, dtype=DOUBLE), a0 * poles], -1).to(dtype)


def reference(x, sos, state):
    """Each row (R, L) by scipy, in float64."""
    sos = (sos / sos[..., 3:4]).double().numpy()
    rows = [sosfilt(c, u, zi=z) for u, c, z in zip(x.double().numpy(), sos, state.double().numpy(), strict=True)]
    y, final = zip(*rows, strict=True)
    return np.stack(y), np.stack(final)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 255, 256, 257, 515])
@pytest.mark.parametrize("sections", [1, 2, 5, 10])
def test_is_sosfilt(length, sections):
    x, sos, state = torch.randn(3, length, dtype=DOUBLE), resonators(3, sections), torch.randn(3, sections, 2)
    y, final = biquad_cascade(x, sos, state)
    expected, expected_final = reference(x, sos, state)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-11 * np.abs(expected).max())
    np.testing.assert_allclose(final, expected_final, rtol=1e-10, atol=1e-11 * np.abs(expected_final).max())


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 16, 19])
def test_any_number_of_rows(rows):
    x, sos = torch.randn(rows, 40), resonators(rows, 3)
    y, _ = biquad_cascade(x, sos)
    expected, _ = reference(x, sos, torch.zeros(rows, 3, 2))
    assert y.dtype == torch.float32
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_no_samples_leave_the_state_and_no_sections_the_signal():
    state = torch.randn(2, 3, 2, dtype=DOUBLE)
    y, final = biquad_cascade(torch.empty(2, 0), resonators(2, 3), state)
    assert y.shape == (2, 0)
    torch.testing.assert_close(final, state)
    x = torch.randn(2, 30)
    y, final = biquad_cascade(x, torch.empty(0, 6))
    assert final.shape == (2, 0, 2)
    torch.testing.assert_close(y, x, rtol=0, atol=0)
    assert y.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("cutoff", [3e-5, 1e-3, 0.5, 0.999])
def test_float32_signals_keep_their_accuracy_beside_the_unit_circle(cutoff):
    x, sos = torch.randn(1, 100_000), torch.from_numpy(butter(4, cutoff, output="sos"))
    y, _ = biquad_cascade(x, sos)
    expected = sosfilt(sos.numpy(), x.double().numpy())
    assert np.abs(y.numpy() - expected).max() < 1e-6 * np.abs(expected).max()


def test_a_resonance_of_a_million_samples():
    x = torch.zeros(2, 1 << 20)
    x[0, 0], x[1, 500_000] = 1, 1
    radius, angle = 1 - 1e-7, 0.1
    sos = torch.tensor([[1, 0, 0, 1, -2 * radius * np.cos(angle), radius**2]], dtype=DOUBLE)
    y, _ = biquad_cascade(x, sos)
    n = np.arange(1 << 20)
    expected = radius**n * np.sin((n + 1) * angle) / np.sin(angle)
    np.testing.assert_allclose(y[0], expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(y[1, 500_000:], expected[:-500_000], atol=1e-5 * np.abs(expected).max())
    assert (y[1, :500_000] == 0).all()


@pytest.mark.parametrize("cuts", [(0, 700), (1, 2, 3), (100, 256, 257, 512), (699,)])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_blocks_carry_on_from_the_state(cuts, dtype):
    x, sos = torch.randn(2, 700, dtype=dtype), resonators(2, 4, radius=(0.9, 0.9999))
    whole, last = biquad_cascade(x, sos)
    blocks, state = [], None
    for start, stop in zip((0, *cuts), (*cuts, 700), strict=True):
        y, state = biquad_cascade(x[:, start:stop], sos, state)
        blocks.append(y)
    torch.testing.assert_close(torch.cat(blocks, 1), whole, rtol=0, atol=0)
    torch.testing.assert_close(state, last, rtol=0, atol=0)


def test_leading_axes_broadcast():
    x, sos, state = torch.randn(2, 3, 20, dtype=DOUBLE), resonators(2, 1, 4), torch.randn(3, 4, 2, dtype=DOUBLE)
    y, final = biquad_cascade(x, sos, state)
    assert y.shape == (2, 3, 20) and final.shape == (2, 3, 4, 2)
    every = x.reshape(6, 20), sos.expand(2, 3, 4, 6).reshape(6, 4, 6), state.expand(2, 3, 4, 2).reshape(6, 4, 2)
    torch.testing.assert_close(y.reshape(6, 20), biquad_cascade(*every)[0])
    assert biquad_cascade(x[0, 0], sos[0, 0])[0].shape == (20,)
    assert biquad_cascade(x[0, 0], resonators(5, 2))[0].shape == (5, 20)
    assert biquad_cascade(x[:0], sos[:0])[0].shape == (0, 3, 20)


def test_any_memory_layout_and_no_argument_is_changed():
    x, sos, state = (
        torch.randn(20, 3, dtype=DOUBLE).T,
        resonators(4, 3).transpose(0, 1),
        torch.randn(2, 3, 4).permute(1, 2, 0),
    )
    grad = torch.randn(20, 3, dtype=DOUBLE).T
    before = [t.clone() for t in (x, sos, state, grad)]
    packed = [t.clone(memory_format=torch.contiguous_format).requires_grad_() for t in (x, sos, state)]
    views = [t.requires_grad_() for t in (x, sos, state)]
    y = biquad_cascade(*views)[0]
    torch.testing.assert_close(y, biquad_cascade(*packed)[0])
    expected = torch.autograd.grad(biquad_cascade(*packed)[0], packed, grad)
    torch.testing.assert_close(torch.autograd.grad(y, views, grad), expected)
    for argument, old in zip((x, sos, state, grad), before, strict=True):
        torch.testing.assert_close(argument.detach(), old, rtol=0, atol=0)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 9, 14])
@pytest.mark.parametrize("sections", [0, 1, 3])
def test_gradients(length, sections):
    x = torch.randn(2, length, dtype=DOUBLE, requires_grad=True)
    sos = resonators(2, sections).requires_grad_()
    state = torch.randn(2, sections, 2, dtype=DOUBLE, requires_grad=True)
    assert gradcheck(biquad_cascade, (x, sos, state))


@pytest.mark.parametrize("chunk", [1, 3, 8, 11])
def test_gradients_where_the_backward_pass_starts_from_kept_states(chunk):
    x = torch.randn(9, 25, dtype=DOUBLE, requires_grad=True)
    sos = resonators(9, 2)[..., [0, 1, 2, 4, 5]].requires_grad_()
    state = torch.randn(9, 2, 2, dtype=DOUBLE, requires_grad=True)
    assert gradcheck(lambda *args: biquads(*args, chunk)[:2], (x, sos, state), fast_mode=True)


def test_gradients_of_a_long_float32_signal():
    x, grad = torch.randn(2, 1, 40_000)
    sos = resonators(3, radius=(0.99, 0.9995)).requires_grad_()
    x.requires_grad_()
    grad_x, grad_sos = torch.autograd.grad(biquad_cascade(x, sos)[0], (x, sos), grad)
    u, g, c = x.detach().double().numpy(), grad.double().numpy(), sos.detach().numpy()
    expected = sosfilt(c / c[:, 3:4], g[:, ::-1])[:, ::-1]
    np.testing.assert_allclose(grad_x, expected, atol=1e-6 * np.abs(expected).max())

    def loss(c):
        return (sosfilt(c / c[:, 3:4], u) * g).sum()

    step = 1e-6
    for i in np.ndindex(3, 6):
        shifted = step * np.eye(18)[i[0] * 6 + i[1]].reshape(3, 6)
        slope = (loss(c + shifted) - loss(c - shifted)) / (2 * step)
        assert abs(grad_sos[i] - slope) < 1e-4 * max(abs(slope), grad_sos.abs().max().item() * 1e-3)


def test_the_gradient_of_the_final_state_alone():
    x, sos = torch.randn(1, 12, dtype=DOUBLE, requires_grad=True), resonators(2).requires_grad_()
    _, final = biquad_cascade(x, sos)
    grads = torch.autograd.grad(final.square().sum(), (x, sos))
    y, final = biquad_cascade(x, sos)
    both = torch.autograd.grad(final.square().sum() + 0 * y.sum(), (x, sos))
    torch.testing.assert_close(grads, both)
    assert grads[0].abs().sum() > 0


@pytest.mark.parametrize("length, sections", [(0, 2), (1, 1), (2, 3), (60, 3), (20, 0)])
def test_plain_torch_agrees(length, sections):
    x, grad = torch.randn(2, 9, length, dtype=DOUBLE)
    c, state = resonators(9, sections)[..., [0, 1, 2, 4, 5]], torch.randn(9, sections, 2, dtype=DOUBLE)
    output = _biquad_numba.biquads(x, c, state, 16)
    torch.testing.assert_close(_biquad_torch.biquads(x, c, state, 16), output)
    args = grad, torch.randn_like(state), x, c, output[2], 16
    torch.testing.assert_close(_biquad_torch.biquads_backward(*args), _biquad_numba.biquads_backward(*args))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_bad_row_does_not_reach_the_others(value):
    x, sos = torch.randn(8, 300), resonators(8, 3)
    x[3, 150], sos[5, 1, 4] = value, value
    x.requires_grad_()
    sos.requires_grad_()
    y, final = biquad_cascade(x, sos)
    grads = torch.autograd.grad(y.square().sum(), (x, sos))
    good = [0, 1, 2, 4, 6, 7]
    for tensor in (y, final, *grads):
        assert tensor[good].isfinite().all()
        assert not tensor[[3, 5]].isfinite().all()
    assert y[3, :150].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_decays_to_silence_rather_than_to_subnormal_numbers(dtype):
    smallest = torch.finfo(dtype).tiny
    x = torch.zeros(1, 60_000, dtype=dtype)
    x[:, 0] = 1e5 * smallest
    x.requires_grad_()
    y, final = biquad_cascade(x, torch.tensor([[1, 0, 0, 1, -2 * 0.998 * np.cos(1), 0.998**2]] * 2, dtype=DOUBLE))
    (grad,) = torch.autograd.grad(y, x, x.detach().flip(1))
    assert (final == 0).all()
    for decay in (y, grad.flip(1)):
        assert decay[0, :3000].abs().max() > smallest
        assert (decay[0, 20_000:] == 0).all()


def test_rows_are_shared_out_over_threads(monkeypatch):
    monkeypatch.setattr("grafx.processors.core.backends.numba_rows.MIN_WORK_PER_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    x, sos = torch.randn(21, 50, dtype=DOUBLE), resonators(21, 2)
    expected, _ = reference(x, sos, torch.zeros(21, 2, 2))
    np.testing.assert_allclose(biquad_cascade(x, sos)[0], expected, rtol=1e-10, atol=1e-10)


def test_what_does_not_fit_is_refused_by_name():
    x, sos = torch.randn(2, 10), resonators(2, 3)
    with pytest.raises(ParameterError, match=r"x must be float32 or float64, not torch.float16"):
        biquad_cascade(x.half(), sos)
    with pytest.raises(ParameterError, match=r"sos holds six .* \(2, 3, 5\)"):
        biquad_cascade(x, sos[..., :5])
    with pytest.raises(ParameterError, match=r"state holds two .* \(2, 2, 2\)"):
        biquad_cascade(x, sos, torch.zeros(2, 2, 2))
    with pytest.raises(ParameterError, match=r"sos \(3, 3, 6\) do not broadcast with those of x \(2, 10\)"):
        biquad_cascade(x, resonators(3, 3))
