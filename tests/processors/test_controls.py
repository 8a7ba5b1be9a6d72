import ast
import math
from pathlib import Path

import grafx.processors
import numpy as np
import pytest
import torch
import torch.nn as nn
from grafx.processors import (
    DryWet,
    GainStagingRegularization,
    HighShelf,
    LadderFilter,
    LowShelf,
    MultitapDelay,
    Panner,
    ParallelMix,
    ParametricEqualizer,
    PeakingFilter,
    PoleZeroFilter,
    SchroederAllpass,
    SerialChain,
    StateVariableFilter,
    StereoGain,
    ToneStack,
)
from grafx.processors.base import Control, ParameterError, Processor
from grafx.processors.controls import db, hz, ms
from grafx.processors.core import maps


class Tone(Processor):
    """Two gains, three times and a ratio; a raw parameter has no control."""

    def parameter_size(self):
        return {"log_gain": 2, "times": (1, 3), "log_ratio": 1, "free": (2, 2)}

    def declare_controls(self):
        return [
            db("left_db", -60, 12, 0.0, "log_gain", index=0),
            db("right_db", -60, 12, 0.0, "log_gain", index=1),
            ms("time_ms", 0.1, 1000, (1.0, 2.0, 3.0), "times", map=maps.time_constant(self.sample_rate)),
            Control("ratio", 1, 20, 4.0, "log_ratio", map=maps.exponential(offset=1)),
        ]

    def forward(self, x, log_gain, times, log_ratio, free):
        return (
            x
            * log_gain.exp().unsqueeze(-1)
            * (1 + times.sum((1, 2)) + log_ratio[:, 0] + free.sum((1, 2)))[:, None, None]
        )


X = torch.ones(3, 2, 4)


def test_physical_values_become_raw_parameters():
    raw = Tone().dsp_to_raw({"left_db": 6, "right_db": [0, -6, -60], "ratio": torch.tensor(3.0)}, batch_size=3)
    assert {name: tuple(value.shape) for name, value in raw.items()} == {
        "log_gain": (3, 2),
        "times": (3, 1, 3),
        "log_ratio": (3, 1),
        "free": (3, 2, 2),
    }
    decibels = raw["log_gain"] * 20 / math.log(10)
    torch.testing.assert_close(decibels, torch.tensor([[6.0, 0.0], [6.0, -6.0], [6.0, -60.0]]))
    alphas = torch.sigmoid(raw["times"][:, 0].double())
    expected = np.exp(-1000 / (np.array([1.0, 2.0, 3.0]) * 44100))
    np.testing.assert_allclose(alphas, np.tile(expected, (3, 1)), rtol=1e-6)
    np.testing.assert_allclose(raw["log_ratio"], np.log(2), rtol=1e-5)
    assert not raw["free"].any()


