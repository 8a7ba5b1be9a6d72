"""Exponential decays of noise."""

import torch
from torch import Tensor

from .operators import formula

FLOOR = -60.0  # 520 dB down: subnormal numbers would be many times slower


def decaying_sum(noise: Tensor, amplitudes: Tensor, rates: Tensor) -> Tensor:
    r"""Sum bands of noise, each under a sum of exponentials.

    .. math:: h[n] = \sum_{k=1}^{K} s_k[n] \sum_{e=1}^{E} a_{k, e} \exp(-r_{k, e}\, n)

    Args:
        noise: s, of shape ``(B or 1, C, K, N)``. It gets no gradient.
        amplitudes: A, of shape ``(B, C, K, E)``.
        rates: r ≥ 0, of shape ``(B, C, K, E)``.

    Returns:
        ``(B, C, N)``. No envelope is kept for the gradient.
    """
    return _decaying_sum(noise, amplitudes, rates)


def _decays(rates: Tensor, num_samples: int) -> tuple[Tensor, Tensor]:
    """Return the time in samples, and an exponential ``(B, C, N)`` for each rate ``(B, C)``."""
    n = torch.arange(num_samples, dtype=rates.dtype, device=rates.device)
    return n, torch.mul(-rates.unsqueeze(-1), n).clamp_(min=FLOOR).exp_()


# Band by band, since all envelopes at once would be many times the size of the sum.


def _sum(noise: Tensor, amplitudes: Tensor, rates: Tensor) -> Tensor:
    h = noise.new_zeros(*rates.shape[:2], noise.shape[-1])
    for k, band in enumerate(noise.unbind(2)):
        for a, r in zip(amplitudes[:, :, k].unbind(-1), rates[:, :, k].unbind(-1), strict=True):
            _, decay = _decays(r, h.shape[-1])
            h.addcmul_(decay * a.unsqueeze(-1), band)
    return h


def _sum_gradient(grad: Tensor, needed: tuple, noise: Tensor, amplitudes: Tensor, rates: Tensor) -> tuple:
    by_amplitude, by_rate = torch.empty_like(amplitudes), torch.empty_like(rates)
    for k, band in enumerate(noise.unbind(2)):
        product = grad * band
        for e, r in enumerate(rates[:, :, k].unbind(-1)):
            n, decay = _decays(r, grad.shape[-1])
            decay.mul_(product)
            by_amplitude[:, :, k, e] = decay.sum(-1)
            by_rate[:, :, k, e] = -torch.mv(decay.flatten(0, 1), n).unflatten(0, r.shape)
    return None, by_amplitude, by_rate.mul_(amplitudes)


_decaying_sum = formula(_sum, _sum_gradient, "decaying_sum")
