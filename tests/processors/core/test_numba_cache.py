"""What is compiled and kept on disk is compiled again once anything that went into it has changed, and only then."""

import importlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np
import pytest
from grafx.processors.core.backends import numba_cache, switches

PROCESSORS = Path(switches.__file__).parents[2]
KERNEL = """
from ..backends.numba_envelopes import draw_line
from ..backends.numba_rows import kernel
from ..backends.numba_vectors import load, total
from ..numbers import FIRST


@kernel
def measure(x, y):
    draw_line(y, 0, 8, FIRST, 1.0)
    return total(load(x, 0) * load(y, 0))
"""
ONES, LINE = np.ones(8), np.arange(8)


class House:
    """A copy of what kernels share, with one kernel, that can be edited."""

    def __init__(self, folder):
        self.core, self.cache = folder / "house" / "core", folder / "cache"
        shutil.copytree(PROCESSORS / "core/backends", self.core / "backends", ignore=shutil.ignore_patterns("__*__"))
        (self.core / "backends/__init__.py").touch()
        shutil.copy(PROCESSORS / "errors.py", self.core.parent)
        (self.core / "numbers.py").write_text("FIRST = 1.0")
        (self.core / "toy").mkdir()
        (self.core / "toy/_numba.py").write_text(KERNEL)

    def edit(self, file, old, new):
        text = (self.core / file).read_text(encoding="utf-8")
        assert old in text
        (self.core / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    def run(self):
        """What the kernel gives where it is imported anew, and whether it was compiled for that."""
        importlib.invalidate_caches()
        with forgotten():
            kernel = importlib.import_module("house.core.toy._numba").measure
            result = kernel(ONES, np.zeros(8))
        (misses,) = (list(kernel.stats.cache_misses.values()) or [0])[:1]
        return result, bool(misses)

    def files(self):
        return sorted(path.name for path in self.cache.rglob("*.nb?"))


@contextmanager
def forgotten():
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "house"]:
        del sys.modules[name]


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    return House(tmp_path)


def test_changed_sources_are_compiled_again_in_the_same_place(house):
    assert house.run() == ((1 + LINE).sum(), True)
    assert house.run() == ((1 + LINE).sum(), False)
    before = house.files()
    assert len(before) > 2
    house.edit("backends/numba_envelopes.py", "level + slope * (n - start)", "level - slope * (n - start)")
    assert house.run() == ((1 - LINE).sum(), True)
    house.edit("backends/numba_vectors.py", '_arithmetic("fmul", operator.mul', '_arithmetic("fadd", operator.mul')
    assert house.run() == ((2 - LINE).sum(), True)
    house.edit("numbers.py", "1.0", "5.0")
    assert house.run() == ((6 - LINE).sum(), True)
    house.edit("toy/_numba.py", "\n\n\n@kernel", "\n\n\n\n\n@kernel")
    assert house.run() == ((6 - LINE).sum(), True)
    assert house.run() == ((6 - LINE).sum(), False)
    assert house.files() == before


def test_scalars_are_kept_beside_vectors(house, monkeypatch):
    results = []
    for value in ("1", "0", "1", "0"):
        monkeypatch.setenv("GRAFX_VECTORS", value)
        results.append(house.run())
    assert results == [((1 + LINE).sum(), compiled) for compiled in (True, True, False, False)]


def test_a_place_that_cannot_be_written_any_more(house, monkeypatch):
    def fail(*args):
        raise PermissionError("read-only")

    monkeypatch.setattr(numba_cache.FunctionCache, "save_overload", fail)
    assert house.run() == ((1 + LINE).sum(), True)
    assert not house.files()


def test_without_a_place_to_keep_it_all_is_compiled_in_each_process(house, monkeypatch, recwarn):
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    file = house.core / "toy/__pycache__"  # a file where the folders should be
    file.write_text("")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(file))
    for _ in range(2):
        assert house.run()[0] == (1 + LINE).sum()
    assert file.read_text() == "" and not house.files() and not recwarn.list


AGAIN = """
import torch
from numba.core import event
from grafx.processors import Compressor, FeedbackDelay, MultitapDelay, SineOscillator

compiled = []

class Listener(event.Listener):
    def on_start(self, event):
        compiled.append(event.data["dispatcher"].py_func.__qualname__)

    def on_end(self, event):
        pass

event.register("numba:compile", Listener())
for processor in (Compressor(), FeedbackDelay(max_time_ms=5), MultitapDelay(segment_len=50), SineOscillator()):
    sizes = {name: (size,) if isinstance(size, int) else size for name, size in processor.parameter_size().items()}
    values = {name: torch.rand(2, *size, requires_grad=True) for name, size in sizes.items()}
    signals = [torch.rand(2, 2, 5000) for _ in processor.inlets]
    result = processor(*signals, **values, **({} if signals else {"num_samples": 5000}))
    (result[0] if isinstance(result, tuple) else result).sum().backward()
print(len(compiled))
"""


@pytest.mark.slow
def test_a_second_process_compiles_nothing(tmp_path):
    variables = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    run = [
        subprocess.run([sys.executable, "-c", AGAIN], env=variables, capture_output=True, text=True) for _ in range(2)
    ]
    assert [each.returncode for each in run] == [0, 0], run[0].stderr
    first, second = (int(each.stdout) for each in run)
    assert first > 3 and second == 0
