"""Imports are lazy, so that a new process starts fast."""

import subprocess
import sys

import pytest

HEAVY = ("matplotlib", "numba", "scipy.signal", "sympy", "torch._dynamo", "torch_geometric")
FIRST_CALLS = """
import inspect, torch, grafx.processors as processors
from grafx.utils import create_empty_parameters_from_shape_dict as create
for name in {names!r}:
    processor = getattr(processors, name)()
    parameters = create(processor.parameter_size(), 2)
    y = processor(torch.randn(2, 2, 500, requires_grad=True), **parameters)
    (y[0] if isinstance(y, tuple) else y).sum().backward()
"""


def loaded_by(code):
    code += f"\nimport sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_nothing_heavy_is_loaded_before_it_is_needed():
    assert loaded_by("import grafx, sys; assert 'torch' not in sys.modules") == set()
    assert loaded_by("import grafx.data, grafx.processors, grafx.render, grafx.utils, grafx.settings") == set()


@pytest.mark.slow
def test_a_first_call_loads_no_compiler_of_graphs():
    pytest.importorskip("grafx.processors.core.operators", reason="custom_op of torch loads it in every first call")
    names = (
        "LowPassFilter",
        "Compressor",
        "ParametricEqualizer",
        "PingPongDelay",
        "Freeverb",
        "LadderFilter",
        "FIRFilter",
    )
    assert loaded_by(FIRST_CALLS.format(names=names)) <= {"numba", "scipy.signal"}
