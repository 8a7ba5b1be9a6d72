"""Smoothers of control signals: functions with explicit state, and processors for graphs."""

from __future__ import annotations  # those within functions would be evaluated when they are compiled

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..base import Control, ParameterError, ParameterSize, Processor
from ..controls import ms
from ..core.biquad import biquad_cascade, decay_samples
from ..core.bounds import clip, safe_exp
from ..core.envelope import carry_on
from ..core.maps import exponential, reciprocal_softplus, tanh
from ..core.precision import REAL, wide
from ..core.ramp import linear_ramp
from ..core.recursion import first_order, last_output
from ..core.state_variable import biquads
from ..core.streaming import remember

Value = Tensor | float
Values = tuple[Tensor, ...]

MAX_COEFFICIENT = 0.999  # of an allpass; at 1 it would ring for ever
COEFFICIENT = tanh(MAX_COEFFICIENT)


def onepole_smoother_init(
    initial_value: Value, alpha: Value, *, dtype: torch.dtype | None = None
) -> tuple[Values, Values]:
    """Make the state and the parameters of :func:`onepole_smoother_process`.

    Args:
        initial_value: y[−1], a number for all items, or one for each of them in the shape ``(...)`` of the leading axes
            of the signal.
        alpha: α from 0 to 1; shapes as for :func:`onepole_smoother_process`.
        dtype: Type of both; by default tensors are unchanged, and numbers are in double precision.

    Returns:
        ``(prev_y,), (alpha,)``.
    """
    return (_tensor(initial_value, dtype),), (_tensor(alpha, dtype),)


def onepole_smoother_update_state(state: Sequence[Value], params: Sequence[Value]) -> Sequence[Value]:
    """Return the state unchanged: nothing changes between samples."""
    return state


def onepole_smoother_tick(x: Value, state: Sequence[Value], params: Sequence[Value]) -> tuple[Tensor, Values]:
    """Process one sample ``(...)`` as :func:`onepole_smoother_process` does, and return the state after it."""
    return _tick(onepole_smoother_process, x, state, params)


def onepole_smoother_process(xs: Tensor, state: Sequence[Value], params: Sequence[Value]) -> tuple[Tensor, Values]:
    r"""Exponential smoothing.

    .. math:: y[n] = y[n-1] + \alpha\,(x[n] - y[n-1])

    A smaller α smooths more: α = 1 passes x unchanged, and α = 0 holds the value. Some texts define α the other way
    round. Values beyond 0 and 1 are clipped and have no gradient.

    Processing a signal in pieces, each from the state of the previous one, gives the result for the whole signal,
    except for the rounding of states in single precision. Signals, states and parameters all get gradients.

    Args:
        xs: x, of shape ``(..., samples)``, float32 or float64.
        state: ``(prev_y,)``, y[−1]: a number, or in the shape of the leading axes of ``xs``.
        params: ``(alpha,)``: a number; one for each item, in a shape that broadcasts to the leading axes of ``xs``; or
            one for each sample, with as many axes as ``xs``. ``(samples,)`` applies to all items, unless it could be
            one for each.

    Returns:
        y, of the shape of ``xs``; and the state after it, in the precision of ``xs``.

    Raises:
        ParameterError: ``xs`` is neither float32 nor float64, or an entry of a tuple does not fit.
    """
    (before,) = _states(xs, state, "prev_y")
    alpha = clip(wide(_parameter(xs, params, "alpha")), 0.0, 1.0)
    y = _smooth(xs, alpha, 1 - alpha, wide(before))
    return y, (_last(y, before),)


def ramp_smoother_init(
    initial_value: Value, initial_target: Value, duration_samples: Value, *, dtype: torch.dtype | None = None
) -> tuple[Values, Values]:
    """Make the state and the parameters of :func:`ramp_smoother_process`, for a ramp from a value to a target.

    Args:
        initial_value: y[−1], a number for all items, or one for each of them in the shape ``(...)`` of the leading axes
            of the signal.
        initial_target: The target before the first sample, likewise.
        duration_samples: Length of a ramp in samples, likewise; values below 1 count as 1. Durations for each sample
            are given to :func:`ramp_smoother_process`.
        dtype: Type of all; by default tensors are unchanged, and numbers are in double precision.

    Returns:
        ``(current_value, target_value, increment, remaining_samples), (duration_samples,)``.
    """
    value, target, duration = (_tensor(v, dtype) for v in (initial_value, initial_target, duration_samples))
    duration = torch.where(duration < 1, 1.0, duration)
    return (value, target, (target - value) / duration, duration), (duration,)


