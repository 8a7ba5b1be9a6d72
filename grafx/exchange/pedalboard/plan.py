"""A graph as steps: each a sum of signals, and stages that it goes through."""

import builtins
import keyword
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...errors import ExchangeError
from ...text import free_name
from ..carried import Carried
from ..distance import level_of_difference
from ..excerpts import excerpt
from ..parts import Part, heard, parts_of, play
from .job import Job
from .live import run
from .memory import remembered
from .stages import Channels, Shift, Stages, Sum, added, blended, describe, gain, simplified
from .translate import Rendition, routes_of, translated

Sounds: TypeAlias = Mapping[int, Sequence[Tensor]]
"""Id to the sounds of the outlets of a node."""
NOISE_SECONDS, MOST_SECONDS = 4.0, 20.0
TAKEN = {
    *keyword.kwlist,
    *dir(builtins),
    "np",
    "sys",
    "Path",
    "AudioFile",
    "Pedalboard",
    "mix",
    "read",
    "write",
    "both_ways",
    "shifted",
}
"""Names that signals of a script cannot have."""


@dataclass(frozen=True)
class BoardStep:
    """A signal, ``(2, L)``.

    Attributes:
        name: Its name, that of a variable.
        sources: Names of the signals that it is a sum of; the number of a stem where it is one.
        stages: What that sum goes through.
        nodes: The nodes that do this.
    """

    name: str
    sources: tuple[str, ...] | int
    stages: Stages = ()
    nodes: tuple[int, ...] = ()


@dataclass(frozen=True)
class BoardPlan:
    """How a graph is computed.

    Attributes:
        steps: Each behind those that it hears; those of stems first, in the order of the ``in`` nodes.
        outputs: Names of the signals at the ``out`` nodes, in id order.
        carried: How each processor is carried over.
        ahead: By how many samples some signals must be longer, as later steps make them earlier.
        sample_rate: In Hz.
        names: Those of the stems.
    """

    steps: Sequence[BoardStep]
    outputs: Sequence[str]
    carried: Sequence[Carried]
    ahead: int
    sample_rate: int
    names: Sequence[str]


def played(
    G: GRAFX, sample_rate: int, stems: Tensor | None = None, processors: Mapping[str, nn.Module] | None = None
) -> tuple[list[Part], Tensor, Sounds]:
    """Play a graph.

    Args:
        G: The graph.
        sample_rate: In Hz.
        stems: ``(K, C, L)``, for the ``in`` nodes in id order; noise where there are none. Of long ones the loudest
            20 seconds count.
        processors: Node type to processor, in addition to those of a console and the classes of processors.

    Returns:
        Its nodes, what of the stems was played, in stereo, and the sound of each node, see :func:`.play`.

    Raises:
        ExchangeError: It has no inputs, or other nodes that generate sound.
    """
    parts = parts_of(G, sample_rate, processors)
    number = len(_inputs(parts))
    seconds = NOISE_SECONDS if stems is None else MOST_SECONDS
    heard_of_stems = excerpt(stems, number, int(seconds * sample_rate), sample_rate).expand(-1, 2, -1)
    return parts, heard_of_stems, play(parts, heard_of_stems)


def plan_of(G: GRAFX, parts: Sequence[Part], sounds: Sounds, sample_rate: int, responses: bool = False) -> BoardPlan:
    """Carry a graph over.

    Args:
        G: The graph.
        parts: Its nodes.
        sounds: Theirs, to which is fitted.
        sample_rate: In Hz.
        responses: Convolve with the responses of all linear processors that have no plug-in of their kind.

    Raises:
        ExchangeError: A node cannot be carried over.
    """
    inputs = _inputs(parts)
    steps = [_stem_step(part, number) for number, part in enumerate(inputs)]
    carried: list[Carried] = []
    for part in parts:
        if part.processor is None:
            steps += [] if part.type == "in" else [BoardStep(_outlet(part.id, 0), _sources(part)[0], (), (part.id,))]
            continue
        stereo = [signal.expand(2, -1) for signal in heard(part, sounds)]
        share = part.wet, 1 - part.wet if part.passes_dry else 0.0
        job = Job(part.processor, part.raw, part.place, sample_rate, stereo[0], share, responses)
        routes, told = _routes(part, job, stereo, sounds[part.id], G.nodes[part.id])
        carried.append(told)
        steps += _steps(part, routes)
    outputs = [_outlet(part.id, 0) for part in sorted(parts, key=lambda part: part.id) if part.type == "out"]
    merged = _merged(steps, outputs)
    ahead = sum(_ahead(step.stages) for step in merged)
    texts = {part.id: _text(part, G.nodes[part.id]) for part in parts}
    return BoardPlan(*_named(merged, outputs, texts), carried, ahead, sample_rate, [part.name for part in inputs])


