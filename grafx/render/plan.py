"""Render plan of a graph, worked out once: :class:`RenderData`."""

import html
import itertools
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..data.configs import NodeConfigs
from ..data.conversion import convert_to_tensor
from ..data.graph import GRAFX
from ..data.tensor import GRAFXTensor
from ..errors import RenderError
from ..words import count, tally

MOST_STEPS, LAST_STEPS, MOST_PARTS = 60, 10, 8
"""How much is printed: steps in all and at the end, and what an inlet reads."""


class Read(NamedTuple):
    """Signals of consecutive nodes: a segment of the output of an earlier step."""

    step: int
    outlet: int
    segment: int


class InletPart(NamedTuple):
    """Rows of an inlet's signal.

    Either one read whose rows are taken unchanged, or one row that is the sum of all rows of all its reads. A part
    without reads is one silent row.
    """

    reads: tuple[Read, ...]
    summed: bool


@dataclass(frozen=True)
class RenderStep:
    """One batched call.

    Attributes:
        node_type: Type of all its nodes.
        inlet_names, outlet_names: Its inlets and outlets.
        nodes: Range of their ids, end exclusive.
        rows: Range of their rows in the parameters of that type, end exclusive.
        inlets: For each inlet the parts whose concatenation is its signal.
        segments: For each outlet, the lengths into which its signal is split for its readers.
        frees: Steps whose signals are not read after this one.
    """

    node_type: str
    inlet_names: tuple[str, ...]
    outlet_names: tuple[str, ...]
    nodes: tuple[int, int]
    rows: tuple[int, int]
    inlets: tuple[tuple[InletPart, ...], ...]
    segments: tuple[tuple[int, ...], ...]
    frees: tuple[int, ...]

    @property
    def num_nodes(self) -> int:
        return self.nodes[1] - self.nodes[0]

    @property
    def node_names(self) -> str:
        """The ids for messages: ``"3"`` or ``"3 to 7"``."""
        first, last = self.nodes[0], self.nodes[1] - 1
        return f"{first}" if first == last else f"{first} to {last}"


@dataclass(frozen=True, repr=False)
class RenderData:
    """All steps of a render. Plain data: it can be compared, pickled and printed.

    Attributes:
        method: Method of the schedule.
        num_nodes: Number of nodes of the graph.
        max_order: Index of the last step.
        siso_only: Whether no type has more than one inlet and one outlet.
        iter_list: The steps.
    """

    method: str | None
    num_nodes: int
    max_order: int
    siso_only: bool
    iter_list: tuple[RenderStep, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of nodes of each type that occurs."""
        return {step.node_type: step.rows[1] for step in self.iter_list}

    def to(self, *args: Any, **kwargs: Any) -> "RenderData":  # noqa: ARG002
        """Itself, on any device: loops of training move all that a batch holds, and this holds no tensors."""
        return self

    def step_of(self, node_type: str) -> RenderStep:
        """The first step of a type."""
        return next(step for step in self.iter_list if step.node_type == node_type)

    def describe_nodes(self, node_type: str) -> str:
        """Format the ids of a type's nodes for messages: ``"node 3"`` or ``"nodes 3, 5 to 7"``."""
        names = [step.node_names for step in self.iter_list if step.node_type == node_type]
        shown = [*names[:8], "…"] if len(names) > 9 else names
        return f"node{'s' * (self.counts[node_type] > 1)} {', '.join(shown)}"

    def __repr__(self) -> str:
        size = f"{count(self.num_nodes, 'node')} in {count(len(self.iter_list), 'step')}, method {self.method!r}"
        types = tally(step.node_type for step in self.iter_list for _ in range(step.num_nodes))
        return f"RenderData({size}{types and ': '}{types})"

    def __str__(self) -> str:
        lines = [f"Rendering of {self.num_nodes} nodes in {len(self.iter_list)} steps (method: {self.method})."]
        steps = list(enumerate(self.iter_list))
        left = len(steps) - MOST_STEPS
        shown = steps if left <= 0 else [*steps[: MOST_STEPS - LAST_STEPS], *steps[-LAST_STEPS:]]
        for number, (index, step) in enumerate(shown):
            if left > 0 and number == MOST_STEPS - LAST_STEPS:
                lines.append(f"\n… {count(left, 'more step')}")
            lines.append(f"\nStep #{index}: {step.num_nodes} x {step.node_type}")
            lines += [f"- Inlet {i}: {_describe_parts(parts)}" for i, parts in enumerate(step.inlets)]
            lines.append(f"- Nodes: {step.nodes[0]} to {step.nodes[1] - 1}, parameters from row {step.rows[0]}")
            if step.frees:
                lines.append(f"- Frees the signals of step {', '.join(map(str, step.frees))}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{name}</th>" for name in ("step", "type", "nodes", "ids", "reads"))
        rows = [_row(index, step) for index, step in enumerate(self.iter_list[:MOST_STEPS])]
        if len(self.iter_list) > MOST_STEPS:
            rows.append(f'<tr><td colspan="5">… {count(len(self.iter_list) - MOST_STEPS, "more step")}</td></tr>')
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        return f"<div>{html.escape(repr(self))}</div>{table}"


def _row(index: int, step: RenderStep) -> str:
    reads = sorted({read.step for parts in step.inlets for part in parts for read in part.reads})
    ids = f"{step.nodes[0]}" if step.num_nodes == 1 else f"{step.nodes[0]} to {step.nodes[1] - 1}"
    steps = _shortened([f"{read}" for read in reads])
    cells = (index, step.node_type, step.num_nodes, ids, ", ".join(steps))
    return f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in cells)}</tr>"


