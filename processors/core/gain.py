"""The energy that channels share and the gain applied to all of them, without temporaries of their full size."""

import torch
from torch import Tensor


def mean_square(u: Tensor) -> Tensor:
    """Energy of each sample, averaged over channels.

    Args:
        u: signals of shape ``(..., C, L)``.

    Returns:
        Energies of shape ``(..., L)``.
    """
    return _MeanSquare.apply(u)


def peak_square(u: Tensor) -> Tensor:
    """Energy of each sample in the loudest channel.

    Args:
        u: signals of shape ``(..., C, L)``.

    Returns:
        Energies of shape ``(..., L)``.
    """
    return u.square().amax(-2)


def apply_gain(u: Tensor, gain: Tensor) -> Tensor:
    """Multiply all channels by the same time-varying gain.

    Args:
        u: signals of shape ``(..., C, L)``.
        gain: linear gains of shape ``(..., L)``.

    Returns:
        Signals in the shape of ``u``.
    """
    return _ApplyGain.apply(u, gain)


def channel_dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner product over channels: two of shape ``(..., C, L)`` -> ``(..., L)``."""
    total = a[..., 0, :] * b[..., 0, :]
    for channel in range(1, a.shape[-2]):
        total.addcmul_(a[..., channel, :], b[..., channel, :])
    return total


class _MeanSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u: Tensor) -> Tensor:
        ctx.save_for_backward(u)
        return channel_dot(u, u).div_(u.shape[-2])

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        (u,) = ctx.saved_tensors
        return u * (grad * (2 / u.shape[-2]))[..., None, :]


class _ApplyGain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u: Tensor, gain: Tensor) -> Tensor:
        ctx.save_for_backward(u, gain)
        return u * gain[..., None, :]

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        u, gain = ctx.saved_tensors
        grad_u = grad * gain[..., None, :] if ctx.needs_input_grad[0] else None
        grad_gain = channel_dot(grad, u) if ctx.needs_input_grad[1] else None
        return grad_u, grad_gain
