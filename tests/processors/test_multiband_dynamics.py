import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import (
    Compressor,
    Expander,
    Limiter,
    MultiBandCompressor,
    MultiBandExpander,
    MultiBandLimiter,
    MultiBandNoiseGate,
    NoiseGate,
)
from grafx.processors.base import ParameterError

SAMPLE_RATE = 44100
COMPRESSOR = {
    "threshold_db": (-60, 0),
    "ratio": (1, 20),
    "knee_db": (0, 12),
    "attack_ms": (1, 500),
    "release_ms": (10, 2000),
    "makeup_db": (-24, 24),
}
LIMITER = {
    "threshold_db": (-60, 0),
    "ratio": (20, 100),
    "knee_db": (0, 1),
    "attack_ms": (0.1, 1),
    "release_ms": (5, 500),
    "makeup_db": (-12, 12),
}
GATE = {
    "threshold_db": (-90, -20),
    "range_db": (-90, 0),
    "knee_db": (0, 6),
    "attack_ms": (0.1, 20),
    "release_ms": (5, 1000),
}
RANGES = {
    MultiBandCompressor: COMPRESSOR,
    MultiBandLimiter: LIMITER,
    MultiBandExpander: COMPRESSOR,
    MultiBandNoiseGate: GATE,
}
SINGLE = {
    MultiBandCompressor: Compressor(style="desk", knee_type="quadratic", param_range={"attack_ms": (1, 500)}),
    MultiBandLimiter: Limiter(knee_type="hard"),
    MultiBandExpander: Expander(knee_type="quadratic", param_range={"attack_ms": (1, 500)}),
    MultiBandNoiseGate: NoiseGate(style="desk", knee_type="hard"),
}


def split_in_three(x, frequencies):
    def both(x, f):
        low, high = (scipy.signal.butter(2, f, side, output="sos", fs=SAMPLE_RATE) for side in ("lowpass", "highpass"))
        return tuple(scipy.signal.sosfilt(sos, scipy.signal.sosfilt(sos, x)) for sos in (low, high))

    low, rest = both(x, frequencies[0])
    return [sum(both(low, frequencies[1])), *both(rest, frequencies[1])]


@pytest.mark.parametrize("num_bands", [2, 3, 5])
@pytest.mark.parametrize("knee_type", ["hard", "quadratic"])
@pytest.mark.parametrize("kind", RANGES)
def test_controls_and_their_number(kind, knee_type, num_bands):
    processor = kind(SAMPLE_RATE, num_bands=num_bands, knee_type=knee_type)
    expected = {f"band{k}_{name}": limits for k in range(num_bands) for name, limits in RANGES[kind].items()}
    found = {name: (c.low, c.high) for name, c in processor.controls.items()}
    assert list(found) == [*expected, *(f"crossover{i}_freq" for i in range(num_bands - 1))]
    assert {name: found[name] for name in expected} == expected
    assert processor.count_num_parameters() == num_bands * len(RANGES[kind]) + num_bands - 1


