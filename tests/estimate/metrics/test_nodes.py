"""Node types and parameters of estimated graphs."""

import random

import pytest
from grafx.processors import LFO, Compressor, HighPassFilter, StereoGain

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import EstimateError
from grafx.estimate.metrics import canonical, compare_graphs, mean_comparison
from grafx.estimate.metrics.comparison import AVERAGED

PROCESSORS = {"highpass": HighPassFilter(), "compressor": Compressor(), "gain": StereoGain()}


def chain(*nodes):
    """A chain of types, or of types with physical values."""
    G = GRAFX(config=NodeConfigs.from_processors(PROCESSORS))
    stages = [node if isinstance(node, tuple) else (node, None) for node in nodes]
    G.add_serial_chain(["in", *({"node_type": kind, "parameters": values} for kind, values in stages), "out"])
    return G


@pytest.mark.parametrize(
    "truth, estimate, error, precision, recall",
    [
        (["highpass", "gain"], ["highpass", "gain"], 0, 1, 1),
        (["highpass", "gain"], ["gain", "highpass"], 0, 1, 1),
        (["highpass", "gain"], ["highpass"], 1 / 2, 1, 1 / 2),
        (["highpass", "gain"], ["highpass", "compressor"], 1 / 2, 1 / 2, 1 / 2),
        (["highpass", "gain"], ["gain", "gain", "gain", "gain"], 3 / 2, 1 / 4, 1 / 2),
        (["highpass", "gain"], [], 1, 1, 0),
        ([], ["gain"], 1, 0, 1),
        ([], [], 0, 1, 1),
    ],
)
def test_node_types(truth, estimate, error, precision, recall):
    found = compare_graphs(chain(*truth), chain(*estimate), PROCESSORS)
    assert found.node_type_error == pytest.approx(error)
    assert (found.node_precision, found.node_recall) == pytest.approx((precision, recall))
    f1 = 2 * precision * recall / (precision + recall) if truth and estimate else float(truth == estimate)
    assert found.node_f1 == pytest.approx(f1)


def test_parameters_in_both_units():
    truth = chain(("compressor", {"threshold_db": -20.0, "ratio": 4.0}))
    estimate = chain(("compressor", {"threshold_db": -26.0, "ratio": 4.0}))
    (threshold,) = [leaf.control for leaf in PROCESSORS["compressor"].leaves() if leaf.name == "threshold_db"]
    found = compare_graphs(truth, estimate, PROCESSORS)
    normalized = 6 / (threshold.high - threshold.low)
    assert found.parameter_errors["compressor.threshold_db"] == pytest.approx((normalized, 6), rel=1e-5)
    assert found.parameter_errors["compressor.ratio"] == pytest.approx((0, 0), abs=1e-5)
    assert found.parameter_error == pytest.approx(normalized / 2, rel=1e-5)


def test_an_unknown_type_is_named():
    with pytest.raises(EstimateError, match=r"Node 1 .*'gain'.*highpass"):
        compare_graphs(chain("gain"), chain(), {"highpass": PROCESSORS["highpass"]})


def branches(*settings):
    """Compressors side by side, each of a stem of its own, in front of a sum."""
    G = GRAFX(config=NodeConfigs.from_processors(PROCESSORS))
    mix, gain, out = G.add("mix"), G.add("gain", {"left_gain_db": 3.0, "right_gain_db": 1.0}), G.add("out")
    for values in settings:
        stem, compressor = G.add("in"), G.add("compressor", values)
        G.connect(stem, compressor)
        G.connect(compressor, mix)
    G.connect(mix, gain)
    G.connect(gain, out)
    return G


def threshold(decibels):
    return {"threshold_db": float(decibels)}


