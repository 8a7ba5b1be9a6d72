"""Kick drums."""

from collections.abc import Callable


def kicks(count: int, samples: int, at_once: int, train: bool) -> Callable[[], None]:
    """Make kicks of random settings, and with ``train`` the gradients of their energy by all settings.

    Args:
        count: Number of kicks.
        samples: Length of each.
        at_once: Number of kicks per call.
        train: Whether to compute gradients.
    """
    import torch
    from grafx.processors import KickSynth

    synth = KickSynth()
    norm = torch.rand(count, synth.count_num_parameters())

    def make(norm: torch.Tensor, samples: int) -> torch.Tensor:
        y = synth(num_samples=samples, norm_params=norm.requires_grad_(train))
        if train:
            y.square().sum().backward()
        return y.detach()

    make(norm[:1].clone(), 100)  # compiles, and loads libraries

    def run() -> None:
        torch.cat([make(rows.clone(), samples) for rows in norm.split(at_once)])

    return run
