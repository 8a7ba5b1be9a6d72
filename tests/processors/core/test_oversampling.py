import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.oversampling import FACTORS, check_factor, oversampled, oversampling_latency
from grafx.processors.core.streaming import block_by_block, with_past
from scipy.signal import lfilter

DOUBLED = FACTORS[1:]


def delay(samples):
    return lambda x: with_past(x, samples)[..., : x.shape[-1]]


def in_time(function, x, factor, latency=0):
    """The output without its latency."""
    late = oversampling_latency(factor, latency)
    padded = torch.nn.functional.pad(x, (0, late))
    return oversampled(function, padded, factor, latency)[..., late:]


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("latency", [0, 1, 2, 3])
def test_the_passband_is_passed_in_time(factor, latency):
    impulse = torch.zeros(1, 1, 2**11, dtype=torch.float64)
    impulse[..., 2**10] = 1
    y = in_time(delay(latency), impulse, factor, latency)[0, 0].roll(-(2**10))
    spectrum = torch.fft.rfft(y)
    passed = int(0.45 * 2**11)
    torch.testing.assert_close(spectrum[:passed], torch.ones_like(spectrum[:passed]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("factor", DOUBLED)
def test_images_and_aliases_are_removed(factor):
    """White noise in, and at the higher rate; what ends where it should not be is 100 dB down."""
    seen = []
    t = torch.arange(2**12, dtype=torch.float64)
    x = sum(torch.cos(2 * torch.pi * (f * t + f**2)) for f in np.linspace(0.01, 0.45, 45))[None, None]
    oversampled(lambda v: seen.append(v) or v, x, factor)
    window = torch.signal.windows.kaiser(seen[0].shape[-1] - 1000 * factor, beta=16, dtype=torch.float64)
    high = torch.fft.rfft(seen[0][0, 0, 500 * factor : -500 * factor] * window).abs()
    image = int(0.551 * 2 / factor * len(high))
    assert high[image:].max() < 1.3e-5 * high.max()

    t = torch.arange(factor * 2**12, dtype=torch.float64) / factor
    tones = sum(torch.cos(2 * torch.pi * (f * t + f**2)) for f in np.linspace(0.551, factor / 2, 97))[None, None]
    y = oversampled(lambda v: tones, torch.zeros(1, 1, 2**12, dtype=torch.float64), factor)[0, 0, 500:-500]
    spectrum = torch.fft.rfft(y * torch.hann_window(len(y), dtype=torch.float64)).abs() / len(y) * 4
    assert spectrum[: int(0.449 * len(y))].max() < 3e-5


@pytest.mark.parametrize("factor", DOUBLED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_blocks_are_late_by_what_is_said(factor, dtype, rng):
    x = torch.tensor(rng.normal(size=(2, 2, 700)), dtype=dtype)
    for latency in (0, 1):

        def curve(v, latency=latency):
            return torch.tanh(delay(latency)(v))

        late, state, blocks = oversampling_latency(factor, latency), None, []
        for block in torch.nn.functional.pad(x, (0, late)).split([0, 1, 5, 300, 0, 394 + late], -1):
            with block_by_block(state) as after:
                blocks.append(oversampled(curve, block, factor, latency))
            state = after()
        torch.testing.assert_close(
            torch.cat(blocks, -1)[..., late:], in_time(curve, x, factor, latency), atol=2e-6, rtol=0
        )


def test_a_filter_at_twice_the_rate_is_that_of_scipy(rng):
    """Half of a recursion's slowness at twice the rate: the low band of both is alike."""
    x = np.zeros(4096)
    x[100] = 1
    b, a = [0.01], [1, -0.99]
    twice = in_time(lambda v: torch.tensor(lfilter(b, a, v.numpy())), torch.tensor(x)[None, None], 2)[0, 0]
    response = np.fft.rfft(twice.numpy())[:400]
    z = np.exp(1j * np.pi * np.arange(400) / 4096)
    expected = 0.01 / (1 - 0.99 / z) / z**200
    np.testing.assert_allclose(response, expected, atol=2e-4)


def test_gradients_reach_the_signal(rng):
    x = torch.tensor(rng.normal(size=(1, 1, 30)), requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: in_time(torch.tanh, x, 4), x)


@pytest.mark.parametrize("factor", [0, 3, 16, 2.5, None])
def test_other_factors_are_refused(factor):
    with pytest.raises(ParameterError, match="oversampling must be one of 1, 2, 4, 8, not"):
        check_factor(factor)
