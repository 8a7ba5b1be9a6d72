"""Graphs as data: nodes, connections, and their representation as tensors."""

from ..errors import GraphError
from .batch import batch_grafx, unbatch_grafx
from .configs import NodeConfigs
from .conversion import convert_to_graph, convert_to_tensor
from .formats.graphml import read_graphml, write_graphml
from .formats.io import load_grafx, save_grafx
from .formats.pyg import from_pyg, to_pyg
from .graph import GRAFX
from .tensor import GRAFXTensor

__all__ = [
    "GRAFX",
    "GRAFXTensor",
    "GraphError",
    "NodeConfigs",
    "batch_grafx",
    "convert_to_graph",
    "convert_to_tensor",
    "from_pyg",
    "load_grafx",
    "read_graphml",
    "save_grafx",
    "to_pyg",
    "unbatch_grafx",
    "write_graphml",
]
