import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import HighShelf, LowShelf, PeakingFilter
from grafx.processors.base import ParameterError
from grafx.processors.core.fir import ZeroPhaseFilterBankFIR, ZeroPhaseFIR
from grafx.processors.eq import (
    GraphicEqualizer,
    NewZeroPhaseFIREqualizer,
    ParametricEqualizer,
    ZeroPhaseFIREqualizer,
)
from torch.autograd import gradcheck

DB = 20 / np.log(10)
BANK = {"num_filters": 5, "scale": "mel_slaney", "f_min": 100, "sr": 22050}
CLASSES = {
    "NewZeroPhaseFIREqualizer": (NewZeroPhaseFIREqualizer, {"num_frequency_bins": 8}),
    "ParametricEqualizer": (ParametricEqualizer, {"num_filters": 4}),
    "GraphicEqualizer": (GraphicEqualizer, {}),
}


def raw(processor, rng, batch=2, std=1.0, dtype=torch.float64):
    return {
        name: torch.from_numpy(std * rng.standard_normal((batch, *size))).to(dtype)
        for name, size in processor.parameter_size().items()
    }


def to_midside(x):
    return torch.stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]], 1) / 2


@pytest.mark.parametrize("channels, length", [(1, 40), (2, 41), (2, 3), (2, 0)])
def test_equalizer_is_a_centred_fir(channels, length, rng):
    x, log_magnitude = rng.standard_normal((2, channels, length)), rng.standard_normal((2, 12))
    equalizer = ZeroPhaseFIREqualizer(12)
    y = equalizer(torch.from_numpy(x), torch.from_numpy(log_magnitude)).numpy()
    for b in range(2):
        h = np.fft.fftshift(np.fft.irfft(np.exp(log_magnitude[b]), 23)) * scipy.signal.get_window("hann", 23)
        for c in range(channels if length else 0):
            np.testing.assert_allclose(y[b, c], np.convolve(x[b, c], h)[11 : 11 + length], atol=1e-12)
    assert y.shape == x.shape
    assert equalizer.parameter_size() == {"log_magnitude": 12}


def test_gradients(rng):
    x = torch.from_numpy(rng.standard_normal((2, 2, 7))).requires_grad_()
    log_magnitude = torch.from_numpy(rng.standard_normal((2, 4))).requires_grad_()
    assert gradcheck(ZeroPhaseFIREqualizer(4), (x, log_magnitude))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [-1e4, -100.0, 100.0, 1e4])
def test_extreme_magnitudes_are_finite(value, dtype, rng):
    x = torch.from_numpy(rng.standard_normal((1, 2, 3000))).to(dtype).requires_grad_()
    log_magnitude = torch.full((1, 1024), value, dtype=dtype, requires_grad=True)
    y = ZeroPhaseFIREqualizer()(x, log_magnitude)
    y.abs().sum().backward()
    assert y.dtype == dtype
    for tensor in (y, x.grad, log_magnitude.grad):
        assert torch.isfinite(tensor).all()


def test_options_of_the_convolution_are_accepted():
    with pytest.warns(UserWarning, match="FlashFFTConv"):
        ZeroPhaseFIREqualizer(flashfftconv=True, max_input_len=2**16)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("kind, num_filters", [("mono", 1), ("stereo", 2), ("midside", 2)])
def test_channels_meet_their_filters(name, kind, num_filters, rng):
    cls, options = CLASSES[name]
    equalizer, single = cls(processor_channel=kind, **options), cls(**options)
    p = raw(equalizer, rng)
    assert all(size[0] == num_filters for size in equalizer.parameter_size().values())
    x = torch.from_numpy(rng.standard_normal((2, 2, 50)))
    signals = to_midside(x) if kind == "midside" else x
    parts = [
        single(signals[:, [c]], **{n: v[:, [c % num_filters]] for n, v in p.items()}) for c in range(signals.shape[1])
    ]
    expected = torch.cat(parts, 1)
    if kind == "midside":
        expected = 2 * to_midside(expected)
    torch.testing.assert_close(equalizer(x, **p), expected)
    if kind == "stereo":
        assert equalizer(x[:, :1], **p).shape == x.shape
    if kind == "midside":
        with pytest.raises(ParameterError, match="stereo signal"):
            equalizer(x[:, :1], **p)


@pytest.mark.parametrize("name", CLASSES)
def test_equalizers_are_differentiable(name, rng):
    cls, options = CLASSES[name]
    equalizer = cls(processor_channel="midside", **options)
    x = torch.from_numpy(rng.standard_normal((1, 2, 9))).requires_grad_()
    assert gradcheck(equalizer, (x, *(v.requires_grad_() for v in raw(equalizer, rng, 1, 0.5).values())))


