"""Magnitudes of stereo signals in frequency bands, and their distances from those of a target, in one pass.

Mid and side are linear in left and right, so two transforms a frame serve all four signals. Phases are never computed.

Sizes: R signals of L samples make T frames of n samples, whose spectra have K = n / 2 + 1 bins, kept as 2K real numbers
(real and imaginary parts in turn), and are summed in B bands of up to W bins. A target has Q rows: 1 or R.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ...errors import DerivativeError
from ..backends.dispatch import kernels
from ..operators import operator
from ..precision import wide_dtype
from ..shapes import check_indices, require, shaped

FLOOR = 1e-8
"""Smallest square of a magnitude: what is below counts as that, so that logarithms are finite."""


class Bands(NamedTuple):
    """Frequency bands of short-time spectra, which most bins do not belong to.

    Attributes:
        window: ``(n,)``, of a frame; n is even.
        hop: Distance of the frames.
        first: ``(B,)``, the first bin of each band.
        count: ``(B,)``, its number of bins.
        weights: ``(B, W)``, those of the bins from the first on; what is after the last one is not used.
    """

    window: Tensor
    hop: int
    first: Tensor
    count: Tensor
    weights: Tensor


class Target(NamedTuple):
    """What distances are measured from.

    Attributes:
        magnitudes: ``(Q, T, 4, B)``, of left, right, mid and side, with the carrier where they are silent.
        carrier: ``(Q, T, 2K)``, spectra that are added, here and in what is compared, to those of the four signals that
            are silent here and so have no scale of their own; ``(Q, 0, 2K)`` if none is.
        silent: ``(Q, 4)``, which are.
    """

    magnitudes: Tensor
    carrier: Tensor
    silent: Tensor


def bands_of(matrix: Tensor, window: Tensor, hop: int) -> Bands:
    """Store a filterbank ``(B, K)`` of narrow filters by the bins that each of them has."""
    used = (matrix != 0).int()
    first = used.argmax(-1)
    count = (matrix.shape[-1] - used.flip(-1).argmax(-1) - first) * used.amax(-1)
    bins = first[:, None] + torch.arange(int(count.max()))
    weights = matrix.gather(-1, bins.clamp(max=matrix.shape[-1] - 1)) * (bins < (first + count)[:, None])
    return Bands(window, hop, first, count, weights.to(window))


def stereo_spectra(signal: Tensor, window: Tensor, hop: int) -> Tensor:
    """Compute spectra ``(R, T, 2, 2K)`` of ``(R, 2, L)``, for which there are no gradients.

    The first frame is centred on the first sample; the signal is reflected at its ends. T is 1 + ⌊L / hop⌋.

    Raises:
        ParameterError: The signal is shorter than n / 2 + 1 samples, n is odd, or types or devices differ.
    """
    return _spectra(signal, window, hop)


def band_magnitudes(signal: Tensor, bands: Bands, carrier: Tensor, silent: Tensor) -> Tensor:
    r"""Compute the magnitudes ``(R, T, 4, B)`` of left, right, mid and side in bands, for which there are no gradients.

    .. math:: M_b = \sum_k w_{bk} \sqrt{\max(|S_k|^2, 10^{-8})}

    Args:
        signal: ``(R, 2, L)``.
        bands: B bands.
        carrier, silent: As in :class:`Target`.

    Raises:
        ParameterError: As in :func:`mel_distances`.
    """
    spectra = _spectra(signal, bands.window, bands.hop)
    return _magnitudes(spectra, bands.first, bands.count, bands.weights, carrier, silent)


def mel_distances(signal: Tensor, target: Target, bands: Bands) -> Tensor:
    r"""Compare the band magnitudes M̂ of a signal with those of a target, M.

    Args:
        signal: ``(R, 2, L)``, the only one that gets a gradient.
        target: Of one row, or as many.
        bands: Those of the target.

    Returns:
        ``(R, 4, 2)`` in double precision: :math:`\sum (M - \hat M)^2` and :math:`\sum |\log M - \log \hat M|` over
        frames and bands, for left, right, mid and side.

    Raises:
        ParameterError: Sizes, types or devices do not fit each other, or a band leaves the spectrum.
        DerivativeError: When a gradient for the target or the bands is asked for.

    References:
        R. Yamamoto, E. Song, J.-M. Kim, "Parallel WaveGAN", ICASSP 2020.
    """
    return _distances(signal, *target, *bands)[0]


@operator("stereo_spectra")
@shaped(signal="R 2 L", window="n")
def _spectra(signal: Tensor, window: Tensor, hop: int) -> Tensor:
    _check_frames(signal.shape[-1], window.shape[0], hop)
    _check_alike(signal, window)
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
    _check_alike(signal, magnitudes)
    frames = spectra.shape[1]
    require(magnitudes.shape[1] == frames, f"The target has {magnitudes.shape[1]} frames, the signal {frames}.")
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
    n, (_, frames, _, size) = window.shape[0], spectra.shape
    _check_frames(num_samples, n, hop)
    _check_bands(spectra, first, count, weights, carrier, silent)
    _check_alike(spectra, own, magnitudes, window)
    require(size == n + 2, f"The spectra must be of {n + 2} numbers, not {size}.")
    require(frames == 1 + num_samples // hop, f"There must be {1 + num_samples // hop} frames, not {frames}.")
    backend = kernels("mel_distance", spectra)
    grads = backend.magnitudes_gradient(grad, own, magnitudes)
    pieces = backend.frames_gradient(grads, spectra, first, count, weights, carrier, silent, window)
    return backend.joined(pieces, n, hop, num_samples)


def _save(ctx, inputs, output) -> None:
    signal, magnitudes, carrier, silent, window, hop, first, count, weights = inputs
    ctx.hop, ctx.num_samples = hop, signal.shape[-1]
    ctx.mark_non_differentiable(*output[1:])
    ctx.save_for_backward(*output[1:], magnitudes, carrier, silent, window, first, count, weights)


def _backward(ctx, grad, grad_spectra, grad_own):
    if any(ctx.needs_input_grad[1:]):
        raise DerivativeError("mel_distances has a gradient for the signal alone: detach the target and the bands.")
    *tensors, window, first, count, weights = ctx.saved_tensors
    signal = _distances_backward(grad, *tensors, window, ctx.hop, first, count, weights, ctx.num_samples)
    return signal, *(None,) * 8


def _empty_spectra(signal: Tensor, window: Tensor, hop: int) -> Tensor:
    return signal.new_empty(signal.shape[0], 1 + signal.shape[-1] // hop, 2, window.shape[0] + 2)


_spectra.register_fake(_empty_spectra)
_magnitudes.register_fake(
    lambda spectra, first, count, weights, carrier, silent: spectra.new_empty(
        spectra.shape[0], spectra.shape[1], 4, first.shape[0]
    )
)
_distances.register_fake(
    lambda signal, magnitudes, carrier, silent, window, hop, first, count, weights: (
        signal.new_empty(signal.shape[0], 4, 2, dtype=wide_dtype(False, signal.device)),
        _empty_spectra(signal, window, hop),
        signal.new_empty(signal.shape[0], *magnitudes.shape[1:]),
    )
)
_distances_backward.register_fake(lambda grad, spectra, *rest: spectra.new_empty(spectra.shape[0], 2, rest[-1]))
_distances.register_autograd(_backward, setup_context=_save)


def _check_frames(num_samples: int, n: int, hop: int) -> None:
    require(hop > 0, f"hop must be positive, not {hop}.")
    require(n > 0 and n % 2 == 0, f"A frame must be of an even number of samples, not {n}.")
    require(num_samples > n // 2, f"Frames of {n} samples take signals from {n // 2 + 1} on, not {num_samples}.")


def _check_alike(signal: Tensor, *others: Tensor) -> None:
    for other in others:
        require(other.dtype == signal.dtype, f"All must be of {signal.dtype}, as the signal is, not {other.dtype}.")
        require(other.device == signal.device, f"All must be on {signal.device}, as the signal is, not {other.device}.")


def _check_bands(
    spectra: Tensor, first: Tensor, count: Tensor, weights: Tensor, carrier: Tensor, silent: Tensor
) -> None:
    rows, frames, _, size = spectra.shape
    require(size % 2 == 0, f"Spectra hold real and imaginary parts, so an even number of values, not {size}.")
    _check_alike(spectra, weights, carrier)
    for name, values in (("first", first), ("count", count), ("silent", silent)):
        require(values.device == spectra.device, f"{name} must be on {spectra.device}, not {values.device}.")
    check_indices("first", first, 0, size // 2)
    check_indices("count", count, 0, weights.shape[1])
    check_indices("first + count", first + count, 0, size // 2)
    require(carrier.shape[1] in (0, frames), f"A carrier must have {frames} frames, or none, not {carrier.shape[1]}.")
    require(carrier.shape[2] == size, f"A carrier must be of {size} numbers a frame, not {carrier.shape[2]}.")
    require(len(silent) in (1, rows), f"A target must be of 1 or {rows} rows, not {len(silent)}.")
