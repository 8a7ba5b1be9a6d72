"""A console that is fitted to a mix by Adam, under both packages."""

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import graphs
from .both import processors_of
from .songs import Song, read_song

if TYPE_CHECKING:
    from torch import Tensor

STRIP = ("eq", "compressor", "noisegate", "imager", "gain", "delay", "reverb")
PLACES = 12
"""How many excerpts of a song there are."""
SPREAD = 0.01
"""Standard deviation of raw parameters at the start."""

Loss = Callable[["Tensor", int], "Tensor"]
"""Distance of an estimate from the target that begins at a sample."""


def fitting(
    song: str | None,
    seconds: float,
    steps: int,
    every: int,
    loss: str,
    learning_rate: float = 0.1,
    repair: Callable[[Any], Any] = lambda processor: processor,
) -> Callable[[], dict[str, Any]]:
    """Fit a console with dry/wet weights to a song, from the same values on under each package.

    Args:
        song: Its folder, see :func:`read_song`.
        seconds: Length of excerpts.
        steps: Gradient steps.
        every: After how many of them the loss of the loudest excerpt is computed, which is not timed.
        loss: ``"auraloss"`` of left, right, mid and side, or ``"ours"``, the same by :class:`MatchLoss`.
        learning_rate: Of Adam.
        repair: Changes processors before they are used.

    Returns:
        A function to run, which returns ``seconds_a_step`` and, for each count of steps, the ``loss_COUNT`` and the
            ``seconds_COUNT`` until then.
    """
    import torch
    from grafx.processors import DryWet

    from grafx.data import convert_to_tensor
    from grafx.render import prepare_render, render_grafx, reorder_for_fast_render

    given = read_song(song)
    stems, mix = (torch.from_numpy(signal) for signal in (given.stems, given.mix))
    length, places = excerpts(given, seconds)
    loudest = max(places, key=lambda start: float(mix[:, start : start + length].square().sum()))
    distance = (_auraloss if loss == "auraloss" else _match_loss)(mix, given, length)
    G = graphs.console(len(stems), STRIP, max(1, len(stems) // 4))
    types = set(G.config.node_types)
    processors = {name: DryWet(repair(processor)) for name, processor in processors_of(types).items()}
    render_data = prepare_render(reorder_for_fast_render(convert_to_tensor(G), method="beam"))

    def mixed(parameters: Any, z: "Tensor", start: int) -> "Tensor":
        x = stems[..., start : start + length]
        return render_grafx(processors, x, parameters, render_data, {"drywet_weight": z.sigmoid()})[0][0]

    def run(count: int = steps) -> dict[str, Any]:
        parameters, z = _start(processors, G)
        optimizer = torch.optim.Adam([*parameters.parameters(), z], lr=learning_rate)
        found, spent, order = {}, 0.0, random.Random(0)
        for step in range(count + 1):
            if step % every == 0 or step == count:
                with torch.no_grad():
                    value = distance(mixed(parameters, z, loudest), loudest).item()
                found |= {f"loss_{step}": value, f"seconds_{step}": spent}
            if step < count:
                began = time.perf_counter()
                place = order.choice(places)
                optimizer.zero_grad()
                distance(mixed(parameters, z, place), place).backward()
                optimizer.step()
                spent += time.perf_counter() - began
        return {"seconds_a_step": spent / count, **found}

    run(1)  # compiles, and loads libraries
    return run


def excerpts(song: Song, seconds: float) -> tuple[int, list[int]]:
    """Return the length of excerpts in samples, and where they begin."""
    samples = song.mix.shape[1]
    length = min(samples, round(seconds * song.rate))
    return length, sorted({round((samples - length) * i / (PLACES - 1)) for i in range(PLACES)})


def _start(processors: dict[str, Any], G: Any) -> tuple[Any, "Tensor"]:
    """Parameters of the same values, whatever made them, and dry/wet weights of one half before the sigmoid."""
    import torch

    from grafx.utils import create_empty_parameters

    parameters = create_empty_parameters(processors, G)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _, tensor in sorted(parameters.named_parameters()):
            tensor.copy_(SPREAD * torch.randn(tensor.shape, generator=generator))
    return parameters, torch.zeros(len(G), requires_grad=True)


def _auraloss(mix: "Tensor", song: Song, length: int) -> Loss:
    from .losses import auraloss_of

    distance = auraloss_of(song.rate)
    return lambda estimate, start: distance(song.gain * estimate, song.gain * mix[:, start : start + length])


def _match_loss(mix: "Tensor", song: Song, length: int) -> Loss:
    from grafx.search import MatchLoss

    match_loss, references = MatchLoss(song.rate), {}

    def distance(estimate: "Tensor", start: int) -> "Tensor":
        if start not in references:
            references[start] = match_loss.reference(mix[:, start : start + length], song.gain)
        return match_loss(estimate, references[start])

    return distance
