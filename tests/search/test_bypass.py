import math
import random

import pytest
import torch

from grafx.data import GRAFX, NodeConfigs
from grafx.search import Mixer, build_console, render_mix
from grafx.search.mixing.bypass import level_changes, without
from grafx.search.mixing.initial import set_initial_parameters
from grafx.search.mixing.mixer import WEIGHT

GAINS = {"kick": (0.5, 0.25), "pad": (2.0, 1.0), "group": (0.8, 1.2), "master": (3.0, 0.7)}


@pytest.fixture
def console(stems, mix):
    """A console of equalizers and gains, all of which do something; the pad goes through a group."""
    G = build_console(["kick", "pad"], {"group": ["pad"]}, chain=("eq", "gain"))
    set_initial_parameters(G, stems, mix, seed=0)
    for _, data in G.nodes(data=True):
        if data["node_type"] == "eq":
            data[WEIGHT], data["parameters"]["log_magnitude"] = 1.0, torch.full((1024,), math.log(1.5))
        if data["node_type"] == "gain":
            data[WEIGHT], data["parameters"]["log_gain"] = 1.0, torch.tensor(GAINS[data["owner"]]).log()
    return Mixer(G).graph()


def find(G, node_type, owner):
    (node,) = [i for i, d in G.nodes(data=True) if d["node_type"] == node_type and d.get("owner") == owner]
    return node


def test_level_changes_are_what_the_gains_are(console, stems):
    changes = level_changes(Mixer(console), stems)
    assert set(changes) == set(Mixer(console).processor_ids)
    for owner, gains in GAINS.items():
        assert changes[find(console, "gain", owner)].tolist() == pytest.approx(gains, rel=1e-4)
        # A flat equalizer loses a little at the ends of the spectrum.
        assert changes[find(console, "eq", owner)].tolist() == pytest.approx([1.5, 1.5], rel=0.1)


def test_a_silent_input_has_no_level_to_change(console, stems):
    silent = stems.clone()
    silent[0] = 0
    changes = level_changes(Mixer(console), silent)
    assert changes[find(console, "gain", "kick")].tolist() == [1, 1]


@pytest.mark.parametrize(
    "removed",
    [
        [("gain", "master")],
        [("gain", "group")],
        [("gain", "master"), ("gain", "group")],
        [("eq", "kick"), ("eq", "master")],
        [("eq", "master"), ("gain", "master"), ("eq", "group"), ("gain", "group"), ("eq", "pad"), ("eq", "kick")],
    ],
)
def test_what_only_changes_the_level_is_not_missed(console, stems, removed):
    nodes = [find(console, *which) for which in removed]
    smaller = without(console, nodes, level_changes(Mixer(console), stems))
    assert set(console.nodes) - set(smaller.nodes) == set(nodes)
    before, after = render_mix(console, stems), render_mix(smaller, stems)
    error = (after - before).square().mean().sqrt() / before.square().mean().sqrt()
    assert error < (1e-2 if all(t == "gain" for t, _ in removed) else 0.1)
    plain = console.copy()
    for node in nodes:
        plain.bypass(node)
    assert (render_mix(plain, stems) - before).square().mean() > 9 * (after - before).square().mean()


def test_the_graph_that_was_given_stays(console, stems):
    before = render_mix(console, stems)
    without(console, [find(console, "gain", "master")], level_changes(Mixer(console), stems))
    assert torch.equal(render_mix(console, stems), before)


def test_without_any_gain_it_is_a_plain_bypass(console, stems):
    changes = level_changes(Mixer(console), stems)
    nodes = list(changes)
    smaller = without(console, nodes, changes)
    assert torch.allclose(render_mix(smaller, stems), stems.sum(0), atol=1e-6)
    # One chain into the master keeps its gain and the other does not, so nobody can stand in for the master's.
    nodes = [find(console, "gain", owner) for owner in ("master", "kick")]
    smaller = without(console, nodes, changes)
    gain = smaller.nodes[find(smaller, "gain", "pad")]
    assert gain["parameters"]["log_gain"].exp().tolist() == pytest.approx(GAINS["pad"])


def test_removing_nothing_changes_nothing(console, stems):
    same = without(console, [], level_changes(Mixer(console), stems))
    assert torch.equal(render_mix(same, stems), render_mix(console, stems))


def test_extreme_gains_stay_finite(console):
    changes = {node: torch.tensor([0.0, 1e6]) for node in Mixer(console).processor_ids}
    smaller = without(console, [find(console, "eq", "kick")], changes)
    log_gain = smaller.nodes[find(smaller, "gain", "kick")]["parameters"]["log_gain"]
    assert log_gain.isfinite().all()


# Any graph


