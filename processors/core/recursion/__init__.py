"""First-order recursions over the last axis, as differentiable operators.

Each runs compiled on the CPU and on CUDA, in float64, and has a custom backward pass, which cannot be differentiated
again. The state of all of them is the last output: used as the initial value of the next block, it gives the result of
one run over both.
"""

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..broadcasting import is_one_of
from ..operators import empty, operator
from ..precision import COMPLEX, REAL, check_real, wide, wide_dtype
from ..shapes import as_rows, num_samples, require, shaped

Coefficient = Tensor | float


def onepole(u: Tensor, alpha: Coefficient, initial: Coefficient = 0.0, taps: int | None = None) -> Tensor:
    r"""Exponential smoothing: a one-pole low-pass with unit gain at zero frequency.

    .. math:: y[n] = \alpha\,y[n-1] + (1 - \alpha)\,u[n], \quad y[-1] = y_0

    With ``taps`` = N the impulse response (1 − α)αⁿ is truncated after N samples, exactly, by the same recursion with
    the input :math:`u[n] - \alpha^N u[n-N]`. This needs the last N input samples besides the last output, so a
    truncated smoother cannot continue from one block to the next.

    Args:
        u: Signals of shape ``(..., L)``, float32 or float64.
        alpha: Coefficients within (−1, 1), broadcastable to the leading axes of ``u``. Use float64 to resolve long time
            constants; the signal may still be float32.
        initial: Outputs before the first sample, y₀, broadcastable to the leading axes of ``u``. The last output of one
            block is the initial value of the next.
        taps: Length of the impulse response, at least 1; infinite if ``None``.

    Returns:
        The smoothed signals, of shape ``(..., L)``.

    Raises:
        ParameterError: ``u`` is neither float32 nor float64, or ``taps`` is less than 1.
    """
    check_real("u", u, "smoothing")
    if taps is not None:
        _check_taps(taps)
    leading, *rows = as_rows(u=(u, num_samples(u)), alpha=(_as_tensor(alpha, u),), initial=(_as_tensor(initial, u),))
    y = _onepole(*rows, max(1, u.shape[-1]) if taps is None else taps)
    return y.reshape(*leading, u.shape[-1])


def ballistics(u: Tensor, alpha_attack: Coefficient, alpha_release: Coefficient, initial: Coefficient = 0.0) -> Tensor:
    r"""Smooth with separate attack and release coefficients, like a level meter.

    .. math::
        y[n] = \alpha\,y[n-1] + (1 - \alpha)\,u[n], \quad
        \alpha = \begin{cases} \alpha_A & u[n] \ge y[n-1] \\ \alpha_R & u[n] < y[n-1] \end{cases}

    Args:
        u: Signals of shape ``(..., L)``, float32 or float64.
        alpha_attack: Coefficients while rising, within [0, 1], broadcastable to the leading axes of ``u``.
        alpha_release: Coefficients while falling, likewise.
        initial: Outputs before the first sample, likewise.

    Returns:
        The smoothed signals, of shape ``(..., L)``.

    Raises:
        ParameterError: ``u`` is neither float32 nor float64.

    References:
        D. Giannoulis, M. Massberg, J. D. Reiss, "Digital dynamic range compressor design — a tutorial and
        analysis", JAES 60(6), 2012. C.-Y. Yu et al., "Differentiable all-pole filters for time-varying audio
        systems", DAFx 2024.
    """
    check_real("u", u, "smoothing")
    coefficients = {"alpha_attack": alpha_attack, "alpha_release": alpha_release, "initial": initial}
    leading, *rows = as_rows(
        u=(u, num_samples(u)), **{name: (_as_tensor(value, u),) for name, value in coefficients.items()}
    )
    y, _ = _ballistics(*rows)
    return y.reshape(*leading, u.shape[-1])


def first_order(u: Tensor, a: Coefficient | complex, initial: Coefficient | complex = 0.0) -> Tensor:
    r"""Run a first-order recursion with a constant or time-varying coefficient.

    .. math:: y[n] = a[n]\,y[n-1] + u[n], \quad y[-1] = y_0

    It is the basis of smoothers with a moving coefficient, ramps, first-order allpasses and, with complex coefficients,
    diagonal state-space systems. The gradients of complex tensors follow PyTorch's convention.

    Args:
        u: Signals of shape ``(..., L)``, float32, float64, complex64 or complex128.
        a: Coefficients, real or complex. With at least as many axes as ``u``, their last axis is time: of length L for
            a coefficient per sample, or of length 1 for a constant. With fewer axes they have no time axis, and
            broadcast to the leading axes of ``u``. Use double precision to resolve long time constants; the signal may
            still be in single precision.
        initial: Outputs before the first sample, y₀, real or complex, broadcastable to the leading axes of ``u``.

    Returns:
        The outputs, of shape ``(..., L)``, in the precision of ``u``, complex if any argument is.

    Raises:
        ParameterError: The time axis of ``a`` does not fit, or ``u`` is of another type.

    References:
        C.-Y. Yu et al., "Differentiable all-pole filters for time-varying audio systems", DAFx 2024.
    """
    if u.dtype not in (*REAL, *COMPLEX):
        raise ParameterError(f"u must be of single or double precision, real or complex, not {u.dtype}: convert it.")
    a, initial = _as_tensor(a, u), _as_tensor(initial, u)
    if u.is_complex() or a.is_complex() or initial.is_complex():
        u, a, initial = (t if t.is_complex() else torch.complex(t, torch.zeros_like(t)) for t in (u, a, initial))
    length = num_samples(u)
    a = a if a.ndim >= u.ndim else a[..., None]
    if not is_one_of(a.shape[-1], 1, length):
        raise ParameterError(
            f"The last axis of a {tuple(a.shape)} is time, as a has as many axes as u {tuple(u.shape)}: it must be of "
            f"length {length}, or 1 for a constant."
        )
    leading, *rows = as_rows(u=(u, length), a=(a, (length, 1)), initial=(initial,))
    y = _first_order(*rows)
    return y.reshape(*leading, length)


