"""Shapes that broadcast."""

from collections.abc import Sequence
from itertools import zip_longest

import torch


def broadcast_shapes(*shapes: Sequence[int]) -> torch.Size:
    """What ``torch.broadcast_shapes`` gives, without the half second that its first call takes to load sympy.

    Raises:
        RuntimeError: the shapes do not broadcast.
    """
    sizes = []
    for axis in zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1):
        size = next((n for n in axis if n != 1), 1)
        if any(n not in (1, size) for n in axis):
            raise RuntimeError(f"The shapes {', '.join(str(tuple(shape)) for shape in shapes)} do not broadcast.")
        sizes.append(size)
    return torch.Size(reversed(sizes))
