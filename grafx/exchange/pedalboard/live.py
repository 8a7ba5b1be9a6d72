"""Stages as live objects."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .stages import ECHO_SECONDS, BothWays, Channels, Matrix, Plug, Response, Shift, Stages, Sum

Process = Callable[[np.ndarray], np.ndarray]


def plugin_of(plug: Plug) -> Any:
    """Make a plug-in of pedalboard."""
    import pedalboard

    kind = getattr(pedalboard, plug.kind)
    if plug.kind in ("Chain", "Mix"):
        return kind([plugin_of(each) for each in plug.plugins])
    return kind(**{name: _value(plug.kind, name, value) for name, value in plug.settings.items()})


def board_of(plugs: tuple[Plug, ...]) -> Any:
    """Make a ``Pedalboard``."""
    from pedalboard import Pedalboard  # pyright: ignore[reportPrivateImportUsage]

    return Pedalboard([plugin_of(plug) for plug in plugs])


def pieces_of(stages: Stages) -> list[tuple[Plug, ...] | Matrix | Channels | Sum | Shift | BothWays]:
    """Stages with neighbouring plug-ins together, as one board has them."""
    pieces: list[Any] = []
    for stage in stages:
        if isinstance(stage, Plug) and pieces and isinstance(pieces[-1], tuple):
            pieces[-1] = (*pieces[-1], stage)
        else:
            pieces.append((stage,) if isinstance(stage, Plug) else stage)
    return pieces


def function_of(stages: Stages, sample_rate: int, boards: list[Any]) -> Process:
    """A function of a signal ``(2, L)``; what boards it has are added to a list, in their order."""
    functions = [_function(piece, sample_rate, boards) for piece in pieces_of(stages)]

    def process(signal: np.ndarray) -> np.ndarray:
        for function in functions:
            signal = function(signal)
        return signal

    return process


def run(stages: Stages, signal: Tensor, sample_rate: int) -> Tensor:
    """What stages make of a signal ``(2, L)``."""
    process = function_of(stages, sample_rate, [])
    return torch.from_numpy(np.ascontiguousarray(process(signal.float().contiguous().numpy())))


def shifted(signal: np.ndarray, samples: int) -> np.ndarray:
    """A signal that is later, or earlier if negative, at constant length."""
    moved = np.zeros_like(signal)
    if samples >= 0:
        moved[:, samples:] = signal[:, : max(0, signal.shape[1] - samples)]
    else:
        moved[:, :samples] = signal[:, -samples:]
    return moved


def both_ways(board: Any, signal: np.ndarray, sample_rate: int) -> np.ndarray:
    """What a board makes of a signal that goes through it forwards and then backwards."""
    longer = np.pad(signal, ((0, 0), (0, int(ECHO_SECONDS * sample_rate))))
    there = board(longer, sample_rate)
    return board(there[:, ::-1], sample_rate)[:, ::-1][:, : signal.shape[1]]


def _function(piece: Any, sample_rate: int, boards: list[Any]) -> Process:
    if isinstance(piece, tuple):
        board = board_of(piece)
        boards.append(board)
        return lambda signal: board(signal, sample_rate)
    if isinstance(piece, BothWays):
        board = board_of(piece.plugs)
        boards.append(board)
        return lambda signal: both_ways(board, signal, sample_rate)
    if isinstance(piece, Matrix):
        rows = np.array(piece.rows, np.float32)
        return lambda signal: rows @ signal
    if isinstance(piece, Shift):
        return lambda signal: shifted(signal, piece.samples)
    if isinstance(piece, Channels):
        left, right = (function_of(side, sample_rate, boards) for side in (piece.left, piece.right))
        return lambda signal: np.concatenate([left(signal[:1]), right(signal[1:])])
    branches = [function_of(branch, sample_rate, boards) for branch in piece.branches]
    return lambda signal: np.sum([branch(signal) for branch in branches], axis=0)


def _value(kind: str, name: str, value: Any) -> Any:
    if isinstance(value, Response):
        return value.samples
    if (kind, name) == ("LadderFilter", "mode"):
        import pedalboard

        return getattr(pedalboard.LadderFilter.Mode, value)
    return value
