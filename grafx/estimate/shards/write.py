"""Writing of shards, which goes on where it was stopped."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from torch.utils.data import DataLoader, Dataset

from ...audio import audio_writer
from ...errors import EstimateError
from ...files import LockedError, locked, replacing_all
from ...text import printable
from ..batches import Example
from ..dataset import GraphDataset
from .about import about, claim
from .packing import CHANNELS, packed
from .shard import Shard, shard_size, shards_of

LONGEST = 2**40  # samples of a file

OnProgress = Callable[[int, int], None]
"""Takes how many examples are written, and of how many."""


class _Stopped(Exception):
    """Someone has interrupted it."""


def write_shards(
    dataset: GraphDataset,
    folder: str | Path,
    workers: int = 0,
    show: OnProgress = lambda _done, _total: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> bool:
    """Write the examples of a dataset, in the order of epoch 0, to a folder of their split in a folder.

    A shard is a FLAC file of 24 bits, with the dry sounds and the output of each example one after the other, and a
    file of JSON lines with the graphs. Shards appear when they are complete. When this is called again, whole shards
    stay, and all others are made, with the same bytes as without an interruption.

    Args:
        dataset: What is written, whatever its ``rank``.
        folder: Gets a folder ``train``, ``valid`` or ``test``.
        workers: Number of processes that make examples; with 0 it is this one.
        show: Called after each batch.
        interrupted: Tells whether to stop before the next batch.

    Returns:
        Whether all is written.

    Raises:
        EstimateError: The folder has other data, or another process writes there.
        OSError: A file cannot be written.
    """
    folder = Path(folder) / dataset.split
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder, timeout=0):
            claim(folder, about(dataset))
            _write_missing(dataset, folder, workers, show, interrupted)
    except LockedError:
        raise EstimateError(f"Another process writes into {printable(folder)}: wait for it.") from None
    except _Stopped:
        return False
    return True


def _write_missing(
    dataset: GraphDataset, folder: Path, workers: int, show: OnProgress, interrupted: Callable[[], bool]
) -> None:
    shards = shards_of(folder, dataset.count, shard_size(dataset.batch_size))
    missing = [shard for shard in shards if not shard.is_whole(dataset.prior)]
    made = _made(dataset, [batch for shard in missing for batch in _batches(shard, dataset.batch_size)], workers)
    done = dataset.count - sum(len(shard.indices) for shard in missing)
    show(done, dataset.count)
    for shard in missing:
        with replacing_all(folder, [shard.sound.name, shard.lines.name]) as partial:
            sound = audio_writer(partial / shard.sound.name, CHANNELS, dataset.prior.sample_rate, LONGEST)
            with sound as write, open(partial / shard.lines.name, "wb") as lines:
                start = 0
                for _ in _batches(shard, dataset.batch_size):
                    if interrupted():
                        raise _Stopped
                    for example in next(made):
                        line, signal = packed(example, start)
                        write(signal)
                        lines.write(line)
                        start += signal.shape[1]
                        done += 1
                    show(done, dataset.count)


def _batches(shard: Shard, size: int) -> list[range]:
    return [shard.indices[start : start + size] for start in range(0, len(shard.indices), size)]


class _Lists(Dataset[list[Example]]):
    """The examples of some batches."""

    def __init__(self, dataset: GraphDataset, batches: Sequence[range]) -> None:
        self.dataset, self.batches = dataset, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> list[Example]:
        return self.dataset.examples(self.batches[index])


def _made(dataset: GraphDataset, batches: Sequence[range], workers: int) -> Iterator[list[Example]]:
    return iter(DataLoader(_Lists(dataset, batches), batch_size=None, num_workers=min(workers, len(batches))))
