import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.filterbank import TriangularFilterBank
from grafx.processors.core.fir import ZeroPhaseFilterBankFIR, ZeroPhaseFIR, normalize_impulse


@pytest.mark.parametrize("window", ["hann", "boxcar", ("kaiser", 8.0)])
@pytest.mark.parametrize("bins", [1, 2, 5, 20])
def test_design_is_a_windowed_cosine_series(window, bins, rng):
    log_magnitude = rng.standard_normal((3, 2, bins))
    num_taps = 2 * bins - 1
    n, k = np.arange(num_taps) - bins + 1, np.arange(bins)
    cosines = np.cos(2 * np.pi * np.outer(k, n) / num_taps) * np.where(k == 0, 1, 2)[:, None] / num_taps
    expected = np.exp(log_magnitude) @ cosines * scipy.signal.get_window(window, num_taps)
    h = ZeroPhaseFIR(bins, window)(torch.from_numpy(log_magnitude))
    np.testing.assert_allclose(h, expected, atol=1e-12)


def test_without_a_window_the_response_has_the_magnitudes_and_no_phase(rng):
    log_magnitude = rng.standard_normal(9)
    h = ZeroPhaseFIR(9, "boxcar")(torch.from_numpy(log_magnitude)).numpy()
    np.testing.assert_allclose(np.fft.rfft(np.roll(h, -8)), np.exp(log_magnitude), atol=1e-12)


def test_design_follows_the_dtype_and_is_not_saved():
    design = ZeroPhaseFIR(6)
    assert design(torch.zeros(6)).dtype == torch.float32
    assert design(torch.zeros(6).double()).dtype == torch.float64
    assert not design.state_dict()


def test_design_gradients(rng):
    log_magnitude = torch.from_numpy(rng.standard_normal((2, 5))).requires_grad_()
    assert torch.autograd.gradcheck(ZeroPhaseFIR(5), log_magnitude)


def test_normalized_impulses_have_unit_energy(rng):
    h = rng.standard_normal((3, 2, 50)) * np.array([1e-9, 1.0, 1e13])[:, None, None]
    energy = (h**2).sum(-1).mean(-1)
    y = normalize_impulse(torch.from_numpy(h).float())
    np.testing.assert_allclose(y, h / np.sqrt(energy)[:, None, None], rtol=1e-5)


def test_normalization_and_its_gradient_do_not_depend_on_the_level(rng):
    h = torch.from_numpy(rng.standard_normal((1, 2, 50))).float()
    w = torch.from_numpy(rng.standard_normal((1, 2, 50))).float()
    gradients = []
    for gain in (1e-10, 1.0, 1e13):
        scaled = (gain * h).requires_grad_()
        (gradient,) = torch.autograd.grad(normalize_impulse(scaled), scaled, w)
        gradients.append(gradient * gain)
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(gradients[2], gradients[1])


def test_a_silent_impulse_stays_silent_with_a_finite_gradient():
    h = torch.zeros(1, 2, 8, requires_grad=True)
    y = normalize_impulse(h)
    y.sum().backward()
    assert not y.any()
    assert torch.isfinite(h.grad).all()


def test_normalization_gradients(rng):
    h = torch.from_numpy(rng.standard_normal((2, 2, 4))).requires_grad_()
    assert torch.autograd.gradcheck(normalize_impulse, h)


def test_windows_take_arguments_by_name(rng):
    log_magnitude = torch.from_numpy(rng.standard_normal(9))
    by_name = ZeroPhaseFIR(9, "kaiser", {"beta": 8.0})(log_magnitude)
    torch.testing.assert_close(by_name, ZeroPhaseFIR(9, ("kaiser", 8.0))(log_magnitude))
    for arguments in (("kaiser", {"alpha": 1}), ("hamn",), ("hamn", {"beta": 8.0})):
        with pytest.raises(ParameterError, match=f"no window '{arguments[0]}'"):
            ZeroPhaseFIR(9, *arguments)


BANK = {"num_filters": 5, "scale": "mel_htk", "f_min": 100, "f_max": 8000, "sr": 22050}


def test_design_in_bands_adds_their_energies(rng):
    log_magnitude, eps = rng.standard_normal((3, 2, 5)), 1e-3
    matrix = TriangularFilterBank.compute_matrix(16, **BANK).numpy()
    magnitude = np.sqrt(np.exp(2 * log_magnitude) @ matrix.T + eps)
    expected = np.fft.fftshift(np.fft.irfft(magnitude, 31), -1) * scipy.signal.get_window("blackman", 31)
    found = ZeroPhaseFilterBankFIR(16, True, BANK, "blackman", eps=eps)(torch.from_numpy(log_magnitude))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("half", [True, False])
def test_design_in_bands_is_differentiable_and_finite(half, rng):
    design = ZeroPhaseFilterBankFIR(16, True, {**BANK, "low_half_triangle": half})
    assert torch.autograd.gradcheck(design, torch.from_numpy(rng.standard_normal((2, 5))).requires_grad_())
    for value in (-1e30, 1e30):
        log_magnitude = torch.full((5,), value, requires_grad=True)
        h = design(log_magnitude)
        h.sum().backward()
        assert h.isfinite().all() and log_magnitude.grad.isfinite().all()
