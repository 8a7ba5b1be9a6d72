"""Kicks beside their equations, in NumPy and in double precision."""

import numpy as np
import pytest
import torch
from grafx.processors import KICKS, KickSynth, WhiteNoise
from grafx.processors.base import ParameterError
from scipy.signal import lfilter

RATE = 44100
SHELLS = ["low", "band", "high"]


def synth(name, **options):
    return KickSynth(use_modal="modal_freq" in KICKS[name], **options)


def raw_of(processor, batch, seed=0, std=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    size = processor.parameter_size()
    return {name: (std * torch.randn(batch, 1, generator=generator, dtype=torch.float64)).to(dtype) for name in size}


def pitch(c, ratio, length):
    t = np.arange(length) / RATE
    vibrato = 1 + c["lfo_amount"] * np.sin(2 * np.pi * c["lfo_rate"] * t)
    return np.clip(ratio * c["f_start"] * np.exp(-c["pitch_decay"] * t) * vibrato, 20, 5000)


def envelope(c, length):
    times = np.cumsum([0, c["attack_time"], c["decay_time"], c["release_time"]])
    return np.interp(np.arange(length) / RATE, times, [0, 1, c["sustain_level"], 0])


def biquad(kind, hertz, q, x):
    w = 2 * np.pi * hertz / RATE
    cos, alpha = np.cos(w), np.sin(w) / (2 * q)
    b = {
        "low": np.array([1, 2, 1]) * (1 - cos) / 2,
        "high": np.array([1, -2, 1]) * (1 + cos) / 2,
        "band": np.array([alpha, 0, -alpha]),
    }
    return lfilter(b[kind], [1 + alpha, -2 * cos, 1 - alpha], x)


def reference(c, shell_filter_type, seed, length):
    t = np.arange(length) / RATE
    d, b = c["detune_amount"], c["sub_osc_mix"]
    tone = 0
    for ratio, gain in ((1, 1), (1 + d, d), (0.5, b)):
        cycles = np.concatenate([[0], pitch(c, ratio, length).cumsum()[:-1]]) / RATE
        tone = tone + gain / (1 + d + b) * np.sin(2 * np.pi * cycles)
    white = WhiteNoise()(num_samples=length, stream=torch.full((1, 1), seed).double(), gain=torch.ones(1, 1).double())
    burst = c["transient_level"] * np.exp(-c["transient_decay"] * t) * white[0, 0].numpy()
    y = envelope(c, length) * tone
    filtered = biquad(shell_filter_type, c["shell_filter_cutoff"], c["shell_filter_res"], tone)
    y += c["shell_mix"] * 10 ** (-3 * t / c["shell_decay"]) * filtered
    y += biquad("high", c["transient_hp_cutoff"], 0.5**0.5, burst)
    if "modal_freq" in c:
        y += c["modal_amp"] * 10 ** (-3 * t / c["modal_decay"]) * np.sin(2 * np.pi * c["modal_freq"] * t)
    return 2 / np.pi * np.arctan(c["distortion_drive"] * y)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-4), (torch.float64, 1e-9)])
@pytest.mark.parametrize("name", KICKS)
def test_settings_are_the_equations(name, dtype, tolerance):
    processor = synth(name)
    raw = processor.dsp_to_raw(KICKS[name], like=torch.zeros((), dtype=torch.float64))
    y = processor(num_samples=15001, **{n: value.to(dtype) for n, value in raw.items()})
    assert y.shape == (1, 1, 15001) and y.dtype == dtype
    controls = {control: value.item() for control, value in processor.raw_to_dsp(raw).items()}
    np.testing.assert_allclose(y[0, 0], reference(controls, "low", 0, 15001), atol=tolerance)


@pytest.mark.parametrize("use_modal", [False, True])
@pytest.mark.parametrize("kind", SHELLS)
def test_random_kicks_are_the_equations(kind, use_modal):
    processor = KickSynth(kind, use_modal, seed=7)
    norm = torch.rand(4, processor.count_num_parameters(), generator=torch.Generator().manual_seed(1)).double()
    y = processor(num_samples=4999, norm_params=norm)
    values = processor.norm_to_dsp(norm)
    for row in range(4):
        controls = {name: value[row].item() for name, value in values.items()}
        np.testing.assert_allclose(y[row, 0], reference(controls, kind, 7, 4999), atol=1e-8)


def test_pitch_stays_within_its_bounds():
    """It starts above and ends below them; a tone by itself tells where."""
    controls = {
        "f_start": 5000,
        "pitch_decay": 20,
        "detune_amount": 0,
        "lfo_amount": 1,
        "lfo_rate": 20,
        "sustain_level": 1,
        "decay_time": 1,
        "shell_mix": 0,
        "transient_level": 0,
        "distortion_drive": 0.1,
    }
    processor = KickSynth()
    raw = processor.dsp_to_raw(controls, like=torch.zeros((), dtype=torch.float64))
    y = processor(num_samples=RATE, **raw)[0, 0].numpy()
    rises = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0))
    times = (rises + y[rises] / (y[rises] - y[rises + 1])) / RATE  # between samples
    hertz = 1 / np.diff(times)
    np.testing.assert_allclose(hertz[times[:-1] < 0.01], 5000, rtol=0.01)
    assert (hertz < 5050).all() and (hertz > 19.9).all()
    np.testing.assert_allclose(hertz[times[:-1] > 0.6], 20, rtol=0.01)