def _shortened(words: list[str]) -> list[str]:
    return words if len(words) <= MOST_PARTS else [*words[:MOST_PARTS], f"{len(words) - MOST_PARTS} more"]


def prepare_render(G_t: GRAFXTensor | GRAFX) -> RenderData:
    """Turn a scheduled graph into a list of steps.

    Args:
        G_t: The result of :func:`reorder_for_fast_render`, or its conversion to tensors.

    Returns:
        The steps.

    Raises:
        RenderError: The graph has no schedule, its nodes are not numbered along it, it was edited since, it has no
            ``out`` node, or nothing is connected to the first inlet of a node.
    """
    if isinstance(G_t, GRAFX):
        G_t = convert_to_tensor(G_t)
    if not isinstance(G_t, GRAFXTensor):
        raise RenderError(f"prepare_render takes a GRAFX or a GRAFXTensor, not a {type(G_t).__name__}.")
    steps = _consecutive_steps(G_t)
    where = {node: (index, node - nodes.start) for index, nodes in enumerate(steps) for node in nodes}
    _refuse_stale(G_t, steps, where)
    reads = _reads_per_inlet(G_t)
    config = G_t.config
    types = [config.node_types[G_t.node_types[nodes.start]] for nodes in steps]
    runs = [
        [_runs(config, node_type, nodes, inlet, reads, where) for inlet in range(config.num_inlets[node_type])]
        for node_type, nodes in zip(types, steps, strict=True)
    ]
    cuts = _cuts(config, types, steps, runs)
    frees = _frees(types, runs)
    next_row: dict[str, int] = {}
    iter_list = []
    for index, (node_type, nodes) in enumerate(zip(types, steps, strict=True)):
        row = next_row.get(node_type, 0)
        next_row[node_type] = row + len(nodes)
        iter_list.append(
            RenderStep(
                node_type=node_type,
                inlet_names=tuple(config[node_type]["inlets"]),
                outlet_names=tuple(config[node_type]["outlets"]),
                nodes=(nodes.start, nodes.stop),
                rows=(row, row + len(nodes)),
                inlets=tuple(tuple(_part(inlet_runs, cuts) for inlet_runs in inlet) for inlet in runs[index]),
                segments=tuple(
                    _lengths(cuts[index, outlet]) for outlet in range(max(1, config.num_outlets[node_type]))
                ),
                frees=frees[index],
            )
        )
    return RenderData(
        method=G_t.rendering_order_method,
        num_nodes=G_t.num_nodes,
        max_order=len(steps) - 1,
        siso_only=config.siso_only,
        iter_list=tuple(iter_list),
    )


class _Run(NamedTuple):
    """Consecutive rows of an earlier step's outlet."""

    step: int
    outlet: int
    start: int
    stop: int


def _consecutive_steps(G_t: GRAFXTensor) -> list[range]:
    if G_t.rendering_orders is None:
        raise RenderError("The graph has no schedule: call reorder_for_fast_render on it first.")
    orders = G_t.rendering_orders.tolist()
    if orders != sorted(orders):
        raise RenderError("Node ids do not follow the schedule: call reorder_for_fast_render on the graph again.")
    present = set(G_t.node_types.tolist())
    if 1 not in present:
        raise RenderError("The graph has no 'out' node: add one and connect to it what should be heard.")
    bounds = [i for i, order in enumerate(orders) if i == 0 or order != orders[i - 1]]
    return [range(start, stop) for start, stop in zip(bounds, [*bounds[1:], len(orders)], strict=True)]