def last_output(y: Tensor, initial: Coefficient | complex = 0.0) -> Tensor:
    """Return the state after a block: the last of its outputs ``(..., L)``, or the initial value if it is empty."""
    if y.shape[-1] > 0:
        return y[..., -1]
    return _as_tensor(initial, y).to(y.dtype).expand(y.shape[:-1])


def _as_tensor(value: Coefficient | complex, like: Tensor) -> Tensor:
    """Convert to double precision: single precision has few digits for a coefficient close to one."""
    if isinstance(value, Tensor):
        return value if value.dtype in (*REAL, *COMPLEX) else wide(value)
    return torch.as_tensor(value, dtype=wide_dtype(isinstance(value, complex), like.device), device=like.device)


def _check_taps(taps: int) -> None:
    require(taps >= 1, f"taps is the length of a response and must be at least 1, not {taps}.")


def _check_alike(*tensors: Tensor) -> None:
    require(len({tensor.is_complex() for tensor in tensors}) == 1, "All tensors must be real, or all complex.")


@operator("onepole")
@shaped(u="R L", alpha="R", initial="R")
def _onepole(u: Tensor, alpha: Tensor, initial: Tensor, taps: int) -> Tensor:
    _check_taps(taps)
    return kernels("recursion", u).onepole(u, alpha, initial, taps)


@operator("onepole_backward")
@shaped(grad="R L", u="R L", alpha="R", initial="R", y="R L")
def _onepole_backward(
    grad: Tensor, u: Tensor, alpha: Tensor, initial: Tensor, y: Tensor, taps: int
) -> tuple[Tensor, Tensor, Tensor]:
    _check_taps(taps)
    return kernels("recursion", u).onepole_backward(grad, u, alpha, initial, y, taps)


@operator("first_order")
@shaped(u="real or complex: R L", a="real or complex: R L|1", initial="real or complex: R")
def _first_order(u: Tensor, a: Tensor, initial: Tensor) -> Tensor:
    _check_alike(u, a, initial)
    return kernels("recursion", u).first_order(u, a, initial)


@operator("first_order_backward")
@shaped(grad="real or complex: R L", a="real or complex: R L|1", initial="real or complex: R", y="real or complex: R L")
def _first_order_backward(grad: Tensor, a: Tensor, initial: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    _check_alike(grad, a, initial, y)
    return kernels("recursion", y).first_order_backward(grad, a, initial, y)


@operator("ballistics")
@shaped(u="R L", attack="R", release="R", initial="R")
def _ballistics(u: Tensor, attack: Tensor, release: Tensor, initial: Tensor) -> tuple[Tensor, Tensor]:
    return kernels("recursion", u).ballistics(u, attack, release, initial)


@operator("ballistics_backward")
@shaped(grad="R L", u="R L", attack="R", release="R", initial="R", y="R L", rising="bool: R L")
def _ballistics_backward(
    grad: Tensor, u: Tensor, attack: Tensor, release: Tensor, initial: Tensor, y: Tensor, rising: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return kernels("recursion", u).ballistics_backward(grad, u, attack, release, initial, y, rising)


_onepole.register_fake(lambda u, alpha, initial, taps: empty(u))
_onepole_backward.register_fake(lambda grad, u, alpha, initial, y, taps: (empty(u), empty(alpha), empty(initial)))
_first_order.register_fake(lambda u, a, initial: empty(u))
_first_order_backward.register_fake(lambda grad, a, initial, y: (empty(y), empty(a), empty(initial)))
_ballistics.register_fake(lambda u, attack, release, initial: (empty(u), empty(u, torch.bool)))
_ballistics_backward.register_fake(
    lambda grad, u, attack, release, initial, y, rising: tuple(map(empty, (u, attack, release, initial)))
)


def _save_onepole(ctx, inputs, output) -> None:
    *tensors, ctx.taps = inputs
    ctx.save_for_backward(*tensors, output)


def _save_first_order(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs[1:], output)


def _save_ballistics(ctx, inputs, output) -> None:
    ctx.save_for_backward(*inputs, *output)


_onepole.register_autograd(
    lambda ctx, grad: (*_onepole_backward(grad, *ctx.saved_tensors, ctx.taps), None),
    setup_context=_save_onepole,
)
_first_order.register_autograd(
    lambda ctx, grad: _first_order_backward(grad, *ctx.saved_tensors),
    setup_context=_save_first_order,
)
_ballistics.register_autograd(
    lambda ctx, grad, _: _ballistics_backward(grad, *ctx.saved_tensors),
    setup_context=_save_ballistics,
)