def ramp_smoother_update_state(state: Sequence[Value], params: Sequence[Value]) -> Sequence[Value]:
    """Return the state unchanged: targets come with the samples."""
    return state


def ramp_smoother_tick(x: Value, state: Sequence[Value], params: Sequence[Value]) -> tuple[Tensor, Values]:
    """Process one sample ``(...)`` as :func:`ramp_smoother_process` does, and return the state after it."""
    return _tick(ramp_smoother_process, x, state, params)


def ramp_smoother_process(xs: Tensor, state: Sequence[Value], params: Sequence[Value]) -> tuple[Tensor, Values]:
    """Follow each new target along a straight line, see :func:`~grafx.processors.core.ramp.linear_ramp`.

    A target that differs from that of the ramp by more than 10⁻¹² starts a new ramp from the current value, and so does
    one after the end of a ramp. A ramp of d samples takes ⌈d⌉ steps of (x − y)/d, the last of which lands on the
    target.

    Processing a signal in pieces, each from the state of the previous one, gives the result for the whole signal,
    except for the rounding of states in single precision. Signals, states and parameters all get gradients. Those of
    the signal are nonzero only at samples where ramps start.

    Args:
        xs: Targets, of shape ``(..., samples)``, float32 or float64.
        state: ``(current_value, target_value, increment, remaining_samples)``: numbers, or in the shape of the leading
            axes of ``xs``.
        params: ``(duration_samples,)``; values below 1 count as 1. Shapes are those of the parameter of
            :func:`onepole_smoother_process`. A ramp takes the duration at its first sample.

    Returns:
        y, of the shape of ``xs``; and the state after it, in the precision of ``xs``.

    Raises:
        ParameterError: ``xs`` is neither float32 nor float64, or an entry of a tuple does not fit.
    """
    names = ("current_value", "target_value", "increment", "remaining_samples")
    value, target, increment, remaining = _states(xs, state, *names)
    # Compare targets in the precision of the signal: 0.1 is another number in single precision.
    states = torch.broadcast_tensors(*map(wide, (value, target.to(xs.dtype), increment, remaining)))
    y, final = linear_ramp(xs, _parameter(xs, params, "duration_samples"), torch.stack(states, -1))
    return y, final.to(xs.dtype).unbind(-1)


def allpass_smoother_init(initial_value: Value, a: Value, *, dtype: torch.dtype | None = None) -> tuple[Values, Values]:
    """Make the state and the parameters of :func:`allpass_smoother_process`.

    Args:
        initial_value: x[−1] and y[−1], a number for all items, or one for each of them in the shape ``(...)`` of the
            leading axes of the signal.
        a: The coefficient, within ±0.999; shapes as for :func:`allpass_smoother_process`.
        dtype: Type of both; by default tensors are unchanged, and numbers are in double precision.

    Returns:
        ``(prev_x, prev_y), (a,)``.
    """
    value = _tensor(initial_value, dtype)
    return (value, value), (_tensor(a, dtype),)


def allpass_smoother_update_state(state: Sequence[Value], params: Sequence[Value]) -> Sequence[Value]:
    """Return the state unchanged: nothing changes between samples."""
    return state


def allpass_smoother_tick(x: Value, state: Sequence[Value], params: Sequence[Value]) -> tuple[Tensor, Values]:
    """Process one sample ``(...)`` as :func:`allpass_smoother_process` does, and return the state after it."""
    return _tick(allpass_smoother_process, x, state, params)


def allpass_smoother_process(xs: Tensor, state: Sequence[Value], params: Sequence[Value]) -> tuple[Tensor, Values]:
    r"""First-order allpass, which delays low frequencies by (1 − a)/(1 + a) samples.

    .. math:: y[n] = a\,x[n] + x[n-1] - a\,y[n-1]

    Values of a beyond ±0.999 are clipped and have no gradient.

    Processing a signal in pieces, each from the state of the previous one, gives the result for the whole signal,
    except for the rounding of states in single precision. Signals, states and parameters all get gradients.

    Args:
        xs: x, of shape ``(..., samples)``, float32 or float64.
        state: ``(prev_x, prev_y)``, x[−1] and y[−1]: numbers, or in the shape of the leading axes of ``xs``.
        params: ``(a,)``. Shapes are those of the parameter of :func:`onepole_smoother_process`.

    Returns:
        y, of the shape of ``xs``; and the state after it, in the precision of ``xs``.

    Raises:
        ParameterError: ``xs`` is neither float32 nor float64, or an entry of a tuple does not fit.
    """
    before_x, before_y = _states(xs, state, "prev_x", "prev_y")
    a = clip(wide(_parameter(xs, params, "a")), -MAX_COEFFICIENT, MAX_COEFFICIENT)
    if a.shape[-1] == 1:
        a = a.squeeze(-1)
        before = before_x - a * before_y
        y, _ = biquad_cascade(xs, _section(a), torch.stack([before, torch.zeros_like(before)], -1).unsqueeze(-2))
    else:
        # In single precision, a x[n] + x[n − 1] would cancel for a = −1.
        x = wide(xs)
        past = torch.cat([wide(before_x).expand(xs.shape[:-1]).unsqueeze(-1), x], -1)[..., :-1]
        y = first_order(torch.addcmul(past, a, x), -a, wide(before_y)).to(xs.dtype)
    return y, (_last(xs, before_x), _last(y, before_y))