def _inputs(parts: Sequence[Part]) -> list[Part]:
    """The ``in`` nodes, in id order, of a graph that has no other sources."""
    inputs = sorted((part for part in parts if part.type == "in"), key=lambda part: part.id)
    for part in parts:
        if part.processor is not None and not part.inlets:
            raise ExchangeError(
                f"{part.place} ({type(part.processor).__name__}) generates sound, for which pedalboard has no plug-in:"
                " render it into a stem, and put an 'in' node in its place."
            )
    if not inputs:
        raise ExchangeError("The graph has no input, and pedalboard processes sound: put an 'in' node into it.")
    return inputs


def _stem_step(part: Part, number: int) -> BoardStep:
    late = (Shift(part.placement.delay_samples),) if part.placement.delay_samples else ()
    stages = (*late, *(gain(-1.0) if part.placement.inverted else ()))
    return BoardStep(_outlet(part.id, 0), number, stages, (part.id,))


def _steps(part: Part, routes: Sequence[Sequence[Stages | None]]) -> list[BoardStep]:
    """A step for each outlet of a processor, behind one for each inlet where it hears several."""
    steps = []
    for outlet, route in enumerate(routes):
        name, sources = _outlet(part.id, outlet), _sources(part)
        branches = [(sources[k], stages) for k, stages in enumerate(route) if stages is not None and sources[k]]
        if len(branches) == 1:
            steps.append(BoardStep(name, *branches[0], (part.id,)))
            continue
        ends = [BoardStep(f"{name} {k}", *branch, (part.id,)) for k, branch in enumerate(branches)]
        steps += [*ends, BoardStep(name, tuple(end.name for end in ends), (), (part.id,))]
    return steps


def _sources(part: Part) -> list[tuple[str, ...]]:
    """Names of the signals at each inlet."""
    return [tuple(_outlet(*source) for source in inlet) for inlet in part.inlets]


def _outlet(node: int, outlet: int) -> str:
    """The name of a signal until all are named."""
    return f"{node}.{outlet}"


def _routes(
    part: Part, job: Job, inlets: list[Tensor], outlets: Sequence[Tensor], data: Mapping[str, object]
) -> tuple[list[list[Stages | None]], Carried]:
    """What each outlet gets of each inlet, and how well."""
    ours = torch.cat([each.expand(2, -1) for each in outlets])
    if not ours.isfinite().all():
        raise job.refused("its sound is not finite", "set its parameters to numbers")
    others = [None] * (len(inlets) - 1)
    if (several := routes_of(job)) is not None:
        found = Rendition((), several[1])
        shares = [job.share, *[(part.wet, 0.0)] * len(others)]
        routes = [
            [None if stages is None else blended(stages, *own) for stages, own in zip(route, shares, strict=True)]
            for route in several[0]
        ]
    else:
        found = _found(part, job, data)
        routes = [[simplified(found.stages), *others]]
    theirs = torch.cat([_heard_through(route, inlets, job.sample_rate) for route in routes])
    became = describe(tuple(stage for route in routes for stages in route if stages for stage in stages)) or "as it is"
    away = round(level_of_difference(theirs, ours), 2)
    return routes, Carried(part.id, part.type, found.how, became, away, found.note)


def _found(part: Part, job: Job, data: Mapping[str, object]) -> Rendition:
    """What stands for a node with one outlet."""
    if part.wet == 0:  # nothing of it is heard
        return Rendition(blended((), *job.share))
    if sum(map(bool, part.inlets)) > 1:
        raise job.refused("it hears another signal, and plug-ins have one input", "remove the cable to that inlet")
    own = remembered(part, data, job.sample_rate)
    return translated(job) if own is None else Rendition(own, note="its own settings")