def test_a_perfect_and_an_empty_estimate(graphs):
    G = branches(threshold(-20), threshold(-30), threshold(-10))
    for equivalent in (True, False):
        for estimate in (G, G.copy(), graphs.renumbered(G, 0), graphs.renumbered(G, 1)):
            found = compare_graphs(G, estimate, PROCESSORS, equivalent)
            assert (found.node_type_error, found.node_precision, found.node_recall, found.node_f1) == (0, 1, 1, 1)
            assert (found.edge_precision, found.edge_recall, found.edge_f1, found.edge_exact) == (1, 1, 1, True)
            assert (found.edit_distance, found.edit_exact, found.parameter_error) == (0, True, 0)
            assert set(found.parameter_errors.values()) == {(0, 0)}
        empty = compare_graphs(G, GRAFX(config=G.config), PROCESSORS, equivalent)
        assert (empty.node_type_error, empty.node_f1, empty.edge_f1, empty.parameter_error) == (1, 0, 0, None)
        form = canonical(G, PROCESSORS) if equivalent else G
        assert empty.edit_distance == form.number_of_nodes() + form.number_of_edges()


def test_the_closest_stand_for_each_other_where_branches_are_alike():
    truth = branches(threshold(-20), threshold(-30), threshold(-10))
    estimate = branches(threshold(-11), threshold(-23), threshold(-31))
    found = compare_graphs(truth, estimate, PROCESSORS)
    assert found.parameter_errors["compressor.threshold_db"][1] == pytest.approx((1 + 3 + 1) / 3, rel=1e-4)
    fewer = compare_graphs(truth, branches(threshold(-11), threshold(-31)), PROCESSORS)
    assert fewer.parameter_errors["compressor.threshold_db"][1] == pytest.approx(1, rel=1e-4)
    assert fewer.node_type_error == 1 / 4 and fewer.edge_f1 == pytest.approx(2 * 5 / (7 + 5))  # without the sum


def test_named_inputs_stand_for_each_other():
    truth, estimate = branches(threshold(-20), threshold(-30)), branches(threshold(-30), threshold(-20))
    assert compare_graphs(truth, estimate, PROCESSORS).parameter_error == 0
    for G in (truth, estimate):
        for name, (_, data) in zip(
            ("kick", "snare"), [n for n in G.nodes(data=True) if n[1]["node_type"] == "in"], strict=True
        ):
            data["name"] = name
    found = compare_graphs(truth, estimate, PROCESSORS)
    assert found.edge_f1 == 1 and found.parameter_errors["compressor.threshold_db"][1] == pytest.approx(10, rel=1e-4)


def test_positions_count_where_order_does():
    def in_a_row(*settings):
        return chain(*(("compressor", threshold(value)) for value in settings))

    found = compare_graphs(in_a_row(-20, -30), in_a_row(-30, -20), PROCESSORS)
    assert found.edge_f1 == 1 and found.parameter_errors["compressor.threshold_db"][1] == pytest.approx(10, rel=1e-4)


def test_either_way_and_with_other_numbers(graphs):
    choose = random.Random(0)

    def some_graph(seed):
        G = graphs.random(seed, 7, [*PROCESSORS])
        for _, _, data in G.edges(data=True):
            data["inlet"] = "main"
        for _, data in G.nodes(data=True):
            if data["node_type"] in PROCESSORS:
                control = PROCESSORS[data["node_type"]].leaves()[0].control
                data["parameters"] = {control.name: choose.uniform(control.low, control.high)}
        return G

    for seed in range(0, 12, 2):
        G, H = some_graph(seed), some_graph(seed + 1)
        there, back = compare_graphs(G, H, PROCESSORS), compare_graphs(H, G, PROCESSORS)
        for name in ("node_f1", "edge_f1", "edge_exact", "edge_f1_bound", "edit_distance", "edit_exact"):
            assert getattr(there, name) == getattr(back, name)
        for name in ("node", "edge"):
            assert getattr(there, f"{name}_precision") == getattr(back, f"{name}_recall")
        other = compare_graphs(graphs.renumbered(G, 3), graphs.renumbered(H, 4), PROCESSORS)
        for name in AVERAGED:
            assert getattr(other, name) == getattr(there, name)
        for one in (back, other):
            assert one.parameter_error == pytest.approx(there.parameter_error, abs=1e-6)


