"""Outputs of all nodes, computed on first access."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from numbers import Integral
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from .. import trees
from ..errors import RenderError
from .gather import same_channels
from .plan import RenderData


class Signals:
    """The outputs of all nodes of a render, by node id.

    Nothing is stored while rendering. The first access renders the graph once more, with the original random state, and
    keeps all outputs; gradients flow through them as through the output. So it must come before anything changes inputs
    or parameters in place, such as an optimizer's step.

    ``signals[id]`` is ``(C, L)``, or ``(B, C, L)`` for a batch of sources; a tuple of these for a node with several
    outlets. Any other index, and :meth:`tensor`, refer to all first outlets as one tensor.
    """

    def __init__(
        self, run: Callable[[], Iterator], render_data: RenderData, input_signals: Tensor, watched: Sequence[Any]
    ):
        self._run = run
        self._state = _state_of(watched)
        self._watched = watched
        self._render_data = render_data
        self._cuda = [input_signals.device] if input_signals.is_cuda else []
        self._rng_state = torch.random.get_rng_state()
        self._cuda_rng_states = [torch.cuda.get_rng_state(device) for device in self._cuda]
        self._grad_enabled = torch.is_grad_enabled()
        kind = input_signals.device.type
        self._autocast = contextlib.nullcontext()
        if torch.amp.is_autocast_available(kind):
            self._autocast = torch.autocast(
                kind, dtype=torch.get_autocast_dtype(kind), enabled=torch.is_autocast_enabled(kind)
            )
        self._rows: list[tuple[Tensor, ...]] | None = None

    def __len__(self) -> int:
        return self._render_data.num_nodes

    @property
    def shape(self) -> torch.Size:
        return self.tensor().shape

    def tensor(self) -> Tensor:
        """Stack all first outlets: ``(V, C, L)``, or ``(B, V, C, L)``; mono is broadcast where necessary."""
        rows = [outlets[0] for outlets in self._all()]
        return torch.stack(same_channels(rows, "the one tensor of all signals"), dim=-3)

    def __getitem__(self, index: Any) -> Tensor | tuple[Tensor, ...]:
        if isinstance(index, Integral):
            outlets = self._all()[index]
            return outlets[0] if len(outlets) == 1 else outlets
        return self.tensor()[index]

    def _all(self) -> list[tuple[Tensor, ...]]:
        if self._rows is None:
            if _state_of(self._watched) != self._state:
                raise RenderError(
                    "Inputs, parameters or processors were changed in place since this render, so its signals cannot be"
                    " computed any more: look at them before the optimizer's step."
                )
            with torch.random.fork_rng(self._cuda), torch.set_grad_enabled(self._grad_enabled), self._autocast:
                torch.random.set_rng_state(self._rng_state)
                for device, state in zip(self._cuda, self._cuda_rng_states, strict=True):
                    torch.cuda.set_rng_state(state, device)
                steps = [outlets for outlets, _ in self._run()]
            self._rows = [
                nodes for outlets in steps for nodes in zip(*[chain(*outlet) for outlet in outlets], strict=True)
            ]
        return self._rows


def _state_of(watched: Iterable[Any]) -> list[Any]:
    """Snapshot to detect changes of tensors, nested dicts of them or modules."""
    tensors: list[Tensor] = []
    modes = []
    for item in watched:
        if isinstance(item, nn.Module):
            tensors += [*item.parameters(), *item.buffers()]
            modes += [module.training for module in item.modules()]
        else:
            tensors += trees.tensors(item)
    versions = [(id(t), t.dtype, None if t.is_inference() else t._version) for t in tensors]
    return [modes, versions]
