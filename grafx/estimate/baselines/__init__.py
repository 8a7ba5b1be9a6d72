"""What a model has to beat, and what may follow it: nearest neighbour, most frequent graph, gradient fit."""

from .fit import Fit, fit_from
from .frequent import MostFrequent
from .nearest import NearestNeighbour, plain_embedding

__all__ = ["Fit", "MostFrequent", "NearestNeighbour", "fit_from", "plain_embedding"]
