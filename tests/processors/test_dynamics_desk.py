"""Dynamics driven by the controls of a mixing desk: against formulas in decibels, and a loop over samples."""

import warnings

import numpy as np
import pytest
import torch
from grafx.processors import (
    Compressor,
    Expander,
    FactorizedCompressor,
    FactorizedNoiseGate,
    Limiter,
    MultiBandCompressor,
    MultiBandNoiseGate,
    NoiseGate,
    TransientShaper,
)
from grafx.processors.base import ParameterError
from torch.autograd import gradcheck

from grafx.search import console_processors

RATE = 44100
RAMPS = [Compressor, Expander, Limiter]
KINDS = [*RAMPS, NoiseGate]
RATIO = {Compressor: 4.0, Expander: 3.0, Limiter: 30.0}
KNEE = {Compressor: 8.0, Expander: 8.0, Limiter: 1.0, NoiseGate: 5.0}
ORDER = ["threshold_db", "ratio", "knee_db", "attack_ms", "release_ms", "makeup_db"]
CURVES = [(kind, knee) for kind in RAMPS for knee in ("hard", "quadratic", "exponential")] + [
    (NoiseGate, "hard"),
    (NoiseGate, "quadratic"),
]


def ramp(over, knee, width):
    """Static curve over decibels above the threshold, except for its slope."""
    if knee == "hard":
        return np.maximum(over, 0)
    if knee == "exponential":
        sharpness = np.exp(width)
        return np.logaddexp(0, sharpness * over) / sharpness
    return np.where(np.abs(over) < width / 2, (over + width / 2) ** 2 / (2 * width), np.maximum(over, 0))


def gain_db(kind, knee, level, p):
    """Decibels of the amplitude for decibels of the level, by the printed formulas."""
    over = level - p["threshold_db"]
    if kind is NoiseGate:
        if knee == "hard":
            return np.where(over <= 0, p["range_db"], 0.0)
        t = np.clip(over / p["knee_db"] + 0.5, 0, 1)
        return p["range_db"] * np.where(t < 0.5, 1 - 2 * t**2, 2 * (1 - t) ** 2)
    if kind is Expander:
        return (1 - p["ratio"]) * ramp(-over, knee, p["knee_db"])
    return (1 / p["ratio"] - 1) * ramp(over, knee, p["knee_db"])


def desk(kind, **options):
    style = {"style": "desk"} if kind in (Compressor, NoiseGate) else {}
    return kind(**style, **{"sample_rate": RATE, **options})


def make(kind, knee, **options):
    return desk(kind, knee_type=knee, **options)


def settings(kind, knee="quadratic", **others):
    p = {"threshold_db": -30.0, "knee_db": 1.0 if knee == "exponential" else KNEE[kind], "release_ms": 20.0}
    p |= {"attack_ms": 0.5} | ({"range_db": -50.0} if kind is NoiseGate else {"ratio": RATIO[kind], "makeup_db": 3.0})
    return p | others


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind, knee", CURVES)
def test_static_curves_are_those_of_the_formulas(kind, knee, dtype):
    level = np.linspace(-80.05, 0, 600)
    x = torch.tensor(10 ** (level / 20), dtype=dtype)[:, None, None].expand(-1, 2, 1000)
    p = settings(kind, knee)
    y = make(kind, knee)(x, dsp_params=p)[..., -1:]
    found = 20 * torch.log10(y / x[..., -1:])[:, 0, 0].numpy()
    np.testing.assert_allclose(found, gain_db(kind, knee, level, p) + p.get("makeup_db", 0), atol=0.01)


@pytest.mark.parametrize("kind, knee", CURVES)
def test_follows_a_loop_over_samples(kind, knee, rng):
    p = settings(kind, knee, attack_ms=0.3, release_ms=10.0)
    x = rng.normal(size=(3, 2, 700)) * 10 ** rng.uniform(-4, 0, size=(3, 1, 7)).repeat(100, -1)
    expected = np.empty_like(x)
    alpha = {name: np.exp(-1000 / (p[name] * RATE)) for name in ("attack_ms", "release_ms")}
    for row in range(3):
        state = 0.0
        for n in range(700):
            energy = max(x[row, :, n] ** 2) if kind is Limiter else np.mean(x[row, :, n] ** 2)
            a = alpha["attack_ms"] if energy >= state else alpha["release_ms"]
            state = a * state + (1 - a) * energy
            gain = gain_db(kind, knee, 10 * np.log10(state + 1e-13), p) + p.get("makeup_db", 0)
            expected[row, :, n] = x[row, :, n] * 10 ** (gain / 20)
    y = make(kind, knee)(torch.tensor(x), dsp_params=p)
    np.testing.assert_allclose(y, expected, rtol=2e-5, atol=1e-12)  # a ratio is set to 1e-6
    y = make(kind, knee)(torch.tensor(x, dtype=torch.float32), dsp_params=p)
    if (kind, knee) != (NoiseGate, "hard"):  # whose jump may be a sample off
        np.testing.assert_allclose(y, expected, rtol=2e-4, atol=1e-6)


