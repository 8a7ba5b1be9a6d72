"""Convolution with finite impulse responses, by real Fourier transforms."""

import warnings
from functools import partial

import torch.nn as nn
from torch import Tensor

from ...arguments import check_known, check_option
from ...errors import ParameterError
from ..backends import flash_fft
from ..backends.dispatch import kernels
from ..broadcasting import broadcast_shapes
from ..operators import operator
from ..partitioned import convolve_partitions
from ..precision import REAL
from ..shapes import require, shape_text
from ..streaming import in_blocks, remember

SHORT = 2048
MODES = ("causal", "zerophase")


def convolve(x: Tensor, h: Tensor, mode: str = "causal", pad_mode: str = "min") -> Tensor:
    r"""Convolve signals with filters, keeping the length of the signals.

    .. math:: y_n = \sum_m h_m\, x_{n + d - m}, \quad n = 0, …, L - 1

    where d = 0 for a causal filter, and d = ⌊N/2⌋ for a zero-phase one, whose time origin is its middle tap.
    Samples outside the signal are zero.

    A filter that is short compared to the signal is applied in blocks (overlap-save), which is faster than one long
    transform; the result is the same up to rounding. Only the arguments are kept for the backward pass: recomputing
    their transforms costs little more than reading the spectra from memory.

    Args:
        x: Signals ``(B, C, L)``, float32 or float64.
        h: Filters ``(B, C', N)``. Batch and channels broadcast without copies. They may have the other precision.
        mode: ``"causal"`` or ``"zerophase"``.
        pad_mode: Accepted and ignored, since nothing wraps around.

    Returns:
        The filtered signals ``(B, max(C, C'), L)``, in the precision of ``x``.

    Raises:
        ParameterError: An unknown mode, a filter without taps, shapes that do not broadcast, or an unsupported dtype.
    """
    _check(x, h, mode)
    h = h.to(x.dtype)
    if x.numel() == 0 or h.numel() == 0:
        return x * h[..., :1]
    return _convolve(x, *_trim(x, h, mode))


def _trim(x: Tensor, h: Tensor, mode: str) -> tuple[Tensor, int]:
    """Remove taps that connect no two samples, and return the index of the tap at the time origin."""
    num_samples, num_taps = x.shape[-1], h.shape[-1]
    delay = 0 if mode == "causal" else num_taps // 2
    first, last = max(0, delay - num_samples + 1), min(num_taps, delay + num_samples)
    return h[..., first:last], delay - first


# Each of the two is the gradient of the other, so that they can be differentiated any number of times.


@operator("convolve")
def _convolve(x: Tensor, h: Tensor, delay: int) -> Tensor:
    """Compute y[n] = Σ h[m] x[n + delay − m]."""
    _check(x, h, "causal")
    if not x.numel() or not h.numel():
        return x.new_zeros(*broadcast_shapes(x.shape[:2], h.shape[:2]), x.shape[-1])
    return kernels("convolution", x).convolve(x, h, delay)


@operator("correlate")
def _correlate(g: Tensor, x: Tensor, num_taps: int, delay: int) -> Tensor:
    """Compute h[m] = Σ g[n] x[n + delay − m]."""
    _check(x, g, "causal")
    require(
        num_taps > 0 and g.shape[2] == x.shape[2],
        f"A correlation needs signals of one length and a tap or more, not {shape_text(g)}, {shape_text(x)} and "
        f"{num_taps} taps.",
    )
    if not g.numel() or not x.numel():
        return x.new_zeros(*broadcast_shapes(g.shape[:2], x.shape[:2]), num_taps)
    return kernels("convolution", x).correlate(g, x, num_taps, delay)


def _transposed(g: Tensor, h: Tensor, delay: int) -> Tensor:
    """Compute the gradient of x: x[n + delay − m] gets g[n] h[m]."""
    return _convolve(g, h.flip(-1), h.shape[-1] - 1 - delay)


@_convolve.register_fake
def _(x: Tensor, h: Tensor, delay: int) -> Tensor:
    return x.new_empty(*broadcast_shapes(x.shape[:2], h.shape[:2]), x.shape[-1])


@_correlate.register_fake
def _(g: Tensor, x: Tensor, num_taps: int, delay: int) -> Tensor:
    return x.new_empty(*broadcast_shapes(g.shape[:2], x.shape[:2]), num_taps)


def _save_for_convolve(ctx, inputs, output) -> None:
    x, h, ctx.delay = inputs
    ctx.shapes = x.shape, h.shape
    x_needs_grad, h_needs_grad = ctx.needs_input_grad[:2]
    ctx.save_for_backward(x if h_needs_grad else None, h if x_needs_grad else None)


