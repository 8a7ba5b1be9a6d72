import copy
import math
import pickle

import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import (
    LFO,
    SawOscillator,
    SineOscillator,
    SquareOscillator,
    TriangleOscillator,
    WavetableOscillator,
)
from grafx.processors.base import ParameterError
from grafx.processors.core.wavetable import harmonic_counts
from torch.autograd import gradcheck

DOUBLE = torch.float64
RATE = 44100
SHAPES = {
    SawOscillator: lambda cycles: scipy.signal.sawtooth(2 * np.pi * cycles),
    SquareOscillator: lambda cycles: scipy.signal.square(2 * np.pi * cycles),
    TriangleOscillator: lambda cycles: scipy.signal.sawtooth(2 * np.pi * (cycles + 0.25), 0.5),
}
ALL = [SineOscillator, *SHAPES, WavetableOscillator]
FROM_ZERO = {"frequency_hz": (0, 20000), "amplitude": (-1, 1000)}


def tone(cls, hertz, length=RATE, **values):
    pitch = torch.tensor([hertz], dtype=DOUBLE)
    return cls()(num_samples=length, dsp_params={"frequency_hz": pitch, **values})[0, 0]


def strongest(signal):
    """The frequency of the highest peak of a spectrum, in Hz, between its bins."""
    window = torch.hann_window(len(signal), dtype=signal.dtype)
    level = torch.fft.rfft(signal * window).abs().clamp(min=1e-9).log()
    k = level.argmax().item()
    a, b, c = level[k - 1 : k + 2].tolist()
    return (k + (a - c) / (2 * (a - 2 * b + c))) * RATE / len(signal)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("hertz", [20.0, 440.0, 2345.6, 9000.0])
def test_the_pitch_is_right(cls, hertz):
    assert abs(strongest(tone(cls, hertz)) - hertz) < 0.02


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (DOUBLE, 1e-9)])
def test_sines_are_sines(dtype, tolerance):
    values = {"frequency_hz": [220.0, 5000.0], "phase_cycles": [0.0, 0.75], "amplitude": [1.0, 0.3]}
    values = {name: torch.tensor(value, dtype=dtype) for name, value in values.items()}
    y = SineOscillator()(num_samples=1000, dsp_params=values)
    assert y.shape == (2, 1, 1000) and y.dtype == dtype
    f, p, a = (value.double().numpy()[:, None] for value in values.values())
    expected = a * np.sin(2 * np.pi * (p + f * np.arange(1000) / RATE))
    np.testing.assert_allclose(y[:, 0], expected, atol=100 * tolerance if dtype == torch.float32 else tolerance)


@pytest.mark.parametrize("cls", SHAPES)
def test_waveforms_are_those_of_scipy_away_from_jumps(cls):
    """All begin at the phase 0 as scipy has them, and the triangle as a sine does."""
    y = tone(cls, 30.0, 3000, phase_cycles=0.1, amplitude=0.5)
    cycles = 0.1 + 30.0 * np.arange(3000) / RATE
    far = np.abs((2 * cycles + 0.5) % 1 - 0.5) > 0.05
    np.testing.assert_allclose(y[far], 0.5 * SHAPES[cls](cycles)[far], atol=0.005)


# --- Aliasing


def spectrum(signal):
    """Amplitudes of sines, from one second: a bin for each hertz."""
    return torch.fft.rfft(signal.double()).abs() / RATE * 2