def crossing(envelope, value):
    """When the samples n + 1 reach a value, between samples by a straight line."""
    rising = envelope[-1] > envelope[0]
    n = int(np.argmax(envelope >= value if rising else envelope <= value))
    before = envelope[n - 1] if n else (0.0 if rising else 1.0)
    return n + (value - before) / (envelope[n] - before)


@pytest.mark.parametrize("kind", RAMPS)
@pytest.mark.parametrize("rate", [44100, 96000])
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_times_of_attack_and_release_are_what_is_asked_for(kind, rate, share):
    """The energy is read from the gain, through the static curve of a hard knee."""
    processor = make(kind, "hard", sample_rate=rate)
    controls = processor.controls
    wanted = {name: controls[name].low * (controls[name].high / controls[name].low) ** share for name in ORDER[3:5]}
    on, off = (int(t * rate / 1000 * 6) + 50 for t in wanted.values())
    x = torch.cat([torch.ones(1, 1, on), torch.full((1, 1, off), 1e-4)], -1).double()
    low, ratio = (0, 1.05) if kind is Expander else (-60, controls["ratio"].low + 1.0)
    y = processor(x, dsp_params={"threshold_db": low, "ratio": ratio, **wanted})
    gain = 20 * np.log10((y / x)[0, 0].numpy())
    slope = ratio - 1 if kind is Expander else 1 / ratio - 1
    energy = 10 ** ((gain / slope + low) / 10)
    assert crossing(energy[:on], 1 - np.exp(-1)) * 1000 / rate == pytest.approx(wanted["attack_ms"], rel=0.02)
    release = crossing(energy[on:] / energy[on - 1], np.exp(-1)) * 1000 / rate
    assert release == pytest.approx(wanted["release_ms"], rel=0.02)


@pytest.mark.parametrize("share", [0.1, 0.4, 1.0])
def test_the_gate_opens_and_closes_in_time(share):
    attack, release = 0.1 * 200**share, 5 * 200**share
    on, off = (int(t * RATE / 1000 * 6) + 50 for t in (attack, release))
    for name, threshold, duration in (("attack", 1 - np.exp(-1), attack), ("release", np.exp(-1), release)):
        x = torch.cat([torch.full((1, 1, on), 0.1), torch.full((1, 1, off), 1e-5)], -1).double()
        p = {"threshold_db": 10 * np.log10(threshold * 0.01), "attack_ms": attack, "release_ms": release}
        gain = (NoiseGate(style="desk", sample_rate=RATE)(x, dsp_params=p) / x)[0, 0]
        is_open = (gain > 0.5).numpy()
        sample = np.argmax(is_open) + 1 if name == "attack" else np.argmin(is_open[on:]) + 1
        assert sample * 1000 / RATE == pytest.approx(duration, rel=0.02, abs=1000 / RATE)


def test_controls_are_those_of_a_desk():
    for kind, limits in {
        Compressor: [(-60, 0), (1, 20), (0, 12), (0.1, 100), (10, 1000), (-12, 12)],
        Limiter: [(-60, 0), (20, 100), (0, 1), (0.1, 1), (5, 500), (-12, 12)],
        Expander: [(-60, 0), (1, 20), (0, 12), (0.1, 100), (10, 1000), (-12, 12)],
    }.items():
        for knee in ("hard", "quadratic", "exponential"):
            processor = make(kind, knee, smooth_type="ballistics")
            assert processor.count_num_parameters() == 6
            assert list(processor.controls) == ORDER
            assert [(c.low, c.high) for c in processor.controls.values()] == limits
        assert desk(kind).count_num_parameters() == 6
        assert "log_makeup" not in desk(kind, makeup=False).parameter_size()
        iir = desk(kind, smooth_type="iir").controls
        assert [*iir][3:] == ["smoothing_ms", "makeup_db"]
    for knee in ("hard", "quadratic"):
        gate = make(NoiseGate, knee)
        assert [*gate.controls] == ["threshold_db", "range_db", "knee_db", "attack_ms", "release_ms"]
        limits = [(-90, -20), (-90, 0), (0, 6), (0.1, 20), (5, 1000)]
        assert [(c.low, c.high) for c in gate.controls.values()] == limits
    assert NoiseGate(style="desk", sample_rate=RATE).count_num_parameters() == 5
    assert NoiseGate(style="desk", sample_rate=RATE).knee == "hard"
    assert TransientShaper(RATE).count_num_parameters() == 6
    compressor = Compressor(style="desk", param_range={"threshold_db": (-80, -10)})
    assert compressor.count_num_parameters() == 6
    assert compressor.controls["threshold_db"].low == -80


