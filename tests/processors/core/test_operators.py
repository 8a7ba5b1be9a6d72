"""Torch's requirements of custom operators, for all: schemas, shapes without data, gradients, and compilation."""

import os
import pkgutil
import shutil
from importlib import import_module

import pytest
import torch
from grafx.processors import core
from grafx.processors.core.adsr import gated_adsr
from grafx.processors.core.allpass_chain import allpass_chain
from grafx.processors.core.antialiasing import antialiased
from grafx.processors.core.backends import dispatch
from grafx.processors.core.biquad import biquad_cascade
from grafx.processors.core.comb import comb_filter
from grafx.processors.core.convolution import convolve
from grafx.processors.core.delay_line import delay_line_process
from grafx.processors.core.delay_network import Network, delay_network, delay_network_by_frequency
from grafx.processors.core.feedback_delay import feedback_delay
from grafx.processors.core.freeverb import combs_and_allpasses
from grafx.processors.core.ladder import saturating_ladder
from grafx.processors.core.mel_distance import Bands, Target, band_magnitudes, mel_distances, stereo_spectra
from grafx.processors.core.operators import formula
from grafx.processors.core.phase import running_phase
from grafx.processors.core.ramp import linear_ramp
from grafx.processors.core.recursion import ballistics, first_order, last_output, onepole
from grafx.processors.core.segments import segments
from grafx.processors.core.state_space import state_space
from grafx.processors.core.wavetable import Wavetable
from grafx.processors.errors import DerivativeError
from torch.autograd import forward_ad, gradcheck
from torch.library import opcheck
from torch.utils._python_dispatch import TorchDispatchMode

