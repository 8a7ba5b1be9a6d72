"""Comb and allpass filters of Freeverb."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..comb import comb_filter
from ..operators import empty, operator
from ..precision import check_real, wide
from ..shapes import check_indices, check_rows, require, shape_text, shaped

State = tuple[Tensor, Tensor]
COMBS = 8
SHORTEST = 8  # samples that compiled kernels take at once
CHUNK = 8192  # samples between two states that backward passes start from


def combs_and_allpasses(
    x: Tensor, delays: Sequence[Sequence[int]], loop: Tensor, gain: float, state: State | None = None
) -> tuple[Tensor, State]:
    r"""Filter signals by eight parallel feedback combs with a low-pass in the loop, and allpass filters in series.

    .. math::
        C_m(z) = \frac{z^{-m}}{1 - \frac{b}{1 - d z^{-1}}\,z^{-m}}, \quad
        A_m(z) = \frac{-1 + (1 + g)\,z^{-m}}{1 - g z^{-m}}

    Args:
        x: Signals ``(R, L)``, float32 or float64.
        delays: m of the combs, then of the allpass filters, 8 + n integers of at least 1 sample, for each of several
            rows; they repeat for further rows.
        loop: b and d, ``(R, 2)``.
        gain: g.
        state: State after the previous block; silence if ``None``.

    Returns:
        The outputs ``(R, L)``, in the precision of the signals, and the state after the last sample: the past of all
        lines, ``(R, 8 + n, longest delay)``, and of the filters in the loops, ``(R, 8)``, both float64.

    Raises:
        ParameterError: A shape or a type does not fit, or the number of rows is not a multiple of that of the delays.
    """
    check_real("x", x)
    if x.ndim != 2 or len(x) % len(delays):
        raise ParameterError(
            f"x must be of shape (rows, samples), a multiple of {len(delays)} rows, not {shape_text(x)}."
        )
    if len({*map(len, delays)}) > 1 or min(map(min, delays)) < 1 or len(delays[0]) < COMBS:
        raise ParameterError(
            f"delays must be {COMBS} or more samples of at least 1, as many in each row, not {delays}."
        )
    loop = check_rows("loop", loop, len(x), 2)
    shortest, memory = min(map(min, delays)), max(map(max, delays))
    repeated = torch.tensor(delays, device=x.device).repeat(len(x) // len(delays), 1)
    if state is None:
        state = x.new_zeros(*repeated.shape, memory), x.new_zeros(len(x), COMBS)
    past = wide(check_rows("lines in the state", state[0], *repeated.shape, memory))
    inner = wide(check_rows("filters in the state", state[1], len(x), COMBS))
    if x.device.type == "cpu" and shortest >= SHORTEST:
        given = x, wide(loop), past, inner
        keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given)
        y, lines, final, *_ = _run(x, repeated, given[1], gain, past, inner, keep)
        return y, (lines, final)
    return _composed(x, repeated, wide(loop), gain, past, inner)


def _composed(
    x: Tensor, delays: Tensor, loop: Tensor, gain: float, past: Tensor, inner: Tensor
) -> tuple[Tensor, State]:
    """Run the filters one by one."""
    memory = past.shape[2]
    delayed, allpass = loop.new_tensor([0.0, 1.0, 0.0]), loop.new_tensor([-1.0, 1.0, 1.0])
    b, a = loop[:, None, :1], torch.stack([torch.ones_like(loop[:, 1]), -loop[:, 1]], -1)[:, None]
    # The filter of a comb holds its output times its pole.
    held = torch.stack([loop[:, 1:] * inner, torch.zeros_like(inner)], -1)
    combs, (lines, held) = comb_filter(x[:, None], delays[:, :COMBS], b, a, delayed, memory, (past[:, :COMBS], held))
    final = combs_output(lines, x, inner)
    y, pasts = combs.sum(1), [lines]
    for k in range(COMBS, delays.shape[1]):
        filter_state = past[:, k], inner.new_zeros(len(x), 2)
        y, (line, _) = comb_filter(y, delays[:, k], loop.new_tensor([gain]), None, allpass, memory, filter_state)
        pasts.append(line[:, None])
    return y, (torch.cat(pasts, 1), final)


def combs_output(lines: Tensor, x: Tensor, inner: Tensor) -> Tensor:
    """Recover the last outputs of the filters in the loops from the lines and the last input."""
    return lines[..., -1] - wide(x)[:, -1:] if x.shape[1] else inner


def _check_delays(delays: Tensor, memory: int) -> None:
    """Refuse delays beyond the lines, or shorter than the kernels' block."""
    require(delays.shape[1] >= COMBS, f"There must be {COMBS} delays or more, not {delays.shape[1]}.")
    check_indices("delays", delays, SHORTEST, memory)


