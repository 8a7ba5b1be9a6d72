"""A graph as one program: a function for each node, and how they are wired."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...errors import ExchangeError
from ...files import replacing
from ..carried import Carried, Written
from ..distance import distance_between
from ..parts import Part, parts_of, play
from .block import Block, Scope, Signal, identifier, plain, slider, total
from .containers import aligned, crossfaded, late
from .engine import Engine, available
from .helpers import helpers_for
from .kinds import write

COMPARED = 2.0  # seconds of sound, by which a program is compared with the graph
NOISE = 0.1  # level of it in place of stems


@dataclass(frozen=True)
class Program:
    """A graph in Faust.

    Attributes:
        code: The program.
        carried: What became of each node.
        latency: By how many samples its sound is later than that of the graph.
        outs: The numbers of channels of the ``out`` nodes, in id order.
    """

    code: str
    carried: Sequence[Carried]
    latency: int
    outs: Sequence[int]


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
        sample_rate: In Hz, of the processors, and what the program has to run at where its header says so.
        processors: As of :func:`~grafx.exchange.write_graph`.
        channels: Number of channels of each ``in`` node, or one for each in id order.
        name: That of the program.

    Raises:
        ExchangeError: A node has no exact form in Faust: which, why, what to do.
    """
    return _program(parts_of(G, sample_rate, processors), sample_rate, channels, name)


def write_faust(
    G: GRAFX,
    out: Path,
    sample_rate: int,
    *,
    stems: Tensor | None = None,
    processors: Mapping[str, nn.Module] | None = None,
) -> Written:
    """Write a graph as a ``.dsp`` file in Faust, see :func:`~grafx.exchange.write_graph`.

    Where cyfaust is installed, the program is played, and compared with the graph.

    Raises:
        ExchangeError: A node has no exact form in Faust: which, why, what to do.
    """
    parts = parts_of(G, sample_rate, processors)
    inputs = sum(part.type == "in" for part in parts)
    if stems is None:
        stems = NOISE * torch.randn(inputs, 2, int(COMPARED * sample_rate), generator=torch.Generator().manual_seed(0))
    program = _program(parts, sample_rate, stems.shape[1], out.stem)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial:
        partial.write_text(program.code, encoding="utf-8", newline="\n")
    if not available():
        return Written([out], program.carried)
    ours, theirs = _both(parts, program, stems[..., : int(COMPARED * sample_rate)], sample_rate)
    return Written([out], program.carried, distance_between(theirs, ours, sample_rate))


