"""A page to see and hear a graph: what it does to its sounds, and what a search found."""

from .heard import Heard, hear
from .truth import read_truth
from .write import write_report

__all__ = ["Heard", "hear", "read_truth", "write_report"]
