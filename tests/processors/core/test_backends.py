from types import SimpleNamespace

import pytest
import torch
from grafx.processors.core import _backends


@pytest.mark.parametrize("operators", ["recursion", "biquad"])
@pytest.mark.parametrize("device, expected", [("cpu", "numba"), ("cuda", "torch"), ("mps", "torch")])
def test_without_triton_every_device_has_kernels(monkeypatch, operators, device, expected):
    monkeypatch.setattr(_backends, "_load", _backends._load.__wrapped__)
    monkeypatch.setattr(_backends, "find_spec", lambda name: None if name == "triton" else name)
    signal = SimpleNamespace(device=torch.device(device))
    assert _backends.kernels(operators, signal).__name__.endswith(f"._{operators}_{expected}")