def desk(**options):
    """Gains and equalizers that only scale, so that any removal could be made up for."""
    G = build_console(["kick", "pad"], options.pop("groups", None), **{"chain": ["eq", "gain"], **options})
    return filled(G, 3)


def filled(G, seed, level=0.4):
    """Equalizers and gains at levels of their own; what compresses does not."""
    generator = torch.Generator().manual_seed(seed)
    for node, data in sorted(G.nodes(data=True)):
        data.setdefault("owner", f"{node}")
        raw = {
            "gain": {"log_gain": level * torch.randn(2, generator=generator)},
            "send": {"log_gain": level * torch.randn(2, generator=generator) - 1},
            "eq": {"log_magnitude": level * torch.randn(1, generator=generator).expand(1024)},
            "ducker": {"log_threshold": torch.tensor([0.0]), "log_ratio": torch.tensor([-1.0])},
            "compressor": {"log_threshold": torch.tensor([0.0]), "log_ratio": torch.tensor([-1.0])},
            "reverb": {},
        }.get(data["node_type"])
        if raw is not None:
            data["parameters"], data[WEIGHT] = raw or None, 0.9
    return Mixer(G).graph()


def nodes_of(G, node_type, owner=None):
    return [i for i, d in sorted(G.nodes(data=True)) if d["node_type"] == node_type and owner in (None, d.get("owner"))]


def audible(G, node):
    """What a node that only scales does to the channels."""
    data = G.nodes[node]
    log_gain = data["parameters"]["log_magnitude" if data["node_type"] == "eq" else "log_gain"][:2]
    dry = data["node_type"] != "send"
    return (1 - data[WEIGHT]) * dry + data[WEIGHT] * log_gain.exp()


def late(stems):
    """After a silence that is longer than equalizers look ahead."""
    later = stems.roll(3000, -1)
    later[..., :3000] = 0
    return later


def distance(G, H, stems):
    before, after = render_mix(G, stems), render_mix(H, stems)
    return ((after - before).norm() / before.norm()).item()


def test_a_send_is_cut_and_its_return_goes_with_the_last(stems):
    G = desk(groups={"group": ["pad"]}, returns={"room": ["reverb"], "crush": ["compressor", "gain"]})
    changes = level_changes(Mixer(G), stems)
    assert set(changes) == set(Mixer(G).processor_ids)
    (bus,) = [i for i, d in G.nodes(data=True) if d["node_type"] == "mix" and d["name"] == "room"]
    sends = sorted(G.predecessors(bus))
    one = without(G, sends[:1], changes)
    assert set(G.nodes) - set(one.nodes) == {sends[0]}
    silent = G.copy()
    silent.nodes[sends[0]][WEIGHT] = 0.0
    assert distance(silent, one, stems) < 1e-5
    none = without(G, sends, changes)
    gone = {G.nodes[i]["node_type"] for i in set(G.nodes) - set(none.nodes)}
    assert gone == {"send", "mix", "reverb"} and none.validate() == []
    for node in sends:
        silent.nodes[node][WEIGHT] = 0.0
    assert distance(silent, none, stems) < 1e-5
    everything = without(G, list(changes), changes)
    assert sorted(d["node_type"] for _, d in everything.nodes(data=True)) == ["in", "in", "mix", "mix", "out"]


def test_a_sidechain_goes_with_its_processor_and_with_what_leads_only_to_it(stems):
    G = desk(chain={"kick": ["eq", "gain"], "pad": ["gain", "ducker"]}, sidechains={"pad": "kick"})
    changes = level_changes(Mixer(G), stems)
    (ducker,) = nodes_of(G, "ducker")
    smaller = without(G, [ducker], changes)
    assert set(G.nodes) - set(smaller.nodes) == {ducker}
    assert {data["inlet"] for *_, data in smaller.edges(data=True)} == {"main"}
    assert smaller.validate() == [] and (changes[ducker] < 0.95).all()
    gains = [audible(H, find(H, "gain", "pad")) for H in (G, smaller)]
    assert torch.allclose(gains[1], gains[0] * changes[ducker], rtol=1e-3)
    # What is heard through a sidechain alone.
    H = G.copy()
    key = H.insert("eq", *next((s, d) for s, d, c in H.edges(data=True) if c["inlet"] != "main"), inlet="sidechain")
    H.nodes[key].update(parameters={"log_magnitude": torch.zeros(1024)}, owner="key", **{WEIGHT: 0.9})
    assert set(H.nodes) - set(without(H, [ducker], changes).nodes) == {ducker, key}


