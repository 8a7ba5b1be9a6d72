"""Operators that store states at intervals, from which the backward pass recomputes.

They take signals ``(rows, L)``, coefficients, states ``(rows, …)`` and the interval in samples, and return signals,
final states and stored states, ``(rows, chunks, …)``.
"""

from torch import Tensor

from ..operators import Operator, empty
from ..shapes import require

CHUNK = 256  # samples between two states


def register(forward: Operator, backward: Operator) -> None:
    """Declare the output shapes of two operators, the second of which is the gradient of the first."""

    def save(ctx, inputs, output) -> None:
        signals, coefficients, _, ctx.chunk = inputs
        ctx.save_for_backward(signals, coefficients, output[2])

    def differentiate(ctx, grad: Tensor, grad_final: Tensor, _) -> tuple:
        return *backward(grad, grad_final, *ctx.saved_tensors, ctx.chunk), None

    forward.register_fake(_forward_shapes)
    backward.register_fake(_backward_shapes)
    forward.register_autograd(differentiate, setup_context=save)


def check_chunk(chunk: int, checkpoints: Tensor | None = None, length: int = 0) -> None:
    """Refuse an invalid interval, and a wrong number of stored states.

    Raises:
        ParameterError: The message says what was expected.
    """
    require(chunk >= 1, f"chunk must be at least 1, not {chunk}.")
    if checkpoints is not None:
        count = -(-length // chunk)
        require(
            checkpoints.shape[1] == count, f"There must be {count} states for {length} samples in chunks of {chunk}."
        )


def _forward_shapes(x: Tensor, coefficients: Tensor, state: Tensor, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    rows, length = x.shape
    kept = state.new_empty(rows, (length + chunk - 1) // chunk, *state.shape[1:])
    return empty(x), empty(state), kept


def _backward_shapes(
    grad: Tensor, grad_final: Tensor, x: Tensor, coefficients: Tensor, checkpoints: Tensor, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    return empty(x), empty(coefficients), empty(grad_final)
