"""Graphs drawn from priors: valid, rendered, the same everywhere."""

import pytest
import torch

from grafx.estimate.prior import draw_graph, load_prior
from grafx.render import Renderer


@pytest.fixture(scope="module")
def drums():
    return load_prior("drums")


def test_chains_of_the_preset_are_valid_and_rendered(drums):
    for seed in range(20):
        G = draw_graph(drums, seed)
        assert G.validate() == [] and 3 <= len(G) <= 6
        y = Renderer(G, drums.processors)(torch.rand(1, 2, 2000) - 0.5)
        assert y.shape == (1, 2, 2000) and y.isfinite().all()
