"""The kernels for CUDA that go from sample to sample, beside those of the CPU: on a device, or interpreted."""

import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch
from grafx.processors.core.backends import dispatch

ON_DEVICE = torch.cuda.is_available()
COMPILING = __name__ == "__main__"
DEVICE = "cuda" if ON_DEVICE else "cpu"
NAMES = ("allpass_chain", "comb", "feedback_delay", "ladder")
DOUBLE = torch.float64


def module(name, backend):
    return import_module(f"grafx.processors.core.{name}._{backend}")


# Triton reads the variable where kernels are declared.
with pytest.MonkeyPatch.context() as patch:
    if not ON_DEVICE and not COMPILING:
        patch.setenv("TRITON_INTERPRET", "1")
    triton = pytest.importorskip("triton", reason="triton comes with torch for CUDA")
    TRITON = {name: module(name, "triton") for name in NAMES}

# Triton decides when it is imported, and other packages import it too.
TOO_LATE = not ON_DEVICE and not COMPILING and isinstance(triton.language.sum, triton.JITFunction)
CASES = [(0, DOUBLE), (1, torch.float32), (41, DOUBLE), (41, torch.float32)]


@pytest.fixture(autouse=True)
def setting(monkeypatch, request):
    if TOO_LATE and request.function is not test_in_another_process:
        pytest.skip("triton was imported before: another process runs this")
    torch.manual_seed(0)
    if not ON_DEVICE:
        monkeypatch.setenv("TRITON_INTERPRET", "1")


@pytest.mark.skipif(not TOO_LATE, reason="this process can interpret kernels")
@pytest.mark.slow
def test_in_another_process():
    command = [sys.executable, "-m", "pytest", "--import-mode=importlib", "-q", "-n", "0", __file__]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def arguments(name, rows, length, dtype):
    """Those of an operator, and of its backward from its outputs, for one kind of coefficients or two."""
    x, grad, moving = torch.randn(3, rows, length, dtype=dtype)
    numbers = torch.rand(9, rows, dtype=DOUBLE)
    if name == "ladder":
        c, state = torch.rand(rows, 7, dtype=DOUBLE), torch.randn(rows, 4, dtype=DOUBLE)
        c[:, 1] *= 4
        for scale in (1e-9, 1.0, 30.0):
            given = scale * x, c, scale * state, 16
            yield given, lambda y, final, kept, given=given: (grad, final, *given[:2], kept, 16)
    if name == "allpass_chain":
        state, g = torch.randn(rows, 3, dtype=DOUBLE), numbers[0] - 0.5
        for c in (moving.tanh(), 0.9 * numbers[1, :, None].to(dtype)):
            yield (x, c, g, state), lambda y, final, c=c: (grad, state, c, g, y, final)
    if name == "comb":
        delays, inner = torch.arange(rows) % 5 + 1, torch.randn(rows, 2, dtype=DOUBLE)
        past, c = torch.randn(rows, 7, dtype=DOUBLE), numbers[:8].T / 4
        given = x, delays, c.contiguous(), past, inner
        yield given, lambda y, line, final: (grad, torch.randn_like(line), inner, x, delays, given[2], line)
    if name == "feedback_delay":
        past, g, base = torch.randn(rows, 7, dtype=DOUBLE), numbers[0] - 0.5, 6 * numbers[1]
        for times in (moving, moving[:, :1] if length else moving.new_zeros(rows, 1)):
            given = x, times, base, g, past
            yield (
                (*given, 6.5, 0.7),
                lambda taps, final, given=given: (grad, torch.randn_like(final), *given, taps, 6.5, 0.7),
            )


def agree(kernel, reference, given, tolerance):
    """Hold results against those of the CPU, relative to the largest value of each."""
    found = kernel(*(t.to(DEVICE) if torch.is_tensor(t) else t for t in given))
    expected = reference(*given)
    for result, correct in zip(found, expected, strict=True):
        assert result.shape == correct.shape and result.dtype == correct.dtype
        limit = tolerance * correct.abs().max().item() if correct.numel() else 0
        torch.testing.assert_close(result.cpu(), correct, rtol=0, atol=limit)
    return expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length, dtype", CASES)
def test_kernels_give_what_those_of_the_cpu_give(name, length, dtype):
    tolerance = 1e-11 if dtype == DOUBLE else 3e-6
    for given, backward in arguments(name, 3, length, dtype):
        compiled, there = module(name, "numba"), TRITON[name]
        outputs = agree(getattr(there, name), getattr(compiled, name), given, tolerance)
        back = f"{name}_backward"
        agree(getattr(there, back), getattr(compiled, back), backward(*outputs), tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_arguments_stay_as_they_are_and_may_have_gaps(name):
    for given, _ in arguments(name, 2, 9, DOUBLE):
        apart = [t.repeat_interleave(2, -1)[..., ::2] if torch.is_tensor(t) and t.ndim else t for t in given]
        before = [t.clone() if torch.is_tensor(t) else t for t in apart]
        agree(
            getattr(TRITON[name], name),
            lambda *_, given=given: getattr(module(name, "numba"), name)(*given),
            apart,
            1e-11,
        )
        for one, other in zip(apart, before, strict=True):
            assert torch.equal(one, other) if torch.is_tensor(one) else one == other


@pytest.mark.parametrize("name", NAMES)
def test_are_what_runs_on_cuda(name):
    assert dispatch.kernels(name, SimpleNamespace(device=torch.device("cuda"))) is TRITON[name]


@pytest.mark.slow
def test_kernels_compile_for_devices_that_are_not_here(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    result = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) >= 2 * len(NAMES)


def compile_all():
    """Compile all kernels for CUDA, as the operators would launch them, and count the variants."""
    compiled = set()
    for name in NAMES:
        TRITON[name].launch = lambda *given, **flags: compile_launch(compiled, *given, **flags)
        for length, dtype in ((1, DOUBLE), (41, torch.float32)):
            for given, backward in arguments(name, 2, length, dtype):
                getattr(TRITON[name], name)(*given)
                outputs = getattr(module(name, "numba"), name)(*given)
                getattr(TRITON[name], f"{name}_backward")(*backward(*outputs))
    print(len(compiled))


def compile_launch(compiled, kernel, _, *arguments, num_warps=8, **flags):
    """In place of a launch. As there, the number one is a constant."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types = {torch.float32: "*fp32", torch.float64: "*fp64", torch.int64: "*i64"}
    names = kernel.arg_names
    given = dict(zip(names, arguments, strict=False)) | flags
    tensors = {name: types[value.dtype] for name, value in given.items() if torch.is_tensor(value)}
    numbers = {name: "i32" for name, value in given.items() if type(value) is int and name.islower() and value != 1}
    constants = {name: value for name, value in given.items() if name not in {**tensors, **numbers}}
    if (variant := (kernel.__module__, kernel.__name__, *tensors.items(), *constants.items())) in compiled:
        return
    signature = {name: (tensors | numbers).get(name, "constexpr") for name in names}
    source = ASTSource(kernel, signature, {(names.index(name),): value for name, value in constants.items()})
    binary = triton.compile(source, target=GPUTarget("cuda", 80, 32), options={"num_warps": num_warps})
    assert binary.asm["cubin"]
    compiled.add(variant)


if COMPILING:
    compile_all()
