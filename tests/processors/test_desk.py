"""Code written for diffFx-pytorch, as its documentation has it, with another import."""

import inspect
from types import SimpleNamespace

import grafx.processors as gp
import pytest
import torch
import torch.nn as nn
from grafx.processors import desk
from grafx.processors.base import ParameterError
from grafx.processors.core.envelope import Ballistics, TruncatedOnePoleIIRFilter
from grafx.processors.desk import (
    Compressor,
    EffectParam,
    Expander,
    Limiter,
    MultiBandCompressor,
    MultiBandExpander,
    MultiBandLimiter,
    MultiBandNoiseGate,
    NoiseGate,
    TransientShaper,
)

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer

SINGLE = [Compressor, Limiter, Expander, NoiseGate]
BANDS = [MultiBandCompressor, MultiBandLimiter, MultiBandExpander, MultiBandNoiseGate]
FOLLOWING = [*SINGLE, *BANDS]
NINE = [*FOLLOWING, TransientShaper]
HARD = {Limiter, NoiseGate, MultiBandLimiter, MultiBandNoiseGate}

COMPRESSING = {
    "threshold_db": (-60, 0),
    "ratio": (1, 20),
    "knee_db": (0, 12),
    "attack_ms": (0.1, 100),
    "release_ms": (10, 1000),
    "makeup_db": (-12, 12),
}
LIMITING = COMPRESSING | {"ratio": (20, 100), "knee_db": (0, 1), "attack_ms": (0.1, 1), "release_ms": (5, 500)}
GATING = {
    "threshold_db": (-90, -20),
    "range_db": (-90, 0),
    "knee_db": (0, 6),
    "attack_ms": (0.1, 20),
    "release_ms": (5, 1000),
}
IN_BANDS = COMPRESSING | {"attack_ms": (1, 500), "release_ms": (10, 2000), "makeup_db": (-24, 24)}
RANGES = {
    Compressor: COMPRESSING,
    Expander: COMPRESSING,
    Limiter: LIMITING,
    NoiseGate: GATING,
    MultiBandCompressor: IN_BANDS,
    MultiBandExpander: IN_BANDS,
    MultiBandLimiter: LIMITING,
    MultiBandNoiseGate: GATING,
}


class Controller(nn.Module):
    """The network of the examples, which all have the same."""

    def __init__(self, input_size, num_params):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(input_size, 32), nn.ReLU(), nn.Linear(32, num_params), nn.Sigmoid())

    def forward(self, x):
        return self.net(x)


@pytest.fixture
def input_audio(rng):
    return torch.tensor(rng.normal(size=(3, 2, 2000)), dtype=torch.float32) * torch.logspace(-3, 0, 2000)


@pytest.fixture
def features():
    return torch.randn(3, 16, generator=torch.Generator().manual_seed(0))


def ours(kind, **options):
    """The same of ``grafx.processors``."""
    style = {"style": "desk"} if kind in (Compressor, NoiseGate) else {}
    hard = {"knee_type": "hard"} if kind in HARD else {}
    return getattr(gp, kind.__name__)(**style, **hard, **options)


def names(kind, num_bands=3):
    if kind in SINGLE:
        return RANGES[kind]
    bands = {f"band{k}_{name}": limits for k in range(num_bands) for name, limits in RANGES[kind].items()}
    return {**bands, **{f"crossover{i}_freq": None for i in range(num_bands - 1)}}


def test_compressor_as_documented(input_audio, features):
    compressor = Compressor(sample_rate=44100, knee_type="quadratic", smooth_type="ballistics")
    settings = {
        "threshold_db": -20.0,
        "ratio": 4.0,
        "knee_db": 6.0,
        "attack_ms": 5.0,
        "release_ms": 50.0,
        "makeup_db": 0.0,
    }
    output = compressor(input_audio, dsp_params=settings)
    torch.testing.assert_close(output, gp.Compressor(style="desk")(input_audio, dsp_params=settings))
    num_params = compressor.count_num_parameters()
    assert num_params == 6
    controller = Controller(input_size=16, num_params=num_params)
    output = compressor(input_audio, norm_params=controller(features))
    output.square().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in controller.parameters())


