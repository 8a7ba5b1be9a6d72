"""ADSR envelopes, timed or controlled by a gate."""

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..bounds import clip
from ..maps import TO_SILENCE
from ..operators import empty, operator
from ..precision import wide
from ..segments import segments
from ..shapes import as_rows, shape_text, shaped

"""Time constants that an exponential takes to −60 dB."""

SHORTEST = 1e-12  # in samples, of what takes no time


def timed_adsr(
    attack: Tensor,
    decay: Tensor,
    sustain: Tensor,
    release: Tensor,
    hold: Tensor,
    num_samples: int,
    linear: bool = False,
    dtype: torch.dtype | None = None,
    first_sample: int = 0,
) -> Tensor:
    r"""Compute an envelope that is held from time 0 on, and then released.

    .. math::
        e(t) &= \begin{cases}
            t / A & t < A \\
            S + (1 - S)\,f\bigl((t - A) / D\bigr) & t \ge A
        \end{cases} \\
        y[n] &= \begin{cases}
            e(n) & n < H \\
            e(H)\,f\bigl((n - H) / R\bigr) & n \ge H
        \end{cases}

    with :math:`f(x) = 10^{-3x}`, or :math:`\max(0, 1 - x)` if it is linear. Times may lie between samples, so the
    envelope is differentiable in all of them.

    Args:
        attack: A ≥ 0 in samples. All shapes ``(...)`` broadcast.
        decay: D ≥ 0 in samples, to 0.1 % of the distance to the sustain level, or to that level if it is linear.
        sustain: S, the sustain level.
        release: R ≥ 0 in samples, to −60 dB, or to 0.
        hold: H ≥ 0 in samples.
        num_samples: L.
        linear: Whether decay and release are straight lines.
        dtype: Type of the envelopes, float32 or float64; by default that of ``attack``.
        first_sample: n of the first sample.

    Returns:
        Envelopes ``(..., L)``.
    """
    dtype = dtype or attack.dtype
    attack, decay, release = (clip(wide(t), SHORTEST) for t in (attack, decay, release))
    hold = clip(wide(hold), 0.0)
    attack, decay, sustain, release, hold = torch.broadcast_tensors(attack, decay, wide(sustain), release, hold)
    since_peak = clip(hold - attack, 0.0) / decay
    fallen = clip(1 - since_peak, 0.0) if linear else torch.exp(-TO_SILENCE * since_peak)
    level = torch.where(hold < attack, hold / attack, sustain + (1 - sustain) * fallen)
    zero, one = torch.zeros_like(hold), torch.ones_like(hold)
    to_end = 1.0 if linear else TO_SILENCE
    shapes = [
        (zero, one, -one, 1 / attack),
        (torch.minimum(attack, hold), sustain, 1 - sustain, to_end / decay),
        (hold, zero, level, to_end / release),
    ]
    shapes = torch.stack([torch.stack(shape, -1) for shape in shapes], -2)
    return segments(shapes, (True, linear, linear), num_samples, dtype, first_sample)


def gated_adsr(
    held: Tensor,
    attack: Tensor,
    decay: Tensor,
    sustain: Tensor,
    release: Tensor,
    linear: bool = False,
    dtype: torch.dtype = torch.float32,
    state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Compute the envelope of a gate.

    Where the gate opens, at sample m, the envelope starts an attack from its current level l = y[m], with the same
    slope as from 0; where it closes, it falls from its current level:

    .. math::
        y[n] = \begin{cases}
            l + (n - m) / A & \text{held, } n < p = m + (1 - l) A \\
            S + (1 - S)\,f\bigl((n - p) / D\bigr) & \text{held, } n \ge p \\
            l\,f\bigl((n - m) / R\bigr) & \text{released}
        \end{cases}

    The symbols are those of :func:`timed_adsr`, which is the same for a gate open for H samples from time 0 on. Levels
    are float64.

    Args:
        held: Whether the gate is open, of shape ``(..., L)``, boolean.
        attack: A ≥ 0 in samples, of a shape that broadcasts with the leading axes of ``held``, like all following.
        decay: D ≥ 0 in samples.
        sustain: S.
        release: R ≥ 0 in samples.
        linear: Whether decay and release are straight lines.
        dtype: Type of the envelopes, float32 or float64.
        state: State before the first sample, of shape ``(..., 3)``: the initial level of the last attack or release,
            the number of samples since then, and 1 if the gate is open, else 0. If ``None``, the gate was never open.

    Returns:
        Envelopes ``(..., L)``, differentiable once in times, levels and state, and the state after the last sample,
        ``(..., 3)`` and float64, for the next block.

    Raises:
        ParameterError: ``held`` is not boolean, or a shape does not fit.
    """
    if held.dtype != torch.bool or not held.ndim:
        raise ParameterError(
            f"held must be boolean and of shape (..., samples), not {held.dtype} {shape_text(held)}: compare the gate "
            "with a threshold."
        )
    attack, decay, release = (1 / clip(wide(t), SHORTEST) for t in (attack, decay, release))
    to_end = 1.0 if linear else TO_SILENCE
    values = torch.stack(torch.broadcast_tensors(attack, to_end * decay, wide(sustain), to_end * release), -1)
    state = values.new_zeros(3) if state is None else wide(state)
    leading, *rows = as_rows(held=(held, held.shape[-1]), values=(values, 4), state=(state, 3))
    y, final = _adsr(*rows, linear, dtype)
    return y.reshape(*leading, held.shape[-1]), final.reshape(*leading, 3)


@operator("adsr")
@shaped(held="bool: R L", values="R 4", state="R 3")
def _adsr(held: Tensor, values: Tensor, state: Tensor, linear: bool, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Run the operator; ``values`` are the rates of attack and decay, the sustain level and the rate of the release."""
    return kernels("adsr", held).adsr(held, values, state, linear, dtype)


@operator("adsr_backward")
@shaped(grad="R L", grad_final="R 3", held="bool: R L", values="R 4", state="R 3", y="R L")
def _adsr_backward(
    grad: Tensor, grad_final: Tensor, held: Tensor, values: Tensor, state: Tensor, y: Tensor, linear: bool
) -> tuple[Tensor, Tensor]:
    return kernels("adsr", held).adsr_backward(grad, grad_final, held, values, state, y, linear)


def _save(ctx, inputs, output) -> None:
    *tensors, ctx.linear, _ = inputs
    ctx.save_for_backward(*tensors, output[0])


def _differentiate(ctx, grad: Tensor, grad_final: Tensor) -> tuple:
    by_values, by_state = _adsr_backward(grad, grad_final, *ctx.saved_tensors, ctx.linear)
    return None, by_values, by_state, None, None


_adsr.register_fake(
    lambda held, values, state, linear, dtype: (
        values.new_empty(held.shape, dtype=dtype),
        empty(state),
    )
)
_adsr_backward.register_fake(
    lambda grad, grad_final, held, values, state, y, linear: (
        empty(values),
        empty(state),
    )
)
_adsr.register_autograd(_differentiate, setup_context=_save)
