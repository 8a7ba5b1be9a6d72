import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pytest
import torch
from grafx.processors.core.backends import mkl
from grafx.processors.core.backends.mkl import Plan, backward, forward, forward_from, plan
from grafx.processors.core.convolution import _numba as _convolution_numba
from grafx.processors.core.convolution import _torch as _convolution_torch
from grafx.processors.core.convolution import convolve
from numba import njit

LIBRARY = mkl._library()
needs_library = pytest.mark.skipif(LIBRARY is None, reason="torch was built without transforms that kernels can call")


@pytest.fixture
def forgetful():
    """Without what was found out about libraries, before and after a test."""

    def forget():
        mkl._library.cache_clear()
        mkl.plan.cache_clear()

    forget()
    yield
    forget()


class Recorder:
    """A library that notes which descriptors are freed, and how that ends."""

    def __init__(self, library):
        self.library, self.freed = library, []

    def __getattr__(self, name):
        return getattr(self.library, name)

    def DftiFreeDescriptor(self, descriptor):
        address = descriptor._obj.value
        self.freed.append((address, self.library.DftiFreeDescriptor(descriptor)))


@njit
def there(handles, samples):
    forward(handles, samples)


@njit
def elsewhere(samples, handles, spectrum):
    forward_from(samples, handles, spectrum)


@njit
def back(handles, spectrum):
    backward(handles, spectrum)


@needs_library
@pytest.mark.parametrize("n", [2, 4, 6, 8, 30, 32, 98, 1024, 8190, 1 << 17])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_there_and_back(n, dtype, rng):
    samples = rng.standard_normal(n + 2).astype(str(dtype).removeprefix("torch."))
    v, handles, tolerance = samples.copy(), plan(n, dtype).handles, {"rtol": 0, "atol": np.finfo(samples.dtype).eps * n}
    there(handles, v)
    np.testing.assert_allclose(v[::2] + 1j * v[1::2], np.fft.rfft(samples[:n].astype(float)), **tolerance)
    back(handles, v)
    np.testing.assert_allclose(v[:n] / n, samples[:n], **tolerance)
    before = samples.copy()
    elsewhere(samples[1 : n + 1], handles, v)  # also where they are not aligned
    np.testing.assert_allclose(v[::2] + 1j * v[1::2], np.fft.rfft(samples[1 : n + 1].astype(float)), **tolerance)
    np.testing.assert_array_equal(samples, before)


@needs_library
def test_plans_are_freed_once_and_not_before_they_are_forgotten():
    library = Recorder(LIBRARY)
    kept, forgotten = Plan(library, 64, torch.float32), Plan(library, 64, torch.float32)
    addresses = {forgotten.handles[0], forgotten.handles[3]}
    assert len(addresses | {kept.handles[0], kept.handles[3]}) == 4 and not library.freed
    del forgotten
    gc.collect()
    assert len(library.freed) == 2 and set(library.freed) == {(address, 0) for address in addresses}
    v = np.ones(66, np.float32)
    there(kept.handles, v)
    assert v[0] == 64


@needs_library
def test_only_the_latest_plans_are_kept(forgetful):
    plans = [weakref.ref(plan(2 * n, torch.float64)) for n in range(1, 51)]
    gc.collect()
    alive = [reference() is not None for reference in plans]
    assert alive == [False] * 18 + [True] * 32
    assert plan(100, torch.float64) is plans[-1]()


@needs_library
def test_what_cannot_be_planned_is_reported_and_freed():
    library = Recorder(LIBRARY)
    with pytest.raises(MemoryError, match="no room for transforms of -8 samples"):
        Plan(library, -8, torch.float32)
    gc.collect()
    assert len(library.freed) == 1


@needs_library
def test_plans_outlive_being_forgotten_by_others_while_they_run(monkeypatch, rng):
    """Several threads, each with lengths of its own, and room for one plan."""
    monkeypatch.setattr(_convolution_numba, "plan", lru_cache(maxsize=1)(plan.__wrapped__))
    monkeypatch.setattr(
        _convolution_numba,
        "cheapest_blocks",
        lambda samples, taps: _convolution_numba._blocks_of(2 * (samples % 64) + 4, taps),
    )
    signals = [rng.standard_normal(900 + i) for i in range(50)] * 4
    h = rng.standard_normal(25)

    def run(x):
        return convolve(torch.from_numpy(x)[None, None], torch.from_numpy(h)[None, None])[0, 0]

    with ThreadPoolExecutor(4) as pool:
        for x, y in zip(signals, pool.map(run, signals), strict=True):
            np.testing.assert_allclose(y, np.convolve(x, h)[: x.size], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.complex64, torch.int32])
def test_there_are_no_plans_for_other_types(dtype):
    assert plan(64, dtype) is None


@pytest.fixture
def calls(monkeypatch):
    """Calls of the kernels in plain torch."""
    calls = []
    for name in ("convolve", "correlate"):
        function = getattr(_convolution_torch, name)
        monkeypatch.setattr(_convolution_torch, name, lambda *a, n=name, f=function: calls.append(n) or f(*a))
    return calls


@pytest.mark.parametrize(
    "name, replacement",
    [
        ("torch_library", lambda: None),
        ("torch_library", object),
        ("_transform", lambda handles, samples: None),
    ],
    ids=["no library", "a library without transforms", "transforms that do something else"],
)
def test_plain_torch_where_the_library_is_of_no_use(name, replacement, forgetful, calls, monkeypatch, rng):
    monkeypatch.setattr(mkl, name, replacement)
    assert plan(64, torch.float32) is None
    x, h = (torch.from_numpy(rng.standard_normal((1, 1, n))).requires_grad_() for n in (40, 7))
    y = convolve(x, h)
    y.sum().backward()
    np.testing.assert_allclose(y[0, 0].detach(), np.convolve(x[0, 0].detach(), h[0, 0].detach())[:40], atol=1e-12)
    assert calls == ["convolve", "convolve", "correlate"]


@needs_library
def test_plain_torch_is_not_called_otherwise(calls, rng):
    x, h = (torch.from_numpy(rng.standard_normal((1, 1, n))).requires_grad_() for n in (40, 7))
    convolve(x, h).sum().backward()
    assert calls == []
