"""Graphs that ``grafx estimate`` has written: their processors are those of a prior, and they hold at one level."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch.nn as nn

from ..errors import EstimateError, GraphError

if TYPE_CHECKING:
    from ..estimate.estimator import Estimate, Estimator

KIND = "estimated graph"


def about_estimate(model: "Estimator", found: "Estimate") -> dict[str, Any]:
    """What is saved with an estimated graph, so that it renders without its model."""
    return {
        "kind": KIND,
        "sample_rate": model.sample_rate,
        "probability": found.probability,
        "gain": found.gain,
        "prior": model.prior.plain,
    }


def processors_of_estimate(metadata: Mapping[str, Any]) -> dict[str, nn.Module] | None:
    """Node type to processor of an estimated graph; ``None`` for other graphs.

    Raises:
        GraphError: What is saved with the graph does not say which they are.
    """
    if metadata.get("kind") != KIND:
        return None
    from ..estimate.prior import parse_prior

    try:
        return dict(parse_prior(metadata.get("prior", {})).processors)
    except (EstimateError, TypeError, AttributeError) as error:
        raise GraphError(f"The prior that was saved with the estimated graph is damaged: {error}") from None


def level_of(metadata: Mapping[str, Any]) -> float:
    """Factor that brings sounds to the level at which a graph holds: 1 for all but estimated ones.

    Raises:
        GraphError: It is not a positive number.
    """
    gain = metadata.get("gain", 1) if metadata.get("kind") == KIND else 1
    if type(gain) not in (int, float) or not 0 < gain < math.inf:
        raise GraphError(f"The level of the estimated graph, its gain, must be a positive number, not {gain!r}.")
    return float(gain)
