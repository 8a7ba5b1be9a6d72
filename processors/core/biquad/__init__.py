"""Second-order sections in series, as one operator that can be differentiated once."""

import math

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.checkpointed import CHUNK, check_chunk, register
from ..backends.dispatch import kernels
from ..maps import TO_SILENCE
from ..operators import operator
from ..precision import check_real, wide
from ..shapes import as_rows, num_samples, shape_text, shaped


def biquad_cascade(x: Tensor, sos: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
    r"""Filter signals by K biquads in series, in one pass.

    Each section is, in transposed direct form II,

    .. math::
        y[n] &= b_0\,x[n] + s_1[n-1] \\
        s_1[n] &= b_1\,x[n] - a_1\,y[n] + s_2[n-1] \\
        s_2[n] &= b_2\,x[n] - a_2\,y[n]

    with all coefficients divided by :math:`a_0`, and feeds the next one. Intermediate values are float64.

    Args:
        x: Signals of shape ``(..., L)``, float32 or float64.
        sos: Sections :math:`(b_0, b_1, b_2, a_0, a_1, a_2)` of shape ``(..., K, 6)``, as in ``scipy.signal``; its
            leading axes broadcast with those of ``x``. Use float64 for poles near the unit circle; the signal may still
            be float32.
        state: :math:`(s_1, s_2)` of each section before the first sample, of shape ``(..., K, 2)``, like ``zi`` of
            ``scipy.signal.sosfilt``; at rest if ``None``.

    Returns:
        The filtered signals, of shape ``(..., L)``, and the state after the last sample, of shape ``(..., K, 2)``
        and float64, for the next block of the signal.

    Raises:
        ParameterError: A shape does not fit, or ``x`` is neither float32 nor float64.
    """
    check_real("x", x)
    if sos.ndim < 2 or sos.shape[-1] != 6:
        raise ParameterError(
            f"sos holds six coefficients of each section, (..., K, 6), but its shape is {shape_text(sos)}."
        )
    sections = sos.shape[-2]
    if state is None:
        state = torch.zeros(sections, 2, dtype=sos.dtype, device=x.device)
    if state.ndim < 2 or state.shape[-2:] != (sections, 2):
        raise ParameterError(
            f"state holds two numbers of each section, (..., {sections}, 2), but is {shape_text(state)}."
        )
    leading, x, sos, state = as_rows(
        x=(x, num_samples(x)), sos=(wide(sos), sections, 6), state=(wide(state), sections, 2)
    )
    normalized = torch.cat([sos[..., :3], sos[..., 4:]], -1) / sos[..., 3:4]
    y, final, _ = biquads(x, normalized, state, CHUNK)
    return y.reshape(*leading, x.shape[-1]), final.reshape(*leading, sections, 2)


def decay_samples(denominators: Tensor) -> int:
    """Compute how long biquads in series ring, as the sum of the −60 dB times of their largest poles.

    Args:
        denominators: a₀, a₁, a₂ of shape ``(..., K, 3)``, of stable sections.

    Returns:
        Samples, the maximum over all rows.
    """
    if denominators.numel() == 0:
        return 0
    a0, a1, a2 = wide(denominators.detach()).unbind(-1)
    half, product = a1 / a0 / 2, a2 / a0
    root = torch.sqrt((half.square() - product).clamp(min=0))
    radius = torch.where(half.square() > product, half.abs() + root, product.abs().sqrt())
    samples = TO_SILENCE / -radius.clamp(1e-30, 1 - 1e-9).log()
    return math.ceil(samples.sum(-1).max()) + 2 * denominators.shape[-2]


@operator("biquads")
@shaped(x="R L", coefficients="R K 5", state="R K 2")
def biquads(x: Tensor, coefficients: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    check_chunk(chunk)
    return kernels("biquad", x).biquads(x, coefficients, state, chunk)


@operator("biquads_backward")
@shaped(grad="R L", grad_final="R K 2", x="R L", coefficients="R K 5", checkpoints="R T K 2")
def biquads_backward(
    grad: Tensor, grad_final: Tensor, x: Tensor, coefficients: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    check_chunk(chunk, checkpoints, x.shape[1])
    return kernels("biquad", x).biquads_backward(grad, grad_final, x, coefficients, checkpoints, chunk)


register(biquads, biquads_backward)
