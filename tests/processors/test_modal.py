import math

import numpy as np
import pytest
import torch
from grafx.processors.base import ParameterError
from grafx.processors.synth.modal import ModalResonators
from scipy.signal import lfilter
from torch.autograd import gradcheck

RATE = 44100
MODES = {
    "frequency_hz": (50.0, 250.0, 1234.5, 9000.0),
    "decay_ms": (900.0, 50.0, 3.0, 20.0),
    "gain_db": (-20.0, 0.0, 6.0, -3.0),
    "phase_deg": (0.0, 90.0, -120.0, 33.0),
}


def doubles(values):
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


def response(frequency_hz, decay_ms, gain_db, phase_deg, length):
    """Of one mode."""
    t = np.arange(length) / RATE
    envelope = 10 ** (gain_db / 20 - 3 * t * 1000 / decay_ms)
    return envelope * np.sin(2 * np.pi * frequency_hz * t + np.deg2rad(phase_deg))


def impulse(length, dtype=torch.float64):
    x = torch.zeros(1, 1, length, dtype=dtype)
    x[..., :1] = 1
    return x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [0, 1, 2, 44101])
def test_the_impulse_response_is_that_of_the_formula(dtype, length):
    processor = ModalResonators(4)
    raw = processor.dsp_to_raw(doubles(MODES))  # what single precision makes of a frequency is another matter
    y = processor(impulse(length, dtype), **raw)
    assert y.dtype == dtype and y.shape == (1, 1, length)
    expected = sum(response(*mode, length) for mode in zip(*MODES.values(), strict=True))
    np.testing.assert_allclose(y[0, 0], expected, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-10)


def test_each_mode_is_a_filter_of_scipy(rng):
    x = rng.normal(size=(1, 2, 3001))
    expected = np.zeros_like(x)
    for mode in zip(*MODES.values(), strict=True):
        h = response(*mode, 3)
        a = [
            1,
            -2 * 10 ** (-3000 / mode[1] / RATE) * math.cos(2 * math.pi * mode[0] / RATE),
            10 ** (-6000 / mode[1] / RATE),
        ]
        b = np.convolve(a, h)[:2]
        expected += lfilter(b, a, x)
    y = ModalResonators(4)(torch.tensor(x), dsp_params=doubles(MODES))
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-9)


def test_a_mode_rings_where_it_is_tuned_to_and_dies_away_in_its_time():
    values = {"frequency_hz": 440.0, "decay_ms": 500.0}
    y = ModalResonators(1)(impulse(RATE, torch.float32), dsp_params=values)[0, 0]
    assert torch.fft.rfft(y).abs().argmax() == 440
    early, late = (y[n : n + 200].abs().max() for n in (0, RATE // 2))
    assert abs(20 * torch.log10(late / early) + 60) < 0.1


def test_rows_and_channels_ring_apart(rng):
    x = torch.tensor(rng.normal(size=(3, 2, 500)))
    processor = ModalResonators(2)
    raw = {name: torch.tensor(rng.normal(size=(3, 2))) for name in processor.parameter_size()}
    together = processor(x, **raw)
    for row in range(3):
        for channel in range(2):
            alone = processor(x[row : row + 1, channel : channel + 1], **{n: p[row : row + 1] for n, p in raw.items()})
            torch.testing.assert_close(alone[0, 0], together[row, channel])


def test_gradients(rng):
    processor = ModalResonators(3, sample_rate=2000)
    raw = {name: torch.tensor(rng.normal(size=(2, 3)), requires_grad=True) for name in processor.parameter_size()}
    x = torch.tensor(rng.normal(size=(2, 2, 20)), requires_grad=True)
    assert gradcheck(lambda x, *p: processor(x, *p), (x, *raw.values()))


@pytest.mark.parametrize("value", [-1e30, -100.0, 100.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_modes_are_stable_whatever_the_raw_values(value, dtype):
    processor = ModalResonators(2)
    for name in processor.parameter_size():
        raw = {n: torch.full((1, 2), value * (n == name), requires_grad=True) for n in processor.parameter_size()}
        y = processor(impulse(5000, dtype), **raw)
        bound = 2 * math.exp(30) if name == "log_gain" else 2.001
        assert y.isfinite().all() and y.abs().max() <= bound
        gradients = torch.autograd.grad(y.sum(), raw.values())
        assert all(g.isfinite().all() for g in gradients)
    sections = processor._sections(*(torch.full((1, 2), value) for _ in raw))
    assert (sections[..., 5] < 1).all() and processor.tail_samples(**raw) >= 0


def test_blocks_keep_long_modes_in_tune():
    processor = ModalResonators(1)
    values = {"frequency_hz": 30.0, "decay_ms": 20000.0}
    x = impulse(RATE, torch.float32)
    state, blocks = None, []
    for block in x.split(441, -1):
        y, state = processor.stream(block, state=state, dsp_params=values)
        blocks.append(y)
    torch.testing.assert_close(torch.cat(blocks, -1), processor(x, dsp_params=values), rtol=0, atol=1e-6)


def test_controls():
    processor = ModalResonators(8, sample_rate=3000)
    frequencies = processor.norm_to_dsp(processor.dsp_to_norm({}))["frequency_hz"][0]
    torch.testing.assert_close(frequencies, torch.tensor([200.0, 400, 600, 800, 1000, 1200, 1400, 1470]))
    with pytest.raises(ParameterError, match="num_modes must be at least 1, not 0"):
        ModalResonators(0)
    with pytest.raises(ParameterError, match=r"decay_ms is 0\.5"):
        ModalResonators(2)(impulse(4), dsp_params={"decay_ms": 0.5})


@torch.no_grad()
def test_a_sound_makes_modes_as_loud_at_every_sample_rate():
    levels = []
    for rate in (22050, 44100, 48000, 96000):
        t = torch.arange(rate // 2, dtype=torch.float64) / rate
        x = torch.sin(2 * math.pi * 440 * t) * torch.exp(-t / 0.05)
        y = ModalResonators(2, sample_rate=rate)(x[None, None], dsp_params={"frequency_hz": (300.0, 800.0)})
        levels.append(10 * math.log10(y.square().mean()))
    assert max(levels) - min(levels) < 0.1


@torch.no_grad()
def test_what_rings_goes_on_as_loud_when_the_pitch_changes():
    processor = ModalResonators(1)
    _, state = processor.stream(impulse(500), dsp_params={"frequency_hz": 300.0, "decay_ms": 20000.0})
    for pitch in (3000.0, 100.0, 300.0):
        y, state = processor.stream(
            torch.zeros(1, 1, 2000, dtype=torch.double),
            state=state,
            dsp_params={"frequency_hz": pitch, "decay_ms": 20000.0},
        )
        assert abs(y.abs().max() - 1) < 0.08
