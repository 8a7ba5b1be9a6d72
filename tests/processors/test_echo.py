import math

import numpy as np
import pytest
import torch
from grafx.processors import DelayLine, DryWet, FeedbackDelay, PingPongDelay
from grafx.processors.base import ParameterError
from scipy import signal

from grafx.data import GRAFX, NodeConfigs
from grafx.render import StreamRenderer

RATE = 8000
SETTINGS = {"time_ms": 12.34, "feedback": -0.8, "low_cut_hz": 100.0, "high_cut_hz": 2000.0}


def double(**settings):
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in settings.items()}


def loop_filter(low, high, rate):
    """Analog prototypes have the same names: a one-pole low-pass and a bilinear high-pass, 3 dB down."""
    w = 2 * np.pi * high / rate
    a = 2 - np.cos(w) - np.sqrt((2 - np.cos(w)) ** 2 - 1)
    b_high, a_high = signal.butter(1, low, "highpass", fs=rate)
    return np.polymul([1 - a], b_high), np.polymul([1, -a], a_high)


def by_loop(x, t, g, b, a):
    """Sample by sample, from the definition."""
    v, y, h, n0, f = (np.zeros(len(x) + 1) for _ in range(3)), None, None, int(t), t - int(t)
    v, y, h = v
    for n in range(len(x)):
        now = v[n - n0] if n >= n0 else 0.0
        before = v[n - n0 - 1] if n >= n0 + 1 else 0.0
        y[n] = (1 - f) * now + f * before
        h[n] = sum(c * y[n - k] for k, c in enumerate(b) if n >= k)
        h[n] -= sum(c * h[n - k] for k, c in enumerate(a) if k and n >= k)
        v[n] = x[n] + g * h[n]
    return y[:-1]


def test_it_is_the_recursion(rng):
    x = rng.standard_normal(1500)
    y = FeedbackDelay(sample_rate=RATE)(torch.from_numpy(x)[None, None], dsp_params=double(**SETTINGS))[0, 0]
    expected = by_loop(x, 12.34 * RATE / 1000, -0.8, *loop_filter(100, 2000, RATE))
    np.testing.assert_allclose(y, expected, atol=1e-8)


def test_without_a_filter_echoes_fall_by_the_feedback():
    x = torch.eye(1, 1000)[None]
    y = FeedbackDelay(damped=False)(x, dsp_params={"time_ms": 100 / 44.1, "feedback": 0.7})[0, 0]
    expected = torch.zeros(1000)
    expected[100::100] = 0.7 ** torch.arange(9)
    torch.testing.assert_close(y, expected, atol=1e-4, rtol=0)


def test_a_long_delay_is_exact():
    x = torch.zeros(1, 1, 200_000)
    x[..., 0] = 1
    y = FeedbackDelay(4000, damped=False)(x, dsp_params={"time_ms": 2000.0, "feedback": 0.5})[0, 0].double()
    at = torch.arange(1, 3) * 88200
    for echo, level in zip(at, (1, 0.5), strict=True):
        near = y[echo - 3 : echo + 4]
        assert near.sum() == pytest.approx(level, abs=1e-5)
        assert (near * torch.arange(-3, 4)).sum().abs() < 0.1


def test_loops_are_never_louder_than_their_feedback(rng):
    """At no setting, in particular at none where the filters meet."""
    delay = FeedbackDelay(sample_rate=RATE)
    raw = {name: torch.from_numpy(20 * rng.standard_normal((500, 1))) for name in delay.parameter_size()}
    whole, _, b, a = delay._design(*raw.values())
    z = np.exp(-1j * np.linspace(0, np.pi, 200))
    above, below = ([np.polyval(row[::-1], z) for row in c.numpy()] for c in (b, a))
    response = np.abs(above) / np.abs(below)
    gain = np.abs(0.995 * np.tanh(raw["z_feedback"].numpy()))
    assert (response <= gain * (1 + 1e-6)).all()
    assert whole.min() >= 2


def test_echoes_go_back_and_forth():
    x = torch.zeros(1, 2, 1000)
    x[..., 0] = 1
    y = PingPongDelay(damped=False)(x, dsp_params={"time_ms": 100 / 44.1, "feedback": 0.7})[0]
    expected = torch.zeros(2, 1000)
    expected[0, 100::200] = 0.7 ** torch.arange(0, 9, 2)
    expected[1, 200::200] = 0.7 ** torch.arange(1, 8, 2)
    torch.testing.assert_close(y, expected, atol=1e-4, rtol=0)


def test_stereo_changes_sides(rng):
    """Two delays that feed each other, sample by sample in blocks of the delay."""
    x, delay, gain = rng.standard_normal((2, 900)), 80, -0.6
    v = np.zeros((2, 900))
    for begin in range(0, 900, delay):
        part = slice(begin, min(begin + delay, 900))
        late = v[::-1, begin - delay : part.stop - delay] if begin else 0
        v[:, part] = x[:, part] + gain * late
    processor = PingPongDelay(damped=False, entrance="stereo")
    y = processor(torch.from_numpy(x)[None], dsp_params=double(time_ms=delay / 44.1, feedback=gain))[0]
    np.testing.assert_allclose(y[:, delay:], v[:, :-delay], atol=1e-9)


