"""Edits as data: what they do, what is refused, undo and redo."""

import json
import math

import pytest
import torch
from grafx.processors import FeedbackDelay, MultiBandCompressor, ParametricEqualizer, SerialChain, StereoGain
from grafx.processors.contract import contract_of

from grafx.data import GRAFX, GraphError, NodeConfigs
from grafx.data.formats.io import save_grafx
from grafx.parameters.settings import with_control
from grafx.report.live.edits import edited
from grafx.report.live.session import Session
from grafx.search.mixing.console import ROLES
from grafx.trees import at as value_at
from grafx.trees import batch


def session_of(console, processors):
    return Session(console, processors)


def saved(G, folder):
    """The bytes of the files that a graph is saved to."""
    save_grafx(G, folder)
    return [(folder / name).read_bytes() for name in ("graph.json", "parameters.safetensors")]


def physical(processor, data, path):
    return value_at(processor.raw_to_dsp(batch(data["parameters"])), tuple(path))[0]


@pytest.mark.each("role")
@pytest.mark.parametrize("role", sorted(ROLES))
def test_controls_get_the_physical_value(role, processors):
    """Each control of each class, at one place, while all others keep their raw values to the bit."""
    G = GRAFX(NodeConfigs.from_processors(processors))
    G.add_serial_chain(["in", role, "out"])
    session = Session(G, processors)
    for leaf in contract_of(processors[role]).leaves():
        index = [size - 1 for size in leaf.shape]
        low, high = leaf.control.low, leaf.control.high
        value = math.sqrt(low * high) if leaf.control.scale == "log" else 0.7 * low + 0.3 * high
        before = physical(processors[role], session.G.nodes[1], leaf.path)
        session.apply({"op": "set", "node": 1, "path": [*leaf.path, *index], "value": value})
        after = physical(processors[role], session.G.nodes[1], leaf.path)
        assert after[tuple(index)].item() == pytest.approx(value, rel=2e-3)
        others = torch.ones_like(after, dtype=torch.bool)
        others[tuple(index)] = False
        assert torch.allclose(after[others], before[others], rtol=1e-5)


def test_spectra_are_set_by_octave(console, processors, at):
    session, eq = session_of(console, processors), at("eq")
    session.apply({"op": "set", "node": eq, "path": ["magnitude_db", "500 Hz"], "value": 6.0})
    settings = session.G.nodes[eq]["settings"]["magnitude_db"]
    assert settings["500 Hz"] == pytest.approx(6, abs=1e-3)
    assert settings["2000 Hz"] == 0


def test_nested_controls_are_set_by_their_path():
    processor = SerialChain({"low": MultiBandCompressor(), "tone": ParametricEqualizer(num_filters=2)})
    G = GRAFX(NodeConfigs(["chain"]))
    G.add_serial_chain(["in", "chain", "out"])
    session = Session(G, {"chain": processor})
    nested = [leaf for leaf in processor.leaves() if len(leaf.path) > 1]
    leaf = nested[-1]
    value = leaf.control.low + 0.25 * (leaf.control.high - leaf.control.low)
    session.apply({"op": "set", "node": 1, "path": [*leaf.path, *(0 for _ in leaf.shape)], "value": value})
    found = physical(processor, session.G.nodes[1], leaf.path)
    assert found[tuple(0 for _ in leaf.shape)].item() == pytest.approx(value, rel=1e-3)


def test_a_value_beside_the_range_does_not_stop_edits_of_others():
    """As of a found compressor, whose knee the search took over the highest that a knob has."""
    processor = ParametricEqualizer(num_filters=3)
    raw = {name: value[0] for name, value in processor.dsp_to_raw({}, 1).items()}
    raw["log_gain"] = raw["log_gain"] + 5.0
    changed = with_control(processor, raw, ["gain_db", 1], -3.0)
    gains = processor.raw_to_dsp(batch(changed))["gain_db"][0]
    assert gains[1].item() == pytest.approx(-3, abs=1e-4)
    assert torch.equal(changed["log_gain"][..., 0], raw["log_gain"][..., 0])


