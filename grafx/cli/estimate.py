"""``grafx estimate``."""

import json as json_format
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.table import Column
from torch import Tensor

from ..audio import audio_writer, conform, read_audio
from ..data import GRAFX, save_grafx
from ..data.formats.io import GRAPH_FILE
from ..data.queries import get_node_ids_from_type
from ..draw import draw_grafx
from ..errors import AudioError, EstimateError
from ..estimate.estimator import Estimate, Estimator
from ..estimate.rendering import mixed_output, render_graphs
from ..files import replacing_all
from ..parameters.tensors import collect_parameters, scatter_parameters
from ..parameters.words import node_text
from ..search.songs.names import folder_key
from ..text import printable
from .estimated import about_estimate
from .progress import shown_progress
from .report import REPORT_FILE
from .results import alone_in
from .tables import print_table
from .terminal import complain, notice, remark, silence

ESTIMATES_FILE, DRAWING_FILE, SOUND_FILE = "estimates.json", "graph.svg", "estimate.wav"
FILES = DRAWING_FILE, ESTIMATES_FILE
OTHERS = "others"
"""Folder of the graphs that are less likely."""


@dataclass(frozen=True)
class Task:
    """A sound, its dry sound if that is known, and where its estimates go."""

    file: Path
    dry: Path | None
    out: Path


def tasks_of(files: Sequence[Path], dry: Sequence[Path], out: Path) -> list[Task]:
    if len(dry) not in (0, 1, len(files)):
        raise EstimateError(
            f"There are {len(files)} files, but {len(dry)} dry sounds: give --dry once for all, or once for each file."
        )
    sources = [*dry] * len(files) if len(dry) == 1 else [*dry] or [None] * len(files)
    if len(files) == 1:
        return [Task(files[0], sources[0], out)]
    names = [file.stem for file in files]
    keys = [folder_key(name) for name in names]
    if twice := next((name for name, key in zip(names, keys, strict=True) if keys.count(key) > 1), None):
        raise EstimateError(f"Two files are named {printable(twice)}: estimate them one by one, each to its own --out.")
    return [Task(file, source, out / name) for file, source, name in zip(files, sources, names, strict=True)]


def refuse_results(out: Path) -> None:
    if present := [name for name in (GRAPH_FILE, *FILES) if (out / name).exists()]:
        raise EstimateError(
            f"{printable(out)} already holds {', '.join(present)}, which is left as it is: give another folder."
        )


def run_estimates(model: Estimator, tasks: Sequence[Task], k: int, quiet: bool) -> tuple[list[dict[str, Any]], int]:
    """Estimate graphs of files, and return what was found, and how many could not be estimated, if there are others."""
    found, failed = [], 0
    with shown_progress("estimating") as show:
        for place, task in enumerate(tasks):
            if len(tasks) > 1:
                show("estimating", place, len(tasks), printable(task.file.name))
            try:
                found.append(run_estimate(model, task, k, quiet))
            except AudioError as error:
                if len(tasks) == 1:
                    raise
                failed += 1
                complain(str(error))
    return found, failed


def run_estimate(model: Estimator, task: Task, k: int, quiet: bool = False) -> dict[str, Any]:
    """Estimate graphs of one file, write them, and say what was found."""
    output, rate = read_audio(task.file, notice)
    dry = None
    if task.dry is not None:
        dry, own_rate = read_audio(task.dry, notice)
        dry = conform(dry, own_rate, rate, printable(task.dry), notice)
    try:
        found = model.estimate(output, rate, dry, k, lambda text: notice(f"{printable(task.file)}: {text}"))
    except AudioError as error:
        raise AudioError(f"{printable(task.file)}: {error}") from None
    graphs = [with_settings(one.G, model) for one in found]
    said = {
        "file": task.file.name,
        "dry": None if task.dry is None else task.dry.name,
        "sample_rate": model.sample_rate,
        "gain": found[0].gain,
        "estimates": [
            {"probability": one.probability, "nodes": _nodes(G), "cables": _cables(G)}
            for one, G in zip(found, graphs, strict=True)
        ],
    }
    if not quiet:
        _print(task, found, graphs)
    with alone_in(task.out):
        refuse_results(task.out)
        _write(task.out, model, said, graphs, found)
        if dry is not None:
            _write_sound(model, task, graphs[0], found[0].gain, output, dry, rate)
    return said


def with_settings(G: GRAFX, model: Estimator) -> GRAFX:
    """A graph with raw parameters, and settings that can be edited."""
    G = G.copy()
    types = {data["node_type"] for _, data in G.nodes(data=True)}
    processors = {name: processor for name, processor in model.prior.processors.items() if name in types}
    scatter_parameters(G, collect_parameters(G, processors), processors)
    return G


def _nodes(G: GRAFX) -> list[dict[str, Any]]:
    return [{"id": i, "type": d["node_type"], "settings": dict(d.get("settings") or {})} for i, d in G.nodes(data=True)]


def _cables(G: GRAFX) -> list[dict[str, Any]]:
    return [{"from": u, "outlet": d["outlet"], "to": v, "inlet": d["inlet"]} for u, v, d in G.edges(data=True)]


def _print(task: Task, found: Sequence[Estimate], graphs: Sequence[GRAFX]) -> None:
    rows = []
    for one, G in zip(found, graphs, strict=True):
        lines = [node_text(data) for _, data in G.nodes(data=True) if data["node_type"] not in ("in", "out")]
        rows.append((f"{one.probability:.1%}", "\n".join(map(printable, lines)) or "–"))
    print_table(printable(task.file.name), (Column("probability", justify="right"), "graph"), rows, ruled=True)


def _write(
    out: Path, model: Estimator, said: dict[str, Any], graphs: Sequence[GRAFX], found: Sequence[Estimate]
) -> None:
    for rank, (G, one) in enumerate(zip(graphs, found, strict=True), 1):
        folder = out if rank == 1 else out / OTHERS / str(rank)
        save_grafx(G, folder, metadata=about_estimate(model, one))
    with replacing_all(out, FILES) as partial:
        draw_grafx(graphs[0])[0].savefig(partial / DRAWING_FILE)
        (partial / ESTIMATES_FILE).write_text(json_format.dumps(said, indent=1) + "\n", encoding="utf-8")


def _write_sound(model: Estimator, task: Task, G: GRAFX, gain: float, output: Tensor, dry: Tensor, rate: int) -> None:
    """Render the dry sound through the graph at the level at which it holds; write the sound and the page."""
    from ..report import write_report

    with silence(True):
        source, target = (conform(signal, rate, model.sample_rate, "") * gain for signal in (dry, output))
    length = max(source.shape[1], target.shape[1])
    source, target = (torch.nn.functional.pad(s, (0, length - s.shape[1])) for s in (source, target))
    processors, inputs = model.prior.processors, get_node_ids_from_type(G, "in")
    if len(inputs) > 1:
        notice(f"The graph has {len(inputs)} inputs, each of which is fed with {printable(task.dry)}.")
    sources = source.expand(len(inputs), -1, -1)
    try:
        with torch.no_grad():
            sound = mixed_output(render_graphs([G], [sources], processors)[0]) / gain
        with audio_writer(task.out / SOUND_FILE, sound.shape[0], model.sample_rate, sound.shape[1], notice) as write:
            write(sound)
        title = f"{task.file.stem}, estimated"
        write_report(task.out / REPORT_FILE, G, sources, model.sample_rate, processors, target, title=title)
    except (ValueError, OSError) as error:
        notice(f"The results are complete, but their sound or page could not be written. {error}")
        return
    remark(f"See and hear the result: {task.out / REPORT_FILE}.")
