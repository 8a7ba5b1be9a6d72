"""Linear systems of small order with constant coefficients."""

import math

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.checkpointed import CHUNK, check_chunk, register
from ..backends.dispatch import kernels
from ..maps import TO_SILENCE
from ..operators import operator
from ..precision import check_real, wide
from ..shapes import as_rows, num_samples, require, shape_text, shaped


def state_space(
    u: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, initial: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    r"""Run a linear system with one input, one output and N states.

    .. math::
        y[n] &= C\,x[n] + D\,u[n] \\
        x[n+1] &= A\,x[n] + B\,u[n]

    It suits filters whose structure matters, such as ladders and state-variable filters; a chain of biquads is
    faster as a :func:`~grafx.processors.core.biquad.biquad_cascade`. States are float64.

    On the CPU one compiled pass goes sample by sample. Other devices run plain torch, which stores all states and
    computes powers of A. These lose digits for close poles near the unit circle if A is a companion matrix, but not for
    ladders and rotations.

    Args:
        u: Signals of shape ``(..., L)``, float32 or float64. The leading axes of all arguments broadcast.
        A: Transitions from state to state, of shape ``(..., N, N)``.
        B: From the input to the states, of shape ``(..., N)``.
        C: From the states to the output, of shape ``(..., N)``.
        D: From the input to the output, of shape ``(...)``.
        initial: States before the first sample, x[0], of shape ``(..., N)``; zero if None.

    Returns:
        The outputs, of shape ``(..., L)``, and the states after the last sample, of shape ``(..., N)`` and float64,
        from which the next block of the signal carries on.

    Raises:
        ParameterError: A shape does not fit, or ``u`` is neither float32 nor float64.
    """
    check_real("u", u)
    order = A.shape[-1] if A.ndim > 1 else 0
    initial = torch.zeros(order, dtype=B.dtype, device=u.device) if initial is None else initial
    vectors = {"B": B, "C": C, "initial": initial}
    misfits = [f"{name} {shape_text(v)}" for name, v in vectors.items() if v.shape[-1:] != (order,)]
    if A.ndim < 2 or A.shape[-2] != order or misfits:
        given = ", ".join([f"A {shape_text(A)}", *misfits])
        raise ParameterError(
            f"Of N states, A is (..., N, N), and B, C and initial are (..., N), but the shapes are {given}."
        )
    length = num_samples(u)
    vectors = {name: (wide(v), order) for name, v in vectors.items()}
    leading, u, A, D, B, C, initial = as_rows(u=(u, length), A=(wide(A), order, order), D=(wide(D),), **vectors)
    system = torch.cat([torch.cat([A, B[..., None]], -1), torch.cat([C, D[:, None]], -1)[:, None]], -2)
    y, final, _ = _state_space(u, system, initial, CHUNK)
    return y.reshape(*leading, length), final.reshape(*leading, order)


def decay_samples(A: Tensor) -> int:
    """Return how long a stable system rings: the sum of the −60 dB times of all modes, in samples.

    Args:
        A: Transitions from state to state, ``(..., N, N)``.

    Returns:
        Samples, the most of all rows.
    """
    if A.numel() == 0:
        return 0
    radii = torch.linalg.eigvals(wide(A.detach())).abs().clamp(1e-30, 1 - 1e-9)
    return math.ceil((TO_SILENCE / -radii.log()).sum(-1).max()) + A.shape[-1]


def _check_order(system: Tensor, state: Tensor) -> None:
    order = state.shape[1]
    require(system.shape[1] == order + 1, f"A system of {order} states is {order + 1} wide, not {system.shape[1]}.")


@operator("state_space")
@shaped(u="R L", system="R M M", state="R N")
def _state_space(u: Tensor, system: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    """``system`` takes (x[n], u[n]) to (x[n + 1], y[n]). The last output are the states at the start of each chunk."""
    check_chunk(chunk)
    _check_order(system, state)
    return kernels("state_space", u).state_space(u, system, state, chunk)


@operator("state_space_backward")
@shaped(grad="R L", grad_final="R N", u="R L", system="R M M", checkpoints="R T N")
def _state_space_backward(
    grad: Tensor, grad_final: Tensor, u: Tensor, system: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    check_chunk(chunk, checkpoints, u.shape[1])
    _check_order(system, grad_final)
    return kernels("state_space", u).state_space_backward(grad, grad_final, u, system, checkpoints, chunk)


register(_state_space, _state_space_backward)