def test_insertion_is_at_defaults_on_the_cable(console, processors, at):
    session, gain = session_of(console, processors), at("gain", "drums")
    ((source, _, key),) = session.G.in_edges(gain, keys=True)
    session.apply({"op": "insert", "type": "saturation", "edge": [source, gain, key]})
    node = next(i for i, d in session.G.nodes(data=True) if d["node_type"] == "saturation")
    assert list(session.G.predecessors(node)) == [source] and list(session.G.successors(node)) == [gain]
    assert session.G.nodes[node]["owner"] == "drums"
    assert session.G.nodes[node]["settings"] == {"pre_gain_db": 0.0}
    assert "saturation" not in console.config, "the graph that was given stays as it was"


def test_removal_lets_the_signal_pass(console, processors, at):
    session, compressor = session_of(console, processors), at("compressor", "drums")
    (source,), (dest,) = session.G.predecessors(compressor), session.G.successors(compressor)
    session.apply({"op": "remove", "node": compressor})
    assert compressor not in session.G and session.G.has_edge(source, dest)


def test_removal_of_a_send_cuts_it(console, processors, at):
    session, send = session_of(console, processors), at("send", "drums")
    (source,), (dest,) = session.G.predecessors(send), session.G.successors(send)
    session.apply({"op": "remove", "node": send})
    assert send not in session.G and not session.G.has_edge(source, dest)


def test_removal_beside_a_parallel_cable_leaves_a_sum(console, processors, at):
    session, imager = session_of(console, processors), at("imager")
    (source,), (dest,) = session.G.predecessors(imager), session.G.successors(imager)
    session.apply({"op": "connect", "source": source, "dest": dest})
    session.apply({"op": "bypass", "node": imager, "on": True})
    session.apply({"op": "remove", "node": imager})
    assert session.G.nodes[imager]["node_type"] == "mix" and "bypass" not in session.G.nodes[imager]


def test_rewiring_by_outlets_and_inlets(console, processors, at):
    session, ducker = session_of(console, processors), at("ducker")
    key = next(s for s, _, d in session.G.in_edges(ducker, data=True) if d["inlet"] == "sidechain")
    edge = [key, ducker, next(iter(session.G[key][ducker]))]
    session.apply({"op": "disconnect", "edge": edge})
    compressor = at("compressor", "drums")
    session.apply({"op": "connect", "source": compressor, "dest": ducker, "inlet": "sidechain"})
    inlets = {s: d["inlet"] for s, _, d in session.G.in_edges(ducker, data=True)}
    assert inlets[compressor] == "sidechain" and key not in inlets


