"""Linear ramps to moving targets."""

import torch
from torch import Tensor

from ..backends.dispatch import kernels
from ..operators import empty, operator
from ..precision import REAL as REAL
from ..precision import check_real, wide
from ..shapes import as_rows, num_samples, shaped


def linear_ramp(targets: Tensor, duration: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    r"""Follow targets x along straight lines that take d samples each.

    The state is the value y, the target t of the ramp, its increment i and the number of remaining samples r. A ramp
    starts where the target moves, and where the previous one is over:

    .. math::
        (i, t, r)[n] = \begin{cases}
            \left((x[n] - y[n-1]) / d[n],\; x[n],\; d[n]\right) & |x[n] - t[n-1]| > 10^{-12}
                \text{ or } r[n-1] \le \tfrac12 \\
            (i, t, r - 1)[n-1] & \text{otherwise}
        \end{cases}

    Its last sample is the target itself:

    .. math::
        (y, r)[n] \leftarrow \begin{cases}
            (t[n],\; 0) & r[n] \le 1 \\
            (y[n-1] + i[n],\; r[n]) & \text{otherwise}
        \end{cases}

    So a ramp of d samples takes ⌈d⌉ steps. Intermediate values are float64. The starts and ends of ramps result from
    comparisons and have no gradient; apart from that, the output is differentiable in all arguments.

    Args:
        targets: x, of shape ``(..., L)``, float32 or float64.
        duration: d in samples, of shape ``(..., L)``, or ``(..., 1)`` if constant. Values below 1 count as 1. A ramp
            takes the duration at its first sample.
        state: (y, t, i, r) before the first sample, of shape ``(..., 4)``. The leading axes of all arguments broadcast.

    Returns:
        y, of shape ``(..., L)``, and the state after the last sample, of shape ``(..., 4)`` and float64, for the next
        block of the signal.

    Raises:
        ParameterError: ``targets`` are neither float32 nor float64, or a shape does not fit.
    """
    check_real("targets", targets, "smoothing")
    length = num_samples(targets)
    leading, *rows = as_rows(targets=(targets, length), duration=(duration, (length, 1)), state=(wide(state), 4))
    y, final, _ = _ramp(*rows)
    return y.reshape(*leading, length), final.reshape(*leading, 4)


@operator("ramp")
@shaped(targets="R L", duration="R L|1", state="R 4")
def _ramp(targets: Tensor, duration: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Run the operator; the last output marks samples where a ramp has started (1) or landed (2)."""
    return kernels("ramp", targets).ramp(targets, duration, state)


@operator("ramp_backward")
@shaped(
    grad="R L", grad_final="R 4", targets="R L", duration="R L|1", state="R 4", y="R L", events="byte: R L"
)  # fmt: skip
def _ramp_backward(
    grad: Tensor, grad_final: Tensor, targets: Tensor, duration: Tensor, state: Tensor, y: Tensor, events: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    return kernels("ramp", targets).ramp_backward(grad, grad_final, targets, duration, state, y, events)


def _save(ctx, inputs, output) -> None:
    y, _, events = output
    ctx.save_for_backward(*inputs, y, events)


_ramp.register_fake(lambda targets, duration, state: (empty(targets), empty(state), empty(targets, torch.uint8)))
_ramp_backward.register_fake(
    lambda grad, grad_final, targets, duration, state, y, events: tuple(map(empty, (targets, duration, state)))
)
_ramp.register_autograd(
    lambda ctx, grad, grad_final, _: _ramp_backward(grad, grad_final, *ctx.saved_tensors),
    setup_context=_save,
)
