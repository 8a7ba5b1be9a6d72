import math
import random
import warnings

import pytest
import torch
from grafx.processors import StereoGain, ZeroPhaseFIREqualizer

from grafx.data import GRAFX, NodeConfigs
from grafx.data.attributes import BYPASS
from grafx.render import Renderer
from grafx.search import build_console, render_mix, simplify
from grafx.search.mixing.console import CHAIN, processors_for
from grafx.search.mixing.initial import set_initial_parameters
from grafx.search.mixing.mixer import WEIGHT

STEMS = 0.1 * torch.randn(3, 2, 6000, generator=torch.Generator().manual_seed(0))
NAMES = ["a", "b", "c"]
LINEAR = ["eq", "imager", "gain", "gain", "delay", "reverb", "peq"]


def randomize(G, seed):
    """Values of all kinds: flat, neutral and silent ones as often as not."""
    generator, choose = torch.Generator().manual_seed(seed), random.Random(seed)
    set_initial_parameters(G, STEMS[: sum(t == "in" for _, t in G.nodes(data="node_type"))], STEMS.sum(0), seed)
    for _, data in sorted(G.nodes(data=True)):
        if data["parameters"] is None:
            continue
        data[WEIGHT] = choose.choice([0.0, 0.5, 0.9, 1.0])
        for name, value in data["parameters"].items():
            noise = torch.randn(value.shape, generator=generator)
            if name in ("log_magnitude", "log_gain"):
                flat = torch.full_like(value, 0.4 * choose.uniform(-1, 1))
                data["parameters"][name] = choose.choice([torch.zeros_like(value), flat, 0.3 * noise])
    return G


def console(seed):
    choose = random.Random(seed)
    chains = {owner: choose.choices([*LINEAR, "compressor"], k=choose.randint(0, 6)) for owner in (*NAMES, "g")}
    return build_console(
        NAMES,
        {"g": choose.sample(NAMES, 2)} if seed % 2 else None,
        {owner: chain for owner, chain in chains.items() if owner != "g" or seed % 2},
        master=choose.choices(LINEAR, k=4),
        returns={"room": ["reverb", "gain", "gain"]} if seed % 3 else None,
        sidechains={"a": "b"} if seed % 4 == 0 else None,
    )


def fanned_out(seed):
    """Chains whose inner nodes also feed other chains."""
    choose = random.Random(seed)
    G = GRAFX(config=console(1).config)
    nodes = [G.add("in", name=name) for name in NAMES]
    for _ in range(14):
        node = G.add(choose.choice([*LINEAR[:4], "compressor", "mix"]))
        for source in choose.sample(nodes, choose.choice([1, 1, 1, 2])):
            G.connect(source, node)
        nodes = [*nodes[-6:], node]
    out = G.add("out")
    for node in choose.sample(nodes, 3):
        G.connect(node, out)
    return G


def distance(G, smaller, stems=STEMS):
    before, after = render_mix(G, stems), render_mix(smaller, stems)
    return ((after - before).norm() / before.norm().clamp(min=1e-9)).item()


def contents(G):
    tensors = {(i, n): v for i, d in G.nodes(data=True) for n, v in (d["parameters"] or {}).items()}
    rest = {i: (d["node_type"], d.get(WEIGHT), d.get("settings")) for i, d in G.nodes(data=True)}
    return tensors, rest, sorted((s, d, c["outlet"], c["inlet"]) for s, d, c in G.edges(data=True))


def equal(G, H):
    (tensors, *rest), (others, *others_rest) = contents(G), contents(H)
    same = tensors.keys() == others.keys() and all(torch.equal(tensors[k], others[k]) for k in tensors)
    return same and rest == others_rest


@pytest.mark.parametrize("make", [console, fanned_out])
@pytest.mark.parametrize("seed", range(8))
def test_the_sound_stays_and_so_do_ids_and_the_graph_that_was_given(make, seed):
    G = randomize(make(seed), seed)
    given = G.copy()
    smaller = simplify(G)
    assert equal(G, given)
    assert set(smaller.nodes) <= set(G.nodes) and smaller.validate() == []
    assert distance(G, smaller) < 1e-4
    assert smaller.number_of_nodes() < G.number_of_nodes()
    assert equal(simplify(smaller), smaller)
    in_both = [i for i in smaller.nodes if smaller.nodes[i]["node_type"] != G.nodes[i]["node_type"]]
    assert {smaller.nodes[i]["node_type"] for i in in_both} <= {"gain", "mix"}


