from fractions import Fraction

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.phase import _numba as _phase_numba
from grafx.processors.core.phase import _torch as _phase_torch
from grafx.processors.core.phase import running_phase
from torch.autograd import gradcheck

DOUBLE = torch.float64
SAMPLE_RATE = 44100
HOUR = 3600 * SAMPLE_RATE
FREQUENCIES = [0.0, 20.0, 440.1, 19999.99, 22050.0, 30000.0, 1e7, -0.01, -1234.5]


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def distance(phase, exact):
    """Cycles between a phase and an exact fraction."""
    off = Fraction(phase) - exact
    return abs(float(off - round(off)))


def constant(frequency, length, dtype=torch.float32, initial=None):
    return running_phase(torch.tensor(frequency, dtype=DOUBLE), SAMPLE_RATE, torch.zeros(1, dtype=dtype), length,
                         initial=initial)  # fmt: skip


@pytest.mark.parametrize("frequency", FREQUENCIES)
def test_constant_frequencies_give_exact_multiples(frequency):
    phase, final = constant(frequency, 1000, DOUBLE)
    exact = [n * Fraction(frequency) / SAMPLE_RATE for n in range(1001)]
    errors = [distance(p, e) for p, e in zip([*phase.tolist(), final.item()], exact, strict=True)]
    assert max(errors) <= 1000 * 2**-53 * max(1, abs(frequency) / SAMPLE_RATE)
    assert phase.abs().max() <= 0.5


