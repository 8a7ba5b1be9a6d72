"""What a page shows, as plain data."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..data.attributes import BYPASS
from ..data.configs import BUILT_IN_TYPES
from ..draw.web import picture
from ..parameters.settings import settings_of
from ..parameters.words import UNITS, settings_text
from ..trees import nested
from .heard import Heard, label_of
from .sounds import Sounds
from .story import story_of
from .views import View, views_of

VERSION = 1


def page_model(
    heard: Heard,
    sounds: Sounds,
    entries: Mapping[str, Mapping[str, Any]],
    nodes: Mapping[int, Mapping[str, Any]] | None = None,
    metrics: Mapping[str, Any] | None = None,
    truth: Mapping[str, Any] | None = None,
    title: str | None = None,
    compared: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Describe all that a page shows in plain data, which JSON holds.

    Args:
        heard: The graph.
        sounds: Its sounds.
        entries: What the page tells of each of them.
        nodes: :func:`node_model` of each node, where it is known already.
        metrics: Those of a search.
        truth: Owner to what is known of its chain, as texts.
        title: Of the page.
        compared: ``loss``, where the mix differs from the target, and ``spectrograms``, pictures of both.
    """
    nodes = nodes or {node_id: node_model(heard, node_id) for node_id in sorted(heard.G.nodes)}
    known = {node["id"]: node for node in ((metrics or {}).get("nodes") or ())}
    model = {
        "version": VERSION,
        "title": title or "Graph",
        "subtitle": "",
        "live": False,
        "sample_rate": heard.sample_rate,
        "seconds": heard.num_samples / heard.sample_rate,
        "picture": picture(heard.G),
        "tracks": sounds.tracks,
        **({"spectrograms": {}, "loss": None} | dict(compared or {})),
        "story": story_of(metrics, picture),
        "chains": (metrics or {}).get("chains") or _chains(nodes),
        "truth": truth,
    }
    told = {
        str(node_id): {
            **node,
            "sounds": sounds.nodes[node_id],
            **plain({name: known.get(node_id, {}).get(name) for name in ("loss_without", "console_id")}),
        }
        for node_id, node in nodes.items()
    }
    return {**plain(model), "nodes": told, "sounds": dict(entries)}  # which are plain already, and large


def _chains(nodes: Mapping[int, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The processors of each owner in words, where a search has not told them."""
    chains: dict[str, list[str]] = {}
    for _, node in sorted(nodes.items()):
        if node["owner"] is not None and node["type"] not in BUILT_IN_TYPES:
            settings = ", ".join(f"{row['name']} {row['text']}" for row in node["settings"])
            chains.setdefault(str(node["owner"]), []).append(f"{node['type']} {settings}".strip())
    return chains


def node_model(heard: Heard, node_id: int, views: Sequence[View] | None = None) -> dict[str, Any]:
    """Describe a node, but for its sounds; the views are drawn unless they are given."""
    data = heard.G.nodes[node_id]
    return plain(
        {
            "id": node_id,
            "type": data["node_type"],
            "name": data.get("name"),
            "owner": data.get("owner"),
            "label": label_of(heard.G, node_id),
            "wet": heard.weights.get(node_id),
            "bypassed": data.get(BYPASS, False),
            "inputs": sorted(set(heard.G.predecessors(node_id))),
            "outputs": sorted(set(heard.G.successors(node_id))),
            "settings": settings_rows(heard, node_id),
            "views": views_of(heard, node_id) if views is None else views,
        }
    )


def settings_rows(heard: Heard, node_id: int) -> list[dict[str, Any]]:
    """The settings of a node, in physical values and in words."""
    node_type = heard.G.nodes[node_id]["node_type"]
    if node_type in BUILT_IN_TYPES:
        return []
    settings = settings_of(heard.processors[node_type], heard.parameters[node_id], 1)[0]
    return list(_rows(settings, ()))


def _rows(settings: Mapping[str, Any], path: tuple[str, ...]):
    for name, value in settings.items():
        here = (*path, name)
        if isinstance(value, Mapping):
            yield from _rows(value, here)
            continue
        stem, _, suffix = name.rpartition("_")
        line = settings_text(nested(here, value))
        words = " ".join((*path, (stem if stem and suffix in UNITS else name).replace("_", " ")))
        yield {
            "path": ".".join(here),
            "keys": list(here),
            "name": words,
            "value": value,
            "unit": UNITS.get(suffix, "") if stem else "",
            "text": line.removeprefix(words).strip(),
        }


def plain(value: Any) -> Any:
    """Convert to what JSON holds: numbers that are not finite become None, and what it does not know becomes text."""
    if isinstance(value, Mapping):
        return {str(name): plain(child) for name, child in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(child) for child in value]
    if isinstance(value, torch.Tensor) or type(value).__module__ == "numpy":
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def to_json(model: Mapping[str, Any]) -> str:
    return json.dumps(model, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
