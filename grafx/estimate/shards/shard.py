"""A shard: two files."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...audio import read_excerpt
from ...data.formats.strict_json import read_json
from ...errors import AudioError, EstimateError, GraphError
from ...text import printable
from ..batches import Example
from ..prior import Prior
from .packing import LINE, span, unpacked

SIZE = 128
"""Examples in a shard, unless a batch is larger."""
AGAIN = " Write the data again, by the same command: whole shards stay."


def shard_size(batch_size: int) -> int:
    """How many examples are in a shard: whole batches, since an example has the same bytes in the same batch alone."""
    return max(1, SIZE // batch_size) * batch_size


class Shard:
    """A file of sound, and one of lines.

    Attributes:
        indices: The examples in it.
        sound, lines: The files.
    """

    def __init__(self, folder: Path, number: int, indices: range) -> None:
        self.indices = indices
        self.sound, self.lines = (folder / f"{number:05d}.{suffix}" for suffix in ("flac", "jsonl"))

    def example(self, index: int, prior: Prior) -> Example:
        """Read an example.

        Raises:
            EstimateError: A file is missing, cut short or damaged. The message names it and the line.
        """
        place = index - self.indices.start
        line = self._line(place)
        start, length = span(line)
        where = f"{printable(self.lines)}, line {place + 1}"
        try:
            sound = read_excerpt(self.sound, start, length)
            if sound.shape[1] != length:
                raise EstimateError(f"{printable(self.sound)} is cut short: the sound of {where} is missing.{AGAIN}")
            return unpacked(line, sound, prior)
        except AudioError as error:
            raise EstimateError(f"The sound of {where} cannot be read: {error}{AGAIN}") from None
        except (GraphError, RuntimeError, TypeError) as error:
            raise EstimateError(f"{where} is damaged: {str(error).rstrip('.')}.{AGAIN}") from None

    def is_whole(self, prior: Prior) -> bool:
        """Whether all lines are there, and the last example with its sound."""
        try:
            self.example(self.indices[-1], prior)
        except EstimateError:
            return False
        return True

    @cached_property
    def _ends(self) -> np.ndarray:
        """Where each line ends, in bytes."""
        try:
            content = np.fromfile(self.lines, np.uint8)
        except OSError as error:
            raise EstimateError(f"{printable(self.lines)} cannot be read: {error.strerror}.{AGAIN}") from None
        ends = np.flatnonzero(content == ord("\n")) + 1
        if len(ends) != len(self.indices) or ends[-1] != len(content):
            raise EstimateError(
                f"{printable(self.lines)} is cut short or damaged: it has {len(ends)} whole lines, but should have"
                f" {len(self.indices)}.{AGAIN}"
            )
        return ends

    def _line(self, place: int) -> dict[str, Any]:
        start, stop = int(self._ends[place - 1]) if place else 0, int(self._ends[place])
        where = f"{printable(self.lines)}, line {place + 1}"
        with open(self.lines, "rb") as file:
            file.seek(start)
            content = file.read(stop - start)
        try:
            line = read_json(content)
        except ValueError as error:
            raise EstimateError(f"{where} is damaged: {str(error).rstrip('.')}.{AGAIN}") from None
        for name, kinds in LINE.items():
            if not isinstance(line, dict) or type(line.get(name)) not in kinds:
                raise EstimateError(f"{where} is damaged: it has no {name} of the right kind.{AGAIN}")
        return line


def shards_of(folder: Path, count: int, size: int) -> Sequence[Shard]:
    """All shards of a folder, whether they are there or not."""
    starts = range(0, count, size)
    return [Shard(folder, number, range(start, min(start + size, count))) for number, start in enumerate(starts)]
