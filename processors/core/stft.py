"""Short-time spectra and back, where the way back is linear in a real mask."""

import torch
from torch import Tensor

from .fourier import irfft, rfft
from .operators import formula


def stft(x: Tensor, window: Tensor, hop: int) -> Tensor:
    """Spectra of overlapping frames, the first of them centred on the first sample.

    Args:
        x: signals ``(…, L)``.
        window: of as many samples as a frame has.
        hop: distance of the frames.

    Returns:
        Complex ``(…, T, K)``: T = 1 + ⌊L / hop⌋ frames of K = ⌊n / 2⌋ + 1 bins.
    """
    if 0 in x.shape[:-1]:
        num_frames, num_bins = 1 + x.shape[-1] // hop, window.shape[-1] // 2 + 1
        return torch.complex(x, x)[..., :1, None].expand(*x.shape[:-1], num_frames, num_bins)
    frames = torch.stft(x.flatten(0, -2), window.shape[-1], hop, window=window, return_complex=True)
    return frames.mT.unflatten(0, x.shape[:-1]).contiguous()


def masked_istft(spectra: Tensor, mask: Tensor, windows: Tensor, hop: int, num_samples: int) -> Tensor:
    r"""Signals from spectra under a mask, as ``torch.istft`` makes them.

    .. math:: x = \frac{\sum_t w_{n - t h}\, \mathrm{IDFT}(V_t M_t)_{n - t h}}{\sum_t w_{n - t h}^2}

    Args:
        spectra: V, what :func:`stft` returns, with leading axes that broadcast to those of ``mask``. It gets no
            gradient.
        mask: M, real ``(…, T, K)``.
        windows: ``(T, n)``, what :func:`synthesis_windows` returns for w, the window of the spectra.
        hop: h, that of the spectra.
        num_samples: how many samples to return.

    Returns:
        ``(…, num_samples)``.
    """
    return _masked_istft(mask, spectra, windows, hop, num_samples)


def synthesis_windows(window: Tensor, hop: int, num_frames: int) -> Tensor:
    """The window of each frame ``(T, n)``, divided by the sum of the squares of all that overlap."""
    squares = overlap_add(window.square().expand(num_frames, -1), hop)
    starts = torch.arange(num_frames, device=window.device) * hop
    total = squares[starts.unsqueeze(-1) + torch.arange(window.shape[-1], device=window.device)]
    return window / torch.where(total > 1e-11, total, 1)


def overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Sum ``(…, T, n)`` frames, each ``hop`` after the last, to ``(…, (T − 1) hop + n)`` samples and zeros behind."""
    *axes, num_frames, n = frames.shape
    pieces = -(-n // hop)
    out = frames.new_zeros(*axes, num_frames + pieces - 1, hop)
    for piece in range(pieces):
        part = frames[..., piece * hop : (piece + 1) * hop]
        out[..., piece : piece + num_frames, : part.shape[-1]] += part
    return out.flatten(-2)


def frames_of(x: Tensor, num_frames: int, n: int, hop: int) -> Tensor:
    """The transpose of :func:`overlap_add`: cut samples into ``(…, T, n)`` overlapping frames."""
    needed = (num_frames - 1) * hop + n
    return torch.nn.functional.pad(x, (0, needed - x.shape[-1])).unfold(-1, n, hop)


def _istft(mask: Tensor, spectra: Tensor, windows: Tensor, hop: int, num_samples: int) -> Tensor:
    n = windows.shape[-1]
    # As reals, since a real mask would first be copied to complex numbers.
    masked = torch.view_as_complex(torch.view_as_real(spectra) * mask.unsqueeze(-1))
    frames = irfft(masked, n).mul_(windows)
    return overlap_add(frames, hop)[..., n // 2 :][..., :num_samples]


def _istft_gradient(
    grad: Tensor, needed: tuple, mask: Tensor, spectra: Tensor, windows: Tensor, hop: int, num_samples: int
) -> tuple:
    n = windows.shape[-1]
    frames = frames_of(torch.nn.functional.pad(grad, (n // 2, 0)), mask.shape[-2], n, hop)
    G = rfft(frames * windows)
    # A real signal's spectrum has each bin but the first, and the last of an even length, twice.
    weights = windows.new_full((mask.shape[-1],), 2 / n)
    weights[0] = 1 / n
    if n % 2 == 0:
        weights[-1] = 1 / n
    V = spectra * weights
    return (V.real * G.real).addcmul_(V.imag, G.imag).sum_to_size(mask.shape), None, None, None, None


_masked_istft = formula(_istft, _istft_gradient, "masked_istft")
