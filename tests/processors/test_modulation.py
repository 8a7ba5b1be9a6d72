import math

import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import (
    LFO,
    AutoPan,
    Chorus,
    Flanger,
    Phaser,
    RingModulator,
    RotarySpeaker,
    SawOscillator,
    Tremolo,
    Vibrato,
)
from grafx.processors.base import ParameterError

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer, StreamRenderer

RATE = 44100
DOUBLE = torch.float64
STILL = {"depth_ms": 0.0}
EXTERNAL = [Chorus, Flanger, Phaser, Vibrato, Tremolo, AutoPan]


def noise(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def wave(kind, phase):
    """One of those that have no jumps."""
    phase = np.asarray(phase)
    return np.sin(2 * np.pi * phase) if kind == "sine" else 2 / np.pi * np.arcsin(np.sin(2 * np.pi * phase))


def at(x, places):
    """A signal between its samples, and silence before them."""
    return np.interp(places, np.arange(-1, len(x)), [0.0, *x], left=0.0)


def impulse(length):
    return torch.eye(1, length, dtype=DOUBLE)[None]


@pytest.mark.parametrize("kind", ["sine", "triangle"])
@pytest.mark.parametrize("voices", [1, 3])
def test_chorus_is_a_sum_of_moving_delays(kind, voices, rng):
    x = noise(rng, 2, 2, 3000)
    rates, depths, delays = (3.0, 7.0), (4.0, 9.0), (12.0, 10.0)
    values = {"rate_hz": rates, "depth_ms": depths, "delay_ms": delays, "mix": (0.3, 1.0)}
    shared = {"phase_cycles": 0.2, "spread_cycles": 0.3}
    y = Chorus(voices, kind)(x, dsp_params={k: torch.tensor(v, dtype=DOUBLE) for k, v in values.items()} | shared)
    n = np.arange(3000)
    for b, c in np.ndindex(2, 2):
        taps = [
            at(
                x[b, c].numpy(),
                n - 44.1 * (delays[b] + depths[b] * wave(kind, n * rates[b] / RATE + 0.2 + 0.3 * c + v)),
            )
            for v in np.arange(voices) / voices
        ]
        mix = values["mix"][b]
        expected = (1 - mix) * x[b, c].numpy() + mix * sum(taps) / math.sqrt(voices)
        np.testing.assert_allclose(y[b, c], expected, atol=1e-7)


def test_delay_of_a_chorus_ends_at_zero(rng):
    x = noise(rng, 1, 1, 2000)
    values = {"rate_hz": 20, "depth_ms": 10.0, "delay_ms": 1.0, "mix": 1.0}
    y = Chorus()(x, dsp_params=values)
    times = np.maximum(44.1 * (1 + 10 * np.sin(2 * np.pi * 20 * np.arange(2000) / RATE)), 0)
    np.testing.assert_allclose(y[0, 0], at(x[0, 0].numpy(), np.arange(2000) - times), atol=1e-6)


@pytest.mark.parametrize("feedback", [0.9, -0.6, 0.0])
def test_flanger_is_a_loop_around_a_moving_delay(feedback, rng):
    x = noise(rng, 1, 2, 2000)
    values = {"rate_hz": 9.0, "delay_ms": 2.0, "depth_ms": 3.0, "feedback": feedback, "mix": 0.4, "spread_cycles": 0.25}
    y = Flanger()(x, dsp_params=values)
    for c in range(2):
        v, expected = np.zeros(2001), []
        for n in range(2000):
            t = max(1.0, 44.1 * (2 + 3 * np.sin(2 * np.pi * (9 * n / RATE + 0.25 * c))))
            tap = at(v[:n], n - t)
            v[n] = x[0, c, n] + feedback * tap
            expected.append(0.6 * x[0, c, n] + 0.4 * tap)
        np.testing.assert_allclose(y[0, c], expected, atol=1e-6)


@pytest.mark.parametrize("feedback", [0.0, 0.7, -0.7])
def test_flanger_that_stands_still_is_a_comb(feedback):
    milliseconds, mix = 100 / 44.1, 0.5  # 100 samples
    values = {**STILL, "delay_ms": milliseconds, "feedback": feedback, "mix": mix}
    found = torch.fft.rfft(Flanger()(impulse(2**14), dsp_params=values)[0, 0]).numpy()
    z = np.exp(-2j * np.pi * np.arange(2**13 + 1) / 2**14 * 100)
    np.testing.assert_allclose(found, 1 - mix + mix * z / (1 - feedback * z), atol=1e-4)
    if feedback == 0:
        notches = scipy.signal.find_peaks(-np.abs(found))[0] * RATE / 2**14
        np.testing.assert_allclose(notches, RATE / 200 * np.arange(1, 100, 2), atol=2 * RATE / 2**14)


def pitch_in_cents(y, hertz):
    phase = np.unwrap(np.angle(scipy.signal.hilbert(y)))
    return 1200 * np.log2(np.gradient(phase)[4000:-4000] * RATE / (2 * np.pi) / hertz)


@pytest.mark.parametrize("kind, rate, cents", [("sine", 5.0, 20.0), ("sine", 1.5, 100.0), ("triangle", 3.0, 50.0)])
def test_vibrato_is_as_deep_as_it_says(kind, rate, cents):
    time = torch.arange(3 * RATE, dtype=DOUBLE) / RATE
    x = torch.sin(2 * torch.pi * 2000 * time)[None, None]
    y = Vibrato(kind, "cubic")(x, dsp_params={"rate_hz": rate, "depth_cents": cents})[0, 0].numpy()
    pitch = pitch_in_cents(y[RATE // 2 :], 2000)
    high, low = np.quantile(pitch, [0.995, 0.005])
    stretch = 2 ** (cents / 1200) - 1
    assert abs(high - cents) <= 0.03 * cents
    assert abs(low - 1200 * math.log2(1 - stretch)) <= 0.03 * cents
    spectrum = np.abs(np.fft.rfft((pitch - pitch.mean()) * np.hanning(len(pitch)), 2**20))
    assert abs(np.argmax(spectrum) * RATE / 2**20 / rate - 1) < 0.02


def test_a_vibrato_that_is_too_slow_for_its_line_stays_finite(rng):
    x = noise(rng, 1, 1, 4000).requires_grad_()
    raw = {"log_rate": -1e30, "z_depth": 1e30, "phase": 0.3, "spread": 0.0}
    leaves = {name: torch.full((1, 1), value, dtype=DOUBLE).requires_grad_() for name, value in raw.items()}
    y = Vibrato()(x, **leaves)
    y.square().sum().backward()
    assert y.isfinite().all() and all(leaf.grad.isfinite().all() for leaf in (x, *leaves.values()))


@pytest.mark.parametrize("depth", [0.0, 6.0, 40.0])
@pytest.mark.parametrize("kind", ["sine", "triangle", "square", "saw"])
def test_tremolo_is_as_deep_as_it_says(kind, depth):
    y = Tremolo(kind)(torch.ones(1, 1, RATE, dtype=DOUBLE), dsp_params={"rate_hz": 4.0, "depth_db": depth})[0, 0]
    level = 20 * torch.log10(y)
    assert level.max() == pytest.approx(0, abs=0.02) and level.min() == pytest.approx(-depth, abs=0.2)


@pytest.mark.parametrize("rate", [0.7, 5.0, 12.3])
def test_rate_and_phase_are_those_of_the_output(rate):
    x = torch.ones(1, 2, 10 * RATE, dtype=DOUBLE)
    values = {"rate_hz": rate, "depth_db": 6.0, "phase_cycles": 0.3, "spread_cycles": 0.5}
    y = Tremolo()(x, dsp_params=values)[0]
    wave = y - y.mean(-1, keepdim=True)
    padded = torch.fft.rfft(wave[0] * torch.hann_window(10 * RATE, dtype=DOUBLE), 2**22).abs()
    assert abs(padded.argmax().item() * RATE / 2**22 / rate - 1) < 0.01
    half, seconds = (1 - 10 ** (-6 / 20)) / 2, torch.arange(10 * RATE, dtype=DOUBLE) / RATE
    for c in range(2):
        expected = 1 - half * (1 - torch.sin(2 * torch.pi * (rate * seconds + 0.3 + 0.5 * c)))
        torch.testing.assert_close(y[c], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", ["sine", "triangle", "saw", "square"])
@pytest.mark.parametrize("channels", [1, 2])
def test_auto_pan_keeps_the_power(kind, channels):
    x = torch.ones(1, channels, RATE, dtype=DOUBLE)
    y = AutoPan(kind)(x, dsp_params={"rate_hz": 3.0, "depth": 1.0})
    assert y.shape == (1, 2, RATE)
    torch.testing.assert_close(y.square().sum(1), torch.full((1, RATE), 2.0, dtype=DOUBLE))
    assert y[0].amin() == pytest.approx(0, abs=1e-2) and y[0].amax() == pytest.approx(2**0.5, abs=1e-3)
    still = AutoPan(kind)(x, dsp_params={"depth": 0.0})
    torch.testing.assert_close(still, torch.ones(1, 2, RATE, dtype=DOUBLE))


def test_auto_pan_goes_to_the_right_first():
    y = AutoPan()(torch.ones(1, 1, RATE), dsp_params={"rate_hz": 1.0, "depth": 1.0})[0]
    assert y[1, RATE // 4] == pytest.approx(2**0.5, abs=1e-3) and y[0, 3 * RATE // 4] == pytest.approx(2**0.5, abs=1e-3)


@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
def test_ring_modulator_is_a_product(mix):
    time = torch.arange(8192, dtype=DOUBLE) / RATE
    x = torch.cos(2 * torch.pi * 1000 * time)[None, None]
    y = RingModulator()(x, dsp_params={"frequency_hz": 300.0, "phase_cycles": 0.25, "mix": mix})
    sides = (torch.cos(2 * torch.pi * 1300 * time) + torch.cos(2 * torch.pi * 700 * time)) / 2
    torch.testing.assert_close(y[0, 0], (1 - mix) * x[0, 0] + mix * sides, rtol=0, atol=1e-6)


def test_ring_modulator_by_a_saw_is_a_product(rng):
    x = noise(rng, 1, 2, 1000)
    saw = SawOscillator()(num_samples=1000, dsp_params={"frequency_hz": torch.tensor([700.0], dtype=DOUBLE)})
    values = {"frequency_hz": 700.0, "mix": 1.0}
    y = RingModulator("saw")(x, dsp_params=values)
    torch.testing.assert_close(y, saw * x, rtol=0, atol=1e-6)
    outer = RingModulator(external=True)(x, saw, dsp_params={"mix": 1.0})
    torch.testing.assert_close(outer, saw * x, rtol=0, atol=1e-6)


@pytest.mark.parametrize("effect", EXTERNAL)
def test_a_node_at_the_inlet_is_the_lfo(effect, rng):
    x = noise(rng, 2, 1 if effect is AutoPan else 2, 4000)
    lfo = LFO()(num_samples=4000, dsp_params={"rate_hz": torch.tensor([3.0, 5.0], dtype=DOUBLE), "phase_cycles": 0.1})
    own = {"rate_hz": torch.tensor([3.0, 5.0], dtype=DOUBLE), "phase_cycles": 0.1}
    others = {}
    if effect is Vibrato:  # whose depth has another unit
        others = {"depth_ms": (2 ** (50 / 1200) - 1) / (2 * math.pi * own["rate_hz"]) * 1000}
        own["depth_cents"] = 50.0
    expected = effect()(x, dsp_params=own)
    torch.testing.assert_close(effect(external=True)(x, lfo, dsp_params=others), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("effect", [*EXTERNAL, RingModulator, RotarySpeaker])
def test_nodes_drive_it_in_a_graph(effect, rng):
    member = effect(external=True)
    processors = {"lfo": LFO(), "effect": member}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, lfo, node = G.add("in"), G.add("lfo", parameters={"rate_hz": 2.0}), G.add("effect", parameters={})
    alone = G.add("effect", parameters={})  # silence at its second inlet
    G.connect(source, node)
    G.connect(source, alone)
    G.connect(lfo, node, inlet=member.inlets[1])
    for each in (node, alone):
        G.connect(each, G.add("out"))
    x = noise(rng, 1, 1, 3000).float()
    y = Renderer(G, processors)(x).detach()
    swing = LFO()(num_samples=3000, dsp_params={"rate_hz": 2.0})
    for row, second in zip(y, (swing, torch.zeros_like(swing)), strict=True):
        torch.testing.assert_close(row[None], member(x, second, dsp_params={}), rtol=1e-5, atol=1e-5)
    stream = StreamRenderer(G, processors)
    parts = torch.cat([stream(block) for block in x.split(700, -1)], -1)
    torch.testing.assert_close(parts, y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("effect", [Chorus, Flanger, Phaser, Tremolo, Vibrato, AutoPan, RingModulator, RotarySpeaker])
def test_it_streams_for_long_without_a_drift(effect):
    """The phase is exact, so that an LFO in a stream is the one of the whole after many blocks."""
    processor, x = effect(), torch.randn(1, 2, 20000, generator=torch.Generator().manual_seed(0))
    whole, state, parts = processor(x, dsp_params={}), None, []
    for block in x.split(97, -1):
        part, state = processor.stream(block, state=state, dsp_params={})
        parts.append(part)
    assert (torch.cat(parts, -1) - whole).norm() <= 1e-5 * whole.norm()


def test_rate_may_change_from_block_to_block():
    processor, x, state, parts = Tremolo(), torch.ones(1, 1, 10000, dtype=DOUBLE), None, []
    for rate in (2.0, 7.0):
        part, state = processor.stream(x, state=state, dsp_params={"rate_hz": rate, "depth_db": 40.0})
        parts.append(part)
    y = torch.cat(parts, -1)[0, 0]
    assert y.diff().abs().max() < 2 * 7.0 * 2 * math.pi / RATE / 2  # no jump


@pytest.mark.parametrize("effect", [Chorus, Flanger, Phaser, Tremolo, AutoPan])
def test_unknown_waveforms_are_refused(effect):
    with pytest.raises(
        ParameterError, match="waveform must be one of 'sine', 'triangle', 'saw', 'square', not 'sinus'"
    ):
        effect(waveform="sinus")


def test_refusals():
    with pytest.raises(ParameterError, match="waveform must be one of 'sine', 'triangle', not 'saw'"):
        Vibrato("saw")
    with pytest.raises(ParameterError, match=r"num_voices must be at least 1.*not 0"):
        Chorus(0)
    with pytest.raises(ParameterError, match="1 with an external LFO, which has one phase; not 2"):
        Chorus(2, external=True)
    with pytest.raises(ParameterError, match="Unknown interpolation 'sinc'"):
        Chorus(interpolation="sinc")
    x = torch.zeros(1, 3, 10)
    with pytest.raises(ParameterError, match=r"\(1, 2, 10\) at the inlet 'lfo' of Tremolo must have one channel"):
        Tremolo(external=True)(x, torch.zeros(1, 2, 10), dsp_params={})
    with pytest.raises(ParameterError, match=r"AutoPan takes signals of one or two channels.*\(1, 3, 10\)"):
        AutoPan()(x, dsp_params={})
    with pytest.raises(ParameterError, match=r"\(1, 2, 10\) at the inlet 'carrier' of RingModulator must have one"):
        RingModulator(external=True)(x, torch.zeros(1, 2, 10), dsp_params={})
    with pytest.raises(ParameterError, match=r"\(1, 2, 10\) at the inlet 'lfo' of Chorus|needs a signal for each"):
        Chorus(external=True)(x, dsp_params={})


def test_all_feedback_is_below_one():
    for processor in (Flanger(), Phaser()):
        raw = {name: torch.zeros(4, 1) for name in processor.parameter_size()}
        raw["z_feedback"] = torch.tensor([[-1e30], [-5.0], [30.0], [1e30]])
        feedback = processor.raw_to_dsp(raw)["feedback"]
        assert (feedback.abs() <= 0.98 + 1e-6).all()
        x = torch.randn(4, 1, 30000, generator=torch.Generator().manual_seed(0))
        assert processor(x, **raw).abs().max() < 60


def test_sine_at_the_inlet_of_a_chorus_takes_gradients():
    """Through the moving delay, to the LFO that drives it."""
    lfo, chorus, x = LFO(), Chorus(external=True), torch.randn(1, 1, 2000, dtype=DOUBLE)
    raw = {name: v.requires_grad_() for name, v in lfo.dsp_to_raw({"rate_hz": 5.0}, 1, x).items()}
    chorus(x, lfo(num_samples=2000, **raw), dsp_params={}).square().sum().backward()
    assert raw["log_rate"].grad.abs() > 0 and raw["gain"].grad.abs() > 0