@pytest.mark.parametrize("kind", RANGES)
def test_is_the_sum_of_bands_that_are_processed_by_themselves(kind, rng):
    x = 0.3 * rng.standard_normal((2, 2, 3000))
    single, frequencies = SINGLE[kind], (200.0, 2000.0)
    settings = [
        {
            name: rng.uniform(max(low, c.low), min(high, c.high))
            for (name, (low, high)), c in zip(RANGES[kind].items(), single.controls.values(), strict=True)
        }
        for _ in range(3)
    ]
    bands = split_in_three(x, frequencies)
    expected = sum(
        single(torch.from_numpy(band), dsp_params=values) for band, values in zip(bands, settings, strict=True)
    )
    given = {f"band{k}_{name}": value for k, values in enumerate(settings) for name, value in values.items()}
    given |= {f"crossover{i}_freq": f for i, f in enumerate(frequencies)}
    y = kind(sample_rate=SAMPLE_RATE)(torch.from_numpy(x), dsp_params=given)
    torch.testing.assert_close(y, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("num_bands", [2, 3, 6])
@pytest.mark.parametrize(
    "kind, idle",
    [
        (MultiBandCompressor, {"ratio": 1}),
        (MultiBandExpander, {"ratio": 1}),
        (MultiBandLimiter, {"threshold_db": 0}),
        (MultiBandNoiseGate, {"range_db": 0}),
    ],
)
def test_is_flat_where_nothing_is_to_be_done(kind, idle, num_bands, rng):
    processor = kind(SAMPLE_RATE, num_bands=num_bands)
    impulse = torch.zeros(4, 1, 2**15, dtype=torch.float64)
    impulse[..., 0] = 0.1
    norm = torch.from_numpy(rng.uniform(0.1, 0.9, (4, processor.count_num_parameters())))
    values = processor.norm_to_dsp(norm)
    for k in range(num_bands):
        values |= {f"band{k}_{name}": torch.full((4,), float(value)) for name, value in idle.items()}
        values |= {f"band{k}_makeup_db": torch.zeros(4)} if kind is not MultiBandNoiseGate else {}
    magnitude = np.abs(np.fft.rfft(10 * processor(impulse, dsp_params=values)))
    assert abs(20 * np.log10(magnitude)).max() < 0.01


def test_a_loud_bass_leaves_the_treble_as_it_is():
    time = torch.arange(SAMPLE_RATE, dtype=torch.float64) / SAMPLE_RATE
    bass, treble = torch.sin(2 * np.pi * 60 * time), 0.01 * torch.sin(2 * np.pi * 8000 * time)
    settings = {f"band{k}_{name}": v for k in range(3) for name, v in {"threshold_db": -30, "ratio": 6}.items()}
    y = MultiBandCompressor(SAMPLE_RATE)((bass + treble)[None, None], dsp_params=settings)[0, 0]
    spectrum = np.abs(np.fft.rfft(y[SAMPLE_RATE // 2 :])) / (SAMPLE_RATE / 4)
    assert spectrum[4000] == pytest.approx(0.01, rel=0.02)
    assert spectrum[30] < 0.1


@pytest.mark.parametrize("kind", RANGES)
def test_networks_drive_it(kind):
    processor = kind(SAMPLE_RATE)
    norm = torch.rand(4, processor.count_num_parameters(), requires_grad=True)
    x = torch.randn(4, 2, 2000)
    y = processor(x, norm_params=norm)
    y.square().sum().backward()
    assert y.shape == x.shape and norm.grad.isfinite().all() and norm.grad.any()
    torch.testing.assert_close(processor(x, norm_params=dict(zip(processor.controls, norm.T, strict=True))), y)


@pytest.mark.parametrize("kind", RANGES)
def test_smoothing_by_a_filter_has_one_time(kind):
    processor = kind(SAMPLE_RATE, smooth_type="iir", num_bands=2)
    assert processor.count_num_parameters() == 2 * (len(RANGES[kind]) - 1) + 1
    assert "band1_smoothing_ms" in processor.controls
    assert processor(torch.randn(1, 1, 100), dsp_params={"band1_smoothing_ms": 5}).isfinite().all()


@pytest.mark.parametrize("kind", RANGES)
def test_crossovers_may_be_of_another_order(kind):
    assert kind(SAMPLE_RATE, crossover_order=8).crossover.order == 8
    with pytest.raises(ParameterError, match="order must be one of 2, 4, 8, not 6"):
        kind(SAMPLE_RATE, crossover_order=6)


@pytest.mark.parametrize("kind", RANGES)
def test_what_cannot_be_is_refused(kind):
    x = torch.zeros(2, 1, 10)
    with pytest.raises(ParameterError, match="knee_type must be one of"):
        kind(SAMPLE_RATE, knee_type="soft")
    with pytest.raises(ParameterError, match="smooth_type must be one of"):
        kind(SAMPLE_RATE, smooth_type="fir")
    with pytest.raises(ParameterError, match="at least 2 bands"):
        kind(SAMPLE_RATE, num_bands=1)
    with pytest.raises(ParameterError, match="no control 'attack_ms'; it has band0_threshold_db"):
        kind(SAMPLE_RATE, param_range={"attack_ms": (1, 2)})(x, dsp_params={})
    with pytest.raises(ParameterError, match=r"band2_threshold_db is 1, .* range: band2_threshold_db from"):
        kind(SAMPLE_RATE)(x, dsp_params={"band2_threshold_db": 1})
    with pytest.raises(ParameterError, match="dsp_params and norm_params"):
        kind(SAMPLE_RATE)(x, dsp_params={}, norm_params={})
    with pytest.raises(ParameterError, match="for a batch of 2"):
        kind(SAMPLE_RATE)(x, dsp_params={"band0_attack_ms": torch.ones(3)})


def test_ranges_can_be_replaced_for_each_band():
    processor = MultiBandCompressor(SAMPLE_RATE, {"band1_attack_ms": (0.5, 20), "crossover0_freq": (50, 300)})
    assert (processor.controls["band1_attack_ms"].low, processor.controls["band1_attack_ms"].high) == (0.5, 20)
    assert processor.controls["band0_attack_ms"].high == 500
    assert processor.norm_to_dsp({"crossover0_freq": 1.0})["crossover0_freq"].item() == pytest.approx(300)
