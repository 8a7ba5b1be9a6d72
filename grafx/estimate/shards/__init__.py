"""Examples on disk: shards of FLAC and JSON lines."""

from .read import ShardDataset
from .write import write_shards

__all__ = ["ShardDataset", "write_shards"]
