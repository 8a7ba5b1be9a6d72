"""Differentiable audio processing graphs in PyTorch."""

from importlib.metadata import version

__version__ = version("grafx")
