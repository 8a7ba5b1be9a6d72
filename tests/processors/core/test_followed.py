"""Gains that follow the energy of whole signals in one pass, against the same in several, in double precision."""

from functools import partial

import numpy as np
import pytest
import torch
from grafx.processors import Compressor, NoiseGate, desk
from grafx.processors.core.followed import follow
from grafx.processors.core.smoothed import Ramp
from grafx.processors.errors import ParameterError

MADE = {
    "compressor": partial(Compressor, iir_len=300),
    "gate": partial(NoiseGate, iir_len=300),
    "long": Compressor,
    "hard": partial(Compressor, knee="hard", iir_len=300),
    "makeup": partial(Compressor, makeup=True, iir_len=300),
    "sidechain": partial(Compressor, sidechain=True, iir_len=300),
    "ballistics": partial(Compressor, energy_smoother="ballistics"),
    "ballistics gate": partial(NoiseGate, energy_smoother="ballistics"),
    "ballistics sidechain": partial(Compressor, energy_smoother="ballistics", sidechain=True),
    "desk": partial(Compressor, style="desk"),
}
SIZES = [(0, 100), (1, 0), (1, 1), (1, 4001), (3, 2503), (4, 512), (9, 1037), (17, 7)]


def case(rng, name, rows, length):
    processor = MADE[name]()
    sizes = processor.parameter_size().items()
    raw = {key: torch.tensor(rng.normal(size=(rows, *np.atleast_1d(size)))) for key, size in sizes}
    xs = [torch.tensor(rng.normal(size=(rows, channels, length))) for channels in (2, 3)]
    return processor, xs[: len(processor.inlets)], raw


def single(xs, raw):
    return [x.float() for x in xs], {key: value.float() for key, value in raw.items()}


@pytest.mark.parametrize("rows, length", SIZES)
@pytest.mark.parametrize("name", MADE)
def test_one_pass_is_the_gain_in_double_precision(rng, name, rows, length):
    processor, xs, raw = case(rng, name, rows, length)
    expected = processor(*xs, **raw)
    xs, raw = single(xs, raw)
    y = processor(*xs, **raw)
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-5)
    recorded = processor(*xs, **{key: value.requires_grad_() for key, value in raw.items()})
    assert torch.equal(recorded.detach(), y)


def gradients(processor, xs, raw, weight):
    leaves = [x.clone().requires_grad_() for x in xs], {key: v.clone().requires_grad_() for key, v in raw.items()}
    loss = (processor(*leaves[0], **leaves[1]) * weight).sum()
    return torch.autograd.grad(loss, [*leaves[0], *leaves[1].values()], allow_unused=True)


@pytest.mark.parametrize("rows, length", SIZES)
@pytest.mark.parametrize("name", MADE)
def test_its_gradient_is_that_in_double_precision(rng, name, rows, length):
    processor, xs, raw = case(rng, name, rows, length)
    weight = torch.tensor(rng.normal(size=(rows, 2, length)))
    expected = gradients(processor, xs, raw, weight)
    found = gradients(processor, *single(xs, raw), weight.float())
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            torch.testing.assert_close(
                mine.double(), theirs, rtol=2e-3, atol=1e-5 * (1 + theirs.abs().max().item() if theirs.numel() else 0)
            )


def test_parameters_have_gradients_where_signals_need_none(rng):
    processor, xs, raw = case(rng, "desk", 3, 600)
    xs, raw = single(xs, raw)
    y = processor(*xs, **{key: value.requires_grad_() for key, value in raw.items()})
    found = torch.autograd.grad(y.square().sum(), list(raw.values()))
    assert all(grad.isfinite().all() for grad in found) and found[0].any()
    assert xs[0].grad is None


@torch.no_grad()
def test_it_gives_the_same_bits_on_any_number_of_threads(rng):
    threads = torch.get_num_threads()
    for name in ("long", "desk"):
        processor, xs, raw = case(rng, name, 3, 80_000)
        xs, raw = single(xs, raw)
        try:
            outputs = []
            for number in (1, 2, 3):
                torch.set_num_threads(number)
                outputs.append(processor(*xs, **raw))
        finally:
            torch.set_num_threads(threads)
        assert torch.equal(outputs[0], outputs[1]) and torch.equal(outputs[0], outputs[2])


