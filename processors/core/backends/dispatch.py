"""Selection of the backend of an operator: numba on the CPU, triton on CUDA, otherwise plain torch."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from torch import Tensor


def kernels(operators: str, signal: Tensor) -> ModuleType:
    """Return the module of the kernels for the device of a signal.

    Args:
        operators: Module that declares the operators, such as ``"recursion"``.
        signal: A tensor on any device.
    """
    return _load(operators, signal.device.type)


@cache
def _load(operators: str, device: str) -> ModuleType:
    # Imported lazily, since compilers are slow to load, and triton comes with CUDA builds of torch only.
    compiler = {"cpu": "numba", "cuda": "triton"}.get(device)
    compiled = f"..{operators}._{compiler}"
    if compiler and find_spec(compiler) and find_spec(compiled, __package__):
        return import_module(compiled, __package__)
    return import_module(f"..{operators}._torch", __package__)
