"""Running a case again and again, and a few numbers of what it computes, for packages to agree on."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from .kernels import PROBES

if TYPE_CHECKING:
    from torch import Tensor


def probed(
    process: Callable[..., "Tensor"], x: "Tensor", learned: list["Tensor"], weights: "Tensor", train: bool
) -> Callable[[], dict[str, list[float]]]:
    """What processes signals, without gradients or with those of signals and settings.

    Args:
        process: From the signals and what is learned to the output.
        x: The signals.
        learned: What else gets gradients.
        weights: Of the output, whose weighted sum the gradients are of.
        train: Whether to compute gradients.

    Returns:
        What runs it, and returns as ``probes`` some numbers of the output, or of the signals' gradient.
    """
    import torch

    def run() -> dict[str, list[float]]:
        with torch.set_grad_enabled(train):
            y = process(x, *learned)
        if train:
            y, *_ = torch.autograd.grad(y, [x, *learned], weights)
        return {"probes": y.flatten()[:: y.numel() // PROBES].tolist()}

    return run