class OnePoleSmoother(Processor):
    r"""Exponential smoothing from 0, see :func:`onepole_smoother_process`.

    .. math:: y[n] = y[n-1] + \alpha\,(x[n] - y[n-1]), \quad y[-1] = 0

    The control ``smoothing_ms`` is the time to 1 − 1/e of a step.

    Raw parameter: ``z_alpha``: 1, the logit of α. Larger values smooth less.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
    """

    latency_samples = 0

    def parameter_size(self) -> ParameterSize:
        return {"z_alpha": 1}

    def declare_controls(self) -> list[Control]:
        time = reciprocal_softplus(1000 / self.sample_rate)
        return [ms("smoothing_ms", 0.1, 1000, 10.0, "z_alpha", map=time)]

    def forward(self, input_signals: Tensor, z_alpha: Tensor) -> Tensor:
        """Smooth signals.

        Args:
            input_signals: ``(B, C, L)``.
            z_alpha: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        alpha, pole = (torch.sigmoid(wide(z)).unsqueeze(-1) for z in (z_alpha, -z_alpha))
        return carry_on(lambda x, before: _smooth(x, alpha, pole, before), input_signals)

    def tail_samples(self, z_alpha: Tensor) -> int:
        pole = torch.sigmoid(-wide(z_alpha))
        return decay_samples(torch.stack([torch.ones_like(pole), -pole, torch.zeros_like(pole)], -1))


class RampSmoother(Processor):
    r"""Straight lines to each new target from 0, see :func:`ramp_smoother_process`.

    .. math:: y[n] = y[m - 1] + \min\Bigl(1, \frac{n - m + 1}{d}\Bigr) (u[n] - y[m - 1])

    where m is the sample at which the target u changed last, and d the duration in samples. It is for signals that stay
    constant for a while. One that moves with every sample starts a ramp with each, which smooths it as
    :func:`onepole_smoother_process` does with α = 1/d.

    The control ``duration_ms`` is the length of a ramp.

    Raw parameter: ``log_duration``: 1, the natural logarithm of the duration in milliseconds. Less than a sample
    counts as one. Extreme values are bounded softly, see :func:`~grafx.processors.core.bounds.safe_exp`.

    Args:
        sample_rate: Samples per second.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
    """

    latency_samples = 0

    def parameter_size(self) -> ParameterSize:
        return {"log_duration": 1}

    def declare_controls(self) -> list[Control]:
        return [
            ms("duration_ms", 0.1, 1000, 10.0, "log_duration", map=exponential(floor=0.0)),
        ]

    def forward(self, input_signals: Tensor, log_duration: Tensor) -> Tensor:
        """Smooth signals.

        Args:
            input_signals: Targets ``(B, C, L)``.
            log_duration: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        duration = self._samples(log_duration)

        def step(state: Tensor | None) -> tuple[Tensor, Tensor]:
            if state is None:
                rest = torch.zeros_like(duration)
                state = torch.stack(ramp_smoother_init(rest, rest, duration)[0], -1)
            return linear_ramp(input_signals, duration.unsqueeze(-1), state)

        return remember(step, "ramp")

    def tail_samples(self, log_duration: Tensor) -> int:
        return int(self._samples(log_duration).clamp(min=1).ceil().max())

    def _samples(self, log_duration: Tensor) -> Tensor:
        return safe_exp(wide(log_duration)) * (self.sample_rate / 1000)


