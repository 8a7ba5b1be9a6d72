"""Reading of shards, an example at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ...errors import EstimateError
from ...text import printable
from ..batches import Batches, Example
from ..prior import parse_prior
from ..splits import check_split
from .about import FILE, read_about
from .shard import AGAIN, shard_size, shards_of


class ShardDataset(Batches):
    """The examples of shards on disk, read when they are needed. It yields lists of them.

    It has the order and the lengths of the lists of the :class:`.GraphDataset` that was written, and the same examples
    but for rounding to 24 bits, relative to the peak of each signal. See :class:`.Batches` for the order.

    Args:
        folder: Where :func:`write_shards` wrote.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        batch_size: Length of the lists; by default that with which the examples were made.
        rank, world_size: Which of several processes this is; together they have every example once.

    Attributes:
        prior: What the graphs were drawn from.
        seconds: Length of each example.

    Raises:
        EstimateError: There is no such data, or not all of it. Iteration raises it, too, where a file is damaged; the
            message names it.
    """

    def __init__(
        self,
        folder: str | Path,
        split: Literal["train", "valid", "test"] = "train",
        batch_size: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        check_split(split, None)
        self.folder, self.split = Path(folder) / split, split
        about = read_about(self.folder)
        try:
            made_in = int(about["batch_size"])
            self._size = shard_size(made_in)
            self.prior, self.seconds = parse_prior(about["prior"]), float(about["seconds"])
            super().__init__(int(about["count"]), batch_size or made_in, rank, world_size)
        except (KeyError, TypeError, ZeroDivisionError) as error:
            raise EstimateError(f"{printable(self.folder / FILE)} is damaged ({error}).{AGAIN}") from None
        self._shards = shards_of(self.folder, self.count, self._size)
        missing = [s for s in self._shards if not (s.sound.is_file() and s.lines.is_file())]
        if missing:
            raise EstimateError(
                f"{printable(self.folder)} has {len(self._shards) - len(missing)} of {len(self._shards)} shards;"
                f" {missing[0].sound.name} or {missing[0].lines.name} is the first that is missing.{AGAIN}"
            )

    def examples(self, indices: Sequence[int]) -> list[Example]:
        """Read the examples of these numbers."""
        return [self._shards[self._checked(index) // self._size].example(index, self.prior) for index in indices]
