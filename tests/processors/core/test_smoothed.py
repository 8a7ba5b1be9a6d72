"""Smoothing of blocks with a truncated response, and gains by static curves."""

from functools import partial

import numpy as np
import pytest
import torch
from grafx.processors import Compressor, NoiseGate
from grafx.processors.core.recursion import onepole
from grafx.processors.core.smoothed import Ramp, follow_ballistics, smooth_block
from grafx.processors.desk import Expander
from grafx.processors.dynamics import Limiter
from grafx.processors.errors import ParameterError

TAPS = 700


def case(rng, dtype=torch.float64, length=3000):
    u = torch.tensor(rng.uniform(size=(2, 3, length)), dtype=dtype)
    alpha = torch.tensor([[0.9], [0.9995]], dtype=torch.float64)
    smooth = partial(smooth_block, alpha=alpha, forgotten=alpha**TAPS, taps=TAPS)
    return u, alpha, smooth


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("grad", [False, True])
def test_blocks_of_any_sizes_give_what_the_recursion_gives(rng, dtype, tolerance, grad):
    u, alpha, smooth = case(rng, dtype)
    state, outputs = None, []
    with torch.set_grad_enabled(grad):
        for block in u.split([64, 0, 1, 800, 64, 2071], -1):
            y, state = smooth(block, state=state)
            outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, -1), onepole(u, alpha, taps=TAPS), rtol=0, atol=tolerance)


def test_the_gradient_flows_through_states(rng):
    u, alpha, smooth = case(rng, length=1000)
    u.requires_grad_()
    state, total = None, 0
    for block in u.split(130, -1):
        y, state = smooth(block, state=state)
        total = total + y.square().sum()
    (expected,) = torch.autograd.grad(onepole(u, alpha, taps=TAPS).square().sum(), u)
    torch.testing.assert_close(torch.autograd.grad(total, u)[0], expected)


@torch.no_grad()
def test_states_stay_as_they_are_and_are_refused_elsewhere(rng):
    u, alpha, smooth = case(rng)
    expected = onepole(u, alpha, taps=TAPS)
    states = [None]
    for block in u.split(64, -1):
        states.append(smooth(block, state=states[-1])[1])
    for index in (0, 5, 30, 6):
        other, _ = smooth(-u[..., :64], state=states[index])
        y, _ = smooth(u[..., 64 * index : 64 * index + 900], state=states[index])
        torch.testing.assert_close(y, expected[..., 64 * index : 64 * index + 900])
        assert not torch.allclose(other, y[..., :64])
    present, before, written, place, last = states[1]
    broken = [(), "state", (present, before, written[:0], place, last), (present, before, written, -1, last)]
    broken += [(present[..., 1:], before, written, place, last), (present, before, written, place, last[:1])]
    for state, block in [*((state, u) for state in broken), (states[1], u[:1])]:
        with pytest.raises(ParameterError, match="does not fit the block"):
            smooth(block, state=state)


MADE = {
    "compressor": Compressor,
    "hard": partial(Compressor, knee="hard"),
    "exponential": partial(Compressor, knee="exponential"),
    "desk": partial(Compressor, style="desk"),
    "ballistics": partial(Compressor, energy_smoother="ballistics"),
    "no smoother": partial(Compressor, energy_smoother=None),
    "gain smoother": partial(Compressor, gain_smoother="iir"),
    "makeup": partial(Compressor, makeup=True),
    "sidechain": partial(Compressor, sidechain=True),
    "gate": NoiseGate,
    "hard gate": partial(NoiseGate, knee="hard"),
    "desk gate": partial(NoiseGate, style="desk"),
    "expander": Expander,
    "limiter": Limiter,
    "limiter ahead": partial(Limiter, lookahead_ms=1.0, smooth_type="ballistics"),
}