def test_times_follow_the_sample_rate():
    for sample_rate in (8000, 96000):
        alpha = torch.sigmoid(Tone(sample_rate=sample_rate).dsp_to_raw({"time_ms": 10})["times"].double())
        np.testing.assert_allclose(alpha, np.exp(-100 / sample_rate), rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trips_of_all_views_over_the_ranges_and_at_their_ends(dtype):
    tone = Tone()
    norm = torch.linspace(0, 1, 101, dtype=dtype)[:, None].repeat(1, tone.count_num_parameters()).requires_grad_()
    raw = tone.norm_to_raw(norm)
    assert all(value.dtype == dtype for value in raw.values())
    torch.testing.assert_close(tone.raw_to_norm(raw), norm, atol=1e-5, rtol=0)
    physical = tone.norm_to_dsp(norm)
    torch.testing.assert_close(tone.raw_to_dsp(tone.dsp_to_raw(physical)), physical, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(tone.dsp_to_norm(physical), norm, atol=1e-5, rtol=0)
    sum(value.sum() for value in raw.values()).backward()
    assert norm.grad.isfinite().all() and (norm.grad > 0).all()


def test_scales_are_linear_or_logarithmic():
    values = Tone().norm_to_dsp({"left_db": 0.5, "time_ms": 0.5})
    torch.testing.assert_close(values["left_db"], torch.tensor([-24.0]))
    torch.testing.assert_close(values["time_ms"], torch.tensor([[10.0] * 3]))


def test_three_views_sound_alike():
    tone = Tone()
    physical = {"left_db": torch.tensor([-3.0, 0.0, 3.0]), "time_ms": [1, 10, 100], "ratio": 2}
    y = tone(X, dsp_params=physical)
    torch.testing.assert_close(tone(X, norm_params=tone.dsp_to_norm(physical, batch_size=3)), y)
    torch.testing.assert_close(tone(X, **tone.dsp_to_raw(physical, batch_size=3)), y)


def test_what_is_missing_is_at_its_default():
    values = Tone().raw_to_dsp(Tone().dsp_to_raw({"ratio": 2}))
    torch.testing.assert_close(values["time_ms"], torch.tensor([[1.0, 2.0, 3.0]]))
    torch.testing.assert_close(values["left_db"], torch.tensor([0.0]))


@pytest.mark.parametrize(
    "value", [2, 2.0, np.float32(2), torch.tensor(2), torch.full((3,), 2.0), torch.full((3, 1), 2), [2, 2, 2]]
)
def test_numbers_and_tensors_are_taken(value):
    tone = Tone()
    x = X.double()
    torch.testing.assert_close(
        tone(x, dsp_params={"ratio": value}), tone(x, dsp_params={"ratio": torch.full((3,), 2.0)})
    )
    assert tone(x, dsp_params={"ratio": value}).dtype == torch.float64


def test_values_get_gradients():
    ratio = torch.tensor([1.0, 4.0, 20.0], requires_grad=True)
    Tone()(X, dsp_params={"ratio": ratio}).sum().backward()
    assert ratio.grad.isfinite().all() and ratio.grad.all()


@pytest.mark.parametrize(
    "given, message",
    [
        ({"volume": 1}, "Tone has no control 'volume'; its controls are left_db, right_db, time_ms, ratio"),
        ({"left_db": 13}, "left_db is 13, .* left_db from -60 to 12 dB"),
        ({"left_db": torch.tensor([0, 0, -61.0])}, "left_db is -61"),
        ({"left_db": float("nan")}, "left_db is nan"),
        ({"ratio": torch.ones(4)}, r"ratio has the shape \(4,\).*of shape \(3,\) for a batch of 3"),
        ({"time_ms": torch.ones(3, 2)}, r"time_ms has the shape \(3, 2\).*\(3,\) or \(3, 3\)"),
        ({"ratio": "loud"}, "ratio must be a number"),
        (5, "Tone takes its controls by name, in a dict, .* not 5"),
    ],
)
def test_wrong_values_are_refused(given, message):
    with pytest.raises(ParameterError, match=message):
        Tone()(X, dsp_params=given)


def test_wrong_normalized_values_are_refused():
    tone = Tone()
    with pytest.raises(ParameterError, match=r"\(batch, 6\), in the order left_db, right_db, time_ms \(3\), ratio"):
        tone(X, norm_params=torch.zeros(3, 5))
    with pytest.raises(ParameterError, match=r"right_db is 1\.5, .* from 0 to 1 for right_db from -60 to 12 dB"):
        tone(X, norm_params={"right_db": 1.5})
    with pytest.raises(ParameterError, match="for a batch of 3"):
        tone(X, norm_params=torch.zeros(2, 6))
    with pytest.raises(ParameterError, match=r"in one tensor, not \[0\.5\]"):
        tone(X, norm_params=[0.5])


@pytest.mark.parametrize(
    "views, message",
    [
        ({"dsp_params": {}, "norm_params": {}}, "dsp_params and norm_params"),
        ({"dsp_params": {}, "log_gain": X}, "dsp_params and log_gain"),
        ({"norm_params": {}, "log_gain": X, "free": X}, "norm_params and free and log_gain"),
    ],
)
def test_two_views_at_once_are_refused(views, message):
    with pytest.raises(ParameterError, match=message):
        Tone()(X, **views)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda x, three: Panner()(x, z_pan=three),
            r"Panner needs z_pan of shape \(2, 1\) for 2 signals, not \(3, 1\)",
        ),
        (lambda x, three: Panner()(x, three), r"Panner needs z_pan .* not \(3, 1\)"),
        (lambda x, three: LadderFilter()(x, three[:2], three), r"LadderFilter needs z_resonance .* not \(3, 1\)"),
        (
            lambda x, three: ToneStack()(x, torch.zeros(2, 2)),
            r"ToneStack needs z_knobs of shape \(2, 3\) .* not \(2, 2\)",
        ),
        (lambda x, three: SerialChain({"a": Panner()})(x, a={"z_pan": three}), r"needs a.z_pan .* not \(3, 1\)"),
    ],
)
def test_raw_parameters_of_wrong_shapes_are_named(call, message):
    with pytest.raises(ParameterError, match=message):
        call(torch.zeros(2, 2, 9), torch.zeros(3, 1))


