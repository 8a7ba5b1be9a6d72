"""The mixing console that a search starts from."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import networkx as nx
import torch.nn as nn

from ...data import GRAFX, GraphError, NodeConfigs
from ...processors import (
    Compressor,
    MultitapDelay,
    NoiseGate,
    SideGainImager,
    StereoGain,
    STFTMaskedNoiseReverb,
    ZeroPhaseFIREqualizer,
)
from ...processors.dynamics.base import LOW_FLOOR, DynamicRangeProcessor
from ..arguments import text_groups, texts
from .weighted import weighted

CHAIN = ("eq", "compressor", "noisegate", "imager", "gain", "delay", "reverb")
"""Processor types of a full chain, in signal order."""

MASTER = "master"

SAMPLE_RATE = 44100
"""Default sample rate in Hz for controls in Hz and ms. Raw parameters sound the same at any rate."""


def console_processors(sample_rate: float = SAMPLE_RATE) -> dict[str, nn.Module]:
    """Make the seven processors of a console, :func:`weighted`.

    The detectors of compressor and gate reach down to −130 dB rather than −50, so that they work on soft songs, too.

    Args:
        sample_rate: In Hz.
    """
    times: dict[str, Any] = {"sample_rate": sample_rate}
    smooth: dict[str, Any] = {"energy_smoother": "ballistics", "knee": "quadratic", **times}
    return weighted(
        {
            "eq": ZeroPhaseFIREqualizer(**times),
            "compressor": _sensitive(Compressor(**smooth)),
            "noisegate": _sensitive(NoiseGate(**smooth)),
            "imager": SideGainImager(),
            "gain": StereoGain(),
            "delay": MultitapDelay(**times),
            "reverb": STFTMaskedNoiseReverb(**times),
        }
    )


def _sensitive(processor: DynamicRangeProcessor) -> DynamicRangeProcessor:
    processor.floor = LOW_FLOOR
    return processor


def build_console(
    stems: Iterable[str],
    groups: Mapping[str, Iterable[str]] | None = None,
    chain: Iterable[str] = CHAIN,
    *,
    master: Iterable[str] | None = None,
    processors: Mapping[str, nn.Module] | None = None,
) -> GRAFX:
    """Build a mixing console: a full chain for each stem, each subgroup and the master.

    Args:
        stems: Names, one for each ``in`` node, in their order.
        groups: Subgroup name to its stems. Stems in no group go to the master directly.
        chain: Processor types of each chain.
        master: Those of the master, if they are others.
        processors: Node type to a processor of your own, which may then be named in chains.

    Returns:
        The graph. Its ``in`` and ``mix`` nodes are named after stems, groups and ``"master"``; the attribute ``owner``
        of each processor is the name of the node whose chain it is in.

    Raises:
        GraphError: There are no stems, names are not unique, or a group has no stems, an unknown one, or one that is in
            another group.
    """
    stems, groups, chain = texts("stems", stems), text_groups("groups", groups), texts("chain", chain)
    bus_of_stem = _bus_of_stem(stems, groups)
    master_chain = chain if master is None else texts("master", master)
    G = GRAFX(config=NodeConfigs(list(dict.fromkeys([*chain, *master_chain, *CHAIN, *(processors or {})]))))
    ends = {}
    for stem in stems:
        source = G.add("in", name=stem)
        ends[stem] = _append_chain(G, source, stem, chain)
    master_bus = G.add("mix", name=MASTER)
    for group in groups:
        bus = G.add("mix", name=group)
        G.connect(_append_chain(G, bus, group, chain), master_bus)
        for stem in stems:
            if bus_of_stem[stem] == group:
                G.connect(ends[stem], bus)
    for stem in stems:
        if bus_of_stem[stem] == MASTER:
            G.connect(ends[stem], master_bus)
    G.connect(_append_chain(G, master_bus, MASTER, master_chain), G.add("out", name="mix"))
    return G


def with_owners(G: GRAFX) -> GRAFX:
    """Copy a graph and give each processor an owner: by default that of its predecessor.

    After an input or a sum, the owner is the name of that node. Inputs and sums without a unique name get one.

    Raises:
        GraphError: The graph has a cycle.
    """
    G = G.copy()
    if not nx.is_directed_acyclic_graph(G):
        raise GraphError("The graph has a cycle: remove a connection of it.")
    names: set[str] = set()
    for node, data in sorted(G.nodes(data=True)):
        if data["node_type"] in ("in", "mix"):
            name = data.get("name")
            if not isinstance(name, str) or not name or name in names:
                data["name"] = f"{name or data['node_type']} {node}"
            names.add(data["name"])
    for node in nx.topological_sort(G):
        data = G.nodes[node]
        if data["node_type"] in ("in", "mix", "out") or isinstance(data.get("owner"), str):
            continue
        sources = [G.nodes[source] for source in G.predecessors(node)]
        owners = {s["name"] if s["node_type"] in ("in", "mix") else s["owner"] for s in sources}
        data["owner"] = owners.pop() if len(owners) == 1 else f"{data['node_type']} {node}"
    return G


def _append_chain(G: GRAFX, source: int, owner: str, chain: Sequence[str]) -> int:
    if not chain:
        return source
    first, last = G.add_serial_chain(chain)
    G.connect(source, first)
    for node_id in range(first, last + 1):
        G.nodes[node_id]["owner"] = owner
    return last


def _bus_of_stem(stems: Sequence[str], groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    if not stems:
        raise GraphError("A console needs at least one stem.")
    names = [*stems, *groups]
    if MASTER in names:
        raise GraphError(f"'{MASTER}' is the name of the master chain: rename the stem or group that is called so.")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise GraphError(f"Stems and groups need different names, but {', '.join(repeated)} occurs twice: rename one.")
    bus = dict.fromkeys(stems, MASTER)
    for group, members in groups.items():
        if not members:
            raise GraphError(f"Group '{group}' has no stems.")
        for stem in members:
            if stem not in bus:
                raise GraphError(f"Group '{group}' names the stem '{stem}', but there are only {', '.join(stems)}.")
            if bus[stem] != MASTER:
                raise GraphError(f"Stem '{stem}' is in the groups '{bus[stem]}' and '{group}': leave it in one.")
            bus[stem] = group
    return bus
