"""What is compiled, kept on disk for the next process.

Numba takes a file of its cache for fresh while the file of the kernel stays as it is. What is compiled into a kernel
from elsewhere counts here too: all of this folder, and the constants that the module of the kernel has imported. Each
kernel has one place, which new code takes over from old, so that nothing heaps up: numba gives another place to a
function that has moved to another line.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib.resources import files

import numpy as np
from numba.core.caching import CompileResultCacheImpl, FunctionCache

from .switches import is_on

PLAIN = (int, float, complex, str, np.number)


class _Place(CompileResultCacheImpl):
    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        base = super().get_filename_base(fullname, abiflags).replace(f"-{self.locator.get_disambiguator()}.", ".")
        return base if is_on("VECTORS") else f"{base}-scalar"


class KernelCache(FunctionCache):
    """The cache of one kernel.

    Raises:
        RuntimeError: no folder for a cache can be written.
    """

    _impl_class = _Place

    def __init__(self, function: Callable):
        super().__init__(function)
        self._cache_file._source_stamp = (self._cache_file._source_stamp, _sources(), _constants(function))

    def save_overload(self, *args) -> None:
        with suppress(OSError):  # the folder was there, but is full or read-only now
            super().save_overload(*args)


@cache
def _sources() -> str:
    """A digest of this folder."""
    digest = hashlib.sha256()
    for source in sorted(files(__name__.rpartition(".")[0]).iterdir(), key=lambda source: source.name):
        if source.name.endswith(".py"):
            digest.update(source.read_bytes())
    return digest.hexdigest()


def _constants(function: Callable) -> str:
    """Names and values of the constants that the module of a function has at its definition."""
    names = sorted(
        name for name, value in function.__globals__.items() if not name.startswith("__") and _is_plain(value)
    )
    return repr([(name, function.__globals__[name]) for name in names])


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, PLAIN)
