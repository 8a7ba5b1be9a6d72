import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from grafx.processors import core
from grafx.processors.core.backends import dispatch

FOLDERS = [path.parent for path in Path(core.__file__).parent.glob("*/_torch.py")]
ALL = sorted(folder.name for folder in FOLDERS)
TRITON = [folder.name for folder in FOLDERS if (folder / "_triton.py").exists()]


def loaded(monkeypatch, operators, device, installed):
    """The name of the module that runs operators on a device, where compilers are installed or not."""
    found = dispatch.find_spec
    monkeypatch.setattr(dispatch, "_load", dispatch._load.__wrapped__)
    monkeypatch.setattr(dispatch, "import_module", lambda name, package: SimpleNamespace(__name__=name))
    monkeypatch.setattr(dispatch, "find_spec", lambda name, *package: found(name, *package) if package else installed)
    return dispatch.kernels(operators, SimpleNamespace(device=torch.device(device))).__name__


@pytest.mark.parametrize("operators", ALL)
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_without_a_compiler_every_device_runs_plain_torch(monkeypatch, operators, device):
    assert loaded(monkeypatch, operators, device, installed=False) == f"..{operators}._torch"


@pytest.mark.parametrize("operators", ALL)
@pytest.mark.parametrize(
    "device, compiler, compiled", [("cpu", "numba", ALL), ("cuda", "triton", TRITON), ("mps", "", [])]
)
def test_with_compilers_what_was_written_for_them_runs(monkeypatch, operators, device, compiler, compiled):
    backend = compiler if operators in compiled else "torch"
    assert loaded(monkeypatch, operators, device, installed=True) == f"..{operators}._{backend}"


@pytest.mark.parametrize("operators", ALL)
def test_every_operator_has_kernels_here(operators):
    module = dispatch.kernels(operators, torch.empty(0))
    assert sys.modules[module.__name__] is module and module.__name__.endswith(f".{operators}._numba")
