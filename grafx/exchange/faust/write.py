"""A graph as one program: a function for each node, and how they are wired."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...errors import ExchangeError
from ...files import write_text
from ...text import free_name
from ..carried import Written
from ..parts import Part, parts_of
from .compare import compared
from .containers import aligned, crossfaded, late
from .draft import Draft, Scope, Signal, identifier, plain, slider, total
from .engine import available
from .helpers import helpers_for
from .kinds import write
from .program import Function, Program

LETTERS = "xyzuv"  # of the arguments of functions, one for each inlet
WIRE = re.compile(r"\b(?:in\d+_\d+|n\d+(?:_\d+)+)\b")


def to_faust(
    G: GRAFX,
    sample_rate: int,
    processors: Mapping[str, nn.Module] | None = None,
    channels: int | Sequence[int] = 2,
    name: str = "grafx",
) -> Program:
    """Write a graph as a program in Faust.

    Args:
        G: The graph, whose nodes hold their parameters: raw tensors, physical values or both.
        sample_rate: In Hz, for which the processors were made.
        processors: As of :func:`~grafx.exchange.write_graph`.
        channels: Number of channels of each ``in`` node, or one for each in id order.
        name: That of the program.

    Raises:
        ExchangeError: A node has no exact form in Faust: which, why, what to do.
    """
    return program_of(parts_of(G, sample_rate, processors), sample_rate, channels, name)


def write_faust(
    G: GRAFX,
    out: Path,
    sample_rate: int,
    *,
    stems: Tensor | None = None,
    processors: Mapping[str, nn.Module] | None = None,
) -> Written:
    """Write a graph as a ``.dsp`` file in Faust, see :func:`~grafx.exchange.write_graph`.

    Where cyfaust is installed, each node and the whole are played, and compared with the graph.

    Raises:
        ExchangeError: A node has no exact form in Faust: which, why, what to do.
    """
    parts = parts_of(G, sample_rate, processors)
    program = program_of(parts, sample_rate, 2 if stems is None else stems.shape[1], out.stem)
    heard = compared(parts, program, stems, sample_rate) if available() else None
    write_text(out, program.code)
    return Written([out], program.carried) if heard is None else Written([out], *heard)


def program_of(parts: Sequence[Part], sample_rate: int, channels: int | Sequence[int], name: str) -> Program:
    """Write the nodes of a graph, each behind those that it hears, see :func:`to_faust`."""
    inputs = sorted(part.id for part in parts if part.type == "in")
    counts = [channels] * len(inputs) if isinstance(channels, int) else list(channels)
    if len(counts) != len(inputs):
        raise ExchangeError(f"The graph has {len(inputs)} inputs, but there are {len(counts)} numbers of channels.")
    arguments = {i: [f"in{i}_{c}" for c in range(count)] for i, count in zip(inputs, counts, strict=True)}
    earliest = min([0, *(part.placement.delay_samples for part in parts if part.type == "in")])
    labels = _labels(parts)
    steps, functions = [], []
    signals: dict[tuple[int, int], tuple[Signal, int]] = {}
    for part in parts:
        if part.type == "in":
            signals[part.id, 0] = _placed(part, arguments[part.id], earliest), -earliest
            continue
        inlets, latency = _heard(part, signals)
        if part.processor is None:
            steps.append(step := Wiring([f"n{part.id}_{c}" for c in range(len(inlets[0]))], inlets[0]))
            signals[part.id, 0] = step.makes, latency
            continue
        counts = [len(each) for each in inlets]
        functions.append(function := _function(part, labels[part.id], counts, sample_rate))
        call = _called(function.name, [channel for inlet in inlets for channel in inlet])
        names = [[f"n{part.id}_{i}_{c}" for c in range(count)] for i, count in enumerate(function.outlets)]
        steps.append(Wiring([name for outlet in names for name in outlet], [call]))
        signals |= {(part.id, i): (outlet, latency + function.latency) for i, outlet in enumerate(names)}
    outs = sorted(part.id for part in parts if part.type == "out")
    heard, latest = aligned([signals[i, 0] for i in outs])
    ends = [channel for signal in heard for channel in signal]
    process = _process([channel for i in inputs for channel in arguments[i]], [*steps, Wiring([], ends)])
    code = "\n\n".join([*(function.code for function in functions), process])
    header = _header(name, sample_rate, latest, functions)
    whole = "\n\n".join(piece for piece in (header, helpers_for(code), code) if piece)
    return Program(f"{whole}\n", functions, latest, [len(signal) for signal in heard])


def _labels(parts: Sequence[Part]) -> dict[int, str]:
    """What the groups of nodes are called, each otherwise: Faust refuses two sliders of one path."""
    labels: dict[int, str] = {}
    for part in parts:
        labels[part.id] = free_name(plain(part.name), lambda label: label in labels.values())
    return labels


def _placed(part: Part, x: Signal, earliest: int) -> Signal:
    """The stem of an input: later than the earliest of all, inverted, or left out."""
    if part.placement.left_out:
        return ["0"] * len(x)
    delay = part.placement.delay_samples
    if delay < 0:  # What would be heard before the beginning is not heard at all.
        x = [f"({channel}*(ba.time >= {-delay}))" for channel in x]
    x = late(x, delay - earliest)
    return [f"(0 - {channel})" for channel in x] if part.placement.inverted else x


def _heard(part: Part, signals: Mapping[tuple[int, int], tuple[Signal, int]]) -> tuple[list[Signal], int]:
    """What the inlets of a node sum, all as late as the latest, and how late that is."""
    delayed, latency = aligned([signals[source] for inlet in part.inlets for source in inlet])
    heard = iter(delayed)
    inlets = [_sum(part, [next(heard) for _ in inlet]) for inlet in part.inlets]
    return [each or ["0"] * len(inlets[0]) for each in inlets], latency


def _sum(part: Part, signals: Sequence[Signal]) -> Signal:
    count = max(map(len, signals), default=0)
    if others := {len(signal) for signal in signals} - {1, count}:
        raise ExchangeError(
            f"{part.place} sums signals of {min(others)} and of {count} channels, which do not fit together: give all"
            " inputs as many channels, or one."
        )
    signals = [signal if len(signal) == count else signal * count for signal in signals]
    return [total(list(channels)) for channels in zip(*signals, strict=True)]


def _function(part: Part, label: str, counts: Sequence[int], sample_rate: int) -> Function:
    assert part.processor is not None, "it is no input, output or sum"
    name = identifier(f"{part.type}_{part.id}")
    scope = Scope(part.place, f"[{part.id:03d}]{label}", sample_rate, write)
    inlets = [[f"{LETTERS[i % 5] * (1 + i // 5)}{c}" for c in range(count)] for i, count in enumerate(counts)]
    outlets = write(Draft(scope, part.processor, part.raw, inlets))
    if part.wet != 1:
        share = scope.define("wet", slider(scope, ["wet"], part.wet, 0.0, 1.0))
        dry = late(inlets[0], scope.latency) if part.passes_dry else ["0"] * len(inlets[0])
        outlets = [
            crossfaded(dry, [scope.define(f"wet{i}_{c}", each) for c, each in enumerate(outlet)], share)
            for i, outlet in enumerate(outlets)
        ]
    ends = ", ".join(f"({channel})" if ":" in channel else channel for outlet in outlets for channel in outlet)
    lines = [f"    {own} = {expression};" for own, expression in scope.definitions.items()]
    head = f"// {plain(part.name)}: {type(part.processor).__name__}."
    body = "\n".join(["", "with {", *lines, "};"]) if lines else ";"
    code = f"{head}\n{_called(name, [channel for inlet in inlets for channel in inlet])} = {ends}{body}"
    return Function(
        part, name, code, counts, [len(outlet) for outlet in outlets], scope.latency, "; ".join(scope.notes)
    )


@dataclass(frozen=True)
class Wiring:
    """What is computed of the wires before.

    Attributes:
        makes: Names of the wires that it makes.
        expressions: What they are, together.
    """

    makes: Signal
    expressions: Signal

    @property
    def reads(self) -> set[str]:
        """The wires that it reads."""
        return set(WIRE.findall(" ".join(self.expressions)))


def _process(inputs: Signal, steps: Sequence[Wiring]) -> str:
    """One step after another, each of which gets the wires that it or a later one reads.

    A step is written once, as Faust would go through it again for each of its outputs that is picked.
    """
    later: list[set[str]] = [set()]
    for step in reversed(steps):
        later.append(later[-1] | step.reads)
    later = later[::-1][1:]
    lines, live = [], inputs
    for step, read in zip(steps, later, strict=True):
        kept = [wire for wire in live if wire in read]
        made = ", ".join([*kept, *step.expressions])
        lines.append(f"\\({', '.join(live)}).({made})" if live else f"({made})")
        live = [*kept, *step.makes]
    return "process = " + "\n    : ".join(lines) + ";"


def _called(name: str, arguments: Sequence[str]) -> str:
    return f"{name}({', '.join(arguments)})" if arguments else name


def _header(name: str, sample_rate: int, latency: int, functions: Sequence[Function]) -> str:
    lines = [f'declare name "{plain(name)}";', f'declare sample_rate "{sample_rate}";']
    if latency:
        lines.append(f'declare latency_samples "{latency}";')
    lines.append("// To be compiled in double precision (-double).")
    noted = [f"// {plain(f.part.name)}: {f.note}." for f in functions if f.note]
    if noted:
        lines += [*noted, f"// What is fixed is so for {sample_rate} Hz; all sliders hold at any sample rate."]
    return "\n".join([*lines, 'import("stdfaust.lib");'])
