import copy
import pickle
import subprocess
import sys
from types import MappingProxyType, SimpleNamespace

import pytest

from grafx.data import NodeConfigs

MIMO = {
    "ring": {"inlets": ["main", "side"]},
    "split": {"outlets": ["low", "mid", "high"]},
    "tone": {"inlets": [], "outlets": ["main"]},
    "eq": {},
}


def test_a_list_of_types():
    config = NodeConfigs(["eq", "reverb"])
    assert config.node_types == ["in", "out", "mix", "eq", "reverb"]
    assert config.node_type_to_index == {"in": 0, "out": 1, "mix": 2, "eq": 3, "reverb": 4}
    assert config.num_node_types == len(config) == 5
    assert config.siso_only and config.max_num_inlets == config.max_num_outlets == 1
    assert config["eq"] == config["mix"] == {"inlets": ["main"], "outlets": ["main"]}
    assert config["in"] == {"inlets": [], "outlets": ["main"]}
    assert config["out"] == {"inlets": ["main"], "outlets": []}
    assert config.node_type_dict["reverb"] == config["reverb"]
    assert config.num_inlets == {"in": 0, "out": 1, "mix": 1, "eq": 1, "reverb": 1}
    assert config.num_outlets == {"in": 1, "out": 0, "mix": 1, "eq": 1, "reverb": 1}
    assert "eq" in config and "delay" not in config and 3 not in config
    with pytest.raises(KeyError):
        config["delay"]


def test_a_dict_of_types():
    config = NodeConfigs(MIMO)
    assert not config.siso_only
    assert (config.max_num_inlets, config.max_num_outlets) == (2, 3)
    assert config.inlet_to_index["ring"] == {"main": 0, "side": 1}
    assert config.outlet_to_index["split"] == {"low": 0, "mid": 1, "high": 2}
    assert config.inlet_to_index["tone"] == config.inlet_to_index["in"] == config.outlet_to_index["out"] == {}
    assert config["eq"] == {"inlets": ["main"], "outlets": ["main"]}


@pytest.mark.parametrize("empty", [[], {}, ()])
def test_built_in_types_alone(empty):
    assert NodeConfigs(empty).node_types == ["in", "out", "mix"]


@pytest.mark.parametrize("config", [["a", "in", "b"], {"a": {}, "in": {}, "b": {}}, ["a", "b", "a"]])
def test_built_in_and_repeated_types_are_listed_once(config):
    assert NodeConfigs(config) == NodeConfigs(["a", "b"])


@pytest.mark.parametrize("make", [tuple, iter, dict.fromkeys])
def test_other_iterables(make):
    types = make(["a", "b"])
    types = {t: {} for t in types} if isinstance(types, dict) else types
    assert NodeConfigs(types) == NodeConfigs(["a", "b"])
    assert NodeConfigs(MappingProxyType(MIMO)) == NodeConfigs(MIMO)


@pytest.mark.parametrize(
    "config", [None, 3, "eq", b"eq", [3], [None], [["eq"]], {3: {}}, {"eq": None}, {"eq": ["main"]}]
)
def test_anything_else_is_refused(config):
    with pytest.raises(ValueError, match=r"Invalid type for config\."):
        NodeConfigs(config)


@pytest.mark.parametrize(
    "sides, message",
    [
        ({"inlets": "main"}, "inlets of node type 'eq'"),
        ({"outlets": [3]}, "outlets of node type 'eq'"),
        ({"outlets": None}, "outlets of node type 'eq'"),
        ({"inlets": 2}, "inlets of node type 'eq'"),
        ({"inlets": ["a", "a"]}, "different names"),
        ({"inputs": ["a"]}, "inputs"),
        ({"inputs": ["a"], 3: []}, "inputs"),
    ],
)
def test_misshapen_plugs_are_refused(sides, message):
    with pytest.raises(ValueError, match=message):
        NodeConfigs({"eq": sides})


def test_built_in_types_cannot_be_redefined():
    with pytest.raises(ValueError, match="'mix' is built in"):
        NodeConfigs({"mix": {"inlets": ["a", "b"]}})
    assert NodeConfigs({"mix": {"inlets": ["main"], "outlets": ["main"]}}) == NodeConfigs([])


def test_equality_and_hash():
    config = NodeConfigs(MIMO)
    same = NodeConfigs(copy.deepcopy(MIMO))
    assert config == same and hash(config) == hash(same) and len({config, same}) == 1
    assert config.content_hash == same.content_hash
    others = [
        NodeConfigs(["ring", "split", "tone", "eq"]),
        NodeConfigs(dict(reversed(MIMO.items()))),
        NodeConfigs({**MIMO, "ring": {"inlets": ["side", "main"]}}),
    ]
    for other in others:
        assert config != other and config.content_hash != other.content_hash
    assert config != "config" and config != MIMO


@pytest.mark.slow
def test_content_hash_is_the_same_in_another_process():
    code = "from grafx.data import NodeConfigs; print(NodeConfigs(['é', 'b']).content_hash, end='')"
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert there == NodeConfigs(["é", "b"]).content_hash


def test_what_was_given_is_not_shared():
    given = {"ring": {"inlets": ["main", "side"]}}
    config = NodeConfigs(given)
    given["ring"]["inlets"].append("third")
    assert config["ring"]["inlets"] == ["main", "side"]
    NodeConfigs([])["mix"]["inlets"].append("third")
    assert NodeConfigs([])["mix"]["inlets"] == ["main"]


def test_from_processors():
    processors = {
        "eq": object(),
        "ring": SimpleNamespace(inlets=("main", "side")),
        "split": SimpleNamespace(outlets=["low", "mid", "high"]),
        "tone": SimpleNamespace(inlets=()),
    }
    config = NodeConfigs.from_processors(processors)
    assert config == NodeConfigs({t: MIMO[t] for t in processors})


def test_text():
    config = NodeConfigs(MIMO)
    for part in ["7 node types", "(3) ring: <main, side> -> <main>", "(4) split: <main> -> <low, mid, high>", "None"]:
        assert part in str(config)
    assert eval(repr(config)) == config


@pytest.mark.parametrize("clone", [copy.deepcopy, copy.copy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_are_equal(clone):
    assert clone(NodeConfigs(MIMO)) == NodeConfigs(MIMO)
