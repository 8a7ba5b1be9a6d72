"""Exponential smoothing of blocks with a truncated response, and gains by static curves, in few passes."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...errors import ParameterError
from ..backends.dispatch import kernels
from ..recursion import last_output, onepole
from ..streaming import FOREIGN, claimed, is_own_state

LEAST = 512  # samples of a window


class Kept(NamedTuple):
    """What is remembered.

    Attributes:
        present: Samples in windows of at least as many as the response is long: the present one ``(..., W)``.
        before: The one before.
        written: How many samples of the present one are written, see :func:`claimed`.
        place: How many of them are those of this stream.
        last: The last outputs ``(...)``, in double precision.
    """

    present: Tensor
    before: Tensor
    written: Tensor
    place: int
    last: Tensor


def smooth_block(u: Tensor, alpha: Tensor, forgotten: Tensor, taps: int, state: tuple | None) -> tuple[Tensor, tuple]:
    r"""Smooth a block as :func:`~grafx.processors.core.recursion.onepole` does the whole, with a truncated response.

    Args:
        u: A block ``(..., L)``.
        alpha: Coefficients that broadcast over its leading axes, in double precision.
        forgotten: What is left of a sample after as many as the response is long, :math:`\alpha^N`.
        taps: N.
        state: State after the previous block, None for the first. It stays valid.

    Returns:
        The smoothed block ``(..., L)``, and the state.

    Raises:
        ParameterError: The state is that of other signals.
    """
    smooth = _compiled if u.device.type == "cpu" and not torch.is_grad_enabled() else _plain
    y = torch.empty_like(u, memory_format=torch.contiguous_format)

    def advance(kept: Kept, begin: int, end: int) -> Kept:
        return smooth(kept, u, y, alpha, forgotten, taps, begin, end)

    return y, _through_windows(advance, u, taps, state)


def _through_windows(advance: Callable[[Kept, int, int], Kept], u: Tensor, taps: int, state: tuple | None) -> tuple:
    """Advance by the parts of a block that lie in one window each, and return the state."""
    kept = _begin(u, taps) if state is None else _continued(state, u, taps)
    begin = 0
    while begin < u.shape[-1]:
        end = min(begin + kept.present.shape[-1] - kept.place, u.shape[-1])
        kept = _moved(advance(kept, begin, end))
        begin = end
    kept.written.fill_(kept.place)
    return tuple(kept)


def _begin(u: Tensor, taps: int) -> Kept:
    silence = u.new_zeros(*u.shape[:-1], max(taps, LEAST))
    last = u.new_zeros(u.shape[:-1], dtype=torch.float64)
    return Kept(torch.empty_like(silence), silence, torch.zeros(1, dtype=torch.int64, device="cpu"), 0, last)


def _continued(state: Any, u: Tensor, taps: int) -> Kept:
    if not (is_own_state() and _fits(Kept(*state), u)):
        state = _checked(state, u, taps)
    kept = Kept(*state)
    present, written = claimed(kept.present, kept.written, kept.place)
    return kept if written is kept.written else kept._replace(present=present, written=written)


def _fits(kept: Kept, u: Tensor) -> bool:
    like = kept.present
    return u.dtype == like.dtype and u.device == like.device and u.shape[:-1] == like.shape[:-1]


def _checked(state: Any, u: Tensor, taps: int) -> tuple:
    window = torch.Size((*u.shape[:-1], max(taps, LEAST)))
    try:
        present, before, written, place, last = state
        fits = present.shape == before.shape == window and last.shape == window[:-1]
        fits = fits and 0 <= place < window[-1] and tuple(written.shape) == (1,)
    except (AttributeError, IndexError, TypeError, ValueError):
        fits = False
    if not fits:
        raise ParameterError(FOREIGN.format(f"does not fit the block {tuple(u.shape)} and {taps} taps"))
    return (
        present.to(u).contiguous(),
        before.to(u).contiguous(),
        written,
        place,
        last.to(u.device, torch.float64).contiguous(),
    )


def _compiled(
    kept: Kept, u: Tensor, y: Tensor, alpha: Tensor, forgotten: Tensor, taps: int, begin: int, end: int
) -> Kept:
    last, place = torch.empty_like(kept.last), kept.place + end - begin
    vectors = alpha.double().expand(last.shape), forgotten.double().expand(last.shape), kept.last, last
    sizes = kept.place, kept.present.shape[-1], taps, begin, end
    kernels("smoothed", u).smooth_part(u, y, kept[:2], vectors, sizes)
    return Kept(kept.present, kept.before, kept.written, place, last)


def _plain(kept: Kept, u: Tensor, y: Tensor, alpha: Tensor, forgotten: Tensor, taps: int, begin: int, end: int) -> Kept:
    part, place = u[..., begin:end], kept.place + end - begin
    if part.requires_grad or kept.present.requires_grad:
        present = torch.cat([kept.present[..., : kept.place], part, kept.present[..., place:]], -1)
    else:
        present = kept.present
        present[..., kept.place : place] = part
    line = torch.cat([kept.before, present[..., :place]], -1)
    old = line[..., line.shape[-1] - taps - part.shape[-1] : line.shape[-1] - taps]
    # In single precision, each block would begin with a rounding.
    smoothed = onepole(part.double() - forgotten.unsqueeze(-1) * old.double(), alpha, kept.last)
    y[..., begin:end] = smoothed
    return kept._replace(present=present, last=last_output(smoothed, kept.last).clone(), place=place)


def _moved(kept: Kept) -> Kept:
    if kept.place < kept.present.shape[-1]:
        return kept
    kept.written.fill_(-1)
    return Kept(torch.empty_like(kept.present), kept.present, torch.empty_like(kept.written), 0, kept.last)


class Ramp(NamedTuple):
    r"""Gain that follows an energy by a ramp with a quadratic knee, or none.

    .. math:: g(E) = e^{s k(z) + m}, \quad z = \pm(\ln(\max(0, E) + \epsilon) - T)

    where k is that of :func:`~grafx.processors.core.knees.quadratic_knee`, or of a hard knee if its width W is 0.

    Attributes:
        floor: ε.
        side: 1 for a gain above the threshold, −1 for one below.
        numbers: T, s, W and m of each row, ``(B, 4)``, in double precision.
    """

    floor: float
    side: int
    numbers: Tensor


def follow_ramp(x: Tensor, energy: Tensor, ramp: Ramp) -> Tensor:
    """Apply the gain of a ramp to signals ``(B, C, L)`` on the CPU, for energies ``(B, L)``, without a gradient."""
    level = torch.log(energy + ramp.floor)
    kernels("smoothed", x).ramp(level, ramp)
    return x * level.exp_().unsqueeze(1)


def follows_at_once(x: Tensor, key: Tensor) -> bool:
    """Whether signals can be followed in one pass."""
    single = x.dtype == key.dtype == torch.float32 and x.device.type == key.device.type == "cpu"
    return single and x.ndim == key.ndim == 3 and x.shape[::2] == key.shape[::2]


def follow_truncated(
    x: Tensor, key: Tensor, ramp: Ramp, coefficients: Sequence[Tensor], taps: int, state: tuple | None
) -> tuple[Tensor, tuple]:
    """Smooth the energy of a block with a truncated response and apply the gain of a ramp, in one pass.

    Args:
        x: A block ``(B, C, L)`` in single precision on the CPU.
        key: Signals ``(B, C', L)`` whose energy drives the gain.
        ramp: The gain.
        coefficients: α and what is left of a sample after the response, ``(B, 1)``, in double precision.
        taps, state: Those of :func:`smooth_block`.

    Returns:
        ``(B, C, L)``, and the state.

    Raises:
        ParameterError: The state is that of other signals.
    """
    follow = kernels("smoothed", x).follow
    y = torch.empty_like(x, memory_format=torch.contiguous_format)

    def advance(kept: Kept, begin: int, end: int) -> Kept:
        last, place = torch.empty_like(kept.last), kept.place + end - begin
        sizes = kept.place, kept.present.shape[-1], taps, begin, end
        follow(x, key, y, ramp, (*coefficients, kept.last, last, *kept[:2]), sizes)
        return Kept(kept.present, kept.before, kept.written, place, last)

    return y, _through_windows(advance, key[:, 0], taps, state)


def follow_ballistics(
    x: Tensor, key: Tensor, ramp: Ramp, coefficients: Sequence[Tensor], state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Smooth the energy of a block with attack and release and apply the gain of a ramp, in one pass.

    Args:
        x, key, ramp: As of :func:`follow_truncated`.
        coefficients: Those of attack and release, ``(B, 1)``, in double precision.
        state: The last outputs of the smoother ``(B,)``, None for the first block. It stays valid.

    Returns:
        ``(B, C, L)``, and the state.

    Raises:
        ParameterError: The state is that of other signals.
    """
    numbers = ramp.numbers
    if state is None:
        state = numbers.new_zeros(len(numbers))
    if not isinstance(state, Tensor) or state.shape != numbers.shape[:1]:
        raise ParameterError(FOREIGN.format(f"is not that of {len(numbers)} signals"))
    before = state.to(numbers).contiguous()
    after, y = torch.empty_like(before), torch.empty_like(x, memory_format=torch.contiguous_format)
    sizes = 0, 0, 0, 0, x.shape[-1]
    kernels("smoothed", x).follow(x, key, y, ramp, (*coefficients, before, after), sizes)
    return y, after
