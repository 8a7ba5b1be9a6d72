"""Comb filters: delays in a loop with a second-order filter."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..operators import empty, operator
from ..precision import check_real, wide
from ..shapes import as_rows, check_indices, num_samples, shape_text, shaped

State = tuple[Tensor, Tensor]
NUM_COEFFICIENTS = 8  # b0, b1, b2, a1, a2, and the gains of the mix


def comb_filter(
    x: Tensor,
    delays: Tensor,
    b: Tensor,
    a: Tensor | None = None,
    mix: Tensor | None = None,
    max_delay: int | None = None,
    state: State | None = None,
) -> tuple[Tensor, State]:
    r"""Filter signals by a loop of a delay and a short filter.

    .. math::
        v[n] &= x[n] + p[n], \quad P(z) = \frac{b_0 + b_1 z^{-1} + b_2 z^{-2}}{a_0 + a_1 z^{-1} + a_2 z^{-2}}\,
            z^{-m}\,V(z) \\
        y[n] &= c_0\,v[n] + c_1\,v[n-m] + c_2\,p[n]

    The mix c selects the filter: a feedback comb (1, 0, 0), one with a delayed output (0, 1, 0), and, with a gain −g in
    the loop, Schroeder's allpass filter (g, 1, 0). The caller must ensure stability: the filter in the loop must be
    stable, with a gain below 1 at all frequencies. Internal values are float64.

    Args:
        x: Signals of shape ``(..., L)``, float32 or float64. The leading axes of all arguments broadcast.
        delays: m, whole numbers of samples, at least 1, of shape ``(...)``. They have no gradient.
        b: Numerators of the filter in the loop, ``(..., n)``, where n is 1 (a gain), 2 or 3.
        a: Denominators ``(..., n)``; 1 if ``None``.
        mix: c, of shape ``(..., 3)``; (1, 0, 0) if ``None``.
        max_delay: Number of samples in the state, for longer delays in later blocks; the longest delay if ``None``.
        state: State after the previous block; silence if ``None``.

    Returns:
        The filtered signals, of shape ``(..., L)``, and the state after the last sample: the past of v, ``(..., M)``,
        and two numbers of the filter, ``(..., 2)``, both float64.

    Raises:
        ParameterError: A shape does not fit, a delay on the CPU is less than 1 or longer than ``max_delay``, or ``x``
            is neither float32 nor float64.

    References:
        Schroeder, "Natural sounding artificial reverberation", JAES 10(3), 1962; a filter in the loop, Moorer, "About
        this reverberation business", Computer Music Journal 3(2), 1979.
    """
    check_real("x", x)
    a = b.new_ones(1) if a is None else a
    mix = b.new_tensor([1.0, 0.0, 0.0]) if mix is None else mix
    if not (b.ndim and a.ndim and 1 <= b.shape[-1] <= 3 and 1 <= a.shape[-1] <= 3 and mix.shape[-1:] == (3,)):
        shapes = f"b is {shape_text(b)}, a {shape_text(a)} and mix {shape_text(mix)}"
        raise ParameterError(f"b and a hold 1 to 3 coefficients and mix 3 gains in their last axes, but {shapes}.")
    if delays.is_floating_point() or delays.is_complex() or delays.dtype == torch.bool:
        raise ParameterError(f"delays are whole numbers of samples and must be integers, not {delays.dtype}.")
    memory = _memory(delays, max_delay)
    coefficients = _coefficients(b, a, mix)
    past, inner = state or (coefficients.new_zeros(memory), coefficients.new_zeros(2))
    length = num_samples(x)
    leading, *rows = as_rows(
        x=(x, length),
        delays=(delays.long(),),
        coefficients=(coefficients, NUM_COEFFICIENTS),
        past=(F.pad(wide(past), (memory - num_samples(past), 0)), memory),
        inner=(wide(inner), 2),
    )
    y, line, final = _comb(*rows)
    after = line[:, length:].clone().reshape(*leading, memory)
    return y.reshape(*leading, length), (after, final.reshape(*leading, 2))


def whole_samples(times: Tensor, longest: float) -> Tensor:
    """Round times down to whole samples; NaN becomes the longest time, so that other rows are still delayed."""
    return times.detach().nan_to_num(nan=longest).floor().long()


def _memory(delays: Tensor, max_delay: int | None) -> int:
    # Values are unknown in compiled code, and reading them off a device would wait for it.
    if max_delay is not None and (torch.compiler.is_compiling() or delays.device.type != "cpu"):
        return max_delay
    shortest, longest = (delays.min().item(), delays.max().item()) if delays.numel() else (1, 1)
    memory = longest if max_delay is None else max_delay
    if shortest < 1 or longest > memory:
        raise ParameterError(f"delays must be from 1 to {memory} samples, but reach from {shortest} to {longest}.")
    return int(memory)


def _coefficients(b: Tensor, a: Tensor, mix: Tensor) -> Tensor:
    b, a, mix = wide(b), wide(a), wide(mix)
    b = F.pad(b, (0, 3 - b.shape[-1])) / a[..., :1]
    a = F.pad(a[..., 1:], (0, 3 - a.shape[-1])) / a[..., :1]
    parts = {"b": b, "a": a, "mix": mix}
    leading, *rows = as_rows(**{name: (part, part.shape[-1]) for name, part in parts.items()})
    return torch.cat(rows, -1).reshape(*leading, NUM_COEFFICIENTS)


@operator("comb")
@shaped(x="R L", delays="int: R", coefficients="R 8", past="R M", inner="R 2")
def _comb(
    x: Tensor, delays: Tensor, coefficients: Tensor, past: Tensor, inner: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the outputs, the line v preceded by its past, and the filter's final state."""
    check_indices("delays", delays, 1, past.shape[1])
    return kernels("comb", x).comb(x, delays, coefficients, past, inner)


@operator("comb_backward")
@shaped(grad="R L", grad_line="R N", grad_final="R 2", x="R L", delays="int: R", coefficients="R 8", line="R N")
def _comb_backward(
    grad: Tensor, grad_line: Tensor, grad_final: Tensor, x: Tensor, delays: Tensor, coefficients: Tensor, line: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the gradients of signals, coefficients, past and the filter's state."""
    check_indices("delays", delays, 1, line.shape[1] - x.shape[1])
    return kernels("comb", x).comb_backward(grad, grad_line, grad_final, x, delays, coefficients, line)


_comb.register_fake(
    lambda x, delays, coefficients, past, inner: (
        empty(x),
        past.new_empty(x.shape[0], past.shape[1] + x.shape[1]),
        empty(inner),
    )
)
_comb_backward.register_fake(
    lambda grad, grad_line, grad_final, x, delays, coefficients, line: (
        empty(x),
        empty(coefficients),
        line.new_empty(x.shape[0], line.shape[1] - x.shape[1]),
        empty(grad_final),
    )
)


def _save(ctx, inputs, output) -> None:
    x, delays, coefficients, _, _ = inputs
    ctx.save_for_backward(x, delays, coefficients, output[1])


def _differentiate(ctx, grad: Tensor, grad_line: Tensor, grad_final: Tensor) -> tuple:
    x, delays, coefficients, line = ctx.saved_tensors
    to_x, to_coefficients, to_past, to_inner = _comb_backward(
        grad, grad_line, grad_final, x, delays, coefficients, line
    )
    return to_x, None, to_coefficients, to_past, to_inner


_comb.register_autograd(_differentiate, setup_context=_save)
