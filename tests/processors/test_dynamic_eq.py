import numpy as np
import pytest
import torch
from grafx.processors import DynamicEqualizer
from grafx.processors.base import ParameterError
from scipy import signal

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer, StreamRenderer

RATE = 44100
PEAK = {"frequency_hz": 1000.0, "q": 2.0, "attack_ms": 1.0, "release_ms": 100.0}


def decibels(amplitude):
    return 20 * np.log10(amplitude)


def knee(x, width=6.0):
    """A ramp from 0 on, in decibels, along a parabola within half a width."""
    return np.where(np.abs(x) <= width / 2, (x + width / 2) ** 2 / (2 * width), np.maximum(x, 0))


def curve(level, threshold, ratio, most, sign=1):
    """Decibels that a band is changed by at a level in decibels."""
    slope = 1 - 1 / ratio
    over = sign * (level - threshold)
    return np.sign(most) * slope * (knee(over) - knee(over - abs(most) / slope))


def sines(hertz, levels, seconds=0.6):
    """Sines ``(B, 1, L)`` of levels in decibels of their energy."""
    amplitudes = np.sqrt(2) * 10 ** (np.asarray(levels) / 20)
    time = np.arange(int(seconds * RATE)) / RATE
    return torch.from_numpy(amplitudes[:, None, None] * np.sin(2 * np.pi * hertz * time))