NODE, TYPE = "node", "type"
REFUSED = [
    ({}, "op"),
    ({"op": "explode"}, "op"),
    ([], "op"),
    ({"op": ["set"]}, "op"),
    ({"op": "wet", "node": True, "value": 0.5}, "an id"),
    ({"op": "wet", "node": 1.0, "value": 0.5}, "an id"),
    ({"op": "wet", "node": 999, "value": 0.5}, "not in the graph"),
    ({"op": "wet", "node": "compressor", "value": 1.5}, "0 to 1"),
    ({"op": "wet", "node": "compressor", "value": math.nan}, "a number"),
    ({"op": "wet", "node": "compressor", "value": True}, "a number"),
    ({"op": "wet", "node": "in", "value": 0.5}, "no processor"),
    ({"op": "bypass", "node": "compressor", "on": 1}, "true or false"),
    ({"op": "bypass", "node": "mix", "on": True}, "no processor"),
    ({"op": "set", "node": "compressor", "path": ["threshold_db"], "value": 3}, "range"),
    ({"op": "set", "node": "compressor", "path": ["threshold_db"], "value": math.nan}, "a number"),
    ({"op": "set", "node": "compressor", "path": ["threshold_db"], "value": math.inf}, "a number"),
    ({"op": "set", "node": "compressor", "path": ["threshold_db"], "value": "loud"}, "a number"),
    ({"op": "set", "node": "compressor", "path": ["threshold_db"], "value": [1, 2]}, "shape"),
    ({"op": "set", "node": "compressor", "path": ["volume"], "value": 3}, "no control"),
    ({"op": "set", "node": "compressor", "path": [], "value": 3}, "a list"),
    ({"op": "set", "node": "peq", "path": ["gain_db", 99], "value": 3}, "no value"),
    ({"op": "set", "node": "peq", "path": ["gain_db", -1], "value": 3}, "no value"),
    ({"op": "set", "node": "peq", "path": ["gain_db", 0, 0], "value": 3}, "no value"),
    ({"op": "set", "node": "eq", "path": ["magnitude_db", "7 Hz"], "value": 3}, "no part"),
    ({"op": "set", "node": "eq", "path": ["magnitude_db", "500 Hz"], "value": 99}, "range"),
    ({"op": "set", "node": "delay", "path": ["loudest_db"], "value": 3}, "no control"),
    ({"op": "remove", "node": "in"}, "stem"),
    ({"op": "remove", "node": "out"}, "heard"),
    ({"op": "remove", "node": "compressor", "gently": True}, "no gently"),
    ({"op": "insert", "type": "toaster", "edge": ["in", "peq", 0]}, "toaster"),
    ({"op": "insert", "type": "in", "edge": ["in", "peq", 0]}, "'in'"),
    ({"op": "insert", "type": "gain", "edge": ["in", "peq", 7]}, "no cable"),
    ({"op": "insert", "type": "gain", "edge": ["peq", "in", 0]}, "no cable"),
    ({"op": "insert", "type": "gain", "edge": [0]}, "two ids"),
    ({"op": "connect", "source": "compressor", "dest": "peq"}, "cycle"),
    ({"op": "connect", "source": "peq", "dest": "peq"}, "itself"),
    ({"op": "connect", "source": "in", "dest": "peq"}, "existing"),
    ({"op": "connect", "source": "in", "dest": "compressor", "inlet": "sidechain"}, "inlet"),
    ({"op": "connect", "source": "in", "dest": "compressor", "outlet": "high"}, "outlet"),
    ({"op": "connect", "source": "out", "dest": "compressor"}, "cycle"),
    ({"op": "disconnect", "edge": ["in", "peq", 0]}, "peq"),
    ({"op": "disconnect", "edge": ["in", "compressor", 0]}, "no cable"),
]


@pytest.mark.parametrize("edit, reason", REFUSED, ids=[json.dumps(edit) for edit, _ in REFUSED])
def test_refused_edits_say_why_and_change_nothing(edit, reason, console, processors, at, tmp_path):
    def known(value):
        names = {data["node_type"] for _, data in console.nodes(data=True)}
        return at(value) if isinstance(value, str) and value in names else value

    if isinstance(edit, dict):
        edit = {
            name: [known(v) for v in value] if name == "edge" else known(value) if name != "type" else value
            for name, value in edit.items()
        }
    session = session_of(console, processors)
    session.apply({"op": "wet", "node": at("gain"), "value": 0.25})
    before, G = saved(session.G, tmp_path), session.G
    with pytest.raises(ValueError, match=reason) as caught:
        session.apply(edit)
    assert type(caught.value).__module__ == "grafx.errors" or "grafx" in type(caught.value).__module__
    assert session.G is G and saved(session.G, tmp_path) == before
    assert len(session.edits) == 1 and not session.can_redo


def test_undo_and_redo(console, processors, at, tmp_path):
    session, gain = session_of(console, processors), at("gain")
    states = [saved(session.G, tmp_path)]
    for edit in (
        {"op": "wet", "node": gain, "value": 0.5},
        {"op": "set", "node": gain, "path": ["left_gain_db"], "value": -6},
        {"op": "remove", "node": at("imager")},
    ):
        session.apply(edit)
        states.append(saved(session.G, tmp_path))
    for state in reversed(states[:-1]):
        session.undo()
        assert saved(session.G, tmp_path) == state
    with pytest.raises(GraphError, match="nothing to undo"):
        session.undo()
    for state in states[1:]:
        session.redo()
        assert saved(session.G, tmp_path) == state
    with pytest.raises(GraphError, match="nothing to redo"):
        session.redo()
    session.undo()
    session.apply({"op": "wet", "node": gain, "value": 0.1})
    assert not session.can_redo and len(session.edits) == 3


