"""Convolution with finite impulse responses, by real Fourier transforms."""

import warnings

import torch
import torch.nn as nn
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ..base import ParameterError

MODES = ("causal", "zerophase")
SHORTEST_BLOCK = 8192
MAX_TRANSFORMED = 1 << 23  # samples


def convolve(x: Tensor, h: Tensor, mode: str = "causal") -> Tensor:
    r"""Convolve signals with filters, keeping the length of the signals.

    .. math:: y_n = \sum_m h_m\, x_{n + d - m}, \quad n = 0, …, L - 1

    where d = 0 for a causal filter, and d = ⌊N/2⌋ for a zero-phase one, whose time origin is its middle tap.
    Samples outside the signal are zero.

    A filter that is short against the signal is applied in blocks (overlap-save), which is faster than one
    long transform; the result is the same up to rounding. Each operand is transformed once, and its spectrum
    is kept for the backward pass when the gradient of the other operand is asked for: saving the operands
    instead would take less memory (a half, when the filter is long) but two more transforms.

    Args:
        x: signals ``(B, C, L)``.
        h: filters ``(B, C', N)``. Batch and channels broadcast: one filter serves several signals, or the
            other way round, without copies.
        mode: ``"causal"`` or ``"zerophase"``.

    Returns:
        The filtered signals ``(B, max(C, C'), L)``. They can be differentiated once.

    Raises:
        ParameterError: an unknown mode, a filter without taps, or shapes that do not broadcast.
    """
    _check(x, h, mode)
    num_samples, num_taps = x.shape[-1], h.shape[-1]
    if x.numel() == 0 or h.numel() == 0:
        return x * h[..., :1]
    delay = 0 if mode == "causal" else num_taps // 2
    first, last = max(0, delay - num_samples + 1), min(num_taps, delay + num_samples)
    h, delay, n = h[..., first:last], delay - first, _block_length(num_samples, last - first)
    if torch.is_grad_enabled() and (x.requires_grad or h.requires_grad):
        return _OverlapSave.apply(x, h, delay, n)
    return _in_batches(x, h, delay, n)


