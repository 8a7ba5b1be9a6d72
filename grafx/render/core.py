"""Reading, summing and writing rows of tensors, the building blocks of renderers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

SignalBuffer = Tensor | list[Tensor | None]
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


def create_signal_buffer(method: str, num_buffers: int, input_signals: Tensor) -> SignalBuffer:
    """Room for the signals of all nodes, of which the first are the inputs ``(K, …)``.

    Args:
        method: Method of the schedule. One-by-one uses a list instead of a tensor.
        num_buffers: Number of nodes.
        input_signals: ``(K, …)``.
    """
    count = len(input_signals)
    if method == "one-by-one":
        return [*input_signals.split(1), *[None] * (num_buffers - count)]
    return torch.cat([input_signals, input_signals.new_zeros(num_buffers - count, *input_signals.shape[1:])])


def _rows(access: Access) -> Iterable[int]:
    return access.idx.tolist() if isinstance(access.idx, Tensor) else range(*access.idx)


def read_single_tensor(
    x: SignalBuffer,
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
        y = torch.cat([part for row in _rows(access) if (part := x[row]) is not None], dim)
    elif isinstance(access.idx, Tensor):
        y = x.index_select(dim, access.idx)
    else:
        y = x.narrow(dim, access.idx[0], access.idx[1] - access.idx[0])
        y = y.clone() if return_copy else y
    return y if postprocess is None else postprocess(y)


def read_tensor_dict(x: Mapping[str, Any], access: Access, dim: int = 0, return_copy: bool = False) -> dict[str, Any]:
    """Read rows of all tensors of a nested dict."""
    return {name: read_tensor_or_tensor_dict(value, access, dim, return_copy) for name, value in x.items()}


def read_tensor_or_tensor_dict(
    x: SignalBuffer | Mapping[str, Any],
    access: Access,
    dim: int = 0,
    return_copy: bool = False,
    postprocess: Callable[[Tensor], Tensor] | None = None,
) -> Any:
    """Some rows of a tensor, see :func:`read_single_tensor`, or of all tensors of a nested dict."""
    if isinstance(x, (Tensor, list)):
        return read_single_tensor(x, access, dim, return_copy, postprocess)
    return {n: read_tensor_or_tensor_dict(value, access, dim, return_copy, postprocess) for n, value in x.items()}


def inplace_write_tensor(
    method: str,  # noqa: ARG001 – told by the buffer here; callers of GRAFX give it
    x: SignalBuffer,
    y: Tensor,
    access: Access,
    dim: int = 0,
) -> None:
    """Write rows to where they belong in what :func:`create_signal_buffer` made with the same method."""
    if isinstance(x, list):
        for row, part in zip(_rows(access), y.split(1, dim), strict=True):
            x[row] = part
    elif isinstance(access.idx, Tensor):
        x.index_copy_(dim, access.idx, y)
    else:
        x.narrow(dim, access.idx[0], access.idx[1] - access.idx[0]).copy_(y)


def aggregate_tensor(x: Tensor, aggregation: Aggregation, dim: int = 0) -> Tensor:
    """Sum rows."""
    if aggregation.method == "none":
        return x
    if aggregation.method == "sum" or aggregation.idx is None:
        return x.sum(dim, keepdim=True)
    shape = list(x.shape)
    shape[dim] = int(aggregation.idx.max()) + 1
    return x.new_zeros(shape).index_add(dim, aggregation.idx, x)


def expand_single_tensor(x: Tensor, expand: int = 2, dim: int = 0) -> Tensor:
    """Repeat a tensor along a new axis, for each item of a batch."""
    return x.unsqueeze(dim).expand(*x.shape[:dim], expand, *x.shape[dim:])


def expand_tensor_or_tensor_dict(x: Tree, expand: int = 2, dim: int = 0) -> Any:
    """:func:`expand_single_tensor` of a tensor, or of all tensors of a nested dict."""
    if isinstance(x, Tensor):
        return expand_single_tensor(x, expand, dim)
    return {name: expand_tensor_or_tensor_dict(value, expand, dim) for name, value in x.items()}


def flatten_batch_and_node(x: Tensor) -> Tensor:
    """Reshape ``(batch, nodes, …)`` to ``(batch · nodes, …)``."""
    return x.flatten(0, 1)
