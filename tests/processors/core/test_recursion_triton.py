"""The kernels for CUDA: on a device where there is one, else in short blocks under the interpreter of triton."""

import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from grafx.processors.core import biquad, ramp, recursion
from grafx.processors.core.backends import dispatch
from grafx.processors.core.biquad import _numba as _biquad_numba
from grafx.processors.core.ramp import _numba as _ramp_numba
from grafx.processors.core.recursion import _numba as _recursion_numba
from scipy.signal import lfilter
from torch.autograd import gradcheck

ON_DEVICE = torch.cuda.is_available()
COMPILING = __name__ == "__main__"
DEVICE = "cuda" if ON_DEVICE else "cpu"

# Triton reads the variable where kernels are declared.
with pytest.MonkeyPatch.context() as patch:
    if not ON_DEVICE and not COMPILING:
        patch.setenv("TRITON_INTERPRET", "1")
    triton = pytest.importorskip("triton", reason="triton comes with torch for CUDA")
    from grafx.processors.core.backends import triton_blocks
    from grafx.processors.core.biquad import _triton as _biquad_triton
    from grafx.processors.core.ramp import _triton as _ramp_triton
    from grafx.processors.core.recursion import _triton as _recursion_triton

# Triton decides when it is imported, and other packages import it too.
TOO_LATE = not ON_DEVICE and not COMPILING and isinstance(triton.language.sum, triton.JITFunction)
BLOCK = 1024 if ON_DEVICE else 4
LENGTHS = [0, 1, BLOCK, BLOCK + 1, BLOCK * BLOCK + 3]  # the last one needs blocks of blocks
TYPED = [(length, torch.float64) for length in LENGTHS] + [(LENGTHS[-1], torch.float32)]
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-11, torch.complex64: 2e-6, torch.complex128: 1e-11}


@pytest.fixture(autouse=True)
def setting(monkeypatch, request):
    if TOO_LATE and request.function is not test_in_another_process:
        pytest.skip("triton was imported before: another process runs this")
    torch.manual_seed(0)
    monkeypatch.setattr(triton_blocks, "BLOCK", BLOCK)
    if not ON_DEVICE:
        monkeypatch.setenv("TRITON_INTERPRET", "1")


@pytest.fixture
def operators(monkeypatch):
    """The public operators, run by triton wherever the tensors are."""
    modules = {"recursion": _recursion_triton, "biquad": _biquad_triton, "ramp": _ramp_triton}
    for declaring in (recursion, biquad, ramp):
        monkeypatch.setattr(declaring, "kernels", lambda name, _: modules[name])


@pytest.mark.skipif(not TOO_LATE, reason="this process can interpret kernels")
@pytest.mark.slow
def test_in_another_process():
    command = [sys.executable, "-m", "pytest", "--import-mode=importlib", "-q", "-n", "0", __file__]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def agree(kernel, reference, arguments, tolerance):
    """Hold the results of a kernel against the CPU's in double precision, relative to the largest value of each."""

    def wide(t):
        counts = torch.is_tensor(t) and t.dtype not in (torch.bool, torch.uint8)
        return t.to(torch.promote_types(t.dtype, torch.float64)) if counts else t

    results = kernel(*(t.to(DEVICE) if torch.is_tensor(t) else t for t in arguments))
    expected = reference(*map(wide, arguments))
    if torch.is_tensor(results):
        results, expected = [results], [expected]
    assert len(results) == len(expected)
    for result, correct in zip(results, expected, strict=True):
        assert result.shape == correct.shape
        assert result.dtype in [t.dtype for t in arguments if torch.is_tensor(t)] or result.dtype in (
            torch.bool,
            torch.uint8,
        )
        limit = tolerance * correct.abs().max().item() if correct.numel() and correct.dtype != torch.bool else 0
        torch.testing.assert_close(wide(result.cpu()), correct, rtol=0, atol=limit)
    return expected


@pytest.mark.parametrize("length, dtype", TYPED)
def test_onepole(length, dtype):
    u, grad = torch.randn(2, 3, length, dtype=dtype)
    arguments = u, torch.tensor([0.0, 0.9, 1 - 1e-6], dtype=torch.float64), torch.randn(3, dtype=dtype)
    for taps in {1, BLOCK, max(length, 1)}:
        (y,) = agree(_recursion_triton.onepole, _recursion_numba.onepole, (*arguments, taps), TOLERANCE[dtype])
        backward = grad, *arguments, y.to(dtype), taps
        agree(_recursion_triton.onepole_backward, _recursion_numba.onepole_backward, backward, TOLERANCE[dtype])


