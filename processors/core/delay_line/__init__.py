"""Delay line with any number of taps at time-varying delays.

The past of a signal is stored, and each tap interpolates between its samples. The functions have an explicit state,
initialized by ``delay_line_init``::

    state, params = delay_line_init(max_delay=44100)
    ys, state = delay_line_process(xs, times, state, params)

Processing a signal in pieces gives the result for the whole signal.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ...arguments import check_known
from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..broadcasting import broadcast_shapes, is_one_of
from ..operators import empty, operator
from ..precision import check_real, wide, wide_dtype
from ..recursion import first_order, last_output
from ..shapes import check_indices, num_samples, require, shape_text, shaped

Interpolation = Literal["linear", "cubic", "allpass"]
State = tuple[Tensor, Tensor]
Params = tuple[float, str]

INTERPOLATIONS = ("linear", "cubic", "allpass")
LINEAR, CUBIC, ALLPASS = range(3)
LEADS = (0.0, 1.0, 0.5)  # by how much the newest sample that is read is later than the time, at least
ALLPASS_DECAY = 7  # samples that the slowest filter takes for 60 dB, whose pole is at −1/3


def delay_line_init(max_delay: float, interpolation: Interpolation = "linear") -> tuple[State, Params]:
    r"""Make the state of an empty delay line.

    Between samples a tap interpolates. With t = d + f, where d is a whole number and 0 ≤ f < 1:

    - ``"linear"`` is :math:`(1 - f)\,x[n-d] + f\,x[n-d-1]`. It suits modulation best, since it has no memory, but
      attenuates high frequencies: at f = ½, by 3 dB at half of the Nyquist frequency.
    - ``"cubic"`` is the Lagrange polynomial through four samples, two on each side, with less attenuation: 1.1 dB
      there. For t < 1, the latest of them is not available yet, and a parabola through the first three past samples is
      used; where the two meet, both are :math:`x[n-1]`. No frequency is amplified.
    - ``"allpass"`` is :math:`y[n] = \eta\,(x[n-d] - y[n-1]) + x[n-d-1]`, with :math:`\eta = (1-\Delta)/(1+\Delta)`
      and :math:`d = \lfloor t - \tfrac12 \rfloor`, so that :math:`\tfrac12 \le \Delta = t - d < \tfrac32`. It preserves
      all magnitudes, and delays low frequencies by t, but not high ones. Where d changes, the filter continues with the
      state of another one, which clicks at high frequencies. So it suits times that are constant or drift, above all in
      loops, where losses add up, but not fast or wide modulation. For t < ½, such a filter would need a future sample,
      or ring for long. There :math:`y[n] = ((2-3t)\,x[n] + 3t\,x[n-1] - t\,y[n-1])/(2-t)` is used, which passes the
      input unchanged at t = 0, delays low frequencies by t too, and attenuates high ones.

    For integer t, all return the sample itself.

    Args:
        max_delay: Longest time, in samples, 0 or more; need not be an integer.
        interpolation: ``"linear"``, ``"cubic"`` or ``"allpass"``.

    Returns:
        The state, with the past of the signal and, for an allpass filter, the last outputs; and the parameters
        ``(max_delay, interpolation)``.

    Raises:
        ParameterError: The longest time is negative or not finite, or the interpolation is unknown.

    References:
        T. I. Laakso et al., "Splitting the unit delay", IEEE Signal Processing Magazine 13(1), 1996. J. Dattorro,
        "Effect design, part 2: delay-line modulation and chorus", JAES 45(10), 1997. J. O. Smith, "Physical audio
        signal processing", W3K Publishing, 2010.
    """
    check_known("interpolation", interpolation, INTERPOLATIONS)
    if not 0 <= max_delay < math.inf:
        raise ParameterError(f"max_delay is the longest time and must be 0 or more samples, not {max_delay!r}.")
    return _silence(), (float(max_delay), interpolation)


def _silence() -> State:
    return torch.zeros(0), torch.zeros(())


def delay_line_tick(x: Tensor, times: Tensor | float, state: State, params: Params) -> tuple[Tensor, State]:
    """Process one sample as :func:`delay_line_process` does.

    Args:
        x: Next sample of each signal, ``(...)``.
        times: Times of each tap, ``(...)``, broadcastable with ``x``.
        state: State after the previous sample.
        params: See :func:`delay_line_init`.

    Returns:
        The taps, and the new state.
    """
    times = _tensor(times, x)
    y, state = delay_line_process(x.unsqueeze(-1), times.unsqueeze(-1), state, params)
    return y.squeeze(-1), state


def delay_line_process(
    xs: Tensor,
    times: Tensor | float,
    state: State | None,
    params: Params,
    base: Tensor | float = 0.0,
    scale: float = 1.0,
) -> tuple[Tensor, State]:
    r"""Write signals into a delay line, and read its taps.

    .. math:: y[n] = x(n - t[n]), \quad t[n] = \mathrm{clip}(b + s\,m[n],\ 0,\ t_\text{max})

    where x between the samples is interpolated as in :func:`delay_line_init`. Where the time is clipped, its gradient
    is zero. The taps can be differentiated once, with respect to signals and times.

    Several taps of one line have an additional leading axis: signals ``(B, C, L)`` read at times ``(K, B, 1, L)`` give
    K taps ``(K, B, C, L)``, without copies of the signals.

    Args:
        xs: Signals x, ``(..., L)``, float32 or float64.
        times: m, in samples unless there is a scale: ``(..., L)``, or ``(..., 1)`` if constant, or a number. Leading
            axes broadcast with those of the signals. They may have another precision than the signals: float32 resolves
            a second at 44.1 kHz to 0.004 samples.
        state: State from :func:`delay_line_init` or after the previous block; ``None`` as at the beginning.
        params: See :func:`delay_line_init`.
        base: b, in samples, ``(...)``, which is added in double precision, so that small modulations around it keep
            their precision.
        scale: s, such as samples per millisecond.

    Returns:
        The taps ``(..., L)``, in the precision of the signals; and the state after the last sample.

    Raises:
        ParameterError: Shapes do not fit, or the signals are neither float32 nor float64.
    """
    check_real("xs", xs, "it is delayed")
    max_delay, interpolation = params
    kind = INTERPOLATIONS.index(interpolation)
    past, last = state or _silence()
    times, base, leading = _broadcast(xs, _tensor(times, xs), _tensor(base, xs))
    past, last = _expanded("past", past, (*xs.shape[:-1], num_samples(past))), _expanded("last", last, leading)
    line = torch.cat([past.to(xs), xs], -1) if past.shape[-1] else xs
    numbers = torch.stack([_number(t.shape[:-1], xs.device).expand(leading).flatten() for t in (xs, times)])
    moments = _rows(times), base.flatten()
    ys = _read_line(_rows(line), *moments, numbers, past.shape[-1], max_delay, scale, kind)
    ys = ys.reshape(*leading, xs.shape[-1])
    if kind == ALLPASS:
        poles = _allpass_poles(*moments, max_delay, scale).reshape(times.shape)
        ys = first_order(ys, poles, last.to(xs))
        last = last_output(ys, last)
    return ys, (line[..., -_memory(max_delay, kind) :].clone(), last.clone())


def delay_line_min_delay(times: Tensor | float, params: Params) -> int:
    """Return the minimum delay in samples between an output and the latest input that it depends on.

    Args:
        times: Of any shape, in samples.
        params: See :func:`delay_line_init`.

    Returns:
        An integer: the minimum of the times, less the samples that interpolation reads ahead.
    """
    max_delay, interpolation = params
    times = _tensor(times, torch.zeros(())).detach().nan_to_num(nan=0.0)
    least = min(max(0.0, times.min().item()), max_delay) if times.numel() else max_delay
    return max(0, math.floor(least - LEADS[INTERPOLATIONS.index(interpolation)]))


def delay_line_tail(params: Params) -> int:
    """Return how many samples a tap rings after the end of the signal, to −60 dB.

    Args:
        params: See :func:`delay_line_init`.
    """
    max_delay, interpolation = params
    kind = INTERPOLATIONS.index(interpolation)
    return _memory(max_delay, kind) + (ALLPASS_DECAY if kind == ALLPASS else 0)


def _memory(max_delay: float, kind: int) -> int:
    """Return how many samples before a block its taps can read."""
    return max(math.floor(max_delay), 1) + 2 if kind == CUBIC else math.floor(max_delay) + 1


def _tensor(times: Tensor | float, like: Tensor) -> Tensor:
    """Convert to double precision."""
    if isinstance(times, Tensor):
        return times if times.is_floating_point() else wide(times)
    return torch.as_tensor(times, dtype=wide_dtype(False, like.device), device=like.device)


def _broadcast(xs: Tensor, times: Tensor, base: Tensor) -> tuple[Tensor, Tensor, torch.Size]:
    """Return the times and their base with an axis for each of the taps, and their leading axes."""
    times = times if times.ndim else times.reshape(1)
    if not is_one_of(times.shape[-1], 1, num_samples(xs)):
        raise ParameterError(
            f"The last axis of times {tuple(times.shape)} must be as long as that of xs {tuple(xs.shape)}, or 1 where "
            "they are constant."
        )
    try:
        own = broadcast_shapes(times.shape[:-1], base.shape)
        leading = broadcast_shapes(xs.shape[:-1], own)
    except RuntimeError:
        raise ParameterError(
            f"The leading axes of xs {tuple(xs.shape)}, times {tuple(times.shape)} and their base {tuple(base.shape)} "
            "do not broadcast: give several taps of one line an axis before those of the line."
        ) from None
    own = (*[1] * (len(leading) - len(own)), *own)
    return times.expand(*own, times.shape[-1]), base.expand(own), leading


def _expanded(name: str, part: Tensor, shape: Sequence[int]) -> Tensor:
    try:
        return part.expand(shape)
    except RuntimeError:
        raise ParameterError(
            f"{name} in the state must broadcast to {tuple(shape)}, not be {shape_text(part)}: it is that of other "
            "signals."
        ) from None


def _rows(t: Tensor) -> Tensor:
    return t.reshape(math.prod(t.shape[:-1]), t.shape[-1])


def _number(shape: torch.Size, device: torch.device) -> Tensor:
    return torch.arange(math.prod(shape), device=device).reshape(shape)


def _check_read(lines: Tensor, times: Tensor, rows: Tensor, past: int, limit: float, kind: int) -> None:
    """Refuse arguments that would lead to reads outside of the lines."""
    require(0 <= past <= lines.shape[1], f"past must be from 0 to {lines.shape[1]} samples, not {past}.")
    require(0 <= limit < math.inf, f"limit must be 0 or more samples, not {limit}.")
    require(kind in (LINEAR, CUBIC, ALLPASS), f"kind must be {LINEAR}, {CUBIC} or {ALLPASS}, not {kind}.")
    length = lines.shape[1] - past
    require(is_one_of(times.shape[1], 1, length), f"times must be of 1 or {length} samples, not {times.shape[1]}.")
    check_indices("rows of lines", rows[0], 0, lines.shape[0] - 1)
    check_indices("rows of times", rows[1], 0, times.shape[0] - 1)


@operator("read_line")
@shaped(line="R N", times="T S", base="T", rows="int: 2 K")
def _read_line(
    line: Tensor, times: Tensor, base: Tensor, rows: Tensor, past: int, limit: float, scale: float, kind: int
) -> Tensor:
    _check_read(line, times, rows, past, limit, kind)
    return kernels("delay_line", line).read_line(line, times, base, rows, past, limit, scale, kind)


@operator("read_line_to_line")
@shaped(grad="K L", line="R N", times="T S", base="T", rows="int: 2 K")
def _read_line_to_line(
    grad: Tensor,
    line: Tensor,
    times: Tensor,
    base: Tensor,
    rows: Tensor,
    past: int,
    limit: float,
    scale: float,
    kind: int,
) -> Tensor:
    _check_read(line, times, rows, past, limit, kind)
    require(grad.shape[1] == line.shape[1] - past, "The gradient must be as long as the lines without their past.")
    arguments = grad, line, times, base, rows, past, limit, scale, kind
    return kernels("delay_line", line).read_line_to_line(*arguments)


@operator("read_line_to_times")
@shaped(grad="K L", line="R N", times="T S", base="T", rows="int: 2 K")
def _read_line_to_times(
    grad: Tensor,
    line: Tensor,
    times: Tensor,
    base: Tensor,
    rows: Tensor,
    past: int,
    limit: float,
    scale: float,
    kind: int,
) -> tuple[Tensor, Tensor]:
    _check_read(line, times, rows, past, limit, kind)
    require(grad.shape[1] == line.shape[1] - past, "The gradient must be as long as the lines without their past.")
    arguments = grad, line, times, base, rows, past, limit, scale, kind
    return kernels("delay_line", line).read_line_to_times(*arguments)


@operator("allpass_poles")
@shaped(times="T S", base="T")
def _allpass_poles(times: Tensor, base: Tensor, limit: float, scale: float) -> Tensor:
    return kernels("delay_line", times).allpass_poles(times, base, limit, scale)


@operator("allpass_poles_backward")
@shaped(grad="T S", times="T S", base="T")
def _allpass_poles_backward(
    grad: Tensor, times: Tensor, base: Tensor, limit: float, scale: float
) -> tuple[Tensor, Tensor]:
    return kernels("delay_line", times).allpass_poles_backward(grad, times, base, limit, scale)


_read_line.register_fake(lambda line, times, base, rows, past, *_: line.new_empty(rows.shape[1], line.shape[1] - past))
_read_line_to_line.register_fake(lambda grad, line, *_: empty(line))
_read_line_to_times.register_fake(lambda grad, line, times, base, *_: (empty(times), empty(base)))
_allpass_poles.register_fake(lambda times, *_: empty(times))
_allpass_poles_backward.register_fake(lambda grad, times, base, *_: (empty(times), empty(base)))


def _save(ctx, inputs, output) -> None:
    tensors = [value for value in inputs if isinstance(value, Tensor)]
    ctx.save_for_backward(*tensors)
    ctx.rest = inputs[len(tensors) :]


def _read_line_gradients(ctx, grad: Tensor) -> tuple:
    arguments = grad, *ctx.saved_tensors, *ctx.rest
    to_line, to_times, to_base, *_ = ctx.needs_input_grad
    return (
        _read_line_to_line(*arguments) if to_line else None,
        *(_read_line_to_times(*arguments) if to_times or to_base else (None, None)),
        *[None] * 5,
    )


_read_line.register_autograd(_read_line_gradients, setup_context=_save)
_allpass_poles.register_autograd(
    lambda ctx, grad: (*_allpass_poles_backward(grad, *ctx.saved_tensors, *ctx.rest), None, None), setup_context=_save
)
