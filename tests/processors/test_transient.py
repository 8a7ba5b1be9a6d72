import numpy as np
import pytest
import torch
from grafx.processors import TransientShaper
from grafx.processors.base import ParameterError
from torch.autograd import gradcheck

RATE = 44100
P = {
    "attack_db": 12.0,
    "sustain_db": -9.0,
    "fast_attack_ms": 0.5,
    "fast_release_ms": 4.0,
    "slow_attack_ms": 3.0,
    "slow_release_ms": 30.0,
}


def follow(energy, attack_ms, release_ms):
    attack, release = (np.exp(-1000 / (ms * RATE)) for ms in (attack_ms, release_ms))
    envelope, state = np.empty_like(energy), 0.0
    for n, value in enumerate(energy):
        alpha = attack if value >= state else release
        envelope[n] = state = alpha * state + (1 - alpha) * value
    return envelope


def test_follows_a_loop_over_samples(rng):
    x = rng.normal(size=(2, 2, 900)) * 10 ** rng.uniform(-3, 0, size=(2, 1, 9)).repeat(100, -1)
    expected = np.empty_like(x)
    for row in range(2):
        energy = (x[row] ** 2).mean(0)
        fast = follow(energy, P["fast_attack_ms"], P["fast_release_ms"])
        slow = follow(energy, P["slow_attack_ms"], P["slow_release_ms"])
        lead = np.tanh((np.log(fast + 1e-13) - np.log(slow + 1e-13)) / 2)
        gain = np.where(lead > 0, P["attack_db"] * lead, -P["sustain_db"] * lead)
        expected[row] = x[row] * 10 ** (gain / 20)
    np.testing.assert_allclose(TransientShaper(RATE)(torch.tensor(x), dsp_params=P), expected, rtol=1e-9)
    y = TransientShaper(RATE)(torch.tensor(x, dtype=torch.float32), dsp_params=P)
    np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-6)


def hit(level):
    time = torch.arange(RATE // 2, dtype=torch.float64) / RATE
    tone = torch.sin(2 * torch.pi * 200 * time) * torch.exp(-time / 0.05)
    return level * torch.cat([torch.zeros(2000, dtype=torch.float64), tone])[None, None]


@pytest.mark.parametrize("level", [1e-3, 1.0])
def test_attack_and_sustain_are_set_apart_whatever_the_level(level):
    x = hit(level)
    onset, tail = slice(2000, 2000 + RATE // 200), slice(2000 + RATE // 20, 2000 + RATE // 4)

    def change(part, **p):
        y = TransientShaper(RATE)(x, dsp_params=p)
        return 10 * np.log10(float(y[..., part].square().sum() / x[..., part].square().sum()))

    assert 3 < change(onset, attack_db=12) <= 12 and abs(change(tail, attack_db=12)) < 0.5
    assert -12 <= change(onset, attack_db=-12) < -3
    assert 3 < change(tail, sustain_db=12) <= 12 and abs(change(onset, sustain_db=12)) < 0.5
    assert -12 <= change(tail, sustain_db=-12) < -3


def test_a_steady_sound_passes():
    x = torch.ones(1, 2, 3 * RATE)
    y = TransientShaper(RATE)(x, dsp_params={"attack_db": 24, "sustain_db": 24})
    torch.testing.assert_close(y[..., -1], x[..., -1], rtol=1e-3, atol=0)


def test_no_gain_is_more_than_what_is_set(rng):
    x = torch.tensor(rng.normal(size=(3, 1, 5000)) * 10 ** rng.uniform(-5, 1, size=(3, 1, 10)).repeat(500, -1))
    gain = 20 * torch.log10(TransientShaper(RATE)(x, dsp_params={"attack_db": 20, "sustain_db": -24}) / x)
    assert -24 < gain.min() < -10 and 10 < gain.max() < 20


def test_gradients(rng):
    shaper = TransientShaper(RATE)
    x = torch.tensor(rng.normal(size=(2, 2, 15)), requires_grad=True)
    raw = shaper.dsp_to_raw(P, 2, x)
    assert gradcheck(shaper, (x, *(value.requires_grad_() for value in raw.values())))


def test_controls_and_refusals():
    assert list(TransientShaper().controls) == list(P)
    with pytest.raises(ParameterError, match=r"attack_db is 30, .* attack_db from -24 to 24 dB"):
        TransientShaper()(torch.rand(1, 1, 5), dsp_params={"attack_db": 30})
    with pytest.raises(ParameterError, match="TransientShaper has no control 'threshold_db'"):
        TransientShaper()(torch.rand(1, 1, 5), dsp_params={"threshold_db": 0})
    with pytest.raises(ParameterError, match="TransientShaper needs z_alpha_slow"):
        TransientShaper()(torch.rand(1, 1, 5), *(torch.zeros(1, n) for n in (1, 1, 2)))
