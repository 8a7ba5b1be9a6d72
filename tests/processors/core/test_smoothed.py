"""Smoothing of blocks with a truncated response, and gains by static curves."""

from functools import partial

import numpy as np
import pytest
import torch
from grafx.processors import Compressor, NoiseGate
from grafx.processors.core.recursion import onepole
from grafx.processors.core.smoothed import smooth_block
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


@pytest.mark.parametrize("name", MADE)
@torch.no_grad()
def test_gains_in_small_blocks_are_those_of_the_whole(rng, name):
    processor = MADE[name]()
    raw = {
        key: torch.tensor(rng.normal(size=(3, *np.atleast_1d(size))), dtype=torch.float64)
        for key, size in processor.parameter_size().items()
    }
    ahead = processor.latency_samples
    level = torch.logspace(-3, 1, 900 + ahead, dtype=torch.float64)
    xs = [level * torch.tensor(rng.normal(size=(3, c, 900 + ahead))) for c in (2, 1)][: len(processor.inlets)]
    state, outputs = None, []
    for start in range(0, 900 + ahead, 90):
        y, state = processor.stream(*(x[..., start : start + 90] for x in xs), state=state, **raw)
        outputs.append(y)
    torch.testing.assert_close(
        torch.cat(outputs, -1)[..., ahead:], processor(*xs, **raw)[..., :900], rtol=1e-9, atol=1e-9
    )


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
