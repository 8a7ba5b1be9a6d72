"""The mixing console that a search starts from."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import networkx as nx
import torch.nn as nn

from ... import processors as library
from ...data import GRAFX, GraphError, NodeConfigs
from ...data.attributes import BYPASS, WEIGHT
from ...data.configs import BUILT_IN_TYPES
from ...parameters.usual import SAMPLE_RATE as SAMPLE_RATE
from ...parameters.usual import USUAL, is_class, made_by_name
from ...processors.contract import contract_of
from ..arguments import text_groups, texts
from .options import CHAIN as CHAIN
from .weighted import SendGain, has_own_weight, weighted

MASTER, SEND, DUCKER = "master", "send", "ducker"

ROLES: dict[str, Callable[..., nn.Module]] = {
    **{name: make for name, make in USUAL.items() if name != DUCKER},
    SEND: SendGain,
    DUCKER: USUAL[DUCKER],
}
"""What can stand in a console besides the classes of :mod:`grafx.processors`, which go by their names."""


def console_processors(sample_rate: float = SAMPLE_RATE, types: Iterable[str] = CHAIN) -> dict[str, nn.Module]:
    """Make the processors of a console, :func:`weighted`; by default the seven of a full chain.

    The detectors of compressors, gates and limiters reach down to −130 dB rather than −50, so that they work on soft
    songs, too.

    Args:
        sample_rate: In Hz.
        types: Node types: the seven; ``"peq"``, a parametric equalizer; ``"limiter"``; ``"saturation"``, a waveshaper
            with drive; ``"send"``, the level of what goes to a return; ``"ducker"``, a compressor that a second inlet
            drives; and any class of :mod:`grafx.processors` with one inlet and one outlet, by its name.

    Raises:
        GraphError: A type is unknown, or the class of that name cannot stand in a chain.
    """
    return weighted({node_type: _make(node_type, sample_rate) for node_type in types})


def processors_for(
    G: GRAFX, sample_rate: float = SAMPLE_RATE, processors: Mapping[str, nn.Module] | None = None
) -> dict[str, nn.Module]:
    """The processors of a full chain, and of those other types of a graph that :func:`console_processors` knows.

    Args:
        G: The graph.
        sample_rate: In Hz.
        processors: Node type to processor, in addition or in their place, which are :func:`weighted`.

    Raises:
        GraphError: It is no graph.
    """
    if not isinstance(G, GRAFX):
        raise GraphError(f"A mix takes a GRAFX, not a {type(G).__name__}.")
    types = {t for _, data in G.nodes(data=True) if isinstance(t := data.get("node_type"), str)}
    others = known_types(types - {*BUILT_IN_TYPES, *CHAIN, *(processors or ())})
    return {**console_processors(sample_rate, [*CHAIN, *others]), **weighted(processors or {})}


def hearing_processors(
    G: GRAFX, sample_rate: float = SAMPLE_RATE, processors: Mapping[str, nn.Module] | None = None
) -> dict[str, nn.Module]:
    """As :func:`processors_for`, but for graphs that nobody trains: own dry/wet weights of processors serve, too.

    Raises:
        GraphError: It is no graph, or a node has a weight or is bypassed whose processor has a weight of its own.
    """
    own = {node_type: p for node_type, p in (processors or {}).items() if has_own_weight(p)}
    others = {node_type: p for node_type, p in (processors or {}).items() if node_type not in own}
    known = {**processors_for(G, sample_rate, others), **own}
    for node_id, data in G.nodes(data=True):
        if data.get("node_type") in own and (data.get(WEIGHT, 1) != 1 or data.get(BYPASS)):
            raise GraphError(
                f"Node {node_id} of type '{data['node_type']}' has a dry/wet control of its own: set it to 0 instead of"
                f" bypassing the node, and remove its '{BYPASS}' and '{WEIGHT}'."
            )
    return known


def known_types(types: Iterable[Any]) -> list[str]:
    """Those of some node types that :func:`console_processors` knows, sorted."""
    return sorted(node_type for node_type in types if node_type in ROLES or is_class(node_type))


def _make(node_type: str, sample_rate: float) -> Any:
    if node_type in ROLES:
        return ROLES[node_type](sample_rate=sample_rate)
    if not is_class(node_type):
        near = difflib.get_close_matches(node_type, [*ROLES, *filter(is_class, library.__all__)], 1)
        hint = f"did you mean '{near[0]}'? There are" if near else "there are"
        raise GraphError(
            f"A console knows no '{node_type}': {hint} {', '.join(ROLES)}, the classes of grafx.processors by their"
            " names, and what is given by the argument 'processors'."
        )
    processor = made_by_name(node_type, sample_rate)
    if (len(processor.inlets), len(processor.outlets)) != (1, 1):
        raise GraphError(
            f"'{node_type}' cannot stand in a chain, whose processors have one inlet and one outlet: it has the inlets"
            f" {', '.join(processor.inlets) or 'none'} and the outlets {', '.join(processor.outlets)}."
        )
    return processor


def build_console(
    stems: Iterable[str],
    groups: Mapping[str, Iterable[str]] | None = None,
    chain: Iterable[str] | Mapping[str, Iterable[str]] = CHAIN,
    *,
    master: Iterable[str] | None = None,
    returns: Mapping[str, Iterable[str]] | None = None,
    sidechains: Mapping[str, str] | None = None,
    processors: Mapping[str, nn.Module] | None = None,
) -> GRAFX:
    """Build a mixing console: a full chain for each stem, each subgroup and the master.

    Args:
        stems: Names, one for each ``in`` node, in their order.
        groups: Subgroup name to its stems. Stems in no group go to the master directly.
        chain: Processor types of each chain, see :func:`console_processors`; or those of some stems, groups, and the
            master by name, where the others have the full chain.
        master: Processor types of the master's chain; by default as ``chain`` says. With none at all, ``()``, the sum
            of all is the mix: no processor is heard on everything.
        returns: Name to the processor types of a return: a bus that a ``"send"`` at the end of each stem's and each
            group's chain feeds, and that goes to the master. Such as ``{"room": ["reverb"]}``, or ``{"crush":
            ["compressor", "gain"]}`` for a parallel compressor.
        sidechains: Name of a stem, group, return, or the master to that of the stem, group or return that drives its
            sidechain, as it is before its chain: the first processor in the chain that has a second inlet, or where
            there is none a ``"ducker"`` at the end.
        processors: Node type to a processor of your own, which may then be named in chains.

    Returns:
        The graph. Its ``in`` and ``mix`` nodes are named after stems, groups, returns and ``"master"``; the attribute
        ``owner`` of each processor is the name of the node whose chain it is in; that of a send is where it comes from.

    Raises:
        GraphError: There are no stems, names are not unique or not known, a group has no stems, an unknown one, or one
            that is in another group; a type is unknown (the message has the most similar one), a return has no
            processors; a sidechain would drive itself, or has nothing that drives it.

    Examples:
        >>> G = build_console(
        ...     ["drums", "bass", "voice"],
        ...     chain={"voice": ["peq", "compressor", "gain"]},
        ...     master=["eq", "limiter"],
        ...     returns={"room": ["reverb"]},
        ...     sidechains={"bass": "drums"},
        ... )
    """
    stems, groups, returns = texts("stems", stems), text_groups("groups", groups), _typed("returns", returns or {})
    bus_of_stem = _bus_of_stem(stems, groups, returns)
    chains = _chains([*stems, *groups], chain, master, returns)
    keys = _keys(sidechains, chains)
    inlets = _inlets_of_types(chains, [*([DUCKER] if keys else []), *([SEND] if returns else [])], processors or {})
    plan = _with_duckers(chains, keys, inlets)
    G = GRAFX(config=NodeConfigs({t: {"inlets": list(names)} for t, names in inlets.items()}))
    ends = {}
    for stem in stems:
        source = G.add("in", name=stem)
        ends[stem] = _append_chain(G, source, stem, plan[stem])
    master_bus = G.add("mix", name=MASTER)
    for group in groups:
        bus = G.add("mix", name=group)
        ends[group] = _append_chain(G, bus, group, plan[group])
        G.connect(ends[group], master_bus)
        for stem in stems:
            if bus_of_stem[stem] == group:
                G.connect(ends[stem], bus)
    for stem in stems:
        if bus_of_stem[stem] == MASTER:
            G.connect(ends[stem], master_bus)
    for name in returns:
        bus = G.add("mix", name=name)
        for owner in (*stems, *groups):
            G.connect(_append_chain(G, ends[owner], owner, [SEND]), bus)
        G.connect(_append_chain(G, bus, name, plan[name]), master_bus)
    G.connect(_append_chain(G, master_bus, MASTER, plan[MASTER]), G.add("out", name="mix"))
    for owner, key in keys.items():
        _drive(G, owner, key)
    return G


def _chains(
    owners: Sequence[str], chain: Any, master: Any, returns: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """The types of each chain by its owner."""
    named = _typed("chain", chain) if isinstance(chain, Mapping) else {}
    usual = CHAIN if isinstance(chain, Mapping) else texts("chain", chain)
    if unknown := [name for name in named if name not in (*owners, MASTER)]:
        raise GraphError(f"chain names '{unknown[0]}', but there are only {', '.join((*owners, MASTER))}.")
    if empty := [name for name, types in returns.items() if not types]:
        raise GraphError(f"The return '{empty[0]}' has no processors: name at least one.")
    chains = {owner: named.get(owner, usual) for owner in (*owners, MASTER)}
    if master is not None:
        if MASTER in named:
            raise GraphError("The master's chain is given twice, by 'master' and in 'chain': give it once.")
        chains[MASTER] = texts("master", master)
    for owner, types in {**chains, **returns}.items():
        if built_in := [t for t in types if t in (*BUILT_IN_TYPES, SEND)]:
            raise GraphError(
                f"'{built_in[0]}' cannot stand in the chain of '{owner}': inputs, sums and sends are put between chains"
                " by the arguments 'groups' and 'returns'."
            )
    return {**chains, **returns}


def _typed(name: str, chains: Any) -> dict[str, list[str]]:
    if not isinstance(chains, Mapping):
        raise GraphError(f"{name} must map names to processor types, but is a {type(chains).__name__}.")
    return {owner: texts(f"The types of '{owner}'", chains[owner]) for owner in texts(f"Names of {name}", chains)}


def _keys(sidechains: Mapping[str, str] | None, chains: Mapping[str, Any]) -> dict[str, str]:
    """Checked sidechains: owner to what drives it."""
    if sidechains is None:
        return {}
    if not isinstance(sidechains, Mapping):
        raise GraphError(f"sidechains must map names to names, but is a {type(sidechains).__name__}.")
    for owner, key in sidechains.items():
        for name in (owner, key):
            if name not in chains:
                near = difflib.get_close_matches(str(name), chains, 1)
                hint = f": did you mean '{near[0]}'?" if near else f": there are only {', '.join(chains)}."
                raise GraphError(f"The sidechain of '{owner}' by '{key}' names the unknown '{name}'{hint}")
        if owner == key:
            raise GraphError(f"The sidechain of '{owner}' would be driven by itself: name another stem or group.")
    return dict(sidechains)


def _inlets_of_types(
    chains: Mapping[str, Sequence[str]], others: Sequence[str], processors: Mapping[str, nn.Module]
) -> dict[str, Sequence[str]]:
    """All types of a console with their inlets, in the order of the graph's config."""
    used = dict.fromkeys(node_type for types in chains.values() for node_type in types)
    kinds = {node_type: _inlets(node_type) for node_type in (*used, *CHAIN, *others) if node_type not in processors}
    own = {node_type: contract_of(processor).inlets for node_type, processor in processors.items()}
    return {t: own[t] if t in own else kinds[t] for t in dict.fromkeys((*used, *CHAIN, *others, *own))}