def num_checkpoints(length: int, keep: bool) -> int:
    """Return the number of chunks after the first, before each of which the state is kept."""
    return max(0, (length - 1) // CHUNK) if keep else 0


@operator("freeverb")
@shaped(x="R L", delays="int: R N", loop="R 2", past="R N M", inner="R 8")
def _run(
    x: Tensor, delays: Tensor, loop: Tensor, gain: float, past: Tensor, inner: Tensor, keep: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute the outputs, the final past of the lines, and the last outputs of the filters in the loops.

    For gradients, the last two are kept from time to time, from where the backward pass computes the lines again.
    """
    _check_delays(delays, past.shape[2])
    return kernels("freeverb", x).run(x, delays, loop, gain, past, inner, keep)


@operator("freeverb_backward")
@shaped(
    grad="R L", grad_lines="R N M", grad_final="R 8", x="R L", delays="int: R N", loop="R 2", past="R N M", inner="R 8",
    kept_lines="R K N M", kept_inner="R K 8",
)  # fmt: skip
def _run_backward(
    grad: Tensor,
    grad_lines: Tensor,
    grad_final: Tensor,
    x: Tensor,
    delays: Tensor,
    loop: Tensor,
    gain: float,
    past: Tensor,
    inner: Tensor,
    kept_lines: Tensor,
    kept_inner: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    _check_delays(delays, past.shape[2])
    length = x.shape[1]
    count = num_checkpoints(length, True)
    require(kept_lines.shape[1] == count, f"{length} samples need {count} kept states, not {kept_lines.shape[1]}.")
    starts = past, inner, kept_lines, kept_inner
    return kernels("freeverb", x).run_backward(grad, grad_lines, grad_final, x, delays, loop, gain, *starts)


@_run.register_fake
def _(x, delays, loop, gain, past, inner, keep):
    count = num_checkpoints(x.shape[1], keep)
    kept = past.new_empty(past.shape[0], count, *past.shape[1:]), inner.new_empty(inner.shape[0], count, COMBS)
    return empty(x), empty(past), empty(inner), *kept


@_run_backward.register_fake
def _(grad, grad_lines, grad_final, x, delays, loop, gain, past, inner, kept_lines, kept_inner):
    return tuple(map(empty, (x, loop, past, inner)))


def _save(ctx, inputs, output) -> None:
    x, delays, loop, ctx.gain, past, inner, _ = inputs
    ctx.save_for_backward(x, delays, loop, past, inner, *output[3:])
    ctx.mark_non_differentiable(*output[3:])


def _differentiate(ctx, grad: Tensor, grad_lines: Tensor, grad_final: Tensor, *_) -> tuple:
    x, delays, loop, *starts = ctx.saved_tensors
    to_x, to_loop, to_past, to_inner = _run_backward(grad, grad_lines, grad_final, x, delays, loop, ctx.gain, *starts)
    return to_x, None, to_loop, None, to_past, to_inner, None


_run.register_autograd(_differentiate, setup_context=_save)
