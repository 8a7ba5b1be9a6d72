"""Where a training runs: one device, several, or several machines, by Lightning Fabric."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...errors import EstimateError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

WAIT = timedelta(days=30)


def make_fabric(**options: Any) -> "Fabric":
    """Make and launch a Fabric of Lightning.

    Args:
        **options: See its documentation; by default one device, in single precision.

    Raises:
        EstimateError: Lightning Fabric is missing, or cannot do that.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
        from lightning_fabric.utilities.exceptions import MisconfigurationException
    except ModuleNotFoundError as error:
        raise EstimateError(
            f"Training needs the package {error.name}: install grafx with its extra 'estimate'."
        ) from error
    for name in ("lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        options = {"accelerator": "cpu", "devices": 1, "precision": "32-true", **options}
        if options["devices"] != 1 or options.get("num_nodes", 1) != 1:
            options.setdefault("strategy", DDPStrategy(timeout=WAIT))  # the others wait while the first makes data
        fabric = Fabric(**options)
    except (ValueError, MisconfigurationException) as error:
        raise EstimateError(f"It cannot be trained like this: {error}") from None
    fabric.launch()
    return fabric


class Together:
    """Whether any process is to stop; all agree on it when all ask."""

    def __init__(self, fabric: "Fabric", interrupted: Callable[[], bool]) -> None:
        self.fabric, self.interrupted = fabric, interrupted

    def __call__(self) -> bool:
        if self.fabric.world_size == 1:
            return self.interrupted()
        return bool(summed(self.fabric, torch.tensor(float(self.interrupted()))) > 0)


def summed(fabric: "Fabric", values: Tensor) -> Tensor:
    """The sum over all processes."""
    found = fabric.all_reduce(values, reduce_op="sum")
    assert isinstance(found, Tensor)
    return found
