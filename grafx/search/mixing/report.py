"""Output files of a search: the graph, its audio, drawings, metrics."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...audio import write_audio
from ...data import GRAFX, save_grafx
from ...data.attributes import held_settings
from ...files import locked, replacing_all
from ...parameters.words import node_text
from ...words import count
from ..conditions import in_usual_torch
from ..loudness import REFERENCE_LUFS
from .mixer import WEIGHT, mix_placed
from .search import Search
from .state import CONSOLE_ID, Found
from .weighted import inner

METRICS_FILE = "metrics.json"
RESULT_FILES = (
    "graph.json",
    "parameters.safetensors",
    "mix.wav",
    "console.svg",
    "graph.svg",
    "loss.svg",
    METRICS_FILE,
)


@in_usual_torch
def write_results(search: Search, folder: str | os.PathLike, about: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Write the best graph so far and all other results.

    ``graph.json`` and ``parameters.safetensors`` are the graph, ``mix.wav`` is its mix, ``console.svg`` and
    ``graph.svg`` are drawings before and after pruning, ``loss.svg`` shows the loss over time and ``metrics.json`` has
    the metrics. All files are complete before the first replaces an earlier one, and one search at a time writes.

    The same audio, options and seed give the same bytes, whether the search was interrupted or not, on one machine with
    as many threads. Only ``seconds`` in ``metrics.json`` tells the time.

    Args:
        search: Finished or not.
        folder: Output folder, created if needed.
        about: More entries of the metadata in ``graph.json``.

    Returns:
        The metrics.
    """
    from ...draw import draw_grafx

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found = search.result()
    console = search.console or found
    metrics = summarize(search, found)
    metadata = {
        "kind": "mixing graph",
        "sample_rate": search.sample_rate,
        "num_samples": search.stems.shape[-1],
        "stems_digest": search.stems_digest,
        **_own_types(search, found.G),
        **(about or {}),
    }
    editable = found.G.copy()
    editable.forget_schedule()
    for _, data in editable.nodes(data=True):
        data.pop(CONSOLE_ID, None)  # the metrics have it
    # The numbers last: they say that all the others are there.
    with locked(folder), replacing_all(folder, RESULT_FILES[2:]) as partial:
        write_metrics(partial, metrics | {"history": search.history})
        mixed = mix_placed(found.G, search.stems, search.sample_rate, search.processors)
        write_audio(partial / "mix.wav", mixed, search.sample_rate)
        for name, G in (("console", console.G), ("graph", found.G)):
            draw_grafx(G, node_above="name")[0].savefig(partial / f"{name}.svg")
        plot_losses(search).savefig(partial / "loss.svg")
        save_grafx(editable, folder, metadata=metadata)
    return metrics


def write_metrics(folder: Path, metrics: Mapping[str, Any]) -> None:
    (folder / METRICS_FILE).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")


def _own_types(search: Search, G: GRAFX) -> dict[str, Any]:
    """Which types of a graph are of processors that were given to the search, and what these are."""
    used = {data["node_type"] for _, data in G.nodes(data=True)} & set(search.processors)
    classes = {node_type: type(inner(search.processors[node_type])) for node_type in sorted(used)}
    return {"own_processors": {t: f"{c.__module__}.{c.__qualname__}" for t, c in classes.items()}} if used else {}


def summarize(search: Search, found: Found) -> dict[str, Any]:
    """Collect the metrics of a search: losses of the plain sum, the console and the graph, and removed processors."""
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
        "found_step": found.step,
        "removed": 1 - found.num_processors / max(console.num_processors, 1),
        "fingerprint": search.fingerprint,
        "measured_at_lufs": REFERENCE_LUFS,
        "diagnosis": asdict(search.diagnosis),
        "steps": search.step,
        "seconds": search.seconds,
        "chains": describe_chains(found.G),
        "nodes": _numbers(found.G, search.losses_without(found.G) if search.finished else {}),
        "console": _structure(console.G),
        "rounds": search.rounds,
    }


def _numbers(G: GRAFX, losses: Mapping[int, float]) -> list[dict[str, Any]]:
    """Collect the numbers of each processor as in the graph's file, and the loss without it where it is known."""
    return [
        {
            "id": node_id,
            "console_id": data.get(CONSOLE_ID),
            "type": data["node_type"],
            "owner": data["owner"],
            WEIGHT: data[WEIGHT],
            "settings": dict(held_settings(data) or {}),
            "loss_without": losses.get(node_id),
        }
        for node_id, data in sorted(G.nodes(data=True))
        if WEIGHT in data
    ]


def _structure(G: GRAFX) -> dict[str, Any]:
    """The nodes and edges that a search began with, without their settings, by the ids of then."""
    ids = {node_id: data.get(CONSOLE_ID, node_id) for node_id, data in G.nodes(data=True)}
    return {
        "nodes": sorted(
            (
                {"id": ids[node_id], "type": data["node_type"], "owner": data.get("owner"), "name": data.get("name")}
                for node_id, data in G.nodes(data=True)
            ),
            key=lambda node: node["id"],
        ),
        "edges": sorted(
            [ids[source], ids[dest], data["outlet"], data["inlet"]] for source, dest, data in G.edges(data=True)
        ),
    }


def describe_chains(G: GRAFX) -> dict[str, list[str]]:
    """Describe the chain of each stem, group and the master in words.

    The words are those of drawings, with the ``settings`` and the dry/wet weight of the nodes.
    """
    chains: dict[str, list[str]] = {
        data["name"]: [] for _, data in sorted(G.nodes(data=True)) if data["node_type"] in ("in", "mix")
    }
    for _, data in sorted(G.nodes(data=True)):
        if WEIGHT in data:
            chains.setdefault(data["owner"], []).append(node_text(data))
    return chains


def plot_losses(search: Search):
    """The match loss over gradient steps, as a matplotlib figure.

    With the rounds of pruning, the plain sum and the graph that is the best so far.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    from ...draw.draw import Drawing

    figure = Drawing(figsize=(8, 4.5), layout="constrained")
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
    found = search.result()
    chosen = f"chosen graph: {count(found.num_processors, 'processor')}, loss {found.loss:.4f}"
    axes.plot([found.step], [found.loss], "*", color="#2a9d5c", markersize=14, zorder=3, label=chosen, gid="chosen")
    axes.set(xlabel="gradient step", ylabel="loss", title="How the loss fell (processors left)")
    if min([search.plain_loss, found.loss, *(entry["loss"] for entry in search.history)]) > 0:  # not so of any loss
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    return figure