WORDS = [{"sample_rate": 48000}, {"param_range": {"ratio": (1, 9)}}, {"knee_type": "quadratic"}, {"smooth_type": "iir"}]
SIZES = {"log_threshold": 1, "log_ratio": 1, "log_knee": 1}


@pytest.mark.parametrize("kind", [Compressor, NoiseGate])
def test_a_word_chooses_the_style_and_nothing_else_does(kind, recwarn):
    for words in [{}, *(words for words in WORDS if kind is Compressor or "param_range" not in words)]:
        times = 1 if words.get("smooth_type") == "iir" else 2
        curve = SIZES if kind is Compressor else {"log_threshold": 1, "log_range": 1, "log_knee": 1}
        size = desk(kind, **words).parameter_size()
        assert size == {**curve, "z_alpha_pre": times} | ({"log_makeup": 1} if kind is Compressor else {})
        grafx = kind(style="grafx", **words)
        assert grafx.parameter_size() == {**SIZES, "z_alpha_pre": 1}
        assert grafx.sample_rate == words.get("sample_rate", 44100)
    assert (kind().style, kind(style="grafx").style, kind(style="desk").style) == ("grafx", "grafx", "desk")
    assert not recwarn.list


@pytest.mark.parametrize("kind", [Compressor, NoiseGate])
def test_options_mean_the_same_in_both_styles(kind):
    for style in ("grafx", "desk"):
        for options, size in (
            ({"energy_smoother": "iir"}, 1),
            ({"smooth_type": "iir"}, 1),
            ({"energy_smoother": "ballistics"}, 2),
            ({"smooth_type": "ballistics"}, 2),
            ({"energy_smoother": None}, None),
        ):
            assert kind(style=style, **options).parameter_size().get("z_alpha_pre") == size
        for options in ({"knee": "hard"}, {"knee_type": "hard"}):
            assert kind(style=style, **options).knee == "hard"
        for makeup in (True, False):
            assert ("log_makeup" in kind(style=style, makeup=makeup).parameter_size()) == makeup
        assert kind(style=style, gain_smoother="iir").parameter_size()["z_alpha_post"] == 1
    assert NoiseGate(style="grafx", knee_type="exponential").knee == "exponential"
    assert (NoiseGate(style="desk").knee, Compressor(style="desk").knee) == ("hard", "quadratic")


@pytest.mark.parametrize("kind", [Compressor, NoiseGate])
@pytest.mark.parametrize("words", WORDS)
def test_words_that_used_to_choose_a_style_warn_once(kind, words):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        processors = [kind(**words), kind(**words)]
        kind(energy_smoother="iir", sample_rate=48000)
    (heard,) = heard
    assert heard.category is FutureWarning and heard.filename == __file__
    assert f'write {kind.__name__}(style="desk", {next(iter(words))}=…)' in str(heard.message)
    assert [processor.style for processor in processors] == ["grafx"] * 2


def test_processors_made_of_others_do_not_warn(recwarn):
    for kind in (MultiBandCompressor, MultiBandNoiseGate, FactorizedCompressor, FactorizedNoiseGate):
        kind(48000)
    console_processors(48000)
    assert not recwarn.list