def test_many_sources_at_once():
    G = randomize(console(5), 5)
    processors = processors_for(G)
    batch = torch.stack([STEMS, STEMS.flip(-1), 0.1 * STEMS])
    outputs = []
    for H in (G, simplify(G)):
        renderer = Renderer(H, processors)
        weights = torch.tensor([float(data.get(WEIGHT, 1.0)) for _, data in sorted(renderer.G.nodes(data=True))])
        outputs.append(renderer(batch, {WEIGHT: weights}))
    assert (outputs[1] - outputs[0]).norm() / outputs[0].norm() < 1e-4


def series(*stages, config=None):
    """A chain of one stem; a stage is a type, a raw value, and a dry/wet weight."""
    types = [node_type for node_type, *_ in stages]
    G = GRAFX(config=config or NodeConfigs([*CHAIN, "peq"]))
    first, last = G.add_serial_chain(["in", *types, "out"])
    processors = processors_for(G)
    for node, (node_type, value, weight) in zip(range(first + 1, last), stages, strict=True):
        raw = {n: v[0] for n, v in processors[node_type].dsp_to_raw({}, 1).items()}
        name = next(iter(raw)) if value is not None else None
        G.nodes[node]["parameters"] = {
            n: torch.as_tensor(value).expand(v.shape).clone() if n == name else v for n, v in raw.items()
        }
        G.nodes[node][WEIGHT] = weight
    return G


def chain(G):
    node, types = 0, []
    while node in G and (after := list(G.successors(node))):
        (node,) = after
        types.append((node, G.nodes[node]["node_type"]))
    return types[:-1]


EQ = 0.3 * torch.randn(1024, generator=torch.Generator().manual_seed(1))
LIFT = torch.full((1024,), 0.4)
PAN, EVEN, WIDE = torch.tensor([0.5, -0.2]), torch.tensor([0.3, 0.3]), torch.tensor([0.4])


@pytest.mark.parametrize(
    "stages, left",
    [
        # Gains on both sides of what commutes with them merge into the first.
        ([("gain", PAN, 0.9), ("eq", EQ, 0.8), ("gain", EVEN, 1.0)], [(2, "eq"), (1, "gain")]),
        ([("gain", EVEN, 0.9), ("imager", WIDE, 0.8), ("gain", PAN, 1.0)], [(2, "imager"), (3, "gain")]),
        ([("delay", None, 0.5), ("gain", EVEN, 0.7), ("eq", EQ, 1.0)], [(2, "gain"), (1, "delay"), (3, "eq")]),
        ([("delay", None, 0.5), ("eq", EQ, 1.0), ("gain", EVEN, 0.7)], [(3, "gain"), (1, "delay"), (2, "eq")]),
        (
            [("gain", PAN, 0.9), ("delay", None, 0.5), ("eq", EQ, 1.0), ("gain", EVEN, 0.7)],
            [(1, "gain"), (2, "delay"), (3, "eq")],
        ),
        ([("gain", EVEN, 0.7), ("reverb", None, 0.5), ("gain", EVEN, 0.7)], [(1, "gain"), (2, "reverb")]),
        # A gain that pans does not pass an imager, a delay or a reverb; nothing passes a compressor.
        ([("gain", PAN, 0.9), ("imager", WIDE, 0.8), ("gain", PAN, 1.0)], [(1, "gain"), (2, "imager"), (3, "gain")]),
        ([("delay", None, 0.5), ("gain", PAN, 0.7)], [(1, "delay"), (2, "gain")]),
        ([("reverb", None, 0.5), ("eq", EQ, 1.0)], [(1, "reverb"), (2, "eq")]),
        ([("compressor", None, 0.5), ("gain", EVEN, 0.7)], [(1, "compressor"), (2, "gain")]),
        (
            [("gain", EVEN, 0.7), ("compressor", None, 0.5), ("gain", EVEN, 0.7)],
            [(1, "gain"), (2, "compressor"), (3, "gain")],
        ),
        # What follows its like merges, what has no effect goes.
        ([("imager", WIDE, 0.5), ("eq", EQ, 1.0), ("imager", -WIDE, 0.5)], [(2, "eq"), (1, "imager")]),
        ([("gain", PAN, 1.0), ("gain", -PAN, 1.0)], []),
        ([("imager", torch.zeros(1), 0.9), ("gain", torch.zeros(2), 0.9), ("eq", torch.zeros(1024), 0.9)], []),
        ([("peq", None, 0.9), ("eq", EQ, 0.0), ("compressor", None, 1e-6), ("reverb", None, 0.0)], []),
        # A flat equalizer is a gain.
        ([("eq", LIFT, 0.9), ("compressor", None, 0.5)], [(1, "gain"), (2, "compressor")]),
        ([("eq", LIFT, 0.9), ("gain", PAN, 0.5)], [(2, "gain")]),
    ],
)
def test_what_is_left_and_in_which_order(stages, left):
    G = series(*stages)
    smaller = simplify(G)
    assert chain(smaller) == left
    assert distance(G, smaller, STEMS[:1]) < 1e-5
    assert equal(simplify(smaller), smaller)


