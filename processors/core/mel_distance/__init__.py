"""Magnitudes of stereo signals in frequency bands, and their distances from those of a target, in one pass.

Mid and side are linear in left and right, so two transforms a frame serve all four signals. Phases are never computed.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..backends.dispatch import kernels
from ..operators import operator
from ..precision import REAL as REAL
from ..shapes import require, shaped

FLOOR = 1e-8
"""Smallest square of a magnitude."""


class Bands(NamedTuple):
    """Frequency bands of short-time spectra.

    Attributes:
        window: ``(n,)``, of a frame.
        hop: Distance of the frames.
        first: ``(B,)``, the first bin of each band.
        count: ``(B,)``, its number of bins.
        weights: ``(B, W)``, those of the bins from the first on, then zeros.
    """

    window: Tensor
    hop: int
    first: Tensor
    count: Tensor
    weights: Tensor


class Target(NamedTuple):
    """What distances are measured from.

    Attributes:
        magnitudes: ``(R, T, 4, B)``, of left, right, mid and side.
        carrier: ``(R, T, 2K)``, spectra that are added to the signals that are silent in the target; T is 0 if none is.
        silent: ``(R, 4)``, which signals are.
    """

    magnitudes: Tensor
    carrier: Tensor
    silent: Tensor


def bands_of(matrix: Tensor, window: Tensor, hop: int) -> Bands:
    """Store a filterbank ``(B, K)`` of narrow filters by the bins that each of them has."""
    used = matrix > 0
    first = used.int().argmax(-1)
    count = matrix.shape[-1] - used.int().flip(-1).argmax(-1) - first
    bins = first[:, None] + torch.arange(int(count.max()))
    weights = matrix.gather(-1, bins.clamp(max=matrix.shape[-1] - 1)) * (bins < (first + count)[:, None])
    return Bands(window, hop, first, count, weights.to(window))


def stereo_spectra(signal: Tensor, window: Tensor, hop: int) -> Tensor:
    """Compute spectra ``(R, T, 2, 2K)`` of ``(R, 2, L)``, real and imaginary parts in turn.

    The first frame is centred on the first sample; the signal is reflected at its ends.
    """
    return _spectra(signal, window, hop)


def band_magnitudes(signal: Tensor, bands: Bands, carrier: Tensor, silent: Tensor) -> Tensor:
    r"""Compute the magnitudes ``(R, T, 4, B)`` of left, right, mid and side in bands.

    .. math:: M_b = \sum_k w_{bk} \sqrt{\max(|S_k|^2, 10^{-8})}

    Args:
        signal: ``(R, 2, L)``.
        bands: B bands.
        carrier, silent: As in :class:`Target`.
    """
    spectra = _spectra(signal, bands.window, bands.hop)
    return _magnitudes(spectra, bands.first, bands.count, bands.weights, carrier, silent)


def mel_distances(signal: Tensor, target: Target, bands: Bands) -> Tensor:
    r"""Compare the band magnitudes M̂ of a signal with those of a target, M.

    Args:
        signal: ``(R, 2, L)``.
        target: Of one row, or as many.
        bands: Those of the target.

    Returns:
        ``(R, 4, 2)`` in float64: :math:`\sum (M - \hat M)^2` and :math:`\sum |\log M - \log \hat M|` over frames and
        bands, for left, right, mid and side.

    References:
        R. Yamamoto, E. Song, J.-M. Kim, "Parallel WaveGAN", ICASSP 2020.
    """
    return _distances(signal, *target, *bands)[0]


@operator("stereo_spectra")
@shaped(signal="R 2 L", window="n")
def _spectra(signal: Tensor, window: Tensor, hop: int) -> Tensor:
    _check_frames(signal, window, hop)
    return kernels("mel_distance", signal).spectra(signal, window, hop)


@operator("band_magnitudes")
@shaped(spectra="R T 2 D", first="int: B", count="int: B", weights="B W", carrier="Q U D", silent="bool: Q 4")
def _magnitudes(
    spectra: Tensor, first: Tensor, count: Tensor, weights: Tensor, carrier: Tensor, silent: Tensor
) -> Tensor:
    _check_bands(spectra, first, count, weights, carrier, silent)
    return kernels("mel_distance", spectra).magnitudes(spectra, first, count, weights, carrier, silent)


@operator("mel_distances")
@shaped(
    signal="R 2 L",
    magnitudes="Q T 4 B",
    carrier="Q U D",
    silent="bool: Q 4",
    window="n",
    first="int: B",
    count="int: B",
    weights="B W",
)
def _distances(
    signal: Tensor,
    magnitudes: Tensor,
    carrier: Tensor,
    silent: Tensor,
    window: Tensor,
    hop: int,
    first: Tensor,
    count: Tensor,
    weights: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run the operator; the other outputs are the spectra of the signal and its magnitudes."""
    spectra = _spectra(signal, window, hop)
    _check_bands(spectra, first, count, weights, carrier, silent)
    rows, frames = signal.shape[0], spectra.shape[1]
    require(magnitudes.shape[1] == frames, f"The target has {magnitudes.shape[1]} frames, the signal {frames}.")
    require(len(magnitudes) in (1, rows), f"The target must be of 1 or {rows} rows, not {len(magnitudes)}.")
    backend = kernels("mel_distance", signal)
    own = backend.magnitudes(spectra, first, count, weights, carrier, silent)
    return backend.distances(own, magnitudes), spectra, own


