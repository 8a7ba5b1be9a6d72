"""Entries: the graphs that a model estimates for the tests of tasks, as JSON, and their scores."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from grafx.data import GRAFX, NodeConfigs
from grafx.data.formats.strict_json import read_json
from grafx.estimate import compare_graphs, mean_comparison, render_graphs, sound_distances
from grafx.estimate.rendering import mixed_output

from .tasks import SPLITS, TASKS, Task

VERSION = 1
HEARS = ("output", "output and dry sounds")
TOLERANCE = 1e-3
"""How far claimed scores may be from those that are computed, as machines round."""

SILENT = 1e-6
"""A sound that is softer counts as the true one at this amplitude, as distances to silence are not defined."""

SCORES = ("node_type_error", "node_f1", "edge_f1", "parameter_error", "mel")

Entry = dict[str, Any]


class EntryError(ValueError):
    """An entry is not valid; the message names the place."""


def plain_graph(G: GRAFX) -> dict[str, list]:
    """A graph as in entries: ``[type, settings]`` of nodes, and ``[source, dest, outlet, inlet]`` of edges."""
    place = {node: index for index, node in enumerate(sorted(G.nodes))}
    nodes = [[G.nodes[node]["node_type"], _plain(G.nodes[node].get("parameters") or {})] for node in place]
    edges = sorted([place[u], place[v], data["outlet"], data["inlet"]] for u, v, data in G.edges(data=True))
    return {"nodes": nodes, "edges": edges}


def read_graph(plain: Any, config: NodeConfigs, where: str) -> GRAFX:
    """Read a graph of an entry.

    Raises:
        EntryError: It is none, or cannot be rendered.
    """
    nodes, edges = (plain.get(part) if isinstance(plain, dict) else None for part in ("nodes", "edges"))
    if not _are_rows(nodes, (str, dict)) or not _are_rows(edges, (int, int, str, str)):
        raise EntryError(
            f"{where} is no graph: it must have lists of nodes, each [type, settings], and of edges, each [source,"
            " dest, outlet, inlet]."
        )
    try:
        G = GRAFX(config=config)
        for node_type, settings in nodes:
            G.add(node_type, settings)
        for source, dest, outlet, inlet in edges:
            G.connect(source, dest, outlet=outlet, inlet=inlet)
    except ValueError as error:
        raise EntryError(f"{where}: {error}") from error
    if problems := G.validate():
        raise EntryError(f"{where}: {problems[0]}")
    return G


def _are_rows(rows: Any, kinds: Sequence[type]) -> bool:
    """Whether it is a list of lists of values of these kinds."""
    return isinstance(rows, list) and all(
        isinstance(row, list) and len(row) == len(kinds) and all(type(v) is k for v, k in zip(row, kinds, strict=True))
        for row in rows
    )


def read_entry(path: str | Path) -> Entry:
    """Read an entry and check its form.

    Raises:
        EntryError: It is no entry for these tasks. The message names the place.
    """
    try:
        entry = read_json(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise EntryError(f"{path} cannot be read: {error}") from error
    if not isinstance(entry, dict) or entry.get("benchmark") != "GraphBench" or entry.get("version") != VERSION:
        raise EntryError(f'{path} is no entry: it must have "benchmark": "GraphBench" and "version": {VERSION}.')
    if entry.get("hears") not in HEARS:
        raise EntryError(f'{path}: "hears" must be one of {", ".join(HEARS)}, not {entry.get("hears")!r}.')
    if not isinstance(entry.get("model"), str) or not entry["model"]:
        raise EntryError(f'{path}: "model" must be the name of the model.')
    tasks = entry.get("tasks")
    if not isinstance(tasks, dict) or not tasks or not set(tasks) <= set(TASKS):
        raise EntryError(f'{path}: "tasks" must have some of {", ".join(TASKS)}.')
    for name, given in tasks.items():
        _check_task(given, TASKS[name], f"{path}: {name}")
    return entry


def _check_task(given: Any, task: Task, where: str) -> None:
    if not isinstance(given, dict) or given.get("digest") != task.digest:
        raise EntryError(f"{where} is of another version of this task, whose digest is now {task.digest}.")
    for split in SPLITS:
        graphs = given.get(split)
        if not isinstance(graphs, list) or not 0 < len(graphs) <= task.count:
            raise EntryError(f"{where}: {split} must be a list of {task.count} graphs, or of the first of them.")


def task_entry(task: Task, estimates: Mapping[str, Sequence[GRAFX]]) -> Entry:
    """The part of an entry that is about a task: estimated graphs by split, in the order of the test."""
    return {"digest": task.digest, **{split: [plain_graph(G) for G in estimates[split]] for split in SPLITS}}


def score_entry(entry: Entry) -> dict[str, dict[str, dict[str, float]]]:
    """Compute the scores of an entry: task to split to score.

    Raises:
        EntryError: A graph is not valid.
    """
    return {
        name: {split: _score(TASKS[name], split, given[split], f"{name}: {split}") for split in SPLITS}
        for name, given in entry["tasks"].items()
    }


def _score(task: Task, split: str, graphs: Sequence[Any], where: str) -> dict[str, float]:
    config, processors = task.prior.config, task.prior.processors
    comparisons, distances = [], []
    for index, (example, plain) in enumerate(zip(task.test(split, len(graphs)), graphs, strict=True)):
        estimate = read_graph(plain, config, f"{where}[{index}]")
        try:
            comparisons.append(compare_graphs(example.G, estimate, processors))
            distances.append(_distance(example, estimate, task))
        except ValueError as error:
            raise EntryError(f"{where}[{index}]: {error}") from error
    means = mean_comparison(comparisons)
    return {**{name: means[name] for name in SCORES[:-1]}, "mel": sum(distances) / len(distances)}


def _distance(example: Any, estimate: GRAFX, task: Task) -> float:
    """Of the sound that the estimate makes of the dry sounds; where it wants more or fewer, they come round again."""
    wanted = sum(node_type == "in" for _, node_type in estimate.nodes(data="node_type"))
    rows = [index % len(example.sources) for index in range(wanted)]
    (output,) = render_graphs([estimate], [example.sources[rows]], task.prior.processors)
    sound = mixed_output(output)
    heard = sound if sound.abs().max() > SILENT else SILENT * example.output
    return sound_distances(example.output, heard, task.prior.sample_rate)["mel"]


def check_scores(claimed: Any, computed: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> list[str]:
    """What an entry claims otherwise than it is, and what it claims of graphs that it does not have."""
    said, real = _by_place(claimed), _by_place(computed)
    wrong = [
        f"{place} is {_shown(value)}, but the entry says {_shown(said[place]) if place in said else 'nothing'}."
        for place, value in real.items()
        if place not in said or not _is_equal(said[place], value)
    ]
    return wrong + [
        f"{place} is {_shown(value)} in the entry, which has no graphs for it."
        for place, value in said.items()
        if place not in real
    ]


def _by_place(scores: Any, place: tuple[str, ...] = ()) -> dict[str, Any]:
    """Scores by where they are: ``"drums, seen: mel"``."""
    if isinstance(scores, Mapping):
        inner = (_by_place(value, (*place, str(name))) for name, value in scores.items())
        return {name: value for found in inner for name, value in found.items()}
    return {": ".join(filter(None, (", ".join(place[:-1]), *place[-1:]))) or "scores": scores}


def _is_equal(said: Any, value: float | None) -> bool:
    if type(said) not in (int, float) or value is None:
        return said is None and value is None
    return math.isclose(said, value, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _shown(value: Any) -> str:
    return f"{value:.5g}" if type(value) is float else f"{value!r:.60}"


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    values = settings.items()
    return {name: _plain(v) if isinstance(v, Mapping) else getattr(v, "tolist", lambda v=v: v)() for name, v in values}
