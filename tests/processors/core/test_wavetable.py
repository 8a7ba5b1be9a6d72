import math

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.core.wavetable import Wavetable, harmonic_counts
from grafx.processors.core.wavetable import _numba as _wavetable_numba
from grafx.processors.core.wavetable import _torch as _wavetable_torch
from torch.autograd import gradcheck

DOUBLE = torch.float64
FADE = 2 ** (1 / 12) - 1


@pytest.fixture(autouse=True)
def fixed_seed():
    torch.manual_seed(0)


def random_series(num_tables, num_harmonics, slope=1.0):
    series = torch.randn(num_tables, num_harmonics + 1, dtype=torch.complex128)
    return series / torch.arange(1, num_harmonics + 2) ** slope


def gains(increment, num_harmonics):
    """Gains as documented."""
    counts = np.array(harmonic_counts(num_harmonics))
    highest = counts[np.searchsorted(counts, np.arange(1, num_harmonics + 1))]
    x = np.clip((0.5 / abs(increment) / highest - 1) / FADE, 0, 1)
    return np.concatenate([[1.0], 3 * x**2 - 2 * x**3])


def summed(series, phase, increment):
    """The Fourier series of the documentation."""
    k = np.arange(series.shape[-1])
    waves = np.exp(2j * np.pi * k * np.asarray(phase)[:, None])
    return (waves @ (series.numpy() * gains(increment, len(k) - 1))).real


@pytest.mark.parametrize("num_harmonics", [0, 1, 7, 300])
@pytest.mark.parametrize("increment", [1e-5, 0.0021, -0.03, 0.11, 0.2, 0.249, 0.48, 0.5, 3.0])
def test_waveforms_are_sums_of_the_harmonics_that_there_is_room_for(num_harmonics, increment):
    series, phase = random_series(1, num_harmonics), torch.linspace(-0.5, 0.5, 999, dtype=DOUBLE)
    y = Wavetable(series)(phase[None], torch.tensor([[increment]]).double())
    expected = summed(series[0], phase, increment)
    assert np.abs(y[0].numpy() - expected).max() < 2e-5 * series.abs().sum().item()


def test_harmonics_are_kept_up_to_two_semitones_below_half_the_sample_rate():
    for increment in np.geomspace(1e-3, 0.45, 200):
        k, g = np.arange(1025), gains(increment, 1024)
        assert (g[k * increment <= 0.5 * 2 ** (-2 / 12)] == 1).all()
        assert (g[k * increment >= 0.5] == 0).all()


def test_groups_are_a_semitone_apart_or_one():
    for highest in (0, 1, 2, 16, 17, 18, 100, 1023, 1024):
        counts = harmonic_counts(highest)
        assert counts[0] == 0 and counts[-1] == highest
        ratios = np.array(counts[2:]) / np.array(counts[1:-1])
        assert (ratios >= 1 + FADE).all()
        assert all(step == 1 or ratio < 1.13 for step, ratio in zip(np.diff(counts[1:]), ratios, strict=True))


def test_phases_turn_round():
    table, increment = Wavetable(random_series(1, 20)), torch.tensor([0.01], dtype=DOUBLE)
    phase = torch.rand(100, dtype=DOUBLE) - 0.5
    for turns in (1, -1, 1000):
        torch.testing.assert_close(table(phase + turns, increment), table(phase, increment), rtol=0, atol=1e-10)
    ends = table(torch.tensor([-0.5, 0.5], dtype=DOUBLE), increment)
    torch.testing.assert_close(ends[0], ends[1])


