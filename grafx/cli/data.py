"""``grafx data``."""

from pathlib import Path
from typing import Any

from ..estimate.dataset import GraphDataset
from ..estimate.prior import Prior
from ..estimate.shards import write_shards
from ..estimate.sounds import DrySounds
from .progress import interrupts, shown_progress

HELD_BACK = 10
"""For so many examples for training there is one for validation, and one for the test."""


def make_datasets(
    prior: Prior, sounds: DrySounds, sizes: dict[Any, int], options: dict[str, Any]
) -> list[GraphDataset]:
    """A dataset for each split that has a size, all refused if one is."""
    return [GraphDataset(prior, sounds, size, split=split, **options) for split, size in sizes.items() if size]


def write_datasets(datasets: list[GraphDataset], out: Path, workers: int) -> bool:
    """Write all splits, with a progress bar, and return whether they are complete."""
    with interrupts() as interrupted, shown_progress("looking for what is made already") as show:
        for dataset in datasets:

            def tell(done: int, total: int, split: str = dataset.split) -> None:
                show(f"examples for {split}", done, total, "")

            if not write_shards(dataset, out, workers, tell, interrupted):
                return False
    return True


def a_tenth(count: int) -> int:
    return -(-count // HELD_BACK)
