"""What one search has left: its graph, its numbers, and what was asked for."""

import tomllib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx as nx

from .... import trees
from ....data import GRAFX
from ....data.attributes import WEIGHT, held_settings
from ....data.formats.document import parse_document
from ....data.formats.io import GRAPH_FILE
from ....data.formats.strict_json import read_json
from ....errors import GraphError
from ....text import printable
from ...mixing.console import MASTER, SEND
from ...mixing.seeds import comparable
from ..manifest import Song
from ..names import plain_name
from ..runs import metrics_of
from ..state import DONE, SongState

CONFIG_FILE = "config.toml"


@dataclass(frozen=True)
class Run:
    """What one search has left.

    Attributes:
        name: That of the song.
        state: How far it is.
        song: What the list of songs has of it.
        G: The graph that was found; ``None`` where there is none.
        metadata: That of the graph.
        metrics: Its numbers.
        options: What was asked for.
    """

    name: str
    state: SongState
    song: Song | None = None
    G: GRAFX | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundProcessor:
    """A processor of a graph.

    Attributes:
        node: Id of its node.
        kind: Its node type.
        owner: The stem, group, return or master in whose chain it is.
        role: Which of these that is: ``"stem"``, ``"group"``, ``"return"``, ``"master"``; ``"bus"`` in other graphs.
        stem: The words of the owner's name, see :func:`.plain_name`.
        position: In its chain, from 1 on.
        drywet: Its dry/wet weight, from 0 to 1.
        settings: In physical units, as the node holds them.
        loss_without: The loss of the graph without it; ``None`` where it was not measured.
    """

    node: int
    kind: str
    owner: str
    role: str
    stem: str
    position: int
    drywet: float
    settings: Mapping[str, Any]
    loss_without: float | None

    def numbers(self) -> dict[str, float]:
        """The settings as flat numbers, ``"level_db/63 Hz/1"``, of which the same kinds have the same names."""
        return dict(_numbers(comparable(self.settings)))


def read_run(folder: Path, state: SongState, song: Song | None) -> Run:
    """Read what a search has left in a folder.

    Raises:
        GraphError: There is a graph, but it cannot be read.
    """
    metrics = metrics_of(folder)
    if metrics is None or not (folder / GRAPH_FILE).is_file():
        return Run(state.name, state, song)
    try:
        G, _, metadata = parse_document(read_json((folder / GRAPH_FILE).read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        raise GraphError(f"{printable(folder / GRAPH_FILE)} cannot be read: {error}.") from None
    return Run(state.name, state, song, G, metadata, metrics, _options(folder))


def parts_of(run: Run) -> list[FoundProcessor]:
    """The processors that were found, in the order in which sound goes through them."""
    if run.G is None:
        return []
    G, losses = run.G, {}
    for node in run.metrics.get("nodes") or ():
        losses[node.get("id")] = node.get("loss_without")
    nodes = {i: (data["node_type"], data.get("name")) for i, data in G.nodes(data=True)}
    roles = roles_of(nodes, G.edges())
    found, lengths = [], {}
    for node in nx.lexicographical_topological_sort(nx.DiGraph(G)):
        data = G.nodes[node]
        if WEIGHT not in data:
            continue
        owner = data.get("owner") or ""
        lengths[owner] = lengths.get(owner, 0) + 1
        role = roles.get(owner, "bus")
        settings = dict(held_settings(data) or {})
        found.append(
            FoundProcessor(
                node, data["node_type"], owner, role, stem_of(owner, role), lengths[owner], float(data[WEIGHT]),
                settings, losses.get(node),
            )
        )  # fmt: skip
    return found


def console_of(run: Run) -> list[dict[str, str]]:
    """The processors that the search began with: owner, role and kind of each."""
    console = run.metrics.get("console") or {}
    nodes = {node["id"]: (node["type"], node.get("name")) for node in console.get("nodes", ())}
    roles = roles_of(nodes, [edge[:2] for edge in console.get("edges", ())])
    return [
        {"owner": node["owner"], "role": roles.get(node["owner"], "bus"), "kind": node["type"]}
        for node in console.get("nodes", ())
        if node.get("owner") is not None
    ]


def stem_of(owner: str, role: str) -> str:
    """The words of an owner's name that it has in common with those of other songs."""
    return plain_name(owner) if role in ("stem", "group", "return") else role


def roles_of(nodes: Mapping[Any, tuple[str, str | None]], edges: Iterable[tuple[Hashable, Hashable]]) -> dict[str, str]:
    """What each named input and sum of a console is.

    Args:
        nodes: Id to the type and name.
        edges: Source and destination of each.
    """
    returns = {dest for source, dest in edges if nodes[source][0] == SEND}
    roles = {}
    for node, (node_type, name) in nodes.items():
        if name is not None and node_type in ("in", "mix"):
            bus = "master" if name == MASTER else "return" if node in returns else "group"
            roles[name] = "stem" if node_type == "in" else bus
    return roles


def _numbers(settings: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for path, value in trees.items(settings):
        name = "/".join(map(str, path))
        values = list(trees.numbers(value))
        if isinstance(value, list | tuple) and len(values) > 1:
            yield from (
                (f"{name}/{place}", float(v)) for place, v in enumerate(values, 1) if isinstance(v, int | float)
            )
        elif values and isinstance(values[0], int | float):
            yield name, float(values[0])


def _options(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / CONFIG_FILE).read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return {}


def is_done(run: Run) -> bool:
    """Whether a run has a result to be collected."""
    return run.state.state == DONE and run.G is not None
