"""Sines of −40 to 0 dB through all dynamics, in each style, against the curve that their controls promise."""

import math

import numpy as np
import pytest
import torch
from grafx.processors import (
    ApproxCompressor,
    ApproxNoiseGate,
    Compressor,
    DeEsser,
    DynamicEqualizer,
    Expander,
    FactorizedCompressor,
    FactorizedNoiseGate,
    Limiter,
    MultiBandCompressor,
    MultiBandExpander,
    MultiBandLimiter,
    MultiBandNoiseGate,
    NoiseGate,
    TransientShaper,
    desk,
    dynamics,
)

RATE, PERIOD, LENGTH, STEADY = 44100, 42, 13230, 4200  # in samples
LEVELS = np.arange(-40.0, 0.1, 4)
SINE_DB = 10 * math.log10(0.5)  # energy of a sine of amplitude 1
GRAFX_FLOOR, KNEES = 1e-5, ("hard", "quadratic", "exponential")
# Attack and release are as long as each other, so that the energy is that of all samples.
MS, SHORTER_MS = 20.0, {"transient": 5.0, "fast": 10.0}
LONG_ATTACK = {"attack_ms": (0.1, 50)}
BANDS = {"crossover0_freq": 40.0, "crossover1_freq": 14000.0}  # the sine is in the band between them

# threshold_db, ratio, knee_db, makeup_db
RATIOS = [(-20.5, 1.5, 6.0, 0.0), (-31.2, 4.0, 12.0, 3.0), (-12.3, 20.0, 3.0, -6.0), (-40.0, 1.0, 0.0, 1.0)]
LIMITS = [(-20.5, 20.0, 1.0, 0.0), (-31.2, 50.0, 0.5, 3.0), (-12.3, 100.0, 0.0, -6.0)]
EXPANSIONS = [(-20.5, 1.5, 6.0, 0.0), (-31.2, 4.0, 3.0, 3.0), (-36.3, 20.0, 4.0, -6.0), (-20.0, 1.0, 0.0, 1.0)]
# threshold_db, range_db, knee_db
RANGES = [(-22.2, -50.0, 6.0), (-31.2, -10.0, 3.0), (-26.4, -90.0, 0.0), (-30.2, -30.0, 1.0)]


def grafx(kind):
    return {
        **{f"{kind.__name__} {knee}": kind(knee=knee) for knee in KNEES},
        **{f"{kind.__name__} {knee} ballistics": kind("ballistics", knee=knee) for knee in KNEES},
        f"{kind.__name__} at 48 kHz": kind(style="grafx", sample_rate=48000),
        f"{kind.__name__} with makeup": kind("ballistics", makeup=True),
        f"{kind.__name__} in two stages": kind("iir", "ballistics", True),
    }


COMPRESSORS = {
    **grafx(Compressor),
    "ApproxCompressor": ApproxCompressor(),
    **{f"desk {knee}": Compressor(style="desk", knee=knee) for knee in KNEES},
    **{f"desk {knee} iir": Compressor(style="desk", knee=knee, energy_smoother="iir") for knee in KNEES},
    "desk in two stages": Compressor(style="desk", gain_smoother="ballistics"),
    "desk without makeup": Compressor(style="desk", makeup=False),
    **{f"face {knee}": desk.Compressor(44100, knee_type=knee) for knee in KNEES},
    "face iir": desk.Compressor(smooth_type="iir"),
    "bands": MultiBandCompressor(),
    "bands iir": MultiBandCompressor(smooth_type="iir", knee_type="hard"),
    "face bands": desk.MultiBandCompressor(44100),
    "factorized": FactorizedCompressor(transients=False),
    "factorized iir": FactorizedCompressor(smooth_type="iir", transients=False, knee_type="hard", hop=16),
}
BAND_ATTACKS = {f"band{k}_attack_ms": (0.1, 50) for k in range(3)}
LIMITERS = {
    **{f"Limiter {knee}": Limiter(param_range=LONG_ATTACK, knee_type=knee) for knee in KNEES},
    "Limiter iir": Limiter(smooth_type="iir"),
    "face": desk.Limiter(param_range=LONG_ATTACK),
    "bands": MultiBandLimiter(param_range=BAND_ATTACKS),
    "face bands": desk.MultiBandLimiter(44100, BAND_ATTACKS),
}
EXPANDERS = {
    **grafx(NoiseGate),
    "ApproxNoiseGate": ApproxNoiseGate(),
    **{f"Expander {knee}": Expander(knee_type=knee) for knee in KNEES},
    "Expander iir": Expander(smooth_type="iir"),
    "face": desk.Expander(),
    "bands": MultiBandExpander(),
    "face bands": desk.MultiBandExpander(44100),
}
GATES = {
    **{f"desk {knee}": NoiseGate(style="desk", knee=knee) for knee in KNEES[:2]},
    "desk iir": NoiseGate(style="desk", knee="quadratic", energy_smoother="iir"),
    **{f"face {knee}": desk.NoiseGate(44100, knee_type=knee) for knee in KNEES[:2]},
    "bands": MultiBandNoiseGate(knee_type="quadratic"),
    "face bands": desk.MultiBandNoiseGate(44100),
    "factorized": FactorizedNoiseGate(transients=False),
}


