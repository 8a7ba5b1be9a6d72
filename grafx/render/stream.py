"""Streaming of a graph, block by block: for audio of any length, and in real time."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import networkx as nx
import torch
import torch.nn as nn
from torch import Tensor

from ..data.configs import BUILT_IN_TYPES, NodeConfigs
from ..data.graph import GRAFX
from ..data.queries import get_node_ids_from_type
from ..errors import GraphError, RenderError
from ..processors.base import is_ours
from ..processors.contract import contract_of, latency_of, streaming_fault, tail_of
from ..processors.core.backends.threads import one_thread_if
from ..processors.core.finite import all_finite
from ..processors.core.streaming import Unchanged, first_bad_sample
from ..processors.options import difference, identity_of
from ..processors.stream import Stream
from ..trees import map_tensors, tensors
from .aligned import BEFORE, aligned
from .check import check_inputs
from .gather import Rows, Segments, cut, one_by_one, same_channels
from .parameters import row_of, rows_in_order
from .plan import RenderData, RenderStep, prepare_render
from .render import compute_step, output_of, per_source, rows_of_step
from .renderer import as_modules, as_parameters, config_of, parameters_of, processors_in
from .schedule.order import reorder_for_fast_render

State = dict[str, Any]
BLOCK = 4096
SHORT = 2048
"""Samples; blocks up to that many are rendered on one thread, since others gain little, and where programs want the
cores, a block on several threads waits until each has had one."""


class StreamRenderer(nn.Module):
    """Renderer of one graph block by block, with its memory in :attr:`state`.

    Consecutive blocks of any sizes give the output of :class:`Renderer` on the whole, later by
    :attr:`latency_samples`. Where processors look ahead, other signals wait for theirs, so that all that meet are in
    time with each other, and nothing sounds before the time 0 of the whole. The graph may have cycles: each must lead
    through the first inlet of a delay (a processor with a method ``min_delay_samples``) of at least one block. No
    gradients are kept.

    Args:
        G: The graph. A copy, made ready for blocks and renumbered along its schedule, is kept as ``G``; its nodes have
            their ids in the graph that was given in the attribute ``id_before``, and the attributes of that graph.
        processors: Node type to processor; each has a method ``stream``. They are kept as :class:`Renderer` keeps them.
        parameters: Node type to (nested) raw parameters in id order of ``G`` as it is given, ``(nodes, …)``, or
            ``(sources, nodes, …)`` for blocks of several sources. What is not given is what the nodes hold, or a
            default, see :class:`Renderer`.
        method: The schedule, see :func:`compute_render_order`.
        **schedule_options: Options of the method.

    Attributes:
        G: The graph as it is rendered.
        per_type_parameters: The raw parameters, in id order of ``G``. They may change from block to block, by
            whatever way on the CPU. On a GPU, writes in place through ``parameter.data`` go unnoticed.
        latency_samples: How late the output is.
        state: What it remembers: plain data, nested dicts and tuples of tensors, numbers and words, which
            ``torch.save`` takes; None at the beginning. It says whose it is: the nodes and cables of the graph in the
            order of its schedule, and the processors with their options. To go on from a state that was kept, set it;
            that of others is refused.

    Raises:
        GraphError: As of :class:`Renderer`; a cycle has no delay in it, or something that looks ahead.
        RenderError: A processor cannot run block by block or is missing, or parameters lack rows.

    Examples:
        >>> stream = StreamRenderer(G, processors)
        >>> outputs = [stream(block) for block in stems.split(512, -1)] + [stream.finish()]
        >>> mix = torch.cat(outputs, -1)[..., stream.latency_samples :]
    """

    def __init__(
        self,
        G: GRAFX,
        processors: Mapping[str, nn.Module],
        parameters: Mapping[str, Any] | None = None,
        method: str = "beam",
        **schedule_options,
    ):
        super().__init__()
        if not isinstance(G, GRAFX):
            raise GraphError(f"A StreamRenderer takes a GRAFX, not a {type(G).__name__}.")
        processors = processors_in(G, processors)
        latencies = {node_type: _latency(node_type, processor) for node_type, processor in processors.items()}
        config = config_of(G, processors) if G.config is None else G.config
        parameters = parameters_of(G, processors, parameters)

        def delay_of(node_id: int) -> int | None:
            return _least_delay(G, config, processors, parameters, node_id)

        ready = aligned(G, config, latencies, delay_of)
        self.G = reorder_for_fast_render(ready.G, method, **schedule_options)
        self.render_data = prepare_render(self.G)
        self.processors = as_modules({**processors, **ready.waits})
        self.per_type_parameters = as_parameters(_in_order(parameters, G, self.G, processors))
        self.latency_samples = ready.latency_samples
        self.state: State | None = None
        self._whose = _whose(self.G, self.render_data, self.processors)
        self._departures = _departures(self.G, self.render_data, ready.departures)
        pairs = zip(self.render_data.iter_list, self._departures, strict=True)
        self._streamed = [_Streamed(index, step, max(late)) for index, (step, late) in enumerate(pairs)]
        self._plan = _Plan()
        self._loops = _Loops(self.G, self.render_data, ready.cuts)

    @torch.no_grad()
    def forward(self, block: Tensor, common_parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """Render a block.

        Args:
            block: ``(K, C, L)`` or ``(B, K, C, L)`` for the K ``in`` nodes in id order; of any length, which may be
                another one for each block.
            common_parameters: See :func:`render_grafx`; rows are in id order of ``stream.G``. Those of nodes that were
                put in are ignored.

        Returns:
            A row for each ``out`` node, ``(N, C, L)`` or ``(B, N, C, L)``.

        Raises:
            RenderError: As of :func:`render_grafx`; a cycle has a delay shorter than the block, the state is of another
                graph, or a signal is not finite, which would stay in the state for ever: the message names the node and
                the first such sample. The state stays as it was.
        """
        return self._render_next(block, common_parameters or {})

    def _render_next(self, block: Tensor, common_parameters: Mapping[str, Tensor], end: int | None = None) -> Tensor:
        """A block, of a signal that ends after so many samples, and after which nothing sounds, unless it is None."""
        sources, processors = self._loops.with_silence(block), dict(self.processors.items())
        own = self._plan(self.render_data, processors, sources, self.per_type_parameters, common_parameters)
        with one_thread_if(block.shape[-1] <= SHORT):
            return self._render(block, sources, processors, own, end)

    def _render(
        self,
        block: Tensor,
        sources: Tensor,
        processors: Mapping[str, Any],
        own: list[dict[str, Any]],
        end: int | None,
    ) -> Tensor:
        """A block with silence for the feedback, and the parameters of each step, which were checked."""
        data = self.render_data
        if sources.ndim == 4:
            sources = sources.transpose(0, 1)
        before = self._before()
        time = 0 if before is None else before.time
        states: list[tuple[State, ...]] = []
        segments: Segments = {}
        computed: list[tuple[RenderStep, tuple[Rows, ...]]] = []

        def compute(index: int, check_delay: bool) -> tuple[tuple[Rows, ...], tuple[State, ...]]:
            step, streamed = data.iter_list[index], self._streamed[index]
            kept = None if before is None else before.steps[streamed.name]
            streamed.begin(processors, kept, own[index], check_delay)
            try:
                outlets, _ = compute_step({step.node_type: streamed}, step, segments, own[index], sources, "native")
            except Exception as error:
                self._check_finite(computed, time)
                former = ", ".join(str(self.G.nodes[node_id][BEFORE]) for node_id in range(*step.nodes))
                error.add_note(f"In the graph that was given, the nodes of this step are {former}.")
                raise
            if time < streamed.departure or end is not None:
                outlets = tuple(_in_its_time(rows, self._departures[index], time, end) for rows in outlets)
            computed.append((step, outlets))
            return outlets, tuple(streamed.after)

        for index, step in enumerate(data.iter_list):
            outlets, state = compute(index, index in self._loops.readers)
            for outlet, (rows, lengths) in enumerate(zip(outlets, step.segments, strict=True)):
                segments[index, outlet] = cut(rows, lengths)
            states.append(state)
        if self._loops.readers:
            # The outputs of delays do not depend on this block, but their states do.
            sources = self._loops.fed(sources, segments)
            segments[0, 0] = cut((sources,), data.iter_list[0].segments[0])
            for index in self._loops.readers:
                states[index] = compute(index, False)[1]
        self._check_finite(computed, time)
        output = output_of(outlets[0], block.ndim)
        loudest = 0.0 if before is None else before.loudest
        if self._loops.readers and output.numel():
            loudest = max(loudest, output.abs().max().item())
        length = block.shape[-1]
        kept = _Kept(
            self._whose,
            time + length,
            length,
            loudest,
            _sample_of(block, None if before is None else before.input),
            _sample_of(output, None if before is None else before.output),
            {streamed.name: state for streamed, state in zip(self._streamed, states, strict=True)},
        )
        self.state = kept._asdict()
        return output

    def _check_finite(self, computed: Sequence[tuple[RenderStep, tuple[Rows, ...]]], time: int) -> None:
        """Refuse what is not finite, by the first step that gives it."""
        if all_finite([signal for _, outlets in computed for rows in outlets for signal in rows]):
            return
        for step, rows in ((step, rows) for step, outlets in computed for rows in outlets):
            found = [(first_bad_sample(signal), i) for i, signal in enumerate(one_by_one(rows), step.nodes[0])]
            bad = [(first, node_id) for first, node_id in found if first is not None]
            if bad:
                first, node_id = min(bad)
                former = self.G.nodes[node_id].get(BEFORE, node_id)
                source = step.node_type == "in"
                raise RenderError(
                    f"{'The signal of' if source else 'What comes out of'} node {former} of type '{step.node_type}' is "
                    f"NaN or infinite, first in sample {time + first} of the stream. The state is that before this "
                    "block: go on with a finite one"
                    + (", such as torch.nan_to_num makes." if source else ", or with other parameters.")
                )

    def _before(self) -> "_Kept | None":
        if self.state is None:
            return None
        known = isinstance(self.state, Mapping) and self.state.keys() == {*_Kept._fields}
        whose = self.state["whose"] if known else None
        fault = None if whose is self._whose else difference(self._whose, whose)
        if fault or not known:
            raise RenderError(
                f"The state is of another graph ({fault if known else 'it is none of a StreamRenderer'}): set "
                "stream.state to one of this graph, with the same processors and options, or to None."
            )
        return _Kept(**self.state)

    @torch.no_grad()
    def finish(
        self, common_parameters: Mapping[str, Tensor] | None = None, tail: bool = True, limit: int = 2**22
    ) -> Tensor:
        """Return the rest of the output after the end of the input: the latency, and the tail.

        Args:
            common_parameters: See :meth:`forward`.
            tail: Whether to go on until it has died away. If not, the whole is as long as the input, as that of
                :class:`Renderer` is.
            limit: Maximum length of the rest of a graph with cycles, which ends when it is 60 dB below its loudest
                sample so far.

        Returns:
            As :meth:`forward`: :attr:`latency_samples` long, and with the tail :meth:`tail_samples` longer, or as long
            as the cycles sound.

        Raises:
            RenderError: Nothing was rendered yet.
        """
        last = self._before()
        if last is None:
            raise RenderError("There is nothing to finish: render at least one block first.")
        loops = tail and bool(self._loops.readers)
        most = self.latency_samples + (self.tail_samples() if tail else 0)
        size = max(1, last.length) if self._loops.readers else BLOCK
        outputs = [last.output]
        rendered = quiet = 0
        while (length := min(size, (limit if loops else most) - rendered)) > 0 and quiet <= most:
            silence = last.input.new_zeros(*last.input.shape[:-1], length)
            try:
                outputs.append(self._render_next(silence, common_parameters or {}, None if tail else last.time))
            except _DelayTooShort as error:
                if error.least < 1:
                    raise
                size = error.least  # the time of a delay has moved
                continue
            rendered += length
            is_quiet = loops and outputs[-1].abs().max() <= 1e-3 * self._before().loudest
            quiet = quiet + length if is_quiet else 0
        return torch.cat(outputs, -1)

    def tail_samples(self) -> int:
        """Return how long the graph sounds after the end of its inputs: the longest sum of tails of a path, to −60 dB.

        In a graph with cycles it is how long a sound takes to go round each of them once.
        """
        reach: dict[int, int] = {}
        for node_id in nx.topological_sort(self.G):
            own = self._tail(node_id)
            reach[node_id] = own + max((reach[source] for source in self.G.predecessors(node_id)), default=0)
        return max(reach.values(), default=0)

    def _tail(self, node_id: int) -> int:
        node_type = self.G.nodes[node_id]["node_type"]
        if node_type in BUILT_IN_TYPES:
            return 0
        own = _parameters_of_node(self.G, self.processors, self.per_type_parameters, node_id)
        return tail_of(self.processors[node_type], own)


class _Kept(NamedTuple):
    """Contents of a state.

    Attributes:
        whose: what tells the graph and its processors from others.
        time: how many samples were rendered.
        length: those of the latest block.
        loudest: the largest sample of the outputs of a graph with cycles.
        input, output: blocks of no samples, which tell shape and type.
        steps: states of the calls in each step, by its place and its node type.
    """

    whose: dict[str, Any]
    time: int
    length: int
    loudest: float
    input: Tensor
    output: Tensor
    steps: dict[str, tuple[State, ...]]


def _whose(G: GRAFX, data: RenderData, processors: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes and cables of a graph, its steps, and its processors, in plain data."""
    return {
        "nodes": tuple(G.nodes[node_id]["node_type"] for node_id in sorted(G.nodes)),
        "edges": tuple(sorted((a, cable["outlet"], b, cable["inlet"]) for a, b, cable in G.edges(data=True))),
        "steps": tuple(step.num_nodes for step in data.iter_list),
        "processors": {node_type: identity_of(processor) for node_type, processor in processors.items()},
    }


