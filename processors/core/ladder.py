"""Ladder filters that saturate, as one operator that can be differentiated once."""

import math

import torch
from torch import Tensor

from ..errors import ParameterError
from ._backends import kernels
from ._checkpointed import CHUNK, register, shape_text
from .broadcasting import broadcast_shapes
from .precision import wide

NUM_COEFFICIENTS = 7  # G, k, and the mix of five taps


def saturating_ladder(
    x: Tensor, cutoff: Tensor, feedback: Tensor, mix: Tensor, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    r"""Run signals through four low-passes of first order in a loop, at whose entrance they saturate.

    .. math::
        y_0[n] &= \tanh(x[n] - k\,y_4[n]) \\
        y_i[n] &= s_i[n] + G\,(y_{i-1}[n] - s_i[n]), \quad s_i[n+1] = 2\,y_i[n] - s_i[n], \quad i = 1, \ldots, 4 \\
        y[n] &= \sum_{i=0}^{4} c_i\,y_i[n]

    with :math:`G = g/(1 + g)` and :math:`g = \tan(\omega_0 / 2)`: trapezoidal integrators that keep their cutoff. The
    loop has no delay. As :math:`y_4 = G^4 y_0 + S`, where S depends on the states alone, the argument v of the
    hyperbolic tangent is the only solution of :math:`v + k G^4 \tanh v = x - k S`, which three steps of Halley's method
    find to the last digits. Inside, all is float64.

    Args:
        x: signals of shape ``(..., L)``, float32 or float64. The leading axes of all arguments broadcast.
        cutoff: G, from 0 to 1, of shape ``(...)``.
        feedback: k, from 0 to about 5, of shape ``(...)``; from 4 on it oscillates.
        mix: c, of shape ``(..., 5)``.
        state: s before the first sample, of shape ``(..., 4)``; zero if None.

    Returns:
        The outputs, of shape ``(..., L)``, and the state after the last sample, ``(..., 4)`` and float64.

    Raises:
        ParameterError: a shape does not fit, or ``x`` is neither float32 nor float64.

    Source: Zavalishin, "The art of VA filter design", 2.1.2, 2018.
    """
    if x.dtype not in (torch.float32, torch.float64):
        raise ParameterError(f"x must be float32 or float64, not {x.dtype}: convert it before filtering.")
    state = torch.zeros(4, dtype=torch.float64, device=x.device) if state is None else state
    if mix.shape[-1:] != (5,) or state.shape[-1:] != (4,):
        raise ParameterError(
            f"mix is (..., 5) and state (..., 4), but they are {shape_text(mix)}, {shape_text(state)}."
        )
    try:
        leading = broadcast_shapes(x.shape[:-1], cutoff.shape, feedback.shape, mix.shape[:-1], state.shape[:-1])
    except RuntimeError:
        shapes = f"x {shape_text(x)}, cutoff {shape_text(cutoff)} and feedback {shape_text(feedback)}"
        raise ParameterError(f"The leading axes of {shapes}, mix and state do not broadcast.") from None
    rows, length = math.prod(leading), x.shape[-1]
    parts = cutoff[..., None], feedback[..., None], mix
    coefficients = torch.cat([wide(c).expand(*leading, c.shape[-1]) for c in parts], -1)
    y, final, _ = _ladder(
        x.expand(*leading, length).reshape(rows, length),
        coefficients.reshape(rows, NUM_COEFFICIENTS),
        wide(state).expand(*leading, 4).reshape(rows, 4),
        CHUNK,
    )
    return y.reshape(*leading, length), final.reshape(*leading, 4)


@torch.library.custom_op("grafx::ladder", mutates_args=())
def _ladder(x: Tensor, coefficients: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    return kernels("ladder", x).ladder(x, coefficients, state, chunk)


@torch.library.custom_op("grafx::ladder_backward", mutates_args=())
def _ladder_backward(
    grad: Tensor, grad_final: Tensor, x: Tensor, coefficients: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    return kernels("ladder", x).ladder_backward(grad, grad_final, x, coefficients, checkpoints, chunk)


register(_ladder, _ladder_backward)