@pytest.mark.parametrize("name", KICKS)
def test_settings_sound_like_kicks(name):
    y = synth(name)(num_samples=RATE, dsp_params=KICKS[name])[0, 0].double()
    level = y.abs()
    assert 0.6 < level.max() < 1
    assert level.argmax() < 0.02 * RATE, "the beater is not the loudest"
    assert level[int(0.5 * RATE) :].max() < 1e-2 * level.max(), "it rings for too long"
    assert y.mean().abs() < 2e-3, "it has an offset"
    power = torch.fft.rfft(y).abs().square()  # a bin for each Hertz
    assert power[20:500].sum() > 0.7 * power.sum(), "it has no body"
    click = torch.fft.rfft(y[:220]).abs().square()
    assert click[5:].sum() > 0.02 * click.sum(), "it has no click"  # above 1 kHz


@pytest.mark.parametrize("name", KICKS)
def test_same_seed_same_kick(name):
    torch.manual_seed(0)
    first = synth(name, seed=5)(num_samples=3000, dsp_params=KICKS[name])
    torch.manual_seed(1)
    torch.testing.assert_close(synth(name, seed=5)(num_samples=3000, dsp_params=KICKS[name]), first, rtol=0, atol=0)
    other = synth(name, seed=6)(num_samples=3000, dsp_params=KICKS[name])
    assert (other - first)[..., :100].abs().max() > 0.05
    assert (other - first)[..., 2500:].abs().max() < 1e-3, "another click changes the body"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("std", [10.0, 1e3, 1e6, 1e30])
def test_output_and_gradients_are_bounded_for_all_raw_values(std, dtype):
    for kind in SHELLS:
        processor = KickSynth(kind, use_modal=True)
        raw = {name: value.requires_grad_() for name, value in raw_of(processor, 32, 2, std, dtype).items()}
        y = processor(num_samples=500, **raw)
        assert y.abs().max() <= 1
        y.sum().backward()
        assert all(value.grad.isfinite().all() for value in raw.values())


@pytest.mark.parametrize("kind", SHELLS)
def test_gradients(kind):
    processor = KickSynth(kind, use_modal=True, sample_rate=400)
    raw = raw_of(processor, 2, 3, 0.3)
    assert torch.autograd.gradcheck(
        lambda *values: processor(num_samples=60, **dict(zip(raw, values, strict=True))),
        [value.requires_grad_() for value in raw.values()],
        fast_mode=True,
    )


def test_many_kicks_are_as_each_alone():
    """So many that they are not made all at once."""
    processor, length, batch = KickSynth(use_modal=True), 2**16, 18
    raw = {name: value.requires_grad_() for name, value in raw_of(processor, batch, 4, dtype=torch.float32).items()}
    together = processor(num_samples=length, **raw)
    assert together.shape == (batch, 1, length)
    gradients = torch.autograd.grad(together.square().sum(), list(raw.values()))
    for row in (0, 7, 8, 17):
        own = {name: value[row : row + 1] for name, value in raw.items()}
        alone = processor(num_samples=length, **own)
        torch.testing.assert_close(alone, together[row : row + 1], rtol=0, atol=1e-6)
        for gradient, expected in zip(
            torch.autograd.grad(alone.square().sum(), list(own.values())), gradients, strict=True
        ):
            torch.testing.assert_close(gradient, expected[row : row + 1], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("batch, length", [(0, 100), (3, 0), (2, 1)])
def test_empty_batches_and_short_kicks(batch, length):
    processor = KickSynth(use_modal=True)
    raw = raw_of(processor, batch)
    assert processor(num_samples=length, **raw).shape == (batch, 1, length)
    assert processor.tail_samples(**raw) >= 0


def test_a_kick_is_over_after_its_tail():
    processor = KickSynth(use_modal=True)
    raw = raw_of(processor, 6, 5)
    for row in range(6):
        own = {name: value[row : row + 1] for name, value in raw.items()}
        tail = processor.tail_samples(**own)
        level = processor(num_samples=tail + 5000, **own)[0, 0].abs()
        assert level[tail:].max() <= 1e-3 * level.max()
        assert level[tail // 10 :].max() > 1e-3 * level.max(), "the tail is ten times as long as need be"


def test_defaults_are_the_classic_kick():
    processor = KickSynth()
    torch.testing.assert_close(
        processor(num_samples=2000, dsp_params={}), processor(num_samples=2000, dsp_params=KICKS["classic"])
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(ParameterError, match="shell_filter_type must be one of 'low', 'band', 'high', not 'notch'"):
        KickSynth("notch")
    with pytest.raises(ParameterError, match="KickSynth has no control 'modal_freq'"):
        KickSynth()(num_samples=10, dsp_params=KICKS["electro"])
    with pytest.raises(ParameterError, match="f_start is 10, but must lie within its range"):
        KickSynth()(num_samples=10, dsp_params={"f_start": 10})
    with pytest.raises(ParameterError, match="KickSynth needs log_f_start"):
        KickSynth()(num_samples=10, log_pitch_decay=torch.zeros(1, 1))


@torch.no_grad()
@pytest.mark.slow
def test_compiles_as_one_graph():
    processor = KickSynth(use_modal=True)
    raw = raw_of(processor, 2, 6, dtype=torch.float32)
    compiled = torch.compile(lambda **raw: processor(num_samples=300, **raw), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(**raw), processor(num_samples=300, **raw), rtol=0, atol=1e-6)
