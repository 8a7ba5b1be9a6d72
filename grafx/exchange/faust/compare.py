"""How far a program in Faust is from the graph that it was written from."""

from collections.abc import Sequence
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
    away = [_distance(function, sounds, length, sample_rate) for function in program.functions]
    carried = [replace(each, distance_db=db) for each, db in zip(program.carried, away, strict=True)]
    return carried, distance_between(theirs[..., :kept], ours[..., :kept], sample_rate)


def _distance(function: Function, sounds: dict[int, list[Tensor]], length: int, sample_rate: int) -> float:
    part = function.part
    x = [signal[..., :length] for signal in heard(part, sounds)]
    ours = torch.cat(part.sound(*x) if x else [signal[..., :length] for signal in sounds[part.id]])
    given = torch.cat(x) if x else torch.zeros(0, length)
    return level_of_difference(Engine(function.alone, sample_rate).play(given, function.latency, length), ours)