@torch.no_grad()
def test_what_is_not_finite_stays_in_its_row(rng):
    for name in ("compressor", "ballistics"):
        processor, xs, raw = case(rng, name, 3, 600)
        (x,), raw = single(xs, raw)
        clean = processor(x, **raw)
        x[1, 0, 300] = torch.nan
        y = processor(x, **raw)
        torch.testing.assert_close(y[::2], clean[::2])
        torch.testing.assert_close(y[1, :, :300], clean[1, :, :300])
        assert y[1, :, 300:].isnan().any()


def test_silence_stays_silent_and_has_finite_gradients():
    for name in ("compressor", "gate", "desk", "ballistics gate"):
        processor = MADE[name]()
        raw = {
            key: torch.zeros(2, *np.atleast_1d(size), requires_grad=True)
            for key, size in processor.parameter_size().items()
        }
        x = torch.zeros(2, 2, 700, requires_grad=True)
        y = processor(x, **raw)
        y.sum().backward()
        assert not y.any()
        assert x.grad.isfinite().all() and all(value.grad.isfinite().all() for value in raw.values())


def test_second_derivatives_are_refused(rng):
    processor, xs, raw = case(rng, "desk", 2, 50)
    (x,), raw = single(xs, raw)
    x.requires_grad_()
    (grad,) = torch.autograd.grad(processor(x, **raw).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        grad.sum().backward()


@torch.no_grad()
def test_a_smoother_of_another_class_is_heard_in_whole_signals_and_in_blocks(rng):
    processor = desk.Compressor(44100, smooth_type="iir")
    sizes = processor.parameter_size().items()
    raw = {key: torch.tensor(rng.normal(size=(3, *np.atleast_1d(size)))).float() for key, size in sizes}
    x = torch.tensor(rng.normal(size=(3, 2, 600))).float()
    state, outputs = None, []
    for block in x.split(100, -1):
        y, state = processor.stream(block, state=state, **raw)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, -1), processor(x, **raw), rtol=1e-4, atol=1e-5)


def test_other_signals_take_several_passes(rng):
    numbers = torch.tensor([[-3.0, -0.5, 2.0, 0.0]]).double()
    alpha = torch.full((1, 1), 0.9).double()
    x = torch.tensor(rng.normal(size=(1, 2, 50))).float()
    ramp = Ramp(1e-5, 1, numbers)
    assert follow(x, x, ramp, alpha, 10).shape == x.shape
    assert follow(x.double(), x.double(), ramp, alpha, 10) is None
    assert follow(x.expand(2, 2, 50), x.expand(2, 2, 50), ramp, alpha, 10) is None


@pytest.mark.parametrize(
    "change",
    [
        {"numbers": torch.zeros(2, 4)},
        {"numbers": torch.zeros(1, 4).double()},
        {"coefficients": torch.zeros(2, 2).double()},
        {"coefficients": torch.zeros(2, 3).double()},
        {"coefficients": torch.zeros(2, 1)},
        {"key": torch.zeros(2, 1, 9)},
        {"key": torch.zeros(3, 1, 8)},
        {"x": torch.zeros(2, 2, 8).double()},
        {"taps": -1},
        {"taps": 0},
    ],
)
def test_the_operator_refuses_what_does_not_fit(change):
    arguments = {
        "x": torch.zeros(2, 2, 8),
        "key": torch.zeros(2, 1, 8),
        "numbers": torch.zeros(2, 4).double(),
        "coefficients": torch.zeros(2, 1).double(),
        "taps": 5,
    }
    options = (1e-5, 1, True, True)
    torch.ops.grafx.followed(*arguments.values(), *options)
    with pytest.raises(ParameterError):
        torch.ops.grafx.followed(*(arguments | change).values(), *options)