def _both(parts: Sequence[Part], program: Program, stems: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
    """The sound of the graph and of the program, all outs one after another, ``(C, L)``."""
    sounds = play(parts, stems)
    ours = torch.cat([sounds[part.id][0] for part in sorted(parts, key=lambda part: part.id) if part.type == "out"])
    return ours, Engine(program.code, sample_rate).play(stems.flatten(0, 1), program.latency)


def _program(parts: Sequence[Part], sample_rate: int, channels: int | Sequence[int], name: str) -> Program:
    inputs = sorted(part.id for part in parts if part.type == "in")
    counts = [channels] * len(inputs) if isinstance(channels, int) else list(channels)
    if len(counts) != len(inputs):
        raise ExchangeError(f"The graph has {len(inputs)} inputs, but there are {len(counts)} numbers of channels.")
    arguments = {i: [f"in{i}_{c}" for c in range(count)] for i, count in zip(inputs, counts, strict=True)}
    earliest = min([0, *(part.placement.delay_samples for part in parts if part.type == "in")])
    functions, wires, carried = [], [], []
    signals: dict[tuple[int, int], tuple[Signal, int]] = {}
    for part in parts:
        if part.type == "in":
            placement = part.placement
            x = late(arguments[part.id], placement.delay_samples - earliest)
            x = ["0"] * len(x) if placement.left_out else [f"(0 - {c})" for c in x] if placement.inverted else x
            signals[part.id, 0] = x, -earliest
            continue
        inlets, latency = _heard(part, signals)
        if part.processor is None:
            signals[part.id, 0] = [f"w{part.id}_{c}" for c in range(len(inlets[0]))], latency
            wires += [f"{wire} = {sum_};" for wire, sum_ in zip(signals[part.id, 0][0], inlets[0], strict=True)]
            continue
        function, made, own = _function(part, [len(each) for each in inlets], sample_rate)
        functions.append(function)
        carried.append(made)
        wires += _wired(part, inlets, own.outlets)
        for outlet, count in enumerate(own.outlets):
            signals[part.id, outlet] = [f"w{part.id}_{outlet}_{c}" for c in range(count)], latency + own.latency
    outs = sorted(part.id for part in parts if part.type == "out")
    heard, latest = aligned([signals[i, 0] for i in outs])
    ends = [channel for signal in heard for channel in signal]
    given = [name for i in inputs for name in arguments[i]]
    process = f"{_called('process', given)} = {', '.join(ends)}"
    body = "\n".join(["with {", *(f"    {wire}" for wire in wires), "};"])
    code = "\n\n".join(["\n".join(functions), f"{process}\n{body}" if wires else f"{process};"])
    header = _header(name, sample_rate, latest, carried)
    return Program(
        "\n".join([header, helpers_for(code), "", code, ""]), carried, latest, [len(signal) for signal in heard]
    )


def _header(name: str, sample_rate: int, latency: int, carried: Sequence[Carried]) -> str:
    lines = [f'declare name "{plain(name)}";', f'declare sample_rate "{sample_rate}";']
    if latency:
        lines.append(f'declare latency_samples "{latency}";')
    lines.append("// Compile it in double precision (-double).")
    lines += [f"// Node {each.node} ({each.type}): {each.note}." for each in carried if each.note]
    if any(each.note for each in carried):
        lines.append(f"// What is fixed is so for {sample_rate} Hz.")
    return "\n".join([*lines, 'import("stdfaust.lib");', ""])


def _heard(part: Part, signals: Mapping[tuple[int, int], tuple[Signal, int]]) -> tuple[list[Signal], int]:
    """What the inlets of a node sum, all as late as the latest, and how late that is."""
    every = [signals[source] for inlet in part.inlets for source in inlet]
    delayed, latency = aligned(every)
    heard = iter(delayed)
    inlets = [_sum([next(heard) for _ in inlet]) for inlet in part.inlets]
    if inlets and not inlets[0]:
        raise ExchangeError(f"{part.place} has nothing at its first inlet: connect it, or remove the node.")
    return [each or ["0"] * len(inlets[0]) for each in inlets], latency


def _sum(signals: Sequence[Signal]) -> Signal:
    count = max(map(len, signals), default=0)
    signals = [signal if len(signal) == count else signal * count for signal in signals]
    return [total(list(channels)) for channels in zip(*signals, strict=True)]


@dataclass(frozen=True)
class _Made:
    """What the function of a node gives: the channels of its outlets, and how late they are."""

    outlets: Sequence[int]
    latency: int


def _function(part: Part, counts: Sequence[int], sample_rate: int) -> tuple[str, Carried, _Made]:
    name = _function_name(part)
    scope = Scope(part.place, f"[{part.id:03d}]{plain(part.name)}", sample_rate, write)
    inlets = [[f"{'xyzuvw'[i % 6]}{i // 6 or ''}{c}" for c in range(count)] for i, count in enumerate(counts)]
    outlets = write(Block(scope, part.processor, part.raw, inlets))
    if part.wet != 1:
        share = scope.define("wet", slider(scope, ["wet"], part.wet, 0.0, 1.0))
        dry = late(inlets[0], scope.latency) if part.passes_dry else ["0"] * len(inlets[0])
        outlets = [
            crossfaded(dry, [scope.define(f"wet{i}_{c}", each) for c, each in enumerate(outlet)], share)
            for i, outlet in enumerate(outlets)
        ]
    arguments = [channel for inlet in inlets for channel in inlet]
    ends = ", ".join(f"({channel})" if ":" in channel else channel for outlet in outlets for channel in outlet)
    head = f"// {part.name}: {type(part.processor).__name__}.\n{_called(name, arguments)}"
    lines = [f"    {own} = {expression};" for own, expression in scope.definitions.items()]
    body = "\n".join(["", "with {", *lines, "};"]) if lines else ";"
    note = "; ".join(scope.notes)
    carried = Carried(part.id, part.type, "exact", f"{type(part.processor).__name__} in Faust", note=note)
    return f"{head} = {ends}{body}", carried, _Made([len(outlet) for outlet in outlets], scope.latency)


def _function_name(part: Part) -> str:
    return re.sub(r"^(?=\d)", "n", identifier(f"{part.type}_{part.id}"))


def _wired(part: Part, inlets: Sequence[Signal], outlets: Sequence[int]) -> list[str]:
    """The call of the function of a node, and its channels one by one."""
    whole = f"w{part.id}"
    lines = [f"{whole} = {_called(_function_name(part), [channel for inlet in inlets for channel in inlet])};"]
    count, place = sum(outlets), 0
    for outlet, channels in enumerate(outlets):
        for c in range(channels):
            chosen = ", ".join("_" if k == place else "!" for k in range(count))
            lines.append(f"w{part.id}_{outlet}_{c} = {whole} : {chosen};" if count > 1 else f"w{part.id}_0_0 = {whole};")
            place += 1
    return lines


def _called(name: str, arguments: Sequence[str]) -> str:
    return f"{name}({', '.join(arguments)})" if arguments else name