def test_onepole_stays_accurate_beside_the_unit_circle():
    alpha, u = 1 - 1e-6, torch.rand(1, BLOCK**2 + 1 if ON_DEVICE else 150)
    arguments = u, torch.tensor([alpha], dtype=torch.float64), torch.zeros(1)
    y = _recursion_triton.onepole(*(t.to(DEVICE) for t in arguments), u.shape[1])
    np.testing.assert_allclose(y.cpu(), lfilter([1 - alpha], [1, -alpha], u.double().numpy()), rtol=1e-6)


@pytest.mark.parametrize("length, dtype", TYPED + [(length, dtype.to_complex()) for length, dtype in TYPED])
def test_first_order(length, dtype):
    u, grad = torch.randn(2, 2, length, dtype=dtype)
    initial = torch.randn(2, dtype=dtype)
    for steps in {1, length}:
        a = torch.randn(2, steps, dtype=dtype)
        a = a / (0.1 + a.abs()) * 0.99
        (y,) = agree(_recursion_triton.first_order, _recursion_numba.first_order, (u, a, initial), TOLERANCE[dtype])
        backward = grad, a, initial, y.to(dtype)
        agree(_recursion_triton.first_order_backward, _recursion_numba.first_order_backward, backward, TOLERANCE[dtype])


@pytest.mark.parametrize(
    "length, dtype",
    [
        (0, torch.float64),
        (1, torch.float32),
        (32, torch.float64),
        (33, torch.float32),
        (LENGTHS[-1] + 50, torch.float64),
    ],
)
def test_ballistics(length, dtype):
    u, grad = torch.randn(2, 4, length, dtype=dtype)
    attack = torch.tensor([0.3, 0.9, 0.7, 0.0], dtype=torch.float64)
    release = torch.tensor([0.999, 0.2, 0.7, 1.0], dtype=torch.float64)
    arguments = u, attack, release, torch.randn(4, dtype=dtype)
    y, rising = agree(_recursion_triton.ballistics, _recursion_numba.ballistics, arguments, TOLERANCE[dtype])
    backward = grad, *arguments, y.to(dtype), rising
    agree(_recursion_triton.ballistics_backward, _recursion_numba.ballistics_backward, backward, TOLERANCE[dtype])


