"""The order of examples in an epoch, and who makes which of them."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from ..data import GRAFX
from ..errors import EstimateError
from .prior.randomness import Draws


@dataclass(frozen=True)
class Example:
    """A graph, what it was fed with, and what came out.

    Attributes:
        G: The graph with physical parameters on its nodes. Nodes of processors that can be removed also have
            ``audible``, whether the output changes by more than a threshold without the node, and ``change_db``, the
            level of this change relative to the output.
        sources: A dry sound for each ``in`` node, in id order, ``(K, C, L)``.
        output: ``(C, L)``.
        sounds: The names of the dry sounds.
        seed: All that is random follows from it.
        gain: Factor that brought the output to its loudness; 1 if it was left as it came.
    """

    G: GRAFX
    sources: Tensor
    output: Tensor
    sounds: tuple[str, ...]
    seed: int
    gain: float = 1.0

    def __reduce__(self) -> tuple[Any, ...]:
        """By value, since processes may share but a few hundred tensors."""
        signals = (signal.detach().cpu().numpy() for signal in (self.sources, self.output))
        return _restored, (self.G, *signals, self.sounds, self.seed, self.gain)


def _restored(G: GRAFX, sources: np.ndarray, output: np.ndarray, *rest: Any) -> Example:
    return Example(G, torch.from_numpy(sources), torch.from_numpy(output), *rest)


class Batches(IterableDataset[list[Example]]):
    """Examples in lists. A subclass makes them in :meth:`examples`.

    An epoch has each example once, in an order that follows from the epoch alone: neither from the number of workers of
    a ``DataLoader(dataset, batch_size=None)``, persistent ones too, nor from that of processes.

    Args:
        count: Number of examples.
        batch_size: Length of the lists, of which the last may be shorter.
        rank, world_size: Which of several processes this one is; all together have each example once.

    Raises:
        EstimateError: An argument is not possible.
    """

    def __init__(self, count: int, batch_size: int, rank: int, world_size: int) -> None:
        for name, value in {"count": count, "batch_size": batch_size, "world_size": world_size}.items():
            if value < 1:
                raise EstimateError(f"{name} must be at least 1, not {value}.")
        if not 0 <= rank < world_size:
            raise EstimateError(f"rank must be from 0 to {world_size - 1}, as there are {world_size}, not {rank}.")
        self.count, self.batch_size, self.rank, self.world_size = count, batch_size, rank, world_size
        self._epoch = torch.zeros((), dtype=torch.long).share_memory_()  # workers that persist see it, too

    @abstractmethod
    def examples(self, indices: Sequence[int]) -> list[Example]:
        """Return the examples of these numbers, each from 0 to below ``count``."""

    def _checked(self, index: int) -> int:
        if not 0 <= index < self.count:
            raise EstimateError(f"There is no example {index}: there are {self.count}, counted from 0.")
        return index

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iterations; in epoch 0 examples come in the order of their numbers."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        """Number of lists that this process gets in an epoch."""
        return len(range(self.rank, -(-self.count // self.batch_size), self.world_size))

    def __iter__(self) -> Iterator[list[Example]]:
        worker = get_worker_info()
        order = self._order(int(self._epoch))
        starts = range(0, self.count, self.batch_size)
        starts = islice(starts, self.rank, None, self.world_size)
        if worker:
            starts = islice(starts, worker.id, None, worker.num_workers)
        return (self.examples(order[start : start + self.batch_size]) for start in starts)

    def _order(self, epoch: int) -> Sequence[int]:
        if not epoch:
            return range(self.count)
        draws = Draws("epoch", epoch)
        return sorted(range(self.count), key=lambda _: draws.unit())


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread, since sums of several may round in other ways; workers have the other cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
