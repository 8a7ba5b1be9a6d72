"""Curves of linear and exponential segments."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..operators import empty, operator
from ..precision import REAL, wide
from ..shapes import require, shaped


def segments(
    shapes: Tensor, linear: Sequence[bool], num_samples: int, dtype: torch.dtype | None = None, first_sample: int = 0
) -> Tensor:
    r"""Compute curves of segments, each of which decays to a level.

    Segment k begins at the time :math:`s_k`, which may lie between samples, and lasts until the next one begins:

    .. math::
        y[n] = b_k + h_k\,f_k\bigl(r_k (n - s_k)\bigr), \quad k = \max\,\{k : s_k \le n\}, \quad
        f_k(x) = \begin{cases} \max(0, 1 - x) & \text{linear} \\ e^{-x} & \text{otherwise} \end{cases}

    Before the first segment, y is 0. It is computed in float64, and only the shapes are kept for the gradient. This is
    the derivative of y wherever y is continuous, also at the joints of segments.

    Args:
        shapes: :math:`(s_k, b_k, h_k, r_k)`, start in samples, base, height and rate per sample, of shape
            ``(..., K, 4)``. Starts ascend, and rates are not negative.
        linear: Flags of the K segments that are linear.
        num_samples: L.
        dtype: Type of the curves, float32 or float64; by default that of the shapes.
        first_sample: Time n of the first sample.

    Returns:
        Curves ``(..., L)``.

    Raises:
        ParameterError: The shapes are not ``(..., K, 4)``, or the type is another one.
    """
    dtype = dtype or shapes.dtype
    if dtype not in REAL or shapes.ndim < 2 or shapes.shape[-2:] != (len(linear), 4):
        raise ParameterError(
            f"Curves of {len(linear)} segments need shapes (..., {len(linear)}, 4) in float32 or float64, not "
            f"{tuple(shapes.shape)} in {dtype}."
        )
    rows = math.prod(shapes.shape[:-2])
    y = _segments(wide(shapes).reshape(rows, len(linear), 4), list(linear), num_samples, dtype, first_sample)
    return y.reshape(*shapes.shape[:-2], num_samples)


def _check_linear(linear: Sequence[bool], shapes: Tensor) -> None:
    require(len(linear) == shapes.shape[1], f"There are {len(linear)} linear flags for {shapes.shape[1]} segments.")


@operator("segments")
@shaped(shapes="R K 4")
def _segments(shapes: Tensor, linear: list[bool], length: int, dtype: torch.dtype, first: int) -> Tensor:
    _check_linear(linear, shapes)
    require(length >= 0, f"There cannot be {length} samples.")
    return kernels("segments", shapes).segments(shapes, linear, length, dtype, first)


@operator("segments_backward")
@shaped(grad="R L", shapes="R K 4")
def _segments_backward(grad: Tensor, shapes: Tensor, linear: list[bool], first: int) -> Tensor:
    _check_linear(linear, shapes)
    return kernels("segments", shapes).segments_backward(grad, shapes, linear, first)


def _save(ctx, inputs, output) -> None:
    shapes, ctx.linear, _, _, ctx.first = inputs
    ctx.save_for_backward(shapes)


def _differentiate(ctx, grad: Tensor) -> tuple:
    (shapes,) = ctx.saved_tensors
    return _segments_backward(grad, shapes, ctx.linear, ctx.first), None, None, None, None


_segments.register_fake(
    lambda shapes, linear, length, dtype, first: shapes.new_empty(shapes.shape[0], length, dtype=dtype)
)
_segments_backward.register_fake(lambda grad, shapes, linear, first: empty(shapes))
_segments.register_autograd(_differentiate, setup_context=_save)
