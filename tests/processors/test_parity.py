"""Values and gradients against reference data of GRAFX 0.6, where it is at hand."""

import json
from pathlib import Path

import grafx.processors
import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parents[3] / "shared" / "parity"
MANIFEST = FOLDER / "manifest.json"
CASES = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}

pytestmark = pytest.mark.skipif(not CASES, reason="the reference data is not at hand")


def find(name):
    if not hasattr(grafx.processors, name):
        pytest.skip(f"{name} does not exist")
    return getattr(grafx.processors, name)


def build(spec, kwargs):
    """A processor, or [container, wrapped]."""
    if isinstance(spec, str):
        return find(spec)(**kwargs)
    container, wrapped = spec
    if isinstance(wrapped, str):
        return find(container)(build(wrapped, {}), **kwargs)
    return find(container)({name: build(*inner) for name, inner in wrapped.items()}, **kwargs)


def nested(data, prefix, make):
    tree = {}
    for key in data.files:
        if key.startswith(prefix):
            *path, name = key.removeprefix(prefix).split("/")
            branch = tree
            for part in path:
                branch = branch.setdefault(part, {})
            branch[name] = make(data[key])
    return tree


def flat(tree, path=()):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, (*path, name))
        else:
            yield "/".join((*path, name)), value


def shapes(size):
    return {name: [n] if isinstance(n, int) else list(n) for name, n in flat(size)}


def assert_near(ours, reference, tolerance, what):
    ours = ours.detach().numpy()
    assert ours.shape == reference.shape, what
    error = np.linalg.norm(ours - reference) / max(np.linalg.norm(reference), 1e-12)
    assert error < tolerance, f"{what} is off by {error:.1e}"


@pytest.mark.parametrize("case", [name for name, spec in CASES.items() if "class" in spec])
def test_parity(case):
    spec = CASES[case]
    processor = build(spec["class"], spec["kwargs"])
    assert shapes(processor.parameter_size()) == shapes(spec["parameter_size"])

    data = np.load(FOLDER / f"{case}.npz")
    x = torch.from_numpy(data["x"]).requires_grad_()
    parameters = nested(data, "p.", lambda value: torch.from_numpy(value).requires_grad_())
    output = processor(x, **parameters)
    y, intermediates = output if isinstance(output, tuple | list) else (output, {})
    (y * torch.from_numpy(data["w"])).sum().backward()

    assert_near(y, data["y"], 2e-4, "the output")
    found = dict(flat(intermediates))
    for name, value in flat(nested(data, "i.", np.asarray)):
        assert_near(found[name], value, 2e-4, f"the intermediate {name}")
    assert_near(x.grad, data["gx"], 2e-3, "the gradient of the input")
    for name, value in flat(parameters):
        assert_near(value.grad, data[f"g.{name}"], 2e-3, f"the gradient of {name}")
