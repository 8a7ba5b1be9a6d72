"""The tasks: what graphs and sounds models learn from, and what they are asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from grafx.estimate import Example, GeneratedSounds, GraphDataset, Prior, load_prior
from grafx.estimate.sounds import DrySounds
from grafx.estimate.splits import split_sounds

FOLDER = Path(__file__).with_name("tasks")

SPLITS = ("seen", "unseen")
"""New graphs on dry sounds that models may learn from, and on others."""

SOUNDS_OF = {"seen": "train", "unseen": "test"}
"""Which part of the dry sounds each takes, as :class:`~grafx.estimate.GraphDataset` parts them."""


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        name: Its name, and that of its prior in the folder ``tasks``.
        sounds: The generator of dry sounds.
        seconds: Length of each example.
        count: How many examples each split has.
    """

    name: str
    sounds: str
    seconds: float = 2.0
    count: int = 200

    @cached_property
    def prior(self) -> Prior:
        return load_prior(FOLDER / f"{self.name}.toml")

    @property
    def digest(self) -> str:
        """Digest of all that makes the task."""
        content = (self.prior.digest, self.sounds, self.seconds, self.count)
        return sha256(repr(content).encode()).hexdigest()[:16]

    def dry_sounds(self, split: str) -> DrySounds:
        """The dry sounds of a split."""
        return split_sounds(GeneratedSounds(self.sounds, self.prior.sample_rate), SOUNDS_OF[split])

    def training(self, count: int) -> GraphDataset:
        """Examples to learn from."""
        return GraphDataset(self.prior, GeneratedSounds(self.sounds, self.prior.sample_rate), count, self.seconds)

    def test(self, split: str, count: int | None = None) -> Iterator[Example]:
        """The examples of a split, or the first of them."""
        dataset = GraphDataset(
            self.prior,
            self.dry_sounds(split),
            self.count,
            self.seconds,
            SPLITS.index(split),
            "test",
            None,
            batch_size=8,
        )
        wanted = self.count if count is None else min(count, self.count)
        given = (example for examples in dataset for example in examples)
        return (example for _, example in zip(range(wanted), given, strict=False))


TASKS = {task.name: task for task in (Task("drums", "drums"), Task("tones", "tones"), Task("consoles", "mix"))}
