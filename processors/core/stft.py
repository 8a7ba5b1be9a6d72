"""Short-time spectra, and their inverse, which is linear in a real mask."""

import torch
from torch import Tensor

from .fourier import irfft, rfft
from .operators import formula


def stft(x: Tensor, window: Tensor, hop: int) -> Tensor:
    """Compute spectra of overlapping frames, the first of which is centred on the first sample.

    Args:
        x: Signals ``(…, L)``.
        window: Window of the length of a frame.
        hop: Distance of the frames.

    Returns:
        Complex ``(…, T, K)``: T = 1 + ⌊L / hop⌋ frames of K = ⌊n / 2⌋ + 1 bins.
    """
    if 0 in x.shape[:-1]:
        num_frames, num_bins = 1 + x.shape[-1] // hop, window.shape[-1] // 2 + 1
        return torch.complex(x, x)[..., :1, None].expand(*x.shape[:-1], num_frames, num_bins)
    frames = torch.stft(x.flatten(0, -2), window.shape[-1], hop, window=window, return_complex=True)
    return frames.mT.unflatten(0, x.shape[:-1]).contiguous()


def masked_istft(spectra: Tensor, mask: Tensor, windows: Tensor, hop: int, num_samples: int) -> Tensor:
    r"""Compute signals from masked spectra, as ``torch.istft`` does.

    .. math:: x = \frac{\sum_t w_{n - t h}\, \mathrm{IDFT}(V_t M_t)_{n - t h}}{\sum_t w_{n - t h}^2}

    Args:
        spectra: V, the result of :func:`stft`, with leading axes that broadcast to those of ``mask``. It gets no
            gradient.
        mask: M, real ``(…, T, K)``.
        windows: ``(T, n)``, the result of :func:`synthesis_windows` for w, the window of the spectra.
        hop: h, that of the spectra.
        num_samples: Number of samples to return.

    Returns:
        ``(…, num_samples)``.
    """
    return _masked_istft(mask, spectra, windows, hop, num_samples)


def synthesis_windows(window: Tensor, hop: int, num_frames: int) -> Tensor:
    """Compute the window of each frame ``(T, n)``, divided by the sum of the squares of all overlapping ones."""
    squares = overlap_add(window.square().expand(num_frames, -1), hop)
    starts = torch.arange(num_frames, device=window.device) * hop
    total = squares[starts.unsqueeze(-1) + torch.arange(window.shape[-1], device=window.device)]
    return window / torch.where(total > 1e-11, total, 1)


def overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Overlap-add ``(…, T, n)`` frames, ``hop`` apart, to ``(…, (T − 1) hop + n)`` samples, padded with zeros."""
    *axes, num_frames, n = frames.shape
    pieces = -(-n // hop)
    out = frames.new_zeros(*axes, num_frames + pieces - 1, hop)
    for piece in range(pieces):
        part = frames[..., piece * hop : (piece + 1) * hop]
        out[..., piece : piece + num_frames, : part.shape[-1]] += part
    return out.flatten(-2)


def frames_of(x: Tensor, num_frames: int, n: int, hop: int) -> Tensor:
    """Split samples into ``(…, T, n)`` overlapping frames, the transpose of :func:`overlap_add`."""
    needed = (num_frames - 1) * hop + n
    return torch.nn.functional.pad(x, (0, needed - x.shape[-1])).unfold(-1, n, hop)


def _istft(mask: Tensor, spectra: Tensor, windows: Tensor, hop: int, num_samples: int) -> Tensor:
    n = windows.shape[-1]
    # As reals, since a real mask would first be converted to complex numbers.
    masked = torch.view_as_complex(torch.view_as_real(spectra) * mask.unsqueeze(-1))
    frames = irfft(masked, n).mul_(windows)
    return overlap_add(frames, hop)[..., n // 2 :][..., :num_samples]


def _istft_gradient(
    grad: Tensor, needed: tuple, mask: Tensor, spectra: Tensor, windows: Tensor, hop: int, num_samples: int
) -> tuple:
    n = windows.shape[-1]
    frames = frames_of(torch.nn.functional.pad(grad, (n // 2, 0)), mask.shape[-2], n, hop)
    G = rfft(frames * windows)
    # In a real signal's spectrum each bin counts twice, except the first, and the last of an even length.
    weights = windows.new_full((mask.shape[-1],), 2 / n)
    weights[0] = 1 / n
    if n % 2 == 0:
        weights[-1] = 1 / n
    V = spectra * weights
    return (V.real * G.real).addcmul_(V.imag, G.imag).sum_to_size(mask.shape), None, None, None, None


_masked_istft = formula(_istft, _istft_gradient, "masked_istft")