@pytest.mark.parametrize("backend", ["lfilter", "fsm", "ssm"])
@pytest.mark.parametrize("cls", [ParametricEqualizer, GraphicEqualizer])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_parameters_of_recursive_equalizers_are_finite(cls, dtype, backend, rng):
    equalizer = cls(processor_channel="stereo", backend=backend)
    for std, length in ((10.0, 1000), (10.0, 2), (10.0, 1), (1e4, 100), (1e30, 100)):
        p = {n: v.requires_grad_() for n, v in raw(equalizer, rng, 4, std, dtype).items()}
        x = torch.from_numpy(rng.standard_normal((4, 1, length))).to(dtype).requires_grad_()
        y = equalizer(x, **p)
        y.sum().backward()
        for tensor in (y, x.grad, *(v.grad for v in p.values())):
            assert tensor.isfinite().all()


def test_pseudo_midside_adds_and_subtracts_filters(rng):
    equalizer = NewZeroPhaseFIREqualizer(8, "pseudo_midside")
    (log_magnitude,) = raw(equalizer, rng).values()
    x = torch.from_numpy(rng.standard_normal((2, 2, 30)))
    by = NewZeroPhaseFIREqualizer(8)
    mid, side = (by(x, log_magnitude[:, [c]]) for c in range(2))
    expected = torch.stack([(mid + side)[:, 0], (mid - side)[:, 1]], 1)
    torch.testing.assert_close(equalizer(x, log_magnitude), expected)
    for cls in (ParametricEqualizer, GraphicEqualizer):
        with pytest.raises(ParameterError, match=r"recursive ones do not add up .* use 'midside'"):
            cls(processor_channel="pseudo_midside")


@pytest.mark.parametrize("window", [{"window": "blackman"}, {"window": "kaiser", "window_kwargs": {"beta": 5.0}}])
def test_zero_phase_equalizer_designs_by_bins_or_bands(window, rng):
    x = rng.standard_normal((1, 1, 40))
    for options, design in (
        ({}, ZeroPhaseFIR(16, **window)),
        (
            {"use_filterbank": True, "filterbank_kwargs": BANK, "eps": 1e-3},
            ZeroPhaseFilterBankFIR(16, True, BANK, **window, eps=1e-3),
        ),
    ):
        equalizer = NewZeroPhaseFIREqualizer(16, **options, **window)
        (log_magnitude,) = raw(equalizer, rng, 1).values()
        assert log_magnitude.shape == (1, 1, 5 if options else 16)
        h = design(log_magnitude)[0, 0].numpy()
        y = equalizer(torch.from_numpy(x), log_magnitude)[0, 0]
        np.testing.assert_allclose(y, np.convolve(x[0, 0], h)[15:55], atol=1e-10)


@pytest.mark.parametrize("num_filters, shelves", [(2, True), (3, True), (6, True), (1, False), (4, False)])
def test_parametric_equalizer_is_shelves_and_peaks_in_series(num_filters, shelves, rng):
    equalizer = ParametricEqualizer(num_filters, use_shelving_filters=shelves)
    p = raw(equalizer, rng)
    x = y = torch.from_numpy(rng.standard_normal((2, 2, 60)))
    for k in range(num_filters):
        cls = PeakingFilter
        if shelves and k in (0, num_filters - 1):
            cls = LowShelf if k == 0 else HighShelf
        y = cls()(y, **{n: v[:, 0, [k]] for n, v in p.items()})
    torch.testing.assert_close(equalizer(x, **p), y)


@pytest.mark.parametrize("num_filters, shelves", [(1, True), (0, False)])
def test_too_few_filters_are_refused(num_filters, shelves):
    with pytest.raises(ParameterError, match=rf"num_filters must be at least {num_filters + 1}.*, not {num_filters}"):
        ParametricEqualizer(num_filters, use_shelving_filters=shelves)


@pytest.mark.parametrize("scale, num_bands, sr", [("bark", 24, 44100), ("third_octave", 31, 48000)])
def test_graphic_equalizer_follows_its_commands(scale, num_bands, sr, rng):
    equalizer = GraphicEqualizer(scale=scale, sr=sr)
    assert equalizer.parameter_size() == {"log_gains": (1, num_bands)}
    commands = rng.uniform(-12, 12, (3, 1, num_bands))
    log_gains = equalizer.gains_for(torch.from_numpy(commands / DB))
    impulse = torch.zeros(3, 1, 2**16).double()
    impulse[..., 0] = 1
    h = equalizer(impulse, log_gains)[:, 0].numpy()
    responses = [scipy.signal.freqz(row, worN=equalizer.bands.centres)[1] for row in h]
    found = 20 * np.log10(np.abs(responses))
    assert np.abs(found - commands[:, 0]).max() < 1.0
    assert np.abs(found - DB * log_gains[:, 0].numpy()).max() > 5


def test_graphic_equalizer_refuses_what_it_cannot_do():
    with pytest.raises(ParameterError, match="Unknown scale 'octave'"):
        GraphicEqualizer(scale="octave")
    with pytest.raises(ParameterError, match="sr must be over twice that, not 24000"):
        GraphicEqualizer(sr=24000)
