"""Gains of two factors, against loops over frames and samples, and formulas in decibels."""

import math

import numpy as np
import pytest
import torch
from grafx.processors import Compressor, FactorizedCompressor, FactorizedNoiseGate, NoiseGate
from grafx.processors.base import ParameterError

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer, StreamRenderer

RATE = 44100
COMPRESSOR = {
    "threshold_db": -30.0,
    "ratio": 3.0,
    "knee_db": 6.0,
    "attack_ms": 4.0,
    "release_ms": 30.0,
    "makeup_db": 2.0,
    "transient_threshold_db": -15.0,
    "transient_ratio": 8.0,
    "transient_knee_db": 4.0,
    "transient_attack_ms": 0.05,
    "transient_release_ms": 5.0,
}
GATE = {
    "threshold_db": -40.0,
    "range_db": -50.0,
    "knee_db": 5.0,
    "attack_ms": 2.0,
    "release_ms": 20.0,
    "transient_threshold_db": -30.0,
    "transient_knee_db": 4.0,
    "transient_attack_ms": 0.05,
    "transient_release_ms": 5.0,
}
STEADY = {"attack_ms": 0.5, "release_ms": 20.0}


def frames_alone(settings):
    return {name: value for name, value in settings.items() if not name.startswith("transient_")}


def of_transients(settings):
    return {name.removeprefix("transient_"): v for name, v in settings.items() if name.startswith("transient_")}


def ramp(over, width):
    return np.where(np.abs(over) < width / 2, (over + width / 2) ** 2 / (2 * width), np.maximum(over, 0))


def compression_db(level, p):
    return (1 / p["ratio"] - 1) * ramp(level - p["threshold_db"], p["knee_db"])


def closed(level, p):
    """Closing of a gate, from 0 to 1."""
    t = np.clip((level - p["threshold_db"]) / p["knee_db"] + 0.5, 0, 1)
    return np.where(t < 0.5, 1 - 2 * t**2, 2 * (1 - t) ** 2)


def ballistics(energies, p, rate):
    attack, release = (math.exp(-1000 / (p[name] * rate)) for name in ("attack_ms", "release_ms"))
    state, found = 0.0, []
    for energy in energies:
        alpha = attack if energy >= state else release
        state = alpha * state + (1 - alpha) * energy
        found.append(state)
    return np.array(found)


def decibels(energies):
    return 10 * np.log10(np.asarray(energies) + 1e-13)


def frame_gain(x, p, hop, gain_db):
    """A loop over samples: each on the line between the gains of the two frames before."""
    energies = [np.mean(x[:, k : k + hop] ** 2) for k in range(0, x.shape[1] - hop + 1, hop)]
    smoothed = [0.0, 0.0, *ballistics(energies, p, RATE / hop)]
    gains = 10 ** (gain_db(decibels(smoothed), p) / 20)
    found = np.empty(x.shape[1])
    for n in range(x.shape[1]):
        k, i = divmod(n, hop)
        found[n] = gains[k] + (i + 1) / hop * (gains[k + 1] - gains[k])
    return found


