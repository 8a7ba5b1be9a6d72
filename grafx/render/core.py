"""Reading, summing and writing rows of tensors, the building blocks of renderers."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

Rows = Tensor | list[Tensor | None]
Tree = Tensor | Mapping[str, Any]


class Access(NamedTuple):
    """Selection of rows: a slice, or indices.

    Attributes:
        method: ``"slice"`` or ``"index"``.
        idx: ``(start, stop)``, or the rows ``(N,)``.
    """

    method: Literal["slice", "index"]
    idx: tuple[int, int] | Tensor


class Aggregation(NamedTuple):
    """Reduction of rows.

    Attributes:
        method: ``"none"``, ``"sum"`` for one row, or ``"scatter"``.
        idx: For ``"scatter"`` the row ``(N,)`` that each is added to.
    """

    method: Literal["none", "sum", "scatter"]
    idx: Tensor | None = None


def create_signal_buffer(method: str, num_buffers: int, input_signals: Tensor) -> Rows:
    """Create a buffer for the signals of all nodes, the first of which are the inputs ``(K, …)``.

    Args:
        method: Method of the schedule. One-by-one uses a list instead of a tensor.
        num_buffers: Number of nodes.
        input_signals: ``(K, …)``.
    """
    count = len(input_signals)
    if method == "one-by-one":
        return [*input_signals.split(1), *[None] * (num_buffers - count)]
    return torch.cat([input_signals, input_signals.new_zeros(num_buffers - count, *input_signals.shape[1:])])


def read_single_tensor(
    x: Rows,
    access: Access,
    dim: int = 0,
    return_copy: bool = False,
    postprocess: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Read rows of a tensor, or of a list of tensors of one row.

    Args:
        x: Tensor or list.
        access: Rows to read.
        dim: Axis of the rows.
        return_copy: Copy the rows; never return a view.
        postprocess: Function applied to the rows.
    """
    if isinstance(x, list):
        rows = range(*access.idx) if access.method == "slice" else access.idx.tolist()
        y = torch.cat([x[row] for row in rows], dim)
    elif access.method == "slice":
        y = x.narrow(dim, access.idx[0], access.idx[1] - access.idx[0])
        y = y.clone() if return_copy else y
    else:
        y = x.index_select(dim, access.idx)
    return y if postprocess is None else postprocess(y)


def read_tensor_dict(x: Mapping[str, Any], access: Access, dim: int = 0, return_copy: bool = False) -> dict[str, Any]:
    """Read rows of all tensors of a nested dict."""
    return {name: read_tensor_or_tensor_dict(value, access, dim, return_copy) for name, value in x.items()}


def read_tensor_or_tensor_dict(
    x: Rows | Mapping[str, Any],
    access: Access,
    dim: int = 0,
    return_copy: bool = False,
    postprocess: Callable[[Tensor], Tensor] | None = None,
) -> Any:
    """Read rows of a tensor, see :func:`read_single_tensor`, or of all tensors of a nested dict."""
    if not hasattr(x, "items"):
        return read_single_tensor(x, access, dim, return_copy, postprocess)
    return {n: read_tensor_or_tensor_dict(value, access, dim, return_copy, postprocess) for n, value in x.items()}


def inplace_write_tensor(method: str, x: Rows, y: Tensor, access: Access, dim: int = 0) -> None:
    """Write rows to a buffer made by :func:`create_signal_buffer` with the same method."""
    if isinstance(x, list):
        rows = range(*access.idx) if access.method == "slice" else access.idx.tolist()
        for row, part in zip(rows, y.split(1, dim), strict=True):
            x[row] = part
    elif access.method == "slice":
        x.narrow(dim, access.idx[0], access.idx[1] - access.idx[0]).copy_(y)
    else:
        x.index_copy_(dim, access.idx, y)


def aggregate_tensor(x: Tensor, aggregation: Aggregation, dim: int = 0) -> Tensor:
    """Sum rows."""
    if aggregation.method == "none":
        return x
    if aggregation.method == "sum":
        return x.sum(dim, keepdim=True)
    shape = list(x.shape)
    shape[dim] = int(aggregation.idx.max()) + 1
    return x.new_zeros(shape).index_add(dim, aggregation.idx, x)


def expand_single_tensor(x: Tensor, expand: int = 2, dim: int = 0) -> Tensor:
    """Repeat a tensor along a new axis, for each item of a batch."""
    return x.unsqueeze(dim).expand(*x.shape[:dim], expand, *x.shape[dim:])


def expand_tensor_or_tensor_dict(x: Tree, expand: int = 2, dim: int = 0) -> Any:
    """Apply :func:`expand_single_tensor` to a tensor, or to all tensors of a nested dict."""
    if hasattr(x, "items"):
        return {name: expand_tensor_or_tensor_dict(value, expand, dim) for name, value in x.items()}
    return expand_single_tensor(x, expand, dim)


def flatten_batch_and_node(x: Tensor) -> Tensor:
    """Reshape ``(batch, nodes, …)`` to ``(batch · nodes, …)``."""
    return x.flatten(0, 1)
