"""Energy shared by channels, and a common gain, without full-size temporaries."""

import torch
from torch import Tensor

from .operators import formula, place_for

SMALL = 1 << 14  # numbers; below that, calls take longer than memory


def mean_square(u: Tensor) -> Tensor:
    """Compute the energy of each sample, averaged over channels.

    Args:
        u: Signals of shape ``(..., C, L)``.

    Returns:
        Energies of shape ``(..., L)``.
    """
    return _mean_square(u)


def peak_square(u: Tensor) -> Tensor:
    """Compute the energy of each sample in the loudest channel.

    Args:
        u: Signals of shape ``(..., C, L)``.

    Returns:
        Energies of shape ``(..., L)``.
    """
    return u.square().amax(-2)


def apply_gain(u: Tensor, gain: Tensor) -> Tensor:
    """Multiply all channels by the same time-varying gain.

    Args:
        u: Signals of shape ``(..., C, L)``.
        gain: Linear gains of shape ``(..., L)``.

    Returns:
        Signals in the shape of ``u``.
    """
    return _apply_gain(u, gain)


def channel_dot(a: Tensor, b: Tensor) -> Tensor:
    """Compute the inner product over channels: two of shape ``(..., C, L)`` -> ``(..., L)``."""
    if a.numel() < SMALL:
        return (a * b).sum(-2)
    first = a[..., 0, :], b[..., 0, :]
    total = torch.mul(*first, out=place_for(*first))
    for channel in range(1, a.shape[-2]):
        total.addcmul_(a[..., channel, :], b[..., channel, :])
    return total


_mean_square = formula(
    lambda u: channel_dot(u, u).div_(u.shape[-2]),
    lambda grad, needed, u: (u * (grad * (2 / u.shape[-2]))[..., None, :],),
    "mean_square",
)


def _gain_gradient(grad: Tensor, needed: tuple, u: Tensor, gain: Tensor) -> tuple[Tensor | None, Tensor | None]:
    by_u = grad * gain[..., None, :] if needed[0] else None
    by_gain = channel_dot(grad, u) if needed[1] else None
    return by_u, by_gain


def _times(u: Tensor, gain: Tensor) -> Tensor:
    gain = gain[..., None, :]
    return torch.mul(u, gain, out=place_for(u, gain))


_apply_gain = formula(_times, _gain_gradient, "apply_gain")
