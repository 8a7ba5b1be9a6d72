"""A ratio is what is heard, in every style: so many decibels at the input make one at the output, or the reverse."""

import numpy as np
import pytest
import torch
from grafx.processors import (
    ApproxCompressor,
    ApproxNoiseGate,
    Compressor,
    DryWet,
    Expander,
    NoiseGate,
)

RATE = 44100
RATIOS = [1.0, 1.5, 2.0, 4.0, 20.0]
COMPRESSORS = {
    "iir": Compressor(),
    "ballistics": Compressor(energy_smoother="ballistics", knee="hard"),
    "no smoother": Compressor(energy_smoother=None, knee="quadratic"),
    "gain smoother": Compressor("ballistics", "ballistics", True, "quadratic"),
    "exponential": Compressor("ballistics", knee="exponential"),
    "desk": Compressor(style="desk", sample_rate=RATE),
    "older": ApproxCompressor(),
}
GATES = {
    "iir": NoiseGate(),
    "ballistics": NoiseGate(energy_smoother="ballistics", knee="hard"),
    "exponential": NoiseGate("ballistics", knee="exponential"),
    "expander": Expander(RATE),
    "older": ApproxNoiseGate(),
}


def settings(processor, ratio, threshold_db):
    has = processor.controls
    fastest = {name: has[name].low for name in has if name.endswith("_ms")}
    sharp = {"knee_db": has["knee_db"].high if processor.knee == "exponential" else 0.0} if "knee_db" in has else {}
    return {**fastest, **sharp, "threshold_db": threshold_db, "ratio": ratio}


def constants(levels):
    return torch.tensor(10 ** (np.asarray(levels) / 20))[:, None, None].expand(-1, 1, 6000)


def level_db(signal):
    return 10 * signal[..., -2000:].square().mean((-2, -1)).log10()


def floor_db(level):
    """GRAFX's energies have a floor of −50 dB."""
    return 10 * np.log10(10 ** (level / 10) + 1e-5)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("kind", COMPRESSORS)
def test_compressors(kind, ratio):
    processor = COMPRESSORS[kind].double()
    levels = np.array([-16.0, -12.0, -4.0])  # 4, 8 and 16 dB above the threshold
    y = processor(constants(levels), dsp_params=settings(processor, ratio, -20.0))
    np.testing.assert_allclose(level_db(y), -20 + (levels + 20) / ratio, atol=0.05)


@pytest.mark.parametrize("ratio", RATIOS[:-1])
@pytest.mark.parametrize("kind", GATES)
def test_gates_and_expanders(kind, ratio):
    processor = GATES[kind].double()
    levels = np.array([-24.0, -28.0, -32.0])
    y = processor(constants(levels), dsp_params=settings(processor, ratio, -20.0))
    heard = levels if kind == "expander" else floor_db(levels)
    np.testing.assert_allclose(level_db(y), levels + (heard + 20) * (ratio - 1), atol=0.2)


@pytest.mark.parametrize("name", [k for k in COMPRESSORS if k != "desk"])
@pytest.mark.parametrize("log_ratio", [-8.0, -2.0, -0.4, 0.4, 3.0, 40.0])
def test_raw_values_beyond_all_ratios_are_told_as_they_sound(name, log_ratio):
    """Above the threshold the level may fall, which is a negative ratio; it has a raw value, and a place beyond 1."""
    processor = COMPRESSORS[name].double()
    raw = processor.dsp_to_raw(settings(processor, 2.0, -20.0), like=torch.zeros(1).double())
    raw["log_ratio"] = torch.full_like(raw["log_ratio"], log_ratio)
    quiet, loud = level_db(processor(constants([-12.0, -8.0]), **{k: v.expand(2, -1) for k, v in raw.items()}))
    ratio = processor.raw_to_dsp(raw)["ratio"].item()
    assert 4 / ratio == pytest.approx((loud - quiet).item(), abs=0.02)
    norm = processor.raw_to_norm(raw)
    assert norm.isfinite().all()
    assert (norm[0, list(processor.controls).index("ratio")] > 1) == (log_ratio > 0 or ratio > 20)


def test_a_limiter_is_finite():
    raw = Compressor().dsp_to_raw({})
    raw["log_ratio"] = torch.zeros(1, 1)
    assert 1e5 < Compressor().raw_to_dsp(raw)["ratio"].abs().item() < 1e7


def test_containers_hear_the_same():
    y = DryWet(Compressor(knee="hard"), external_param=False).double()(
        constants([-10.0]), dsp_params={"threshold_db": -20, "ratio": 4, "drywet": 1.0}
    )
    assert level_db(y).item() == pytest.approx(-17.5, abs=0.05)