@pytest.mark.parametrize("cls", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("hertz", [53, 113, 439, 881, 1759, 3527, 10007])
def test_there_are_no_aliases(cls, dtype, hertz):
    """Primes, so that no alias meets a harmonic of the ideal, which is a sum of sines."""
    modulated = cls(inlets=("frequency",), param_range=FROM_ZERO)
    constant = torch.full((1, 1, RATE), hertz, dtype=dtype)
    amplitudes = spectrum(modulated(constant, dsp_params={"frequency_hz": 0.0, "phase_cycles": 0.1})[0, 0])
    harmonic = torch.arange(len(amplitudes)) % hertz == 0
    aliases, wanted = amplitudes[~harmonic].square().sum(), amplitudes[harmonic].square().sum()
    assert 10 * torch.log10(aliases / wanted) < -115
    below = torch.arange(hertz, int(22050 * 2 ** (-2 / 12)), hertz)
    k = below / hertz
    ideal = {
        SawOscillator: 2 / (math.pi * k),
        SquareOscillator: 4 / (math.pi * k) * (k % 2),
        TriangleOscillator: 8 / (math.pi * k).square() * (k % 2),
    }[cls]
    torch.testing.assert_close(amplitudes[below], ideal[: len(below)].double(), rtol=1e-4, atol=2e-6)


def test_sampled_waveforms_have_aliases():
    """Aliases that the tests above would find."""
    amplitudes = spectrum(torch.from_numpy(SHAPES[SawOscillator](1759 * np.arange(RATE) / RATE)))
    harmonic = torch.arange(len(amplitudes)) % 1759 == 0
    assert -15 < 10 * torch.log10(amplitudes[~harmonic].square().sum() / amplitudes[harmonic].square().sum()) < -10


@pytest.mark.parametrize("cls", [*SHAPES, WavetableOscillator])
def test_above_half_the_sample_rate_there_is_silence_and_below_zero_the_wave_runs_backwards(cls):
    oscillator = cls(inlets=("frequency",), param_range=FROM_ZERO)
    hertz = torch.tensor([22060.0, 44000.0, 1e9, -30000.0], dtype=DOUBLE)
    y = oscillator(hertz[:, None, None].expand(-1, 1, 200), dsp_params={"frequency_hz": 0.0, "phase_cycles": 0.2})
    assert y.abs().max() < 1e-12
    there, back = oscillator(
        torch.tensor([300.0, -300.0], dtype=DOUBLE)[:, None, None].expand(-1, 1, 200), dsp_params={"frequency_hz": 0.0}
    )
    torch.testing.assert_close(back, -there, rtol=0, atol=1e-9)


def test_a_sine_above_half_the_sample_rate_sounds_below():
    oscillator = SineOscillator(("frequency",), param_range=FROM_ZERO)
    y = oscillator(torch.full((1, 1, 100), RATE - 1000.0, dtype=DOUBLE), dsp_params={"frequency_hz": 0.0})
    expected = -np.sin(2 * np.pi * 1000 * np.arange(100) / RATE)
    np.testing.assert_allclose(y[0, 0], expected, atol=1e-9)


@pytest.mark.parametrize("cls", SHAPES)
def test_sweeps_have_no_aliases_and_no_clicks(cls):
    """From 2 to 9 kHz in a second: below the sweep there is nothing."""
    oscillator = cls(inlets=("frequency",), param_range=FROM_ZERO)
    sweep = torch.linspace(2000, 9000, RATE, dtype=DOUBLE)
    y = oscillator(sweep[None, None], dsp_params={"frequency_hz": 0.0})[0, 0]
    window = torch.blackman_window(RATE, dtype=DOUBLE)
    levels = torch.fft.rfft(y * window).abs()
    assert levels[50:1500].max() < 1e-5 * levels.max()


# --- Modulation


def modulation(*shape):
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cls", ALL)
def test_frequency_modulation_sums_the_frequency(cls):
    oscillator = cls(inlets=("frequency",))
    by = 300 * modulation(2, 3, 500).cumsum(-1).sin()
    f, p = torch.tensor([500.0, 1200.0], dtype=DOUBLE), torch.tensor([0.0, 0.3], dtype=DOUBLE)
    y = oscillator(by, dsp_params={"frequency_hz": f, "phase_cycles": p})
    hertz = f[:, None, None].numpy() + by.numpy()
    cycles = p[:, None, None].numpy() + np.concatenate([np.zeros((2, 3, 1)), hertz.cumsum(-1)[..., :-1]], -1) / RATE
    np.testing.assert_allclose(y, of_cycles(cls, cycles, hertz / RATE), atol=3e-5)


def of_cycles(cls, cycles, increment):
    """The documented sum of harmonics, for each sample."""
    if cls in (SineOscillator, WavetableOscillator):
        return np.sin(2 * np.pi * cycles)
    counts = np.array(harmonic_counts(1024))
    total = np.zeros_like(cycles)
    for k in range(1, 1025):
        highest = counts[np.searchsorted(counts, k)]
        x = np.clip((0.5 / np.abs(increment) / highest - 1) / (2 ** (1 / 12) - 1), 0, 1)
        weight = {
            SawOscillator: -2 / (np.pi * k),
            SquareOscillator: 4 / (np.pi * k) * (k % 2),
            TriangleOscillator: 8 / (np.pi * k) ** 2 * np.sin(np.pi * k / 2),
        }[cls]
        total += weight * (3 * x**2 - 2 * x**3) * np.sin(2 * np.pi * k * cycles)
    return total


def test_chowning():
    """Side bands of frequency modulation are Bessel functions of its index."""
    oscillator = SineOscillator(("frequency",), param_range=FROM_ZERO)
    modulator = SineOscillator(param_range=FROM_ZERO)
    index, hertz = 2.5, 300
    swing = modulator(
        num_samples=RATE,
        dsp_params={
            "frequency_hz": torch.tensor([hertz], dtype=DOUBLE),
            "phase_cycles": 0.25,
            "amplitude": index * hertz,
        },
    )
    amplitudes = spectrum(oscillator(swing, dsp_params={"frequency_hz": 4000.0})[0, 0])
    expected = np.abs(scipy.special.jv(range(8), index))
    np.testing.assert_allclose(amplitudes[4000 : 4000 + 8 * hertz : hertz], expected, atol=1e-3)
    np.testing.assert_allclose(amplitudes[4000 - 7 * hertz : 4001 : hertz].flip(0), expected, atol=1e-3)


@pytest.mark.parametrize("cls", ALL)
def test_phase_modulation_adds_cycles(cls):
    oscillator = cls(inlets=("phase",))
    by = 0.02 * modulation(1, 2, 400).cumsum(-1).sin()
    y = oscillator(by, dsp_params={"frequency_hz": torch.tensor([1500.0], dtype=DOUBLE), "phase_cycles": 0.1})
    cycles = 0.1 + 1500 * np.arange(400) / RATE + by.numpy()
    increment = 1500 / RATE + np.diff(by.numpy(), prepend=by[..., :1].numpy())
    np.testing.assert_allclose(y, of_cycles(cls, cycles, increment), atol=3e-5)


@pytest.mark.parametrize("cls", ALL)
def test_amplitude_modulation_adds_to_the_amplitude(cls):
    by = modulation(2, 2, 300)
    values = {"frequency_hz": torch.tensor([440.0, 880.0], dtype=DOUBLE)}
    full = cls()(num_samples=300, dsp_params=values)
    y = cls(inlets=("amplitude",))(by, dsp_params={**values, "amplitude": torch.tensor([0.0, 0.6])})
    amplitude = torch.tensor([0.0, 0.6], dtype=DOUBLE)[:, None, None] + by
    torch.testing.assert_close(y, amplitude * full)


@pytest.mark.parametrize("cls", ALL)
def test_silence_at_all_inlets_changes_nothing(cls):
    inlets = ("amplitude", "frequency", "phase")
    plain = cls()(num_samples=300, dsp_params={"frequency_hz": [300.0, 5000.0]})
    silent = cls(inlets=inlets)(*torch.zeros(3, 2, 1, 300), dsp_params={"frequency_hz": [300.0, 5000.0]})
    torch.testing.assert_close(silent, plain, rtol=0, atol=1e-6)


def test_one_channel_goes_with_several():
    y = SineOscillator(("frequency", "amplitude"))(modulation(2, 1, 50), modulation(2, 3, 50), dsp_params={})
    assert y.shape == (2, 3, 50)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_no_samples_and_one(cls, dtype):
    like = torch.ones(1, dtype=dtype)
    for length in (0, 1):
        y = cls()(num_samples=length, dsp_params={"frequency_hz": 440 * like, "phase_cycles": 0.25})
        assert y.shape == (1, 1, length) and y.dtype == dtype
        inlets = [torch.zeros(1, 2, length, dtype=dtype) for _ in range(3)]
        y, _ = cls(inlets=("phase", "amplitude", "frequency")).stream(*inlets, dsp_params={})
        assert y.shape == (1, 2, length)


@pytest.mark.parametrize("cls", ALL)
def test_extreme_signals_stay_finite(cls):
    oscillator = cls(inlets=("frequency", "phase"))
    extremes = torch.tensor([0.0, -0.0, 1e-38, 1e38, -1e38, 1e9, -20.0, 22050.0, 44100.0], requires_grad=True)
    for other in (0.0, 1e6):
        frequency, phase = extremes[None, None], torch.full((1, 1, 9), other, requires_grad=True)
        y = oscillator(frequency, phase, dsp_params={})
        assert y.isfinite().all() and y.abs().max() < 1.5
        assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), (extremes, phase)))