def _sample_of(signal: Tensor, before: Tensor | None) -> Tensor:
    """A block of no samples; a copy, as a view would keep the whole block alive."""
    empty = signal[..., :0]
    fits = before is not None and before.shape == empty.shape
    return before if fits and before.dtype == empty.dtype and before.device == empty.device else empty.clone()


class _DelayTooShort(RenderError):
    """A block is longer than a delay in a cycle."""

    def __init__(self, message: str, least: int) -> None:
        super().__init__(message)
        self.least = least


class _Plan:
    """Parameters of each step, checked and cut, which stay as they are until one is replaced or written to."""

    def __init__(self) -> None:
        self._forget()

    def __reduce__(self) -> tuple:
        return _Plan, ()

    def _forget(self) -> None:
        self._fits: tuple[Any, ...] | None = None
        self._unchanged: dict[str, Unchanged] = {}

    def __call__(
        self,
        data: RenderData,
        processors: Mapping[str, Any],
        sources: Tensor,
        parameters: Mapping[str, Any],
        common: Mapping[str, Tensor],
    ) -> list[dict[str, Any]]:
        """The parameters of each step, which are the same dict as long as they are the same."""
        fits = sources.shape[:-1], sources.dtype, sources.device, processors
        trees = {"": common, **{node_type: parameters.get(node_type, {}) for node_type in processors}}
        found = {name: _contents(tree) for name, tree in trees.items()}
        if self._fits != fits:
            self._forget()
        kept = {name for name, same in self._unchanged.items() if same(found[name])}
        if kept == found.keys():
            return self._own
        check_inputs(processors, sources, parameters, common, data)
        if sources.ndim == 4:
            parameters, common = per_source(processors, sources, parameters, common, data)
        self._own = [
            self._own[index] if {step.node_type, ""} <= kept else _anew(rows_of_step(step, parameters, common))
            for index, step in enumerate(data.iter_list)
        ]
        changed = {name: Unchanged(found[name], contents=True) for name in found if name not in kept}
        self._fits, self._unchanged = fits, self._unchanged | changed
        return self._own


