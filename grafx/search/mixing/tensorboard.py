"""The progress of a search in TensorBoard."""

import os
from collections.abc import Callable

from ...errors import SearchError
from .search import Progress


def tensorboard_writer(folder: str | os.PathLike) -> Callable[[Progress], None]:
    """Make a callback for a :class:`Search` that writes its progress for TensorBoard.

    Writes the scalars ``loss/fit``, ``loss/prune`` and ``loss/tune``, and ``processors``, over gradient steps. A search
    that goes on from a checkpoint takes the place of the steps after it, where it writes into the same folder.

    Args:
        folder: Where event files go; it is made where it is missing.

    Raises:
        SearchError: The package ``tensorboard`` is missing.

    Examples:
        >>> search = Search(stems, mix, 44100, names, callbacks=[tensorboard_writer("runs/first")])
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise SearchError(
            f"Writing for TensorBoard needs the package {error.name}: install grafx with its extra 'tensorboard'."
        ) from error
    writer = None

    def write(progress: Progress) -> None:
        nonlocal writer
        if writer is None:  # only now is it known where the search goes on
            writer = SummaryWriter(os.fspath(folder), purge_step=progress.step)
        writer.add_scalar(f"loss/{progress.phase}", progress.loss, progress.step)
        writer.add_scalar("processors", progress.num_processors, progress.step)
        writer.flush()  # a search may be left, or killed, after any step

    return write