# --- Gradients, views and streams


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("inlets", [(), ("frequency",), ("phase", "amplitude", "frequency")])
def test_gradients(cls, inlets):
    oscillator = cls(inlets=inlets, sample_rate=1000)
    raw = {name: modulation(2, 1).add(i).requires_grad_() for i, name in enumerate(oscillator.parameter_size())}
    scale = {"frequency": 30.0, "phase": 0.02, "amplitude": 1.0}
    signals = [(scale[name] * modulation(2, 2, 20)).requires_grad_() for name in inlets]
    length = {} if inlets else {"num_samples": 20}

    def run(*tensors):
        values = dict(zip(raw, tensors[: len(raw)], strict=True))
        return oscillator(*tensors[len(raw) :], **values, **length)

    assert gradcheck(run, (*raw.values(), *signals), eps=1e-7, atol=1e-4)


def test_a_frequency_is_found_by_descent():
    target = tone(SineOscillator, 441.0, 400)
    raw = {name: torch.zeros(1, 1, dtype=DOUBLE) for name in ("z_frequency", "phase", "gain")}
    raw["gain"] += 0.5
    parameters = [value.requires_grad_() for value in raw.values()]
    optimizer = torch.optim.LBFGS(parameters, max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = (SineOscillator()(num_samples=400, **raw)[0, 0] - target).square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    found = SineOscillator().raw_to_dsp(raw)
    assert abs(found["frequency_hz"].item() - 441) < 1e-3 and abs(found["amplitude"].item() - 1) < 1e-4


def test_the_batch_is_as_large_as_the_values():
    oscillator = SineOscillator()
    assert oscillator(num_samples=5, dsp_params={}).shape == (1, 1, 5)
    assert oscillator(num_samples=5, dsp_params={"frequency_hz": [1000.0, 2000.0, 3000.0]}).shape == (3, 1, 5)
    assert oscillator(num_samples=5, norm_params=torch.rand(4, 3)).shape == (4, 1, 5)
    raw = oscillator.dsp_to_raw({"phase_cycles": torch.rand(2, dtype=DOUBLE)})
    assert oscillator(num_samples=5, **raw).dtype == DOUBLE


def test_all_views_stream():
    oscillator = SawOscillator()
    values = {"frequency_hz": torch.tensor([100.0, 3000.0])}
    whole = oscillator(num_samples=100, dsp_params=values)
    for view in (
        {"dsp_params": values},
        {"norm_params": oscillator.dsp_to_norm(values)},
        oscillator.dsp_to_raw(values),
    ):
        first, state = oscillator.stream(num_samples=33, **view)
        second, _ = oscillator.stream(num_samples=67, state=state, **view)
        torch.testing.assert_close(torch.cat([first, second], -1), whole, rtol=0, atol=1e-4)


def test_a_stream_follows_parameters_that_change():
    oscillator = SineOscillator()
    _, state = oscillator.stream(num_samples=100, dsp_params={"frequency_hz": torch.tensor([441.0]).double()})
    second, _ = oscillator.stream(
        num_samples=100,
        state=state,
        dsp_params={"frequency_hz": torch.tensor([882.0]).double(), "phase_cycles": 0.25},
    )
    cycles = 1 + 0.25 + np.arange(100) * 882 / RATE
    np.testing.assert_allclose(second[0, 0], np.sin(2 * np.pi * cycles), atol=1e-9)


def test_gradients_cross_the_borders_of_blocks():
    oscillator, by = SawOscillator(("phase", "frequency")), modulation(2, 1, 1, 60) * 0.02
    raw = {name: torch.full((1, 1), 0.3, dtype=DOUBLE, requires_grad=True) for name in oscillator.parameter_size()}
    by.requires_grad_()
    weights, blocks, state = modulation(60), [], None
    for block in by.split([20, 1, 39], -1):
        y, state = oscillator.stream(*block, state=state, **raw)
        blocks.append(y)
    leaves = [by, *raw.values()]
    gradients = torch.autograd.grad((torch.cat(blocks, -1) * weights).sum(), leaves)
    torch.testing.assert_close(gradients, torch.autograd.grad((oscillator(*by, **raw) * weights).sum(), leaves))


# --- Wavetables


def test_a_wavetable_is_what_its_samples_say():
    """At a frequency of one cycle per table, samples come out as they went in, but for what is at half the rate."""
    table = torch.randn(32, generator=torch.Generator().manual_seed(0))
    table -= torch.fft.irfft(torch.fft.rfft(table) * (torch.arange(17) >= 13), 32)
    oscillator = WavetableOscillator(table, sample_rate=32 * 400)
    y = oscillator(num_samples=64, dsp_params={"frequency_hz": 400.0})[0, 0]
    torch.testing.assert_close(y, table.repeat(2), rtol=0, atol=2e-4)


@pytest.mark.parametrize("size", [1, 2, 3, 64, 65])
def test_wavetables_of_any_length(size):
    n = torch.arange(size)
    table = 0.5 + (torch.sin(2 * math.pi * n / size) if size > 2 else 0 * n)
    y = WavetableOscillator(table)(num_samples=1000, dsp_params={"frequency_hz": 500.0})[0, 0]
    swing = np.sin(2 * np.pi * 500 / RATE * np.arange(1000)) if size > 2 else 0
    np.testing.assert_allclose(y, 0.5 + swing, atol=1e-4)


def test_the_default_wavetable_has_the_basic_waveforms():
    oscillator = WavetableOscillator()
    order = SineOscillator, TriangleOscillator, SawOscillator, SquareOscillator
    for position, cls in enumerate(order):
        values = {"frequency_hz": torch.tensor([300.0], dtype=DOUBLE)}
        y = oscillator(num_samples=500, dsp_params={**values, "position": position / 3})
        torch.testing.assert_close(y, cls()(num_samples=500, dsp_params=values), rtol=0, atol=1e-5)


def test_positions_move_with_a_signal():
    tables = torch.stack([torch.sin(2 * math.pi * k * torch.arange(64) / 64) for k in (1, 2, 3)])
    oscillator = WavetableOscillator(tables, ("position",))
    sweep = torch.linspace(-0.2, 1.2, 700, dtype=DOUBLE)
    y = oscillator(sweep[None, None], dsp_params={"frequency_hz": 700.0, "position": 0.0})[0, 0]
    sines = np.sin(2 * np.pi * 700 / RATE * np.arange(700) * np.arange(1, 4)[:, None])
    weights = np.stack([np.interp(2 * sweep, range(3), row) for row in np.eye(3)])
    np.testing.assert_allclose(y, (weights * sines).sum(0), atol=1e-4)


def test_one_waveform_has_no_position():
    oscillator = WavetableOscillator(torch.rand(16))
    assert "position" not in oscillator.controls
    with pytest.raises(ParameterError, match="inlets of WavetableOscillator must be a tuple of different names among"):
        WavetableOscillator(torch.rand(16), ("position",))


def test_tables_that_are_none_are_refused():
    for table in (torch.rand(2, 3, 4), torch.rand(0), torch.rand(3, 0), torch.rand(4) * 1j):
        with pytest.raises(ParameterError, match="tables must be one cycle of each waveform"):
            WavetableOscillator(table)


# --- LFO


@pytest.mark.parametrize("waveform", ["sine", "triangle", "saw", "square"])
def test_slow_waves(waveform):
    values = {"rate_hz": torch.tensor([5.0], dtype=DOUBLE), "phase_cycles": 0.1, "depth": 0.5, "offset": 0.25}
    y = LFO(waveform, sample_rate=1000)(num_samples=2000, dsp_params=values)[0, 0]
    t = 2 * np.pi * (0.1 + 5 * np.arange(2000) / 1000)
    wave = {
        "sine": np.sin(t),
        "triangle": scipy.signal.sawtooth(t + np.pi / 2, 0.5),
        "saw": scipy.signal.sawtooth(t),
        "square": scipy.signal.square(t),
    }[waveform]
    off = np.abs(y.numpy() - (0.25 + 0.5 * wave))
    assert y.min() >= -0.25 and y.max() <= 0.75
    assert np.quantile(off, 0.97) < 1e-9 and (off > 1e-9).sum() <= {"saw": 20, "square": 40}.get(waveform, 0)


def test_rates_of_an_lfo():
    rate = LFO().controls["rate_hz"]
    assert (rate.low, rate.high, rate.scale) == (0.01, 20.0, "log")
    slowest = LFO()(num_samples=RATE, dsp_params={"rate_hz": torch.tensor([0.01], dtype=DOUBLE)})
    torch.testing.assert_close(slowest[0, 0, -1].item(), math.sin(2 * math.pi * 0.01 * (RATE - 1) / RATE))


def test_unknown_waveforms_are_refused():
    with pytest.raises(ParameterError, match="waveform must be one of 'sine', 'triangle', 'saw', 'square', not 'ramp'"):
        LFO("ramp")


# --- Wrong use


@pytest.mark.parametrize("inlets", ["frequency", ("pitch",), ("phase", "phase")])
def test_unknown_inlets_are_refused(inlets):
    with pytest.raises(ParameterError, match="inlets of SineOscillator must be a tuple of different names among 'freq"):
        SineOscillator(inlets)


def test_the_length_comes_from_one_place():
    with pytest.raises(ParameterError, match=r"SineOscillator\(inlets=\(\)\) has no inlet: give num_samples"):
        SineOscillator()(dsp_params={})
    with pytest.raises(ParameterError, match="is as long as its inlets: leave num_samples out"):
        SineOscillator(("phase",))(torch.zeros(1, 1, 5), num_samples=5, dsp_params={})
    with pytest.raises(ParameterError, match="other numbers of channels: 2 at 'phase', 3 at 'amplitude'"):
        SineOscillator(("phase", "amplitude"))(torch.zeros(1, 2, 5), torch.zeros(1, 3, 5), dsp_params={})


def test_oscillators_are_modules_as_others():
    """Copied, pickled and converted; what can be computed again is not saved."""
    for cls in ALL:
        oscillator = cls()
        y = oscillator(num_samples=50, dsp_params={})
        for copied in (
            copy.deepcopy(oscillator),
            pickle.loads(pickle.dumps(oscillator)),
            cls().double(),
            cls().float(),
        ):
            torch.testing.assert_close(copied(num_samples=50, dsp_params={}), y)
        assert not oscillator.state_dict()


@pytest.mark.parametrize("cls", ALL)
def test_compiles(cls):
    torch._dynamo.reset()
    oscillator = cls(inlets=("frequency",))
    raw = oscillator.dsp_to_raw({"frequency_hz": [300.0, 2000.0]})
    by = modulation(2, 1, 64).float()
    compiled = torch.compile(oscillator, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(by, **raw), oscillator(by, **raw))