def _anew(rows: dict[str, Any]) -> dict[str, Any]:
    """The same parameters as other objects, by which processors know that what they kept for them is out of date."""
    return map_tensors(rows, lambda value: value.view(value.shape))


def _contents(tree: Any) -> list[Any]:
    """Names, tensors and where their values are, which ``.data`` replaces."""
    own = _tensors_of(tree)
    return [" ".join(tree), *own, *(tensor.data_ptr() for tensor in own)]


def _tensors_of(tree: Any) -> list[Tensor]:
    """The tensors of a tree; as the layout of its modules has them, which is faster than by name."""
    if not isinstance(tree, nn.ParameterDict):
        return [*tensors(tree)]
    own, parts = (vars(tree)[name].values() for name in ("_parameters", "_modules"))
    return [*own, *(tensor for part in parts for tensor in _tensors_of(part))]


class _Streamed:
    """The processor of a step in a stream: called like it, it keeps the state of each call.

    Attributes:
        name: Of its states.
        departure: How late the latest of what its nodes give is.
        after: The states of a block's calls so far.
    """

    def __init__(self, index: int, step: RenderStep, departure: int) -> None:
        self.name, self.step, self.departure = f"{index} {step.node_type}", step, departure
        self.processor: Any = None
        # What comes from one node was checked there.
        self._sums = any(part.summed for inlet in step.inlets for part in inlet)

    def begin(
        self,
        processors: Mapping[str, Any],
        before: tuple[State, ...] | None,
        given: Mapping[str, Any],
        check_delay: bool,
    ) -> None:
        """Prepare for the calls of a block, with parameters from a dict that is another one where they change."""
        processor = processors.get(self.step.node_type)
        if processor is not self.processor or processor is None:
            self.processor, self._streams = processor, []
        self._before = None if before is None else iter(before)
        self._given, self._checks_delay = given, check_delay
        self.after: list[Any] = []

    def __call__(self, *signals: Tensor, **parameters: Any) -> Any:
        if self._checks_delay:
            self._check_delay(signals, parameters)
        state = None if self._before is None else next(self._before)
        if is_ours(self.processor):
            if len(self._streams) == len(self.after):
                self._streams.append(Stream(self.processor, self._sums))
            output, state = self._streams[len(self.after)](signals, state, parameters, self._given)
        else:
            output, state = self.processor.stream(*signals, state=state, **parameters)
        self.after.append(state)
        return output

    def _check_delay(self, signals: tuple[Tensor, ...], parameters: Mapping[str, Any]) -> None:
        least, length = self.processor.min_delay_samples(*signals, **parameters), signals[0].shape[-1]
        if least < length:
            raise _DelayTooShort(
                f"Node {self.step.node_names} of type '{self.step.node_type}' delays by {least} samples in a cycle, "
                f"which a block of {length} samples is longer than: render blocks of at most {least} samples, or make "
                "the delay longer.",
                least,
            )


