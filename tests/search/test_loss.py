import math

import librosa
import numpy as np
import pytest
import torch
from auraloss.freq import MultiResolutionSTFTLoss

from grafx.errors import AudioError
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


def auraloss_of(pairs, sample_rate):
    """The mean over pairs of signals, in float64 but for its mel bands."""
    sizes = MatchLoss(sample_rate).sizes
    distance = MultiResolutionSTFTLoss(
        fft_sizes=sizes,
        hop_sizes=[size // 4 for size in sizes],
        win_lengths=sizes,
        scale="mel",
        n_bins=64,
        sample_rate=sample_rate,
    )
    for part in distance.stft_losses:
        part.window = part.window.double()
    return torch.stack([distance.double()(e[None, None], t[None, None]) for e, t in pairs]).mean()


def pairs_of(estimate, target):
    both = left_right_mid_side(estimate.double()), left_right_mid_side(target.double())
    return [list(pair) for pair in zip(*both, strict=True)]


AT_THE_FLOOR = "music", "soft"
"""Rounding may put a bin at the floor on either side of it, where the slope jumps: of one frame, and few samples."""


def is_like(loss, estimate, expected, at_the_floor=False):
    """Whether a loss and its gradient are as expected; but for few samples where bins are at the floor."""
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    gradient, slope = (torch.autograd.grad(value, estimate, retain_graph=True)[0] for value in (loss, expected))
    error = (gradient - slope).abs()
    assert error.median() < 1e-4 * slope.square().mean().sqrt()
    assert error.norm() < (0.05 if at_the_floor else 1e-4) * slope.norm()


def white(seed):
    return 0.1 * torch.randn(2, 9001, generator=torch.Generator().manual_seed(seed))


def music(seed, length=9001):
    """Decaying chords, panned, over noise that is 60 dB softer: most bands are far from the floor, some are at it."""
    generator = torch.Generator().manual_seed(seed)
    time, signal = torch.arange(length) / 44100, 1e-4 * torch.randn(2, length, generator=generator)
    for frequency in (110.0, 277.2, 1318.5, 6100.0):
        pan, start = torch.rand(2, 1, generator=generator), 0.05 * torch.rand(1, generator=generator)
        signal += 0.3 * pan * (time > start) * (-30 * (time - start)).exp() * (2 * math.pi * frequency * time).sin()
    return signal


def with_soft_side(noise):
    """A side much softer than the mid, which must count as much."""
    return noise[:1] + 0.05 * noise


MATERIAL = {
    "noise": lambda: (white(0), white(1)),
    "soft side": lambda: (white(0), with_soft_side(white(1))),
    "music": lambda: (music(1), music(2)),
    "alike": lambda: (music(1) + 0.1 * white(2), music(1)),
    "soft": lambda: (1e-3 * music(1), 1e-3 * music(2)),
}


@pytest.mark.each("material")
@pytest.mark.parametrize("sample_rate", [8000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("material", MATERIAL)
def test_is_auraloss_of_each_signal(material, sample_rate):
    estimate, target = MATERIAL[material]()
    estimate.requires_grad_()
    loss = MatchLoss(sample_rate)(estimate, target, gain=1.0)
    is_like(loss, estimate, auraloss_of(pairs_of(estimate, target), sample_rate), material in AT_THE_FLOOR)


@pytest.mark.parametrize("kind, silent, loudest", [("mono", 3, 0), ("opposite", 2, 0), ("left", 1, 0), ("right", 0, 1)])
def test_silent_signals_are_auraloss_beside_the_loudest(kind, silent, loudest):
    """Left and right are the first of signals that are as loud."""
    estimate, target = white(3).requires_grad_(), variants(white(0))[kind]
    loss = MatchLoss(44100)(estimate, target, gain=1.0)
    pairs = pairs_of(estimate, target)
    pairs[silent] = [signal + pairs[loudest][1] for signal in pairs[silent]]
    is_like(loss, estimate, auraloss_of(pairs, 44100))


def test_several_mixes_are_compared_as_one_by_one_is(match_loss):
    target, several = white(0), torch.stack([white(1), white(0), music(3)]).requires_grad_()
    losses = match_loss(several, target)
    assert losses.shape == (3,) and losses.dtype == torch.float32
    alone = [match_loss(estimate, target) for estimate in several]
    torch.testing.assert_close(losses, torch.stack(alone), rtol=1e-6, atol=0)
    gradients = [torch.autograd.grad(loss.sum(), several, retain_graph=True)[0] for loss in (losses, sum(alone))]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-9)
    assert match_loss(several[:0], target).shape == (0,)


@pytest.mark.parametrize("kind", ["stereo", "mono", "soft"])
@pytest.mark.parametrize("gain", [None, 3.0])
def test_a_prepared_target_stands_for_the_target(match_loss, noise, other, kind, gain):
    target = variants(noise)[kind]
    prepared = match_loss.reference(target, gain)
    for estimate in (other, torch.stack([other, noise])):
        assert torch.equal(match_loss(estimate, prepared), match_loss(estimate, target, gain))


def test_nan_is_not_lost(match_loss, noise, other):
    broken = other.clone()
    broken[1, 7000] = float("nan")
    assert match_loss(broken, noise).isnan()
    assert match_loss(torch.stack([other, broken]), noise).isnan().tolist() == [False, True]


def test_what_cannot_be_compared_is_refused(match_loss, noise):
    prepared = match_loss.reference(noise)
    for target in (noise, prepared):
        for estimate in (noise[:, 1:], noise[:1], noise[0], noise[None, None], torch.stack([noise[:, 1:]] * 2)):
            with pytest.raises(AudioError, match="one shape"):
                match_loss(estimate, target)
        with pytest.raises(AudioError, match="float32"):
            match_loss(noise.double(), target)
    for target in (noise.double(), noise[:, :2048], noise[0], noise[None], None):
        with pytest.raises(AudioError):
            match_loss.reference(target)
        with pytest.raises(AudioError):
            match_loss(noise, target)


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
