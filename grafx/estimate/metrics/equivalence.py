"""One graph for all that sound the same, as far as that is known."""

from collections.abc import Mapping
from itertools import combinations, groupby
from typing import Any

import networkx as nx
import torch
import torch.nn as nn

from ... import trees
from ...data import GRAFX
from ...data.attributes import BYPASS, WEIGHT, held_settings
from ...data.refusals import bypass_problem
from ...processors.contract import contract_of
from ...search.mixing.bypass import bypass, chain_of, cut
from ...search.mixing.simplify import SILENT, rewire, simplify
from ...search.mixing.weighted import inner, is_gain, passes_dry
from .order import in_order
from .settings import ControlValues, processor_nodes, settings_by_node, settings_of_node
from .stages import LEVELLING, PLACING, Stage, stage_of

AUDIBLE = "audible"
"""Node attribute that is false where a processor does not change the output by much."""


UNKNOWN = "?"  # stands for the type of a node whose settings are not known


def canonical(G: GRAFX, processors: Mapping[str, nn.Module]) -> GRAFX:
    """Copy a graph in the form that all have of which it is known that they sound the same.

    - What is bypassed, has a dry/wet weight of 0, or does nothing, such as a flat equalizer, is not there; neither is
      what leads to no output.
    - In a chain, gains that follow one another, or could, are one, and so are imagers. An equalizer that is the same at
      all frequencies is a gain, if there is a type for it.
    - In a chain, linear stages that can change places stand in one order: filters, imagers, gains, others, each sorted
      by type and then by their settings. Those are filters that are the same for all channels, and time-invariant
      effects beside these; a gain that is the same for both channels beside all that is linear. A zero-phase filter
      stays in its place among what lasts, as it looks ahead over the end of the audio.
    - A sum (``mix``) with a single source, or that feeds a single inlet, is not there: signals that meet at an inlet
      are summed anyway. It stays where its cables would be there twice.
    - A processor that says nothing of its parameters (``None``) may be set to anything: it is not dropped or merged.
    - A processor with the attribute ``audible`` false is not there: then the sound may differ by what that allows.

    Args:
        G: A graph of stereo signals. Its nodes hold physical values, raw tensors, or neither, which are defaults; and a
            dry/wet weight and ``bypass``, if they like.
        processors: Node type to processor.

    Returns:
        The graph, with the ids of what is left. Its sound differs by at most 1e-4 of the signals in it. What is left
        holds its parameters as before, merged gains in physical values where these are within the range of the control.

    Raises:
        EstimateError: There is no processor for a type.
        ValueError: A control has a wrong name or value.
    """
    return form_and_settings(G, processors)[0]


@torch.no_grad()
def form_and_settings(G: GRAFX, processors: Mapping[str, nn.Module]) -> tuple[GRAFX, dict[int, ControlValues]]:
    """The canonical form, and the settings of its nodes."""
    settings = settings_by_node(G, processors)
    smaller = G.copy()
    smaller.forget_schedule()
    _drop_inaudible(smaller, processors)
    before = {node: data.get("parameters") for node, data in smaller.nodes(data=True)}
    size = None
    while size != smaller.number_of_nodes():  # what is dropped can make others meet
        size = smaller.number_of_nodes()
        _sort_stages(smaller, processors, settings)
        smaller = _merged(smaller, processors)
        _drop_unheard(smaller)
        _drop_sums(smaller)
        for node, node_type in processor_nodes(smaller).items():
            data = smaller.nodes[node]
            if data.get("parameters") is not before[node]:
                _say_in_physical_values(data, processors[node_type])
                before[node] = data["parameters"]
                settings[node] = settings_of_node(processors[node_type], data, f"Node {node}")
    return smaller, {node: settings[node] for node in processor_nodes(smaller)}


def free_groups(G: GRAFX, processors: Mapping[str, nn.Module]) -> list[list[int]]:
    """Neighbours of one type in a chain whose order is free."""
    groups = []
    for run in _runs(G, processors):
        for _, nodes in groupby(run, lambda node: G.nodes[node]["node_type"]):
            group = list(nodes)
            if len(group) > 1 and all(run[one].commutes(run[other]) for one, other in combinations(group, 2)):
                groups.append(group)
    return groups


# What is not there


def _drop_inaudible(G: GRAFX, processors: Mapping[str, nn.Module]) -> None:
    for node, node_type in processor_nodes(G).items():
        if node not in G:  # cut with another
            continue
        data, contract = G.nodes[node], contract_of(processors[node_type])
        absent = data.get(AUDIBLE) is False or data.get(BYPASS, False) or data.get(WEIGHT, 1.0) <= SILENT
        if absent and contract.inlets and len(contract.outlets) == 1:
            if passes_dry(processors[node_type]):
                bypass(G, node)
            else:
                cut(G, [node])


