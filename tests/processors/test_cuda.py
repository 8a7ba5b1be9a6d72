"""Operators and processors on a GPU give what they give on the CPU, and no step waits for the device."""

import warnings

import pytest
import torch
from core.test_operators import FUNCTIONS
from test_all import CASES, arguments, call, make

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def there(tree):
    if isinstance(tree, dict):
        return {name: there(part) for name, part in tree.items()}
    return tree.detach().cuda().requires_grad_()


def leaves_of(tree):
    return [leaf for part in tree.values() for leaf in leaves_of(part)] if isinstance(tree, dict) else [tree]


def agree(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            limit = tolerance * max(other.abs().max().item(), 1e-6) if other.numel() else 0
            torch.testing.assert_close(one.cpu(), other, rtol=0, atol=limit)


@pytest.mark.each("name")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_operators_are_those_of_the_cpu(name):
    function, shapes = FUNCTIONS[name]
    torch.manual_seed(0)
    here = [torch.rand(shape, dtype=torch.double, requires_grad=True) for shape in ((2, 3, 7), *shapes)]
    moved = [there(leaf) for leaf in here]
    expected = function(*here)
    try:
        found = function(*moved)
    except RuntimeError as error:
        if "same device" in str(error):  # constants of the function are on the CPU
            pytest.skip(str(error))
        raise
    weights = torch.randn(expected.shape, dtype=expected.dtype)
    agree([found], [expected], 1e-10)
    grads = [
        torch.autograd.grad(y, given, w) for y, given, w in ((found, moved, weights.cuda()), (expected, here, weights))
    ]
    agree(*grads, 1e-9)


@pytest.mark.each("name")
@pytest.mark.parametrize("name, c", CASES)
def test_processors_are_those_of_the_cpu(name, c):
    if c.draws:
        pytest.skip("random numbers of devices differ")
    inlets, parameters = arguments(make(name, c.options), 0.3, 2, max(c.channels), 500, torch.float64)
    moved = [there(x) for x in inlets], there(parameters)
    expected, _ = call(make(name, c.options), inlets, parameters, 500)
    found, _ = call(make(name, c.options).cuda(), *moved, 500)
    agree(found, expected, 1e-6)
    of_cpu, of_gpu = [*inlets, *leaves_of(parameters)], [*moved[0], *leaves_of(moved[1])]
    number, expected_number = (sum(y.sum().cpu() for y in signals) for signals in (found, expected))
    if expected_number.requires_grad:
        agree(
            torch.autograd.grad(number, of_gpu, allow_unused=True),
            torch.autograd.grad(expected_number, of_cpu, allow_unused=True),
            1e-5,
        )


PLAIN = {name: c for name, c in (case.values for case in reversed(CASES)) if not c.draws}


@pytest.mark.parametrize("name", PLAIN)
def test_no_step_waits_for_the_device(name):
    """Synchronizations in a second step, as torch counts them."""
    processor = make(name, PLAIN[name].options).cuda()
    inlets, parameters = arguments(
        make(name, PLAIN[name].options), 0.3, 2, max(PLAIN[name].channels), 500, torch.float32
    )
    given = [there(x) for x in inlets], there(parameters)

    def step():
        result = processor(*given[0], **given[1], **({} if inlets else {"num_samples": 500}))
        signals = [y for y in (result if isinstance(result, (tuple, list)) else [result]) if torch.is_tensor(y)]
        number = sum(y.sum() for y in signals)
        if number.requires_grad:
            number.backward()

    assert waits_of(step) == []


def waits_of(step):
    step()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return [f"{each.filename}:{each.lineno}" for each in said if "synchroniz" in str(each.message)]


def test_no_step_of_a_render_waits_for_the_device():
    types = ("ZeroPhaseFIREqualizer", "Compressor", "NoiseGate", "SideGainImager", "StereoGain", "MultitapDelay")
    processors = {name: make(name) for name in (*types, "STFTMaskedNoiseReverb")}
    G = GRAFX(config=NodeConfigs(list(processors)))
    bus = G.add("mix")
    for _ in range(3):
        G.connect(G.add_serial_chain(["in", *types])[1], bus)
    G.connect(bus, G.add_serial_chain(["STFTMaskedNoiseReverb", "out"])[0])
    renderer = Renderer(G, processors).cuda()
    x = torch.randn(3, 2, 2**15).cuda()
    assert waits_of(lambda: renderer(x).square().mean().backward()) == []
