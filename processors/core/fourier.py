"""Real Fourier transforms of any number of signals, including none, which some libraries of torch refuse."""

import torch
from torch import Tensor


def rfft(x: Tensor, n: int | None = None) -> Tensor:
    """Compute ``torch.fft.rfft`` over the last axis.

    Args:
        x: Signals ``(..., L)``.
        n: Length of the transform; L if ``None``.

    Returns:
        Complex ``(..., n // 2 + 1)``.
    """
    if 0 not in x.shape[:-1]:
        return torch.fft.rfft(x, n)
    bins = (x.shape[-1] if n is None else n) // 2 + 1
    none = x.sum(-1, keepdim=True).expand(*x.shape[:-1], bins).clone()
    return torch.complex(none, none)


def irfft(spectra: Tensor, n: int) -> Tensor:
    """Compute ``torch.fft.irfft`` over the last axis.

    Args:
        spectra: Complex or real ``(..., K)``.
        n: Length of the signals.

    Returns:
        Real ``(..., n)``.
    """
    if 0 not in spectra.shape[:-1]:
        return torch.fft.irfft(spectra, n)
    return spectra.real.sum(-1, keepdim=True).expand(*spectra.shape[:-1], n).clone()