class _Loops:
    """Cycles of a graph, cut open: the feedback enters through additional ``in`` nodes.

    Attributes:
        readers: Steps of the delays that read them.
    """

    def __init__(self, G: GRAFX, data: RenderData, cuts: list[tuple[int, str, int]]) -> None:
        ids = {node[BEFORE]: node_id for node_id, node in G.nodes(data=True) if BEFORE in node}
        step_of = {node_id: index for index, step in enumerate(data.iter_list) for node_id in range(*step.nodes)}
        self.num_sources = data.counts.get("in", 0) - len(cuts)
        self.readers = sorted({step_of[ids[reader]] for _, _, reader in cuts})
        self._fed: list[tuple[int, int, int]] = []
        for source, outlet, _ in cuts:
            index = step_of[ids[source]]
            step = data.iter_list[index]
            self._fed.append((index, step.outlet_names.index(outlet), ids[source] - step.nodes[0]))

    def with_silence(self, block: Tensor) -> Tensor:
        """Append silence for the feedback to the sources."""
        if not isinstance(block, Tensor):
            raise RenderError(f"A block must be a tensor (sources, channels, samples), not a {type(block).__name__}.")
        if block.ndim in (3, 4) and block.shape[-3] != self.num_sources:
            raise RenderError(f"A block has {block.shape[-3]} source(s), but the graph has {self.num_sources}.")
        if not self._fed:
            return block
        return torch.cat([block, block.new_zeros(*block.shape[:-3], len(self._fed), *block.shape[-2:])], -3)

    def fed(self, sources: Tensor, segments: Segments) -> Tensor:
        """Append the feedback to the sources."""
        signals = []
        for index, outlet, row in self._fed:
            rows = [signal for segment in segments[index, outlet] for signal in one_by_one(segment)]
            signals.append(same_channels([rows[row], sources[:1]], "a cycle and the inputs of the graph")[0])
            if signals[-1].shape[-2] != sources.shape[-2]:
                raise RenderError(
                    f"A signal of {signals[-1].shape[-2]} channels is fed back, but the inputs of the graph have "
                    f"{sources.shape[-2]}: give them as many."
                )
        return torch.cat([sources[: self.num_sources], *signals])


