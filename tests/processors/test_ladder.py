import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from grafx.processors import LadderFilter
from grafx.processors.base import ParameterError
from grafx.processors.filter.ladder import MODES
from scipy.integrate import solve_ivp

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer, StreamRenderer

RATE, LENGTH = 48000, 2**14
NUMERATORS = {
    "low24": lambda s: 1,
    "low12": lambda s: (1 + s) ** 2,
    "band24": lambda s: 4 * s**2,
    "band12": lambda s: 2 * s * (1 + s) ** 2,
    "high24": lambda s: s**4,
    "high12": lambda s: s**2 * (1 + s) ** 2,
}


def response(processor, **values):
    impulse = torch.eye(1, LENGTH, dtype=torch.float64)[None] * 1e-9
    return np.fft.rfft(1e9 * processor(impulse, dsp_params=values)[0, 0].numpy())


@pytest.mark.parametrize("saturate", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hertz, resonance", [(200.0, 0.0), (1000.0, 0.6), (12000.0, 0.95)])
def test_quiet_sounds_have_the_published_response(hertz, resonance, mode, saturate):
    processor = LadderFilter(mode, saturate, RATE)
    found = response(processor, frequency_hz=hertz, resonance=resonance)[1:-1]
    w = np.linspace(0, np.pi, LENGTH // 2 + 1)[1:-1]
    s = 1j * np.tan(w / 2) / math.tan(math.pi * hertz / RATE)
    expected = NUMERATORS[mode](s) / ((1 + s) ** 4 + 4 * resonance)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * abs(expected).max())


def test_resonates_at_its_cutoff():
    h = abs(response(LadderFilter(sample_rate=RATE), frequency_hz=3000.0, resonance=0.99))
    assert abs(h.argmax() - 3000 * LENGTH / RATE) < 5  # 0.5 %
    np.testing.assert_allclose(20 * np.log10(h[0]), -20 * np.log10(1 + 4 * 0.99), atol=1e-3)


@pytest.mark.parametrize("raw", [-1e9, -30.0, 0.0, 30.0, 1e9])
def test_without_saturation_it_is_stable_whatever_the_raw_parameters_are(raw):
    processor = LadderFilter()
    w0 = torch.linspace(-20, 20, 9, dtype=torch.float64)[:, None]
    _, a = processor.sections(w0, torch.full_like(w0, raw))
    a = a / a[..., :1]
    assert (a[..., 2] < 1).all() and (a[..., 1].abs() < 1 + a[..., 2]).all()


def test_saturates_as_the_circuit_does():
    """The differential equation, at so low frequencies that the trapezoidal rule hardly matters."""
    hertz, k, drive, rate = 300.0, 3.0, 4.0, 192000
    cutoff = 2 * math.pi * hertz

    def sound(t):
        return math.sin(2 * math.pi * 110 * t) + 0.5 * math.sin(2 * math.pi * 290 * t)

    def slopes(t, y):
        inputs = math.tanh(drive * sound(t) - k * y[3]), *y[:3]
        return [cutoff * (u - y_i) for u, y_i in zip(inputs, y, strict=True)]

    times = np.arange(3000) / rate
    expected = solve_ivp(slopes, (0, times[-1]), [0] * 4, t_eval=times, rtol=1e-8, atol=1e-9).y[3] / drive
    x = torch.tensor([sound(t) for t in times], dtype=torch.float64)[None, None]
    values = {"frequency_hz": hertz, "resonance": k / 4, "drive_db": 20 * math.log10(drive)}
    y = LadderFilter(saturate=True, sample_rate=rate)(x, dsp_params=values)[0, 0]
    assert np.linalg.norm(y.numpy() - expected) < 1e-3 * np.linalg.norm(expected)


def test_oscillates_by_itself_at_its_cutoff_and_stays_within_bounds():
    x = torch.eye(1, 2 * LENGTH, dtype=torch.float64)[None]
    y = LadderFilter(saturate=True, sample_rate=RATE)(x, dsp_params={"frequency_hz": 1500.0, "resonance": 1.05})[0, 0]
    late = y[LENGTH:]
    assert 0.05 < late.abs().max() < 1
    spectrum = torch.fft.rfft(late * torch.hann_window(LENGTH, dtype=torch.float64)).abs()
    assert abs(spectrum.argmax().item() * RATE / LENGTH - 1500) < 0.01 * 1500


def test_drive_distorts_but_leaves_quiet_sounds():
    processor = LadderFilter(saturate=True, sample_rate=RATE)
    quiet = [response(processor, drive_db=drive, frequency_hz=2000.0) for drive in (0.0, 40.0)]
    np.testing.assert_allclose(quiet[1], quiet[0], atol=1e-6)
    sine = torch.sin(2 * math.pi * 375 / RATE * torch.arange(LENGTH, dtype=torch.float64))[None, None]
    third = []
    for drive in (-20.0, 0.0, 20.0):
        y = processor(sine, dsp_params={"drive_db": drive, "frequency_hz": 5000.0, "resonance": 0.2})[0, 0, 4096:]
        spectrum = torch.fft.rfft(y[:8192]).abs()
        third.append((spectrum[192] / spectrum[64]).item())
    assert third[0] < 1e-3 < third[1] < third[2]


@pytest.mark.parametrize("saturate", [False, True])
def test_renders_and_streams_in_a_graph(saturate, rng):
    processors = {"ladder": LadderFilter(saturate=saturate)}
    values = {"frequency_hz": 700.0, "resonance": 0.8}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    for pair in pairwise((G.add("in"), G.add("ladder", parameters=values), G.add("out"))):
        G.connect(*pair)
    x = torch.from_numpy(rng.standard_normal((1, 2, 500))).float()
    expected = processors["ladder"](x, dsp_params=values)
    torch.testing.assert_close(Renderer(G, processors)(x), expected)
    stream = StreamRenderer(G, processors)
    blocks = [stream(block) for block in x.split([123, 0, 377], -1)]
    torch.testing.assert_close(torch.cat([*blocks, stream.finish(tail=False)], -1), expected, rtol=1e-5, atol=1e-6)


def test_what_does_not_fit_is_refused_by_name():
    with pytest.raises(ParameterError, match="Unknown mode 'low18'"):
        LadderFilter("low18")
    with pytest.raises(ParameterError, match="takes no log_drive"):
        LadderFilter()(torch.zeros(1, 1, 9), *[torch.zeros(1, 1)] * 3)
    with pytest.raises(ParameterError, match="needs log_drive"):
        LadderFilter(saturate=True)(torch.zeros(1, 1, 9), *[torch.zeros(1, 1)] * 2)
    with pytest.raises(ParameterError, match=r"resonance is 1\.2"):
        LadderFilter(saturate=True)(torch.zeros(1, 1, 9), dsp_params={"resonance": 1.2})
