r"""Anti-aliasing of memoryless nonlinearities by their antiderivatives (ADAA).

A curve f, applied to samples, generates harmonics that fold back at the Nyquist frequency. Here it is applied to a
continuous signal instead, and its smoothed output is sampled. Divided differences of antiderivatives do both exactly:

.. math::
    y[n] = F_1\bigl[x[n], x[n-1]\bigr] = \frac{F_1(x[n]) - F_1(x[n-1])}{x[n] - x[n-1]}

is the mean of f over the line between two samples, and delays by half a sample. With three samples,

.. math::
    y[n] = 2 F_2\bigl[x[n], x[n-1], x[n-2]\bigr]
         = \frac{2}{x[n] - x[n-2]} \bigl(F_2\bigl[x[n], x[n-1]\bigr] - F_2\bigl[x[n-1], x[n-2]\bigr]\bigr)

is the mean of f over the triangle that they span, and delays by one sample. The linear part of f becomes a moving
average of two or three samples: at a quarter of the sample rate, it is 3 or 10 dB down.

Divided differences do not depend on the order of samples, so the two that are furthest apart are used for the outer
difference. Where even these are close, and no corner of the curve is between them, the mean is computed by a quadrature
of a few points, which is exact up to rounding there. Derivatives are divided differences too, with repeated samples.
All computations are float64.

References:
    J. D. Parker, V. Zavalishin, E. Le Bivic, "Reducing the aliasing of nonlinear waveshaping using continuous-time
    convolution", DAFx 2016. S. Bilbao, F. Esqueda, J. D. Parker, V. Välimäki, "Antiderivative antialiasing for
    memoryless nonlinearities", IEEE Signal Processing Letters 24(7), 2017.
"""

import math

from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..operators import empty, operator
from ..shapes import require, shape_text, shaped
from ..waveshapes import WAVESHAPES


def antialiased(x: Tensor, shape: str, order: int) -> Tensor:
    """Apply a curve to a signal with reduced aliasing.

    Args:
        x: Signals ``(..., order + L)``, float32 or float64, which begin with past samples.
        shape: Name of one of the ``WAVESHAPES``.
        order: Order of the antiderivative, 1 or 2.

    Returns:
        ``(..., L)``, differentiable once.

    Raises:
        ParameterError: An unsupported shape or order.
    """
    if not x.ndim or x.shape[-1] < order:
        raise ParameterError(f"x must be (..., {order} + samples), not {shape_text(x)}.")
    _check_curve(shape, order)
    y = _antialiased(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), shape, order)
    return y.reshape(*x.shape[:-1], x.shape[-1] - order)


def _check_curve(shape: str, order: int) -> None:
    if shape not in WAVESHAPES or order not in (1, 2):
        raise ParameterError(f"There is no anti-aliasing of order {order} of a shape {shape!r}.")


@operator("antialiased")
@shaped(x="R N")
def _antialiased(x: Tensor, shape: str, order: int) -> Tensor:
    _check_curve(shape, order)
    require(x.shape[1] >= order, f"x must hold {order} samples or more, not {x.shape[1]}.")
    return kernels("antialiasing", x).antialiased(x, shape, order)


@operator("antialiased_backward")
@shaped(grad="R L", x="R N")
def _antialiased_backward(grad: Tensor, x: Tensor, shape: str, order: int) -> Tensor:
    _check_curve(shape, order)
    require(x.shape[1] == grad.shape[1] + order, f"x must be {order} samples longer than its gradient.")
    return kernels("antialiasing", x).antialiased_backward(grad, x, shape, order)


def _save(ctx, inputs, output) -> None:
    x, ctx.shape, ctx.order = inputs
    ctx.save_for_backward(x)


_antialiased.register_fake(lambda x, shape, order: x.new_empty(x.shape[0], x.shape[1] - order))
_antialiased_backward.register_fake(lambda grad, x, shape, order: empty(x))
_antialiased.register_autograd(
    lambda ctx, grad: (_antialiased_backward(grad, *ctx.saved_tensors, ctx.shape, ctx.order), None, None),
    setup_context=_save,
)