@operator("mel_distances_backward")
@shaped(
    grad="R 4 2", spectra="R T 2 D", own="R T 4 B", magnitudes="Q T 4 B", carrier="Q U D", silent="bool: Q 4",
    window="n", first="int: B", count="int: B", weights="B W",
)  # fmt: skip
def _distances_backward(
    grad: Tensor,
    spectra: Tensor,
    own: Tensor,
    magnitudes: Tensor,
    carrier: Tensor,
    silent: Tensor,
    window: Tensor,
    hop: int,
    first: Tensor,
    count: Tensor,
    weights: Tensor,
    num_samples: int,
) -> Tensor:
    _check_bands(spectra, first, count, weights, carrier, silent)
    require(len(magnitudes) in (1, len(spectra)), "The target must be of one row, or as many as the signal.")
    backend = kernels("mel_distance", spectra)
    grads = backend.magnitudes_gradient(grad, own, magnitudes)
    frames = backend.frames_gradient(grads, spectra, first, count, weights, carrier, silent, window)
    return backend.joined(frames, window.shape[0], hop, num_samples)


def _save(ctx, inputs, output) -> None:
    signal, magnitudes, carrier, silent, window, hop, first, count, weights = inputs
    ctx.hop, ctx.num_samples = hop, signal.shape[-1]
    ctx.save_for_backward(*output[1:], magnitudes, carrier, silent, window, first, count, weights)


def _backward(ctx, grad, grad_spectra, grad_own):
    *tensors, window, first, count, weights = ctx.saved_tensors
    signal = _distances_backward(grad, *tensors, window, ctx.hop, first, count, weights, ctx.num_samples)
    return signal, *(None,) * 8


_spectra.register_fake(
    lambda signal, window, hop: signal.new_empty(
        signal.shape[0], 1 + signal.shape[-1] // hop, 2, window.shape[0] // 2 * 2 + 2
    )
)
_magnitudes.register_fake(
    lambda spectra, first, count, weights, carrier, silent: spectra.new_empty(
        spectra.shape[0], spectra.shape[1], 4, first.shape[0]
    )
)
_distances.register_fake(
    lambda signal, magnitudes, carrier, silent, window, hop, first, count, weights: (
        signal.new_empty(signal.shape[0], 4, 2, dtype=torch.float64),
        signal.new_empty(signal.shape[0], 1 + signal.shape[-1] // hop, 2, window.shape[0] // 2 * 2 + 2),
        signal.new_empty(signal.shape[0], *magnitudes.shape[1:]),
    )
)
_distances_backward.register_fake(lambda grad, spectra, *rest: spectra.new_empty(spectra.shape[0], 2, rest[-1]))
_distances.register_autograd(_backward, setup_context=_save)


def _check_frames(signal: Tensor, window: Tensor, hop: int) -> None:
    n = window.shape[0]
    require(hop > 0, f"hop must be positive, not {hop}.")
    require(n > 0 and n % 2 == 0, f"A frame must be of an even number of samples, not {n}.")
    require(
        signal.shape[-1] > n // 2, f"Frames of {n} samples take signals from {n // 2 + 1} on, not {signal.shape[-1]}."
    )
    require(signal.dtype == window.dtype, f"The window must be {signal.dtype}, not {window.dtype}.")


def _check_bands(
    spectra: Tensor, first: Tensor, count: Tensor, weights: Tensor, carrier: Tensor, silent: Tensor
) -> None:
    bins = spectra.shape[-1] // 2
    if first.device.type == "cpu" and first.numel():
        low = int(first.min())
        require(low >= 0, f"Bands begin at bins from 0 on, not at {low}.")
        least, high = int(count.min()), int((first + count).max())
        require(least >= 0 and high <= bins, f"Bands must be within {bins} bins, but reach to {high}.")
        require(int(count.max()) <= weights.shape[1], "A band has more bins than weights.")
    require(carrier.shape[1] in (0, spectra.shape[1]), "The carrier must have as many frames as the signal, or none.")
    require(len(silent) in (1, len(spectra)), "The target must be of one row, or as many as the signal.")
    require({spectra.dtype} == {weights.dtype, carrier.dtype}, "Signals, weights and carriers must be of one type.")
