"""A graph with its processors and parameters as one module."""

import copy
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Literal

import torch
import torch.nn as nn
from torch import Tensor

from ..data.configs import BUILT_IN_TYPES, NodeConfigs
from ..data.conversion import infer_configs
from ..data.graph import GRAFX
from ..errors import GraphError, RenderError
from ..parameters.settings import with_defaults
from ..parameters.tensors import collect_parameters, create_empty_parameters, scatter_parameters
from ..processors.contract import contract_of, plugs_of
from ..trees import map_tensors, tensors
from .plan import prepare_render
from .render import Intermediates, render_grafx
from .schedule.order import reorder_for_fast_render
from .signals import Signals


class Renderer(nn.Module):
    """Renderer of one graph, with parameters of its own.

    Args:
        G: The graph. A copy of it, renumbered along its schedule, is kept as ``renderer.G``; rows of parameters follow
            its ids.
        processors: Node type to processor. A processor with weights of its own, such as a neural network, is shared
            with the caller, as usual in torch: a conversion by ``to``, ``double`` or ``half`` and a change by ``eval``
            or ``requires_grad_`` affects all renderers that have it. All others are kept as copies, which are
            independent of each other and cost no memory.
        parameters: Node type to (nested) raw parameters in id order of ``renderer.G``. For other types the parameters
            on the nodes are used, raw or as physical values of controls, then the defaults of controls; parameters of
            processors without controls are drawn at random, close to zero.
        method: The schedule, see :func:`compute_render_order`.
        checkpoint, aggregation: See :func:`render_grafx`.
        **schedule_options: Options of the method.

    Raises:
        GraphError: The graph cannot be scheduled, or some nodes of a type without controls hold parameters and others
            do not.
        ValueError: A control has a wrong name or value.
        RenderError: The graph cannot be rendered, or a node type without a processor occurs.

    Examples:
        >>> renderer = Renderer(G, {"eq": ZeroPhaseFIREqualizer()})
        >>> mix = renderer(stems)
    """

    def __init__(
        self,
        G: GRAFX,
        processors: Mapping[str, nn.Module],
        parameters: Mapping[str, Any] | None = None,
        method: str = "beam",
        checkpoint: bool = False,
        aggregation: Literal["native", "scatter"] = "native",
        **schedule_options,
    ):
        super().__init__()
        if not isinstance(G, GRAFX):
            raise GraphError(f"A Renderer takes a GRAFX, not a {type(G).__name__}.")
        self.checkpoint, self.aggregation = checkpoint, aggregation
        processors = processors_in(G, processors)
        if G.config is None:
            G = GRAFX.like(G, G.nodes(data=True), G.edges(data=True), config_of(G, processors))
        self.G = reorder_for_fast_render(G, method, **schedule_options)
        self.render_data = prepare_render(self.G)
        self.processors = as_modules(processors)
        self.per_type_parameters = as_parameters(parameters_of(self.G, self.processors, parameters))

    def forward(self, input_signals: Tensor, common_parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """Render ``(K, C, L)`` or ``(B, K, C, L)`` input signals; the output has one row for each ``out`` node."""
        return self.render(input_signals, common_parameters)[0]

    def render(
        self, input_signals: Tensor, common_parameters: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, list[Intermediates], Signals | None]:
        """Return the complete result of :func:`render_grafx`."""
        return render_grafx(
            self.processors,
            input_signals,
            self.per_type_parameters,
            self.render_data,
            common_parameters,
            input_signal_grad=getattr(input_signals, "requires_grad", False),
            checkpoint=self.checkpoint,
            aggregation=self.aggregation,
        )

    def graph(self) -> GRAFX:
        """Copy the graph with the current parameters on its nodes, to be edited, saved, and rendered again.

        Nodes of types with controls also get the attribute ``settings`` with the same in physical values.

        Examples:
            >>> G = renderer.graph()
            >>> G.bypass(3)
            >>> renderer = Renderer(G, renderer.processors)
        """
        G = self.G.copy()
        scatter_parameters(G, self.per_type_parameters, dict(self.processors.items()))
        return G


def processors_in(G: GRAFX, processors: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """The processors of those types that a graph has.

    Raises:
        RenderError: One is missing.
    """
    used = {data.get("node_type") for _, data in G.nodes(data=True)} - set(BUILT_IN_TYPES)
    if missing := used - set(processors):
        raise RenderError(
            f"There is no processor for the node type(s) {sorted(map(str, missing))}: add them to processors."
        )
    return {node_type: processors[node_type] for node_type in sorted(used)}


def config_of(G: GRAFX, processors: Mapping[str, nn.Module]) -> NodeConfigs:
    """The config of a graph that has none, in which processors that name their inlets and outlets are right."""
    inferred = infer_configs(G).node_type_dict
    declared = NodeConfigs.from_processors(processors).node_type_dict
    plugs = {
        node_type: {
            side: (inferred if plugs_of(processor, side) is None else declared)[node_type][side]
            for side in ("inlets", "outlets")
        }
        for node_type, processor in processors.items()
    }
    return NodeConfigs(plugs)


def parameters_of(
    G: GRAFX, processors: Mapping[str, nn.Module], given: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Map types to raw parameters: the given ones, then those on nodes, then defaults of controls.

    Types without controls or given parameters get random values close to zero, unless others are given.
    """
    _refuse_settings(G)
    found: dict[str, Any] = {}
    like = _first_float([given, *(data.get("parameters") for _, data in G.nodes(data=True))])
    for node_type, processor in processors.items():
        nodes = {i: data for i, data in G.nodes(data=True) if data["node_type"] == node_type}
        holding = [i for i, data in nodes.items() if data.get("parameters")]
        has_controls = bool(contract_of(processor).controls)
        if given is not None and node_type in given:
            tree = given[node_type]
            if has_controls and hasattr(tree, "items"):
                tree = with_defaults(processor, tree, len(nodes))
            found[node_type] = tree
        elif has_controls or len(holding) == len(nodes):
            tree = collect_parameters(G, {node_type: processor})[node_type]
            found[node_type] = tree if like is None or holding else map_tensors(tree, lambda value: value.to(like))
        elif holding and processor.parameter_size():
            _refuse_lack(nodes, holding)
        elif given is None:
            found[node_type] = create_empty_parameters({node_type: processor}, G)[node_type]
    return found


def _refuse_settings(G: GRAFX) -> None:
    for node_id, data in G.nodes(data=True):
        if data["node_type"] in BUILT_IN_TYPES and isinstance(data.get("settings"), dict):
            raise GraphError(f"Node {node_id} of type '{data['node_type']}' has no settings: delete them.")


def _first_float(trees: Iterable[Any]) -> Tensor | None:
    return next((tensor for tree in trees for tensor in tensors(tree) if tensor.is_floating_point()), None)


def _refuse_lack(nodes: Mapping[int, Mapping[str, Any]], holding: list[int]) -> None:
    node_id = next(i for i in nodes if i not in holding)
    name = f" '{nodes[node_id]['name']}'" if nodes[node_id].get("name") else ""
    raise GraphError(
        f"Node {node_id}{name} of type '{nodes[node_id]['node_type']}' holds no parameters, while others do: give it"
        " some by the argument 'parameters' of add, insert or replace."
    )


def as_modules(processors: Mapping[str, nn.Module]) -> nn.ModuleDict:
    for node_type, processor in processors.items():
        if not isinstance(processor, nn.Module):
            raise RenderError(
                f"The processor of type '{node_type}' is a {type(processor).__name__}, but a Renderer keeps instances"
                " of torch.nn.Module. Others can be rendered by render_grafx."
            )
    try:
        return nn.ModuleDict(_own(processors))
    except (KeyError, TypeError) as error:
        raise RenderError(
            f"A Renderer keeps processors as torch modules, which cannot be: {error}. Choose another name for the node"
            " type, or call render_grafx."
        ) from None


def _own(processors: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Copy processors so that they can be converted independently, except those with weights.

    Tensors in the buffers of copies are shared until they are converted.
    """
    own, copies = {}, {id(buffer): buffer for processor in processors.values() for buffer in processor.buffers()}
    for node_type, processor in processors.items():
        own[node_type] = processor
        # A module with an instance-level forward, such as a compiled one, may be bound to its original.
        bound = any("forward" in vars(module) for module in processor.modules())
        if next(processor.parameters(), None) is None and not bound:
            with suppress(TypeError, RuntimeError):  # of what cannot be copied
                own[node_type] = copy.deepcopy(processor, copies)
    return own


@torch.inference_mode(False)  # so that the result can be trained later
def as_parameters(tree: Mapping[str, Any]) -> nn.ParameterDict:
    """Wrap a nested dict of tensors in modules, so that optimizers and ``state_dict`` see them.

    Raises:
        RenderError: Torch does not accept the name of a parameter, or a value is not a tensor.
    """
    parameters = nn.ParameterDict()
    for name, value in tree.items():
        if hasattr(value, "items"):
            parameter = as_parameters(value)
        elif isinstance(value, Tensor) and value.is_floating_point():
            parameter = nn.Parameter(value.detach().clone())
        else:
            raise RenderError(f"The parameter '{name}' is no tensor of a floating point type, but {value!r:.80}.")
        try:
            parameters[name] = parameter
        except (KeyError, TypeError) as error:
            raise RenderError(
                f"A Renderer keeps parameters as torch modules, which cannot be: {error}. Choose another name than"
                f" '{name}', or call render_grafx."
            ) from None
    return parameters