def test_controls_count_that_are_said_or_differ():
    def error(truth, estimate):
        found = compare_graphs(chain(("compressor", truth)), chain(("compressor", estimate)), PROCESSORS)
        return found.parameter_errors.keys()

    (default,) = [leaf.control.default for leaf in PROCESSORS["compressor"].leaves() if leaf.name == "threshold_db"]
    for one, other, count in [
        ({}, {}, 0),
        ({"threshold_db": -30.0}, {}, 1),
        ({"threshold_db": default}, {}, 0),
        ({"threshold_db": default}, {"threshold_db": default}, 1),
        ({"threshold_db": -30.0}, {"ratio": 8.0}, 2),
    ]:
        assert len(error(one, other)) == len(error(other, one)) == count


def test_raw_tensors_settings_and_physical_values_are_one():
    values = {"threshold_db": -20.0, "ratio": 4.0}
    raw = {name: value[0] for name, value in PROCESSORS["compressor"].dsp_to_raw(values, 1).items()}
    found = compare_graphs(chain(("compressor", values)), chain(("compressor", raw)), PROCESSORS)
    assert found.parameter_error == pytest.approx(0, abs=1e-6)


def test_weights_are_controls():
    G, H = chain(("compressor", threshold(-20))), chain(("compressor", threshold(-20)))
    H.nodes[1]["drywet_weight"] = 0.25
    for found in (compare_graphs(G, H, PROCESSORS), compare_graphs(H, G, PROCESSORS)):
        assert found.parameter_errors["compressor.drywet_weight"] == (0.75, 0.75)


def test_phases_go_round():
    processors = {"lfo": LFO()}

    def graph(phase):
        G = GRAFX(config=NodeConfigs.from_processors(processors))
        G.add_serial_chain([{"node_type": "lfo", "parameters": {"phase_cycles": phase}}, "out"])
        return G

    found = compare_graphs(graph(0.95), graph(0.1), processors)
    assert found.parameter_errors == {"lfo.phase_cycles": pytest.approx((0.15, 0.15), abs=1e-5)}


def test_means_over_nodes_and_over_graphs():
    one = compare_graphs(branches(threshold(-20), threshold(-30)), branches(threshold(-22), threshold(-34)), PROCESSORS)
    other = compare_graphs(
        chain(("compressor", threshold(-20)), "highpass"), chain(("compressor", threshold(-29))), PROCESSORS
    )
    means = mean_comparison([one, other])
    assert means["graphs"] == 2 and means["parameter_nodes"] == 4
    assert means["node_type_error"] == pytest.approx((0 + 1 / 2) / 2)
    assert means["parameter_errors"]["compressor.threshold_db"][1] == pytest.approx((2 + 4 + 9) / 3, rel=1e-4)
    assert means["parameter_counts"] == {"compressor.threshold_db": 3, "gain.left_gain_db": 1, "gain.right_gain_db": 1}
    assert means["parameter_error"] == pytest.approx(
        (2 * one.parameter_errors["compressor.threshold_db"][0] + 0 + other.parameter_error) / 4
    )
    assert mean_comparison([compare_graphs(chain(), chain(), PROCESSORS)])["parameter_error"] is None
    with pytest.raises(EstimateError, match="no comparison"):
        mean_comparison([])


def test_a_large_console():
    G = branches(*(threshold(-value / 2) for value in range(100)))
    H = branches(*(threshold(-value / 2 - 0.1) for value in reversed(range(99))))
    found = compare_graphs(G, H, PROCESSORS)
    assert len(G) > 200 and found.node_type_error == pytest.approx(1 / 101)
    assert found.edge_exact and found.edge_recall == pytest.approx(199 / 201)
    assert found.parameter_errors["compressor.threshold_db"][1] == pytest.approx(0.1, rel=1e-3)
