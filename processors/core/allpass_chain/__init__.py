"""First-order allpass filters in series within a loop, with a time-varying coefficient."""

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..operators import empty, operator
from ..precision import check_real, wide, wide_dtype
from ..shapes import as_rows, num_samples, shaped


def allpass_chain(
    x: Tensor, coefficient: Tensor, feedback: Tensor, num_stages: int, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    r"""Filter by K first-order allpass filters in series, with delay-free feedback from output to input.

    .. math::
        e_0[n] &= x[n] + g\,e_K[n] \\
        e_k[n] &= c[n]\,e_{k-1}[n] + \sqrt{1 - c[n]^2}\,s_k[n - 1] \\
        s_k[n] &= \sqrt{1 - c[n]^2}\,e_{k-1}[n] - c[n]\,s_k[n - 1]

    The output is :math:`e_K`. For constant c, each stage is :math:`(c + z^{-1}) / (1 + c z^{-1})`. In this form, a
    normalized lattice, a stage rotates :math:`(e_{k-1}, s_k)`, which preserves their energy however c moves. For \|g\|
    < 1 the loop therefore loses energy at every sample, and is stable. Since rotations can be inverted, the backward
    pass recomputes the states from the output alone. It can be differentiated once, with respect to all tensors.

    Args:
        x: Signals ``(..., L)``, float32 or float64.
        coefficient: c, within (−1, 1), ``(..., L)``, or ``(..., 1)`` if it is constant.
        feedback: g, within (−1, 1), ``(...)``.
        num_stages: K, at least 1.
        state: :math:`s_1, \ldots, s_K` before the first sample, ``(..., K)``; at rest if None.

    Returns:
        The output ``(..., L)``, where the leading axes of all arguments broadcast; and the state after the last sample,
        ``(..., K)`` in double precision.

    Raises:
        ParameterError: ``x`` is neither float32 nor float64, there is no stage, or shapes do not fit.

    References:
        Gray and Markel, "A normalized digital filter structure", IEEE Trans. ASSP 23(3), 1975.
    """
    check_real("x", x)
    if num_stages < 1:
        raise ParameterError(f"num_stages must be at least 1, not {num_stages}.")
    if state is None:
        state = torch.zeros(num_stages, dtype=wide_dtype(False, x.device), device=x.device)
    length = num_samples(x)
    leading, *rows = as_rows(
        x=(x, length),
        coefficient=(coefficient, (1, length)),
        feedback=(wide(feedback),),
        state=(wide(state), num_stages),
    )
    y, final = _allpass_chain(*rows)
    return y.reshape(*leading, length), final.reshape(*leading, num_stages)


@operator("allpass_chain")
@shaped(x="R L", coefficient="R L|1", feedback="R", state="R K")
def _allpass_chain(x: Tensor, coefficient: Tensor, feedback: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    return kernels("allpass_chain", x).allpass_chain(x, coefficient, feedback, state)


@operator("allpass_chain_backward")
@shaped(grad="R L", grad_final="R K", coefficient="R L|1", feedback="R", y="R L", final="R K")
def _allpass_chain_backward(
    grad: Tensor, grad_final: Tensor, coefficient: Tensor, feedback: Tensor, y: Tensor, final: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return kernels("allpass_chain", y).allpass_chain_backward(grad, grad_final, coefficient, feedback, y, final)


def _save(ctx, inputs, output) -> None:
    _, coefficient, feedback, _ = inputs
    ctx.save_for_backward(coefficient, feedback, *output)


_allpass_chain.register_fake(lambda x, coefficient, feedback, state: (empty(x), empty(state)))
_allpass_chain_backward.register_fake(
    lambda grad, grad_final, coefficient, feedback, y, final: tuple(map(empty, (y, coefficient, feedback, final)))
)
_allpass_chain.register_autograd(
    lambda ctx, grad, grad_final: _allpass_chain_backward(grad, grad_final, *ctx.saved_tensors), setup_context=_save
)