def test_noise_gate_as_documented(input_audio, features):
    gate = NoiseGate(sample_rate=44100, knee_type="hard", smooth_type="ballistics")
    settings = {"threshold_db": -40.0, "range_db": -60.0, "knee_db": 0.0, "attack_ms": 1.0, "release_ms": 50.0}
    output = gate(input_audio, dsp_params=settings)
    torch.testing.assert_close(output, gp.NoiseGate(style="desk")(input_audio, dsp_params=settings))
    assert gate.count_num_parameters() == 5
    assert gate(input_audio, norm_params=Controller(16, 5)(features)).shape == input_audio.shape


def test_multiband_compressor_as_documented(input_audio, features):
    mb_comp = MultiBandCompressor(sample_rate=44100, num_bands=3)
    settings = {
        "band0_threshold_db": -24.0,
        "band0_ratio": 4.0,
        "band0_knee_db": 6.0,
        "band0_attack_ms": 10.0,
        "band0_release_ms": 100.0,
        "band0_makeup_db": 3.0,
        "band1_threshold_db": -18.0,
        "band1_ratio": 3.0,
        "band1_knee_db": 6.0,
        "band1_attack_ms": 5.0,
        "band1_release_ms": 50.0,
        "band1_makeup_db": 2.0,
        "band2_threshold_db": -12.0,
        "band2_ratio": 2.0,
        "band2_knee_db": 6.0,
        "band2_attack_ms": 1.0,
        "band2_release_ms": 20.0,
        "band2_makeup_db": 1.0,
        "crossover0_freq": 200.0,
        "crossover1_freq": 2000.0,
    }
    output = mb_comp(input_audio, dsp_params=settings)
    torch.testing.assert_close(output, gp.MultiBandCompressor()(input_audio, dsp_params=settings))
    num_bands = 3
    controller = Controller(input_size=16, num_params=num_bands * 6 + (num_bands - 1))
    assert mb_comp(input_audio, norm_params=controller(features)).shape == input_audio.shape


def test_multiband_noise_gate_as_documented(input_audio, features):
    mb_gate = MultiBandNoiseGate(sample_rate=44100, num_bands=3)
    settings = {
        "band0_threshold_db": -50.0,
        "band0_range_db": -60.0,
        "band0_knee_db": 0.0,
        "band0_attack_ms": 1.0,
        "band0_release_ms": 50.0,
        "band1_threshold_db": -45.0,
        "band1_range_db": -60.0,
        "band1_knee_db": 0.0,
        "band1_attack_ms": 0.5,
        "band1_release_ms": 30.0,
        "band2_threshold_db": -40.0,
        "band2_range_db": -60.0,
        "band2_knee_db": 0.0,
        "band2_attack_ms": 0.1,
        "band2_release_ms": 20.0,
        "crossover0_freq": 200.0,
        "crossover1_freq": 2000.0,
    }
    output = mb_gate(input_audio, dsp_params=settings)
    torch.testing.assert_close(output, gp.MultiBandNoiseGate()(input_audio, dsp_params=settings))
    num_bands = 3
    controller = Controller(input_size=16, num_params=num_bands * 5 + (num_bands - 1))
    assert mb_gate(input_audio, norm_params=controller(features)).shape == input_audio.shape


def test_nine_classes_and_their_ranges():
    assert {getattr(desk, name) for name in desk.__all__} == {*NINE, EffectParam}


@pytest.mark.parametrize("kind", NINE)
def test_positions_defaults_and_attributes(kind):
    options = list(inspect.signature(kind).parameters.values())
    assert [option.name for option in options][:2] == ["sample_rate", "param_range"]
    assert [option.default for option in options][:2] == [44100, None]
    assert kind(48000, None).sample_rate == 48000
    if kind is TransientShaper:
        return
    knee = "hard" if kind in HARD else "quadratic"
    before = [48000, None] if kind in SINGLE else [48000, None, 4]
    assert (kind().knee_type, kind().smoothing_type, kind().sample_rate) == (knee, "ballistics", 44100)
    processor = kind(*before, "quadratic", "iir")
    assert (processor.knee_type, processor.smoothing_type) == ("quadratic", "iir")
    assert list(processor.params) == list(names(kind, 4))
    for name, limits in names(kind, 4).items():
        found = processor.params[name]
        assert limits is None or (found.min_val, found.max_val) == limits
    if kind in SINGLE:
        assert isinstance(processor.ballistics, Ballistics)
        assert isinstance(processor.iir_filter, TruncatedOnePoleIIRFilter)
    else:
        assert [len(kind(48000, num_bands=n).params) for n in (2, 5)] == [len(names(kind, n)) for n in (2, 5)]


