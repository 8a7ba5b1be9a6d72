"""Nested dicts: what one function takes apart another puts together."""

import numpy as np
import pytest
import torch
import torch.nn as nn

from grafx import trees

TREE = {"a": torch.arange(3.0), "b": {"c": torch.ones(2, 2), "d": {"e": 5, "f": {}}}, "g": [1, [2, 3]]}
PATHS = [("a",), ("b", "c"), ("b", "d", "e"), ("g",)]


def test_values_are_found_under_their_paths_and_put_there_again():
    assert list(trees.paths(TREE)) == PATHS
    built = {}
    for path, value in trees.items(TREE):
        assert trees.at(TREE, path) is value
        trees.put(built, path, value)
        assert trees.at(trees.nested(path, value), path) is value
    assert built["b"]["d"] == {"e": 5} and built["a"] is TREE["a"]
    assert trees.at(TREE, ("b", "x")) is trees.at(TREE, ("a", "b", "c")) is None


def test_tensors_and_numbers():
    assert list(map(id, trees.tensors(TREE))) == [id(TREE["a"]), id(TREE["b"]["c"])]
    assert next(trees.tensors(TREE["a"])) is TREE["a"] and not list(trees.tensors(None))
    assert list(trees.numbers(TREE["g"])) == [1, 2, 3] and list(trees.numbers(4)) == [4]


def test_the_second_of_two_counts_and_neither_is_changed():
    other = {"b": {"d": {"e": 6}, "new": 1}, "a": {"deep": 2}}
    joined = trees.joined(TREE, other)
    assert joined["b"]["d"] == {"e": 6, "f": {}} and joined["b"]["new"] == 1 and joined["a"] == {"deep": 2}
    assert joined["b"]["c"] is TREE["b"]["c"] and TREE["b"]["d"]["e"] == 5 and "new" not in TREE["b"]
    copy = trees.copied(TREE)
    copy["b"]["d"]["e"] = 7
    assert TREE["b"]["d"]["e"] == 5 and copy["a"] is TREE["a"]


def test_tensors_are_mapped_in_dicts_and_modules():
    module = nn.ParameterDict({"x": nn.Parameter(torch.ones(2)), "y": nn.ParameterDict({"z": torch.zeros(3)})})
    doubled = trees.map_tensors(module, lambda tensor: 2 * tensor.detach())
    assert torch.equal(doubled["x"], torch.full((2,), 2.0)) and type(doubled["y"]) is dict
    assert trees.map_tensors({"a": 1}, None) == {"a": 1}
    assert torch.equal(trees.row(trees.batch(TREE))["b"]["c"], TREE["b"]["c"])


def test_what_did_not_change_stays_as_it_was_to_the_bit():
    raw = {"a": torch.tensor([0.1, 0.2, float("nan")])}
    before, after = {"a": torch.tensor([[1.0, 2.0, float("nan")]])}, {"a": torch.tensor([[1.0, 3.0, 9.0]])}
    assert trees.changed(before, after, raw)["a"].tolist()[:2] == [*raw["a"].tolist()[:1], 3.0]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(1.5).expand(1),
        torch.tensor(1.5).expand(2, 3),
        torch.arange(12.0).reshape(3, 4).T,
        torch.arange(12)[::5],
        torch.empty(0),
        torch.tensor([1 + 2j]).conj(),
        torch.tensor([True, False]),
        torch.randn(3, requires_grad=True),
    ],
    ids=["one of stride 0", "of stride 0", "transposed", "steps", "empty", "conjugate", "bool", "with gradients"],
)
def test_content_is_that_of_numpy(tensor):
    assert trees.content_of(tensor) == np.ascontiguousarray(tensor.detach().resolve_conj().numpy()).tobytes()
