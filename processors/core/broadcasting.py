"""Broadcasting of shapes."""

from collections.abc import Sequence

import torch


def is_one_of(length: int, *lengths: int) -> bool:
    """Whether ``length`` is one of some numbers, in a form that compiles with symbolic lengths, unlike ``in``."""
    for other in lengths:  # noqa: SIM110, as no generator
        if length == other:
            return True
    return False


def broadcast_shapes(*shapes: Sequence[int]) -> torch.Size:
    """Compute ``torch.broadcast_shapes``, without the half second of its first call to load sympy.

    Raises:
        RuntimeError: The shapes do not broadcast.
    """
    rank = max([len(shape) for shape in shapes] + [0])  # in a form that old releases of torch compile
    sizes = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1:
                if not is_one_of(sizes[axis], 1, size):
                    raise RuntimeError(f"The shapes {', '.join(map(str, map(tuple, shapes)))} do not broadcast.")
                sizes[axis] = size
    return torch.Size(sizes)