def test_positions_lead_from_waveform_to_waveform():
    series, phase = random_series(3, 12), torch.rand(50, dtype=DOUBLE) - 0.5
    several, increment = Wavetable(series), torch.tensor([0.013], dtype=DOUBLE)
    one = [Wavetable(series[i : i + 1])(phase, increment) for i in range(3)]
    for position, expected in [
        (-1.0, one[0]),
        (0.0, one[0]),
        (0.25, 0.75 * one[0] + 0.25 * one[1]),
        (1.0, one[1]),
        (1.5, (one[1] + one[2]) / 2),
        (2.0, one[2]),
        (7.0, one[2]),
    ]:
        torch.testing.assert_close(several(phase, increment, torch.tensor([position], dtype=DOUBLE)), expected)
    sweep = torch.linspace(-0.5, 2.5, 50, dtype=DOUBLE)
    expected = [np.interp(p, range(3), [wave[n] for wave in one]) for n, p in enumerate(sweep)]
    torch.testing.assert_close(several(phase, increment, sweep), torch.tensor(np.array(expected)))


def test_all_is_smooth_over_the_increment():
    """Across the borders of groups, values and slopes are continuous."""
    table, phase = Wavetable(random_series(1, 64)), torch.full((4001,), 0.123, dtype=DOUBLE)
    increment = torch.linspace(0.02, 0.03, 4001, dtype=DOUBLE, requires_grad=True)
    y = table(phase, increment)
    (slope,) = torch.autograd.grad(y.sum(), increment)
    measured = np.gradient(y.detach().numpy(), increment.detach().numpy())
    np.testing.assert_allclose(slope[1:-1], measured[1:-1], atol=0.01 * slope.abs().max())


@pytest.mark.parametrize("num_tables", [1, 3])
@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("length", [0, 1, 300])
def test_plain_torch_agrees(num_tables, varying, dtype, length):
    table = Wavetable(random_series(num_tables, 40))
    phase, grad = torch.randn(2, 5, length, dtype=dtype)
    increment = torch.randn(5, length if varying else 1, dtype=dtype) * 0.1
    position = num_tables * torch.rand(5, length if varying else 1, dtype=dtype) - 0.3
    arguments = phase, increment, position, table.tables, table.harmonics, table.levels, table.starts
    compiled, plain = (module.lookup(*arguments) for module in (_wavetable_numba, _wavetable_torch))
    torch.testing.assert_close(compiled, plain)
    compiled, plain = (module.lookup_backward(grad, *arguments) for module in (_wavetable_numba, _wavetable_torch))
    tolerance = {"rtol": 1e-4, "atol": 1e-3} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(compiled, plain, **tolerance)


@pytest.mark.parametrize("shape", [(30,), (1,)])
def test_gradients(shape):
    table = Wavetable(random_series(3, 9))
    phase = torch.rand(2, 3, 30, dtype=DOUBLE, requires_grad=True)
    increment = (0.03 + 0.4 * torch.rand(2, 1, *shape, dtype=DOUBLE)).requires_grad_()
    position = (3 * torch.rand(3, *shape, dtype=DOUBLE) - 0.5).requires_grad_()
    assert gradcheck(table, (phase, increment, position), eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0])
def test_what_is_no_number_reads_within_the_tables(value):
    table = Wavetable(random_series(2, 9))
    arguments = [torch.full((2, 4), 0.1, dtype=DOUBLE) for _ in range(3)]
    for i in range(3):
        changed = [torch.full_like(a, value) if j == i else a for j, a in enumerate(arguments)]
        y = table(*changed)
        assert y.isnan().all() == (math.isnan(value) or (math.isinf(value) and i == 0))
        plain = _wavetable_torch.lookup(*changed, table.tables, table.harmonics, table.levels, table.starts)
        torch.testing.assert_close(y, plain, equal_nan=True)


def test_wrong_arguments_are_refused():
    with pytest.raises(ParameterError, match=r"its shape is \(5,\)"):
        Wavetable(torch.zeros(5))
    table = Wavetable(random_series(1, 3))
    with pytest.raises(ParameterError, match=r"increment must be .* for phase \(2, 9\), not \(2, 8\)"):
        table(torch.zeros(2, 9), torch.zeros(2, 8))
    with pytest.raises(ParameterError, match="float16"):
        table(torch.zeros(2, 9).half(), torch.zeros(2, 9))
