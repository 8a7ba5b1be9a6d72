"""Graphs as data: what nodes there are, how they are connected, and the same as tensors."""

from ..errors import GraphError
from .batch import batch_grafx, unbatch_grafx
from .configs import NodeConfigs
from .conversion import convert_to_graph, convert_to_tensor
from .graph import GRAFX
from .io import load_grafx, save_grafx
from .tensor import GRAFXTensor

__all__ = [
    "GRAFX",
    "GRAFXTensor",
    "GraphError",
    "NodeConfigs",
    "batch_grafx",
    "convert_to_graph",
    "convert_to_tensor",
    "load_grafx",
    "save_grafx",
    "unbatch_grafx",
]