@pytest.mark.parametrize("kind", NINE)
def test_all_calls_are_one(kind, input_audio):
    processor = kind(44100)
    norm = torch.rand(3, processor.count_num_parameters(), generator=torch.Generator().manual_seed(1))
    named = dict(zip(processor.params, norm.unbind(-1), strict=True))
    expected = processor(input_audio, norm_params=norm)
    for y in (
        processor(input_audio, norm),
        processor(x=input_audio, norm_params=named),
        processor.process(input_audio, named),
        processor.process(input_audio, norm_params=norm, dsp_params=None),
        processor(input_audio, **processor.norm_to_raw(norm)),
    ):
        torch.testing.assert_close(y, expected)
    dsp = {name: value.tolist() for name, value in processor.norm_to_dsp(norm).items()}
    dsp = {name: torch.tensor(value) for name, value in dsp.items()}
    for y in (processor.process(input_audio, None, dsp), processor(input_audio, None, dsp)):
        torch.testing.assert_close(y, expected, rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="dsp_params and norm_params at once"):
        processor.process(input_audio, norm, dsp)


@pytest.mark.parametrize("kind", NINE)
def test_computes_what_ours_does(kind, input_audio):
    processor, other = kind(48000), ours(kind, sample_rate=48000)
    assert {name: (low, high) for name, (low, high) in processor.params.items()} == {
        name: (control.low, control.high) for name, control in other.controls.items()
    }
    norm = torch.rand(3, processor.count_num_parameters(), generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(processor(input_audio, norm), other(input_audio, norm_params=norm))


@pytest.mark.parametrize("kind", FOLLOWING)
def test_an_iir_follower_takes_all_controls_and_has_one_time(kind, input_audio):
    processor = kind(44100, smooth_type="iir")
    assert list(processor.params) == list(names(kind))
    attacks = {name: 0.8 for name in processor.params if name.endswith("attack_ms")}
    sounds = {}
    for release in (6.0, 400.0):
        releases = {
            name: max(release, limits.min_val) for name, limits in processor.params.items() if "release" in name
        }
        wanted = {name: max(0.8, processor.params[name].min_val) for name in attacks}
        sounds[release] = processor(input_audio, dsp_params={**wanted, **releases})
    assert torch.equal(sounds[6.0], sounds[400.0])
    wanted = {name.replace("attack", "smoothing"): value for name, value in wanted.items()}
    torch.testing.assert_close(sounds[6.0], ours(kind, smooth_type="iir")(input_audio, dsp_params=wanted))


@pytest.mark.parametrize("kind", NINE)
def test_ranges_are_pairs_or_have_two_ends(kind, input_audio):
    name = next(name for name in kind().params if name.endswith("_db"))
    for limits in (EffectParam(-15.0, -5.0), EffectParam(min_val=-15.0, max_val=-5.0), (-15.0, -5.0)):
        assert kind(44100, {name: limits}).params[name] == (-15.0, -5.0)
    foreign = SimpleNamespace(min_val=-15.0, max_val=-5.0, default=None)
    processor = kind(param_range={name: foreign})
    assert processor.params[name] == (-15.0, -5.0)
    with pytest.raises(ValueError, match=f"{name} is -20"):
        processor(input_audio, dsp_params={name: -20.0})


@pytest.mark.parametrize("kind", FOLLOWING)
def test_other_options_are_refused(kind):
    for option in ("knee_type", "smooth_type"):
        for value in ("soft", None, ""):
            with pytest.raises(ValueError, match=f"{option} must be one of"):
                kind(44100, **{option: value})
    if "NoiseGate" in kind.__name__:
        with pytest.raises(ParameterError, match="knee_type must be one of 'hard', 'quadratic', not 'exponential'"):
            kind(knee_type="exponential")


@pytest.mark.parametrize("kind", NINE)
def test_serves_in_graphs_containers_and_streams(kind, input_audio):
    processor = kind(44100)
    processors = {"dynamics": processor, "wet": gp.DryWet(processor, external_param=False)}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    G.add_serial_chain(["in", "dynamics", "wet", "out"])
    expected = processor(input_audio, dsp_params={})
    rendered = Renderer(G, processors)(input_audio[:1])
    torch.testing.assert_close(rendered, processors["wet"](expected[:1], dsp_params={}))
    y, state = processor.stream(input_audio[..., :900], dsp_params={})
    z, _ = processor.stream(input_audio[..., 900:], state=state, dsp_params={})
    torch.testing.assert_close(torch.cat([y, z], -1), expected, rtol=1e-4, atol=1e-5)
