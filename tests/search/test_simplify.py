import random

import pytest
import torch

from grafx.data import GRAFX
from grafx.search import build_console, render_mix, simplify
from grafx.search.mixing.console import processors_for
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