def ramp(over, knee, width):
    """Decibels over a threshold, with a knee."""
    if knee == "exponential":
        return np.logaddexp(0, np.exp(width) * over) / np.exp(width)
    if knee == "hard":
        return np.maximum(over, 0)
    width = np.maximum(width, 1e-3)
    return np.where(np.abs(over) < width / 2, (over + width / 2) ** 2 / (2 * width), np.maximum(over, 0))


def step(under, knee, width):
    """How far a gate is closed."""
    if knee == "hard":
        return (under >= 0).astype(float)
    t = np.clip(under / np.maximum(width, 1e-3) + 0.5, 0, 1)
    return np.where(t < 0.5, 2 * t**2, 1 - 2 * (1 - t) ** 2)


def heard(processor, level):
    """Decibels of the energy that a processor of GRAFX has for a level: there is a floor of −50 dB."""
    in_style = getattr(processor, "style", None) == "grafx" or isinstance(processor, ApproxCompressor | ApproxNoiseGate)
    return 10 * np.log10(10 ** (level / 10) + GRAFX_FLOOR * in_style)


def knee_of(processor):
    if hasattr(processor, "crossover"):
        return processor.processors["band0"].knee
    return getattr(processor, "frame", processor).knee


def sines(rows, period=PERIOD):
    wave = torch.cos(2 * math.pi / period * torch.arange(LENGTH, dtype=torch.float64))
    return torch.tensor(10 ** (np.asarray(rows) / 20))[:, None, None] * wave.expand(2, -1)


def level_db(signal):
    return 10 * signal[..., -STEADY:].square().mean((-2, -1)).log10().numpy()


def settings_of(processor, **values):
    """What a processor has of these, in each band; all its times are equal."""
    controls = processor.controls
    if hasattr(processor, "crossover"):
        values = {f"band{k}_{name}": value for k in range(3) for name, value in values.items()} | BANDS
    values |= {
        name: min(SHORTER_MS.get(name.split("_")[0], MS), c.high)
        for name, c in controls.items()
        if name.endswith("_ms")
    }
    return {name: torch.as_tensor(value) for name, value in values.items() if name in controls}


def gains_of(processor, names, table, period=PERIOD, **others):
    """All levels with each row of a table: gains in decibels, the levels of energies, and columns of the table."""
    rows, level = np.repeat(table, len(LEVELS), 0), np.tile(LEVELS, len(table))
    columns = dict(zip(names, rows.T, strict=True))
    x = sines(level, period)
    y = processor.double()(x, dsp_params=settings_of(processor, **{**columns, **others}))
    return level_db(y) - level_db(x), heard(processor, level + SINE_DB), columns


NAMES = ("threshold_db", "ratio", "knee_db", "makeup_db")
TRANSIENTS = [(-22.0, 10.0, 1.0), (-35.0, 4.0, 0.5), (-8.0, 100.0, 0.0), (-9.0, 1.5, 1.0)]  # but for the makeup


def with_fewer_knees(processor, table):
    """The width of an exponential knee is a sharpness, of which 1 is all that can be told from a hard one."""
    return [(*row[:2], min(row[2], 1.0), row[3]) for row in table] if knee_of(processor) == "exponential" else table


def check_compression(processor, table):
    gains, level, p = gains_of(processor, NAMES, with_fewer_knees(processor, table))
    makeup = p["makeup_db"] if any("makeup" in name for name in processor.controls) else 0
    expected = (1 / p["ratio"] - 1) * ramp(level - p["threshold_db"], knee_of(processor), p["knee_db"]) + makeup
    np.testing.assert_allclose(gains, expected, atol=0.1)


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_compressors(kind):
    check_compression(COMPRESSORS[kind], RATIOS)


@pytest.mark.parametrize("kind", LIMITERS)
def test_limiters(kind):
    check_compression(LIMITERS[kind], LIMITS)


@pytest.mark.parametrize("kind", EXPANDERS)
def test_expanders(kind):
    processor = EXPANDERS[kind]
    gains, level, p = gains_of(processor, NAMES, with_fewer_knees(processor, EXPANSIONS))
    makeup = p["makeup_db"] if any("makeup" in name for name in processor.controls) else 0
    bend = ramp(p["threshold_db"] - level, knee_of(processor), p["knee_db"])
    np.testing.assert_allclose(gains, (1 - p["ratio"]) * bend + makeup, atol=0.1)


@pytest.mark.parametrize("kind", GATES)
def test_gates(kind):
    processor = GATES[kind]
    gains, level, p = gains_of(processor, ("threshold_db", "range_db", "knee_db"), RANGES)
    expected = p["range_db"] * step(p["threshold_db"] - level, knee_of(processor), p["knee_db"])
    np.testing.assert_allclose(gains, expected, atol=0.1)


