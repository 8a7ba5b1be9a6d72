"""Node types and parameters of estimated graphs."""

import pytest
from grafx.processors import Compressor, HighPassFilter, StereoGain

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import EstimateError
from grafx.estimate.metrics import compare_graphs

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
