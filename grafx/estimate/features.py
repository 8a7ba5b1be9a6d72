"""What a model hears: spectrograms, levels, responses and statistics of an output and the dry sound beside it.

All that is fixed is computed once for each sound, in batches, and kept small, so that training costs little:

``mel``
    ``(3, bands, frames)``: levels in mel bands of the dry sound and of the output's mid and side.
``levels``
    ``(6, frames)``: energy, peak and energy of the difference signal, of both, in short frames, for what dynamics do.
``response``
    ``(2, lags)``: levels of the impulse response that leads from the dry sound to the output, and of the output's
    cepstrum, for delays and reverbs.
``spectrum``
    ``(7, bands)``: long-term levels of dry sound, mid and side, the ratio of the first two, what of it keeps its phase,
    the coherence, and the level of the side that the dry sound does not have itself.
``statistics``
    ``(n,)``: histograms, transfer curves, grids of amplitudes and of time.

Levels are in units of 20 dB around −50 dB. Without a dry sound, what would need one is 0.
"""

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

BANDS = 64
FLOOR = 1e-10  # of powers: −100 dB
FFT, HOP = 2048, 1024
LOWEST = 30.0  # Hz
LEVEL_HOP = 256
FINE, COARSE = 2.5e-4, 4e-3  # seconds of a lag
FINE_LAGS, COARSE_LAGS = 160, 256
BINS = 32
GRID = 16
LEVELS = 16
LAGS = 32
CHANGE = 0.05  # 1 dB
ONSET = 0.5  # 10 dB
LOUD = -1.5  # 30 dB below the loudest
HOLDS = 32
THINNED = 4
AT_A_TIME = 8

NAMES = "mel", "levels", "response", "spectrum", "statistics"
VERSION = 2
"""Of the features; a model of another one hears something else."""


def features(output: Tensor, dry: Tensor | None, sample_rate: int) -> dict[str, Tensor]:
    """Compute the features of sounds.

    Args:
        output: ``(B, C, L)`` with one or two channels.
        dry: ``(B, C, L)``, or ``None`` where it is not known.
        sample_rate: In Hz.

    Returns:
        Name to ``(B, …)`` of half precision.
    """
    parts = [_features(y, x, sample_rate) for y, x in _in_parts(output, dry)]
    found = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return found if dry is not None else without_dry(found)


def without_dry(heard: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Hide from features all that comes from the dry sound, and bring the level of the output to what it is alone.

    Without the dry sound the level of the output says nothing, so it is made that of a peak of 0.5.
    """
    peak = heard["statistics"][:, -1:].float()
    up = _LEVEL_OF_PEAK - peak  # in the units of levels
    mel, levels, response = (heard[name].float().clone() for name in ("mel", "levels", "response"))
    spectrum, statistics = heard["spectrum"].float().clone(), heard["statistics"].float().clone()
    half = levels.shape[1] // 2
    for part, keep in ((mel, slice(1, None)), (levels, slice(half, None)), (spectrum, slice(1, 3))):
        kept = (part[:, keep] + up[:, :, None].reshape(-1, *[1] * (part.ndim - 1))).clamp(min=_LOWEST)
        part.zero_()
        part[:, keep] = kept
    response[:, 0] = 0
    for place in _OF_DRY:
        statistics[:, place] = 0
    statistics[:, -1] = 0
    found = {"mel": mel, "levels": levels, "response": response, "spectrum": spectrum, "statistics": statistics}
    return {name: value.half() for name, value in found.items()}


def _in_parts(output: Tensor, dry: Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Few sounds at a time, which stay in the cache, with silence for a dry sound that is not known."""
    sources = torch.zeros_like(output[:, :1]) if dry is None else dry
    yield from zip(output.split(AT_A_TIME), sources.split(AT_A_TIME), strict=True)


def _features(output: Tensor, dry: Tensor, sample_rate: int) -> dict[str, Tensor]:
    output = output.float()
    mid, side, source = output.mean(1), (output[:, 0] - output[:, -1]) / 2, dry.float().mean(1)
    spectra = _spectra(torch.stack([source, mid, side], 1))
    power = _power(spectra)
    new = _new_width(power, dry, output.shape[-1])
    X, Y = torch.fft.rfft(torch.stack([source, mid]), 2 * mid.shape[-1])
    xx, yy = _power(X), _power(Y)
    x, y = _levels(source), _levels(mid)
    found = {
        "mel": _level(torch.einsum("bcft,fm->bcmt", power, _triangles(sample_rate))),
        "levels": torch.cat([x, y], 1),
        "response": _response(X, Y, xx, yy, sample_rate),
        "spectrum": _spectrum(spectra, power, new, sample_rate),
        "statistics": _statistics(source, mid, x[:, 0], y[:, 0], yy),
    }
    return {name: value.clamp(-60000, 60000).half() for name, value in found.items()}


def _level(power: Tensor) -> Tensor:
    return (10 * torch.log10(power + FLOOR) + 50) / 20


def _power(spectrum: Tensor) -> Tensor:
    return spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)


