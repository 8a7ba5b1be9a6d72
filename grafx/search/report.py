"""What a search leaves behind: the graph, its sound, pictures, numbers."""

import json
import math
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..audio import audio_digest, write_audio
from ..data import GRAFX, save_grafx
from ..files import locked, replacing
from .mixer import WEIGHT, render_mix
from .search import Found, Search

RESULT_FILES = (
    "graph.json",
    "parameters.safetensors",
    "mix.wav",
    "console.svg",
    "graph.svg",
    "loss.svg",
    "metrics.json",
)
DECIBELS = 20 / math.log(10)


def write_results(search: Search, folder: str | os.PathLike) -> dict[str, Any]:
    """Write the best graph so far with all that belongs to it.

    ``graph.json`` and ``parameters.safetensors`` are the graph, ``mix.wav`` is what it sounds like,
    ``console.svg`` and ``graph.svg`` draw it before and after pruning, ``loss.svg`` is how the loss fell and
    ``metrics.json`` has the numbers. All are made before the first takes the place of an earlier one, and one search
    at a time writes.

    Args:
        search: Finished or not.
        folder: Where to; made where it is missing.

    Returns:
        The numbers.
    """
    from ..draw import draw_grafx

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = search.result()
    console = search.console or found
    metrics = summarize(search, found)
    metadata = {
        "kind": "mixing graph",
        "sample_rate": search.sample_rate,
        "num_samples": search.stems.shape[-1],
        "stems_digest": audio_digest(search.stems),
    }
    with locked(folder), ExitStack() as stack:
        # The numbers first, and so in place last: they say that all the others are there.
        places = {name: stack.enter_context(replacing(folder / name)) for name in reversed(RESULT_FILES[2:])}
        text = json.dumps(metrics | {"history": search.history}, indent=1)
        places["metrics.json"].write_text(text + "\n", encoding="utf-8")
        write_audio(places["mix.wav"], render_mix(found.G, search.stems), search.sample_rate)
        for name, G in (("console", console.G), ("graph", found.G)):
            draw_grafx(G, node_above="name")[0].savefig(places[f"{name}.svg"])
        plot_losses(search).savefig(places["loss.svg"])
        save_grafx(found.G, folder, metadata=metadata)
    return metrics


def summarize(search: Search, found: Found) -> dict[str, Any]:
    """The numbers of a search: losses of the plain sum, the console and the found graph, and what was removed."""
    console = search.console or found
    return {
        "finished": search.finished,
        "plain_loss": search.plain_loss,
        "console_loss": console.loss,
        "found_loss": found.loss,
        "found_over_plain": found.loss / search.plain_loss if search.plain_loss > 0 else None,
        "cost_of_pruning": found.loss - console.loss,
        "console_processors": console.num_processors,
        "found_processors": found.num_processors,
        "removed": 1 - found.num_processors / max(console.num_processors, 1),
        "fingerprint": search.fingerprint,
        "steps": search.step,
        "seconds": search.seconds,
        "chains": describe_chains(found.G),
    }


def describe_chains(G: GRAFX) -> dict[str, list[str]]:
    """What was found for each stem, group and the master: a description of each processor in its chain."""
    chains: dict[str, list[str]] = {
        data["name"]: [] for _, data in sorted(G.nodes(data=True)) if data["node_type"] in ("in", "mix")
    }
    for _, data in sorted(G.nodes(data=True)):
        if WEIGHT in data:
            chains.setdefault(data["owner"], []).append(describe_processor(data))
    return chains


def describe_processor(data: dict[str, Any]) -> str:
    """A processor in a few words: what it does together with its dry/wet weight, with units where there are some."""
    node_type, weight = data["node_type"], data[WEIGHT]
    if node_type in _GAINS:
        # A mix of dry and wet is itself a gain.
        return f"{node_type} {_GAINS[node_type](torch.log1p(weight * torch.expm1(_log_gain(data))) * DECIBELS)}"
    words = _DYNAMICS[node_type](data["parameters"]) + ", " if node_type in _DYNAMICS else ""
    return f"{node_type} {words}{100 * weight:.0f} % wet"


def plot_losses(search: Search):
    """The match loss over gradient steps, with the rounds of pruning and the plain sum, as a matplotlib figure."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    steps = [entry for entry in search.history if entry["phase"] != "prune"]
    prunings = [entry for entry in search.history if entry["phase"] == "prune"]
    axes.plot([e["step"] for e in steps], [e["loss"] for e in steps], color="#33658a", label="match loss")
    axes.axhline(search.plain_loss, color="#8d99ae", linestyle="--", label="plain sum of the stems")
    if prunings:
        axes.plot(
            [e["step"] for e in prunings], [e["loss"] for e in prunings], "o", color="#d1495b", label="after pruning"
        )
    for entry in prunings:
        axes.annotate(
            str(entry["num_processors"]),
            (entry["step"], entry["loss"]),
            (0, 8),
            textcoords="offset points",
            ha="center",
        )
    axes.set(xlabel="gradient step", ylabel="loss", yscale="log", title="How the loss fell (processors left)")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure


def _log_gain(data: dict[str, Any]) -> Tensor:
    (log_gain,) = data["parameters"].values()
    return log_gain


def _stereo_gain(decibels: Tensor) -> str:
    left, right = decibels.tolist()
    return f"{left:+.1f} dB left, {right:+.1f} dB right"


def _imager(decibels: Tensor) -> str:
    return f"side {decibels.item():+.1f} dB"


def _equalizer(decibels: Tensor) -> str:
    # The lowest and highest bins are where there is hardly any sound and so hardly any reason.
    low, high = torch.quantile(decibels, torch.tensor([0.05, 0.95])).tolist()
    return f"{low:+.0f} to {high:+.0f} dB"


def _threshold_db(parameters: dict[str, Tensor]) -> float:
    # Thresholds are natural logarithms of energies, 6 below the raw value.
    return ((parameters["log_threshold"] - 6) * DECIBELS / 2).item()


def _compressor(parameters: dict[str, Tensor]) -> str:
    # Twice as steep as its ratio says, because a gain computed from energies is applied to amplitudes.
    slope = 2 * torch.sigmoid(-parameters["log_ratio"]).item() - 1
    ratio = f"{1 / slope:.1f}" if slope > 0.01 else "∞"
    return f"over {_threshold_db(parameters):.0f} dB, {ratio}:1"


def _gate(parameters: dict[str, Tensor]) -> str:
    slope = 1 + 2 * parameters["log_ratio"].exp().item()
    return f"under {_threshold_db(parameters):.0f} dB, 1:{slope:.1f}"


_GAINS = {"eq": _equalizer, "imager": _imager, "gain": _stereo_gain}
_DYNAMICS = {"compressor": _compressor, "noisegate": _gate}
