from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from grafx.processors import Limiter
from grafx.processors.base import ParameterError
from torch.autograd import gradcheck

DRUMS = Path(__file__).parents[3] / "shared" / "audio" / "falcon69" / "drums.flac"
RATE = 44100


def bursts(rng, batch=4, length=20000):
    """Noise and clicks from -40 to 20 dB, one at the very start and one at the end."""
    steps = 10 ** (rng.uniform(-40, 20, size=(batch, 2, length // 500)) / 20)
    x = rng.normal(size=(batch, 2, length)) * steps.repeat(500, -1)
    x[..., [0, 7, -1]] = 30.0
    return torch.tensor(x)


def overshoot(y, threshold_db, makeup_db=0.0):
    return 20 * np.log10(float(y.abs().max())) - threshold_db - makeup_db


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("knee", ["hard", "quadratic", "exponential"])
def test_no_peak_passes_the_threshold_with_look_ahead(rng, knee, dtype):
    x = bursts(rng).to(dtype)
    for lookahead in (0.01, 0.1, 1.5, 5.0):
        limiter = Limiter(RATE, knee_type=knee, lookahead_ms=lookahead)
        for attack, release, ratio in ((0.1, 5, 20), (1, 500, 100), (1, 5, 20)):
            p = {"threshold_db": -12, "ratio": ratio, "attack_ms": attack, "release_ms": release}
            y = limiter(x, dsp_params=p | {"makeup_db": 6})
            assert y.isfinite().all() and overshoot(y, -12, 6) <= 1e-4
    without = Limiter(RATE, knee_type=knee)(x, dsp_params=p)
    assert overshoot(without, -12) > 3


@pytest.mark.skipif(not DRUMS.exists(), reason="the recording is not here")
@pytest.mark.parametrize("lookahead", [0.5, 1.5, 5.0])
def test_no_peak_of_drums_passes_the_threshold(lookahead):
    audio, rate = soundfile.read(DRUMS, stop=10 * 44100, dtype="float32", always_2d=True)
    x = torch.tensor(audio.T)[None]
    x = x / x.abs().max()
    for threshold in (-30, -12, -3):
        limiter = Limiter(rate, lookahead_ms=lookahead)
        y = limiter(x, dsp_params={"threshold_db": threshold})
        assert overshoot(y, threshold) <= 1e-4
        assert overshoot(y, threshold) > -1  # and no more than it takes


def test_look_ahead_follows_a_loop_over_samples(rng):
    limiter, ahead = Limiter(RATE, lookahead_ms=0.5), 22
    assert (limiter.latency_samples, limiter.causal) == (ahead, False)
    p = {"threshold_db": -20.0, "ratio": 25.0, "knee_db": 1.0, "attack_ms": 0.4, "release_ms": 6.0, "makeup_db": 1.0}
    x = rng.normal(size=(2, 300)) * 10 ** rng.uniform(-3, 0, size=(1, 3)).repeat(100, -1)
    attack, release = (np.exp(-1000 / (p[name] * RATE)) for name in ("attack_ms", "release_ms"))
    energy = np.concatenate([np.zeros(ahead), (x**2).max(0), np.zeros(ahead)])
    gains, state = [], 0.0
    for n in range(300 + ahead):
        peak = energy[n : n + ahead + 1].max()
        state = peak if peak >= state else release * state + (1 - release) * peak
        over = 10 * np.log10(state + 1e-13) - p["threshold_db"]
        curve = (over + 0.5) ** 2 / 2 if abs(over) < 0.5 else max(over, 0)
        gains.append(min((1 / p["ratio"] - 1) * curve, -max(over, 0)))
    weights = attack ** np.arange(ahead + 1)
    smooth = np.convolve(gains, weights / weights.sum())[ahead : ahead + 300]
    y = limiter(torch.tensor(x)[None], dsp_params=p)[0]
    np.testing.assert_allclose(y, x * 10 ** ((smooth + 1) / 20), rtol=2e-5, atol=1e-9)


def test_the_attack_takes_the_time_that_is_asked_for_before_the_peak():
    ahead = Limiter(RATE, lookahead_ms=10).latency_samples
    for attack in (0.2, 1.0):
        x = torch.cat([torch.full((1, 1, 1000), 1e-3), torch.ones(1, 1, 1000)], -1).double()
        p = {"threshold_db": -12, "knee_db": 0, "attack_ms": attack}
        gain = torch.log(Limiter(RATE, lookahead_ms=10)(x, dsp_params=p) / x)[0, 0]
        fall = (gain / gain.min()).numpy()[1000 - ahead :]
        sample = np.argmax(fall >= 1 - np.exp(-1))
        part = (1 - np.exp(-1) - fall[sample - 1]) / (fall[sample] - fall[sample - 1])
        assert (sample + part) * 1000 / RATE == pytest.approx(attack, rel=0.02)
        assert gain[: 1000 - ahead].abs().max() < 1e-9


def test_it_listens_to_the_loudest_channel():
    x = torch.tensor([[0.5], [0.0]], dtype=torch.float64).expand(1, 2, 3000)
    y = Limiter(RATE)(x, dsp_params={"threshold_db": -20, "ratio": 100, "knee_db": 0})
    assert 20 * np.log10(y[0, 0, -1].item()) == pytest.approx(-20 + 0.01 * (20 + 20 * np.log10(0.5)), abs=1e-3)


def test_gradients_with_look_ahead(rng):
    limiter = Limiter(RATE, lookahead_ms=0.1)
    x = torch.tensor(rng.normal(size=(2, 2, 12)) * 0.1, requires_grad=True)
    raw = limiter.dsp_to_raw({"threshold_db": -18, "knee_db": 1}, 2, x)
    assert gradcheck(limiter, (x, *(value.requires_grad_() for value in raw.values())))


@pytest.mark.parametrize("raw", [30.0, -30.0, 1e4, -1e4, 3e38, -3e38])
def test_extreme_values_are_finite_with_look_ahead(raw):
    limiter = Limiter(RATE, lookahead_ms=1)
    x = torch.cat([torch.randn(1, 2, 200), torch.zeros(1, 2, 200)]).requires_grad_()
    for extreme in (*limiter.parameter_size(), "all"):
        p = {k: torch.full((2, n), raw if extreme in (k, "all") else 0.0) for k, n in limiter.parameter_size().items()}
        y = limiter(x, *(value.requires_grad_() for value in p.values()))
        assert y.isfinite().all()
        assert all(g.isfinite().all() for g in torch.autograd.grad(y.sum(), [x, *p.values()]))


def test_latency_is_declared():
    assert (Limiter().latency_samples, Limiter().causal) == (0, True)
    assert Limiter(48000, lookahead_ms=5).latency_samples == 240
    with pytest.raises(ParameterError, match="lookahead_ms must be 0 or more milliseconds, not -1"):
        Limiter(lookahead_ms=-1)
    with pytest.raises(ParameterError, match="lookahead_ms needs smooth_type='ballistics'"):
        Limiter(lookahead_ms=1, smooth_type="iir")


@pytest.mark.slow
def test_compiles_to_one_graph():
    limiter, x = Limiter(lookahead_ms=1), torch.rand(1, 2, 128)
    p = limiter.dsp_to_raw({"threshold_db": -20}, 1, x)
    compiled = torch.compile(limiter, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, **p), limiter(x, **p))