@pytest.mark.parametrize("frequency", [19999.99, 440.1, -3.7])
def test_an_hour_does_not_drift(frequency):
    """In blocks, as signals in single precision, against exact integers."""
    block, state, rate = 2**21, None, Fraction(frequency) / SAMPLE_RATE
    for start in range(0, HOUR, block):
        phase, state = constant(frequency, min(block, HOUR - start), initial=state)
        for n in (0, len(phase) // 2, -1):
            assert distance(phase[n].item(), (start + n % len(phase)) * rate) < 1e-6
    assert distance(state.item(), HOUR * rate) < 2e-8


def test_an_hour_of_a_signal_does_not_drift():
    """A frequency that comes as a signal in single precision: 20 kHz, of which a third is in the signal."""
    block, state = 2**21, None
    base, third = 13333.25, torch.full((1, block), 6666.75)
    rate = (Fraction(base) + Fraction(third[0, 0].item())) / SAMPLE_RATE
    for start in range(0, HOUR, block):
        length = min(block, HOUR - start)
        phase, state = running_phase(torch.tensor([base]), SAMPLE_RATE, torch.zeros(1, 1), length, third[:, :length],
                                     state)  # fmt: skip
        assert distance(phase[0, -1].item(), (start + length - 1) * rate) < 1e-6
    assert distance(state.item(), HOUR * rate) < 2e-8


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_frequencies_that_move_are_summed(dtype):
    frequency, modulation = torch.tensor([440.0, -3e4], dtype=DOUBLE), 1e4 * torch.randn(2, 700, dtype=dtype)
    offset = torch.randn(2, 700, dtype=dtype)
    phase, final = running_phase(frequency, 48000, offset, 700, modulation)
    steps = (frequency.numpy()[:, None] + modulation.double().numpy()) / 48000
    sums = np.concatenate([np.zeros((2, 1)), steps.cumsum(1)], 1)
    off = phase.double().numpy() - (offset.double().numpy() + sums[:, :-1])
    assert phase.dtype == dtype and final.dtype == DOUBLE
    assert np.abs(off - off.round()).max() < (1e-6 if dtype == torch.float32 else 1e-12)
    assert np.abs((final.numpy() - sums[:, -1] + 0.5) % 1 - 0.5).max() < 1e-12


@pytest.mark.parametrize("moving", [False, True])
def test_blocks_of_any_sizes_give_the_same_bits(moving):
    frequency = torch.tensor([[440.1], [12345.678]], dtype=DOUBLE)
    modulation = 5000 * torch.randn(2, 3, 1000) if moving else None
    whole, final = running_phase(frequency, SAMPLE_RATE, torch.rand(2, 1, 1), 1000, modulation)
    torch.manual_seed(0)
    if moving:
        torch.randn(2, 3, 1000)
    offset, state, blocks = torch.rand(2, 1, 1), None, []
    for start, stop in ((0, 0), (0, 1), (1, 400), (400, 400), (400, 999), (999, 1000)):
        part = modulation[..., start:stop] if moving else None
        block, state = running_phase(frequency, SAMPLE_RATE, offset, stop - start, part, state)
        blocks.append(block)
    assert torch.equal(torch.cat(blocks, -1), whole)
    assert torch.equal(state, final)


def test_a_signal_of_zeros_changes_no_bit():
    frequency, offset = torch.rand(3, dtype=DOUBLE) * 2e4, torch.rand(3, 1)
    for plain, modulated in zip(
        running_phase(frequency, SAMPLE_RATE, offset, 500),
        running_phase(frequency, SAMPLE_RATE, offset, 500, torch.zeros(3, 500)),
        strict=True,
    ):
        assert torch.equal(plain, modulated)


@pytest.mark.parametrize("length", [0, 1, 700])
@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_plain_torch_gives_the_same_bits(length, moving, dtype):
    modulation = 1e5 * torch.randn(3, length if moving else 0, dtype=dtype)
    offset = torch.randn(3, length if moving else 1, dtype=dtype)
    frequency, initial = 1e5 * torch.randn(3, dtype=DOUBLE), torch.rand(3, dtype=DOUBLE) - 0.5
    arguments = frequency, modulation, offset, initial, 44100.0, length
    compiled, plain = (module.phase(*arguments) for module in (_phase_numba, _phase_torch))
    assert all(map(torch.equal, compiled, plain))
    arguments = torch.randn(3, length, dtype=dtype), torch.randn(3, dtype=DOUBLE), modulation, 44100.0
    compiled, plain = (module.phase_backward(*arguments) for module in (_phase_numba, _phase_torch))
    torch.testing.assert_close(compiled, plain)


@pytest.mark.parametrize("moving", [False, True])
def test_gradients(moving):
    """Also to the phase at the beginning, and through the one at the end, so that they cross the borders of blocks."""

    def run(frequency, offset, initial, *modulation):
        phase, final = running_phase(50 * frequency, 100.0, offset, 9, *(modulation or [None]), initial=initial)
        return torch.sin(2 * torch.pi * phase), torch.cos(2 * torch.pi * final)

    shapes = [(3,), (2, 1, 9) if moving else (2, 1, 1), (2, 1), *([(2, 3, 9)] if moving else [])]
    assert gradcheck(run, [torch.rand(shape, dtype=DOUBLE, requires_grad=True) for shape in shapes])


def test_gradients_cross_the_borders_of_blocks():
    frequency = torch.tensor([123.4], dtype=DOUBLE, requires_grad=True)
    offset, weights = torch.zeros(1, 1, dtype=DOUBLE), torch.randn(1, 60, dtype=DOUBLE)
    whole, _ = running_phase(frequency, 1000, offset, 60)
    first, state = running_phase(frequency, 1000, offset, 25)
    second, _ = running_phase(frequency, 1000, offset, 35, initial=state)
    gradients = [
        torch.autograd.grad((phase * weights).sum(), frequency)[0] for phase in (whole, torch.cat([first, second], -1))
    ]
    torch.testing.assert_close(*gradients)


def test_wrong_arguments_are_refused():
    frequency, offset = torch.ones(2), torch.zeros(2, 1)
    with pytest.raises(ParameterError, match=r"offset must be of shape \(\.\.\., 5 or 1\) .* not \(2, 4\)"):
        running_phase(frequency, 44100, torch.zeros(2, 4), 5)
    with pytest.raises(ParameterError, match=r"modulation must be of shape \(\.\.\., 5 or 0\) .* not \(2, 1\)"):
        running_phase(frequency, 44100, offset, 5, torch.zeros(2, 1))
    with pytest.raises(ParameterError, match=r"must be float32 or float64, not torch\.float16"):
        running_phase(frequency, 44100, offset.half(), 5)