def test_a_gesture_is_one_step(console, processors, at, tmp_path):
    session, gain = session_of(console, processors), at("gain")
    first = saved(session.G, tmp_path)
    for value in (0.9, 0.5, 0.2):
        session.apply({"op": "wet", "node": gain, "value": value}, gesture="turn 1")
    session.apply({"op": "wet", "node": gain, "value": 0.1}, gesture="turn 2")
    session.undo()
    assert session.G.nodes[gain]["drywet_weight"] == 0.2
    session.undo()
    assert saved(session.G, tmp_path) == first


def test_a_gesture_does_not_go_on_after_undo(console, processors, at):
    session, gain = session_of(console, processors), at("gain")
    session.apply({"op": "wet", "node": gain, "value": 0.9}, gesture="turn")
    session.undo()
    session.apply({"op": "wet", "node": gain, "value": 0.2}, gesture="turn")
    session.undo()
    assert session.G.nodes[gain].get("drywet_weight", 1.0) == 1.0


def test_edits_are_replayed(console, processors, at, tmp_path):
    session, gain = session_of(console, processors), at("gain")
    session.apply({"op": "insert", "type": "reverb", "edge": [at("imager"), at("limiter"), 0]})
    session.apply({"op": "set", "node": gain, "path": ["left_gain_db"], "value": -6})
    session.apply({"op": "bypass", "node": gain, "on": True})
    session.apply({"op": "remove", "node": at("compressor")})
    session.undo()
    again = session_of(console, processors)
    again.replay(json.loads(json.dumps(session.edits)))
    assert saved(again.G, tmp_path) == saved(session.G, tmp_path)


def test_other_processors_have_no_dry_signal(tmp_path):
    """A graph that no search finds: a feedback delay, and a processor of one's own with two outlets."""

    class Halves(torch.nn.Module):
        outlets = ("main", "rest")

        def parameter_size(self):
            return {"share": 1}

        def forward(self, signal, share):
            part = signal * share.sigmoid()[:, :, None]
            return part, signal - part

    known = {"halves": Halves(), "echo": FeedbackDelay(), "gain": StereoGain()}
    G = GRAFX(NodeConfigs.from_processors(known))
    source, halves, echo, out = (G.add(t) for t in ("in", "halves", "echo", "out"))
    G.nodes[halves]["parameters"] = {"share": torch.zeros(1)}
    G.connect(source, halves)
    G.connect(halves, echo, outlet="rest")
    G.connect(halves, out)
    G.connect(echo, out)
    session = Session(G, known)
    with pytest.raises(GraphError, match="2 outlets"):
        session.apply({"op": "wet", "node": halves, "value": 0.5})
    with pytest.raises(GraphError, match="no control"):
        session.apply({"op": "set", "node": halves, "path": ["share"], "value": 0.5})
    with pytest.raises(GraphError, match="Nothing is connected"):
        session.apply({"op": "disconnect", "edge": [halves, echo, 0]})
    session.apply({"op": "insert", "type": "gain", "edge": [halves, echo, 0]})
    session.apply({"op": "remove", "node": halves})
    assert session.G.validate() == []


def test_graphs_that_cannot_be_rendered_are_refused(processors):
    G = GRAFX(NodeConfigs.from_processors(processors))
    G.add_serial_chain(["in", "gain"])
    with pytest.raises(GraphError, match="'out'"):
        Session(G, processors)
    G = GRAFX()
    G.add_serial_chain(["in", "toaster", "out"])
    with pytest.raises(GraphError, match="toaster"):
        Session(G, processors)


def test_an_edit_shares_what_it_leaves(console, processors, at):
    session, gain = session_of(console, processors), at("gain", "drums")
    after = edited(session.G, {"op": "set", "node": gain, "path": ["left_gain_db"], "value": -6}, processors)
    for node, data in session.G.nodes(data=True):
        assert (after.nodes[node]["parameters"] is data["parameters"]) == (node != gain)


def test_other_types_are_made_when_they_are_inserted(console, processors, at):
    from grafx.search.mixing.console import console_processors

    session = Session(console, processors, lambda name: console_processors(8000, [name])[name])
    edge = [at("imager"), at("limiter"), 0]
    session.apply({"op": "insert", "type": "BitCrusher", "edge": edge})
    assert "BitCrusher" in session.G.config
    with pytest.raises(GraphError, match="did you mean 'BitCrusher'"):
        session.apply({"op": "insert", "type": "BitCrush", "edge": edge})
