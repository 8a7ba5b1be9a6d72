"""The progress of a training for TensorBoard."""

from collections.abc import Callable
from pathlib import Path

from ...errors import EstimateError


def writer_of(folder: str | Path, step: int) -> Callable[[str, float, int], None]:
    """A function that writes scalars for TensorBoard, in place of those of later steps.

    Raises:
        EstimateError: The package ``tensorboard`` is missing.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise EstimateError(
            f"Writing for TensorBoard needs the package {error.name}: install grafx with its extra 'tensorboard'."
        ) from error
    writer = SummaryWriter(str(folder), purge_step=step)

    def write(name: str, value: float, step: int) -> None:
        writer.add_scalar(name, value, step)
        writer.flush()

    return write