def raw_of(rng, processor, dtype=torch.float64):
    sizes = processor.parameter_size().items()
    return {key: torch.tensor(rng.normal(size=(3, *np.atleast_1d(size))), dtype=dtype) for key, size in sizes}


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 2e-4), (torch.float64, 1e-9)])
@pytest.mark.parametrize("name", MADE)
@torch.no_grad()
def test_gains_in_small_blocks_are_those_of_the_whole(rng, name, dtype, tolerance):
    processor = MADE[name]()
    raw = raw_of(rng, processor, dtype)
    ahead = processor.latency_samples
    level = torch.logspace(-3, 1, 900 + ahead, dtype=torch.float64)
    xs = [(level * torch.tensor(rng.normal(size=(3, c, 900 + ahead)))).to(dtype) for c in (2, 1)]
    xs = xs[: len(processor.inlets)]
    state, outputs = None, []
    for start in range(0, 900 + ahead, 90):
        y, state = processor.stream(*(x[..., start : start + 90] for x in xs), state=state, **raw)
        outputs.append(y)
    torch.testing.assert_close(
        torch.cat(outputs, -1)[..., ahead:], processor(*xs, **raw)[..., :900], rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("name", ["compressor", "ballistics", "desk gate", "sidechain"])
@pytest.mark.parametrize("iir_len", [50, 16384])
@torch.no_grad()
def test_one_pass_goes_on_from_the_states_of_several_and_they_from_its(rng, name, iir_len):
    options = {} if name == "ballistics" or "desk" in name else {"iir_len": iir_len}
    processor = MADE[name](**options)
    raw = raw_of(rng, processor, torch.float32)
    xs = [torch.tensor(rng.normal(size=(3, c, 800)), dtype=torch.float32) for c in (2, 1)][: len(processor.inlets)]
    whole, state, outputs = processor(*xs, **raw), None, []
    for start in range(0, 800, 100):
        with torch.set_grad_enabled(start % 200 == 0):  # what is to be differentiated takes several passes
            y, state = processor.stream(*(x[..., start : start + 100] for x in xs), state=state, **raw)
        outputs.append(y)
    torch.testing.assert_close(torch.cat(outputs, -1), whole, rtol=2e-4, atol=2e-4)


@torch.no_grad()
def test_one_pass_is_of_signals_in_any_layout_and_refuses_states_of_others(rng):
    processor = MADE["ballistics"]()
    raw = raw_of(rng, processor, torch.float32)
    x = torch.tensor(rng.normal(size=(3, 128, 2)), dtype=torch.float32).mT
    y, state = processor.stream(x, **raw)
    torch.testing.assert_close(y, processor(x, **raw), rtol=2e-4, atol=2e-4)
    silent, after = processor.stream(x[..., :0], state=state, **raw)
    assert silent.shape == (3, 2, 0)
    torch.testing.assert_close(after["memory"], state["memory"])
    held = {**state, "memory": {**state["memory"], "last output": torch.zeros(2, dtype=torch.float64)}}
    with pytest.raises(ParameterError, match="not that of 3 signals"):
        processor.stream(x, state=held, **raw)


@torch.no_grad()
def test_a_class_with_a_curve_of_its_own_keeps_it(rng):
    class Half(Compressor):
        def log_gain(self, level, threshold, raw):
            return torch.full_like(level, -np.log(2))

    class Loud(Compressor):
        def level(self, energy):
            return super().level(energy) + 100

    x = torch.tensor(rng.normal(size=(1, 2, 64)))
    for processor in (Half(), Loud()):
        raw = {key: torch.zeros(1, size, dtype=torch.float64) for key, size in processor.parameter_size().items()}
        torch.testing.assert_close(processor.stream(x, **raw)[0], processor(x, **raw))


@torch.no_grad()
def test_kernels_take_a_row_of_each_for_each_signal():
    x, one = torch.rand(3, 2, 50), torch.rand(3, 1, dtype=torch.float64)
    numbers = torch.rand(3, 4, dtype=torch.float64)
    for ramp, coefficients in [(numbers[:1], (one, one)), (numbers, (one[:1], one)), (numbers[:, :3], (one, one))]:
        with pytest.raises(ParameterError, match="a row for each signal"):
            follow_ballistics(x, x, Ramp(1e-5, 1, ramp), coefficients, None)
