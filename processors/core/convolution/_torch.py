"""Plain-torch kernels of :mod:`.convolution` for every device: blocks of many rows at once."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..broadcasting import broadcast_shapes

SHORTEST_BLOCK = 8192
MAX_TRANSFORMED = 1 << 23  # samples: rows are processed in groups, to limit the memory of spectra


def convolve(x: Tensor, h: Tensor, delay: int) -> Tensor:
    num_samples, overlap = x.shape[-1], h.shape[-1] - 1
    n = _block_length(num_samples, h.shape[-1])
    y = x.new_empty(*broadcast_shapes(x.shape[:2], h.shape[:2]), num_samples)
    for rows, x_rows, h_rows in _batches(y, n, x, h):
        X = torch.fft.rfft(_blocks(x_rows, overlap, delay, n))
        H = torch.fft.rfft(h_rows.unsqueeze(-2), n)
        in_place = X.shape[:2] == broadcast_shapes(X.shape[:2], H.shape[:2])
        product = X.mul_(H) if in_place else X * H
        y[rows] = torch.fft.irfft(product, n)[..., overlap:].flatten(-2)[..., :num_samples]
    return y


def correlate(g: Tensor, x: Tensor, num_taps: int, delay: int) -> Tensor:
    n = _block_length(x.shape[-1], num_taps)
    h = x.new_empty(*broadcast_shapes(g.shape[:2], x.shape[:2]), num_taps)
    for rows, g_rows, x_rows in _batches(h, max(n, x.shape[-1]), g, x):
        G = torch.fft.rfft(_delayed_blocks(g_rows, num_taps - 1, n))
        X = torch.fft.rfft(_blocks(x_rows, num_taps - 1, delay, n))
        # Conjugated before and after the sum, because the sum is small.
        D = (G.conj_physical_() * X).sum(-2)
        h[rows] = torch.fft.irfft(D.conj(), n)[..., :num_taps]
    return h


def _batches(like: Tensor, length: int, *operands: Tensor) -> Iterator[tuple[slice, *tuple[Tensor, ...]]]:
    size = max(1, MAX_TRANSFORMED // (like.shape[1] * max(length, like.shape[-1])))
    for start in range(0, like.shape[0], size):
        rows = slice(start, start + size)
        yield rows, *(v if v.shape[0] == 1 else v[rows] for v in operands)


def _block_length(num_samples: int, num_taps: int) -> int:
    # Measured: short transforms stay in the cache and are up to three times faster per sample.
    n = min(_next_power_of_two(max(4 * num_taps, SHORTEST_BLOCK)), _next_power_of_two(num_samples // 2 + 1) // 2)
    if n >= max(2 * num_taps, SHORTEST_BLOCK):
        return n
    return fast_length(num_samples + num_taps - 1)


# Unlike F.pad, the two functions below write each sample only once.


def _blocks(x: Tensor, overlap: int, delay: int, n: int) -> Tensor:
    """Split ``(B, C, L)`` into overlapping ``(B, C, K, n)`` blocks."""
    hop, num_samples = n - overlap, x.shape[-1]
    lead = overlap - delay
    padded = x.new_empty(*x.shape[:-1], -(-num_samples // hop) * hop + overlap)
    padded[..., :lead] = 0
    padded[..., lead : lead + num_samples] = x
    padded[..., lead + num_samples :] = 0
    # Overlapping rows are slow to transform without a copy.
    return padded.unfold(-1, n, hop).contiguous()


def _delayed_blocks(x: Tensor, overlap: int, n: int) -> Tensor:
    """Split ``(B, C, L)`` into ``(B, C, K, n)`` blocks that start with ``overlap`` zeros."""
    hop = n - overlap
    num_full, rest = divmod(x.shape[-1], hop)
    blocks = x.new_empty(*x.shape[:-1], num_full + (rest > 0), n)
    blocks[..., :overlap] = 0
    blocks[..., :num_full, overlap:] = x[..., : num_full * hop].unflatten(-1, (num_full, hop))
    if rest:
        blocks[..., num_full, overlap : overlap + rest] = x[..., num_full * hop :]
        blocks[..., num_full, overlap + rest :] = 0
    return blocks


def fast_length(at_least: int) -> int:
    """Return an even length, at least ``at_least``, with a fast real transform."""
    # Odd lengths are several times slower in MKL.
    return 2 * _next_smooth(-(-at_least // 2))


def _next_smooth(at_least: int) -> int:
    """Return the smallest 2ᵃ3ᵇ5ᶜ that is at least ``at_least``."""
    smallest = _next_power_of_two(max(1, at_least))
    fives = 1
    while fives < smallest:
        threes = fives
        while threes < smallest:
            smallest = min(smallest, threes * _next_power_of_two(-(-at_least // threes)))
            threes *= 3
        fives *= 5
    return smallest


def _next_power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()
