"""Cases of GRAFX 0.6.0."""

from .both import about, only_import, preparation, rendering, schedules

__all__ = ["about", "only_import", "preparation", "rendering", "schedules"]
