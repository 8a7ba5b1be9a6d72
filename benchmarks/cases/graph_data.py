"""Random graphs with their sounds."""

from collections.abc import Callable
from typing import Any


def graph_data(
    preset: str, structure: dict, sounds: str, count: int, batch_size: int, workers: int, seconds: float
) -> Callable[[], dict[str, float]]:
    """Draw graphs and dry sounds, render them, and render each graph without each of its nodes.

    Args:
        preset: The prior whose kinds of nodes are drawn.
        structure: The tables of its structures, and ``max_nodes``.
        sounds: Generator of dry sounds.
        count: Number of graphs.
        batch_size: How many are rendered at once; with 0 each is rendered by a renderer of its own, and so is what is
            left of it without a node.
        workers: Processes of the data loader; 0 for this one alone.
        seconds: Length of each sound.

    Returns:
        With the mean number of nodes, with inputs, sums and outputs.
    """
    import torch
    from torch.utils.data import DataLoader

    from grafx.estimate.dataset import GraphDataset
    from grafx.estimate.prior import load_prior, parse_prior
    from grafx.estimate.sounds import GeneratedSounds

    prior = parse_prior(load_prior(preset).plain | structure)
    drawn = GeneratedSounds(sounds, prior.sample_rate)
    # Nothing is drawn again, so that both do the same.
    dataset = GraphDataset(prior, drawn, count, seconds, batch_size=max(1, batch_size), audible_db=-1000.0)
    dataset.examples(range(min(count, 4)))  # compiles, and loads libraries

    def batched() -> dict[str, float]:
        loader = DataLoader(dataset, batch_size=None, num_workers=workers)
        sizes = [len(example.G) for batch in loader for example in batch]
        return {"nodes": sum(sizes) / len(sizes)}

    def alone() -> dict[str, float]:
        with torch.no_grad():
            sizes = [_made_alone(prior, drawn, seed, seconds) for seed in range(count)]
        return {"nodes": sum(sizes) / len(sizes)}

    return batched if batch_size else alone


def _made_alone(prior: Any, sounds: Any, seed: int, seconds: float) -> int:
    """Make one graph as its user would, and return its number of nodes."""
    import torch

    from grafx.errors import GraphError
    from grafx.estimate.prior import draw_graph
    from grafx.render import Renderer

    G = draw_graph(prior, seed)
    inputs = [node for node, node_type in G.nodes(data="node_type") if node_type == "in"]
    x = torch.stack([sounds.draw(1000 * seed + i, seconds, prior.channels)[1] for i in range(len(inputs))])
    y = Renderer(G, prior.processors)(x)
    for node, node_type in G.nodes(data="node_type"):
        if node_type not in prior.processors:
            continue
        without = G.copy()
        try:
            without.bypass(node)
        except GraphError:  # what it is fed with goes on beside it
            continue
        torch.linalg.vector_norm(Renderer(without, prior.processors)(x) - y).item()
    return len(G)
