import math

import pytest
import torch

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
