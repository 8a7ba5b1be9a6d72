"""Phases of oscillators: running sums of frequencies, modulo one cycle, without drift."""

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..broadcasting import is_one_of
from ..operators import operator
from ..precision import REAL, wide
from ..shapes import as_rows, require, shaped


def running_phase(
    frequency: Tensor,
    sample_rate: float,
    offset: Tensor,
    num_samples: int,
    modulation: Tensor | None = None,
    initial: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Compute the phase of an oscillator in cycles from its frequency.

    .. math::
        \theta[n] = \varphi[n] + \theta_0 + \sum_{k=0}^{n-1} \frac{f + m[k]}{f_s} \mod 1, \quad
        -\tfrac12 \le \theta[n] \le \tfrac12

    Each increment is rounded to a multiple of 2⁻⁵³ cycles. Sums of these modulo 1 are exact in float64, so there are no
    further errors for any length, and blocks of any sizes give identical bits. The error grows by at most 2⁻⁵³ cycles
    per sample for frequencies below the sample rate: in an hour at 44.1 kHz, to 2·10⁻⁸ cycles. It can be differentiated
    once.

    Args:
        frequency: f in Hz, ``(...)``, of any sign and size. Use float64 for the accuracy above.
        sample_rate: :math:`f_s` in Hz.
        offset: φ in cycles, ``(..., L)``, or ``(..., 1)`` if it is constant.
        num_samples: L.
        modulation: m in Hz, ``(..., L)``; optional.
        initial: θ₀ in cycles, ``(...)``; 0 if ``None``. The leading axes of all arguments broadcast.

    Returns:
        θ, of shape ``(..., L)`` and of the type of ``offset``; and θ₀ for the next block, ``(...)``, without φ and in
        float64.

    Raises:
        ParameterError: ``offset`` or ``modulation`` is neither float32 nor float64, or a shape does not fit.
    """
    if modulation is None:
        modulation = offset.new_empty(0)
    if offset.dtype not in REAL or modulation.dtype not in REAL:
        raise ParameterError(f"Signals must be float32 or float64, not {offset.dtype} and {modulation.dtype}.")
    initial = offset.new_zeros(()) if initial is None else initial
    leading, *rows = as_rows(
        frequency=(wide(frequency),),
        modulation=(modulation, (num_samples, 0)),
        offset=(offset, (num_samples, 1)),
        initial=(wide(initial),),
    )
    phase, final = _phase(*rows, sample_rate, num_samples)
    return phase.reshape(*leading, num_samples), final.reshape(leading)


@operator("phase")
@shaped(frequency="R", modulation="R M", offset="R S", initial="R")
def _phase(
    frequency: Tensor, modulation: Tensor, offset: Tensor, initial: Tensor, sample_rate: float, num_samples: int
) -> tuple[Tensor, Tensor]:
    fit = is_one_of(modulation.shape[1], 0, num_samples) and is_one_of(offset.shape[1], 1, num_samples)
    require(fit, f"modulation must be of 0 or {num_samples} samples, and offset of 1 or {num_samples}.")
    return kernels("phase", offset).phase(frequency, modulation, offset, initial, sample_rate, num_samples)


@operator("phase_backward")
@shaped(grad="R L", grad_final="R", modulation="R L|0")
def _phase_backward(
    grad: Tensor, grad_final: Tensor, modulation: Tensor, sample_rate: float
) -> tuple[Tensor, Tensor, Tensor]:
    return kernels("phase", grad).phase_backward(grad, grad_final, modulation, sample_rate)


def _save(ctx, inputs, output) -> None:
    _, modulation, offset, _, ctx.sample_rate, _ = inputs
    ctx.is_constant = offset.shape[1] == 1
    ctx.save_for_backward(modulation)


def _differentiate(ctx, grad: Tensor, grad_final: Tensor) -> tuple:
    grads = _phase_backward(grad, grad_final, *ctx.saved_tensors, ctx.sample_rate)
    grad_frequency, grad_modulation, grad_initial = grads
    grad_offset = grad.sum(1, keepdim=True) if ctx.is_constant else grad
    return grad_frequency, grad_modulation, grad_offset, grad_initial, None, None


_phase.register_fake(
    lambda frequency, modulation, offset, initial, sample_rate, num_samples: (
        offset.new_empty(offset.shape[0], num_samples),
        torch.empty_like(initial),
    )
)
_phase_backward.register_fake(
    lambda grad, grad_final, modulation, sample_rate: tuple(map(torch.empty_like, (grad_final, modulation, grad_final)))
)
_phase.register_autograd(_differentiate, setup_context=_save)
