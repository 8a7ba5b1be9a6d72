import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from grafx.processors.delay.delay import DelayLine, MultitapDelay

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


RATE = 10_000  # ten samples in a millisecond


def hold(*shape, time):
    """A signal of one value."""
    return torch.full(shape, time, dtype=torch.float64)


def test_first_taps_tell_the_least_delay(rng):
    for options in (
        {"zp_filter_per_tap": False},
        {"zp_filter_bins": BINS, "processor_channel": "pseudo_midside"},
        {"zp_filter_bins": BINS, "straight_through": False},
        {"zp_filter_bins": BINS, "num_delay_per_segment": 2, "pre_delay": 7},
    ):
        processor = MultitapDelay(40, 2, **options)
        p = raw(processor, 3, rng)
        x = torch.from_numpy(rng.standard_normal((3, 2, 120)))
        least = processor.min_delay_samples(x, **p)
        impulse = torch.zeros_like(x)
        impulse[..., 0] = 1
        y, _ = processor(impulse, **p)
        sounds = (y.abs() > 1e-9).flatten(0, 1).any(0)
        assert least == sounds.nonzero()[0].item() >= options.get("pre_delay", 0)
    assert least >= 7


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_control_and_a_signal_tell_the_time_in_milliseconds(channels, dtype, rng):
    processor = DelayLine(50, sample_rate=RATE)
    x = rng.standard_normal((2, channels, 601))
    swing = 30 * rng.random((2, 1, 601)) - 5
    delays = [20.0, 3.5]
    tensors = (torch.from_numpy(v).to(dtype) for v in (x, swing))
    y = processor(*tensors, dsp_params={"delay_ms": torch.tensor(delays, dtype=dtype)})
    assert y.dtype == dtype
    for row, delay in enumerate(delays):
        samples = (10 * (delay + swing[row, 0])).clip(0, 500)
        past = np.concatenate([np.zeros((channels, 501)), x[row]], 1)
        expected = [np.interp(np.arange(601) - samples, np.arange(-501, 601), channel) for channel in past]
        np.testing.assert_allclose(y[row], expected, atol=1e-3 if dtype == torch.float32 else 1e-9)


@pytest.mark.parametrize("interpolation", ["linear", "cubic", "allpass"])
def test_a_silent_inlet_leaves_the_delay_constant(interpolation, rng):
    processor = DelayLine(50, interpolation, sample_rate=RATE)
    x = torch.from_numpy(rng.standard_normal((2, 2, 300)))
    p = processor.dsp_to_raw({"delay_ms": [12.34, 0.02]}, like=x)
    y = processor(x, **p)
    torch.testing.assert_close(processor(x, torch.zeros_like(x), **p), y, atol=1e-12, rtol=0)
    torch.testing.assert_close(processor(x, torch.zeros_like(x[:, :1]), **p), y, atol=1e-12, rtol=0)


def test_each_channel_can_have_a_time_of_its_own(rng):
    processor = DelayLine(50, sample_rate=RATE)
    x = torch.from_numpy(rng.standard_normal((1, 1, 300)))
    time = torch.cat([hold(1, 1, 300, time=0.0), hold(1, 1, 300, time=2.0)], 1)
    y = processor(x, time, dsp_params={"delay_ms": 3.0})
    assert y.shape == (1, 2, 300)
    torch.testing.assert_close(y[0, 0, 30:], x[0, 0, :-30], atol=1e-9, rtol=0)
    torch.testing.assert_close(y[0, 1, 50:], x[0, 0, :-50], atol=1e-9, rtol=0)


