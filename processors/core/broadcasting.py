"""Shapes that broadcast."""

from collections.abc import Sequence

import torch


def broadcast_shapes(*shapes: Sequence[int]) -> torch.Size:
    """What ``torch.broadcast_shapes`` gives, without the half second that its first call takes to load sympy.

    Raises:
        RuntimeError: the shapes do not broadcast.
    """
    rank = max([len(shape) for shape in shapes] + [0])  # in a form that old releases of torch compile
    sizes = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1:
                if sizes[axis] not in (1, size):
                    raise RuntimeError(f"The shapes {', '.join(map(str, map(tuple, shapes)))} do not broadcast.")
                sizes[axis] = size
    return torch.Size(sizes)