DOUBLE = torch.float64
CHUNK = 4
OPERATORS = [
    "onepole", "first_order", "first_order of samples", "first_order of complex numbers", "ballistics", "biquads",
    "no biquads", "state_space", "ramp", "ramp of samples", "phase", "phase of samples", "wavetable", "convolve",
    "comb", "ladder", "delay_network",
    "solve_delay_network", "mel_distances",
    "antialiased", "antialiased of second order",
]  # fmt: skip
CASES = [
    (name, *case)
    for name in OPERATORS
    for case in [(3, 9, torch.float32), (3, 9, DOUBLE), (2, 1, DOUBLE), (2, 0, torch.float32), (0, 5, DOUBLE)]
    # Where nothing is to be convolved or solved, nothing is called.
    if name not in ("convolve", "solve_delay_network") or 0 not in case
]


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def arguments(name, rows, length, dtype):
    """Arguments of an operator, and those of its backward operator if that is one of its own."""
    u, grad = torch.randn(2, rows, length, dtype=dtype)
    a, initial = torch.rand(rows, dtype=DOUBLE), torch.rand(rows, dtype=dtype)
    blocks = -(-length // CHUNK)
    if name == "onepole":
        return (u, a, initial, 4), (grad, u, a, initial, u, 4)
    if name == "ballistics":
        return (u, a, a, initial), (grad, u, a, a, initial, u, u > 0)
    if name.startswith("first_order"):
        if "complex" in name:
            u, grad, initial = (t.to(dtype.to_complex()) for t in (u, grad, initial))
        a = torch.rand(rows, length if "samples" in name else 1).to(u.dtype)
        return (u, a, initial), (grad, a, initial, u)
    if "biquads" in name:
        c = torch.rand(rows, 0 if name == "no biquads" else 2, 5, dtype=DOUBLE) / 4
        state, checkpoints = torch.rand(*c.shape[:2], 2, dtype=DOUBLE), torch.rand(rows, blocks, c.shape[1], 2).double()
        return (u, c, state, CHUNK), (grad, state, u, c, checkpoints, CHUNK)
    if name == "state_space":
        system, state, checkpoints = torch.rand(rows, 3, 3), torch.rand(rows, 2), torch.rand(rows, blocks, 2)
        system, state, checkpoints = system.double() / 4, state.double(), checkpoints.double()
        return (u, system, state, CHUNK), (grad, state, u, system, checkpoints, CHUNK)
    if name.startswith("ramp"):
        duration = 9 * torch.rand(rows, length if "samples" in name else 1, dtype=DOUBLE)
        state, events = torch.rand(rows, 4, dtype=DOUBLE), torch.randint(4, u.shape, dtype=torch.uint8)
        return (u, duration, state), (grad, state, u, duration, state, u, events)
    if name.startswith("phase"):
        offset, modulation = (u, 50 * grad) if "samples" in name else (u[:, :1], u[:, :0])
        return (50 * a, modulation, offset, initial.double(), 99.0, length), (grad, a, modulation, 99.0)
    if name == "wavetable":
        table = Wavetable(torch.randn(2, 6, dtype=torch.complex128))
        given = u, a[:, None] / 2, u.cos(), table.tables, table.harmonics, table.levels, table.starts
        return given, (grad, *given)
    if name == "ladder":
        c, state, checkpoints = torch.rand(rows, 7), torch.rand(rows, 4), torch.rand(rows, blocks, 4)
        c, state, checkpoints = c.double(), state.double(), checkpoints.double()
        return (u, c, state, CHUNK), (grad, state, u, c, checkpoints, CHUNK)
    if name == "comb":
        c, past, inner = (torch.rand(rows, size, dtype=DOUBLE) / 9 for size in (8, 5, 2))
        delays, line = torch.full((rows,), 3), torch.rand(rows, 5 + length, dtype=DOUBLE)
        return (u, delays, c, past, inner), (grad, line, inner, u, delays, c, line)
    if "delay_network" in name:
        sos, matrix = torch.rand(rows, 3, 2, 5, dtype=DOUBLE) / 9, torch.rand(rows, 3, 3, dtype=DOUBLE) / 4
        sos[..., 0] += 0.5
        b, c, past = matrix[..., :1], matrix[:, :2], torch.rand(rows, 3, 5, dtype=DOUBLE)
        if name.startswith("solve"):
            u, g = (torch.randn(rows, n, length, dtype=torch.complex128) for n in (1, 2))
            signals = torch.randn(rows, 3, length, dtype=torch.complex128)
            rest = 0.1, 2 * length + 2
            return (u, (2, 5, 4), sos, matrix, b, c, *rest), (g, u, (2, 5, 4), sos, matrix, b, c, signals, *rest)
        lines, kept = torch.rand(rows, 3, 5 + length).double(), torch.rand(rows, -(-length // 2), 3, 2, 2).double()
        given, state, g = (u[:, None], (2, 5, 4), sos, matrix, b, c), kept[:, :1].sum(1), grad[:, None].repeat(1, 2, 1)
        return (*given, past, state, 2), (g, lines, state, *given, lines, kept, 2)
    if name == "mel_distances":
        signal, bands = torch.randn(rows, 2, length + SHORTEST, dtype=dtype), mel_bands(dtype)
        target = mel_target(signal.shape[-1], bands)
        spectra = stereo_spectra(signal, bands.window, bands.hop)
        own = band_magnitudes(signal, bands, *target[1:])
        weights = torch.randn(rows, 4, 2, dtype=DOUBLE)
        return (signal, *target, *bands), (weights, spectra, own, *target, *bands, signal.shape[-1])
    if name.startswith("antialiased"):
        order = 2 if "second" in name else 1
        x = torch.randn(rows, length + order, dtype=dtype)
        return (x, "tanh", order), (grad, x, "tanh", order)
    x, h, g = u[:, None], torch.randn(1, 2, 7, dtype=dtype), torch.randn(rows, 2, length, dtype=dtype)
    return (x, h, 3), (g, x, 7, 3)


SHORTEST = 5  # samples, of which there are frames of 8


def mel_bands(dtype):
    weights = torch.tensor([[0.5, 1, 0], [1, 2, 1], [0.25, 1, 0]], dtype=dtype)
    return Bands(torch.hann_window(8, dtype=dtype), 2, torch.tensor([0, 1, 3]), torch.tensor([2, 3, 2]), weights)


def mel_target(length, bands):
    """A mono signal, whose side needs a carrier."""
    mono = (0.9 * torch.arange(length, dtype=bands.window.dtype)).cos().expand(1, 2, -1)
    carrier, silent = (
        stereo_spectra(mono, bands.window, bands.hop)[:, :, 0],
        torch.tensor([[False, False, False, True]]),
    )
    return Target(band_magnitudes(mono, bands, carrier, silent), carrier, silent)


def mel_distances_of(u):
    bands = mel_bands(u.dtype)
    return mel_distances(u[:, :2], mel_target(u.shape[-1], bands), bands)


def operator_pair(name):
    name = name.split(" of ")[0].removeprefix("no ")
    operators = torch.ops.grafx
    return getattr(operators, name), operators.correlate if name == "convolve" else getattr(
        operators, f"{name}_backward"
    )


ONE_GRADIENT = ["mel_distances"]  # for the first argument alone


def leaves(values):
    return tuple(
        v.requires_grad_() if torch.is_tensor(v) and (v.is_floating_point() or v.is_complex()) and v.is_leaf else v
        for v in values
    )


@pytest.mark.versions
@pytest.mark.slow
@pytest.mark.each("name")
@pytest.mark.parametrize("name", OPERATORS)
def test_contract(name):
    forward, backward = operator_pair(name)
    given, given_back = arguments(name, 3, 9, torch.float32)
    opcheck(backward, given_back if name != "convolve" else leaves(given_back))
    opcheck(forward, (*leaves(given[:1]), *given[1:]) if name in ONE_GRADIENT else leaves(given))


SHAPES_ALONE = ("test_schema", "test_faketensor")


@pytest.mark.each("name")
@pytest.mark.parametrize("name, rows, length, dtype", CASES)
def test_contract_of_shapes(name, rows, length, dtype):
    for operator, given in zip(operator_pair(name), arguments(name, rows, length, dtype), strict=True):
        opcheck(operator, given, test_utils=SHAPES_ALONE)


@pytest.mark.parametrize("name, rows, length, dtype", CASES)
def test_contract_of_shapes_in_plain_torch(name, rows, length, dtype, monkeypatch):
    monkeypatch.setattr(dispatch, "_load", lambda name, _: import_module(f"grafx.processors.core.{name}._torch"))
    for operator, given in zip(operator_pair(name), arguments(name, rows, length, dtype), strict=True):
        opcheck(operator, given, test_utils=SHAPES_ALONE)


def parameter(*shape):
    return torch.rand(shape, dtype=DOUBLE, requires_grad=True)


def weighted(output, final):
    return output + final.sum()


SERIES = torch.randn(2, 6, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))


def phase_of(frequency, offset, modulation=None):
    length = max(7, offset.shape[-1])
    modulation = None if modulation is None else modulation.expand(offset.shape)
    return running_phase(frequency, 99.0, offset, length, modulation)


def network(matrix, inputs, sos):
    return Network((3, 4), sos / 8 + torch.tensor([0.5, 0, 0, 1, 0, 0]), matrix / 4, inputs, inputs.mT)


def gated(u, attack, decay, level, release):
    times = (4 + 4 * time for time in (attack, decay, release))
    attack, decay, release = times
    gate = (torch.arange(u.shape[-1]) % 6 > 0).expand(u.shape)
    return weighted(*gated_adsr(gate, attack, decay, level, release, dtype=DOUBLE)) * u.cos()


def delayed(kind):
    def run(u, times, past, base):
        return delay_line_process(u, 4 * times, (past, past[..., 0]), (5.5, kind), base)[0]

    return run


def room(u, loop, past, inner):
    delays = [[8, 9, 10, 11, 12, 13, 14, 15, 9]]
    y, (lines, final) = combs_and_allpasses(u.flatten(0, 1), delays, loop / 2, 0.5, (past, inner))
    return y + lines.sum() + final.sum()


FUNCTIONS = {
    "gated_adsr": (gated, [(3,), (3,), (3,), (3,)]),
    "allpass_chain": (lambda u, c, g, s: weighted(*allpass_chain(u, c - 0.5, g / 2, 2, s)), [(3, 1), (3,), (2, 1, 2)]),
    "feedback_delay": (
        lambda u, t, g, s, b: weighted(*feedback_delay(u, 0.25 + t, g / 2, 6.5, s, 1 + b)),
        [(3, 1), (3,), (2, 1, 7), (3,)],
    ),
    "combs_and_allpasses": (room, [(6, 2), (6, 9, 15), (6, 8)]),
    "segments": (lambda u, t: segments(t.cumsum(-2) * 2, (True, False), u.shape[-1]) * u.cos(), [(3, 2, 4)]),
    **{f"delay_line_process, {kind}": (delayed(kind), [(3, 1), (2, 3, 6), (3,)]) for kind in ("linear", "allpass")},
    "onepole": (onepole, [(3,), (3,)]),
    "truncated onepole": (lambda u, a, initial: onepole(u, a, initial, taps=8), [(3,), (3,)]),
    "ballistics": (ballistics, [(3,), (3,), (2, 1)]),
    "first_order": (first_order, [(3,), (3,)]),
    "first_order of samples": (lambda u, a: first_order(u, a * u.tanh()), [(3, 1)]),
    "first_order of complex numbers": (lambda u, a: first_order(u, 1j * a).abs(), [(3,)]),
    "biquad_cascade": (lambda u, sos: weighted(*biquad_cascade(u, sos + 1)), [(2, 6)]),
    "biquad_cascade from a state": (lambda u, c, z: weighted(*biquad_cascade(u, c + 1, z)), [(3, 1, 6), (2, 1, 1, 2)]),
    "state_space": (lambda u, A, B, D: weighted(*state_space(u, A / 4, B, B, D)), [(2, 2), (2,), ()]),
    "state_space from a state": (lambda u, A, B, D: weighted(*state_space(u, A / 4, B, B, D, B)), [(2, 2), (2,), (3,)]),
    "linear_ramp": (lambda u, d, state: weighted(*linear_ramp(u, 1 + 9 * d, state)), [(3, 1), (2, 1, 4)]),
    "running_phase": (lambda u, f: weighted(*phase_of(f, u[..., :1])), [(3,)]),
    "running_phase of samples": (lambda u, f, m: weighted(*phase_of(f, u, 9 * m)), [(3,), (2, 1, 1)]),
    "wavetable": (lambda u, d, p: Wavetable(SERIES)(u, 0.05 + d / 4, p), [(3, 1), (2, 1, 1)]),
    "antialiased": (lambda u: antialiased(u, "cubic", 1), []),
    "antialiased of second order": (lambda u: antialiased(u, "arctan", 2), []),
    "numbers": (lambda u: first_order(ballistics(onepole(u, 0.9, 1), 0.5, 0.9, 1.0), last_output(u, 0.5)), []),
    "saturating_ladder": (lambda u, g, mix: weighted(*saturating_ladder(u, g, 4 * g, mix)), [(3,), (2, 1, 5)]),
    "comb_filter": (lambda u, b: comb_filter(u, torch.tensor(3), b / 4, max_delay=5)[0], [(2, 1, 3)]),
    "delay_network": (
        lambda u, a, b, s: delay_network(u, network(a, b, s))[0],
        [(2, 2, 2), (2, 2, 3), (2, 2, 1, 6)],
    ),
    "delay_network_by_frequency": (
        lambda u, a, b, s: delay_network_by_frequency(u, network(a, b, s)),
        [(2, 2, 2), (2, 2, 3), (2, 2, 1, 6)],
    ),
    "convolve": (lambda u, h: convolve(u, h), [(2, 1, 5)]),
    "zero-phase convolve": (lambda u, h: convolve(u, h, "zerophase"), [(1, 3, 25)]),
    "mel_distances": (mel_distances_of, []),
}


APART = {"grafx::white_noise", "grafx::followed", "grafx::followed_backward"}
"""What has no gradient, and what is of single precision, see ``test_followed.py``."""


def test_all_operators_are_among_the_functions():
    for module in pkgutil.iter_modules(core.__path__):
        if not module.name.startswith("_"):
            import_module(f"{core.__name__}.{module.name}")
    called = set()

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
            called.add(operator.name())
            return operator(*args, **(kwargs or {}))

    for function, shapes in FUNCTIONS.values():
        with Recorder():
            function(parameter(2, 3, 7), *(parameter(*shape) for shape in shapes)).real.sum().backward()
    known = {name for name in torch._C._dispatch_get_all_op_names() if name.startswith("grafx::")}
    assert known - APART <= called and len(known) > 30


@pytest.mark.each("name")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_where_arguments_broadcast(name):
    function, shapes = FUNCTIONS[name]
    assert gradcheck(function, (parameter(2, 3, 7), *(parameter(*shape) for shape in shapes)))


def compiled_and_eager_agree(function, shapes, **options):
    torch._dynamo.reset()
    compiled = torch.compile(function, fullgraph=True, **options)
    for length in (20, 33):
        args = parameter(2, 3, length), *(parameter(*shape) for shape in shapes)
        y, expected = compiled(*args), function(*args)
        torch.testing.assert_close(y, expected)
        weights = torch.randn_like(y)
        grads, expected_grads = (torch.autograd.grad(out, args, weights) for out in (y, expected))
        torch.testing.assert_close(grads, expected_grads)


@pytest.mark.versions
@pytest.mark.slow
@pytest.mark.each("name")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiles_as_one_graph_for_any_length(name):
    compiled_and_eager_agree(*FUNCTIONS[name], backend="aot_eager")


@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "g++")), reason="torch.compile needs a compiler")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.slow
def test_runs_within_code_that_torch_generates():
    def chain(u, a, b, sos, h):
        y = ballistics(onepole(u, a).square(), a, b).sqrt()
        return convolve(biquad_cascade(y, sos + 1)[0] - y, h)

    compiled_and_eager_agree(chain, [(3,), (3,), (1, 6), (1, 3, 4)], dynamic=True)