def test_a_mono_signal_enters_on_the_left(rng):
    x = torch.from_numpy(rng.standard_normal((2, 1, 700)))
    settings = {"dsp_params": double(time_ms=5.0)}
    torch.testing.assert_close(PingPongDelay()(x, **settings), PingPongDelay()(x.expand(-1, 2, -1), **settings))


@pytest.mark.parametrize("kind", [FeedbackDelay, PingPongDelay])
def test_gradients(kind, rng):
    delay = kind(20, sample_rate=1000)
    x = torch.from_numpy(rng.standard_normal((2, 2, 60))).requires_grad_()
    raw = [torch.from_numpy(0.3 * rng.standard_normal((2, 1))).requires_grad_() for _ in range(4)]
    assert torch.autograd.gradcheck(delay, (x, *raw), fast_mode=True)


def test_time_and_feedback_are_found_by_gradients(rng):
    x = torch.from_numpy(signal.lfilter([1], [1, -0.97], rng.standard_normal((1, 1, 6000))))
    delay = FeedbackDelay(100, damped=False)
    target = delay(x, dsp_params=double(time_ms=30.3, feedback=0.6))
    raw = delay.dsp_to_raw({name: value[None] for name, value in double(time_ms=30.1, feedback=0.3).items()})
    for parameter in raw.values():
        parameter.requires_grad_()
    optimizer = torch.optim.Adam([{"params": [raw["z_time"]], "lr": 1e-3}, {"params": [raw["z_feedback"]], "lr": 2e-2}])
    for _ in range(120):
        optimizer.zero_grad()
        (delay(x, **raw) - target).square().mean().backward()
        optimizer.step()
    found = delay.raw_to_dsp(raw)
    assert found["time_ms"].item() == pytest.approx(30.3, abs=0.02)
    assert found["feedback"].item() == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("kind", [FeedbackDelay, PingPongDelay])
def test_tails_and_least_delays(kind):
    delay = kind(500, damped=False)
    raw = delay.dsp_to_raw({"time_ms": torch.tensor([100.0, 250.0]), "feedback": 0.1}, 2)
    x = torch.ones(2, 1, 1)
    assert delay.min_delay_samples(x, **raw) in (4409, 4410)
    assert delay.tail_samples(**raw) == pytest.approx(4 * 11025, abs=20)


def test_a_cycle_of_a_graph_may_lead_through_it(rng):
    """An echo of an echo that is fed back outside is an echo with more feedback."""
    processors = {"echo": FeedbackDelay(100, damped=False)}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, mix, out = G.add("in"), G.add("mix"), G.add("out")
    echo = G.add("echo", parameters={"time_ms": 1024 / 44.1, "feedback": -0.4})
    for pair in ((source, mix), (mix, echo), (echo, mix), (echo, out)):
        G.connect(*pair)
    x = torch.from_numpy(rng.standard_normal((1, 1, 4096))).float()
    stream = StreamRenderer(G, processors)
    y = torch.cat([stream(block) for block in x.split(500, -1)], -1)
    whole = FeedbackDelay(100, damped=False)(x, dsp_params={"time_ms": 1024 / 44.1, "feedback": 0.6})
    torch.testing.assert_close(y, whole, atol=1e-3, rtol=0)


def test_dry_and_wet(rng):
    x = torch.from_numpy(rng.standard_normal((1, 2, 5000)))
    delay = FeedbackDelay(50)
    mixed = DryWet(delay, external_param=False)
    settings = {"time_ms": 20.0}
    torch.testing.assert_close(
        mixed(x, dsp_params={**settings, "drywet": 0.25}), 0.75 * x + 0.25 * delay(x, dsp_params=settings)
    )


def test_refusals():
    with pytest.raises(ParameterError, match=r"max_time_ms must be a number of more than 1 milliseconds, not 0.5"):
        FeedbackDelay(0.5)
    with pytest.raises(ParameterError, match="not inf"):
        FeedbackDelay(math.inf)
    with pytest.raises(ParameterError, match="entrance must be one of 'mono', 'stereo', not 'both'"):
        PingPongDelay(entrance="both")
    with pytest.raises(ParameterError, match=r"PingPongDelay needs a mono or stereo signal .*\(1, 3, 8\)"):
        PingPongDelay()(torch.zeros(1, 3, 8), dsp_params={})
    with pytest.raises(ParameterError, match="takes no w0_low"):
        FeedbackDelay(damped=False)(torch.zeros(1, 1, 8), *torch.zeros(4, 1, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_times_of_whole_samples_are_as_long(dtype):
    for kind, control, option in ((FeedbackDelay, "time_ms", "max_time_ms"), (DelayLine, "delay_ms", "max_delay_ms")):
        delay = kind(**{option: 500.0})
        for samples in (64, 256, 441, 512, 1000, 4096, 20000):
            time = torch.tensor([[samples * 1000 / 44100]], dtype=dtype)
            raw = delay.dsp_to_raw({control: time}, 1)
            assert delay.min_delay_samples(torch.zeros(1, 1, 1), **raw) == samples
