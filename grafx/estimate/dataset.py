"""Random graphs with their sounds, rendered in batches of different graphs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from ..data import GRAFX
from ..errors import EstimateError
from .audible import Heard, hear
from .prior import Prior, draw_graph, draw_settings
from .seeds import seed_of
from .sounds import Sounds

AUDIBLE_DB = -30.0
ATTEMPTS = 6
"""How often settings are drawn before a node that is not audible is left as it is."""


@dataclass(frozen=True)
class Example:
    """A graph, what it was fed with, and what came out.

    Attributes:
        G: The graph with physical parameters on its nodes. Processors also have ``audible``, whether the output would
            change by more than a threshold without the node, and ``change_db``, by how much.
        sources: A dry sound for each ``in`` node, in id order, ``(K, C, L)``.
        output: ``(C, L)``.
        sounds: The names of the dry sounds.
        seed: All that is random follows from it.
        gain: Factor that brought the output to its loudness.
    """

    G: GRAFX
    sources: Tensor
    output: Tensor
    sounds: tuple[str, ...]
    seed: int
    gain: float = 1.0


class GraphDataset(IterableDataset[list[Example]]):
    """Random graphs, rendered on the fly. It yields lists of examples, each rendered at once.

    An epoch has every seed once, in an order that depends on nothing but the seed and the epoch: neither on the number
    of workers of a ``DataLoader(dataset, batch_size=None)`` nor on that of processes.

    Args:
        prior: What graphs are drawn from.
        sounds: What dry sounds are drawn from.
        count: Number of examples in an epoch.
        seconds: Length of each.
        seed: Another seed gives other examples.
        batch_size: How many examples are rendered at once; the last list may be shorter.
        rank, world_size: Which of several processes this is; together they have every seed once.

    Raises:
        EstimateError: An argument is not possible.
    """

    def __init__(
        self,
        prior: Prior,
        sounds: Sounds,
        count: int,
        seconds: float = 2.0,
        seed: int = 0,
        batch_size: int = 32,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if sounds.sample_rate != prior.sample_rate:
            raise EstimateError(
                f"The sounds have {sounds.sample_rate} Hz, but the prior '{prior.name}' is for {prior.sample_rate} Hz."
            )
        self.prior, self.sounds, self.count, self.seconds, self.seed = prior, sounds, count, seconds, seed
        self.batch_size, self.rank, self.world_size = batch_size, rank, world_size
        self._epoch = torch.zeros((), dtype=torch.long).share_memory_()  # workers that persist see it, too

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the seeds; epoch 0 has them as they come."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        """Number of lists that this process gets."""
        return len(range(self.rank, -(-self.count // self.batch_size), self.world_size))

    def __iter__(self) -> Iterator[list[Example]]:
        worker = get_worker_info()
        batches = islice(self.seeds(), self.rank, None, self.world_size)
        mine = islice(batches, worker.id, None, worker.num_workers) if worker else batches
        return map(self.examples, mine)

    def seeds(self) -> Iterator[list[int]]:
        """The seeds of each list of the epoch."""
        epoch = int(self._epoch)
        first = seed_of("examples", self.seed) >> 12  # so that JSON and floats hold all of them
        order = range(self.count)
        if epoch:
            order = torch.randperm(self.count, generator=torch.Generator().manual_seed(seed_of(self.seed, epoch)))
            order = order.tolist()
        for start in range(0, self.count, self.batch_size):
            yield [first + order[i] for i in range(start, min(start + self.batch_size, self.count))]

    @torch.no_grad()
    def examples(self, seeds: Sequence[int]) -> list[Example]:
        """Draw and render the examples of some seeds."""
        with one_thread():
            graphs = [draw_graph(self.prior, seed) for seed in seeds]
            counts = [sum(t == "in" for _, t in G.nodes(data="node_type")) for G in graphs]
            drawn = self.sounds.draw_all(
                [seed_of("sound", seed, i) for seed, count in zip(seeds, counts, strict=True) for i in range(count)],
                self.seconds,
                self.prior.channels,
            )
            sounds = iter(drawn)
            own = [list(islice(sounds, count)) for count in counts]
            sources = [torch.stack([signal for _, signal in rows]) for rows in own]
            heard = self._audible(graphs, sources, seeds)
            return [
                Example(G, rows, one.output, tuple(name for name, _ in names), seed)
                for G, rows, one, names, seed in zip(graphs, sources, heard, own, seeds, strict=True)
            ]

    def _audible(self, graphs: list[GRAFX], sources: Sequence[Tensor], seeds: Sequence[int]) -> list[Heard]:
        """Render graphs, with other settings for those nodes that are not audible, and mark them."""
        heard = hear(graphs, sources, self.prior.processors)
        for attempt in range(1, ATTEMPTS):
            left = [i for i, one in enumerate(heard) if any(c < AUDIBLE_DB for c in one.changes.values())]
            if not left:
                break
            for i in left:
                graphs[i] = self._redrawn(graphs[i], heard[i], seed_of("settings", seeds[i], attempt))
            again = hear([graphs[i] for i in left], [sources[i] for i in left], self.prior.processors)
            for i, one in zip(left, again, strict=True):
                heard[i] = one
        for G, one in zip(graphs, heard, strict=True):
            for node, change in one.changes.items():
                G.nodes[node].update(audible=change >= AUDIBLE_DB, change_db=round(change, 2))
        return heard

    def _redrawn(self, G: GRAFX, heard: Heard, seed: int) -> GRAFX:
        """A graph with other settings for all nodes that are not audible, and for all if nothing is heard."""
        drawn = draw_settings(self.prior, G, seed)
        if not heard.silent:
            for node, change in heard.changes.items():
                if change >= AUDIBLE_DB:
                    drawn.nodes[node]["parameters"] = G.nodes[node]["parameters"]
        return drawn


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread, since sums of several may round in other ways; workers have the other cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
