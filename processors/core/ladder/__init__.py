"""Saturating ladder filters."""

import torch
from torch import Tensor

from ..backends.checkpointed import CHUNK, check_chunk, register
from ..backends.dispatch import kernels
from ..operators import operator
from ..precision import check_real, wide
from ..shapes import as_rows, num_samples, shaped


def saturating_ladder(
    x: Tensor, cutoff: Tensor, feedback: Tensor, mix: Tensor, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    r"""Filter signals by four first-order low-passes with feedback, and saturation at the input.

    .. math::
        y_0[n] &= \tanh(x[n] - k\,y_4[n]) \\
        y_i[n] &= s_i[n] + G\,(y_{i-1}[n] - s_i[n]), \quad s_i[n+1] = 2\,y_i[n] - s_i[n], \quad i = 1, \ldots, 4 \\
        y[n] &= \sum_{i=0}^{4} c_i\,y_i[n]

    with :math:`G = g/(1 + g)` and :math:`g = \tan(\omega_0 / 2)`: trapezoidal integrators with the exact cutoff. The
    loop has no delay. Since :math:`y_4 = G^4 y_0 + S`, where S depends on the states alone, the argument v of the
    hyperbolic tangent is the only solution of :math:`v + k G^4 \tanh v = x - k S`, which three steps of Halley's method
    solve to machine precision. Internal values are float64.

    Args:
        x: Signals of shape ``(..., L)``, float32 or float64. The leading axes of all arguments broadcast.
        cutoff: G, from 0 to 1, of shape ``(...)``.
        feedback: k, from 0 to about 5, of shape ``(...)``; from 4 on it self-oscillates.
        mix: c, of shape ``(..., 5)``.
        state: s before the first sample, of shape ``(..., 4)``; zero if None.

    Returns:
        The outputs, of shape ``(..., L)``, and the state after the last sample, ``(..., 4)`` and float64.

    Raises:
        ParameterError: A shape does not fit, or ``x`` is neither float32 nor float64.

    References:
        Zavalishin, "The art of VA filter design", 2.1.2, 2018.
    """
    check_real("x", x)
    state = torch.zeros(4, dtype=torch.float64, device=x.device) if state is None else state
    length = num_samples(x)
    leading, x, cutoff, feedback, mix, state = as_rows(
        x=(x, length),
        cutoff=(wide(cutoff),),
        feedback=(wide(feedback),),
        mix=(wide(mix), 5),
        state=(wide(state), 4),
    )
    coefficients = torch.cat([cutoff[:, None], feedback[:, None], mix], -1)
    y, final, _ = _ladder(x, coefficients, state, CHUNK)
    return y.reshape(*leading, length), final.reshape(*leading, 4)


@operator("ladder")
@shaped(x="R L", coefficients="R 7", state="R 4")
def _ladder(x: Tensor, coefficients: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    check_chunk(chunk)
    return kernels("ladder", x).ladder(x, coefficients, state, chunk)


@operator("ladder_backward")
@shaped(grad="R L", grad_final="R 4", x="R L", coefficients="R 7", checkpoints="R T 4")
def _ladder_backward(
    grad: Tensor, grad_final: Tensor, x: Tensor, coefficients: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    check_chunk(chunk, checkpoints, x.shape[1])
    return kernels("ladder", x).ladder_backward(grad, grad_final, x, coefficients, checkpoints, chunk)


register(_ladder, _ladder_backward)
