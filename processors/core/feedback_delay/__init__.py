"""Delay line with feedback and a time-varying delay."""

import math

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..operators import empty, operator
from ..precision import check_real, wide, wide_dtype
from ..shapes import as_rows, num_samples, require, shaped

SHORTEST = 1.0  # samples, as a sample cannot wait for itself


def feedback_delay(
    x: Tensor,
    times: Tensor,
    feedback: Tensor,
    max_delay: float,
    past: Tensor | None = None,
    base: Tensor | float = 0.0,
    scale: float = 1.0,
) -> tuple[Tensor, Tensor]:
    r"""Process signals by a delay line with feedback.

    .. math:: d[n] = v(n - t[n]), \quad v[n] = x[n] + g\,d[n], \quad
        t[n] = \mathrm{clip}(b + s\,m[n],\ 1,\ t_\text{max})

    v is interpolated linearly, so nothing is amplified: for \|g\| < 1 the output stays within
    :math:`\max |x| / (1 - |g|)`, however the time moves. Where the time is clipped its gradient is zero. The taps can
    be differentiated once, with respect to all tensors.

    Args:
        x: Signals ``(..., L)``, float32 or float64.
        times: m, ``(..., L)``, or ``(..., 1)`` if constant.
        feedback: g, ``(...)``.
        max_delay: :math:`t_\text{max}`, at least 1.
        past: v before the first sample, from the previous block; silence if ``None``.
        base: b, in samples, ``(...)``, which is added in double precision.
        scale: s, such as samples per millisecond.

    Returns:
        The taps d ``(..., L)``, where the leading axes of all arguments broadcast; and v for the next block,
        ``(..., P)`` in double precision.

    Raises:
        ParameterError: ``x`` is neither float32 nor float64, the longest time is below 1, or shapes do not fit.

    References:
        Dattorro, "Effect design, part 2: delay-line modulation and chorus", JAES 45(10), 1997.
    """
    check_real("x", x, "it is delayed")
    if not SHORTEST <= max_delay < math.inf:
        raise ParameterError(f"max_delay of a loop must be at least one sample, not {max_delay!r}.")
    length, kept = num_samples(x), math.floor(max_delay) + 1
    base = torch.as_tensor(base, dtype=wide_dtype(False, x.device), device=x.device)
    if past is None:
        past = torch.zeros(kept, dtype=base.dtype, device=x.device)
    leading, *rows = as_rows(
        x=(x, length), times=(times, (1, length)), base=(base,), feedback=(wide(feedback),), past=(wide(past), kept)
    )
    taps, line = _feedback_delay(*rows, float(max_delay), float(scale))
    return taps.reshape(*leading, length), line.reshape(*leading, kept)


def _check_limit(limit: float, past: Tensor) -> None:
    """Refuse a longest time beyond the stored past."""
    require(
        SHORTEST <= limit < past.shape[1],
        f"limit must be from {SHORTEST:g} to below {past.shape[1]} samples, which there are of the past, not {limit}.",
    )


@operator("feedback_delay")
@shaped(x="R L", times="R L|1", base="R", feedback="R", past="R M")
def _feedback_delay(
    x: Tensor, times: Tensor, base: Tensor, feedback: Tensor, past: Tensor, limit: float, scale: float
) -> tuple[Tensor, Tensor]:
    _check_limit(limit, past)
    return kernels("feedback_delay", x).feedback_delay(x, times, base, feedback, past, limit, scale)


@operator("feedback_delay_backward")
@shaped(
    grad="R L", grad_final="R M", x="R L", times="R L|1", base="R", feedback="R", past="R M", taps="R L"
)  # fmt: skip
def _feedback_delay_backward(
    grad: Tensor,
    grad_final: Tensor,
    x: Tensor,
    times: Tensor,
    base: Tensor,
    feedback: Tensor,
    past: Tensor,
    taps: Tensor,
    limit: float,
    scale: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    _check_limit(limit, past)
    arguments = grad, grad_final, x, times, base, feedback, past, taps, limit, scale
    return kernels("feedback_delay", x).feedback_delay_backward(*arguments)


def _save(ctx, inputs, output) -> None:
    *tensors, ctx.limit, ctx.scale = inputs
    ctx.save_for_backward(*tensors, output[0])


_feedback_delay.register_fake(lambda x, times, base, feedback, past, limit, scale: (empty(x), empty(past)))
_feedback_delay_backward.register_fake(
    lambda grad, grad_final, x, times, base, feedback, past, *_: tuple(map(empty, (x, times, base, feedback, past)))
)
_feedback_delay.register_autograd(
    lambda ctx, grad, grad_final: (
        *_feedback_delay_backward(grad, grad_final, *ctx.saved_tensors, ctx.limit, ctx.scale),
        None,
        None,
    ),
    setup_context=_save,
)
