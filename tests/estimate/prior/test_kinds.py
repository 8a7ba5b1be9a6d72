"""Every class of the library can be a kind, drawn over the whole range of each control."""

import inspect

import grafx.processors as library
import pytest
from grafx.processors.contract import contract_of

from grafx.errors import EstimateError
from grafx.estimate.prior import draw_graph, parse_prior
from grafx.parameters.tensors import collect_parameters
from grafx.trees import tensors

NEEDS = {
    "DryWet": {"processor": {"class": "PeakingFilter"}, "external_param": False},
    "GainStagingRegularization": {"processor": {"class": "PeakingFilter"}},
    "MultiBand": {"processor": {"class": "Panner"}},
    "ParallelMix": {"processors": {"a": {"class": "PeakingFilter"}, "b": {"class": "Freeverb"}}},
    "SerialChain": {"processors": {"a": {"class": "PeakingFilter"}, "b": {"class": "Freeverb"}}},
}
WITHOUT_A_PLACE = "StereoToMidSide", "MidSideToStereo"  # in no structure
NO_FILE = "ConvolutionReverb"  # takes an impulse response, which TOML has not
SHORT = {"ir_len": 2000, "iir_len": 1000}  # for speed
CLASSES = [
    name
    for name in library.__all__
    if inspect.isclass(getattr(library, name)) and name not in (*WITHOUT_A_PLACE, NO_FILE)
]


def plain_prior(name):
    cls = getattr(library, name)
    short = {key: value for key, value in SHORT.items() if key in inspect.signature(cls).parameters}
    kind = {"processor": name, "options": NEEDS.get(name, {}) | short}
    others = {
        "lfo": {"processor": "LFO"},
        "send": {"processor": "Send"},
        "bell": {"processor": "PeakingFilter"},
    }
    return {
        "max_nodes": 20,
        "structures": {"chain": {"length": 1}, "console": {"returns": {"count": 1, "groups": ["tone"]}}},
        "kinds": {"kind": kind, **others},
    }


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_can_be_a_kind_with_all_values_of_its_controls(name):
    plain = plain_prior(name)
    leaves = contract_of(parse_prior(plain).processors["kind"]).leaves()
    controls = {leaf.name: {"uniform": [leaf.control.low, leaf.control.high]} for leaf in leaves}
    plain["kinds"]["kind"]["controls"] = controls
    prior = parse_prior(plain)
    assert list(prior.kinds["kind"].drawn) == [leaf.name for leaf in leaves]
    assert parse_prior(prior.to_toml()) == prior
    graphs = [draw_graph(prior, seed) for seed in range(8)]
    found = [G for G in graphs if "kind" in dict(G.nodes(data="node_type")).values()]
    assert found or not prior.config["kind"]["inlets"]  # a generator, which nothing needs here
    for G in found:
        assert G.validate() == []
        parameters = collect_parameters(G, {"kind": prior.processors["kind"]})
        assert all(value.isfinite().all() for value in tensors(parameters))


def test_classes_without_a_place_are_refused():
    for name in WITHOUT_A_PLACE:
        with pytest.raises(EstimateError, match="which no structure connects"):
            parse_prior(plain_prior(name))