def steady_gain(processor, x, settings, **inlets):
    y = processor(x, *inlets.values(), dsp_params=settings)
    late = slice(-x.shape[-1] // 6, None)
    return decibels((y[..., late].norm(dim=-1) / x[..., late].norm(dim=-1))[:, 0].numpy())


@pytest.mark.parametrize("direction, sign", [("above", 1), ("below", -1)])
@pytest.mark.parametrize("ratio, most", [(4.0, -12.0), (20.0, -24.0), (2.0, 9.0)])
@pytest.mark.parametrize("attack_ms, release_ms", [(0.1, 200.0), (20.0, 20.0)])
def test_the_curve_holds_for_sines_at_the_centre_whatever_the_times_are(
    direction, sign, ratio, most, attack_ms, release_ms
):
    levels = np.linspace(-60, -6, 13)
    processor = DynamicEqualizer(1, False, direction, RATE)
    settings = {**PEAK, "threshold_db": -30.0, "ratio": ratio, "range_db": most}
    settings |= {"attack_ms": attack_ms, "release_ms": release_ms}
    found = steady_gain(processor, sines(1000, levels, 0.9), settings)
    np.testing.assert_allclose(found, curve(levels, -30, ratio, most, sign), atol=0.1)


def test_in_the_middle_of_a_ramp_a_decibel_of_ratio_four_is_a_quarter():
    levels = np.array([-24.0, -20.0])
    settings = {**PEAK, "threshold_db": -30.0, "ratio": 4.0, "range_db": -24.0}
    quiet, loud = levels + steady_gain(DynamicEqualizer(1, False), sines(1000, levels), settings)
    assert loud - quiet == pytest.approx(1.0, abs=0.02)


def test_shelves_follow_the_level_far_out():
    processor = DynamicEqualizer(2)
    settings = {"frequency_hz": [500.0, 4000.0], "threshold_db": -30.0, "ratio": 3.0, "range_db": [-9.0, 6.0]}
    levels = np.array([-50.0, -25.0, -10.0])
    settings |= {"attack_ms": 20.0, "release_ms": 20.0}
    low = steady_gain(processor, sines(25, levels, 1.5), settings)
    np.testing.assert_allclose(low, curve(levels, -30, 3, -9), atol=0.15)
    high = steady_gain(processor, sines(19000, levels), settings)
    np.testing.assert_allclose(high, curve(levels, -30, 3, 6), atol=0.25)


def test_static_gains_make_the_filters_of_their_formula():
    settings = {"frequency_hz": [200.0, 1500.0, 6000.0], "q": 3.0, "gain_db": [6.0, -12.0, 9.0], "range_db": 0.0}
    impulse = torch.eye(1, 2**15, dtype=torch.float64)[None]
    found = torch.fft.rfft(DynamicEqualizer(3)(impulse, dsp_params=settings)[0, 0]).numpy()
    z = np.exp(-2j * np.pi * np.arange(2**14 + 1) / 2**15)
    s = (1 - z) / (1 + z + 1e-300)
    g0, g1, g2 = 10 ** (np.array(settings["gain_db"]) / 20)
    t0, t1, t2 = (s / np.tan(np.pi * f / RATE) for f in settings["frequency_hz"])
    expected = (t0 + g0) / (t0 + 1) * (t1**2 + g1 / 3 * t1 + 1) / (t1**2 + t1 / 3 + 1) * (g2 * t2 + 1) / (t2 + 1)
    np.testing.assert_allclose(found[:-1], expected[:-1], atol=1e-4)


def by_loop(x, sections, quarters, settings):
    """Band after band, sample after sample."""
    y = x.copy()
    for k, (sos, quarter) in enumerate(zip(sections, quarters, strict=True)):
        band = signal.sosfilt(sos, x)
        energy = ((band**2 + signal.sosfilt(quarter, band) ** 2) / 2).mean(0)
        alphas = np.exp(-1000 / RATE / np.array([settings["attack_ms"][k], settings["release_ms"][k]]))
        state, smooth = 0.0, np.empty_like(energy)
        for n, e in enumerate(energy):
            alpha = alphas[0] if e >= state else alphas[1]
            state = smooth[n] = alpha * state + (1 - alpha) * e
        level = 10 * np.log10(smooth + 1e-13)
        gain = curve(level, settings["threshold_db"][k], settings["ratio"][k], settings["range_db"][k])
        y = y + (10 ** ((gain + settings["gain_db"][k]) / 20) - 1) * signal.sosfilt(sos, y)
    return y


def test_it_is_the_equation_sample_by_sample(rng):
    x = rng.standard_normal((2, 3000)) * np.exp(-np.arange(3000) / 800)
    settings = {
        "frequency_hz": [300.0, 2000.0],
        "q": [1.0, 4.0],
        "gain_db": [2.0, -3.0],
        "threshold_db": [-25.0, -35.0],
        "ratio": [2.0, 8.0],
        "range_db": [-10.0, 5.0],
        "attack_ms": [1.0, 3.0],
        "release_ms": [20.0, 50.0],
    }
    sections, quarters = [], []
    for hertz, q in zip(settings["frequency_hz"], settings["q"], strict=True):
        w = 2 * np.pi * hertz / RATE
        alpha = np.sin(w) / (2 * q)
        b, a = [alpha, 0, -alpha], [1 + alpha, -2 * np.cos(w), 1 - alpha]
        sections.append(np.array([[*b, *a]]) / a[0])
        c = np.tan(w / 2)
        quarters.append(np.array([[(c - 1) / (c + 1), 1, 0, 1, (c - 1) / (c + 1), 0]]))
    given = {name: torch.tensor(value, dtype=torch.float64) for name, value in settings.items()}
    y = DynamicEqualizer(2, False)(torch.from_numpy(x)[None], dsp_params=given)[0]
    np.testing.assert_allclose(y, by_loop(x, sections, quarters, settings), atol=1e-5)


def test_nothing_happens_without_a_range_and_a_gain(rng):
    x = torch.from_numpy(rng.standard_normal((2, 2, 500))).float()
    y = DynamicEqualizer()(x, dsp_params={"range_db": 0.0})
    torch.testing.assert_close(y, x, atol=1e-6, rtol=0)


def test_another_signal_can_drive_it(rng):
    x, key = sines(1000, [-20.0]), sines(1000, [-10.0])
    settings = {**PEAK, "threshold_db": -30.0, "ratio": 2.0, "range_db": -24.0}
    processor = DynamicEqualizer(1, False, sidechain=True)
    assert steady_gain(processor, x, settings, key=key) == pytest.approx(curve(-10.0, -30, 2, -24), abs=0.1)
    assert steady_gain(processor, x, settings, key=0 * key) == pytest.approx(0, abs=0.01)


def test_gradients(rng):
    processor = DynamicEqualizer(3, sample_rate=2000)
    x = torch.from_numpy(0.5 * rng.standard_normal((1, 2, 40))).requires_grad_()
    raw = {
        name: torch.from_numpy(0.3 * rng.standard_normal((1, *((n,) if isinstance(n, int) else n)))).requires_grad_()
        for name, n in processor.parameter_size().items()
    }
    values = x, *raw.values()
    assert torch.autograd.gradcheck(
        lambda x, *v: processor(x, **dict(zip(raw, v, strict=True))), values, fast_mode=True
    )


def test_threshold_and_range_are_found_by_gradients(rng):
    bursts = np.sin(2 * np.pi * 1000 * np.arange(8000) / RATE) * 10 ** (-np.arange(8000) / 8000 * 2)
    x, processor = torch.from_numpy(bursts)[None, None], DynamicEqualizer(1, False)
    target = processor(x, dsp_params={**PEAK, "threshold_db": -25.0, "range_db": -10.0})
    start = {name: torch.tensor([float(value)]).double() for name, value in PEAK.items()}
    raw = processor.dsp_to_raw({**start, "threshold_db": -32.0, "range_db": -4.0})
    learned = [raw[name].requires_grad_() for name in ("log_threshold", "log_range")]
    optimizer = torch.optim.Adam(learned, lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        (processor(x, **raw) - target).square().mean().backward()
        optimizer.step()
    found = processor.raw_to_dsp(raw)
    assert found["threshold_db"].item() == pytest.approx(-25, abs=0.3)
    assert found["range_db"].item() == pytest.approx(-10, abs=0.3)


def test_refusals():
    with pytest.raises(ParameterError, match="num_bands must be at least 2 with shelving filters, not 1"):
        DynamicEqualizer(1)
    with pytest.raises(ParameterError, match="num_bands must be at least 1, not 0"):
        DynamicEqualizer(0, False)
    for direction in ("up", ("above", "below"), ("above", "up", "below")):
        with pytest.raises(ParameterError, match="direction must be 'above' or 'below', or one of these for each of 3"):
            DynamicEqualizer(3, direction=direction)


def test_in_a_graph_it_is_driven_by_another_track_and_streams(rng):
    processors = {"deq": DynamicEqualizer(3, sidechain=True)}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    bass, kick, out = G.add("in"), G.add("in"), G.add("out")
    duck = G.add("deq", parameters={"threshold_db": [-40.0, -40.0, -40.0], "range_db": [-12.0, 0.0, 0.0]})
    G.connect(bass, duck)
    G.connect(kick, duck, inlet="sidechain")
    G.connect(duck, out)
    x = torch.from_numpy(rng.standard_normal((2, 2, 3000))).float()
    with torch.no_grad():
        whole = Renderer(G, processors)(x)
    alone = processors["deq"](x[:1], x[1:], dsp_params={"threshold_db": -40.0, "range_db": [-12.0, 0.0, 0.0]})
    torch.testing.assert_close(whole, alone, atol=1e-5, rtol=0)
    stream = StreamRenderer(G, processors)
    y = torch.cat([stream(block) for block in x.split(700, -1)], -1)
    torch.testing.assert_close(y, whole, atol=1e-5, rtol=0)
