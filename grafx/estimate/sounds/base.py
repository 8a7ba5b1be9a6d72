"""Dry sounds: what graphs are fed with."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, Self

from torch import Tensor

from ...errors import EstimateError
from ..prior.randomness import Draws

PEAK = 0.5
"""Peak of every dry sound, so that thresholds mean the same for all."""


class DrySounds(ABC):
    """A set of named sounds.

    Attributes:
        sample_rate: In Hz.
        names: One for each sound.
    """

    sample_rate: int
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def draw(self, seed: int, seconds: float, channels: int = 2) -> tuple[str, Tensor]:
        """Draw one sound.

        Args:
            seed: All that is random follows from it.
            seconds: Its length; where it is shorter, silence follows.
            channels: Number of channels; mono is put on all.

        Returns:
            Its name, and the signal ``(channels, samples)`` with a peak of 0.5.
        """
        return self.draw_all([seed], seconds, channels)[0]

    @abstractmethod
    def draw_all(self, seeds: Sequence[int], seconds: float, channels: int = 2) -> list[tuple[str, Tensor]]:
        """Draw a sound for each seed, as :meth:`draw` does for one."""

    @property
    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What they are, as plain data; equal if and only if the same sounds are drawn."""

    @abstractmethod
    def only(self, names: Iterable[str]) -> Self:
        """Return the same sounds without those that are not named."""


def drawn_name(names: Sequence[str], seed: int) -> str:
    if not names:
        raise EstimateError("There are no sounds to draw from.")
    return Draws("sound", seed).one_of(names)


def digest_of(names: Iterable[str]) -> str:
    """A digest of names, in their order."""
    return sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def leveled(signal: Tensor) -> Tensor:
    """Bring a signal to the peak of dry sounds; silence stays."""
    peak = signal.abs().max()
    return signal * (PEAK / peak) if peak > 0 else signal