def test_a_silent_send_stays_where_it_is_all_that_an_output_has(stems):
    G = GRAFX(config=NodeConfigs(["send", "gain"]))
    kick, pad = G.add("in", name="kick"), G.add("in", name="pad")
    first, second, bus, gain, out = (G.add(t) for t in ("send", "send", "mix", "gain", "out"))
    for source, dest in ((kick, first), (pad, second), (first, bus), (second, bus), (bus, gain), (gain, out)):
        G.connect(source, dest)
    G = filled(G, 0)
    sends = nodes_of(G, "send")
    changes = level_changes(Mixer(G), stems)
    smaller = without(G, sends, changes)
    assert len(nodes_of(smaller, "send")) == 1 and len(nodes_of(smaller, "in")) == 2
    assert smaller.validate() == [] and not render_mix(smaller, stems).any()
    assert Mixer(smaller)(stems)[0].shape == stems.shape[1:]


def test_where_a_cable_runs_beside_a_processor_a_sum_takes_its_place(stems):
    G = GRAFX(config=NodeConfigs(["eq", "gain"]))
    kick, pad = G.add("in", name="kick"), G.add("in", name="pad")
    eq, gain, out = G.add("eq"), G.add("gain"), G.add("out")
    for source, dest in ((kick, eq), (kick, gain), (pad, gain), (eq, gain), (gain, out)):
        G.connect(source, dest)
    G = filled(G, 0)
    smaller = without(G, nodes_of(G, "eq"), dict.fromkeys(G.nodes, torch.ones(2)))
    silent = G.copy()
    silent.nodes[nodes_of(G, "eq")[0]][WEIGHT] = 0.0
    assert smaller.validate() == [] and nodes_of(smaller, "eq") == [] and len(nodes_of(smaller, "mix")) == 1
    assert distance(silent, smaller, stems) < 1e-5


def random_desk(seed):
    """Gains and flat equalizers in any order, each fed by one or two of the nodes before it."""
    choose = random.Random(seed)
    G = GRAFX(config=NodeConfigs(["eq", "gain"]))
    nodes = [G.add("in", name=name) for name in ("kick", "pad")]
    for _ in range(10):
        node = G.add(choose.choice(["eq", "gain", "gain", "mix"]))
        for source in choose.sample(nodes[-4:], choose.choice([1, 1, 2])) if len(nodes) > 2 else nodes[:1]:
            G.connect(source, node)
        nodes.append(node)
    out = G.add("out")
    for node in {nodes[-1], choose.choice(nodes[2:]), nodes[1]}:
        G.connect(node, out)
    return filled(G, seed)


def test_gains_take_over_exactly_or_not_at_all_in_any_graph(stems):
    """As all nodes only scale, what takes over the level of one must leave the mix as it was."""
    stems, taken = late(stems), 0
    for seed in range(6):
        mixer = Mixer(random_desk(seed))
        G = mixer.graph()
        ones = dict.fromkeys(mixer.processor_ids, torch.ones(2))
        for node in mixer.processor_ids:
            smaller, plain = (without(G, [node], {**ones, node: change}) for change in (audible(G, node), ones[node]))
            assert smaller.validate() == []
            gains = nodes_of(smaller, "gain")
            if any(not torch.allclose(audible(smaller, gain), audible(plain, gain)) for gain in gains):
                taken += 1
                assert distance(G, smaller, stems) < 1e-4, (seed, node)
    assert taken > 8


def test_the_sends_of_a_return_make_up_for_it_and_undo_what_is_not_meant_for_it(stems):
    G = desk(chain=["gain"], master=["eq"], returns={"crush": ["eq", "gain"]})
    (eq,) = nodes_of(G, "eq", "master")
    change = audible(G, eq)
    smaller = without(G, [eq], {eq: change})
    assert distance(G, smaller, late(stems)) < 1e-4
    gains = [find(G, "gain", owner) for owner in ("kick", "pad", "crush")]
    for nodes, factor in ((gains, change), (nodes_of(G, "send"), 1 / change)):
        for node in nodes:
            assert torch.allclose(audible(smaller, node) / audible(G, node), factor, rtol=1e-3)


@pytest.mark.parametrize("seed", range(6))
def test_any_removal_leaves_a_graph_that_can_be_rendered(stems, seed):
    options = {"returns": {"room": ["reverb"], "crush": ["compressor", "gain"]}, "sidechains": {"pad": "kick"}}
    G = desk(groups={"group": ["pad"]} if seed % 2 else None, **options)
    choose = random.Random(seed)
    for _ in range(4):
        mixer = Mixer(G)
        G, ids = mixer.graph(), mixer.processor_ids
        removed = choose.sample(ids, choose.randint(0, len(ids)))
        smaller = without(G, removed, level_changes(mixer, stems[..., :5000]))
        assert smaller.validate() == [] and set(smaller.nodes) <= set(G.nodes) - set(removed)
        assert render_mix(smaller, stems[..., :5000]).isfinite().all()
