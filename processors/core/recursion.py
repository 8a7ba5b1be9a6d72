"""First-order recursions over the last axis, as differentiable operators.

Both run as one compiled pass on the CPU, in float64 inside, and have a backward pass of their own.
"""

import math
from types import ModuleType

import torch
from torch import Tensor

from . import _recursion_torch

Coefficient = Tensor | float


def onepole(u: Tensor, alpha: Coefficient, initial: Coefficient = 0.0, taps: int | None = None) -> Tensor:
    r"""Exponential smoothing: a one-pole low-pass with unit gain at zero frequency.

    .. math:: y[n] = \alpha\,y[n-1] + (1 - \alpha)\,u[n], \quad y[-1] = y_0

    With ``taps`` = N the impulse response (1 − α)αⁿ is cut off after N samples, exactly, which the same
    recursion does when it is fed :math:`u[n] - \alpha^N u[n-N]`.

    Args:
        u: signals of shape ``(..., L)``, float32 or float64.
        alpha: coefficients within (−1, 1), broadcastable to the leading axes of ``u``. Give float64 to
            resolve long time constants; the signal may still be float32.
        initial: outputs before the first sample, y₀, broadcastable to the leading axes of ``u``. The last
            output of one block is the initial value of the next.
        taps: length of the impulse response, at least 1; infinite if None.

    Returns:
        The smoothed signals, of shape ``(..., L)``.
    """
    leading, u, alpha, initial = _as_rows(u, alpha, initial)
    y = _onepole(u, alpha, initial, u.shape[-1] if taps is None else taps)
    return y.reshape(*leading, u.shape[-1])


def ballistics(u: Tensor, alpha_attack: Coefficient, alpha_release: Coefficient, initial: Coefficient = 0.0) -> Tensor:
    r"""Smoothing that rises and falls at different speeds, as a level meter does.

    .. math::
        y[n] = \alpha\,y[n-1] + (1 - \alpha)\,u[n], \quad
        \alpha = \begin{cases} \alpha_A & u[n] \ge y[n-1] \\ \alpha_R & u[n] < y[n-1] \end{cases}

    Args:
        u: signals of shape ``(..., L)``, float32 or float64.
        alpha_attack: coefficients while rising, within [0, 1], broadcastable to the leading axes of ``u``.
        alpha_release: coefficients while falling, likewise.
        initial: outputs before the first sample, likewise.

    Returns:
        The smoothed signals, of shape ``(..., L)``.

    References:
        D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
        analysis", JAES 60(6), 2012. C.-Y. Yu et al., "Differentiable all-pole filters for time-varying audio
        systems", DAFx 2024.
    """
    leading, u, attack, release, initial = _as_rows(u, alpha_attack, alpha_release, initial)
    y, _ = _ballistics(u, attack, release, initial)
    return y.reshape(*leading, u.shape[-1])


def _as_rows(u: Tensor, *coefficients: Coefficient) -> tuple:
    """The leading shape, ``u`` as (rows, L) and each coefficient as (rows,)."""
    as_tensors = [
        torch.as_tensor(c, dtype=None if isinstance(c, Tensor) else u.dtype, device=u.device) for c in coefficients
    ]
    leading = torch.broadcast_shapes(u.shape[:-1], *(c.shape for c in as_tensors))
    rows, length = math.prod(leading), u.shape[-1]
    u = u.expand(*leading, length).reshape(rows, length)
    return leading, u, *(c.expand(leading).reshape(rows) for c in as_tensors)


def _kernels(u: Tensor) -> ModuleType:
    if u.device.type != "cpu":
        return _recursion_torch
    from . import _recursion_numba

    return _recursion_numba


@torch.library.custom_op("grafx::onepole", mutates_args=())
def _onepole(u: Tensor, alpha: Tensor, initial: Tensor, taps: int) -> Tensor:
    return _kernels(u).onepole(u, alpha, initial, taps)


@torch.library.custom_op("grafx::onepole_backward", mutates_args=())
def _onepole_backward(
    grad: Tensor, u: Tensor, alpha: Tensor, initial: Tensor, y: Tensor, taps: int
) -> tuple[Tensor, Tensor, Tensor]:
    return _kernels(u).onepole_backward(grad, u, alpha, initial, y, taps)


@torch.library.custom_op("grafx::ballistics", mutates_args=())
def _ballistics(u: Tensor, attack: Tensor, release: Tensor, initial: Tensor) -> tuple[Tensor, Tensor]:
    return _kernels(u).ballistics(u, attack, release, initial)


@torch.library.custom_op("grafx::ballistics_backward", mutates_args=())
def _ballistics_backward(
    grad: Tensor, u: Tensor, attack: Tensor, release: Tensor, initial: Tensor, y: Tensor, rising: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _kernels(u).ballistics_backward(grad, u, attack, release, initial, y, rising)


def _empty(like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    return like.new_empty(like.shape, dtype=dtype)


_onepole.register_fake(lambda u, alpha, initial, taps: _empty(u))
_onepole_backward.register_fake(lambda grad, u, alpha, initial, y, taps: (_empty(u), _empty(alpha), _empty(initial)))
_ballistics.register_fake(lambda u, attack, release, initial: (_empty(u), _empty(u, torch.bool)))
_ballistics_backward.register_fake(
    lambda grad, u, attack, release, initial, y, rising: tuple(map(_empty, (u, attack, release, initial)))
)


def _save_onepole(ctx, inputs, output) -> None:
    *tensors, ctx.taps = inputs
    ctx.save_for_backward(*tensors, output)


def _save_ballistics(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs, *output)


_onepole.register_autograd(
    lambda ctx, grad: (*_onepole_backward(grad, *ctx.saved_tensors, ctx.taps), None),
    setup_context=_save_onepole,
)
_ballistics.register_autograd(
    lambda ctx, grad, _: _ballistics_backward(grad, *ctx.saved_tensors),
    setup_context=_save_ballistics,
)
