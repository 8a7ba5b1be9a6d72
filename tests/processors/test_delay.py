import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.delay import MultitapDelay

BINS = 4


def impulse_response(delay_z, log_magnitude, channels, segments, taps, segment_len):
    """The filters of one node, tap by tap."""
    h = np.zeros((channels, segments * segment_len))
    z = (delay_z[:, 0] + 1j * delay_z[:, 1]).reshape(channels, segments, taps)
    log_magnitude = log_magnitude.reshape(channels, segments, taps, BINS)
    for c, m, p in np.ndindex(channels, segments, taps):
        delay = round(-np.angle(z[c, m, p]) * segment_len / (2 * np.pi)) % segment_len
        color = np.fft.fftshift(np.fft.irfft(np.exp(log_magnitude[c, m, p]), 2 * BINS - 1))
        color *= scipy.signal.get_window("hann", 2 * BINS - 1)
        impulse = np.zeros(segment_len)
        impulse[delay] = 1
        h[c, m * segment_len : (m + 1) * segment_len] += np.convolve(impulse, color)[BINS - 1 : BINS - 1 + segment_len]
    return h


def raw(processor, batch, rng):
    return {
        name: torch.from_numpy(rng.standard_normal((batch, *shape)))
        for name, shape in processor.parameter_size().items()
    }


@pytest.mark.parametrize(
    "processor_channel, channels", [("mono", 1), ("stereo", 2), ("midside", 2), ("pseudo_midside", 2)]
)
@pytest.mark.parametrize("segments, taps, pre_delay", [(3, 1, 0), (2, 3, 5), (1, 1, 1)])
def test_taps_are_laid_end_to_end(processor_channel, channels, segments, taps, pre_delay, rng):
    processor = MultitapDelay(31, segments, taps, processor_channel, zp_filter_bins=BINS, pre_delay=pre_delay)
    p, x = raw(processor, 2, rng), rng.standard_normal((2, 2, 120))
    y, intermediates = processor(torch.from_numpy(x), **p)
    for b in range(2):
        h = impulse_response(p["delay_z"][b].numpy(), p["log_fir_magnitude"][b].numpy(), channels, segments, taps, 31)
        if processor_channel == "pseudo_midside":
            h = np.stack([h[0] + h[1], h[0] - h[1]])
        h = np.pad(h, ((0, 0), (pre_delay, 0))) / np.sqrt((h**2).sum() / channels)
        l, r = x[b]
        if processor_channel == "midside":
            m, s = np.convolve((l + r) / 2, h[0]), np.convolve((l - r) / 2, h[1])
            expected = np.stack([m + s, m - s])
        else:
            expected = np.stack([np.convolve(l, h[0]), np.convolve(r, h[-1])])
        np.testing.assert_allclose(y[b], expected[:, :120], atol=1e-6)
    z = p["delay_z"]
    expected = ((1 - torch.tanh(z.norm(dim=-1))) ** 2).sum()
    torch.testing.assert_close(intermediates["radii_reg"], expected)


def test_uncoloured_taps_are_impulses(rng):
    processor = MultitapDelay(50, 4, processor_channel="mono", zp_filter_per_tap=False)
    assert processor.parameter_size() == {"delay_z": (4, 2)}
    delays = np.array([0, 17, 30, 49])
    angle = torch.from_numpy(-2 * np.pi * delays / 50)
    z = torch.stack((angle.cos(), angle.sin()), -1)[None]
    impulse = torch.zeros(1, 1, 200).double()
    impulse[..., 0] = 1
    y, _ = processor(impulse, z)
    expected = np.zeros(200)
    expected[delays + 50 * np.arange(4)] = 0.5
    np.testing.assert_allclose(y[0, 0], expected, atol=1e-12)


def test_default_shapes():
    processor = MultitapDelay()
    assert processor.parameter_size() == {"delay_z": (40, 2), "log_fir_magnitude": (40, 20)}
    assert not processor.state_dict()


def test_gradients_without_the_straight_through_estimator(rng):
    processor = MultitapDelay(9, 2, 2, zp_filter_bins=3, straight_through=False, normalize_gradients=False)
    p = raw(processor, 2, rng)
    x = torch.from_numpy(rng.standard_normal((2, 2, 13))).requires_grad_()

    def wet_and_loss(x, *values):
        y, intermediates = processor(x, *values)
        return y, intermediates["radii_reg"]

    assert torch.autograd.gradcheck(wet_and_loss, (x, *(v.requires_grad_() for v in p.values())))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [-1e4, -1e-7, 0.0, 1e4])
def test_extreme_parameters_are_finite(value, dtype, rng):
    processor = MultitapDelay(300, 3)
    p = {
        name: torch.full((1, *shape), value, dtype=dtype, requires_grad=True)
        for name, shape in processor.parameter_size().items()
    }
    x = torch.from_numpy(rng.standard_normal((1, 2, 1000))).to(dtype).requires_grad_()
    y, intermediates = processor(x, **p)
    (y.square().sum() + intermediates["radii_reg"]).backward()
    assert y.dtype == dtype
    for tensor in (y, x.grad, *(v.grad for v in p.values())):
        assert torch.isfinite(tensor).all()


def test_misuse_is_explained():
    with pytest.raises(ParameterError, match="'left'"):
        MultitapDelay(processor_channel="left")
    processor = MultitapDelay(10, 2, processor_channel="midside", zp_filter_per_tap=False)
    with pytest.raises(ParameterError, match="stereo signal"):
        processor(torch.zeros(1, 1, 8), torch.ones(1, 4, 2))
    with pytest.raises(ParameterError, match="needs log_fir_magnitude"):
        MultitapDelay(10, 2)(torch.zeros(1, 2, 8), torch.ones(1, 4, 2))
    with pytest.raises(ParameterError, match="takes no log_fir_magnitude"):
        processor(torch.zeros(1, 2, 8), torch.ones(1, 4, 2), torch.ones(1, 4, 20))


@pytest.mark.parametrize("zp_filter_per_tap", [False, True])
@pytest.mark.parametrize("straight_through", [False, True])
def test_surrogate_options_reach_the_delay(zp_filter_per_tap, straight_through, rng):
    def respond(**options):
        processor = MultitapDelay(30, 2, processor_channel="mono", zp_filter_per_tap=zp_filter_per_tap, **options)
        p = {name: value.requires_grad_() for name, value in raw(processor, 1, np.random.default_rng(2)).items()}
        impulse = torch.zeros(1, 1, 60).double()
        impulse[..., 0] = 1
        y, intermediates = processor(impulse, **p)
        (y * torch.linspace(-1, 1, 60)).sum().backward()
        return y[0, 0].detach(), intermediates["radii_reg"], p["delay_z"].grad

    y, loss, gradient = respond(straight_through=straight_through)
    if not zp_filter_per_tap:
        # One impulse in each segment, or energy everywhere.
        assert (y.reshape(2, 30).abs() > 1e-6).sum(1).tolist() == ([1, 1] if straight_through else [30, 30])
    assert loss > 0
    torch.testing.assert_close(gradient.square().sum(-1), torch.ones_like(gradient[..., 0]), rtol=1e-3, atol=1e-3)
    y_plain, no_loss, plain = respond(straight_through=straight_through, radii_loss=False, normalize_gradients=False)
    assert no_loss == 0
    torch.testing.assert_close(y_plain, y)
    torch.testing.assert_close(plain / plain.norm(dim=-1, keepdim=True), gradient, rtol=1e-3, atol=1e-3)
