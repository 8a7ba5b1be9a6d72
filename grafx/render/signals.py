"""Every node's output, computed when first asked for."""

from collections.abc import Callable, Iterator
from itertools import chain
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from ..errors import RenderError
from ..utils import map_tensors
from .plan import RenderData


class Signals:
    """The outputs of all nodes of a render, by node id.

    Nothing is kept while rendering. The first look renders the graph once more, with the random state of the first
    time, and keeps all outputs; gradients flow through them as through the output. So it must come before anything
    changes inputs or parameters in place, as an optimizer does.

    ``signals[id]`` is ``(C, L)``, or ``(B, C, L)`` for a batch of sources; a tuple of these for a node with several
    outlets. Any other index, and :meth:`tensor`, go to all first outlets as one tensor.
    """

    def __init__(
        self, run: Callable[[], Iterator], render_data: RenderData, input_signals: Tensor, parameters: list[Any]
    ):
        self._run = run
        tensors = [input_signals]
        for tree in parameters:
            map_tensors(tree, tensors.append)
        self._versions = [(t, t._version) for t in tensors if not t.is_inference()]
        self._render_data = render_data
        self._cuda = [input_signals.device] if input_signals.is_cuda else []
        self._rng_state = torch.random.get_rng_state()
        self._cuda_rng_states = [torch.cuda.get_rng_state(device) for device in self._cuda]
        self._grad_enabled = torch.is_grad_enabled()
        self._rows: list[tuple[Tensor, ...]] | None = None

    def __len__(self) -> int:
        return self._render_data.num_nodes

    @property
    def shape(self) -> torch.Size:
        return self.tensor().shape

    def tensor(self) -> Tensor:
        """All first outlets: ``(V, C, L)``, or ``(B, V, C, L)``; mono is broadcast where other nodes have more."""
        rows = [outlets[0] for outlets in self._all()]
        channels = max(row.shape[-2] for row in rows)
        rows = [row.expand(*row.shape[:-2], channels, row.shape[-1]) for row in rows]
        return torch.stack(rows, dim=-3)

    def __getitem__(self, index: Any) -> Tensor | tuple[Tensor, ...]:
        if isinstance(index, Integral):
            outlets = self._all()[index]
            return outlets[0] if len(outlets) == 1 else outlets
        return self.tensor()[index]

    def _all(self) -> list[tuple[Tensor, ...]]:
        if self._rows is None:
            if any(tensor._version != version for tensor, version in self._versions):
                raise RenderError(
                    "Inputs or parameters were changed in place since this render, so its signals cannot be computed"
                    " any more: look at them before the optimizer's step."
                )
            with torch.random.fork_rng(self._cuda), torch.set_grad_enabled(self._grad_enabled):
                torch.random.set_rng_state(self._rng_state)
                for device, state in zip(self._cuda, self._cuda_rng_states, strict=True):
                    torch.cuda.set_rng_state(state, device)
                steps = [outlets for outlets, _ in self._run()]
            self._rows = [
                nodes for outlets in steps for nodes in zip(*[chain(*outlet) for outlet in outlets], strict=True)
            ]
        return self._rows
