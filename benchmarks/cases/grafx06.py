"""Cases of GRAFX 0.6.0, and of other packages in its environment."""

from collections.abc import Callable
from typing import Any

from . import both
from .both import about, only_import, preparation, rendering, schedules
from .compressors import compressing
from .desk import desk
from .drawings import drawing
from .filters import filtering
from .fitting import fitting
from .kernels import kernel, repair
from .reverbs import reverberation
from .waveshapers import shaping

__all__ = [
    "about",
    "compressing",
    "desk",
    "drawing",
    "filtering",
    "fitting",
    "fitting_repaired",
    "kernel",
    "only_import",
    "preparation",
    "rendering",
    "rendering_repaired",
    "reverberation",
    "schedules",
    "shaping",
]


def rendering_repaired(**arguments: Any) -> Callable[[], dict[str, Any]]:
    """Run ``rendering`` with convolutions that are correct for even and odd lengths."""
    return both.rendering(make=_repaired, **arguments)


def fitting_repaired(**arguments: Any) -> Callable[[], dict[str, Any]]:
    """Run ``fitting`` with convolutions that are correct for even and odd lengths."""
    return fitting(repair=repair, **arguments)


def _repaired(types: set[str]) -> dict[str, Any]:
    return {name: repair(processor) for name, processor in both.processors_of(types).items()}
