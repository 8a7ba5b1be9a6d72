"""Choosing what runs an operator: numba on the CPU, triton on CUDA, and plain torch where there are no such kernels."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from torch import Tensor


def kernels(operators: str, signal: Tensor) -> ModuleType:
    """The module of the kernels that run where a signal is.

    Args:
        operators: the module that declares the operators, such as ``"recursion"``.
        signal: a tensor on any device.
    """
    return _load(operators, signal.device.type)


@cache
def _load(operators: str, device: str) -> ModuleType:
    # Compilers take long to load, and triton comes with the builds of torch for CUDA alone.
    compiler = {"cpu": "numba", "cuda": "triton"}.get(device)
    compiled = f"..{operators}._{compiler}"
    if compiler and find_spec(compiler) and find_spec(compiled, __package__):
        return import_module(compiled, __package__)
    return import_module(f"..{operators}._torch", __package__)
