"""Cases of this package."""

from collections.abc import Callable
from typing import Any

from . import both
from .both import about, only_import, preparation, rendering, schedules

__all__ = ["about", "only_import", "preparation", "rendering", "rendering_all", "schedules"]


def rendering_all(as_tensor: bool, **arguments: Any) -> Callable[[], dict[str, Any]]:
    """As ``rendering``, and every node's signal is looked at, as one tensor or one by one."""
    return both.rendering(look=lambda signals: signals.tensor() if as_tensor else signals[0], **arguments)
