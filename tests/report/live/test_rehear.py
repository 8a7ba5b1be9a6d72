"""What an edit renders again sounds like a render of all."""

import json
import random

import pytest
import torch
from grafx.processors.contract import contract_of

from grafx.data import GRAFX, NodeConfigs, load_grafx
from grafx.data.configs import BUILT_IN_TYPES
from grafx.report import heard
from grafx.report.heard import hear
from grafx.search import render_mix

RATE = 8000

SEEDS = 12
STEPS = 8


def some_edit(G, processors, chance):
    """An edit that may be refused."""
    nodes = sorted(G)
    inner = [i for i in nodes if G.nodes[i]["node_type"] not in BUILT_IN_TYPES]
    node = chance.choice(inner)
    op = chance.choice(["set", "set", "wet", "bypass", "remove", "insert", "connect", "disconnect"])
    if op == "set":
        leaf = chance.choice(contract_of(processors[G.nodes[node]["node_type"]]).leaves())
        value = chance.uniform(leaf.control.low, leaf.control.high)
        if leaf.control.unit == "dB":
            value = max(leaf.control.low, min(value, 6.0))
        return {"op": op, "node": node, "path": [*leaf.path, *(0 for _ in leaf.shape)], "value": value}
    if op == "wet":
        return {"op": op, "node": node, "value": chance.random()}
    if op == "bypass":
        return {"op": op, "node": node, "on": chance.random() < 0.5}
    if op == "remove":
        return {"op": op, "node": chance.choice(nodes)}
    if op == "connect":
        inlet = chance.choice(["main", "sidechain"])
        return {"op": op, "source": chance.choice(nodes), "dest": chance.choice(nodes), "inlet": inlet}
    edge = list(chance.choice(sorted(G.edges(keys=True))))
    return {"op": op, "edge": edge, **({"type": chance.choice(["mix", *processors])} if op == "insert" else {})}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_edits_sound_like_a_full_render(seed, make_desk, stems, processors, tmp_path):
    """After each edit, undo and redo; and what is saved is rendered to the same mix."""
    chance, desk = random.Random(seed), make_desk()
    done = 0
    for _ in range(STEPS):
        move = chance.random()
        try:
            if move < 0.2:
                desk.undo()
            elif move < 0.3:
                desk.redo()
            else:
                desk.edit(json.loads(json.dumps(some_edit(desk.session.G, processors, chance))))
        except ValueError:
            continue
        done += 1
        full = hear(desk.session.G, stems, RATE, processors)
        assert set(desk.heard.outputs) == set(full.outputs) == set(desk.session.G)
        for node in full.G:
            for one, other in zip(desk.heard.outputs[node], full.outputs[node], strict=True):
                assert torch.allclose(one, other, rtol=0, atol=1e-6), f"node {node}"
    assert done
    place = desk.save()["saved"]
    G, _, metadata = load_grafx(place)
    assert metadata == desk._metadata
    assert torch.allclose(render_mix(G, stems, RATE, processors), desk.heard.mix, rtol=0, atol=1e-6)


def test_undo_is_to_the_bit(make_desk, at):
    desk = make_desk()
    before = {node: [signal.clone() for signal in outlets] for node, outlets in desk.heard.outputs.items()}
    desk.edit({"op": "set", "node": at("peq"), "path": ["gain_db", 0], "value": 12})
    desk.edit({"op": "remove", "node": at("compressor", "drums")})
    desk.edit({"op": "insert", "type": "reverb", "edge": [at("imager"), at("limiter"), 0]})
    desk.undo(), desk.undo(), desk.undo()
    assert all(
        torch.equal(a, b) for node in before for a, b in zip(before[node], desk.heard.outputs[node], strict=True)
    )


def called(desk, monkeypatch, edit):
    """The nodes that an edit renders."""
    nodes, played = [], heard.played

    def note(of, node, inputs):
        nodes.append(node)
        return played(of, node, inputs)

    monkeypatch.setattr(heard, "played", note)
    desk.edit(edit)
    return nodes


def test_only_what_follows_is_rendered(make_desk, at, monkeypatch):
    desk, imager = make_desk(), at("imager")
    nodes = called(desk, monkeypatch, {"op": "set", "node": imager, "path": ["side_gain_db"], "value": -3})
    assert nodes == [imager, at("limiter"), at("out")]


def test_what_sounds_the_same_ends_it(make_desk, at, monkeypatch):
    """A knob of a bypassed node changes nothing that follows."""
    desk, imager = make_desk(), at("imager")
    desk.edit({"op": "bypass", "node": imager, "on": True})
    nodes = called(desk, monkeypatch, {"op": "set", "node": imager, "path": ["side_gain_db"], "value": -3})
    assert nodes == [imager]


class Explodes(torch.nn.Module):
    """Finite at its default only."""

    def parameter_size(self):
        return {"gain": 1}

    def forward(self, signal, gain):
        return signal / (1 - gain[:, :, None])


def test_what_is_not_finite_is_refused(make_desk, stems):
    known = {"explodes": Explodes()}
    G = GRAFX(NodeConfigs(["explodes"]))
    first, _ = G.add_serial_chain(["in", "explodes", "out"])
    G.nodes[1]["parameters"] = {"gain": torch.zeros(1)}
    desk = make_desk(G, stems[:1], known)
    before = desk.heard
    desk.session.processors["bad"] = Explodes()
    desk.session.processors["bad"].forward = lambda signal, gain: signal / gain[:, :, None]
    with pytest.raises(ValueError, match="NaN or infinite"):
        desk.edit({"op": "insert", "type": "bad", "edge": [first, 1, 0]})
    assert desk.heard is before and not desk.session.can_undo
    desk.edit({"op": "insert", "type": "explodes", "edge": [first, 1, 0]})


def test_multiple_outlets_and_inlets_and_mono(make_desk, stems, toys):
    """Any graph of processors that search knows nothing of."""
    known = {name: toy for name, toy in toys.make().items() if name in ("split", "ring", "gain", "meter")}
    G = GRAFX(NodeConfigs.from_processors(known))
    ids = {name: G.add(name) for name in ("in", "split", "ring", "meter", "gain", "out")}
    for node, data in G.nodes(data=True):
        if data["node_type"] in known:
            sizes = known[data["node_type"]].parameter_size()
            data["parameters"] = {name: 0.5 + 0.1 * torch.arange(size) + 0.01 * node for name, size in sizes.items()}
    G.connect(ids["in"], ids["split"])
    G.connect(ids["split"], ids["ring"])
    G.connect(ids["split"], ids["ring"], outlet="side", inlet="side")
    G.connect(ids["ring"], ids["meter"])
    G.connect(ids["split"], ids["gain"], outlet="side")
    G.connect(ids["meter"], ids["out"])
    G.connect(ids["gain"], ids["out"])
    desk = make_desk(G, stems[:1], known)
    desk.edit({"op": "insert", "type": "mix", "edge": [ids["ring"], ids["meter"], 0]})
    desk.edit({"op": "remove", "node": ids["gain"]})
    desk.edit({"op": "connect", "source": ids["in"], "dest": ids["ring"], "inlet": "side"})
    full = hear(desk.session.G, stems[:1], RATE, known)
    assert all(
        torch.allclose(one, other, atol=1e-6)
        for node in full.G
        for one, other in zip(desk.heard.outputs[node], full.outputs[node], strict=True)
    )
    model = desk.model()
    assert model["nodes"][str(ids["split"])]["sounds"]["side"] == f"{ids['split']}-out-1"
