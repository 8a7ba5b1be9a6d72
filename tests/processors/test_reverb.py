import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.reverb import STFTMaskedNoiseReverb

IR_LEN, N_FFT, HOP = 200, 32, 16
BINS, FRAMES = 17, 13
KWARGS = {"ir_len": IR_LEN, "n_fft": N_FFT, "hop_length": HOP}


def impulse_response(initial, delta, envelope):
    """The filter of one channel from the definition, with scipy's STFT."""
    noise = np.random.RandomState(0).uniform(size=(2, IR_LEN)) * 2 - 1
    stft = {"window": scipy.signal.get_window("hann", N_FFT), "nperseg": N_FFT, "noverlap": N_FFT - HOP}
    _, _, spectra = scipy.signal.stft(noise, boundary="even", padded=False, **stft)
    log_mask = initial[..., None] - np.log1p(np.exp(delta))[..., None] * np.arange(FRAMES)
    masked = spectra[: len(initial), :, :FRAMES] * np.exp((log_mask + envelope[:, None]) / 8)
    _, h = scipy.signal.istft(masked, **stft)
    return np.pad(h, ((0, 0), (0, IR_LEN)))[:, :IR_LEN]


def raw(processor, batch, rng):
    return {
        name: torch.from_numpy(rng.standard_normal((batch, *shape)))
        for name, shape in processor.parameter_size().items()
    }


@pytest.mark.parametrize("processor_channel", ["mono", "stereo", "midside", "pseudo_midside"])
def test_response_is_masked_noise(processor_channel, rng):
    processor = STFTMaskedNoiseReverb(**KWARGS, processor_channel=processor_channel, gain_envelope=True).double()
    p, x = raw(processor, 2, rng), rng.standard_normal((2, 2, 300))
    y = processor(torch.from_numpy(x), **p).numpy()
    # The last few samples are seen by no frame of scipy's.
    covered = (FRAMES - 1) * HOP
    for b in range(2):
        h = impulse_response(*(v[b].numpy() for v in p.values()))
        l, r = x[b]
        if processor_channel == "pseudo_midside":
            h = np.stack([h[0] + h[1], h[0] - h[1]])
        if processor_channel == "midside":
            m, s = np.convolve((l + r) / 2, h[0]), np.convolve((l - r) / 2, h[1])
            expected = np.stack([m + s, m - s])
        else:
            expected = np.stack([np.convolve(l, h[0]), np.convolve(r, h[-1])])
        y_b, expected = y[b, :, :covered], expected[:, :covered]
        # Unit energy counts the last few samples too, so the level is compared in its own test.
        y_b, expected = (v / np.linalg.norm(v) for v in (y_b, expected))
        np.testing.assert_allclose(y_b, expected, atol=1e-6)


@pytest.mark.parametrize("processor_channel", ["mono", "stereo", "midside", "pseudo_midside"])
def test_response_has_unit_energy(processor_channel, rng):
    processor = STFTMaskedNoiseReverb(**KWARGS, processor_channel=processor_channel)
    p = raw(processor, 3, rng)
    impulse = torch.zeros(3, 2, IR_LEN).double()
    impulse[..., 0] = 1 if processor_channel != "midside" else torch.tensor([2.0, 0.0])
    y = processor(impulse, **p)
    if processor_channel == "midside":  # now mid and side hold one impulse each
        y = torch.stack((y.sum(1), y[:, 0] - y[:, 1]), 1) / 2
    torch.testing.assert_close(y.square().sum((1, 2)) / 2, torch.ones(3).double())


def test_parameter_sizes_and_state():
    assert STFTMaskedNoiseReverb().parameter_size() == {
        "init_log_magnitude": (2, 193),
        "delta_log_magnitude": (2, 193),
    }
    processor = STFTMaskedNoiseReverb(**KWARGS, processor_channel="mono", gain_envelope=True)
    assert processor.parameter_size()["gain_env_log_magnitude"] == (1, FRAMES)
    assert not processor.state_dict()


def test_conversion_of_the_module_keeps_the_noise(rng):
    p = raw(STFTMaskedNoiseReverb(**KWARGS), 1, rng)
    x = torch.from_numpy(rng.standard_normal((1, 2, 50)))
    single = STFTMaskedNoiseReverb(**KWARGS)(x, **p)
    double = STFTMaskedNoiseReverb(**KWARGS).to(torch.float64)(x, **p)
    torch.testing.assert_close(single, double)


def test_gradients(rng):
    processor = STFTMaskedNoiseReverb(ir_len=21, n_fft=8, hop_length=4, gain_envelope=True).double()
    p = raw(processor, 2, rng)
    x = torch.from_numpy(rng.standard_normal((2, 2, 10))).requires_grad_()
    assert torch.autograd.gradcheck(processor, (x, *(v.requires_grad_() for v in p.values())))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [-1e4, 0.0, 1e4])
def test_extreme_parameters_are_finite(value, dtype, rng):
    processor = STFTMaskedNoiseReverb(**KWARGS, gain_envelope=True)
    p = {
        name: torch.full((1, *shape), value, dtype=dtype, requires_grad=True)
        for name, shape in processor.parameter_size().items()
    }
    x = torch.from_numpy(rng.standard_normal((1, 2, 101))).to(dtype).requires_grad_()
    y = processor(x, **p)
    y.square().sum().backward()
    assert y.dtype == dtype
    assert y.any()
    for tensor in (y, x.grad, *(v.grad for v in p.values())):
        assert torch.isfinite(tensor).all()


def test_fixed_noise_repeats_and_random_noise_follows_the_seed(rng):
    fixed, random = STFTMaskedNoiseReverb(**KWARGS), STFTMaskedNoiseReverb(**KWARGS, fixed_noise=False)
    p = {name: v.expand(2, -1, -1) for name, v in raw(fixed, 1, rng).items()}
    x = torch.from_numpy(rng.standard_normal((1, 1, 50))).expand(2, 2, -1)
    assert torch.equal(fixed(x, **p), fixed(x, **p))
    torch.testing.assert_close(*fixed(x, **p))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first, second = random(x, **p), random(x, **p)
        torch.manual_seed(1)
        assert torch.equal(random(x, **p), first)
    assert not torch.allclose(first, second)
    assert not torch.allclose(*first)


def test_misuse_is_explained():
    with pytest.raises(ParameterError, match="ir_len must exceed half of n_fft, 192 samples, not 100"):
        STFTMaskedNoiseReverb(ir_len=100)
    with pytest.raises(ParameterError, match="'both'"):
        STFTMaskedNoiseReverb(processor_channel="both")
    processor = STFTMaskedNoiseReverb(**KWARGS, processor_channel="midside")
    with pytest.raises(ParameterError, match="stereo signal"):
        processor(torch.zeros(1, 1, 8), torch.zeros(1, 2, BINS), torch.zeros(1, 2, BINS))
