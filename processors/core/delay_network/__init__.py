"""Feedback delay networks: delay lines with filters, coupled by a matrix.

They run sample by sample in the time domain, or are solved in the frequency domain. Both operators can be
differentiated once.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.checkpointed import check_chunk
from ..backends.dispatch import kernels
from ..fourier import irfft, rfft
from ..operators import empty, operator
from ..precision import check_real, wide
from ..shapes import check_rows, require, shape_text, shaped

State = tuple[Tensor, Tensor]
BLOCK = 64  # samples between two states of the filters that are kept
STEP = 512  # of the lengths of transforms, all of which are fast then
PIECE = 1 << 16  # samples of the lines that are kept at once
MOST_CHANNELS = 8
DAMPING = math.log(1e5)  # of one wrap-around; rounding errors grow by this factor


class Network(NamedTuple):
    r"""Parameters of a feedback delay network.

    .. math::
        v_i[n] = \sum_j A_{ij}\,s_j[n] + \sum_k b_{ik}\,u_k[n], \quad S_i(z) = H_i(z)\,z^{-m_i}\,V_i(z), \quad
        y_k[n] = \sum_i c_{ki}\,s_i[n]

    Attributes:
        delays: m, N integers of samples, at least 1.
        sos: Sections (b₀, b₁, b₂, a₀, a₁, a₂) of the filters H, ``(B, N, K, 6)``.
        matrix: A, ``(B, N, N)``. The caller must ensure stability: A must be orthogonal or a contraction, and the gains
            of the filters below 1 at all frequencies.
        inputs: b, ``(B, N, C)``.
        outputs: c, ``(B, D, N)``.

    References:
        Jot and Chaigne, "Digital delay networks for designing artificial reverberators", 90th AES Convention, 1991.
    """

    delays: Sequence[int]
    sos: Tensor
    matrix: Tensor
    inputs: Tensor
    outputs: Tensor


def delay_network(u: Tensor, network: Network, state: State | None = None) -> tuple[Tensor, State]:
    """Run a network sample by sample, exactly, in float64.

    Args:
        u: Signals ``(B, C, L)``, float32 or float64.
        network: See :class:`Network`.
        state: State after the previous block; silence if ``None``.

    Returns:
        The outputs ``(B, D, L)``, in the precision of the signals, and the state after the last sample: that of the
        lines, ``(B, N, longest delay)``, and of the filters, ``(B, N, K, 2)``, both float64.

    Raises:
        ParameterError: A shape or a type does not fit, or a delay is less than 1.
    """
    u, delays, *rest = _checked(u, network)
    sos, memory = rest[0], max(delays)
    if state is None:
        lines, filters = u.new_zeros(*sos.shape[:2], memory), u.new_zeros(*sos.shape[:3], 2)
    else:
        lines, filters = state
        lines = check_rows("lines in the state", lines, *sos.shape[:2], memory)
        filters = check_rows("filters in the state", filters, *sos.shape[:3], 2)
    # Within a block no line depends on another. Longer blocks suit devices with a high launch cost.
    chunk = min(delays) if u.is_cuda else min(BLOCK, *delays)
    lines, filters, outputs = wide(lines), wide(filters), []
    for piece in u.split(PIECE, -1):
        y, after, filters, _ = _run(piece, delays, *rest, lines, filters, chunk)
        lines = after[..., piece.shape[-1] :].clone()
        outputs.append(y)
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1), (lines, filters)


def delay_network_by_frequency(u: Tensor, network: Network) -> Tensor:
    r"""Compute the same outputs, by solving the network at the frequencies of a Fourier transform.

    .. math:: Y(z) = C\,\bigl(D(z)^{-1} - A\bigr)^{-1} B\,U(z), \quad D_i(z) = H_i(z)\,z^{-m_i}

    at :math:`z = \rho\,e^{2 \pi j k / M}`, where ρ > 1 and M is about 1.5 times the length of the signals. The response
    beyond that wraps around, attenuated by :math:`\rho^{-M} = 10^{-5}`. All frequencies are independent, which suits
    GPUs.

    Args:
        u: Signals ``(B, C, L)``, float32 or float64.
        network: See :class:`Network`.

    Returns:
        The outputs ``(B, D, L)``.

    Raises:
        ParameterError: See :func:`delay_network`.

    References:
        Lee, Choi and Lee, "Differentiable artificial reverberation", IEEE/ACM TASLP 30, 2022, for sampling the
        frequency response to train; circles of another radius, Abate and Whitt, "Numerical inversion of probability
        generating functions", Operations Research Letters 12(4), 1992.
    """
    u, delays, *rest = _checked(u, network)
    length = u.shape[-1]
    if u.numel() == 0:
        return (rest[3] @ (rest[2] @ wide(u))).to(u.dtype)
    num_points = STEP * -(-3 * length // (2 * STEP))
    log_radius = DAMPING / num_points
    growth = torch.exp(log_radius * wide(torch.arange(length, device=u.device)))
    spectra = rfft(wide(u) / growth, num_points)
    y, _ = _solve(spectra, delays, *rest, log_radius, num_points)
    return (irfft(y, num_points)[..., :length] * growth).to(u.dtype)


def _checked(u: Tensor, network: Network) -> tuple[Tensor, list[int], Tensor, Tensor, Tensor, Tensor]:
    """Check and broadcast signals, delays, normalized sections, the matrix and gains in double precision."""
    delays, sos, matrix, b, c = network
    check_real("u", u, "it is delayed")
    if u.ndim != 3:
        raise ParameterError(f"u must be of shape (batch, channels, samples), not {shape_text(u)}.")
    count, tensors = len(delays), {"sos": sos, "matrix": matrix, "inputs": b, "outputs": c}
    rows = ([len(t) for t in (u, *tensors.values()) if t.ndim and len(t) != 1] + [1])[0]
    sizes = {"sos": (count, sos.shape[2] if sos.ndim == 4 else 1, 6), "matrix": (count, count)}
    sizes |= {"inputs": (count, u.shape[1]), "outputs": (c.shape[1] if c.ndim == 3 else 1, count)}
    u = check_rows("u", u, rows, *u.shape[1:])
    sos, matrix, b, c = (check_rows(name, t, rows, *sizes[name], beside=u) for name, t in tensors.items())
    if max(u.shape[1], c.shape[1]) > MOST_CHANNELS:
        raise ParameterError(f"A feedback delay network takes and gives up to {MOST_CHANNELS} channels.")
    if not delays or any(m != int(m) or m < 1 for m in delays):
        raise ParameterError(f"delays are whole numbers of samples and must be at least 1, not {list(delays)}.")
    sos = wide(sos)
    sections = torch.cat([sos[..., :3], sos[..., 4:]], -1) / sos[..., 3:4]
    return u, [int(m) for m in delays], sections, wide(matrix), wide(b), wide(c)


def _check_delays(delays: Sequence[int], count: int, memory: int, chunk: int) -> None:
    """Refuse delays longer than the lines, or shorter than a block."""
    fit = len(delays) == count and all(1 <= chunk <= m <= memory for m in delays)
    require(fit, f"There must be {count} delays of {chunk} to {memory} samples, not {list(delays)}.")


def _check_circle(delays: Sequence[int], count: int, bins: int, num_points: int) -> None:
    """Refuse more frequencies than the transform has."""
    _check_delays(delays, count, max(delays, default=1), 1)
    require(bins <= num_points, f"There are {bins} frequencies of a transform of only {num_points} points.")


@operator("delay_network")
@shaped(u="R C L", sos="R N K 5", matrix="R N N", b="R N C", c="R D N", past="R N M", state="R N K 2")
def _run(
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    past: Tensor,
    state: Tensor,
    chunk: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute the outputs, the lines with their past, the filters' final states and those stored at intervals."""
    _check_delays(delays, past.shape[1], past.shape[2], chunk)
    return kernels("delay_network", u).run(u, delays, sos, matrix, b, c, past, state, chunk)