def test_a_failure_that_has_another_cause_stays():
    class Broken(Panner):
        def forward(self, input_signals, z_pan):
            raise RuntimeError("out of order")

    with pytest.raises(RuntimeError, match="out of order"):
        Broken()(torch.zeros(2, 2, 9), z_pan=torch.zeros(2, 1))


def test_ranges_can_be_replaced():
    tone = Tone(param_range={"left_db": (-6, 6), "ratio": (2, 3)})
    assert (tone.controls["left_db"].low, tone.controls["left_db"].high) == (-6, 6)
    torch.testing.assert_close(tone.norm_to_dsp({"left_db": 1.0})["left_db"], torch.tensor([6.0]))
    assert tone.controls["ratio"].default == 3
    with pytest.raises(ParameterError, match="left_db from -6 to 6 dB"):
        tone(X, dsp_params={"left_db": 7})


def test_a_logarithmic_scale_becomes_linear_where_a_range_begins_at_zero():
    class Slow(Tone):
        def declare_controls(self):
            return [hz("rate_hz", 0.1, 20, 1.0, "log_gain", index=0, map=maps.linear(2))]

    control = Slow(param_range={"rate_hz": (0, 10)}).controls["rate_hz"]
    assert control.scale == "linear" and control.from_norm(torch.tensor([0.0, 0.5, 1.0])).tolist() == [0, 5, 10]
    assert Slow(param_range={"rate_hz": (1, 10)}).controls["rate_hz"].scale == "log"


def test_numbers_keep_the_precision_of_the_tensors_beside_them():
    raw = Tone().dsp_to_raw({"left_db": torch.zeros(1, dtype=torch.float64), "ratio": 1.1})
    assert abs(raw["log_ratio"].item() - math.log(0.1 + 1e-6)) < 1e-12


@pytest.mark.parametrize(
    "param_range, message",
    [
        ({"volume": (0, 1)}, "no control 'volume'; it has left_db"),
        ({"ratio": (3, 2)}, "cannot have the range 3 to 2"),
        ({"ratio": (0, 2)}, "cannot have the range 0 to 2"),
        ({"time_ms": (0, 2)}, "cannot have the range 0 to 2"),
    ],
)
def test_impossible_ranges_are_refused(param_range, message):
    with pytest.raises(ParameterError, match=message):
        Tone(param_range=param_range)(X, dsp_params={})


class Plain(nn.Module):
    def parameter_size(self):
        return {"gain": 1, "more": {"bias": (2, 1)}}

    def forward(self, x, gain, more):
        return x * (1 + gain.unsqueeze(-1)) + more["bias"]


def test_controls_of_members_nest():
    chain = SerialChain({"tone": Tone(), "mix": DryWet(GainStagingRegularization(StereoGain()), external_param=False)})
    mix = ParallelMix({"chain": SerialChain({"inner": chain}), "plain": Plain()}, activation="softplus")
    assert set(mix.controls) == {"chain", "gains_db"}
    assert mix.controls["chain"]["inner"]["tone"]["ratio"].high == 20
    assert mix.controls["chain"]["inner"]["mix"]["drywet"].default == 1
    y, _ = mix(X, dsp_params={"chain": {"inner": {"mix": {"drywet": 0}}}, "gains_db": [-20, -60]})
    tone = Tone()(X, dsp_params={})
    torch.testing.assert_close(y, 0.1 * tone + 0.001 * X)
    norm = torch.rand(3, mix.count_num_parameters())
    raw = mix.norm_to_raw(norm)
    torch.testing.assert_close(mix.raw_to_norm(raw), norm, atol=1e-5, rtol=0)
    assert raw["plain"]["more"]["bias"].shape == (3, 2, 1)
    with pytest.raises(ParameterError, match=r"chain\.inner\.tone\.ratio is 21"):
        mix(X, dsp_params={"chain": {"inner": {"tone": {"ratio": 21}}}})
    with pytest.raises(ParameterError, match=r"'inner' of 'chain' of ParallelMix has no control 'tune'; .* tone, mix"):
        mix(X, dsp_params={"chain": {"inner": {"tune": {}}}})
    with pytest.raises(ParameterError, match="'inner' of 'chain' of ParallelMix must be a dict"):
        mix(X, dsp_params={"chain": {"inner": 3}})


def test_gains_of_a_softmax_mix_are_relative():
    mix = ParallelMix({"a": StereoGain(), "b": StereoGain()})
    raw = mix.dsp_to_raw({"gains_db": [0, -20]})
    torch.testing.assert_close(torch.softmax(raw["parallel_weights"], -1), torch.tensor([[10.0, 1.0]]) / 11)