def _spectra(signals: Tensor) -> Tensor:
    window = torch.hann_window(FFT, device=signals.device) / math.sqrt(FFT)
    found = torch.stft(signals.flatten(0, 1), FFT, HOP, window=window, return_complex=True, pad_mode="constant")
    return found.unflatten(0, signals.shape[:2])


@lru_cache
def _triangles(sample_rate: int) -> Tensor:
    """``(frequencies, bands)``: triangles that overlap by half, evenly on the mel scale."""
    high = sample_rate / 2
    mel = torch.linspace(_to_mel(LOWEST), _to_mel(high), BANDS + 2, dtype=torch.double)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = torch.linspace(0, high, FFT // 2 + 1, dtype=torch.double)[:, None]
    width = (edges[1:] - edges[:-1]).clamp(min=sample_rate / FFT)
    up = 1 - (edges[1:-1] - hertz) / width[:-1]
    down = 1 - (hertz - edges[1:-1]) / width[1:]
    weights = torch.minimum(up, down).clamp(min=0)
    return (weights / weights.sum(0).clamp(min=1e-9)).float()


def _to_mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def _levels(signal: Tensor) -> Tensor:
    slope = F.pad(signal[:, 1:] - signal[:, :-1], (1, 0))
    usable = signal.shape[-1] // LEVEL_HOP * LEVEL_HOP
    frames = torch.stack([signal, slope], 1)[..., :usable].unflatten(-1, (-1, LEVEL_HOP))
    energy = frames.square().mean(-1)
    peak = frames[:, :1].square().amax(-1)
    return _level(torch.cat([energy, peak], 1))


def _response(X: Tensor, Y: Tensor, xx: Tensor, yy: Tensor, sample_rate: int) -> Tensor:
    impulse = torch.fft.irfft(Y * X.conj() / (xx + 1e-4 * xx.mean(-1, keepdim=True) + FLOOR))
    cepstrum = torch.fft.irfft(torch.log(yy + 1e-4 * yy.mean(-1, keepdim=True) + FLOOR).to(Y.dtype))
    cepstrum[:, 0] = 0  # the level
    return torch.stack([_lags(impulse, sample_rate), _lags(cepstrum, sample_rate)], 1)


def _lags(response: Tensor, sample_rate: int) -> Tensor:
    """Levels of the largest value within each lag: first fine ones, then coarse ones."""
    parts = []
    for seconds, count in ((FINE, FINE_LAGS), (COARSE, COARSE_LAGS)):
        step = max(1, round(seconds * sample_rate))
        part = F.pad(response, (0, max(0, step * count - response.shape[-1])))[:, : step * count]
        parts.append(part.unflatten(-1, (count, step)).square().amax(-1))
    return _level(torch.cat(parts, -1))


def _new_width(power: Tensor, dry: Tensor, length: int) -> Tensor:
    """The power of the side that is not the dry sound's own, passed on as its mid is."""
    own = (dry[:, 0] - dry[:, -1]) / 2
    if not own.any():
        return power[:, 2]
    before = _power(_spectra(own[:, None, :length].float()))[:, 0]
    return (power[:, 2] - before * power[:, 1] / (power[:, 0] + FLOOR)).clamp(min=0)


def _spectrum(spectra: Tensor, power: Tensor, new: Tensor, sample_rate: int) -> Tensor:
    weights = _triangles(sample_rate)
    xx, yy, ss = (part.mean(-1) @ weights for part in power.unbind(1))
    cross = _power((spectra[:, 1] * spectra[:, 0].conj()).mean(-1)).sqrt() @ weights
    ratio = _level((yy + FLOOR) / (xx + FLOOR) * 1e-5)
    linear = _level((cross / (xx + FLOOR)).square() * 1e-5)
    coherence = (cross.square() + FLOOR**2) / (xx * yy + FLOOR**2)
    return torch.stack(
        [_level(xx), _level(yy), _level(ss), ratio, linear, coherence, _level(new.mean(-1) @ weights)], 1
    )


def _statistics(source: Tensor, mid: Tensor, x: Tensor, y: Tensor, power: Tensor) -> Tensor:
    gain, below = y - x, y - y.amax(-1, keepdim=True)
    of_dry = [_histogram(source), _curve(x, gain), _dynamics(x, gain), _after_onsets(x, gain), _after_onsets(x, x)]
    of_output = [_histogram(mid), _grid(mid), _holds(mid, power), _after_onsets(y, below)]
    peaks = torch.stack([part.abs().amax(-1) for part in (source, mid)], 1)
    return torch.cat([*of_dry, *of_output, _level(peaks.square())], -1)


_GRID_AT = 3 * BINS + 6 * LEVELS + 2 * LAGS + BINS
_OF_DRY = slice(0, _GRID_AT - BINS), slice(_GRID_AT, _GRID_AT + GRID), slice(-2, -1)
"""Which statistics need the dry sound, or the true level."""
_LEVEL_OF_PEAK = (10 * math.log10(0.25) + 50) / 20
_LOWEST = (10 * math.log10(FLOOR) + 50) / 20


def _histogram(signal: Tensor) -> Tensor:
    """How many of the larger samples lie how far below the peak, on a linear scale."""
    share = signal[:, ::THINNED].abs() / signal.abs().amax(-1, keepdim=True).clamp(min=1e-6)
    bins = (share * BINS).long().clamp(0, BINS - 1)
    counts = torch.zeros(len(signal), BINS, device=signal.device).scatter_add_(1, bins, torch.ones_like(share))
    return torch.log10(1 + counts) / 2


def _curve(x: Tensor, gain: Tensor) -> Tensor:
    """Mean gains where the dry sound's frames have a certain level, and how many have it."""
    bins = ((x + 2.5) / 5 * BINS).long().clamp(0, BINS - 1)
    return _means(bins, gain, BINS)


def _dynamics(x: Tensor, gain: Tensor) -> Tensor:
    """The same where the level rises, stays and falls."""
    change = F.pad(x[:, 1:] - x[:, :-1], (1, 0))
    way = (change > CHANGE).long() - (change < -CHANGE).long() + 1
    return _means(way * LEVELS + ((x + 2.5) / 5 * LEVELS).long().clamp(0, LEVELS - 1), gain, 3 * LEVELS)


def _means(bins: Tensor, values: Tensor, count: int) -> Tensor:
    counts = torch.zeros(len(bins), count, device=bins.device).scatter_add_(1, bins, torch.ones_like(values))
    sums = torch.zeros_like(counts).scatter_add_(1, bins, values)
    return torch.cat([sums / counts.clamp(min=1), torch.log10(1 + counts)], -1)


def _after_onsets(x: Tensor, values: Tensor) -> Tensor:
    """Mean values in the frames after those in which the level rises by 10 dB, to 30 dB below the loudest or more."""
    x = x - x.amax(-1, keepdim=True)
    before = F.pad(x, (2, 0), value=-math.inf)
    onsets = ((x - torch.maximum(before[:, :-2], before[:, 1:-1]) > ONSET) & (x > LOUD)).float()
    following = F.pad(values, (0, LAGS)).unfold(1, LAGS, 1)[:, : x.shape[1]]
    return (onsets[:, :, None] * following).sum(1) / onsets.sum(1, keepdim=True).clamp(min=1)


def _grid(mid: Tensor) -> Tensor:
    """How far samples lie from grids of 1 to 16 bits, as a share of what they would by chance."""
    mid = mid[:, ::THINNED]
    loud = (mid.abs() > 1e-3).float()
    steps = 2.0 ** torch.arange(GRID, device=mid.device)
    parts = []
    for step in steps:
        scaled = mid * step
        parts.append(((scaled - scaled.round()).abs() * loud).sum(-1) / loud.sum(-1).clamp(min=1) * 4)
    return torch.stack(parts, -1)


def _holds(mid: Tensor, power: Tensor) -> Tensor:
    """Powers of differences over 1 to 32 samples, relative to the signal's, and how many are none at all."""
    correlation = torch.fft.irfft(power.to(torch.cfloat))[:, : HOLDS + 1]
    shares = 2 * (1 - correlation[:, 1:] / (correlation[:, :1] + FLOOR))
    same = [(mid[:, lag:] == mid[:, :-lag]).float().mean(-1) for lag in (1, 2, 4, 8)]
    return torch.cat([torch.log10(shares.clamp(min=0) + 1e-5), torch.stack(same, -1)], -1)
