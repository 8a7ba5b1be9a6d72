"""A graph with its processors and parameters as one module."""

from collections.abc import Mapping
from typing import Any, Literal

import torch.nn as nn
from torch import Tensor

from ..data.configs import BUILT_IN_TYPES
from ..data.graph import GRAFX
from ..errors import RenderError
from ..utils import collect_parameters, create_empty_parameters, scatter_parameters
from .order import reorder_for_fast_render
from .plan import prepare_render
from .render import Intermediates, render_grafx
from .signals import Signals


class Renderer(nn.Module):
    """Renders one graph, with parameters of its own.

    Args:
        G: The graph. A copy of it, renumbered along its schedule, is kept as ``renderer.G``; its ids are those that
            rows of parameters follow.
        processors: Node type to processor.
        parameters: Node type to (nested) raw parameters in id order of ``renderer.G``. By default they are those that
            the nodes hold; where no node holds any, they are drawn at random, close to zero.
        method: The schedule, see :func:`compute_render_order`.
        checkpoint, aggregation: See :func:`render_grafx`.

    Raises:
        GraphError: The graph cannot be scheduled.
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
    ):
        super().__init__()
        self.checkpoint, self.aggregation = checkpoint, aggregation
        self.G = reorder_for_fast_render(G, method)
        self.render_data = prepare_render(self.G)
        used = {step.node_type for step in self.render_data.iter_list} - set(BUILT_IN_TYPES)
        if missing := used - set(processors):
            raise RenderError(f"There is no processor for the node type(s) {sorted(missing)}: add them to processors.")
        self.processors = _as_modules({node_type: processors[node_type] for node_type in sorted(used)})
        if parameters is None:
            held = any(data.get("parameters") for _, data in self.G.nodes(data=True))
            parameters = collect_parameters(self.G, used) if held else create_empty_parameters(self.processors, self.G)
        self.per_type_parameters = as_parameters({t: parameters[t] for t in self.processors if t in parameters})

    def forward(self, input_signals: Tensor, common_parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """The output for ``(K, C, L)`` or ``(B, K, C, L)`` input signals, a row for each ``out`` node."""
        return self.render(input_signals, common_parameters)[0]

    def render(
        self, input_signals: Tensor, common_parameters: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, list[Intermediates], Signals | None]:
        """All that :func:`render_grafx` returns."""
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
        """A copy of the graph whose nodes hold the present parameters: to be edited, saved, and rendered again.

        Examples:
            >>> G = renderer.graph()
            >>> G.bypass(3)
            >>> renderer = Renderer(G, renderer.processors)
        """
        G = self.G.copy()
        scatter_parameters(G, self.per_type_parameters)
        return G


def _as_modules(processors: Mapping[str, nn.Module]) -> nn.ModuleDict:
    try:
        return nn.ModuleDict(processors)
    except (KeyError, TypeError) as error:
        raise RenderError(
            f"A Renderer keeps processors as torch modules, which cannot be: {error}. Choose another name for the node"
            " type, or call render_grafx."
        ) from None


def as_parameters(tree: Mapping[str, Any]) -> nn.ParameterDict:
    """A nested dict of tensors as modules, so that optimizers and ``state_dict`` see them."""
    parameters = nn.ParameterDict()
    for name, value in tree.items():
        parameters[name] = as_parameters(value) if hasattr(value, "items") else nn.Parameter(value.detach().clone())
    return parameters
