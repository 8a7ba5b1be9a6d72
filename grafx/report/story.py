"""How a graph was found: what each round of pruning took away."""

from collections.abc import Callable, Mapping
from typing import Any

import networkx as nx

from ..errors import SearchError

Picture = dict[str, Any]


def story_of(metrics: Mapping[str, Any] | None, picture: Callable[..., Picture]) -> dict[str, Any] | None:
    """Tell the rounds of a search, from its metrics.

    Args:
        metrics: Those of a search; earlier ones lack what is told here.
        picture: What draws a graph.

    Returns:
        The entry of a page; None where the metrics do not tell.

    Raises:
        SearchError: The metrics tell something else than a search writes.
    """
    if not metrics or not metrics.get("console") or not metrics.get("rounds"):
        return None
    console = console_of(metrics)
    try:
        rounds = list(_rounds(metrics, console))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _untold(error) from None
    return {"plain_loss": metrics.get("plain_loss"), "picture": picture(console), "rounds": rounds}


def check_metrics(metrics: Any) -> None:
    """Refuse what a page cannot tell.

    Raises:
        SearchError: They are not those of a search; the message says what is wrong.
    """
    if metrics is None:
        return
    if not isinstance(metrics, Mapping):
        raise SearchError(f"The metrics are {metrics!r:.60}, but should be those of a search, as in its metrics.json.")
    nodes, chains = metrics.get("nodes") or (), metrics.get("chains") or {}
    if not isinstance(nodes, list | tuple) or not all(isinstance(node, Mapping) and "id" in node for node in nodes):
        raise SearchError("The metrics should have objects with an 'id' in 'nodes', as in metrics.json of a search.")
    if not isinstance(chains, Mapping):
        raise SearchError("The metrics should have an object in 'chains', as in metrics.json of a search.")
    story_of(metrics, lambda _: {})


def console_of(metrics: Mapping[str, Any]) -> nx.MultiDiGraph:
    """The graph that a search began with, without settings, by the ids of then.

    Raises:
        SearchError: The metrics tell something else than a search writes.
    """
    G = nx.MultiDiGraph()
    try:
        structure = metrics["console"]
        for node in structure["nodes"]:
            G.add_node(node["id"], node_type=node["type"], owner=node.get("owner"), name=node.get("name"))
        for source, dest, outlet, inlet in structure["edges"]:
            if source not in G or dest not in G:
                raise ValueError(f"an edge joins {source} and {dest}, which are not among its nodes")
            G.add_edge(source, dest, outlet=outlet, inlet=inlet)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _untold(error) from None
    return G


def _untold(error: Exception) -> SearchError:
    return SearchError(
        f"The metrics do not tell the rounds of a search as it writes them ({type(error).__name__}: {error}): take"
        " them as they are in metrics.json, or leave out 'console' and 'rounds'."
    )


def _rounds(metrics: Mapping[str, Any], console: nx.MultiDiGraph):
    """Each round, with what has gone since the one before; a round may go back to more than that had."""
    chosen = metrics.get("found_step")
    before: list[int] | None = None
    for entry in metrics["rounds"]:
        left = sorted(entry["left"])
        if unknown := set(left) - set(console):
            raise ValueError(f"round {entry['round']} has left {sorted(unknown)}, which the console does not have")
        yield {
            "round": entry["round"],
            "step": entry["step"],
            "loss": entry["loss"],
            "processors": len(left),
            "removed": [] if before is None else sorted(set(before) - set(left)),
            "left": left,
            "chosen": entry["step"] == chosen,
        }
        before = left
