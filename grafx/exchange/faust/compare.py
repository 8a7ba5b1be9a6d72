"""How far a program in Faust is from the graph that it was written from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..carried import Carried, Distance
from ..distance import distance_between, level_of_difference
from ..excerpts import excerpt
from ..parts import Part, heard, play
from .engine import Engine
from .program import Function, Program

SECONDS = 2.0  # of sound, at most
SECONDS_OF_NODE = 0.25
NULL_DB = -80.0
"""Distance from which on it is said why."""
WORK = 4e9  # characters of a program times samples, which take a few seconds


def compared(
    parts: Sequence[Part], program: Program, stems: Tensor | None, sample_rate: int
) -> tuple[list[Carried], Distance]:
    """Play a program, and each of its functions alone with what the node hears in the graph.

    Args:
        parts: The nodes of the graph.
        program: The program.
        stems: ``(K, C, L)``, of which as much is played as is soon done; ``None`` for noise.
        sample_rate: In Hz.

    Returns:
        What became of each node, with its distance, and that of the whole.
    """
    length = max(1, int(min(SECONDS * sample_rate, WORK / len(program.code))))
    stems = excerpt(stems, sum(part.type == "in" for part in parts), length, sample_rate)
    # In a graph, nothing sounds before the beginning, and what looks ahead does not see what sounds after the end.
    stems = torch.nn.functional.pad(stems, (program.latency, program.latency))
    kept = stems.shape[-1] - program.latency
    sounds = play(parts, stems)
    ours = torch.cat([sounds[part.id][0] for part in sorted(parts, key=lambda part: part.id) if part.type == "out"])
    theirs = Engine(program.code, sample_rate).play(stems.flatten(0, 1), program.latency, stems.shape[-1])
    short = int(SECONDS_OF_NODE * sample_rate)
    length = min(program.latency + short, stems.shape[-1])
    pairs = zip(program.functions, program.carried, strict=True)
    carried = [_measured(function, each, sounds, length, sample_rate) for function, each in pairs]
    return carried, distance_between(theirs[..., :kept], ours[..., :kept], sample_rate)


def _measured(
    function: Function, carried: Carried, sounds: Mapping[int, Sequence[Tensor]], length: int, sample_rate: int
) -> Carried:
    """What became of a node, with its distance, and why it is large if it is."""
    part = function.part
    x = [signal[..., :length] for signal in heard(part, sounds)]
    ours = torch.cat(part.sound(*x) if x else [signal[..., :length] for signal in sounds[part.id]])
    given = torch.cat(x) if x else torch.zeros(0, length)
    theirs = Engine(function.alone, sample_rate).play(given, function.latency, length)
    away, note = level_of_difference(theirs, ours), carried.note
    if x and away > NULL_DB:
        exact = level_of_difference(theirs, torch.cat(part.sound(*(signal.double() for signal in x))))
        if exact < NULL_DB:
            why = f"{exact:.0f} dB from ours in double precision: there the rounding of single precision is heard"
            note = "; ".join(filter(None, (note, why)))
    return replace(carried, distance_db=away, note=note)
