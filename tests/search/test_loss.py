import math

import librosa
import numpy as np
import pytest
import torch
from auraloss.freq import MultiResolutionSTFTLoss

from grafx.search import MatchLoss
from grafx.search.mixing.loss import FFT_SIZES

RATES = [8000, 11025, 12000, 16000, 22050, 24000, 29000, 32000, 44100, 48000, 64000, 88200, 96000, 176400, 192000]


@pytest.fixture(scope="module")
def match_loss():
    return MatchLoss(44100)


@pytest.fixture
def noise():
    return 0.1 * torch.randn(2, 12001, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def other():
    return 0.1 * torch.randn(2, 12001, generator=torch.Generator().manual_seed(1))


def left_right_mid_side(signal):
    return [signal[0], signal[1], (signal[0] + signal[1]) / 2, (signal[0] - signal[1]) / 2]


def mel_distance(estimate, target, size):
    """Spectral convergence and log distance of two mono signals, in float64 and numpy."""
    window = np.hanning(size + 1)[:-1]
    bands = librosa.filters.mel(sr=44100, n_fft=size, n_mels=64).astype(np.float64)

    def magnitudes(signal):
        padded = np.pad(signal.double().numpy(), size // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: size // 4]
        return bands @ np.sqrt(np.maximum(np.abs(np.fft.rfft(frames * window)) ** 2, 1e-8)).T

    mine, theirs = magnitudes(estimate), magnitudes(target)
    convergence = np.linalg.norm(theirs - mine) / np.linalg.norm(theirs)
    return convergence + np.abs(np.log(theirs) - np.log(mine)).mean()


def test_follows_the_formula(match_loss, noise, other):
    quiet_side = other * torch.tensor([[1.0], [0.97]])
    pairs = list(zip(left_right_mid_side(noise), left_right_mid_side(quiet_side), strict=True))
    expected = np.mean([mel_distance(e, t, size) for e, t in pairs for size in FFT_SIZES])
    assert match_loss(noise, quiet_side).item() == pytest.approx(expected, rel=1e-5)


def test_is_auraloss_of_each_signal(match_loss, noise, other):
    target = other[:1] + 0.05 * other  # a side much softer than the mid, which must count as much
    distance = MultiResolutionSTFTLoss(
        fft_sizes=[512, 1024, 4096],
        hop_sizes=[128, 256, 1024],
        win_lengths=[512, 1024, 4096],
        scale="mel",
        n_bins=64,
        sample_rate=44100,
    )
    pairs = zip(left_right_mid_side(noise), left_right_mid_side(target), strict=True)
    expected = torch.stack([distance(e[None, None], t[None, None]) for e, t in pairs]).mean()
    assert torch.allclose(match_loss(noise, target), expected, rtol=1e-5)


def variants(noise):
    left, zero = noise[0], torch.zeros_like(noise[0])
    return {
        "stereo": noise,
        "mono": torch.stack([left, left]),
        "opposite": torch.stack([left, -left]),
        "left": torch.stack([left, zero]),
        "right": torch.stack([zero, left]),
        "soft": 1e-3 * noise,
    }


@pytest.mark.parametrize("kind", ["stereo", "mono", "opposite", "left", "right", "soft"])
def test_of_a_signal_to_itself_is_zero(match_loss, noise, kind):
    signal = variants(noise)[kind].requires_grad_()
    loss = match_loss(signal, signal.detach())
    loss.backward()
    assert loss.item() == 0
    assert signal.grad.isfinite().all()


@pytest.mark.parametrize("kind", ["stereo", "mono", "opposite", "left", "right"])
def test_grows_with_the_distance_to_any_target(match_loss, noise, other, kind):
    target = variants(noise)[kind]
    losses = []
    for amount in (0.0, 0.01, 0.1, 0.5, 1.0):
        estimate = (target + amount * other).requires_grad_()
        loss = match_loss(estimate, target)
        loss.backward()
        assert estimate.grad.isfinite().all()
        losses.append(loss.item())
    assert losses == sorted(losses) and losses[1] > 0
    assert losses[-1] < 5


@pytest.mark.parametrize("kind", ["stereo", "mono", "opposite", "left", "right"])
def test_a_silent_estimate_is_far_from_anything(match_loss, noise, kind):
    estimate = torch.zeros_like(noise).requires_grad_()
    loss = match_loss(estimate, variants(noise)[kind])
    loss.backward()
    assert 1 < loss.item() < 20
    assert estimate.grad.isfinite().all()


def test_a_silent_excerpt_of_both_costs_nothing(match_loss):
    silence = torch.zeros(2, 8000)
    estimate = silence.clone().requires_grad_()
    loss = match_loss(estimate, silence)
    loss.backward()
    assert loss.item() == 0 and estimate.grad.isfinite().all()
    assert match_loss(silence + 0.1, silence).isfinite()


def test_sees_left_and_right_exchanged(match_loss, noise):
    panned = noise * torch.tensor([[1.0], [0.5]])
    assert match_loss(panned.flip(0), panned) > 0.1


def test_half_the_level_costs_its_logarithm(match_loss, noise):
    """Convergence 1/2 and log distance ln 2, but for magnitudes near the floor."""
    assert match_loss(noise / 2, noise).item() == pytest.approx(0.5 + math.log(2), abs=0.01)


def test_leaves_its_arguments_as_they_are(match_loss, noise, other):
    target = torch.stack([noise[0], torch.zeros_like(noise[0])])
    kept = target.clone(), other.clone()
    match_loss(other, target)
    assert torch.equal(target, kept[0]) and torch.equal(other, kept[1])


@pytest.mark.parametrize("sample_rate", RATES)
def test_every_mel_band_has_bins_at_every_sample_rate(sample_rate):
    match_loss = MatchLoss(sample_rate)
    for bands in match_loss.resolutions:
        assert (bands.weights.amax(-1) > 0).all()
    signal = 0.1 * torch.randn(2, match_loss.min_samples + 1, generator=torch.Generator().manual_seed(0))
    assert match_loss(signal / 2, signal).item() == pytest.approx(0.5 + math.log(2), abs=0.05)


@pytest.mark.parametrize("sample_rate", RATES)
def test_frames_last_about_as_long_at_every_sample_rate(sample_rate):
    seconds = [size / sample_rate for size in MatchLoss(sample_rate).sizes]
    for own, size in zip(seconds, FFT_SIZES, strict=True):
        assert 0.7 < own / (size / 44100) < 3