def _inlets(node_type: str) -> Sequence[str]:
    if node_type in ROLES:  # which are costly to make
        return ("main", "sidechain") if node_type == DUCKER else ("main",)
    return _make(node_type, SAMPLE_RATE).inlets


def _with_duckers(
    chains: Mapping[str, Sequence[str]], keys: Mapping[str, str], inlets: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """Chains in which each that has a key has something to drive."""
    plan = {}
    for owner, types in chains.items():
        driven = [node_type for node_type in types if len(inlets[node_type]) > 1]
        if driven and owner not in keys:
            raise GraphError(f"Nothing drives the '{driven[0]}' of '{owner}': say what does by 'sidechains'.")
        plan[owner] = types if driven or owner not in keys else [*types, DUCKER]
    return plan


def _drive(G: GRAFX, owner: str, key: str) -> None:
    """Connect what is named ``key`` to the sidechain of a chain."""
    nodes = [i for i, data in sorted(G.nodes(data=True)) if data.get("owner") == owner]
    driven = next(i for i in nodes if len(G.config[G.nodes[i]["node_type"]]["inlets"]) > 1)
    source = next(i for i, d in sorted(G.nodes(data=True)) if d["name"] == key and d["node_type"] in ("in", "mix"))
    if nx.has_path(G, driven, source):
        raise GraphError(
            f"The sidechain of '{owner}' cannot be driven by '{key}', which it feeds itself: name a stem, or another"
            " group."
        )
    G.connect(source, driven, inlet=G.config[G.nodes[driven]["node_type"]]["inlets"][1])


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


def _bus_of_stem(
    stems: Sequence[str], groups: Mapping[str, Sequence[str]], returns: Iterable[str] = ()
) -> dict[str, str]:
    for problem in naming_problems(stems, groups, returns):
        raise GraphError(problem)
    return dict.fromkeys(stems, MASTER) | {stem: group for group, members in groups.items() for stem in members}


def naming_problems(
    stems: Sequence[str], groups: Mapping[str, Sequence[str]], returns: Iterable[str] = ()
) -> Iterator[str]:
    """Yield a sentence for everything that keeps stems, groups and returns from being a console."""
    if not stems:
        yield "A console needs at least one stem."
    names = [*stems, *groups]
    if MASTER in (*names, *returns):
        yield f"'{MASTER}' is the name of the master chain: rename the stem or group that is called so."
    for name in returns:
        if name in names:
            yield f"The return '{name}' has the name of a stem or group: rename one."
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        yield f"Stems and groups need different names, but {', '.join(repeated)} occurs twice: rename one."
    bus: dict[str, str] = {}
    for group, members in groups.items():
        if not members:
            yield f"Group '{group}' has no stems."
        for stem in members:
            if stem not in stems:
                yield f"Group '{group}' names the stem '{stem}', but there are only {', '.join(stems)}."
            elif stem in bus:
                yield f"Stem '{stem}' is in the groups '{bus[stem]}' and '{group}': leave it in one."
            else:
                bus[stem] = group
