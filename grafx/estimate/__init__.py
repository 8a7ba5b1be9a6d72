"""Blind estimation: from a sound to the graph that made it.

A *prior* is a distribution of graphs, in TOML. A *data set* draws graphs and dry sounds, and renders batches of
different graphs at once. *Tokens* write graphs as sequences, which models read and write. *Metrics* tell how far an
estimated graph is from the true one.
"""

from ..errors import EstimateError
from .baselines import fit_from
from .dataset import Example, GraphDataset
from .estimator import Estimate, Estimator
from .metrics import Comparison, canonical, compare_graphs, mean_comparison, sound_distances
from .prior import Prior, draw_graph, draw_settings, load_prior, parse_prior
from .recipe import Recipe, load_recipe, parse_recipe
from .rendering import render_graphs
from .shards import ShardDataset, write_shards
from .sounds import FolderSounds, GeneratedSounds, sounds_named
from .splits import split_sounds
from .tokens import (
    Grammar,
    TokenSequence,
    Vocabulary,
    canonical_key,
    canonical_order,
    decode,
    encode,
    tokens_from_pyg,
    tokens_to_pyg,
)

__all__ = [
    "Comparison",
    "Estimate",
    "EstimateError",
    "Estimator",
    "Example",
    "FolderSounds",
    "GeneratedSounds",
    "Grammar",
    "GraphDataset",
    "Prior",
    "Recipe",
    "ShardDataset",
    "TokenSequence",
    "Vocabulary",
    "canonical",
    "canonical_key",
    "canonical_order",
    "compare_graphs",
    "decode",
    "draw_graph",
    "draw_settings",
    "encode",
    "fit_from",
    "load_prior",
    "load_recipe",
    "mean_comparison",
    "parse_prior",
    "parse_recipe",
    "render_graphs",
    "sound_distances",
    "sounds_named",
    "split_sounds",
    "tokens_from_pyg",
    "tokens_to_pyg",
    "write_shards",
]