def _merged(G: GRAFX, processors: Mapping[str, nn.Module]) -> GRAFX:
    """Merge gains and imagers, make gains of equalizers that are nothing else, and drop what does nothing.

    The rest of the simplification would change nothing here.
    """
    present = {node_type: processors[node_type] for node_type in processor_nodes(G).values()}
    places = {node_type: one for node_type, one in present.items() if type(inner(one)) in PLACING}
    levels = {node_type: one for node_type, one in present.items() if type(inner(one)) in LEVELLING}
    gains = {node_type: one for node_type, one in processors.items() if is_gain(one)}
    silent = _without_settings(G, {**places, **levels})
    for node in silent:
        G.nodes[node]["node_type"] = UNKNOWN
    if places:  # without gains, which would take the place of panners
        G = simplify(G, processors=places)
    if levels:
        G = simplify(G, processors={**gains, **levels})
    for node in silent.keys() & G.nodes:
        G.nodes[node]["node_type"] = silent[node]
    return G


def _without_settings(G: GRAFX, processors: Mapping[str, nn.Module]) -> dict[int, str]:
    """Nodes that do not say how they are set, of types that can be set to anything."""
    return {
        node: node_type
        for node, node_type in processor_nodes(G).items()
        if G.nodes[node].get("parameters") is None and held_settings(G.nodes[node]) is None
        if not {WEIGHT, BYPASS} & G.nodes[node].keys() and node_type in processors
        if contract_of(processors[node_type]).leaves()
    }


def _drop_unheard(G: GRAFX) -> None:
    """Remove what leads to no output; inputs stay."""
    outputs = [node for node, data in G.nodes(data=True) if data["node_type"] == "out"]
    heard = set(outputs).union(*(nx.ancestors(G, output) for output in outputs))
    for node, data in list(G.nodes(data=True)):
        if outputs and node not in heard and data["node_type"] != "in":
            G.remove(node)


def _drop_sums(G: GRAFX) -> None:
    """Connect what meets in a sum to where it goes, if there is one source, or one place to go."""
    changed = True
    while changed:
        sums = [node for node in in_order(G) if G.nodes[node]["node_type"] == "mix"]
        narrow = [node for node in sums if G.in_degree(node) == 1 or G.out_degree(node) == 1]
        changed = False
        for node in narrow:
            if not bypass_problem(G, node):
                G.bypass(node)
                changed = True
                break


# The order of stages

Stages = dict[int, Stage]
"""Linear stages that follow one another, in signal order."""


def _runs(G: GRAFX, processors: Mapping[str, nn.Module]) -> list[Stages]:
    """Neighbouring linear stages of each chain."""
    runs: list[Stages] = []
    seen: set[int] = set()
    for node in processor_nodes(G):
        if node not in seen:
            chain = chain_of(G, node)
            seen.update(chain)
            stages = groupby(((member, _stage(G, member, processors)) for member in chain), lambda pair: bool(pair[1]))
            runs += [{member: stage for member, stage in pairs if stage} for linear, pairs in stages if linear]
    return runs


def _stage(G: GRAFX, node: int, processors: Mapping[str, nn.Module]) -> Stage | None:
    data = G.nodes[node]
    processor = processors.get(data["node_type"])
    return None if processor is None else stage_of(processor, data, f"Node {node} of type '{data['node_type']}'")


def _sort_stages(G: GRAFX, processors: Mapping[str, nn.Module], settings: Mapping[int, ControlValues]) -> None:
    """Put each run in the first of all orders in which it sounds the same."""
    for run in _runs(G, processors):
        keys = {node: (stage.rank, G.nodes[node]["node_type"], _values(settings[node])) for node, stage in run.items()}
        left, order = [*run], []
        while left:
            ready = [node for i, node in enumerate(left) if all(run[node].commutes(run[other]) for other in left[:i])]
            order.append(min(ready, key=lambda node: (keys[node], node)))
            left.remove(order[-1])
        if order != [*run]:
            rewire(G, [*run], order)


def _values(settings: ControlValues) -> tuple:
    return tuple((name, tuple(setting.physical.tolist())) for name, setting in sorted(settings.items()))


def _say_in_physical_values(data: dict[str, Any], processor: nn.Module) -> None:
    """Turn the tensors of a merged gain into values of controls, unless they are beyond their ranges."""
    contract = contract_of(processor)
    values = contract.raw_to_dsp(trees.batch(data["parameters"]))
    physical: dict[str, Any] = {}
    for leaf in contract.leaves():
        value = trees.at(values, leaf.path)[0]
        if not ((value >= leaf.control.low) & (value <= leaf.control.high)).all():
            return
        trees.put(physical, leaf.path, value.tolist())
    data["parameters"] = physical
    data.pop("settings", None)