def _departures(G: GRAFX, data: RenderData, departures: Mapping[int, int]) -> list[list[int]]:
    """How late what the nodes of each step give is."""
    return [[departures.get(G.nodes[node_id][BEFORE], 0) for node_id in range(*step.nodes)] for step in data.iter_list]


def _in_order(parameters: Mapping[str, Any], G: GRAFX, ordered: GRAFX, processors: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters in id order of a graph, in that of the same graph renumbered."""
    found = {}
    for node_type, tree in parameters.items():
        if node_type in processors:
            position = {node_id: row for row, node_id in enumerate(get_node_ids_from_type(G, node_type))}
            rows = [position[ordered.nodes[i][BEFORE]] for i in get_node_ids_from_type(ordered, node_type)]
            sizes = processors[node_type].parameter_size()
            found[node_type] = rows_in_order(tree, sizes, rows, node_type)
    return found


def _in_its_time(rows: Rows, departures: list[int], time: int, end: int | None) -> Rows:
    """Silence signals before their time 0, and at or after the end."""
    starts = iter(departures)
    return tuple(_within(row, [next(starts) for _ in row], time, end) for row in rows)


def _within(signals: Tensor, starts: list[int], time: int, end: int | None) -> Tensor:
    own_time = time + torch.arange(signals.shape[-1]) - torch.tensor(starts)[:, None]
    sounds = (own_time >= 0) & (own_time < (math.inf if end is None else end))
    shape = len(starts), *[1] * (signals.ndim - 2), signals.shape[-1]
    return torch.where(sounds.to(signals.device).reshape(shape), signals, 0)


def _latency(node_type: str, processor: Any) -> int:
    if fault := streaming_fault(processor):
        raise RenderError(
            f"The processor of type '{node_type}', a {type(processor).__name__}, cannot run block by block: {fault}."
        )
    return latency_of(processor) or 0


def _least_delay(
    G: GRAFX, config: NodeConfigs, processors: Mapping[str, Any], parameters: Mapping[str, Any], node_id: int
) -> int | None:
    """How many samples later than its first inlet a delay is at least, with nothing at its other inlets."""
    node_type = G.nodes[node_id]["node_type"]
    if node_type not in processors:
        return None
    contract = contract_of(processors[node_type])
    own = _parameters_of_node(G, processors, parameters, node_id)
    like = next(tensors(own), torch.zeros(1))
    silence = like.new_zeros(len(like), 1, 1)
    return contract.min_delay_samples(*[silence] * len(config[node_type]["inlets"]), **own)


def _parameters_of_node(
    G: GRAFX, processors: Mapping[str, Any], parameters: Mapping[str, Any], node_id: int
) -> dict[str, Any]:
    node_type = G.nodes[node_id]["node_type"]
    row = get_node_ids_from_type(G, node_type).index(node_id)
    sizes = contract_of(processors[node_type]).parameter_size()
    return row_of(parameters.get(node_type, {}), sizes, row)