def test_nothing_merges_where_signals_meet_or_part():
    G = GRAFX(config=NodeConfigs(["gain"]))
    first, second = G.add("in"), G.add("in")
    gains = [G.add("gain", {"log_gain": 0.1 * (i + 1) * torch.ones(2)}) for i in range(5)]
    bus, out = G.add("mix"), G.add("out")
    for source, dest in ((0, 2), (2, 3), (2, 4), (3, 7), (4, 7), (7, 5), (5, 6), (second, 6), (6, out)):
        G.connect(source, dest)
    assert (first, bus, gains) == (0, 7, [2, 3, 4, 5, 6])
    smaller = simplify(G)
    assert set(smaller.nodes) == set(G.nodes)
    assert distance(G, smaller, STEMS[:2]) < 1e-6


def test_silent_sends_and_what_only_they_feed_go():
    G = randomize(build_console(["a", "b"], chain=["compressor"], returns={"room": ["reverb"]}), 1)
    for _, data in G.nodes(data=True):
        if data["node_type"] == "send":
            data[WEIGHT] = 0.0
    smaller = simplify(G)
    assert {data["node_type"] for _, data in smaller.nodes(data=True)} <= {"in", "mix", "compressor", "out", *CHAIN}
    assert not [i for i, d in smaller.nodes(data=True) if d["node_type"] == "send" or d.get("name") == "room"]
    assert distance(G, smaller, STEMS[:2]) < 1e-5


def test_settings_are_those_of_the_merged_gain_and_a_bypass_by_hand_counts():
    G = Renderer(series(("gain", PAN, 1.0), ("gain", EVEN, 1.0), ("eq", EQ, 1.0)), processors_for(GRAFX())).graph()
    G.nodes[next(i for i, t in G.nodes(data="node_type") if t == "eq")][BYPASS] = True
    smaller = simplify(G)
    ((node, _),) = chain(smaller)
    decibels = (PAN + EVEN) * 20 / math.log(10)
    assert list(smaller.nodes[node]["settings"].values()) == pytest.approx(decibels.tolist(), abs=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of settings that disagree with tensors
        assert distance(G, smaller, STEMS[:1]) < 1e-5


def test_other_processors():
    G = series(("eq", LIFT, 1.0), config=NodeConfigs(["eq"]))
    assert chain(simplify(G)) == [(1, "eq")]  # there is no gain that it could become
    own = {"eq": ZeroPhaseFIREqualizer(64), "volume": StereoGain()}
    G = GRAFX(config=NodeConfigs(["eq", "volume"]))
    G.add_serial_chain(["in", "eq", "out"])
    G.nodes[1]["parameters"] = {"log_magnitude": torch.full((64,), 0.4)}
    assert chain(simplify(G, processors=own)) == [(1, "volume")]
