"""Random graphs with their sounds, rendered in batches of different graphs."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

import torch
from torch import Tensor

from ..data import GRAFX
from ..data.queries import get_node_ids_from_type
from ..errors import EstimateError
from .audible import AUDIBLE_DB, Hearing, hear
from .batches import Batches, Example, one_thread
from .prior import Prior, draw_graph, draw_settings
from .seeds import seed_of
from .sounds import DrySounds
from .splits import MOST_DRAWS, check_split, confine_settings, split_of_structure, split_sounds
from .tokens import canonical_key

__all__ = ["Example", "GraphDataset"]

ATTEMPTS, OTHERS = 3, 16
"""How often settings are drawn for nodes that are not audible, and other graphs for those that are silent."""
LARGEST_GAIN = 1e4  # 80 dB


class GraphDataset(Batches):
    """Random graphs, drawn and rendered on the fly. It yields lists of examples, each rendered in one call.

    Settings of nodes that are not audible are drawn again, some times, and graphs that stay silent.
    See :class:`Batches` for the order.

    Args:
        prior: What graphs are drawn from.
        sounds: What dry sounds are drawn from.
        count: Number of examples in an epoch.
        seconds: Length of each.
        seed: Another seed gives other examples.
        split: ``"train"``, ``"valid"`` or ``"test"``, which have no seeds in common.
        by: What else they have not in common: the ``"sound"``, the ``"structure"`` of graphs, or ranges of the
            ``"settings"`` of nodes; None if nothing.
        batch_size: How many examples are rendered at once; the last list may be shorter.
        loudness: To which LUFS outputs are brought; None leaves them as they come.
        audible_db: Least level of the change that a node makes, relative to the output.
        rank, world_size: Which of several processes this is; together they have every seed once.

    Raises:
        EstimateError: An argument is not possible, or the prior or the sounds cannot be split like that.
    """

    def __init__(
        self,
        prior: Prior,
        sounds: DrySounds,
        count: int,
        seconds: float = 2.0,
        seed: int = 0,
        split: Literal["train", "valid", "test"] = "train",
        by: Literal["sound", "structure", "settings"] | None = "sound",
        batch_size: int = 32,
        loudness: float | None = None,
        audible_db: float = AUDIBLE_DB,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(count, batch_size, rank, world_size)
        check_split(split, by)
        if sounds.sample_rate != prior.sample_rate:
            raise EstimateError(
                f"The sounds have {sounds.sample_rate} Hz, but the prior '{prior.name}' is for {prior.sample_rate} Hz:"
                " make them with its sample_rate."
            )
        if not 1 <= seconds * prior.sample_rate < math.inf:
            raise EstimateError(f"seconds must be a positive number, not {seconds}.")
        if loudness is not None and not -100 <= loudness <= 0:
            raise EstimateError(f"loudness must be from -100 to 0 LUFS, or None, not {loudness}.")
        self.prior, self.seconds, self.seed, self.split, self.by = prior, seconds, seed, split, by
        self.sounds = split_sounds(sounds, split) if by == "sound" else sounds
        self.loudness, self.audible_db = loudness, audible_db
        self._first_seed = seed_of("examples", split, seed) >> 11  # JSON and floats hold it

    @torch.no_grad()
    def examples(self, indices: Sequence[int]) -> list[Example]:
        """Draw and render the examples of these numbers, in one call."""
        seeds = [self._first_seed + self._checked(index) for index in indices]
        with one_thread():
            graphs = [self._graph(seed) for seed in seeds]
            names, sources = self._sources(graphs, seeds)
            heard = self._heard(graphs, sources, seeds)
            examples = map(Example, graphs, sources, (one.output for one in heard), names, seeds)
            return [self._leveled(example) for example in examples]

    def _graph(self, seed: int) -> GRAFX:
        for attempt in range(MOST_DRAWS):
            G = draw_graph(self.prior, seed, attempt)
            if self.by != "structure" or split_of_structure(canonical_key(G, inputs=())) == self.split:
                return self._confined(G, seed)
        raise EstimateError(
            f"The prior '{self.prior.name}' cannot be split by structure: none of {MOST_DRAWS} graphs is for"
            f" '{self.split}'. Let it have more structures, or split by sound or settings."
        )

    def _confined(self, G: GRAFX, seed: int) -> GRAFX:
        if self.by == "settings":
            confine_settings(self.prior, G, self.split, seed)
        return G

    def _sources(self, graphs: Sequence[GRAFX], seeds: Sequence[int]) -> tuple[list[tuple[str, ...]], list[Tensor]]:
        """Draw a dry sound for each ``in`` node."""
        counts = [len(get_node_ids_from_type(G, "in")) for G in graphs]
        own_seeds = [seed_of("sound", seed, i) for seed, n in zip(seeds, counts, strict=True) for i in range(n)]
        drawn = iter(self.sounds.draw_all(own_seeds, self.seconds, self.prior.channels))
        own = [list(islice(drawn, count)) for count in counts]
        silence = torch.zeros(0, self.prior.channels, round(self.seconds * self.prior.sample_rate))
        names = [tuple(name for name, _ in sounds) for sounds in own]
        return names, [torch.stack([s for _, s in sounds]) if sounds else silence for sounds in own]

    def _heard(self, graphs: list[GRAFX], sources: Sequence[Tensor], seeds: Sequence[int]) -> list[Hearing]:
        """Render graphs, with other settings for nodes that are not audible, and mark all nodes."""
        heard = hear(graphs, sources, self.prior.processors)
        for attempt in range(1, ATTEMPTS):
            left = [i for i, one in enumerate(heard) if one.silent or one.lost(self.audible_db)]
            if not left:
                break
            for i in left:
                graphs[i] = self._redrawn(graphs[i], heard[i], seed_of("settings", seeds[i], attempt))
            again = hear([graphs[i] for i in left], [sources[i] for i in left], self.prior.processors)
            for i, one in zip(left, again, strict=True):
                heard[i] = one
        for i in [i for i, one in enumerate(heard) if one.silent]:
            graphs[i], heard[i] = self._another(graphs[i], heard[i], sources[i], seeds[i])
        for G, one in zip(graphs, heard, strict=True):
            for node, change in one.changes.items():
                G.nodes[node].update(audible=change >= self.audible_db, change_db=round(change, 2))
        return heard

    def _another(self, G: GRAFX, heard: Hearing, sources: Tensor, seed: int) -> tuple[GRAFX, Hearing]:
        """Another graph for the same sounds, where one is silent with whatever settings; the same if all are."""
        for attempt in range(OTHERS):
            other = self._graph(seed_of("another", seed, attempt))
            if len(get_node_ids_from_type(other, "in")) == len(sources):
                (again,) = hear([other], [sources], self.prior.processors)
                if not again.silent:
                    return other, again
        return G, heard

    def _redrawn(self, G: GRAFX, heard: Hearing, seed: int) -> GRAFX:
        """A graph with other settings for the nodes that are not audible; for all, if nothing is heard at all."""
        drawn = draw_settings(self.prior, G, seed)
        lost = set(G.nodes) if heard.silent else heard.lost(self.audible_db)
        for node in set(G.nodes) - set(lost):
            drawn.nodes[node]["parameters"] = G.nodes[node]["parameters"]
        return self._confined(drawn, seed)

    def _leveled(self, example: Example) -> Example:
        if self.loudness is None:
            return example
        from ..search.loudness import loudness

        lufs = loudness(example.output, self.prior.sample_rate)
        gain = min(10 ** ((self.loudness - lufs) / 20), LARGEST_GAIN) if math.isfinite(lufs) else 1.0
        return replace(example, output=gain * example.output, gain=gain)
