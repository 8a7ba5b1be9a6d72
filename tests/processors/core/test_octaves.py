import math

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.octaves import OctaveFilters, octave_centres
from grafx.processors.errors import DerivativeError
from scipy.signal import sosfreqz

RATE = 44100


def decibels_at_centres(sections, sample_rate=RATE):
    w = 2 * np.pi * np.array(octave_centres(sample_rate)) / sample_rate
    return 20 * np.log10(np.abs(sosfreqz(sections.numpy(), w)[1]))


def test_octaves_reach_as_far_up_as_the_sample_rate_allows():
    assert octave_centres(44100) == (62.5, 125, 250, 500, 1000, 2000, 4000, 8000, 16000)
    assert octave_centres(16000)[-1] == 4000 and octave_centres(160) == (62.5,)
    with pytest.raises(ParameterError, match=r"sample_rate must be at least 156\.25 Hz"):
        octave_centres(100)


@pytest.mark.parametrize("sample_rate", [160, 400, 16000, 44100, 96000])
@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_gains_are_exact_at_the_centres(sample_rate, spread):
    filters = OctaveFilters(sample_rate)
    wanted = spread * torch.randn(5, len(filters), generator=torch.Generator().manual_seed(0)).double()  # dB
    sections = filters(wanted * math.log(10) / 20)
    for row, gains in zip(sections, wanted, strict=True):
        np.testing.assert_allclose(decibels_at_centres(row, sample_rate), gains, atol=1e-8)


def test_gains_between_the_bands_stay_near_those_of_the_bands():
    filters = OctaveFilters(RATE)
    falling = -torch.linspace(0.5, 6, 9).double()  # dB
    w = np.linspace(2 * np.pi * 62.5 / RATE, 2 * np.pi * 16000 / RATE, 2000)
    found = 20 * np.log10(np.abs(sosfreqz(filters(falling * math.log(10) / 20).numpy(), w)[1]))
    expected = np.interp(np.log(w), np.log(filters.centres.numpy()), falling.numpy())
    assert np.abs(found - expected).max() < 0.2


def test_the_largest_gain_is_found():
    filters = OctaveFilters(RATE)
    sections = filters(torch.tensor([0, 0, 0, 1.0, -1, 0, 0, 2, 0]))
    _, h = sosfreqz(sections.numpy(), 2**14)
    assert filters.log_gains(sections).max() == pytest.approx(np.log(np.abs(h)).max(), abs=0.01)


def test_gradients_are_slopes():
    filters = OctaveFilters(4000)
    gains = (0.3 * torch.randn(2, len(filters), dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(filters, gains, eps=1e-5, atol=1e-6)


def test_second_derivatives_and_forward_mode_are_refused():
    filters = OctaveFilters(4000)
    gains = torch.rand(len(filters), dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(filters(gains).square().sum(), gains, create_graph=True)
    with pytest.raises(DerivativeError, match="OctaveFilters cannot be differentiated again"):
        torch.autograd.grad(first.sum(), gains)
    with pytest.raises(DerivativeError, match="OctaveFilters has no derivative in forward mode"):
        torch.func.jvp(filters, (gains.detach(),), (torch.ones_like(gains),))


def test_absurd_gains_give_finite_filters_and_gradients():
    filters = OctaveFilters(RATE)
    gains = (7 * torch.randn(50, 9, generator=torch.Generator().manual_seed(0))).requires_grad_()
    sections = filters(gains)
    (gradient,) = torch.autograd.grad(sections.square().sum(), gains)
    assert sections.isfinite().all() and gradient.isfinite().all()
