import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import PinkNoise, WhiteNoise
from grafx.processors.base import ParameterError
from grafx.processors.core.noise import pink_filter

BOTH = [WhiteNoise, PinkNoise]
RATE = 44100


def noise(cls, length, seed=0, **options):
    return cls(**options)(num_samples=length, dsp_params={"seed": seed})


@pytest.mark.parametrize("cls", BOTH)
def test_noise_is_a_function_of_its_seed(cls):
    torch.manual_seed(1)
    first = noise(cls, 500, [3.0, 4.0, 3.0])
    torch.manual_seed(2)
    again = noise(cls, 500, 3.0)
    assert torch.equal(first[0], again[0]) and torch.equal(first[2], again[0])
    assert abs(np.corrcoef(first[:2, 0])[0, 1]) < 0.25


@pytest.mark.parametrize("cls", BOTH)
def test_the_nearest_integer_is_the_seed(cls):
    assert torch.equal(noise(cls, 50, 6.6), noise(cls, 50, 7.0))
    assert not torch.equal(noise(cls, 50, 6.4), noise(cls, 50, 7.0))


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("seed", [0.0, 1.0, 77.0, 1000.0, 65535.0])
def test_all_views_give_the_same_noise(cls, seed):
    processor = cls()
    expected = noise(cls, 50, seed)
    norm, raw = processor.dsp_to_norm({"seed": seed}), processor.dsp_to_raw({"seed": seed})
    assert torch.equal(processor(num_samples=50, norm_params=norm), expected)
    assert torch.equal(processor(num_samples=50, **raw), expected)


@pytest.mark.parametrize("cls", BOTH)
def test_it_is_the_same_in_both_precisions(cls):
    single, double = noise(cls, 3000, torch.tensor([5.0])), noise(cls, 3000, torch.tensor([5.0]).double())
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(single, double.float(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("cls", BOTH)
def test_channels_have_noise_of_their_own(cls):
    stereo = noise(cls, 4000, num_channels=2)
    assert stereo.shape == (1, 2, 4000)
    assert torch.equal(stereo[:, :1], noise(cls, 4000))
    assert abs(np.corrcoef(stereo[0])[0, 1]) < 0.1


@pytest.mark.parametrize("cls", BOTH)
def test_blocks_give_what_the_whole_does(cls):
    processor, whole, state, blocks = cls(), noise(cls, 1000, 9), None, []
    for size in (0, 1, 499, 0, 500):
        block, state = processor.stream(num_samples=size, state=state, dsp_params={"seed": 9})
        blocks.append(block)
    torch.testing.assert_close(torch.cat(blocks, -1), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("cls", BOTH)
def test_amplitudes(cls):
    processor, values = cls(), {"seed": 2, "amplitude": torch.tensor([0.0, 0.25, 1.0])}
    y = processor(num_samples=2**17, dsp_params=values)
    assert not y[0].any()
    torch.testing.assert_close(y[1], y[2] / 4)
    assert abs(y[2].square().mean().item() - 1 / 3) < {WhiteNoise: 0.002, PinkNoise: 0.03}[cls]
    assert y[2].abs().max() <= {WhiteNoise: 1.0, PinkNoise: 3.0}[cls]
    envelope = torch.linspace(1, 0, 400)[None, None]
    shaped = cls(inlets=("amplitude",))(envelope, dsp_params={"seed": 2, "amplitude": 0.5})
    torch.testing.assert_close(shaped, (0.5 + envelope) * y[2:, :, :400])


@pytest.mark.parametrize("cls, per_octave", [(WhiteNoise, 0.0), (PinkNoise, -10 * np.log10(2))])
def test_spectra_fall_as_they_should(cls, per_octave):
    """Of the mean power of whole octaves, from 20 Hz to 20 kHz."""
    signal = noise(cls, 2**20, torch.arange(4.0))[:, 0].double()
    power = torch.fft.rfft(signal).abs().square().mean(0)
    edges = np.round(20 * 2 ** np.arange(10.5, step=0.5) * 2**20 / RATE).astype(int)
    edges = edges[edges < 20000 / RATE * 2**20]
    density = np.array([power[low:high].mean() for low, high in zip(edges, edges[2:], strict=False)])
    level = 10 * np.log10(density)
    assert np.abs(np.diff(level[::2]) - per_octave).max() < 0.5
    line = np.polyfit(np.arange(len(level)) / 2, level, 1)
    assert abs(line[0] - per_octave) < 0.05
    assert np.abs(level - np.polyval(line, np.arange(len(level)) / 2)).max() < 0.4


def test_pink_is_filtered_white():
    white = noise(WhiteNoise, 2000, torch.tensor([3.0]).double())
    expected = scipy.signal.sosfilt(pink_filter(RATE), white.numpy())
    np.testing.assert_allclose(noise(PinkNoise, 2000, torch.tensor([3.0]).double()), expected, atol=1e-12)


@pytest.mark.parametrize("cls", BOTH)
def test_gradients_go_to_the_amplitude(cls):
    processor = cls()
    raw = {name: value.requires_grad_() for name, value in processor.dsp_to_raw({"amplitude": 0.5}).items()}
    by_seed, by_gain = torch.autograd.grad(processor(num_samples=100, **raw).square().sum(), list(raw.values()))
    assert by_seed.item() == 0
    expected = 2 * 0.5 * noise(cls, 100).square().sum()
    torch.testing.assert_close(by_gain[0, 0], expected)


def test_wrong_use_is_refused():
    with pytest.raises(ParameterError, match="num_channels must be at least 1, not 0"):
        WhiteNoise(0)
    with pytest.raises(ParameterError, match="inlets of PinkNoise must be a tuple of different names among 'a"):
        PinkNoise(inlets=("seed",))
    with pytest.raises(ParameterError, match=r"'amplitude' of WhiteNoise\(num_channels=2\) has 3 channels"):
        WhiteNoise(2, ("amplitude",))(torch.zeros(1, 3, 5), dsp_params={})
    assert WhiteNoise(1, ("amplitude",))(torch.zeros(1, 3, 5), dsp_params={}).shape == (1, 3, 5)