def _in_batches(x: Tensor, h: Tensor, delay: int, n: int) -> Tensor:
    """Some signals after others, so that no more transforms than needed are held at once."""
    batch, channels = (max(x.shape[axis], h.shape[axis]) for axis in (0, 1))
    size = max(1, MAX_TRANSFORMED // (channels * max(n, x.shape[-1])))
    if size >= batch:
        return _OverlapSave.apply(x, h, delay, n)
    y = x.new_empty(batch, channels, x.shape[-1])
    for start in range(0, batch, size):
        rows = slice(start, start + size)
        parts = (v if v.shape[0] == 1 else v[rows] for v in (x, h))
        y[rows] = _OverlapSave.apply(*parts, delay, n)
    return y


def _block_length(num_samples: int, num_taps: int) -> int:
    # Measured: short transforms stay in the cache and are up to three times faster for each sample.
    n = min(_next_power_of_two(max(4 * num_taps, SHORTEST_BLOCK)), _next_power_of_two(num_samples // 2 + 1) // 2)
    if n >= max(2 * num_taps, SHORTEST_BLOCK):
        return n
    return fast_length(num_samples + num_taps - 1)


class _OverlapSave(Function):
    """Convolution in blocks of n samples, of which n − N + 1 are new; a single block may cover it all."""

    @staticmethod
    def forward(ctx, x: Tensor, h: Tensor, delay: int, n: int) -> Tensor:
        num_samples, overlap = x.shape[-1], h.shape[-1] - 1
        hop = n - overlap
        num_blocks = -(-num_samples // hop)
        lead = overlap - delay
        # Overlapping rows are slow to transform as they are.
        blocks = _pad(x, lead, num_blocks * hop + overlap).unfold(-1, n, hop).contiguous()
        X = torch.fft.rfft(blocks)
        H = torch.fft.rfft(h.unsqueeze(-2), n)
        x_needs_grad, h_needs_grad, *_ = ctx.needs_input_grad
        ctx.save_for_backward(X if h_needs_grad else None, H if x_needs_grad else None)
        in_place = not h_needs_grad and X.shape[:2] == torch.broadcast_shapes(X.shape[:2], H.shape[:2])
        y = torch.fft.irfft(X.mul_(H) if in_place else X * H, n)[..., overlap:].flatten(-2)[..., :num_samples]
        ctx.layout = n, lead, x.shape, h.shape
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, gy: Tensor):
        X, H = ctx.saved_tensors
        n, lead, x_shape, h_shape = ctx.layout
        overlap = h_shape[-1] - 1
        G = torch.fft.rfft(_delayed_blocks(gy, overlap, n))
        gx = gh = None
        if H is not None:
            D = (G * H.conj()).sum_to_size(*x_shape[:2], *G.shape[2:])
            gx = _overlap_add(torch.fft.irfft(D, n), overlap)[..., lead : lead + x_shape[-1]]
        if X is not None:
            # Conjugated before and after the sum, because the sum is small and X may serve another pass.
            D = G.conj_physical_().mul_(X).sum_to_size(*h_shape[:2], 1, G.shape[-1])
            gh = torch.fft.irfft(D.conj(), n).squeeze(-2)[..., : h_shape[-1]]
        return gx, gh, None, None


# The three functions below write each sample once, which F.pad and F.fold do not.


def _pad(x: Tensor, lead: int, length: int) -> Tensor:
    """Put ``x`` after ``lead`` zeros, and zeros after it up to ``length``."""
    padded = x.new_empty(*x.shape[:-1], length)
    end = lead + x.shape[-1]
    padded[..., :lead] = 0
    padded[..., lead:end] = x
    padded[..., end:] = 0
    return padded


def _delayed_blocks(x: Tensor, overlap: int, n: int) -> Tensor:
    """Cut ``(B, C, L)`` into ``(B, C, K, n)`` blocks that start with ``overlap`` zeros."""
    hop = n - overlap
    num_full, rest = divmod(x.shape[-1], hop)
    blocks = x.new_empty(*x.shape[:-1], num_full + (rest > 0), n)
    blocks[..., :overlap] = 0
    blocks[..., :num_full, overlap:] = x[..., : num_full * hop].unflatten(-1, (num_full, hop))
    if rest:
        blocks[..., num_full, overlap : overlap + rest] = x[..., num_full * hop :]
        blocks[..., num_full, overlap + rest :] = 0
    return blocks


def _overlap_add(pieces: Tensor, overlap: int) -> Tensor:
    """Lay ``(B, C, K, n)`` pieces end to end, overlapping, and sum them; overwrites the pieces."""
    *axes, num_pieces, n = pieces.shape
    hop = n - overlap
    if num_pieces == 1:
        return pieces.squeeze(-2)
    pieces[..., 1:, :overlap] += pieces[..., :-1, hop:]
    out = pieces.new_empty(*axes, num_pieces * hop + overlap)
    out[..., : num_pieces * hop].unflatten(-1, (num_pieces, hop)).copy_(pieces[..., :hop])
    out[..., num_pieces * hop :] = pieces[..., -1, hop:]
    return out


def _next_power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


def fast_length(at_least: int) -> int:
    """An even length, not below ``at_least``, whose real transform is fast."""
    # Odd lengths are several times slower in MKL.
    return 2 * _next_smooth(-(-at_least // 2))


def _next_smooth(at_least: int) -> int:
    """The smallest 2ᵃ3ᵇ5ᶜ that is not below ``at_least``, as scipy's ``next_fast_len``, which cannot be compiled."""
    smallest = _next_power_of_two(max(1, at_least))
    fives = 1
    while fives < smallest:
        threes = fives
        while threes < smallest:
            smallest = min(smallest, threes * _next_power_of_two(-(-at_least // threes)))
            threes *= 3
        fives *= 5
    return smallest


def _check(x: Tensor, h: Tensor, mode: str) -> None:
    if mode not in MODES:
        raise ParameterError(f"Unknown convolution mode {mode!r}: use one of {', '.join(MODES)}.")
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


class FIRConvolution(nn.Module):
    """Convolution with filters given in each call, see :func:`convolve`.

    Args:
        mode: ``"causal"`` or ``"zerophase"``.
        flashfftconv: ask for the FlashFFTConv kernels. They are not supported yet: a warning says so, and
            the native convolution is used, which has no limit on its length.
        max_input_len: longest signal for FlashFFTConv; the native convolution does not need it.

    Raises:
        ParameterError: an unknown mode.
    """

    def __init__(self, mode: str = "causal", flashfftconv: bool = False, max_input_len: int = 2**17):
        super().__init__()
        if mode not in MODES:
            raise ParameterError(f"Unknown convolution mode {mode!r}: use one of {', '.join(MODES)}.")
        if flashfftconv:
            warnings.warn("FlashFFTConv is not supported: the native convolution is used.", stacklevel=2)
        self.mode = mode

    def forward(self, input_signals: Tensor, fir: Tensor) -> Tensor:
        """Convolve ``(B, C, L)`` signals with ``(B, C', N)`` filters."""
        return convolve(input_signals, fir, self.mode)
