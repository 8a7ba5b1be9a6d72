"""The operators of :mod:`.mel_distance` in plain torch, for every device without compiled kernels."""

import torch
from torch import Tensor

from ..fourier import irfft, rfft
from ..precision import wide
from ..stft import overlap_add
from . import FLOOR


def spectra(signal: Tensor, window: Tensor, hop: int) -> Tensor:
    n = window.shape[0]
    padded = torch.nn.functional.pad(signal, (n // 2, n // 2), mode="reflect")
    frames = padded.unfold(-1, n, hop) * window
    return torch.view_as_real(rfft(frames)).flatten(-2).transpose(1, 2).contiguous()


def magnitudes(
    spectra: Tensor, first: Tensor, count: Tensor, weights: Tensor, carrier: Tensor, silent: Tensor
) -> Tensor:
    bank = _bank(first, count, weights, spectra.shape[-1] // 2)
    return _absolute(_four(spectra, carrier, silent)) @ bank.T


def distances(own: Tensor, magnitudes: Tensor) -> Tensor:
    squares = wide(own - magnitudes).square().sum((1, -1))
    return torch.stack([squares, wide(own.log() - magnitudes.log()).abs().sum((1, -1))], -1)


def magnitudes_gradient(grad: Tensor, own: Tensor, magnitudes: Tensor) -> Tensor:
    square, log = grad.to(own.dtype)[:, None, :, :, None].unbind(-2)
    return 2 * square * (own - magnitudes) + log * (own.log() - magnitudes.log()).sign() / own


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
    four = _four(spectra, carrier, silent)
    squares = torch.view_as_real(four).square().sum(-1)
    slopes = grads @ _bank(first, count, weights, four.shape[-1]) / squares.sqrt()
    left, right, mid, side = (four * slopes.masked_fill(squares < FLOOR, 0)).unbind(2)
    both = torch.stack([left + (mid + side) / 2, right + (mid - side) / 2], 2)
    both[..., 1:-1] /= 2  # each of these bins counts twice in a real signal
    return irfft(both, window.shape[0]).mul_(window.shape[0]).mul_(window)


def joined(frames: Tensor, n: int, hop: int, num_samples: int) -> Tensor:
    """Sum overlapping frames ``(R, T, 2, n)``, and fold what the reflection at both ends had repeated."""
    padded = overlap_add(frames.transpose(1, 2), hop)
    padded = torch.nn.functional.pad(padded, (0, max(0, num_samples + n - padded.shape[-1])))
    signal = padded[..., n // 2 : n // 2 + num_samples].clone()
    signal[..., 1 : n // 2 + 1] += padded[..., : n // 2].flip(-1)
    signal[..., num_samples - 1 - n // 2 : num_samples - 1] += padded[..., n // 2 + num_samples : n + num_samples].flip(
        -1
    )
    return signal


def _four(spectra: Tensor, carrier: Tensor, silent: Tensor) -> Tensor:
    """Spectra ``(R, T, 4, K)`` of left, right, mid and side."""
    left, right = torch.view_as_complex(spectra.unflatten(-1, (-1, 2))).unbind(2)
    four = torch.stack([left, right, (left + right) / 2, (left - right) / 2], 2)
    if carrier.shape[1]:
        carried = torch.view_as_complex(carrier.unflatten(-1, (-1, 2)))
        four = four + carried[:, :, None] * silent[:, None, :, None]
    return four


def _absolute(spectra: Tensor) -> Tensor:
    return torch.view_as_real(spectra).square().sum(-1).clamp(min=FLOOR).sqrt()


def _bank(first: Tensor, count: Tensor, weights: Tensor, bins: int) -> Tensor:
    """The filterbank ``(B, K)``."""
    which = torch.arange(weights.shape[1], device=first.device)
    places = (first[:, None] + which).clamp(max=bins - 1)
    return weights.new_zeros(weights.shape[0], bins).scatter_add_(1, places, weights * (which < count[:, None]))