@operator("delay_network_backward")
@shaped(
    grad="R D L", grad_lines="R N S", grad_final="R N K 2", u="R C L", sos="R N K 5", matrix="R N N", b="R N C",
    c="R D N", lines="R N S", kept="R T N K 2",
)  # fmt: skip
def _run_backward(
    grad: Tensor,
    grad_lines: Tensor,
    grad_final: Tensor,
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    lines: Tensor,
    kept: Tensor,
    chunk: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    _check_delays(delays, lines.shape[1], lines.shape[2] - u.shape[2], chunk)
    check_chunk(chunk, kept, u.shape[2])
    arguments = grad, grad_lines, grad_final, u, delays, sos, matrix, b, c, lines, kept, chunk
    return kernels("delay_network", u).run_backward(*arguments)


@operator("solve_delay_network")
@shaped(u="complex: R C F", sos="R N K 5", matrix="R N N", b="R N C", c="R D N")
def _solve(
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    log_radius: float,
    num_points: int,
) -> tuple[Tensor, Tensor]:
    """Compute spectra ``(B, D, F)`` of the outputs, and ``(B, N, F)`` of the outputs of the lines."""
    _check_circle(delays, sos.shape[1], u.shape[2], num_points)
    return kernels("delay_network", u).solve(u, delays, sos, matrix, b, c, log_radius, num_points)


@operator("solve_delay_network_backward")
@shaped(
    grad="complex: R D F", u="complex: R C F", sos="R N K 5", matrix="R N N", b="R N C", c="R D N",
    signals="complex: R N F",
)  # fmt: skip
def _solve_backward(
    grad: Tensor,
    u: Tensor,
    delays: Sequence[int],
    sos: Tensor,
    matrix: Tensor,
    b: Tensor,
    c: Tensor,
    signals: Tensor,
    log_radius: float,
    num_points: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    _check_circle(delays, sos.shape[1], u.shape[2], num_points)
    arguments = grad, u, delays, sos, matrix, b, c, signals, log_radius, num_points
    return kernels("delay_network", u).solve_backward(*arguments)


@_run.register_fake
def _(u, delays, sos, matrix, b, c, past, state, chunk):
    return (
        u.new_empty(u.shape[0], c.shape[1], u.shape[2]),
        past.new_empty(*past.shape[:2], past.shape[2] + u.shape[2]),
        empty(state),
        state.new_empty(state.shape[0], (u.shape[2] + chunk - 1) // chunk, *state.shape[1:]),
    )


@_run_backward.register_fake
def _(grad, grad_lines, grad_final, u, delays, sos, matrix, b, c, lines, kept, chunk):
    past = lines.new_empty(*lines.shape[:2], lines.shape[2] - u.shape[2])
    return *map(empty, (u, sos, matrix, b, c)), past, empty(grad_final)


@_solve.register_fake
def _(u, delays, sos, matrix, b, c, log_radius, num_points):
    return u.new_empty(u.shape[0], c.shape[1], u.shape[2]), u.new_empty(u.shape[0], sos.shape[1], u.shape[2])


@_solve_backward.register_fake
def _(grad, u, delays, sos, matrix, b, c, signals, log_radius, num_points):
    return tuple(map(empty, (u, sos, matrix, b, c)))


def _save_run(ctx, inputs, output) -> None:
    u, ctx.delays, *tensors, _, _, ctx.chunk = inputs
    ctx.save_for_backward(u, *tensors, output[1], output[3])


def _differentiate_run(ctx, grad: Tensor, grad_lines: Tensor, grad_final: Tensor, _) -> tuple:
    u, *tensors = ctx.saved_tensors
    to_u, *rest = _run_backward(grad, grad_lines, grad_final, u, ctx.delays, *tensors, ctx.chunk)
    return to_u, None, *rest, None


def _save_solve(ctx, inputs, output) -> None:
    u, ctx.delays, *tensors, ctx.log_radius, ctx.num_points = inputs
    ctx.save_for_backward(u, *tensors, output[1])


def _differentiate_solve(ctx, grad: Tensor, _) -> tuple:
    u, *tensors = ctx.saved_tensors
    to_u, *rest = _solve_backward(grad, u, ctx.delays, *tensors, ctx.log_radius, ctx.num_points)
    return to_u, None, *rest, None, None


_run.register_autograd(_differentiate_run, setup_context=_save_run)
_solve.register_autograd(_differentiate_solve, setup_context=_save_solve)
