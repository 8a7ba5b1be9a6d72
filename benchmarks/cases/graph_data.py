"""Random graphs with their sounds."""

from collections.abc import Callable


def graph_data(
    preset: str, structure: dict, sounds: str, count: int, batch_size: int, workers: int, seconds: float
) -> Callable[[], dict[str, float]]:
    """Draw graphs and dry sounds, render them, and render each graph without each of its nodes.

    Args:
        preset: The prior whose kinds of nodes are drawn.
        structure: The tables of its structures, and ``max_nodes``.
        sounds: Generator of dry sounds.
        count: Number of graphs.
        batch_size: How many are rendered at once.
        workers: Processes of the data loader; 0 for this one alone.
        seconds: Length of each sound.

    Returns:
        With the mean number of nodes, with inputs, sums and outputs.
    """
    from torch.utils.data import DataLoader

    from grafx.estimate.dataset import GraphDataset
    from grafx.estimate.prior import load_prior, parse_prior
    from grafx.estimate.sounds import GeneratedSounds

    prior = parse_prior(load_prior(preset).plain | structure)
    dataset = GraphDataset(prior, GeneratedSounds(sounds), count, seconds, batch_size=batch_size)
    dataset.examples(range(min(count, 4)))  # compiles, and loads libraries

    def run() -> dict[str, float]:
        loader = DataLoader(dataset, batch_size=None, num_workers=workers)
        sizes = [len(example.G) for batch in loader for example in batch]
        return {"nodes": sum(sizes) / len(sizes)}

    return run
