"""Distances of sounds."""

import math

import pytest
import torch

from grafx.errors import AudioError
from grafx.estimate.metrics import sound_distances
from grafx.search import MatchLoss

RATE = 44100
TIME = torch.arange(22050) / RATE
NOISE = torch.randn(2, 22050, generator=torch.Generator().manual_seed(0))
SOUND = 0.3 * torch.sin(2 * torch.pi * 220 * TIME) * torch.tensor([[1.0], [0.7]]) + 0.05 * NOISE


def test_equal_sounds():
    for sound in (SOUND, SOUND[:1], SOUND[:, :50], 1e-6 * SOUND, SOUND.double()):
        assert sound_distances(sound, sound, RATE) == {"mel": 0, "loudness_db": 0, "si_sdr_db": 100}


def test_a_change_of_level():
    for factor in (0.5, 2.0, 1e-4):
        found = sound_distances(SOUND, factor * SOUND, RATE)
        assert found["loudness_db"] == pytest.approx(abs(20 * math.log10(factor)), abs=1e-4)
        assert found["si_sdr_db"] == pytest.approx(100, abs=1) and found["mel"] > 0.1


def test_formulas():
    other = SOUND + 0.1 * NOISE.flip(-1)
    found = sound_distances(SOUND, other, RATE)
    s, e = SOUND.double().flatten(), other.double().flatten()
    target = (s @ e) / (s @ s) * s
    assert found["si_sdr_db"] == pytest.approx(10 * math.log10(target.norm() ** 2 / (target - e).norm() ** 2), rel=1e-5)
    assert found["mel"] == pytest.approx(MatchLoss(RATE)(other, SOUND).item(), rel=1e-4)
    back = sound_distances(other, SOUND, RATE)
    assert [back[name] for name in ("loudness_db", "si_sdr_db")] == pytest.approx(
        [found[name] for name in ("loudness_db", "si_sdr_db")]
    )


def test_more_is_farther():
    found = [sound_distances(SOUND, SOUND + level * NOISE, RATE) for level in (0.01, 0.1, 1.0)]
    assert found[0]["mel"] < found[1]["mel"] < found[2]["mel"]
    assert found[0]["si_sdr_db"] > found[1]["si_sdr_db"] > found[2]["si_sdr_db"]
    left = torch.stack([SOUND[0], 0 * SOUND[0]])
    assert sound_distances(left, left.flip(0), RATE)["si_sdr_db"] == -100


@pytest.mark.parametrize(
    "truth, estimate, message",
    [
        (SOUND, SOUND[:1], "as many channels.*expand"),
        (SOUND, SOUND[:, 1:], r"as many samples.*cutting"),
        (0 * SOUND, SOUND, "truth is silent"),
        (SOUND, 0 * SOUND, "estimate is silent"),
        (SOUND, SOUND / 0, "estimate holds NaN"),
        (SOUND[0], SOUND, r"truth must be mono or stereo.*\(22050,\)"),
        (SOUND.expand(2, 2, -1), SOUND, "truth must be mono or stereo"),
        (SOUND[:, :0], SOUND, "truth must be mono or stereo"),
        (SOUND, [0.0], "estimate must be a tensor"),
    ],
)
@pytest.mark.each("message")
def test_what_cannot_be_compared_is_named(truth, estimate, message):
    with pytest.raises(AudioError, match=message):
        sound_distances(truth, estimate, RATE)


def test_a_sample_rate():
    with pytest.raises(AudioError, match="sample_rate"):
        sound_distances(SOUND, SOUND, 0)
