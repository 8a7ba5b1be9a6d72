"""The mixing console that a search starts from."""

from collections.abc import Mapping, Sequence

import torch.nn as nn

from ..data import GRAFX, GraphError, NodeConfigs
from ..processors import (
    Compressor,
    DryWet,
    GainStagingRegularization,
    MultitapDelay,
    NoiseGate,
    SideGainImager,
    StereoGain,
    STFTMaskedNoiseReverb,
    ZeroPhaseFIREqualizer,
)

CHAIN = ("eq", "compressor", "noisegate", "imager", "gain", "delay", "reverb")
"""Processor types of a full chain, in the order of the signal."""

MASTER = "master"

SAMPLE_RATE = 44100
"""In Hz, by default: what controls in Hz and ms refer to. Raw parameters sound the same at any."""


def console_processors(sample_rate: float = SAMPLE_RATE) -> dict[str, nn.Module]:
    """The seven processors of a console, each under dry/wet.

    Those that could trade level with the gain that follows are asked to keep it (:class:`GainStagingRegularization`).

    Args:
        sample_rate: In Hz.
    """
    times = {"sample_rate": sample_rate}
    smooth = {"energy_smoother": "ballistics", "knee": "quadratic", **times}
    return {
        "eq": DryWet(GainStagingRegularization(ZeroPhaseFIREqualizer(**times))),
        "compressor": DryWet(Compressor(**smooth)),
        "noisegate": DryWet(NoiseGate(**smooth)),
        "imager": DryWet(GainStagingRegularization(SideGainImager())),
        "gain": DryWet(StereoGain()),
        "delay": DryWet(GainStagingRegularization(MultitapDelay(**times))),
        "reverb": DryWet(GainStagingRegularization(STFTMaskedNoiseReverb(**times))),
    }


def build_console(
    stems: Sequence[str], groups: Mapping[str, Sequence[str]] | None = None, chain: Sequence[str] = CHAIN
) -> GRAFX:
    """A mixing console: a full chain for each stem, each subgroup and the master.

    Args:
        stems: Names, one for each ``in`` node, in their order.
        groups: Subgroup name to the stems that are mixed in it. Stems in no group go to the master directly.
        chain: Processor types of each chain.

    Returns:
        The graph. Its ``in`` and ``mix`` nodes are named after stems, groups and ``"master"``; the attribute ``owner``
        of each processor has the name of that whose chain it is in.

    Raises:
        GraphError: There are no stems, names are not unique, or a group has no stems, an unknown one, or one that is in
            another group.
    """
    groups = dict(groups or {})
    bus_of_stem = _bus_of_stem(stems, groups)
    G = GRAFX(config=NodeConfigs(list(dict.fromkeys([*chain, *CHAIN]))))
    ends = {}
    for stem in stems:
        source = G.add("in", name=stem)
        ends[stem] = _append_chain(G, source, stem, chain)
    master = G.add("mix", name=MASTER)
    for group in groups:
        bus = G.add("mix", name=group)
        G.connect(_append_chain(G, bus, group, chain), master)
        for stem in stems:
            if bus_of_stem[stem] == group:
                G.connect(ends[stem], bus)
    for stem in stems:
        if bus_of_stem[stem] == MASTER:
            G.connect(ends[stem], master)
    G.connect(_append_chain(G, master, MASTER, chain), G.add("out", name="mix"))
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
