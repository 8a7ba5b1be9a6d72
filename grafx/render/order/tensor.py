"""Schedules of graphs as tensors, under GRAFX's names, one for each method."""

from collections.abc import Iterable
from typing import Any

import torch

from ...data.tensor import GRAFXTensor
from ..schedule.order import compute_render_order, reorder_for_fast_render

Schedule = tuple[torch.Tensor, torch.Tensor]


def compute_render_order_tensor(G_t: GRAFXTensor, method: str = "beam", **kwargs: Any) -> Schedule:
    """Find a schedule, see :func:`~grafx.render.compute_render_order`."""
    return compute_render_order(G_t, method, **kwargs)


def return_render_ordered_tensor(G_t: GRAFXTensor, method: str, **kwargs: Any) -> GRAFXTensor:
    """Renumber a graph along a schedule, see :func:`~grafx.render.reorder_for_fast_render`."""
    return reorder_for_fast_render(G_t, method, **kwargs)


def one_by_one_search(G_t: GRAFXTensor) -> Schedule:
    """Schedule each node as a step of its own."""
    return compute_render_order(G_t, "one-by-one")


def fixed_order_search(G_t: GRAFXTensor, fixed_order: Iterable[int | str]) -> Schedule:
    """Schedule the types in a fixed order."""
    return compute_render_order(G_t, "fixed", fixed_order=fixed_order)


def greedy_search(G_t: GRAFXTensor) -> Schedule:
    """Schedule the type with the most ready nodes at each step."""
    return compute_render_order(G_t, "greedy")


def beam_search(G_t: GRAFXTensor, depth: int = 1, width: int = 64) -> Schedule:
    """Schedule by beam search over the most promising partial schedules."""
    return compute_render_order(G_t, "beam", depth=depth, width=width)


def node_id_from_render_order(render_order: torch.Tensor) -> torch.Tensor:
    """New ids ``(V,)`` along the steps ``(V,)`` of nodes, those of one step in their old order."""
    old_ids = torch.argsort(render_order, stable=True)
    return torch.empty_like(old_ids).scatter_(0, old_ids, torch.arange(len(old_ids), device=old_ids.device))