class AllpassSmoother(Processor):
    r"""First-order allpass from 0, see :func:`allpass_smoother_process`.

    .. math:: y[n] = a\,x[n] + x[n-1] - a\,y[n-1], \quad x[-1] = y[-1] = 0

    The control ``coefficient`` is a.

    Raw parameter: ``z_a``: 1, with a = 0.999 tanh(``z_a``).

    Args:
        sample_rate: Samples per second; ignored.
        param_range: Ranges of controls, see :class:`~grafx.processors.base.Processor`.
    """

    latency_samples = 0

    def parameter_size(self) -> ParameterSize:
        return {"z_a": 1}

    def declare_controls(self) -> list[Control]:
        return [Control("coefficient", -0.99, 0.99, 0.5, "z_a", map=COEFFICIENT)]

    def forward(self, input_signals: Tensor, z_a: Tensor) -> Tensor:
        """Smooth signals.

        Args:
            input_signals: ``(B, C, L)``.
            z_a: ``(B, 1)``.

        Returns:
            ``(B, C, L)``.
        """
        return biquads(input_signals, _section(_coefficient(z_a)))

    def tail_samples(self, z_a: Tensor) -> int:
        return decay_samples(_section(_coefficient(z_a))[..., 3:])


def _smooth(x: Tensor, alpha: Tensor, pole: Tensor, before: Tensor | float) -> Tensor:
    """Smooth by α and 1 − α, since the latter alone has lost the last digits of a small α."""
    return first_order(alpha * wide(x), pole, before).to(x.dtype)


def _coefficient(z_a: Tensor) -> Tensor:
    return COEFFICIENT.to_physical(wide(z_a))


def _section(a: Tensor) -> Tensor:
    """Make an allpass a biquad of a series, ``(..., 1, 6)``."""
    one, zero = torch.ones_like(a), torch.zeros_like(a)
    return torch.stack([a, one, zero, one, a, zero], -1).unsqueeze(-2)


def _tick(process: Callable, x: Value, state: Sequence[Value], params: Sequence[Value]) -> tuple[Tensor, Values]:
    ys, after = process(_tensor(x).unsqueeze(-1), state, params)
    return ys.squeeze(-1), after


def _last(signal: Tensor, before: Tensor) -> Tensor:
    """Copy the state of a recursion, which must not change with the signal that it is the end of."""
    return last_output(signal, before).clone()


def _tensor(value: Value, dtype: torch.dtype | None = None) -> Tensor:
    tensor = value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)
    tensor = tensor if tensor.is_floating_point() else wide(tensor)
    return tensor if dtype is None else tensor.to(dtype)


def _states(xs: Tensor, state: Sequence[Value], *names: str) -> list[Tensor]:
    if not isinstance(xs, Tensor) or xs.ndim == 0 or xs.dtype not in REAL:
        what = f"{tuple(xs.shape)} of {xs.dtype}" if isinstance(xs, Tensor) else repr(xs)
        raise ParameterError(f"xs must be a tensor (..., samples) of float32 or float64, not {what}.")
    items = xs.shape[:-1]
    states = [value.to(xs.device) for value in _unpack(state, "state", names)]
    for name, value in zip(names, states, strict=True):
        if not _broadcasts(value.shape, items):
            raise ParameterError(
                f"{name} is of shape {tuple(value.shape)}, but must be a number or broadcast to the leading axes "
                f"{tuple(items)} of xs {tuple(xs.shape)}."
            )
    return states


def _parameter(xs: Tensor, params: Sequence[Value], name: str) -> Tensor:
    """Broadcast to all axes of ``xs``, the last one of length 1 if constant."""
    (value,) = _unpack(params, "params", (name,))
    value = value.to(xs.device)
    if value.ndim < xs.ndim and _broadcasts(value.shape, xs.shape[:-1]):
        value = value.unsqueeze(-1)
    elif value.ndim not in (1, xs.ndim) or not _broadcasts(value.shape, xs.shape):
        raise ParameterError(
            f"{name} is of shape {tuple(value.shape)}, but must be a number, have one for each item, in a shape that "
            f"broadcasts to {tuple(xs.shape[:-1])}, or one for each sample of xs {tuple(xs.shape)}."
        )
    return value[(None,) * (xs.ndim - value.ndim)]


def _unpack(values: Sequence[Value], what: str, names: tuple[str, ...]) -> list[Tensor]:
    if not isinstance(values, Sequence) or len(values) != len(names):
        expected = ", ".join(names) + ("," if len(names) == 1 else "")
        raise ParameterError(f"{what} must be the tuple ({expected}), not {values!r}.")
    return [_tensor(value) for value in values]


def _broadcasts(shape: torch.Size, to: torch.Size) -> bool:
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape[::-1], to[::-1], strict=False))
