"""Memory of large results, which is kept for further ones.

Allocators hand back large blocks to the system, which clears each page of a new one when it is first written; in a
render that takes as long as copying the signals. Here a block returns to a shelf when the last tensor in it has gone.
At most :data:`MOST_KEPT` bytes are kept. ``GRAFX_REUSE=0`` leaves everything to torch.
"""

import weakref
from collections import OrderedDict
from threading import RLock

import numpy as np
import torch
from torch import Tensor

from .switches import is_on

LEAST = 1 << 18  # bytes; allocators keep smaller blocks themselves
MOST_KEPT = 1 << 28
DTYPES = {torch.float32: np.float32, torch.float64: np.float64}


class Shelf:
    """Blocks that no tensor uses, the ones of the least recent size first.

    Args:
        most: The number of bytes that are kept at most.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self.most, self.kept = most, 0
        self._blocks: OrderedDict[int, list[np.ndarray]] = OrderedDict()
        self._lock = RLock()  # blocks return at any time, also while another one is taken

    def take(self, size: int) -> np.ndarray:
        """Return a block of ``size`` bytes, with any content."""
        with self._lock:
            blocks = self._blocks.get(size)
            if blocks:
                self.kept -= size
                return blocks.pop()
        return np.empty(size, np.uint8)

    def put(self, block: np.ndarray) -> None:
        """Keep a block, in place of those of other sizes that have not been used for longest."""
        with self._lock:
            self._blocks.setdefault(block.nbytes, []).append(block)
            self._blocks.move_to_end(block.nbytes)
            self.kept += block.nbytes
            while self.kept > self.most:
                size, blocks = next(iter(self._blocks.items()))
                if blocks:
                    blocks.pop()
                    self.kept -= size
                else:
                    del self._blocks[size]


SHELF = Shelf()


def empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor on the CPU that is still to be filled."""
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size < LEAST or dtype not in DTYPES or not is_on("REUSE"):
        return torch.empty(shape, dtype=dtype, device="cpu")
    block = SHELF.take(size)
    array = block.view(DTYPES[dtype]).reshape(shape)
    weakref.finalize(array, SHELF.put, block).atexit = False
    return torch.from_numpy(array)
