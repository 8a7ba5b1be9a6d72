"""The tokens of graphs, as plain data."""

import json
import pickle
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from grafx.processors.base import Processor

from grafx import processors as library
from grafx import trees
from grafx.data import GRAFX, NodeConfigs
from grafx.errors import EstimateError
from grafx.estimate.tokens import Setting, Vocabulary, decode, encode

PROCESSORS = {"compressor": library.Compressor(), "eq": library.ParametricEqualizer(num_filters=3)}
CONFIG = NodeConfigs({"split": {"outlets": ["low", "high"]}, "key": {"inlets": ["main", "side", "low"]}})


def ranges(processor):
    return [(leaf.name, leaf.control.low, leaf.control.high, leaf.shape) for leaf in processor.leaves()]


def test_tokens_of_a_config():
    vocabulary = Vocabulary.of(CONFIG, max_nodes=4, bins=2, inputs=["voice"])
    kinds = "in", "out", "mix", "split", "key", "in:voice"
    assert vocabulary.tokens == ("<end>", *kinds, "^1", "^2", "^3", ".high", ">side", ">low")
    assert len(vocabulary) == 13
    assert vocabulary.config == CONFIG


def test_tokens_of_processors():
    vocabulary = Vocabulary.of(PROCESSORS, max_nodes=2, bins=3)
    assert vocabulary.tokens[-3:] == ("=0", "=1", "=2")
    for node_type in vocabulary.types[3:]:
        own = [(s.name, s.low, s.high, s.shape) for s in node_type.settings]
        assert own == ranges(PROCESSORS[node_type.name])
    assert vocabulary.config == NodeConfigs.from_processors(PROCESSORS)


def prior(**changes):
    """What a vocabulary asks of a prior."""
    fixed = {"ratio": SimpleNamespace(value=8.0)}
    kind = SimpleNamespace(drawn=("threshold_db",), controls={"threshold_db": None, **fixed})
    content = {"processors": {"compressor": PROCESSORS["compressor"]}, "kinds": {"compressor": kind}, "max_nodes": 5}
    return SimpleNamespace(**{**content, **changes})


def test_settings_of_a_prior_are_those_drawn():
    vocabulary = Vocabulary.of(prior())
    (compressor,) = vocabulary.types[3:]
    assert vocabulary.max_nodes == 5
    assert [setting.name for setting in compressor.settings] == ["threshold_db"]
    assert compressor.fixed == {"ratio": 8.0}
    G = GRAFX(config=vocabulary.config)
    values = {"threshold_db": -24.0, "ratio": 8.0}
    G.add_serial_chain(["in", {"node_type": "compressor", "parameters": values}, "out"])
    assert decode(encode(G, vocabulary), vocabulary).nodes[1]["parameters"] == pytest.approx(values)
    G.nodes[1]["parameters"]["knee_db"] = PROCESSORS["compressor"].controls["knee_db"].default
    encode(G, vocabulary)
    for name in ("knee_db", "ratio"):
        G.nodes[1]["parameters"] = {**values, name: 3.0}
        with pytest.raises(EstimateError, match=rf"Node 1 \(compressor\) has {name} 3.0, which is always "):
            encode(G, vocabulary)


def test_content_is_plain(rng):
    for vocabulary in (
        Vocabulary.of(CONFIG, inputs=["voice"]),
        Vocabulary.of(PROCESSORS, bins=16, max_nodes=9),
        Vocabulary.of(prior()),
    ):
        again = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict())))
        assert again == vocabulary and hash(again) == hash(vocabulary)
        assert again.digest == vocabulary.digest and again.tokens == vocabulary.tokens
        assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary
        assert replace(vocabulary, max_nodes=20) != vocabulary
        assert replace(vocabulary, max_nodes=20).digest != vocabulary.digest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": 3}, "made of a prior, a dict of processors or a NodeConfigs, not 3"),
        ({"max_nodes": 1}, "max_nodes must be a whole number from 2 up, not 1"),
        ({"max_nodes": 2.5}, "max_nodes must be"),
        ({"bins": -1}, "bins must be a whole number from 0 up"),
        ({"bins": True}, "bins must be"),
        ({"inputs": ["a", "a"]}, "inputs must be different names"),
        ({"inputs": [1]}, "inputs must be different names"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(EstimateError, match=message):
        Vocabulary.of(**{"source": CONFIG, **arguments})


@pytest.mark.parametrize("content", [None, {}, {"types": 3}, {"types": [{}]}, {"types": [], "more": 1, "inputs": []}])
def test_wrong_content(content):
    with pytest.raises(EstimateError):
        Vocabulary.from_dict(content)
    complete = Vocabulary.of(CONFIG).to_dict()
    with pytest.raises(EstimateError, match="unexpected keyword argument"):
        Vocabulary.from_dict({**complete, "more": 1})


def all_processors():
    """Of all classes that need no arguments."""
    for name in sorted(library.__all__):
        cls = getattr(library, name)
        if isinstance(cls, type) and issubclass(cls, Processor):
            try:
                yield pytest.param(cls(), id=name)
            except TypeError:
                continue


@pytest.mark.parametrize("processor", list(all_processors()))
def test_settings_are_normalized_as_processors_do(processor, rng):
    """Ranges, scales, shapes and the order of all controls of every class."""
    vocabulary = Vocabulary.of({"x": processor})
    settings = vocabulary.types[3].settings
    assert sum(setting.size for setting in settings) == processor.count_num_parameters()
    norms = torch.tensor([[rng.random() for _ in range(vocabulary.size)]], dtype=torch.double)
    values = dict(_flat(processor.norm_to_dsp(norms))) if settings else {}
    start = 0
    for setting in settings:
        own = norms[0, start : start + setting.size].tolist()
        start += setting.size
        expected = values[setting.name].flatten().tolist()
        assert [setting.from_norm(norm) for norm in own] == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert [setting.to_norm(value) for value in expected] == pytest.approx(own, abs=1e-6)


def _flat(tree):
    return ((".".join(path), value) for path, value in trees.items(tree))


def test_a_setting_stays_in_its_range():
    setting = Setting("frequency_hz", 20.0, 20000.0, "log")
    assert [setting.from_norm(norm) for norm in (0.0, 1.0)] == pytest.approx([20.0, 20000.0])
    assert all(20.0 <= setting.from_norm(i / 1000) <= 20000.0 for i in range(1001))
    assert setting.to_norm(19.9999) == 0.0