@pytest.mark.parametrize("kind", KINDS)
def test_networks_drive_it(kind):
    processor, x = desk(kind), torch.randn(3, 2, 4000) * torch.logspace(-5, 0, 4000)
    norm = torch.rand(3, processor.count_num_parameters(), requires_grad=True)
    y = processor(x, norm_params=norm)
    named = dict(zip(processor.controls, norm.unbind(-1), strict=True))
    torch.testing.assert_close(processor(x, norm_params=named), y)
    torch.testing.assert_close(processor(x, **processor.norm_to_raw(norm)), y)
    y.square().mean().backward()
    assert norm.grad.isfinite().all() and norm.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind, rng):
    knees = ["quadratic"] if kind is NoiseGate else ["quadratic", "exponential"]
    for knee in knees:
        processor = make(kind, knee)
        x = torch.tensor(rng.normal(size=(2, 2, 15)) * 0.1, requires_grad=True)
        raw = processor.dsp_to_raw(settings(kind, knee), 2, x)
        values = [value.requires_grad_() for value in raw.values()]
        assert gradcheck(lambda x, *v, run=processor: run(x, *v), (x, *values), fast_mode=True)


def test_a_hard_gate_can_be_learned():
    gate, x = NoiseGate(style="desk", sample_rate=RATE), torch.randn(1, 1, 4000) * torch.logspace(-5, 0, 4000)
    raw = {name: value.clone().requires_grad_() for name, value in gate.dsp_to_raw({}, 1, x).items()}
    gate(x, **raw).square().sum().backward()
    assert all(raw[name].grad.abs().min() > 0 for name in ("log_threshold", "log_range", "z_alpha_pre"))


@pytest.mark.parametrize(
    "make_it, message",
    [
        (
            lambda: Compressor(style="desk", knee_type="soft"),
            "knee_type must be one of 'hard', .*'exponential', not 'soft'",
        ),
        (
            lambda: Compressor(style="desk", smooth_type="fir"),
            "smooth_type must be one of 'iir', 'ballistics', not 'fir'",
        ),
        (lambda: Compressor(44100), "energy_smoother must be one of .* not 44100"),
        (
            lambda: NoiseGate(style="desk", knee_type="exponential"),
            "knee_type must be one of 'hard', 'quadratic', not 'exponential'",
        ),
        (lambda: Compressor(knee="hard", knee_type="hard"), "knee and knee_type are one option"),
        (lambda: Compressor("iir", smooth_type="iir"), "energy_smoother and smooth_type are one option"),
        (lambda: Compressor(style="tape"), "style must be one of 'grafx', 'desk', None, not 'tape'"),
        (lambda: Limiter(knee_type="brick"), "knee_type must be one of"),
        (lambda: Expander(smooth_type=None), "smooth_type must be one of 'iir', 'ballistics', not None"),
        (lambda: Limiter(param_range={"range_db": (-90, 0)}).controls, "Limiter has no control 'range_db'"),
    ],
)
def test_unknown_options_are_refused(make_it, message):
    with pytest.raises(ParameterError, match=message):
        make_it()


@pytest.mark.parametrize(
    "views, message",
    [
        ({"dsp_params": {"threshold_db": 3}}, "threshold_db is 3, .* threshold_db from -60 to 0 dB"),
        ({"dsp_params": {"ratio": 0.5}}, "ratio is 0.5"),
        (
            {"dsp_params": {"range_db": -60}},
            "Compressor has no control 'range_db'; its controls are threshold_db",
        ),
        ({"dsp_params": {"attack_ms": torch.ones(2)}}, r"attack_ms has the shape \(2,\).* batch of 3"),
        ({"norm_params": torch.zeros(3, 5)}, r"\(batch, 6\), in the order threshold_db, ratio, knee_db, attack_ms"),
        ({"norm_params": {"makeup_db": 1.5}}, "makeup_db is 1.5, .* from 0 to 1"),
        ({"norm_params": {}, "dsp_params": {}}, "dsp_params and norm_params at once"),
        ({"dsp_params": {}, "log_makeup": torch.zeros(3, 1)}, "dsp_params and log_makeup at once"),
    ],
)
def test_wrong_values_are_refused(views, message):
    compressor = Compressor(style="desk", sample_rate=RATE, knee_type="quadratic", smooth_type="ballistics")
    with pytest.raises(ParameterError, match=message):
        compressor(torch.randn(3, 1, 10), **views)


@pytest.mark.parametrize("value", [-20, -20.0, torch.tensor(-20.0), torch.full((3,), -20), torch.full((1,), -20.0)])
def test_scalars_and_tensors_are_taken(value):
    x = torch.randn(3, 1, 100).double()
    y = Compressor(style="desk", sample_rate=RATE)(x, dsp_params={"threshold_db": value})
    torch.testing.assert_close(y, Compressor(style="desk", sample_rate=RATE)(x, dsp_params={}))  # -20 dB is the default
