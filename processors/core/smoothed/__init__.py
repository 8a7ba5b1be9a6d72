"""Exponential smoothing of blocks with a truncated response, and gains by static curves, with few calls for each."""

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
    kept = _begin(u, taps) if state is None else _continued(state, u, taps)
    compiled = u.device.type == "cpu" and not torch.is_grad_enabled()
    y = torch.empty_like(u, memory_format=torch.contiguous_format)
    begin = 0
    while begin < u.shape[-1]:
        end = min(begin + kept.present.shape[-1] - kept.place, u.shape[-1])
        kept = (_compiled if compiled else _plain)(kept, u, y, alpha, forgotten, taps, begin, end)
        begin = end
    kept.written.fill_(kept.place)
    return y, tuple(kept)


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
    kernels("smoothed", u).smooth(u, y, kept[:2], vectors, sizes)
    return _moved(Kept(kept.present, kept.before, kept.written, place, last))


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
    return _moved(kept._replace(present=present, last=last_output(smoothed, kept.last).clone(), place=place))


def _moved(kept: Kept) -> Kept:
    if kept.place < kept.present.shape[-1]:
        return kept
    kept.written.fill_(-1)
    return Kept(torch.empty_like(kept.present), kept.present, torch.empty_like(kept.written), 0, kept.last)


def follow_ramp(x: Tensor, energy: Tensor, floor: float, side: int, numbers: Tensor) -> Tensor | None:
    r"""Apply the gain of a ramp with a quadratic knee, or none, without a gradient.

    .. math:: y_c[n] = e^{s k(z) + m}\,x_c[n], \quad z = \pm(\ln(E[n] + \epsilon) - T)

    where k is that of :func:`~grafx.processors.core.knees.quadratic_knee`, or of a hard knee if W is 0.

    Args:
        x: Signals ``(B, C, L)``.
        energy: E, ``(B, L)``.
        floor: ε.
        side: 1 for a gain above the threshold, −1 for one below.
        numbers: ``(B, 4)``: T, s, W and m.

    Returns:
        ``(B, C, L)``, or None on devices that have no such kernel, and where a gradient is wanted.
    """
    if torch.is_grad_enabled() or x.device.type != "cpu" or numbers.shape != (len(energy), 4):
        return None
    level = torch.log(energy + floor)
    kernels("smoothed", x).ramp(level, side, numbers)
    return x * level.exp_().unsqueeze(1)
