"""What stands between two signals in terms of pedalboard and NumPy: plug-ins, sums, and matrices for the two channels.

All signals are stereo, ``(2, L)``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

SILENT_DB = -300.0
ECHO_SECONDS = 0.5
SAME = 1e-9


@dataclass(frozen=True)
class Plug:
    """A plug-in.

    Attributes:
        kind: Name of its class in pedalboard.
        settings: Arguments of that.
        plugins: What is in it, if it is a ``Chain`` or a ``Mix``.
    """

    kind: str
    settings: Mapping[str, Any]
    plugins: "tuple[Plug, ...]" = ()


@dataclass(frozen=True)
class Matrix:
    """Each channel as a sum of both, by NumPy."""

    rows: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Channels:
    """Other stages on the left than on the right."""

    left: "Stages"
    right: "Stages"


@dataclass(frozen=True)
class Sum:
    """Branches from one signal, which are added up; one without stages is the signal."""

    branches: "tuple[Stages, ...]"


@dataclass(frozen=True)
class Shift:
    """A signal that is so many samples later, or earlier if negative, by NumPy."""

    samples: int


@dataclass(frozen=True)
class BothWays:
    """Plug-ins that a signal goes through forwards and then backwards in time: filters so have no phase.

    The second time it goes on into what sounds after its end, of :data:`ECHO_SECONDS` at most.
    """

    plugs: tuple[Plug, ...]


Stage: TypeAlias = Plug | Matrix | Channels | Sum | Shift | BothWays
Stages: TypeAlias = tuple[Stage, ...]
"""Stages one after another."""


@dataclass(frozen=True, eq=False)
class Response:
    """An impulse response ``(2, N)``, one for each channel."""

    samples: np.ndarray

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Response) and np.array_equal(self.samples, other.samples)

    __hash__ = None  # pyright: ignore


def plug(kind: str, **settings: Any) -> Plug:
    """A plug-in whose settings have six digits."""
    return Plug(kind, {name: rounded(value) if isinstance(value, float) else value for name, value in settings.items()})


def gain(amplitude: float) -> Stages:
    """A gain of an amplitude, which may be negative; none where it is 1."""
    if amplitude == 0:
        return (plug("Gain", gain_db=SILENT_DB),)
    level = 20 * math.log10(abs(amplitude))
    louder = (plug("Gain", gain_db=level),) if abs(level) > SAME else ()
    return (*louder, Plug("Invert", {})) if amplitude < 0 else louder


def matrix(rows: Sequence[Sequence[float]]) -> Stages:
    """A matrix, or simpler stages that do the same."""
    (a, b), (c, d) = rows
    if b == c == 0 and math.isclose(a, d, rel_tol=1e-6):
        return gain(a)
    return (Matrix(((rounded(a), rounded(b)), (rounded(c), rounded(d)))),)


def channels(left: Stages, right: Stages) -> Stages:
    """Stages for each channel."""
    return left if left == right else (Channels(left, right),)


def mid_side(mid: Stages, side: Stages) -> Stages:
    """Stages for mid and side."""
    half = (0.5, 0.5), (0.5, -0.5)
    return mid if mid == side else (Matrix(half), *channels(mid, side), Matrix(((1.0, 1.0), (1.0, -1.0))))


def added(*branches: Stages) -> Stages:
    """The sum of branches: by a ``Mix`` where there are plug-ins alone, else by NumPy."""
    if len(branches) == 1:
        return branches[0]
    plugs = [plugs_of(branch) for branch in branches]
    if all(each is not None for each in plugs):
        return (Plug("Mix", {}, tuple(_chained(each) for each in plugs if each is not None)),)
    return (Sum(branches),)


def blended(wet: Stages, share: float, dry: float) -> Stages:
    """A share of what stages make, and one of what they got."""
    if len(wet) == 1 and isinstance(wet[0], Matrix):
        (a, b), (c, d) = wet[0].rows
        return matrix(((share * a + dry, share * b), (share * c, share * d + dry)))
    scaled = _scaled(wet, share)
    return scaled if dry == 0 else added(scaled, gain(dry))


def simplified(stages: Stages) -> Stages:
    """Stages with a plug-in for each matrix that is only a gain."""
    return tuple(each for stage in stages for each in (matrix(stage.rows) if isinstance(stage, Matrix) else (stage,)))


def _scaled(stages: Stages, factor: float) -> Stages:
    """Stages and a gain, in one with theirs if they end in a gain."""
    if factor == 1:
        return stages
    last = stages[-1] if stages else None
    if isinstance(last, Plug) and last.kind == "Gain" and factor > 0:
        return (*stages[:-1], *gain(factor * 10 ** (last.settings["gain_db"] / 20)))
    return (*stages, *gain(factor))


def plugs_of(stages: Stages) -> tuple[Plug, ...] | None:
    """The plug-ins, if there is nothing else."""
    plugs = tuple(stage for stage in stages if isinstance(stage, Plug))
    return plugs if len(plugs) == len(stages) else None


def rounded(value: float) -> float:
    """Six digits, which are more than one hears."""
    return float(f"{value:.6g}") + 0.0


def describe(stages: Stages) -> str:
    """Stages in words: ``"Compressor, Gain"``, each kind once with its number."""
    names = list(_names(stages))
    return ", ".join(f"{names.count(name)} {name}" if names.count(name) > 1 else name for name in dict.fromkeys(names))


def _names(stages: Stages) -> list[str]:
    found: list[str] = []
    for stage in stages:
        if isinstance(stage, Plug):
            found += _names(stage.plugins) if stage.plugins else [stage.kind]
        elif isinstance(stage, Channels):
            found += [*_names(stage.left), *_names(stage.right)]
        elif isinstance(stage, Sum):
            found += [name for branch in stage.branches for name in _names(branch)]
        elif isinstance(stage, BothWays):
            found += _names(stage.plugs)
        else:
            found.append("NumPy")
    return found


def _chained(plugs: tuple[Plug, ...]) -> Plug:
    return plugs[0] if len(plugs) == 1 else Plug("Chain", {}, plugs)