def _heard_through(route: Sequence[Stages | None], inlets: Sequence[Tensor], sample_rate: int) -> Tensor:
    ahead = max(_ahead(stages) for stages in route if stages is not None)
    length = inlets[0].shape[-1]
    longer = [torch.nn.functional.pad(signal, (0, ahead)) for signal in inlets]
    sounds = [
        run(stages, signal, sample_rate) for stages, signal in zip(route, longer, strict=True) if stages is not None
    ]
    return torch.stack(sounds).sum(0)[:, :length]


def _ahead(stages: Stages) -> int:
    """By how many samples stages make a signal earlier."""
    total = 0
    for stage in stages:
        if isinstance(stage, Shift):
            total += max(0, -stage.samples)
        elif isinstance(stage, Channels):
            total += max(_ahead(stage.left), _ahead(stage.right))
        elif isinstance(stage, Sum):
            total += max(map(_ahead, stage.branches))
    return total


def _merged(steps: Sequence[BoardStep], outputs: Iterable[str]) -> list[BoardStep]:
    """Chains as one step each, and branches that meet again as a sum in one."""
    steps = list(steps)
    while (fewer := _without_one(steps, Counter(outputs))) is not None:
        steps = fewer
    return steps


def _without_one(steps: list[BoardStep], outputs: Counter[str]) -> list[BoardStep] | None:
    by_name = {step.name: step for step in steps}
    uses = outputs + Counter(name for step in steps if not isinstance(step.sources, int) for name in step.sources)
    for step in steps:
        if isinstance(step.sources, int) or not step.sources:
            continue
        before = [by_name[name] for name in step.sources]
        if len(before) == 1 and not isinstance(before[0].sources, int) and uses[before[0].name] == 1:
            whole = replace(
                step,
                sources=before[0].sources,
                stages=(*before[0].stages, *step.stages),
                nodes=(*before[0].nodes, *step.nodes),
            )
            return [whole if each is step else each for each in steps if each is not before[0]]
        if (whole := _parallel(step, before, uses)) is not None:
            kept = whole.sources if isinstance(whole.sources, tuple) else ()
            gone = {each.name for each in before} - set(kept)
            return [whole if each is step else each for each in steps if each.name not in gone]
    return None


def _parallel(step: BoardStep, before: Sequence[BoardStep], uses: Mapping[str, int]) -> BoardStep | None:
    """A step of branches that come from one signal."""
    if len(before) < 2:
        return None
    origins = {each.sources if _is_branch(each, uses) else (each.name,) for each in before}
    if len(origins) != 1:
        return None
    (origin,) = origins
    branches = [each if _is_branch(each, uses) else None for each in before]
    if not any(branches):
        return None
    stages = added(*(branch.stages if branch else () for branch in branches))
    nodes = tuple(node for branch in branches if branch for node in branch.nodes)
    return replace(step, sources=origin, stages=(*stages, *step.stages), nodes=(*nodes, *step.nodes))


def _is_branch(step: BoardStep, uses: Mapping[str, int]) -> bool:
    return not isinstance(step.sources, int) and len(step.sources) == 1 and uses[step.name] == 1


def _named(
    steps: Sequence[BoardStep], outputs: Sequence[str], texts: Mapping[int, str]
) -> tuple[list[BoardStep], list[str]]:
    """Signals by where they begin; those that replace what they are made of have its name: ``kick = …(kick)``."""
    uses = Counter(outputs) + Counter(n for step in steps if not isinstance(step.sources, int) for n in step.sources)
    now: dict[str, str] = {}
    names, renamed = _Names(), []
    for step in steps:
        sources = step.sources if isinstance(step.sources, int) else tuple(now[name] for name in step.sources)
        only = step.sources[0] if not isinstance(step.sources, int) and len(step.sources) == 1 else None
        kept = only is not None and uses[only] == 1
        now[step.name] = now[only] if kept and only else names.new(texts[step.nodes[0]])
        renamed.append(replace(step, name=now[step.name], sources=sources))
    return renamed, [now[name] for name in outputs]


def _text(part: Part, data: Mapping[str, object]) -> str:
    """What a signal is called that begins at a node."""
    if part.type == "out":
        return "output"
    owner = data.get("owner")
    return f"{owner}_{part.type}" if part.processor is not None and owner and not data.get("name") else part.name


class _Names:
    """Names of variables, each once."""

    def __init__(self) -> None:
        self._given: set[str] = set(TAKEN)

    def new(self, text: str) -> str:
        plain = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower() or "signal"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        name = free_name(plain, self._given.__contains__, "_")
        self._given.add(name)
        return name
