"""What a live page tells of its graph; what did not change is not computed again."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch.nn as nn
from torch import Tensor

from ...data import GRAFX
from ...data.attributes import WEIGHT
from ...processors.contract import contract_of
from ...render.check import Processors
from ...search.conditions import in_usual_torch
from ...search.mixing.report import describe_chains
from ..heard import Heard, nodes_of
from ..losses import losses_of
from ..model import node_model, page_model, plain
from ..sounds import Sound, entry, sounds_of
from ..spectrogram import spectrograms
from ..views import views_of
from .knobs import knobs_of

SOLO = "solo-"
OF_FOUND = ("nodes", "found_loss")
"""What the metrics of a search tell of the graph that it found, which is another after an edit."""


class Teller:
    """Describes the page of a graph that is edited.

    Args:
        found: The graph as it was.
        metrics, truth, title: As in :func:`~grafx.report.write_report`.
    """

    def __init__(
        self,
        found: GRAFX,
        metrics: Mapping[str, Any] | None = None,
        truth: Mapping[str, Sequence[str]] | None = None,
        title: str | None = None,
    ) -> None:
        self._found, self._metrics, self._truth, self._title = found, dict(metrics or {}), truth, title
        self._views: dict[int, tuple[int, list[Any]]] = {}
        self._entries: dict[str, tuple[Sound, dict[str, Any]]] = {}
        self._compared: tuple[Tensor, dict[str, Any]] | None = None
        self._story: tuple[dict[str, Any] | None] | None = None

    @in_usual_torch
    def __call__(
        self,
        heard: Heard,
        shown_at: Mapping[int, int],
        processors: Processors,
        quick: bool,
        outdated: Callable[[], bool],
    ) -> dict[str, Any] | None:
        """Describe the page.

        Args:
            heard: The graph.
            shown_at: Node id to a number that is another where what there is to see of the node has changed.
            processors: Node type to processor, of what can be inserted.
            quick: Whether curves, levels and pictures may be those of before.
            outdated: Whether this is not wanted any more.

        Returns:
            What :func:`~grafx.report.model.page_model` does, with ``edit``: the ``knobs`` and ``weights`` of nodes, the
            ``types`` that can be inserted, and the ``plugs`` of all types. None where it is outdated.
        """
        nodes = {}
        for node_id in sorted(heard.G):
            if outdated():
                return None
            nodes[node_id] = node_model(heard, node_id, self._views_of(heard, node_id, shown_at[node_id], quick))
        sounds, entries = sounds_of(heard, alone={}), {}
        for key, sound in sounds.by_key.items():
            if outdated():
                return None
            entries[key] = self._entry(key, sound, heard.sample_rate, quick)
        for stem in nodes_of(heard.G, "in"):
            name = str(heard.G.nodes[stem].get("name") or stem)
            sounds.tracks["stems"].append({"name": name, "node": stem, "solo": f"{SOLO}{stem}"})
            entries[f"{SOLO}{stem}"] = _unheard(f"{name} alone", len(heard.mix[0]), heard.sample_rate)
        metrics = self._metrics if heard.G is self._found else _without(self._metrics, OF_FOUND)
        metrics = {**metrics, "chains": _chains(heard.G)}
        told_once = _without(metrics, ("console", "rounds")) if self._story else metrics
        compared = self._comparison(heard, metrics, quick)
        model = page_model(heard, sounds, entries, nodes, told_once, self._truth, self._title, compared)
        self._story = self._story or (model["story"],)
        return {
            **model,
            "live": True,
            "story": self._story[0],
            "sounds": {key: {**one, "codec": "wav", "mime": "audio/wav", "gain": 1.0} for key, one in entries.items()},
            "edit": _edit(heard, processors),
        }

    def _views_of(self, heard: Heard, node_id: int, shown_at: int, quick: bool) -> list[Any]:
        known = self._views.get(node_id)
        if known is not None and (quick or known[0] == shown_at):
            return known[1]
        if quick:
            return []
        views = plain(views_of(heard, node_id))
        self._views[node_id] = shown_at, views
        return views

    def _entry(self, key: str, sound: Sound, sample_rate: int, quick: bool) -> dict[str, Any]:
        known = self._entries.get(key)
        if known is not None and (quick or (known[0].signal is sound.signal and known[0].minus is sound.minus)):
            return {**known[1], "label": sound.label}
        if quick:
            return _unheard(sound.label, sound.signal.shape[-1], sample_rate)
        told = entry(sound, sample_rate)
        self._entries[key] = sound, told
        return told

    def _comparison(self, heard: Heard, metrics: Mapping[str, Any], quick: bool) -> dict[str, Any]:
        """Pictures of the mix and the target, and losses, as long as the mix stays."""
        if self._compared is None or (self._compared[0] is not heard.mix and not quick):
            compared = {
                "loss": losses_of(heard, metrics),
                "spectrograms": spectrograms(heard.mix, heard.target, heard.sample_rate),
            }
            self._compared = heard.mix, compared
        return self._compared[1]


def _edit(heard: Heard, processors: Processors) -> dict[str, Any]:
    return {
        "knobs": {str(node_id): knobs_of(heard, node_id) for node_id in heard.parameters},
        "weights": {str(node_id): heard.G.nodes[node_id].get(WEIGHT, 1.0) for node_id in heard.weights},
        "types": ["mix", *(node_type for node_type, processor in processors.items() if _passes(processor))],
        "plugs": heard.G.config.node_type_dict,
    }


def _passes(processor: nn.Module) -> bool:
    contract = contract_of(processor)
    return bool(contract.inlets and contract.outlets)


def _unheard(label: str, num_samples: int, sample_rate: int) -> dict[str, Any]:
    """The entry of a sound that is computed when it is asked for."""
    seconds = num_samples / sample_rate
    return {"label": label, "start": 0.0, "seconds": seconds, "lufs": None, "src": None, "peak": 0.0, "peaks": []}


def _without(metrics: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in metrics.items() if name not in names}


def _chains(G: GRAFX) -> dict[str, list[str]]:
    """The chains in words, where all nodes say whose they are."""
    if not all(isinstance(data.get("owner"), str) for _, data in G.nodes(data=True) if WEIGHT in data):
        return {}
    return {owner: texts for owner, texts in describe_chains(G).items() if isinstance(owner, str)}