def _refuse_stale(G_t: GRAFXTensor, steps: list[range], where: dict[int, tuple[int, int]]) -> None:
    """Refuse a graph that was edited after scheduling, as networkx functions do."""
    types = G_t.node_types.tolist()
    stale = [
        node
        for node, (index, _) in where.items()
        if types[node] != types[steps[index].start] or index != {0: 0, 1: len(steps) - 1}.get(types[node], index)
    ]
    stale += [dest for source, dest in G_t.edge_indices.T.tolist() if where[source][0] >= where[dest][0]]
    if stale:
        raise RenderError(
            f"The schedule is out of date at node {stale[0]} ({G_t.config.node_types[types[stale[0]]]}): call"
            " reorder_for_fast_render on the graph again."
        )


def _reads_per_inlet(G_t: GRAFXTensor) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Map ``(dest, inlet)`` to ``(source, outlet)``, in ascending order."""
    plugs = [(0, 0)] * G_t.num_edges if G_t.edge_types is None else G_t.edge_types.tolist()
    reads: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for (source, dest), (outlet, inlet) in zip(G_t.edge_indices.T.tolist(), plugs, strict=True):
        reads.setdefault((dest, inlet), []).append((source, outlet))
    return {key: sorted(sources) for key, sources in reads.items()}


def _runs(config: NodeConfigs, node_type: str, nodes: range, inlet: int, reads: dict, where: dict) -> list:
    """The rows of one inlet's signal: ``[_Run, ...]`` for a sum, a bare ``_Run`` for rows taken as they are."""
    parts: list[Any] = []
    for node in nodes:
        sources = reads.get((node, inlet), [])
        if not sources and inlet == 0:
            name = config[node_type]["inlets"][0]
            raise RenderError(
                f"Nothing is connected to the inlet '{name}' of node {node} ({node_type}): connect a source to it or"
                " remove the node."
            )
        rows = [(where[source], outlet) for source, outlet in sources]
        # Lone rows join those of the nodes before; rows of a sum join each other.
        joined = parts if len(rows) == 1 else []
        for step, outlet, row in sorted((step, outlet, row) for (step, row), outlet in rows):
            _append_row(joined, step, outlet, row)
        if joined is not parts:
            parts.append(joined)
    return parts


def _append_row(runs: list, step: int, outlet: int, row: int) -> None:
    """Extend the last run if the row follows it, otherwise start another."""
    last = runs[-1] if runs else None
    if isinstance(last, _Run) and (last.step, last.outlet, last.stop) == (step, outlet, row):
        runs[-1] = last._replace(stop=row + 1)
    else:
        runs.append(_Run(step, outlet, row, row + 1))


def _all_runs(inlets: list) -> Iterable[_Run]:
    for parts in inlets:
        for part in parts:
            yield from [part] if isinstance(part, _Run) else part


def _cuts(config: NodeConfigs, types: list[str], steps: list[range], runs: list) -> dict[tuple[int, int], list[int]]:
    """Find the cuts of each outlet's signal, so that every run that is read consists of whole segments."""
    cuts = {
        (index, outlet): {0, len(nodes)}
        for index, (node_type, nodes) in enumerate(zip(types, steps, strict=True))
        for outlet in range(max(1, config.num_outlets[node_type]))
    }
    for inlets in runs:
        for run in _all_runs(inlets):
            cuts[run.step, run.outlet] |= {run.start, run.stop}
    return {key: sorted(points) for key, points in cuts.items()}


def _frees(types: list[str], runs: list) -> list[tuple[int, ...]]:
    """List for each step the steps whose signals are not read after it."""
    last_reader = {index: index for index, node_type in enumerate(types) if node_type != "out"}
    for index, inlets in enumerate(runs):
        last_reader.update((run.step, index) for run in _all_runs(inlets))
    frees: list[tuple[int, ...]] = [() for _ in types]
    for step, reader in last_reader.items():
        frees[reader] += (step,)
    return frees


def _part(part, cuts: dict[tuple[int, int], list[int]]) -> InletPart:
    summed = not isinstance(part, _Run)
    reads = tuple(read for run in (part if summed else [part]) for read in _segments(run, cuts))
    return InletPart(reads, summed)


def _segments(run: _Run, cuts: dict[tuple[int, int], list[int]]) -> list[Read]:
    points = cuts[run.step, run.outlet]
    first, last = bisect_left(points, run.start), bisect_left(points, run.stop)
    return [Read(run.step, run.outlet, segment) for segment in range(first, last)]


def _lengths(points: list[int]) -> tuple[int, ...]:
    return tuple(stop - start for start, stop in itertools.pairwise(points))


def _describe_parts(parts: tuple[InletPart, ...]) -> str:
    words = []
    for part in parts[: MOST_PARTS + 1]:
        names = _shortened([f"step {r.step}, outlet {r.outlet}, segment {r.segment}" for r in part.reads])
        words.append("; ".join(names) if not part.summed else f"sum of ({' + '.join(names)})" if names else "silence")
    return " | ".join(_shortened(words + [""] * (len(parts) - len(words))))
