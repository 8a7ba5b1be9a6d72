"""DAWproject 1.0, the open format of projects between digital audio workstations."""

from .read import read_dawproject
from .write import write_dawproject

__all__ = ["read_dawproject", "write_dawproject"]