@pytest.mark.parametrize("knee", KNEES)
def test_a_limiter_that_looks_ahead(knee):
    """It goes by peaks, which none passes."""
    limiter = Limiter(knee_type=knee, lookahead_ms=1)
    gains, level, p = gains_of(limiter, NAMES, with_fewer_knees(limiter, LIMITS))
    over = level - SINE_DB - p["threshold_db"]
    curve = (1 / p["ratio"] - 1) * ramp(over, knee, p["knee_db"])
    np.testing.assert_allclose(gains, np.minimum(curve, -np.maximum(over, 0)) + p["makeup_db"], atol=0.1)


@pytest.mark.parametrize("knee", KNEES)
def test_a_compressor_in_two_factors(knee):
    """The second sees what the first leaves."""
    processor = FactorizedCompressor(knee_type=knee)
    names = (*NAMES, "transient_threshold_db", "transient_ratio", "transient_knee_db")
    table = [(*row, *more) for row, more in zip(RATIOS, TRANSIENTS, strict=True)]
    gains, level, p = gains_of(processor, names, [(*r[:2], min(r[2], 1.0), *r[3:]) for r in table])
    slow = (1 / p["ratio"] - 1) * ramp(level - p["threshold_db"], knee, p["knee_db"])
    over = level + slow - p["transient_threshold_db"]
    fast = (1 / p["transient_ratio"] - 1) * ramp(over, knee, p["transient_knee_db"])
    np.testing.assert_allclose(gains, slow + fast + p["makeup_db"], atol=0.1)


@pytest.mark.parametrize("knee", KNEES[:2])
def test_a_gate_in_two_factors(knee):
    """It is closed where both are."""
    processor = FactorizedNoiseGate(knee_type=knee)
    names = ("threshold_db", "range_db", "knee_db", "transient_threshold_db", "transient_knee_db")
    gains, level, p = gains_of(processor, names, [(*row, -25.1, 6.0) for row in RANGES])
    closed = step(p["threshold_db"] - level, knee, p["knee_db"])
    closed = closed * step(p["transient_threshold_db"] - level, knee, p["transient_knee_db"])
    np.testing.assert_allclose(gains, p["range_db"] * closed, atol=0.1)


def ranged(over, p):
    """Changes from a threshold on, with a knee of 6 dB, up to a range."""
    slope = 1 - 1 / p["ratio"]
    end = np.abs(p["range_db"]) / slope
    return np.sign(p["range_db"]) * slope * (ramp(over, "quadratic", 6.0) - ramp(over - end, "quadratic", 6.0))


RANGED = ("threshold_db", "ratio", "range_db")
CHANGES = [(-20.5, 1.5, -24.0), (-31.2, 4.0, -8.0), (-25.3, 20.0, -15.0)]


@pytest.mark.parametrize("direction", ["above", "below"])
@pytest.mark.parametrize("sign", [1, -1])
def test_dynamic_equalizers(direction, sign):
    equalizer = DynamicEqualizer(1, use_shelving_filters=False, direction=direction)
    table = [(threshold, ratio, sign * most) for threshold, ratio, most in CHANGES]
    gains, level, p = gains_of(equalizer, RANGED, table, frequency_hz=RATE / PERIOD, gain_db=2.0)
    over = (level - p["threshold_db"]) * (1 if direction == "above" else -1)
    np.testing.assert_allclose(gains, ranged(over, p) + 2, atol=0.1)


@pytest.mark.parametrize("mode", ["split", "wideband"])
@pytest.mark.parametrize("detector, hertz", [("highpass", 1500.0), ("bandpass", RATE / 5)])
def test_de_essers(mode, detector, hertz):
    """The sine is far in the high-pass, or in the middle of the band-pass."""
    gains, level, p = gains_of(DeEsser(mode, detector), RANGED, CHANGES, period=5, frequency_hz=hertz)
    np.testing.assert_allclose(gains, ranged(level - p["threshold_db"], p), atol=0.1)


def test_transient_shapers_leave_steady_sines_as_they_are():
    for shaper in (TransientShaper(), desk.TransientShaper()):
        gains, _, _ = gains_of(shaper, ("attack_db", "sustain_db"), [(12.0, -12.0), (-24.0, 24.0)])
        np.testing.assert_allclose(gains, 0, atol=0.1)


def test_every_class_is_here():
    tried = {type(p) for table in (COMPRESSORS, LIMITERS, EXPANDERS, GATES) for p in table.values()}
    tried |= {
        FactorizedCompressor,
        FactorizedNoiseGate,
        DynamicEqualizer,
        DeEsser,
        TransientShaper,
        desk.TransientShaper,
    }
    names = [getattr(dynamics, name) for name in dynamics.__all__] + [getattr(desk, name) for name in desk.__all__]
    assert {*names} - {desk.EffectParam} <= tried
