"""Gains that follow the energy of a whole signal, in one pass over memory."""

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..operators import empty, is_untransformed, operator
from ..shapes import require, shaped
from ..smoothed import Ramp, follows_at_once


def follow(x: Tensor, key: Tensor, ramp: Ramp, coefficients: Tensor, taps: int | None) -> Tensor | None:
    r"""Smooth the energy of signals and apply the gain of a ramp.

    Args:
        x: Signals ``(B, C, L)``.
        key: Signals ``(B, C', L)`` whose energy, averaged over channels, drives the gain; ``x`` itself, or others.
        ramp: The gain.
        coefficients: α of an exponential smoother with a truncated response ``(B, 1)``, see
            :func:`~grafx.processors.core.recursion.onepole`; or those of attack and release ``(B, 2)``, see
            :func:`~grafx.processors.core.recursion.ballistics`. In double precision.
        taps: Length of the response; None with attack and release.

    Returns:
        ``(B, C, L)``; ``None`` where that takes several passes: not in single precision on the CPU, with rows that
        broadcast, and under transforms of ``torch.func`` and ``torch.compile``.
    """
    tensors = x, key, ramp.numbers, coefficients
    if not follows_at_once(x, key) or {len(tensor) for tensor in tensors} != {len(x)} or not is_untransformed(*tensors):
        return None
    keeps = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return _followed(*tensors, taps or 0, ramp.floor, ramp.side, key is not x, keeps)[0]


@operator("followed")
@shaped(x="B C L", key="B D L", numbers="B 4", coefficients="B 1|2")
def _followed(
    x: Tensor,
    key: Tensor,
    numbers: Tensor,
    coefficients: Tensor,
    taps: int,
    floor: float,
    side: int,
    sidechain: bool,
    keeps: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Signals, and for the gradient the smoothed energies, and whether each sample attacks."""
    _check(x, key, numbers, coefficients, taps, sidechain)
    rows, length = (len(x) if keeps else 0), x.shape[-1]
    smoothed = empty(x, shape=(rows, length))
    rising = empty(x, torch.bool, (0 if taps else rows, length))
    y = kernels("followed", x).follow(x, key, numbers, coefficients, smoothed, rising, taps, floor, side)
    return y, smoothed, rising


@operator("followed_backward")
@shaped(grad="B C L", x="B C L", key="B D L", numbers="B 4", coefficients="B 1|2", smoothed="B L", rising="bool: R L")
def _followed_backward(
    grad: Tensor,
    x: Tensor,
    key: Tensor,
    numbers: Tensor,
    coefficients: Tensor,
    smoothed: Tensor,
    rising: Tensor,
    taps: int,
    floor: float,
    side: int,
    sidechain: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients to signals, key, ramp and coefficients; without a sidechain that to the key is in the first."""
    _check(x, key, numbers, coefficients, taps, sidechain)
    require(rising.shape == smoothed.shape or taps > 0, "rising must have a row for each of smoothed.")
    require(grad.dtype == smoothed.dtype == x.dtype, "All signals must be of single precision.")
    operands = grad, x, key, numbers, coefficients, smoothed, rising
    return kernels("followed", x).follow_backward(*operands, taps, floor, side, sidechain)


def _check(x: Tensor, key: Tensor, numbers: Tensor, coefficients: Tensor, taps: int, sidechain: bool) -> None:
    require(sidechain or key.shape == x.shape, f"Without a sidechain, key {tuple(key.shape)} must be the signals.")
    require(x.dtype == key.dtype == torch.float32, f"Signals must be of single precision, not {x.dtype}, {key.dtype}.")
    double = numbers.dtype == coefficients.dtype == torch.float64
    require(double, f"Numbers must be of double precision, not {numbers.dtype} and {coefficients.dtype}.")
    if taps < 0 or coefficients.shape[1] != (1 if taps else 2):
        raise ParameterError(
            f"Coefficients are one and a number of taps, or two and 0 taps, not {coefficients.shape[1]} and {taps}."
        )


def _fake(x: Tensor, key: Tensor, numbers: Tensor, coefficients: Tensor, taps: int, *rest: object) -> tuple:
    rows, length = (len(x) if rest[-1] else 0), x.shape[-1]
    return empty(x), x.new_empty(rows, length), x.new_empty(0 if taps else rows, length, dtype=torch.bool)


def _fake_backward(grad: Tensor, x: Tensor, key: Tensor, numbers: Tensor, coefficients: Tensor, *rest: object) -> tuple:
    by_key = empty(key) if rest[-1] else key.new_empty(0, 0, 0)
    return empty(x), by_key, empty(numbers), empty(coefficients)


def _save(ctx, inputs, output) -> None:
    *tensors, taps, floor, side, sidechain, _ = inputs
    ctx.options = taps, floor, side, sidechain
    ctx.save_for_backward(*tensors, *output[1:])
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)


def _backward(ctx, grad: Tensor | None, *_) -> tuple:
    if grad is None:
        return (None,) * 9
    by_x, by_key, *others = _followed_backward(grad, *ctx.saved_tensors, *ctx.options)
    sidechain = ctx.options[-1]
    return by_x, by_key if sidechain else None, *others, *[None] * 5


_followed.register_fake(_fake)
_followed_backward.register_fake(_fake_backward)
_followed.register_autograd(_backward, setup_context=_save)