@pytest.mark.parametrize("limits", [(20, 20000), (500, 2000), (30, 60), (9000, 20000)])
@pytest.mark.parametrize(
    "make",
    [
        lambda **options: ParametricEqualizer(10, "midside", **options),
        lambda **options: PeakingFilter(3, **options),
        lambda **options: LowShelf(3, **options),
        lambda **options: HighShelf(3, **options),
        lambda **options: StateVariableFilter(3, **options),
    ],
    ids=["ParametricEqualizer", "PeakingFilter", "LowShelf", "HighShelf", "StateVariableFilter"],
)
def test_bands_stay_apart_and_silent_in_any_range(make, limits):
    processor = make(param_range={"frequency_hz": limits})
    raw = processor.dsp_to_raw({}, 1, torch.zeros(1, dtype=torch.float64))
    hertz = processor.raw_to_dsp(raw)["frequency_hz"]
    count = hertz.shape[-1]
    expected = limits[0] * (limits[1] / limits[0]) ** ((np.arange(count) + 0.5) / count)
    np.testing.assert_allclose(hertz[0].expand(*hertz.shape[1:]).reshape(-1, count)[0], expected, rtol=1e-6)
    x = torch.randn(1, 2, 500, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(processor(x, **raw), x, rtol=1e-4, atol=1e-3)


def test_what_is_no_spread_is_limited_by_a_range():
    assert Tone(param_range={"time_ms": (0.5, 10)}).controls["time_ms"].default == (1.0, 2.0, 3.0)
    assert Tone(param_range={"ratio": (5, 10)}).controls["ratio"].default == 5
    assert Tone(param_range={"left_db": (-60, -6)}).controls["left_db"].default == -6


def test_taps_and_stages_do_not_lie_on_each_other():
    taps = MultitapDelay(segment_len=101, num_segments=2, num_delay_per_segment=4, sample_rate=1000)
    delays = taps.raw_to_dsp(taps.dsp_to_raw({}, 1))["delay_ms"][0]
    np.testing.assert_allclose(delays, np.tile([12.5, 37.5, 62.5, 87.5], 4), rtol=1e-4)
    stages = SchroederAllpass(4, max_delay_ms=80.0)
    delays = stages.raw_to_dsp(stages.dsp_to_raw({}, 1))["delay_ms"][0]
    np.testing.assert_allclose(delays, [10, 30, 50, 70], rtol=1e-4)
    for one in (MultitapDelay(segment_len=101, sample_rate=1000), SchroederAllpass(max_delay_ms=100.0)):
        np.testing.assert_allclose(one.raw_to_dsp(one.dsp_to_raw({}, 1))["delay_ms"], 50, rtol=1e-4)


def test_pairs_of_poles_and_zeros_lie_apart_and_cancel():
    processor = PoleZeroFilter(3)
    raw = processor.dsp_to_raw({}, 1, torch.zeros(1, dtype=torch.float64))
    hertz = processor.raw_to_dsp(raw)["pole_hz"][0]
    np.testing.assert_allclose(hertz, 20 * 1000 ** ((np.arange(3) + 0.5) / 3), rtol=1e-6)
    x = torch.randn(1, 2, 500, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(processor(x, **raw), x, rtol=1e-6, atol=1e-6)


def test_helpers_are_controls_of_their_unit():
    assert db("gain_db", -24, 24, 0.0, "log_gain") == Control(
        "gain_db", -24, 24, 0.0, "log_gain", unit="dB", map=maps.AMPLITUDE_DB
    )
    to = maps.exponential()
    assert hz("rate_hz", 1, 20, 2.0, "log_rate", index=1, map=to) == Control(
        "rate_hz", 1, 20, 2.0, "log_rate", index=1, unit="Hz", scale="log", map=to
    )
    for low, scale in ((0.0, "linear"), (0.1, "log")):
        assert ms("time_ms", low, 9, 2.0, "z") == Control("time_ms", low, 9, 2.0, "z", unit="ms", scale=scale)
    assert ms("time_ms", 0.1, 9, 2.0, "z", scale="linear").scale == "linear"


def test_declarations_name_all_but_range_default_and_raw_parameter():
    folder = Path(grafx.processors.__file__).parent
    calls = [
        (path.name, call)
        for path in folder.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("Control", "db", "hz", "ms")
    ]
    assert len(calls) > 100
    unclear = [
        f"{name}, line {call.lineno}"
        for name, call in calls
        if len(call.args) > 5 or any(isinstance(arg, ast.Constant) and arg.value is None for arg in call.args)
    ]
    assert not unclear
