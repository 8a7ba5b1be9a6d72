"""Each part that can be turned off has another in its place, which gives the same up to rounding."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from grafx.processors.core.backends import switches
from grafx.processors.core.convolution import FIRConvolution
from grafx.processors.errors import ParameterError

SOME = ["ballistics", "biquad", "convolution", "delay line, cubic", "freeverb", "mel distance", "segments"]
ROWS, LENGTH = 9, 60  # longer, some filters here would run away
OPERATORS = runpy.run_path(str(Path(__file__).with_name("test_kernels.py")))


def results(names):
    """Outputs and gradients of operators, whose rows are shared out over threads."""
    from grafx.processors.core.backends import numba_rows

    before, least = torch.get_num_threads(), numba_rows.MIN_WORK_PER_THREAD
    torch.set_num_threads(2)
    numba_rows.MIN_WORK_PER_THREAD = 1
    found, leaves = {}, []
    leaf = OPERATORS["leaf"]
    OPERATORS["doors"].__globals__["leaf"] = lambda *a, **b: leaves.append(leaf(*a, **b)) or leaves[-1]
    torch.manual_seed(0)
    try:
        for name, call in OPERATORS["doors"]().items():
            if not names or name in names:
                torch.manual_seed(0)
                leaves.clear()
                outputs = OPERATORS["tensors_of"](call(ROWS, LENGTH))
                loss = sum((y * (1 + 1j)).real.cos().sum() for y in outputs if y.requires_grad)
                gradients = torch.autograd.grad(loss, leaves, allow_unused=True) if leaves and loss != 0 else ()
                found[name] = [t.detach() for t in (*outputs, *gradients) if t is not None]
    finally:
        torch.set_num_threads(before)
        numba_rows.MIN_WORK_PER_THREAD = least
    return found


def parts():
    """Those that are used here."""
    from grafx.processors.core.backends import lanes_vector, mkl, numba_vectors, threads

    return {
        "VECTORS": numba_vectors.vectors is lanes_vector,
        "MKL": mkl.plan(64, torch.float32) is not None,
        "THREADS": threads._pool() is not None,
        "REUSE": switches.is_on("REUSE"),
    }


def test_every_switch_is_tried_and_told_of():
    page = (Path(__file__).parents[3] / "docs/installation.md").read_text(encoding="utf-8")
    assert {*parts(), "FLASH_FFT"} == set(switches.SWITCHES)
    assert all(f"`GRAFX_{name}=0`" in page for name in switches.SWITCHES)


@pytest.mark.parametrize("switch", ["VECTORS", "MKL", "THREADS", "REUSE"])
def test_the_same_with_a_part_turned_off(switch, tmp_path):
    compare(switch, tmp_path / "results.pt", SOME)


@pytest.mark.slow
@pytest.mark.parametrize("switch", ["VECTORS", "MKL", "THREADS", "REUSE"])
def test_all_operators_with_a_part_turned_off(switch, tmp_path):
    compare(switch, tmp_path / "results.pt", [])


def compare(switch, file, names):
    environment = os.environ | {f"GRAFX_{switch}": "0"}
    run = subprocess.run([sys.executable, __file__, file, *names], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    found = torch.load(file)
    assert found.pop("parts") == parts() | {switch: False}
    expected = results(names)
    assert found.keys() == expected.keys() and len(found) >= len(SOME)
    for name, tensors in expected.items():
        for ours, theirs in zip(found[name], tensors, strict=True):
            tolerance = 1e-9 * theirs.abs().amax().item() if theirs.numel() else 0
            torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}")


@pytest.fixture
def unread():
    switches.is_on.cache_clear()
    yield
    switches.is_on.cache_clear()


@pytest.mark.parametrize("value, expected", [(None, True), ("", True), ("1", True), ("0", False)])
def test_what_a_switch_says(value, expected, unread, monkeypatch):
    monkeypatch.delenv("GRAFX_MKL", raising=False)
    if value is not None:
        monkeypatch.setenv("GRAFX_MKL", value)
    assert switches.is_on("MKL") is expected


def test_a_switch_that_says_something_else_is_refused(unread, monkeypatch):
    monkeypatch.setenv("GRAFX_MKL", "off")
    with pytest.raises(ParameterError, match=r"GRAFX_MKL must be 0 to .* of MKL .*, not 'off'"):
        switches.is_on("MKL")


def test_flash_fft_turned_off(unread, monkeypatch):
    monkeypatch.setenv("GRAFX_FLASH_FFT", "0")
    monkeypatch.setattr("grafx.processors.core.backends.flash_fft.find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    with pytest.warns(UserWarning, match="FlashFFTConv is not installed, or turned off"):
        assert not FIRConvolution(flashfftconv=True).flashfftconv
    monkeypatch.setenv("GRAFX_FLASH_FFT", "1")
    switches.is_on.cache_clear()
    assert FIRConvolution(flashfftconv=True).flashfftconv


if __name__ == "__main__":
    torch.save({"parts": parts()} | results(sys.argv[2:]), sys.argv[1])
