"""Independence of the rows of a batch, for every processor and any number of rows."""

import itertools
import math

import pytest
import torch
from grafx.processors import DryWet, LowShelf, MultiBand, Panner, ParallelMix, SerialChain
from grafx.processors.base import ParameterError
from test_all import CASES, arguments, call, check, leaves, make

LENGTH = 300
DOUBLE = torch.float64


def gradients(signals, tensors):
    """Gradients of a sum over all samples with different weights."""
    generator = torch.Generator().manual_seed(1)
    weights = [torch.randn(y.shape, generator=generator, dtype=y.dtype) for y in signals]
    learned = [(y, w) for y, w in zip(signals, weights, strict=True) if y.requires_grad]
    if not learned or not tensors:
        return [None] * len(tensors)
    outputs, weights = zip(*learned, strict=True)
    return torch.autograd.grad(outputs, tensors, weights, allow_unused=True)


def assert_alike(got, expected, what):
    assert (got is None) == (expected is None), what
    if got is not None:
        scale = max(1.0, expected.abs().max().item()) if expected.numel() else 1.0
        torch.testing.assert_close(got, expected, rtol=1e-7, atol=1e-9 * scale, msg=lambda text: f"{what}: {text}")


def changed(tree, change):
    return {k: changed(v, change) if isinstance(v, dict) else change(v) for k, v in tree.items()}


def poison(value):
    def apply(tensor):
        tensor = tensor.detach().clone()
        tensor[(1, ..., slice(50, 52)) if tensor.shape[-1] == LENGTH else 1] = value
        return tensor.requires_grad_()

    return apply


@pytest.mark.parametrize("name, c", CASES)
def test_none_at_all_is_processed(name, c):
    processor = make(name, c.options)
    for (batch, length), channels in zip([(0, 100), (0, 0), (2, 0)], itertools.cycle(c.channels), strict=False):
        check(processor, 1.0, batch, channels, length, torch.float32)
    learned = [
        y.requires_grad for y in call(processor, *arguments(processor, 1.0, 2, max(c.channels), 9, DOUBLE), 9)[0]
    ]
    none, _ = call(processor, *arguments(processor, 1.0, 0, max(c.channels), 9, DOUBLE), 9)
    assert [y.requires_grad for y in none] == learned
    if processor.latency_samples is not None:
        inlets, parameters = arguments(processor, 1.0, 0, max(c.channels), 100, DOUBLE)
        length, state = {} if inlets else {"num_samples": 100}, None
        for _ in range(2):
            _, state = processor.stream(*inlets, state=state, **length, **parameters)


@pytest.mark.parametrize("name, c", CASES)
def test_what_is_not_finite_stays_in_its_row(name, c):
    processor, rows = make(name, c.options), [0, 2]
    inlets, parameters = arguments(processor, 0.5, 3, max(c.channels), LENGTH, DOUBLE)
    clean, _ = call(processor, inlets, parameters, LENGTH)
    expected = gradients(clean, [*inlets, *dict(leaves(parameters)).values()])
    for value, of_signals, of_parameters in [
        (math.nan, True, False),
        (math.nan, False, True),
        (math.inf, True, True),
        (-math.inf, False, True),
    ]:
        bad_inlets = [poison(value)(x) for x in inlets] if of_signals else inlets
        bad = changed(parameters, poison(value)) if of_parameters else parameters
        signals, _ = call(processor, bad_inlets, bad, LENGTH)
        for got, wanted in zip(signals, clean, strict=True):
            assert_alike(got[rows], wanted[rows], f"an output beside {value}")
        tensors = [*bad_inlets, *dict(leaves(bad)).values()]
        for got, wanted in zip(gradients(signals, tensors), expected, strict=True):
            got, wanted = (None if g is None else g[rows] for g in (got, wanted))
            assert_alike(got, wanted, f"a gradient beside {value}")


