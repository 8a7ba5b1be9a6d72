"""The parts of long audio that a diagnosis listens to."""

import torch
from torch import Tensor

PIECES, MOST_PIECES, PIECE = 4, 8, 6.0  # number of excerpts, with those of rare stems, and their length in seconds
RARE = 0.1  # relative to its loudest piece: the power of a stem in the excerpts below which it gets one of its own


def heard(stems: Tensor, mix: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
    """Return the whole audio or, if it is long, excerpts spread evenly over it.

    A stem that is hardly heard in them adds the excerpt in which it is loudest.
    """
    piece = round(PIECE * sample_rate)
    if mix.shape[-1] <= PIECES * piece:
        return stems, mix
    starts = _starts(stems, piece)
    return tuple(torch.cat([signal[..., start : start + piece] for start in starts], -1) for signal in (stems, mix))  # pyright: ignore[reportReturnType] – two of them


def _starts(stems: Tensor, piece: int) -> list[int]:
    length = stems.shape[-1]
    starts = [round((length - piece) * i / (PIECES - 1)) for i in range(PIECES)]
    for stem in stems:
        powers = torch.stack([block.square().mean() for block in stem.split(piece, -1)])
        known = max(_power(stem[..., start : start + piece]) for start in starts)
        if known < RARE * powers.max() and len(starts) < MOST_PIECES:
            starts.append(min(int(powers.argmax()) * piece, length - piece))
    return sorted(starts)


def _power(signal: Tensor) -> float:
    return signal.square().mean().item()