def signal(rng, length=1000, channels=2):
    steps = 10 ** rng.uniform(-3, 0, size=length // 100)
    return rng.normal(size=(channels, length)) * steps.repeat(100)


@pytest.mark.parametrize("hop", [1, 16, 64])
@pytest.mark.parametrize("transients", [True, False])
def test_a_compressor_follows_a_loop(hop, transients, rng):
    x = signal(rng)
    gain = frame_gain(x, COMPRESSOR, hop, compression_db)
    if transients:
        p = of_transients(COMPRESSOR)
        level = decibels(ballistics(np.mean((gain * x) ** 2, 0), p, RATE))
        gain = gain * 10 ** (compression_db(level, p) / 20)
    settings = COMPRESSOR if transients else frames_alone(COMPRESSOR)
    y = FactorizedCompressor(RATE, hop=hop, transients=transients)(torch.tensor(x)[None], dsp_params=settings)
    np.testing.assert_allclose(y[0], 10 ** (2 / 20) * gain * x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("hop", [1, 16, 64])
@pytest.mark.parametrize("transients", [True, False])
def test_a_gate_follows_a_loop(hop, transients, rng):
    x = signal(rng)
    gain = frame_gain(x, GATE, hop, lambda level, p: p["range_db"] * closed(level, p))
    if transients:
        p = of_transients(GATE)
        gain = gain ** closed(decibels(ballistics(np.mean(x**2, 0), p, RATE)), p)
    settings = GATE if transients else frames_alone(GATE)
    y = FactorizedNoiseGate(RATE, hop=hop, transients=transients)(torch.tensor(x)[None], dsp_params=settings)
    np.testing.assert_allclose(y[0], gain * x, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("transients", [True, False])
@pytest.mark.parametrize("knee", ["hard", "quadratic", "exponential"])
def test_the_static_curve_of_a_compressor_is_that_of_both_in_series(knee, transients, dtype):
    level = np.linspace(-80, 0, 400)
    x = torch.tensor(10 ** (level / 20), dtype=dtype)[:, None, None].expand(-1, 1, 3000)
    settings = {**COMPRESSOR, **STEADY, "knee_db": 1.0, "transient_knee_db": 1.0}
    processor = FactorizedCompressor(RATE, knee_type=knee, transients=transients)
    y = processor(x, dsp_params=settings if transients else frames_alone(settings))[:, 0, -1]

    def gain_db(level, p):
        over = level - p["threshold_db"]
        sharpness = math.exp(p["knee_db"])
        bends = {
            "hard": np.maximum(over, 0),
            "quadratic": ramp(over, p["knee_db"]),
            "exponential": np.logaddexp(0, sharpness * over) / sharpness,
        }
        return (1 / p["ratio"] - 1) * bends[knee]

    expected = level + gain_db(level, settings)
    if transients:
        expected = expected + gain_db(expected, of_transients(settings))
    np.testing.assert_allclose(20 * torch.log10(y.double()), expected + 2, atol=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("knee", ["hard", "quadratic"])
def test_the_static_curve_of_a_gate_is_open_where_either_is(knee, dtype):
    level = np.linspace(-80.05, 0, 400)
    x = torch.tensor(10 ** (level / 20), dtype=dtype)[:, None, None].expand(-1, 1, 3000)
    settings = {**GATE, **STEADY, "transient_threshold_db": -41.0}
    y = FactorizedNoiseGate(RATE, knee_type=knee)(x, dsp_params=settings)[:, 0, -1]

    def part(p):
        return (level <= p["threshold_db"]) * 1.0 if knee == "hard" else closed(level, p)

    expected = level - 50 * part(settings) * part(of_transients(settings))
    np.testing.assert_allclose(20 * torch.log10(y.double()), expected, atol=0.01)


@pytest.mark.parametrize("kind", ["compressor", "gate"])
def test_with_short_frames_it_is_that_of_samples(kind, rng):
    """Two samples late."""
    x = torch.tensor(signal(rng))[None]
    if kind == "compressor":
        settings = frames_alone(COMPRESSOR)
        whole, factorized = (
            Compressor(style="desk", sample_rate=RATE),
            FactorizedCompressor(RATE, hop=1, transients=False),
        )
    else:
        settings = frames_alone(GATE)
        whole = NoiseGate(style="desk", sample_rate=RATE, knee_type="quadratic")
        factorized = FactorizedNoiseGate(RATE, hop=1, transients=False)
    gain, late = (p(x, dsp_params=settings) / x for p in (whole, factorized))
    torch.testing.assert_close(late[..., 1:], gain[..., :-1], rtol=1e-5, atol=1e-6)


def test_frames_sound_as_samples_do(rng):
    """For times that are long against a frame, and energies that move smoothly."""
    time = np.arange(RATE) / RATE
    x = torch.tensor(rng.choice([-0.5, 0.5], size=(1, 1, RATE)) * np.exp(-6 * (time % 0.25)))
    settings = {"threshold_db": -30.0, "ratio": 4.0, "attack_ms": 20.0, "release_ms": 100.0}
    y = [
        processor(x, dsp_params=settings)
        for processor in (Compressor(style="desk", sample_rate=RATE), FactorizedCompressor(RATE, transients=False))
    ]
    gains = [20 * torch.log10((v / x).abs()) for v in y]
    assert (gains[0] - gains[1]).abs().mean() < 0.1


def test_frames_read_noise_lower_unless_attack_and_release_are_the_same(rng):
    x = torch.tensor(rng.normal(size=(1, 1, RATE)))
    for attack, low, high in ((100.0, -0.1, 0.1), (20.0, 2.0, 3.2), (1.0, 5.0, 7.0)):
        settings = {"threshold_db": -60.0, "ratio": 20.0, "attack_ms": attack, "release_ms": 100.0}
        processors = Compressor(style="desk", sample_rate=RATE), FactorizedCompressor(RATE, transients=False)
        gains = [20 * torch.log10((p(x, dsp_params=settings) / x).abs())[..., RATE // 2 :].mean() for p in processors]
        assert low < (gains[1] - gains[0]) / 0.95 < high


def test_the_factor_of_samples_catches_what_frames_miss():
    x = torch.full((1, 1, 4000), 0.01)
    x[..., 2000:] = 1.0
    settings = {"threshold_db": -20.0, "ratio": 4.0, "attack_ms": 10.0, "transient_threshold_db": -10.0}
    slow = FactorizedCompressor(RATE, transients=False)(x, dsp_params=frames_alone(settings))
    fast = FactorizedCompressor(RATE)(x, dsp_params=settings)
    assert slow[..., 2010:2048].min() > 0.99 and fast[..., 2010:2048].max() < 0.4
    gate = {"threshold_db": -20.0, "range_db": -60.0, "transient_threshold_db": -15.0, "transient_attack_ms": 0.01}
    slow = FactorizedNoiseGate(RATE, transients=False)(x, dsp_params=frames_alone(gate))
    fast = FactorizedNoiseGate(RATE)(x, dsp_params=gate)
    assert slow[..., 2000:2048].max() < 0.1 and fast[..., 2002:2048].min() > 0.99


def test_it_looks_at_nothing_to_come(rng):
    x = torch.tensor(signal(rng))[None]
    changed = x.clone()
    changed[..., 500:] *= 2
    for kind, settings in ((FactorizedCompressor, COMPRESSOR), (FactorizedNoiseGate, GATE)):
        a, b = (kind(RATE, hop=32)(v, dsp_params=settings) for v in (x, changed))
        assert torch.equal(a[..., :500], b[..., :500]) and kind.latency_samples == 0


def test_one_gain_serves_all_channels_and_follows_a_sidechain(rng):
    x, key = torch.tensor(rng.normal(size=(1, 2, 800))), torch.tensor(signal(rng, 800, 3))[None]
    for kind, settings in ((FactorizedCompressor, COMPRESSOR), (FactorizedNoiseGate, GATE)):
        y = kind(RATE, sidechain=True)(x, key, dsp_params=settings)
        gains = y / x
        torch.testing.assert_close(gains[:, 0], gains[:, 1])
        alone = kind(RATE)(key, dsp_params=settings) / key
        torch.testing.assert_close(gains[:, 0], alone[:, 0])


@pytest.mark.parametrize("sidechain", [False, True])
def test_in_a_graph_it_runs_in_blocks(sidechain, rng):
    processors = {
        "compressor": FactorizedCompressor(RATE, sidechain=sidechain, hop=50),
        "gate": FactorizedNoiseGate(RATE, hop=30),
    }
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, gate, out = G.add("in"), G.add("gate", parameters=GATE), G.add("out")
    compressor = G.add("compressor", parameters=COMPRESSOR)
    for pair in ((source, gate), (gate, compressor), (compressor, out)):
        G.connect(*pair)
    if sidechain:
        G.connect(source, compressor, inlet="sidechain")
    x = torch.tensor(signal(rng)[None], dtype=torch.float32)
    stream = StreamRenderer(G, processors)
    y = torch.cat([stream(block) for block in x.split([1, 49, 51, 300, 599], -1)], -1)
    torch.testing.assert_close(y, Renderer(G, processors)(x), rtol=1e-4, atol=1e-6)


def descend(processor, x, wanted, steps, start=None):
    """Settings that make ``x`` into what is wanted, from others on."""
    logits = torch.logit(processor.dsp_to_norm(start or {}, 1, x).clamp(0.02, 0.98)).requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.1, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=0.001)
    for _ in range(steps):
        y = processor(x, norm_params=logits.sigmoid())
        loss = (20 * torch.log10((y / wanted).abs() + 1e-12)).square().mean().sqrt()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return processor.norm_to_dsp(logits.detach().sigmoid()), loss.item()


def strokes(rng, decay=0.003, length=RATE // 4, count=8):
    time = np.arange(length)
    x = np.zeros(length)
    for stroke in range(count):
        since = time - stroke * length // count
        x += 10 ** rng.uniform(-1, 0) * np.where(since >= 0, np.exp(-decay * np.maximum(since, 0)), 0)
    return torch.tensor(x * rng.uniform(0.5, 1, size=length) * rng.choice([-1, 1], size=length))[None, None]


@pytest.mark.slow
def test_settings_of_a_compressor_are_found_by_gradients(rng):
    x = strokes(rng)
    asked = {
        **{"threshold_db": -32.0, "ratio": 3.0, "attack_ms": 8.0, "release_ms": 60.0, "knee_db": 4.0},
        **{"transient_threshold_db": -18.0, "transient_ratio": 6.0, "transient_attack_ms": 0.3},
    }
    processor = FactorizedCompressor(RATE, makeup=False)
    found, loss = descend(processor, x, processor(x, dsp_params=asked), 300)
    assert loss < 0.1
    for name, tolerance in (("threshold_db", 1.0), ("transient_threshold_db", 1.0)):
        assert abs(found[name].item() - asked[name]) < tolerance, found
    for name in ("ratio", "transient_ratio", "attack_ms", "release_ms"):
        assert abs(math.log(found[name].item() / asked[name])) < 0.2, found


@pytest.mark.slow
def test_settings_of_a_gate_are_found_by_gradients(rng):
    """From a threshold that closes it now and then: one that is always open has no slope."""
    x = strokes(rng, decay=0.01)
    asked = {"threshold_db": -28.0, "range_db": -24.0, "knee_db": 4.0, "attack_ms": 3.0, "release_ms": 20.0}
    processor = FactorizedNoiseGate(RATE, transients=False)
    found, loss = descend(processor, x, processor(x, dsp_params=asked), 300, {"threshold_db": -24.0, "knee_db": 6.0})
    assert loss < 0.3
    assert abs(found["threshold_db"].item() - asked["threshold_db"]) < 1.0, found
    assert abs(found["range_db"].item() - asked["range_db"]) < 1.0, found


def test_controls_are_those_of_the_desk_and_those_of_transients():
    frame = set(Compressor(style="desk", sample_rate=RATE).controls)
    assert set(FactorizedCompressor(transients=False).controls) == frame
    assert set(FactorizedCompressor(makeup=False).controls) == (frame | {f"transient_{n}" for n in frame}) - {
        "makeup_db",
        "transient_makeup_db",
    }
    gate = set(NoiseGate(style="desk", sample_rate=RATE).controls)
    assert set(FactorizedNoiseGate().controls) == gate | {f"transient_{n}" for n in gate - {"range_db"}}
    smoothed = FactorizedCompressor(smooth_type="iir").controls
    assert {"smoothing_ms", "transient_smoothing_ms"} < set(smoothed)


@pytest.mark.slow
def test_it_compiles(rng):
    x = torch.tensor(rng.normal(size=(2, 2, 300)), dtype=torch.float32)
    for processor in (FactorizedCompressor(), FactorizedNoiseGate()):
        raw = {
            name: torch.tensor(rng.normal(size=(2, size)), dtype=torch.float32)
            for name, size in processor.parameter_size().items()
        }
        compiled = torch.compile(processor, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x, **raw), processor(x, **raw))


def test_refusals():
    with pytest.raises(ParameterError, match="hop is the number of samples of a frame and must be at least 1, not 0"):
        FactorizedCompressor(hop=0)
    with pytest.raises(ParameterError, match=r"knee_type must be one of 'hard', 'quadratic', 'exponential'"):
        FactorizedCompressor(knee_type="soft")
    with pytest.raises(ParameterError, match=r"knee_type must be one of 'hard', 'quadratic', not 'exponential'"):
        FactorizedNoiseGate(knee_type="exponential")
    with pytest.raises(ParameterError, match="smooth_type must be one of 'iir', 'ballistics', not 'rms'"):
        FactorizedCompressor(smooth_type="rms")
    with pytest.raises(ParameterError, match="transient_ratio is 200"):
        FactorizedCompressor()(torch.zeros(1, 1, 9), dsp_params={"transient_ratio": 200.0})
    with pytest.raises(ParameterError, match="needs transient_log_threshold"):
        FactorizedNoiseGate()(torch.zeros(1, 1, 9), *[torch.zeros(1, 1)] * 3, torch.zeros(1, 2))