@pytest.mark.parametrize("name, c", CASES)
def test_one_row_serves_all(name, c):
    processor, channels = make(name, c.options), max(c.channels)
    inlets, three = arguments(processor, 0.5, 3, channels, LENGTH, DOUBLE)
    first, one = arguments(processor, 0.5, 1, channels, LENGTH, DOUBLE)
    if not inlets:
        return

    def expanded(tensor):
        return tensor.expand(3, *tensor.shape[1:])

    for signals, parameters in [(inlets, one)] + [(first, three)] * bool(three):
        tensors = [*signals, *dict(leaves(parameters)).values()]
        wanted, _ = call(processor, [*map(expanded, signals)], changed(parameters, expanded), LENGTH)
        got, _ = call(processor, signals, parameters, LENGTH)
        for y, expected in zip(got, wanted, strict=True):
            assert_alike(y, expected, "an output")
        for g, expected in zip(gradients(got, tensors), gradients(wanted, tensors), strict=True):
            assert_alike(g, expected, "a gradient")
    for name, wrong in [(n, p) for n, p in leaves(three) if p.numel()][:1]:
        for shape in [(2, *wrong.shape[1:]), (*wrong.shape, 2)]:
            if "/" not in name:
                with pytest.raises(ParameterError, match=f"needs {name} of shape"):
                    call(processor, inlets, {**three, name: torch.zeros(shape, dtype=DOUBLE)}, LENGTH)


@pytest.mark.parametrize("name, c", CASES)
@torch.no_grad()
def test_states_of_other_signals_are_refused(name, c):
    processor = make(name, c.options)
    if processor.latency_samples is None:
        return
    shapes = [(2, c.channels[0]), (3, c.channels[0]), (1, c.channels[0]), (0, c.channels[0]), (2, c.channels[-1])]
    blocks = {shape: arguments(processor, 0.5, *shape, 100, DOUBLE) for shape in shapes}

    def stream(shape, state):
        inlets, parameters = blocks[shape]
        return processor.stream(*inlets, state=state, **({} if inlets else {"num_samples": 100}), **parameters)

    firsts = {shape: stream(shape, None) for shape in blocks}
    states = {shape: state for shape, (_, state) in firsts.items()}
    for own, other in itertools.permutations(states, 2):
        # A generator has no channels to tell apart, and one row of its parameters serves all rows of a state.
        serves = not blocks[own][0] and other[0] in (1, own[0])
        if states[own]["memory"] and not serves:
            with pytest.raises(ParameterError):
                stream(other, states[own])
    for shape, state in states.items() if not c.draws else ():
        again, _ = stream(shape, state)
        expected, _ = stream(shape, stream(shape, None)[1])
        for got, wanted in zip(*(y if isinstance(y, tuple) else (y,) for y in (again, expected)), strict=True):
            torch.testing.assert_close(got, wanted, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    "container",
    [
        DryWet(Panner(), external_param=False),
        SerialChain({"a": LowShelf(), "b": Panner()}),
        ParallelMix({"a": LowShelf(), "b": DryWet(LowShelf(), external_param=False)}),
        MultiBand(LowShelf(), 3),
    ],
    ids=lambda container: type(container).__name__,
)
def test_containers_keep_to_it(container):
    inlets, three = arguments(container, 0.5, 3, 2, LENGTH, DOUBLE)
    first, one = arguments(container, 0.5, 1, 2, LENGTH, DOUBLE)
    for signals, parameters in [(inlets, one), (first, three)]:
        got, _ = call(container, signals, parameters, LENGTH)
        wanted, _ = call(
            container,
            [x.expand(3, -1, -1) for x in signals],
            changed(parameters, lambda p: p.expand(3, *p.shape[1:])),
            LENGTH,
        )
        assert_alike(got[0], wanted[0], "an output")
    bad = changed(three, poison(math.nan))
    clean, spoilt = (call(container, inlets, raw, LENGTH)[0][0] for raw in (three, bad))
    assert_alike(spoilt[[0, 2]], clean[[0, 2]], "an output beside NaN")
    empty, none = arguments(container, 0.5, 0, 2, LENGTH, DOUBLE)
    assert call(container, empty, none, LENGTH)[0][0].shape == (0, 2, LENGTH)