ONCE = [name for name in FUNCTIONS if "convolve" not in name]


@pytest.mark.versions
@pytest.mark.each("name")
@pytest.mark.parametrize("name", ONCE)
def test_what_has_one_derivative_refuses_the_second_and_forward_mode(name):
    function, shapes = FUNCTIONS[name]
    args = parameter(2, 3, 7), *(parameter(*shape) for shape in shapes)
    gradients = torch.autograd.grad(function(*args).square().sum(), args, create_graph=True)
    total = sum(gradient.sum() for gradient in gradients)
    for arg in args:
        with pytest.raises(DerivativeError, match="cannot be differentiated again"):
            torch.autograd.grad(total, arg, retain_graph=True)
    with pytest.raises(DerivativeError, match="cannot be differentiated again"):
        total.backward()
    with pytest.raises(DerivativeError, match="no derivative in forward mode"):
        torch.func.jvp(function, args, args)
    with pytest.raises(DerivativeError, match="no derivative in forward mode"), forward_ad.dual_level():
        function(*(forward_ad.make_dual(arg, arg) for arg in args))


@pytest.mark.versions
@pytest.mark.each("name")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functional_transforms(name):
    function, shapes = FUNCTIONS[name]
    args = parameter(2, 3, 7), *(parameter(*shape) for shape in shapes)
    weights = torch.randn(function(*args).shape, dtype=DOUBLE)

    def number(*args):
        return (function(*args) * weights).sum()

    expected = torch.autograd.grad(number(*args), args)
    torch.testing.assert_close(torch.func.grad(number, tuple(range(len(args))))(*args), expected)
    both = [torch.stack([arg, arg / 2]) for arg in args]
    torch.testing.assert_close(
        torch.func.vmap(function)(*both), torch.stack([function(*(b[i] for b in both)) for i in range(2)])
    )


@pytest.mark.versions
def test_compiled_code_does_not_lose_tangents():
    torch._dynamo.reset()
    u = torch.rand(2, 5, dtype=DOUBLE)
    tangent = torch.compile(lambda u: torch.func.jvp(lambda u: onepole(u, 0.5), (u,), (u,))[1], backend="eager")
    with pytest.raises(Exception, match="no derivative in forward mode"):
        tangent(u)


def test_gradients_of_several_outputs_are_refused_by_name_where_a_formula_cannot():
    u = torch.rand(2, 3, dtype=DOUBLE)
    scaled = formula(lambda u: u.sin(), lambda grad, needed, u: (u.cos().mul_(grad),), "scaled")
    with pytest.raises(DerivativeError, match="gradient of scaled is not taken of several outputs at once"):
        torch.autograd.functional.jacobian(scaled, u, vectorize=True)
    torch.testing.assert_close(torch.func.jacrev(scaled)(u), torch.func.jacrev(torch.sin)(u))
    failing = formula(lambda u: u.sin(), lambda grad, needed, u: (u.cos().view(7),), "failing")
    with pytest.raises(RuntimeError, match="is invalid for input of size"):
        torch.autograd.functional.jacobian(failing, u)
