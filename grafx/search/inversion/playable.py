"""Sound sources as functions of one normalized vector."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...errors import SearchError
from ...parameters.tensors import scatter_parameters
from ...processors.base import Processor
from ...processors.contract import contract_of
from ...render import Renderer
from ...render.render import render_grafx
from ...trees import map_tensors


class Playable(ABC):
    """A function of normalized values ``(batch, P)`` that makes sounds ``(batch, channels, num_samples)``.

    Attributes:
        defaults: ``(P,)``: start of a search.
        names: Names of the values.
        free_level: Whether there is no input, whose level would fix that of the output.
    """

    defaults: Tensor
    names: list[str]
    free_level: bool

    def norm_of(self, settings: Mapping[str, Any]) -> Tensor:  # noqa: ARG002 – subclasses use it
        """``(P,)`` of physical values."""
        raise SearchError("A graph has no starts: let its nodes hold the parameters that a search is to begin with.")

    @abstractmethod
    def play(self, norm: Tensor, num_samples: int) -> Tensor:
        """Render sounds."""

    @abstractmethod
    def raw(self, norm: Tensor) -> Any:
        """Convert ``(P,)`` to raw parameters of a single sound."""

    @abstractmethod
    def settings(self, norm: Tensor) -> Any:
        """Convert to physical values of a single sound, or a graph that holds them."""


class PlayableProcessor(Playable):
    """A processor with controls: a generator, or one that processes given inputs.

    Raises:
        SearchError: It has no controls.
    """

    def __init__(self, processor: Processor, inputs: Sequence[Tensor] = ()) -> None:
        self.processor, self.inputs, self.free_level = processor, tuple(inputs), not inputs
        if not isinstance(processor, Processor) or not processor.count_num_parameters():
            name = processor.__name__ if isinstance(processor, type) else type(processor).__name__
            remedy = "give an instance of it" if isinstance(processor, type) else "there is nothing to find"
            raise SearchError(f"{name} has no controls: {remedy}.")
        self.defaults = processor.dsp_to_norm({}, 1)[0]
        self.names = names_of(processor)

    def norm_of(self, settings: Mapping[str, Any]) -> Tensor:
        return self.processor.dsp_to_norm(settings, 1)[0]

    def play(self, norm: Tensor, num_samples: int) -> Tensor:
        if not self.inputs:
            return first_signal(self.processor(norm_params=norm, num_samples=num_samples))
        inputs = [signal[..., :num_samples].expand(norm.shape[0], -1, -1) for signal in self.inputs]
        return first_signal(self.processor(*inputs, norm_params=norm))

    def raw(self, norm: Tensor) -> dict[str, Any]:
        return map_tensors(self.processor.norm_to_raw(norm[None]), Tensor.detach)

    def settings(self, norm: Tensor) -> dict[str, Any]:
        return map_tensors(self.processor.norm_to_dsp(norm[None]), lambda value: value[0].tolist())


class PlayableGraph(Playable):
    """A graph of processors with controls, all of which are searched.

    The search starts from the parameters on the nodes, if any, otherwise from the defaults.

    Raises:
        SearchError: No processor has controls, or the number of outputs is not one.
        GraphError: As in :class:`~grafx.render.Renderer`.
    """

    def __init__(self, G: GRAFX, processors: Mapping[str, nn.Module], inputs: Tensor | None, channels: int) -> None:
        self.renderer = Renderer(G, processors)
        self.free_level = inputs is None
        self.inputs, self.channels = inputs, channels
        nodes = [data["node_type"] for _, data in sorted(self.renderer.G.nodes(data=True))]
        if nodes.count("out") != 1:
            raise SearchError(f"The graph has {nodes.count('out')} outputs, but the target is the sound of one.")
        self.num_inputs = nodes.count("in")
        self.sizes: dict[str, tuple[int, int]] = {}
        defaults, self.names = [], []
        for node_type, processor in self.renderer.processors.items():
            if not contract_of(processor).controls:
                continue
            values = processor.raw_to_norm(plain(self.renderer.per_type_parameters[node_type])).detach()
            names = names_of(processor)
            self.sizes[node_type] = tuple(values.shape)
            defaults.append(values.flatten().clamp(0, 1))
            ids = [i for i, data in sorted(self.renderer.G.nodes(data=True)) if data["node_type"] == node_type]
            self.names += [f"{node_type} {i}: {name}" for i in ids for name in names]
        if not defaults:
            raise SearchError("No processor of the graph has controls: there is nothing to find.")
        self.defaults = torch.cat(defaults)

    def play(self, norm: Tensor, num_samples: int) -> Tensor:
        shape = norm.shape[0], self.num_inputs, self.channels, num_samples
        inputs = (
            norm.new_zeros(shape)
            if self.inputs is None
            else self.inputs[..., :num_samples].expand(shape[0], -1, -1, -1)
        )
        parameters = self._parameters(norm)
        output = render_grafx(self.renderer.processors, inputs, parameters, self.renderer.render_data)[0]
        return output[:, 0]

    def _parameters(self, norm: Tensor) -> dict[str, Any]:
        """Return raw parameters ``(batch, nodes, …)``."""
        parameters = plain(self.renderer.per_type_parameters)
        parts = norm.split([nodes * values for nodes, values in self.sizes.values()], -1)
        for (node_type, (nodes, values)), part in zip(self.sizes.items(), parts, strict=True):
            raw = self.renderer.processors[node_type].norm_to_raw(part.reshape(-1, values))
            parameters[node_type] = map_tensors(raw, lambda value, n=nodes: value.unflatten(0, (-1, n)))
        return parameters

    def raw(self, norm: Tensor) -> dict[str, Any]:
        own = self._parameters(norm[None])
        return {
            node_type: map_tensors(tree, lambda value: value[0].detach()) if node_type in self.sizes else tree
            for node_type, tree in own.items()
        }

    def settings(self, norm: Tensor) -> GRAFX:
        G = self.renderer.G.copy()
        scatter_parameters(G, self.raw(norm), dict(self.renderer.processors.items()))
        return G


def names_of(processor: Processor) -> list[str]:
    """List the names of the normalized values of a processor."""
    names = []
    for leaf in processor.leaves():
        count = torch.Size(leaf.shape).numel()
        names += [leaf.name] if count == 1 else [f"{leaf.name}[{i}]" for i in range(count)]
    return names


def plain(tree: Any) -> Any:
    """Convert modules of parameters to dicts of detached tensors."""
    return map_tensors(tree, Tensor.detach)


def first_signal(output: Tensor | tuple) -> Tensor:
    """Return the signal of the first outlet."""
    return output if isinstance(output, Tensor) else output[0]
