"""Compiled kernels of :mod:`.mel_distance` for the CPU: one frame after another, in the cache.

Without transforms that kernels can call, kernels cut and sum the frames, and torch transforms all at once.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..backends.mkl import backward, forward, plan
from ..backends.numba_rows import kernel, run_rows
from ..fourier import irfft, rfft
from . import FLOOR

NONE = (0, 0, 0)
"""Handles of a plan, where kernels cannot call transforms."""
TRANSFORM, BAND = 16, 4  # what a number costs, in steps of a recursion

vectorized = partial(kernel, fastmath={"contract", "reassoc", "nsz"})  # sums in the order of registers; NaN stays NaN


def spectra(signal: Tensor, window: Tensor, hop: int) -> Tensor:
    n, handles = window.shape[0], _handles(window)
    frames = signal.new_empty(signal.shape[0], 1 + signal.shape[-1] // hop, 2, n + 2)
    run_rows(spectrum_rows, _per_frame(frames), signal, window, hop, handles, work=TRANSFORM)
    if handles is NONE:
        return torch.view_as_real(rfft(frames[..., :n])).flatten(-2)
    return frames


def magnitudes(
    spectra: Tensor, first: Tensor, count: Tensor, weights: Tensor, carrier: Tensor, silent: Tensor
) -> Tensor:
    own = spectra.new_empty(*spectra.shape[:2], 4, first.shape[0])
    arguments = first, count, weights, carrier, silent, own.flatten(0, 1), spectra.shape[1]
    run_rows(magnitude_rows, _per_frame(spectra), *arguments, work=BAND)
    return own


def distances(own: Tensor, magnitudes: Tensor) -> Tensor:
    sums = own.new_empty(*own.shape[:2], 4, 2, dtype=torch.float64)
    run_rows(distance_rows, _per_frame(own), magnitudes, sums.flatten(0, 1), own.shape[1], work=TRANSFORM)
    return sums.sum(1)


def magnitudes_gradient(grad: Tensor, own: Tensor, magnitudes: Tensor) -> Tensor:
    grads = own.new_empty(own.shape)
    run_rows(slope_rows, _per_frame(own), magnitudes, grad, grads.flatten(0, 1), own.shape[1], work=BAND)
    return grads


def frames_gradient(
    grads: Tensor,
    spectra: Tensor,
    first: Tensor,
    count: Tensor,
    weights: Tensor,
    carrier: Tensor,
    silent: Tensor,
    window: Tensor,
) -> Tensor:
    n, handles, frames = window.shape[0], _handles(window), spectra.new_empty(spectra.shape)
    bands = grads.flatten(0, 1), first, count, weights, carrier, silent
    arguments = *bands, window, frames.flatten(0, 1), spectra.shape[1], handles
    run_rows(spectrum_gradient_rows, _per_frame(spectra), *arguments, work=TRANSFORM)
    if handles is NONE:
        return irfft(torch.view_as_complex(frames.unflatten(-1, (-1, 2))), n).mul_(n).mul_(window)
    return frames


def joined(frames: Tensor, n: int, hop: int, num_samples: int) -> Tensor:
    """Sum overlapping frames, and fold what the reflection at both ends had repeated."""
    signal = frames.new_zeros(frames.shape[0], 2, num_samples)
    run_rows(join_rows, signal.flatten(0, 1), frames, n, hop, work=n // hop)
    return signal


def _handles(window: Tensor) -> tuple[Any, ...]:
    transforms = plan(window.shape[0], window.dtype)
    return NONE if transforms is None else transforms.handles


def _per_frame(values: Tensor) -> Tensor:
    """``(R, T, ...)`` as rows, which kernels share."""
    return values.flatten(0, 1).flatten(1)


@kernel
def spectrum_rows(start, stop, frames, signal, window, hop, handles):
    n, length = window.shape[0], signal.shape[2]
    num_frames = 1 + length // hop
    for row in range(start, stop):
        mix, first = row // num_frames, row % num_frames * hop - n // 2
        for channel in range(2):
            frame, samples = frames[row, channel * (n + 2) : (channel + 1) * (n + 2)], signal[mix, channel]
            if first >= 0 and first + n <= length:
                for i in range(n):
                    frame[i] = samples[first + i] * window[i]
            else:
                for i in range(n):
                    place = abs(first + i)
                    frame[i] = samples[min(place, 2 * (length - 1) - place)] * window[i]
            if handles[0] != 0:
                forward(handles, frame)


@vectorized
def four_signals(spectra, carrier, added, four):
    """Write the spectra of left, right, mid and side, with a share of the carrier."""
    size = carrier.shape[0]
    left, right = spectra[:size], spectra[size:]
    half = added.dtype.type(0.5)
    for i in range(size):
        four[0, i] = left[i] + added[0] * carrier[i]
        four[1, i] = right[i] + added[1] * carrier[i]
        four[2, i] = (left[i] + right[i]) * half + added[2] * carrier[i]
        four[3, i] = (left[i] - right[i]) * half + added[3] * carrier[i]


@kernel
def read_frame(spectra, row, num_frames, carrier, silent, nothing, added, four):
    """Write the spectra of the four signals of a frame; ``nothing`` and ``added`` are room for it."""
    target = row // num_frames % silent.shape[0]
    added[:] = silent[target]
    four_signals(spectra[row], carrier[target, row % num_frames] if carrier.shape[1] else nothing, added, four)


@vectorized
def absolute_values(four, floor, absolute):
    for which in range(4):
        signal, sizes = four[which], absolute[which]
        for k in range(sizes.shape[0]):
            square = signal[2 * k] * signal[2 * k] + signal[2 * k + 1] * signal[2 * k + 1]
            sizes[k] = np.sqrt(floor if square < floor else square)


@vectorized
def sum_bands(first, count, weights, absolute, own):
    for band in range(first.shape[0]):
        a = b = c = d = absolute.dtype.type(0)  # the four at once, since bands are short
        for i in range(count[band]):
            weight, k = weights[band, i], first[band] + i
            a += weight * absolute[0, k]
            b += weight * absolute[1, k]
            c += weight * absolute[2, k]
            d += weight * absolute[3, k]
        own[0, band], own[1, band], own[2, band], own[3, band] = a, b, c, d


@kernel
def magnitude_rows(start, stop, spectra, first, count, weights, carrier, silent, own, num_frames):
    size, real = spectra.shape[1] // 2, spectra.dtype.type
    four, absolute = np.empty((4, size), spectra.dtype), np.empty((4, size // 2), spectra.dtype)
    added, nothing = np.empty(4, spectra.dtype), np.zeros(size, spectra.dtype)
    for row in range(start, stop):
        read_frame(spectra, row, num_frames, carrier, silent, nothing, added, four)
        absolute_values(four, real(FLOOR), absolute)
        sum_bands(first, count, weights, absolute, own[row])


@kernel
def distance_rows(start, stop, own, magnitudes, sums, num_frames):
    bands = magnitudes.shape[3]
    for row in range(start, stop):
        target = magnitudes[row // num_frames % magnitudes.shape[0], row % num_frames]
        for which in range(4):
            squares, logs = 0.0, 0.0
            for band in range(bands):
                mine, theirs = np.float64(own[row, which * bands + band]), np.float64(target[which, band])
                squares += (mine - theirs) * (mine - theirs)
                logs += abs(np.log(mine / theirs))
            sums[row, which, 0], sums[row, which, 1] = squares, logs


@kernel
def slope_rows(start, stop, own, magnitudes, grad, grads, num_frames):
    bands = magnitudes.shape[3]
    for row in range(start, stop):
        mix = row // num_frames
        target = magnitudes[mix % magnitudes.shape[0], row % num_frames]
        for which in range(4):
            for band in range(bands):
                mine, theirs = np.float64(own[row, which * bands + band]), np.float64(target[which, band])
                slope = 2 * grad[mix, which, 0] * (mine - theirs)
                if mine != theirs:
                    slope += np.copysign(grad[mix, which, 1], mine - theirs) / mine
                grads[row, which, band] = slope


@vectorized
def spread_bands(first, count, weights, grads, slopes):
    """Transpose of :func:`sum_bands`."""
    slopes[:] = 0
    for band in range(first.shape[0]):
        a, b, c, d = grads[0, band], grads[1, band], grads[2, band], grads[3, band]
        for i in range(count[band]):
            weight, k = weights[band, i], first[band] + i
            slopes[0, k] += weight * a
            slopes[1, k] += weight * b
            slopes[2, k] += weight * c
            slopes[3, k] += weight * d


@vectorized
def scale_spectra(four, slopes, floor):
    """Turn spectra into the gradients of them."""
    zero = four.dtype.type(0)
    for which in range(4):
        signal, slope = four[which], slopes[which]
        for k in range(slope.shape[0]):
            square = signal[2 * k] * signal[2 * k] + signal[2 * k + 1] * signal[2 * k + 1]
            factor = zero if square < floor else slope[k] / np.sqrt(square)
            signal[2 * k] *= factor
            signal[2 * k + 1] *= factor


@vectorized
def both_channels(four, left, right):
    """Sum the gradients of left, right, mid and side; but for the first and last bin, each bin counts twice."""
    half, last = four.dtype.type(0.5), left.shape[0] - 2
    for i in range(left.shape[0]):
        left[i] = four[0, i] + half * (four[2, i] + four[3, i])
        right[i] = four[1, i] + half * (four[2, i] - four[3, i])
    for i in range(2, last):
        left[i] *= half
        right[i] *= half


@kernel
def spectrum_gradient_rows(
    start, stop, spectra, grads, first, count, weights, carrier, silent, window, frames, num_frames, handles
):
    size, n, real = spectra.shape[1] // 2, window.shape[0], spectra.dtype.type
    four, slopes = np.empty((4, size), spectra.dtype), np.empty((4, size // 2), spectra.dtype)
    added, nothing = np.empty(4, spectra.dtype), np.zeros(size, spectra.dtype)
    for row in range(start, stop):
        read_frame(spectra, row, num_frames, carrier, silent, nothing, added, four)
        spread_bands(first, count, weights, grads[row], slopes)
        scale_spectra(four, slopes, real(FLOOR))
        both_channels(four, frames[row, 0], frames[row, 1])
        for channel in range(2):
            samples = frames[row, channel]
            if handles[0] != 0:
                backward(handles, samples)
                for i in range(n):
                    samples[i] *= window[i]


@kernel
def join_rows(start, stop, signal, frames, n, hop):
    length = signal.shape[1]
    for row in range(start, stop):
        samples = signal[row]
        for number in range(frames.shape[1]):
            frame, first = frames[row // 2, number, row % 2], number * hop - n // 2
            if first >= 0 and first + n <= length:
                for i in range(n):
                    samples[first + i] += frame[i]
            else:
                for i in range(n):
                    place = abs(first + i)
                    samples[min(place, 2 * (length - 1) - place)] += frame[i]
