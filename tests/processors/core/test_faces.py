"""Functions that GRAFX has in separate modules, and our building blocks too."""

import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.broadcasting import broadcast_shapes
from grafx.processors.core.convolution import compute_pad_len
from grafx.processors.core.delay import NormalizedGradient
from grafx.processors.core.envelope import TruncatedOnePoleIIRFilter
from grafx.processors.core.fft_filterbank import TriangularFilterBank
from grafx.processors.core.fir import ZeroPhaseFIR, get_window, log_magnitude_to_zerophase_fir
from grafx.processors.core.geq import FB_BARK, FC_BARK, FC_THIRD_OCTAVE, GraphicEqualizerBiquad
from grafx.processors.core.graphic_eq import Bands
from grafx.processors.core.iir import IIRFilter
from grafx.processors.core.midside import lr_to_ms
from grafx.processors.core.noise import apply_linkwitz_riley, get_filtered_noise, octave_band_filterbank
from grafx.processors.core.scale import bark_to_hz, from_scale, hz_to_bark, hz_to_log, hz_to_mel, mel_to_hz, to_scale
from grafx.processors.core.utils import normalize_impulse, rms_difference
from grafx.processors.dynamics import BallisticsEnvelopeFollower, IIREnvelopeFollower


@pytest.mark.parametrize("shapes", [[(2, 1), (3,)], [(), (4,)], [(0, 1), (1, 5)], [(2, 1, 3), (1, 4, 1), (3,)], []])
def test_shapes_broadcast_as_in_torch(shapes):
    assert broadcast_shapes(*shapes) == torch.broadcast_shapes(*shapes)
    with pytest.raises(RuntimeError, match=r"\(2,\), \(3,\) do not broadcast"):
        broadcast_shapes((2,), (3,))


def test_scales_are_inverted_and_known():
    f = torch.tensor([100.0, 500.0, 1500.0])
    for scale in ("bark_traunmuller", "bark_schroeder", "bark_wang", "mel_htk", "mel_slaney", "linear", "log"):
        torch.testing.assert_close(from_scale(to_scale(f, scale), scale), f)
        assert to_scale(500.0, scale) == pytest.approx(to_scale(f, scale)[1].item(), rel=1e-6)
    assert hz_to_bark(1000.0) == pytest.approx(26.81 * 1000 / 2960 - 0.53)
    assert hz_to_mel(1000.0) == pytest.approx(2595 * np.log10(1 + 1 / 0.7))
    assert hz_to_mel(500.0, "slaney") == pytest.approx(7.5) and mel_to_hz(7.5, "slaney") == pytest.approx(500)
    assert bark_to_hz(hz_to_bark(700.0, "wang"), "wang") == pytest.approx(700)
    assert hz_to_log(np.array([1.0, np.e])).tolist() == [0, 1]
    with pytest.raises(ParameterError, match="scale must be one of"):
        to_scale(1.0, "bark")


def test_signals_in_bands_add_up():
    x = torch.randn(2, 2, 64, dtype=torch.float64)
    for scale, f_max in (("log", 8000), ("bark_traunmuller", None)):
        bands = apply_linkwitz_riley(x, 3, f_max=f_max, scale=scale)
        assert bands.shape == (2, 2, 3, 64)
        torch.testing.assert_close(bands.sum(-2), x)
    noise = get_filtered_noise(50, 2, 4)
    assert noise.shape == (2, 4, 50)
    torch.testing.assert_close(
        noise.sum(1).numpy(), np.random.RandomState(0).uniform(size=(2, 50)) * 2 - 1, rtol=1e-9, atol=1e-12
    )
    filters = octave_band_filterbank(65, 44100)
    expected = scipy.signal.firwin(65, (1000 / np.sqrt(2), 1000 * np.sqrt(2)), fs=44100, pass_zero=False)
    assert filters.shape == (12, 1, 65)
    np.testing.assert_allclose(filters[6, 0], expected, atol=1e-7)


def test_designs():
    l = torch.randn(2, 5).double()
    torch.testing.assert_close(log_magnitude_to_zerophase_fir(l, 9, get_window("hann", 9)), ZeroPhaseFIR(5)(l))
    even = log_magnitude_to_zerophase_fir(l, 8)
    torch.testing.assert_close(torch.fft.rfft(even.roll(-4, -1)).real, l.exp())
    torch.testing.assert_close(ZeroPhaseFIR(5, "kaiser", beta=3.0)(l), ZeroPhaseFIR(5, "kaiser", {"beta": 3.0})(l))
    gains = torch.randn(2, 24)
    for found, expected in zip(GraphicEqualizerBiquad()(gains), Bands().filters(gains), strict=True):
        torch.testing.assert_close(found, expected)
    assert len(FC_BARK) == len(FB_BARK) == 24 and len(FC_THIRD_OCTAVE) == 31
    bank, energy = TriangularFilterBank(9, 3), torch.rand(2, 9)
    torch.testing.assert_close(bank(energy, mode="analysis"), bank.analysis(energy))
    with pytest.raises(ParameterError, match="mode must be one of"):
        bank(energy, "both")
    b, a = torch.randn(4, 3), torch.tensor([1.0, 0.2, 0.1]).expand(4, 3)
    response = IIRFilter.iir_fsm(b, a, IIRFilter.delay(torch.arange(3), 16))
    expected = [scipy.signal.freqz(*section, np.pi * np.arange(9) / 8)[1] for section in zip(b, a, strict=True)]
    np.testing.assert_allclose(response, np.array(expected), rtol=1e-4, atol=1e-5)


def test_small_functions():
    assert compute_pad_len(torch.zeros(1000), torch.zeros(100), "min") == 1099
    assert compute_pad_len(torch.zeros(1000), torch.zeros(100)) == 2048
    assert lr_to_ms(torch.tensor([[1.0], [2.0]]), mult=1.0).flatten().tolist() == [3, -1]
    assert rms_difference(torch.ones(2, 2, 5), 2 * torch.ones(2, 2, 5), eps=1.0) == pytest.approx(2 * np.log(2.5))
    assert normalize_impulse(torch.ones(1, 2, 4), eps=8.0)[0, 0, 0] == pytest.approx(12**-0.5)
    z = torch.tensor([3.0 + 1j], requires_grad=True)
    NormalizedGradient.apply(z).backward(torch.tensor([3.0 + 4j]))
    torch.testing.assert_close(z.grad, torch.tensor([0.6 + 0.8j]))


def test_envelope_followers():
    x = torch.randn(2, 2, 40).double()
    smoother, z = TruncatedOnePoleIIRFilter(8), torch.tensor([[0.5], [1.0]]).double()
    h = smoother.compute_impulse(z)
    alpha = torch.sigmoid(z)
    torch.testing.assert_close(h, (1 - alpha) * alpha ** torch.arange(8))
    for detector, loudness in (("energy", x.square().mean(1)), ("amplitude", x.abs().mean(1))):
        expected = np.stack([np.convolve(u, r)[:40] for u, r in zip(loudness, h, strict=True)])
        found = IIREnvelopeFollower(detector, 8)(x, z_alpha=z)
        np.testing.assert_allclose(found, np.log(expected + 1e-5), rtol=1e-6)
    follower = BallisticsEnvelopeFollower()
    assert follower.parameter_size() == {"z_alpha": 2} and follower(x, torch.zeros(2, 2)).shape == (2, 40)
    with pytest.raises(ParameterError, match="detect_with must be one of"):
        IIREnvelopeFollower("rms")
