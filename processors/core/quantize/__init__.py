"""Rounding and sample-and-hold, with gradient estimators."""

from __future__ import annotations  # those within functions would be evaluated when they are compiled

import torch
from torch import Tensor

from ..backends.dispatch import kernels
from ..operators import formula, is_plain
from ..precision import REAL
from ..shapes import as_rows
from ..streaming import remember

TURN = 1 << 32  # of a phase that is counted in integers, so that blocks tick where the whole signal does


def quantize(x: Tensor, step: Tensor) -> Tensor:
    r"""Round to multiples of a step, :math:`y = q \lfloor x / q + 1/2 \rfloor`.

    The gradient of the signal is straight-through. For the step, the rounded number x/q is its own derivative, which
    leaves the rounding error: :math:`\partial y / \partial q = (y - x) / q`.

    Args:
        x: Signals ``(B, C, L)``.
        step: q > 0, of shape ``(B, 1, 1)``.

    Returns:
        ``(B, C, L)``, differentiable once.

    References:
        S. K. Esser et al., "Learned step size quantization", ICLR 2020.
    """
    return _quantize(x, step)


def _round(x: Tensor, step: Tensor) -> Tensor:
    if _is_for_kernels(x, step) and step.dtype == x.dtype:
        leading, *rows = as_rows(x=(x, x.shape[-1]), step=(step, 1))
        return kernels("quantize", x).quantize(*rows).reshape(*leading, x.shape[-1])
    return step * torch.floor(x / step + 0.5)


def _is_for_kernels(*tensors: Tensor) -> bool:
    return is_plain(*tensors) and all(t.device.type == "cpu" and t.dtype in REAL for t in tensors)


def _round_gradient(grad: Tensor, needed: tuple, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    scaled = x / step
    error = torch.floor(scaled + 0.5) - scaled
    return grad, (grad * error).sum((1, 2), keepdim=True)


_quantize = formula(_round, _round_gradient, "quantize", surrogate=True)


def hold(x: Tensor, duration: Tensor) -> Tensor:
    r"""Hold samples of a signal, or of a block: :math:`y[n] = x[\lceil \lfloor n / h \rfloor h \rceil]`.

    The gradient by the duration is that of :math:`x(n - r h)`, where r, from 0 to 1, is the elapsed part of the hold
    time, with the difference from the previous sample as the derivative of the signal.

    Args:
        x: Signals ``(B, C, L)``.
        duration: h of shape ``(B,)``, in samples. Values below 1 count as 1.

    Returns:
        ``(B, C, L)``, differentiable once.
    """
    # Rounded up, so that integer durations are exact.
    ticks = (TURN / duration.detach().double()).ceil().clamp(1, TURN).long()[:, None]

    def step(state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        phase, held = (torch.zeros_like(ticks), x.new_zeros(*x.shape[:-1], 1)) if state is None else state
        if _is_for_kernels(x, held, duration) and held.dtype == x.dtype:
            return _held(x, ticks, phase, held)
        times = torch.arange(x.shape[-1] + 1, device=x.device)
        phases = (phase + ticks * times) % TURN
        passed = phases[:, :-1]
        index = (times[:-1] - passed // ticks + 1).clamp(min=0)[:, None].expand(x.shape)
        y = _take(x, duration, held, index, passed)
        return y, (phases[:, -1:], (y if x.shape[-1] else held)[..., -1:].detach().clone())

    return remember(step, "held sample")


def _held(x: Tensor, ticks: Tensor, phase: Tensor, held: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Hold samples by compiled kernels, which have no gradient."""
    if bool((ticks == TURN).all() and (phase == 0).all()):  # each sample is held for itself
        return x, (phase, (x if x.shape[-1] else held)[..., -1:].clone())
    own = {"ticks": (ticks[:, None], 1), "phase": (phase[:, None], 1), "held": (held, 1)}
    leading, *rows = as_rows(x=(x, x.shape[-1]), **own)
    y = kernels("quantize", x).hold(*rows, TURN).reshape(*leading, x.shape[-1])
    phase = (phase + ticks * x.shape[-1]) % TURN
    return y, (phase, (y if x.shape[-1] else held)[..., -1:].clone())


def _taken(x: Tensor, duration: Tensor, held: Tensor, index: Tensor, passed: Tensor) -> Tensor:
    return torch.cat([held, x], -1).gather(-1, index)


def _taken_gradient(
    grad: Tensor, needed: tuple, x: Tensor, duration: Tensor, held: Tensor, index: Tensor, passed: Tensor
) -> tuple[Tensor | None, ...]:
    to_x = to_duration = None
    if needed[0]:  # the past has no gradient
        to_x = grad.new_zeros(*x.shape[:-1], x.shape[-1] + 1).scatter_add(-1, index, grad)[..., 1:]
    if needed[1]:
        before = x[..., :1] * 0
        rise = torch.cat([before, before, x.diff(dim=-1)], -1)[..., : x.shape[-1] + 1].gather(-1, index)
        share = (passed / TURN).to(x.dtype)[:, None]
        to_duration = -(grad * rise * share).sum((1, 2)).sum_to_size(duration.shape).to(duration.dtype)
    return to_x, to_duration, None, None, None


_take = formula(_taken, _taken_gradient, "hold", surrogate=True)