def _convolve_backward(ctx, gy: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    x, h = ctx.saved_tensors
    x_shape, h_shape = ctx.shapes
    gx = None if h is None else _transposed(gy, h, ctx.delay).sum_to_size(x_shape)
    gh = None if x is None else _correlate(gy, x, h_shape[-1], ctx.delay).sum_to_size(h_shape)
    return gx, gh, None


def _save_for_correlate(ctx, inputs, output) -> None:
    g, x, _, ctx.delay = inputs
    ctx.save_for_backward(g, x)


def _correlate_backward(ctx, gh: Tensor) -> tuple[Tensor, Tensor, None, None]:
    g, x = ctx.saved_tensors
    gg = _convolve(x, gh, ctx.delay).sum_to_size(g.shape)
    gx = _transposed(g, gh, ctx.delay).sum_to_size(x.shape)
    return gg, gx, None, None


_convolve.register_autograd(_convolve_backward, setup_context=_save_for_convolve)
_correlate.register_autograd(_correlate_backward, setup_context=_save_for_correlate)


def _check(x: Tensor, h: Tensor, mode: str) -> None:
    check_known("convolution mode", mode, MODES)
    for name, v in (("signals", x), ("filters", h)):
        if v.dtype not in REAL:
            raise ParameterError(f"A convolution takes float32 or float64, but the {name} are {v.dtype}: convert them.")
    if x.ndim != 3 or h.ndim != 3:
        raise ParameterError(
            "A convolution takes signals (batch, channels, samples) and filters (batch, channels, taps), "
            f"not {tuple(x.shape)} and {tuple(h.shape)}."
        )
    if h.shape[-1] == 0:
        raise ParameterError("A convolution needs a filter of at least one tap.")
    for axis, name in enumerate(("batch", "channel")):
        a, b = x.shape[axis], h.shape[axis]
        if a != b and 1 not in (a, b):
            raise ParameterError(
                f"The {name} axes of signal and filter do not match: {a} against {b}. "
                "Give them one size, or size 1 to one of them."
            )


def convolve_block(x: Tensor, h: Tensor, state: tuple | None) -> tuple[Tensor, tuple]:
    """Convolve a block of a signal, causally, with its past included.

    Args:
        x: A block ``(B, C, L)``.
        h: Filters ``(B, C', N)``, as in :func:`convolve`; they may change between blocks, but not in length.
        state: State after the previous block, ``None`` for the first.

    Returns:
        The filtered block ``(B, max(C, C'), L)``, and the state.

    Raises:
        ParameterError: See :func:`convolve`.
    """
    _check(x, h, "causal")
    return convolve_partitions(x, h.to(x.dtype), state)


def compute_pad_len(x: Tensor, y: Tensor, pad_mode: str = "pow2") -> int:
    """Compute the transform length for a linear convolution of two signals.

    Args:
        x: ``(…, L)``.
        y: ``(…, N)``.
        pad_mode: ``"min"`` for L + N − 1 samples, ``"pow2"`` for the next power of two.

    Raises:
        ParameterError: An unknown mode.
    """
    check_option("pad_mode", pad_mode, ("min", "pow2"))
    least = x.shape[-1] + y.shape[-1] - 1
    return least if pad_mode == "min" else 1 << (least - 1).bit_length()


class FIRConvolution(nn.Module):
    """Convolution with filters given in each call, see :func:`convolve`.

    In a stream, a zero-phase convolution is late by half the filter, ⌊N/2⌋, since future samples are not available.

    Args:
        mode: ``"causal"`` or ``"zerophase"``.
        flashfftconv: Use FlashFFTConv for float32 signals on a supported GPU. It computes in bfloat16, to about two
            digits. Where it is not installed or supported, a warning is raised, and the native convolution is used.
        max_input_len: Longest signal for FlashFFTConv; longer ones use the native convolution.

    Raises:
        ParameterError: An unknown mode.
    """

    def __init__(self, mode: str = "causal", flashfftconv: bool = False, max_input_len: int = 2**17):
        super().__init__()
        if mode not in MODES:
            raise ParameterError(f"Unknown convolution mode {mode!r}: use one of {', '.join(MODES)}.")
        self.mode, self.max_input_len = mode, max_input_len
        self.flashfftconv = flashfftconv and flash_fft.is_supported()
        if flashfftconv and not self.flashfftconv:
            warnings.warn(
                "FlashFFTConv is not installed, or turned off, or there is no GPU that it supports: the native "
                "convolution is used. "
                "Pass flashfftconv=False to say so yourself.",
                stacklevel=2,
            )

    def forward(self, input_signals: Tensor, fir: Tensor) -> Tensor:
        """Convolve ``(B, C, L)`` signals with ``(B, C', N)`` filters."""
        if in_blocks():
            return remember(partial(convolve_block, input_signals, fir), "past")
        if self.flashfftconv and input_signals.shape[-1] <= self.max_input_len:
            _check(input_signals, fir, self.mode)
            h, delay = _trim(input_signals, fir, self.mode)
            if flash_fft.takes(input_signals, h, delay):
                return flash_fft.convolve(input_signals, h, delay)
        return convolve(input_signals, fir, self.mode)