@pytest.mark.parametrize("interpolation", ["linear", "cubic", "allpass"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_delay_it_is_a_wire(interpolation, dtype, rng):
    processor = DelayLine(interpolation=interpolation)
    x = torch.from_numpy(rng.standard_normal((2, 2, 300))).to(dtype)
    assert torch.equal(processor(x, z_delay=torch.full((2, 1), -1e4)), x)
    y = processor(x, dsp_params={"delay_ms": 0.0})
    torch.testing.assert_close(y, x, atol=2e-3 if dtype == torch.float32 else 1e-9, rtol=0)


def test_the_range_of_the_raw_parameter_is_that_of_the_line():
    processor = DelayLine(80.0)
    assert str(processor.controls["delay_ms"]) == "delay_ms from 0 to 80 ms"
    assert processor.raw_to_dsp({"z_delay": torch.zeros(1, 1)})["delay_ms"].item() == pytest.approx(40)
    ends = processor.dsp_to_raw({"delay_ms": torch.tensor([0.0, 80.0])})["z_delay"]
    assert ends.isfinite().all() and ends.abs().max() < 5
    far = processor.raw_to_dsp({"z_delay": torch.tensor([[-1e30], [1e30]])})["delay_ms"]
    torch.testing.assert_close(far, torch.tensor([-0.8, 80.8]))


def test_an_oscillator_bends_the_pitch():
    """The phase is that of the past; the frequency swings by 2π·rate·depth times what it is, here by 13 %."""
    rate, depth, tone = 5.0, 0.004, 440.0
    time = torch.arange(44100, dtype=torch.float64) / 44100
    swing = depth * torch.sin(2 * torch.pi * rate * time)
    x = torch.sin(2 * torch.pi * tone * time)
    y = DelayLine(interpolation="cubic")(x[None, None], 1000 * swing[None, None], dsp_params={"delay_ms": 20.0})
    expected = torch.sin(2 * torch.pi * tone * (time - 0.02 - swing))
    torch.testing.assert_close(y[0, 0, 1100:], expected[1100:], atol=1e-6, rtol=0)


def test_the_delay_can_be_learned(rng):
    processor = DelayLine(10, "cubic")
    x = torch.from_numpy(np.cumsum(rng.standard_normal((1, 1, 3000)), -1) / 50)
    target = processor(x, dsp_params={"delay_ms": 3.21})
    z = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.03)
    for _ in range(200):
        optimizer.zero_grad()
        (processor(x, z_delay=z) - target).square().mean().backward()
        optimizer.step()
    assert processor.raw_to_dsp({"z_delay": z})["delay_ms"].item() == pytest.approx(3.21, abs=0.02)


@pytest.mark.parametrize("interpolation, ahead", [("linear", 0), ("cubic", 1), ("allpass", 0)])
def test_how_late_a_delay_line_is_at_least(interpolation, ahead):
    processor = DelayLine(50, interpolation, sample_rate=RATE)
    p = processor.dsp_to_raw({"delay_ms": [20.06, 30.0]}, like=torch.zeros(1).double())
    silence = torch.zeros(1, 1, 1)
    assert processor.min_delay_samples(silence, **p) == 200 - ahead
    assert processor.min_delay_samples(silence, silence, **p) == 200 - ahead
    time = hold(2, 1, 9, time=0.0)
    time[0, 0, 4] = -5.0
    assert processor.min_delay_samples(silence, time, **p) == 150 - ahead
    assert processor.min_delay_samples(silence, time - 100, **p) == 0


@pytest.mark.parametrize("interpolation", ["linear", "cubic", "allpass"])
def test_the_tail_is_as_long_as_the_line(interpolation):
    processor = DelayLine(50, interpolation, sample_rate=RATE)
    x = torch.zeros(1, 1, 600).double()
    x[..., 99] = 1
    y = processor(x, hold(1, 1, 600, time=100.0), z_delay=torch.zeros(1, 1))
    assert y[0, 0].abs().argmax() == 599
    assert 500 <= processor.tail_samples(z_delay=torch.zeros(1, 1)) <= 510


def test_misuse_of_a_delay_line_is_explained():
    for longest in (0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match="max_delay_ms must be a positive number of milliseconds, not"):
            DelayLine(longest)
    with pytest.raises(ParameterError, match="Unknown interpolation 'sinc'"):
        DelayLine(interpolation="sinc")
    x = torch.zeros(2, 1, 8)
    with pytest.raises(ParameterError, match=r"DelayLine takes signals .*, not of shape \(8,\)"):
        DelayLine()(x, torch.zeros(8), z_delay=torch.zeros(2, 1))
    for time in (torch.zeros(3, 1, 8), torch.zeros(2, 1, 1)):
        with pytest.raises(ParameterError, match="at the inlet 'time' of DelayLine must be"):
            DelayLine()(x, time, z_delay=torch.zeros(2, 1))