@pytest.mark.parametrize(
    "length, dtype", [(0, torch.float64), (1, torch.float32), (32, torch.float64), (75, torch.float32)]
)
def test_ramp(length, dtype):
    grad, grad_final = torch.randn(3, length, dtype=dtype), torch.randn(3, 4, dtype=torch.float64)
    state = torch.tensor([[0.5, 0.1, 0.2, 4.3], [0.0, 0.0, 0.0, 0.0], [1.0, -1.0, -0.5, 4.0]], dtype=torch.float64)
    for held, steps in ((1, 1), (9, 1), (9, length)):
        targets = torch.randn(3, length // held + 1, dtype=dtype).repeat_interleave(held, 1)[:, :length].contiguous()
        arguments = targets, 12 * torch.rand(3, steps, dtype=dtype), state
        y, _, events = agree(_ramp_triton.ramp, _ramp_numba.ramp, arguments, TOLERANCE[dtype])
        backward = grad, grad_final, *arguments, y.to(dtype), events
        agree(_ramp_triton.ramp_backward, _ramp_numba.ramp_backward, backward, TOLERANCE[dtype])


def sections(rows, count):
    """Random stable sections (b₀, b₁, b₂, a₁, a₂)."""
    radius = torch.empty(rows, count, dtype=torch.float64).uniform_(0.3, 0.99)
    angle = torch.empty(rows, count, dtype=torch.float64).uniform_(0.05, 3)
    return torch.cat([torch.randn(rows, count, 3), torch.stack([-2 * radius * angle.cos(), radius**2], -1)], -1)


@pytest.mark.parametrize("length, dtype, count, chunk", [(*typed, 2, 2 * BLOCK) for typed in TYPED] + [
    (2 * BLOCK, torch.float32, 0, 3), (2 * BLOCK + 1, torch.float64, 3, 2),
])  # fmt: skip
def test_biquads(monkeypatch, length, dtype, count, chunk):
    if not ON_DEVICE:
        monkeypatch.setattr(_biquad_triton, "SEGMENT", 3 * BLOCK)
    x, grad = torch.randn(2, 2, length, dtype=dtype)
    c, (state, grad_final) = sections(2, count), torch.randn(2, 2, count, 2, dtype=torch.float64)
    _, _, checkpoints = agree(_biquad_triton.biquads, _biquad_numba.biquads, (x, c, state, chunk), TOLERANCE[dtype])
    backward = grad, grad_final, x, c, checkpoints, chunk
    agree(_biquad_triton.biquads_backward, _biquad_numba.biquads_backward, backward, TOLERANCE[dtype])


def test_composition_is_that_of_affine_maps_in_any_grouping():
    # The interpreter composes from left to right; devices group as they like.
    def as_map(a, b, c, d, v, w):
        return np.array([[a, b, v], [c, d, w], [0, 0, 1]])

    f, g, h = np.random.default_rng(0).standard_normal((3, 6))
    compose = triton_blocks.compose_pairs.fn
    np.testing.assert_allclose(as_map(*compose(*f, *g)), as_map(*g) @ as_map(*f))
    np.testing.assert_allclose(compose(*compose(*f, *g), *h), compose(*f, *compose(*g, *h)))
    f, g, h = f[:2], g[:2], h[:2]
    compose = triton_blocks.compose.fn
    np.testing.assert_allclose(compose(*f, *g), [g[0] * f[0], g[0] * f[1] + g[1]])
    np.testing.assert_allclose(compose(*compose(*f, *g), *h), compose(*f, *compose(*g, *h)))


def test_any_memory_layout_and_shared_coefficients(operators):
    u = torch.randn(11, 3, dtype=torch.float64, device=DEVICE).T
    a = torch.full((1,), 0.9, dtype=torch.float64, device=DEVICE)
    for operator in (
        lambda u: recursion.onepole(u, a),
        lambda u: recursion.first_order(u, u.tanh()),
        lambda u: recursion.first_order((1j * u).conj(), (0.5 + 0.5j) * a),
        lambda u: recursion.ballistics(u, 0.5 * a, a),
    ):
        torch.testing.assert_close(operator(u), operator(u.clone(memory_format=torch.contiguous_format)))
        assert operator(u[:0]).shape == (0, 11)


def test_gradients(operators):
    def parameter(*shape, dtype=torch.float64):
        return torch.rand(shape, dtype=dtype, device=DEVICE, requires_grad=True)

    def check(operator, *arguments):
        assert gradcheck(operator, arguments, fast_mode=True)

    length = BLOCK + 2
    u, a, b, initial = parameter(1, length), parameter(1), parameter(1), parameter(1)
    check(recursion.onepole, u, a, initial)
    check(lambda *arguments: recursion.onepole(*arguments, taps=3), u, a, initial)
    check(recursion.ballistics, u, a, b, initial)
    check(recursion.first_order, u, a, initial)
    check(recursion.first_order, u, parameter(1, length), initial)
    z = parameter(1, length, dtype=torch.complex128)
    check(recursion.first_order, z, parameter(1, length, dtype=torch.complex128), initial)
    c = sections(1, 2)
    sos = torch.cat([c[..., :3], torch.ones(1, 2, 1), c[..., 3:]], -1).to(DEVICE).requires_grad_()
    check(biquad.biquad_cascade, u, sos, parameter(1, 2, 2))


def test_is_what_runs_on_cuda():
    signal = SimpleNamespace(device=torch.device("cuda"))
    assert dispatch.kernels("recursion", signal) is _recursion_triton
    assert dispatch.kernels("biquad", signal) is _biquad_triton
    assert dispatch.kernels("ramp", signal) is _ramp_triton


def test_kernels_compile_for_devices_that_are_not_here(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    result = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) >= 20


def compile_all():
    """Compile all kernels for CUDA, as the operators would launch them, and count the variants."""
    compiled = set()
    triton_blocks.launch = _recursion_triton.launch = _ramp_triton.launch = partial(compile_launch, compiled)
    triton_blocks.BLOCK = 256
    for length in (1, 600):
        u, initial, a = torch.rand(2, length), torch.rand(2), torch.rand(2).double()
        _recursion_triton.onepole_backward(u, u, a, initial, u, max(1, length // 2))
        _recursion_triton.ballistics_backward(u, u, a, a, initial, *_recursion_triton.ballistics(u, a, a, initial))
        for signal in (u, u + 0j):
            _recursion_triton.first_order_backward(signal, signal, signal[:, 0], signal)
        duration, state = torch.rand(2, 1).double(), torch.rand(2, 4).double()
        for d in (duration, u):
            y, final, events = _ramp_triton.ramp(u, d, state)
            _ramp_triton.ramp_backward(u, final, u, d, state, y, events)
        c, state, chunk = torch.rand(2, 1, 5), torch.rand(2, 1, 2), max(1, length // 8)
        checkpoints = _biquad_triton.biquads(u, c, state, chunk)[2]
        _biquad_triton.biquads_backward(u, state, u, c, checkpoints, chunk)
    print(len(compiled))


def compile_launch(compiled, kernel, _, *arguments, num_warps=8, **flags):
    """In place of a launch. As there, the number one is a constant."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types = {torch.float32: "*fp32", torch.float64: "*fp64", torch.int8: "*i8", torch.uint8: "*u8"}
    names = kernel.arg_names
    given = dict(zip(names, arguments, strict=False)) | flags
    tensors = {name: types[value.dtype] for name, value in given.items() if torch.is_tensor(value)}
    numbers = {name: "i32" for name, value in given.items() if type(value) is int and name.islower() and value != 1}
    constants = {name: value for name, value in given.items() if name not in {**tensors, **numbers}}
    if (variant := (kernel.__name__, *constants.items())) in compiled:
        return
    signature = {name: (tensors | numbers).get(name, "constexpr") for name in names}
    source = ASTSource(kernel, signature, {(names.index(name),): value for name, value in constants.items()})
    binary = triton.compile(source, target=GPUTarget("cuda", 80, 32), options={"num_warps": num_warps})
    assert binary.asm["cubin"]
    compiled.add(variant)


@pytest.mark.skipif(not ON_DEVICE, reason="needs a CUDA device")
def test_operators_on_a_device_are_those_of_the_cpu():
    u = torch.rand(4, 1 << 20)
    a, b = torch.tensor([0.0, 0.5, 0.999, 1 - 1e-6], dtype=torch.float64), torch.full((4,), 0.9999, dtype=torch.float64)
    sos = torch.tensor([[1, -2, 1, 1, -1.9996, 0.99960004], [1, 0.2, 0.1, 1, 0.5, 0.3]], dtype=torch.float64)
    for operator in (
        lambda u, a, b, sos: recursion.onepole(u, a),
        lambda u, a, b, sos: recursion.onepole(u, a, taps=16384),
        lambda u, a, b, sos: recursion.first_order(u, a),
        lambda u, a, b, sos: recursion.first_order(u, u),
        lambda u, a, b, sos: recursion.first_order(u, a * torch.exp(1j * b)),
        lambda u, a, b, sos: recursion.ballistics(u, a, b),
        lambda u, a, b, sos: biquad.biquad_cascade(u, sos)[0],
        lambda u, a, b, sos: ramp.linear_ramp(u, 9 * a[:, None], torch.stack([b, b, b, b], -1))[0],
    ):
        here = [t.clone().requires_grad_() for t in (u, a, b, sos)]
        there = [t.to("cuda").requires_grad_() for t in (u, a, b, sos)]
        expected, y = operator(*here), operator(*there)
        compiled = torch.compile(operator, fullgraph=True)(*there)
        for result in (y, compiled):
            assert (result.cpu() - expected).abs().max() < 1e-5 * expected.abs().max()
        weights = torch.randn_like(expected)
        expected_grads = torch.autograd.grad(expected, here, weights, allow_unused=True)
        grads = torch.autograd.grad(y, there, weights.to("cuda"), allow_unused=True)
        for grad, correct in zip(grads, expected_grads, strict=True):
            assert (grad is None) == (correct is None)
            if grad is not None:
                assert (grad.cpu() - correct).abs().max() < 1e-5 * correct.abs().max()


if COMPILING:
    compile_all()
