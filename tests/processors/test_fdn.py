import math

import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors import FeedbackDelayNetwork
from grafx.processors.base import ParameterError
from grafx.processors.core.octaves import octave_centres

RATE = 16000


def responses(fdn, raw, seconds):
    """To an impulse on both channels."""
    x = torch.zeros(len(raw["log_decay"]), 2, int(seconds * fdn.sample_rate))
    x[..., 0] = 1
    return fdn(x, **raw).double().numpy()


def with_any_matrix(fdn, t60_s, rows=16):
    """So that what modes do by chance averages out."""
    raw = fdn.dsp_to_raw({"t60_s": torch.tensor([t60_s])}, rows, torch.zeros(0))
    torch.manual_seed(0)
    name = "skew" if "skew" in raw else "normal"
    return {**raw, name: raw[name] + torch.randn(raw[name].shape) / 2}


def reverberation_time(h, hertz, octaves):
    """Measure by Schroeder's integration of the energy in a band, between −5 and −25 dB."""
    edges = [hertz * 2 ** (-octaves / 2), min(hertz * 2 ** (octaves / 2), 0.49 * RATE)]
    band = scipy.signal.sosfilt(scipy.signal.butter(4, edges, "band", fs=RATE, output="sos"), h)
    energy = (band**2).reshape(-1, h.shape[-1]).sum(0)
    decay = np.cumsum(energy[::-1])[::-1]
    decay = 10 * np.log10(decay / decay[0] + 1e-30)
    first, last = np.argmax(decay < -5), np.argmax(decay < -25)
    slope, _ = np.polyfit(np.arange(first, last) / RATE, decay[first:last], 1)
    return -60 / slope


@pytest.mark.parametrize("matrix", ["exponential", "householder"])
@pytest.mark.parametrize(
    "t60_s", [[2.0, 1.8, 1.6, 1.4, 1.2, 1.05, 0.95], [1.0] * 7, [0.6, 0.7, 0.8, 1.0, 1.2, 1.4, 1.6]]
)
def test_octaves_decay_as_asked(matrix, t60_s):
    fdn = FeedbackDelayNetwork(matrix=matrix, sample_rate=RATE)
    h = responses(fdn, with_any_matrix(fdn, t60_s), 1.2 * max(t60_s))
    for hertz, seconds in list(zip(octave_centres(RATE), t60_s, strict=True))[1:]:
        assert reverberation_time(h, hertz, 1) == pytest.approx(seconds, rel=0.05)


@pytest.mark.parametrize("t60_s", [[2.0, 2, 2, 2, 1, 0.5, 0.25], [1.0, 2, 1, 2, 1, 2, 1], [0.4, 0.4, 0.4, 1, 2, 4, 4]])
def test_steep_differences_are_exact_in_the_middle_of_the_octaves(t60_s):
    """Where an octave filter would let the slower half of its band decide."""
    fdn = FeedbackDelayNetwork(sample_rate=RATE)
    h = responses(fdn, with_any_matrix(fdn, t60_s), 1.2 * max(t60_s))
    for hertz, seconds in list(zip(octave_centres(RATE), t60_s, strict=True))[2:]:
        assert reverberation_time(h, hertz, 1 / 3) == pytest.approx(seconds, rel=0.05)


def test_levels_are_those_of_the_bands_at_the_beginning():
    fdn = FeedbackDelayNetwork(sample_rate=RATE)
    raw, levels = with_any_matrix(fdn, [1.0] * 7, 1), torch.tensor([[6.0, 0, -6, 0, 3, -12, 0]])
    tone = fdn.dsp_to_raw({"level_db": levels}, 1, torch.zeros(0))["log_level"]
    flat, coloured = (responses(fdn, {**raw, "log_level": log_level}, 2) for log_level in (raw["log_level"], tone))
    ratio = np.abs(np.fft.rfft(coloured)) / np.abs(np.fft.rfft(flat))
    at = np.round(np.array(octave_centres(RATE)) * 2).astype(int)
    np.testing.assert_allclose(20 * np.log10(ratio[0, :, at].mean(1)), levels[0], atol=0.3)


@pytest.mark.parametrize("matrix", ["exponential", "householder"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_both_methods_give_the_same_sound_and_gradients(matrix, dtype):
    torch.manual_seed(0)
    options = {"num_lines": 6, "matrix": matrix, "sample_rate": RATE}
    fdns = [FeedbackDelayNetwork(method=method, **options) for method in ("recursive", "frequency")]
    x = torch.randn(2, 2, 5001, dtype=dtype)
    raw = {
        name: (0.5 * torch.randn(2, *((size,) if isinstance(size, int) else size), dtype=dtype)).requires_grad_()
        for name, size in fdns[0].parameter_size().items()
    }
    recursive, sampled = (fdn(x, **raw) for fdn in fdns)
    assert (recursive - sampled).abs().max() < 1e-4 * recursive.abs().max()
    gradients = [torch.autograd.grad(y.square().mean(), list(raw.values())) for y in (recursive, sampled)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4 * a.abs().max().item(), rtol=0)


@pytest.mark.parametrize("num_lines", [2, 3, 8, 12])
@pytest.mark.parametrize("matrix", ["exponential", "householder"])
@pytest.mark.parametrize("std", [0.0, 1.0, 100.0])
def test_matrices_are_orthogonal(num_lines, matrix, std):
    fdn = FeedbackDelayNetwork(num_lines, matrix, sample_rate=RATE)
    name, size = list(fdn.parameter_size().items())[-1]
    raw = std * torch.randn(3, size, generator=torch.Generator().manual_seed(0))
    found = fdn._matrix(**{"skew": None, "normal": None, name: raw})
    torch.testing.assert_close(found @ found.mT, torch.eye(num_lines).double().expand_as(found), atol=1e-9, rtol=0)


@pytest.mark.parametrize("t60_s", [[0.1] * 3 + [30.0] * 4, [0.1, 30.0] * 3 + [0.1], [30.0] + [0.1] * 6])
def test_the_steepest_settings_are_stable(t60_s):
    """No line rings more than twice as long as in the longest band."""
    fdn = FeedbackDelayNetwork(sample_rate=RATE)
    raw = fdn.dsp_to_raw({"t60_s": torch.tensor([t60_s])})
    for line, sections in zip(fdn.delays, fdn._losses(raw["log_decay"])[0], strict=True):
        _, h = scipy.signal.sosfreqz(sections.numpy(), 2**13)
        assert np.abs(h).max() < 10 ** (-3 * line / (RATE * 2.4 * max(t60_s))) < 1


def normalized_echo_density(h, window):
    """Echo density of Abel and Huang: samples outside of a standard deviation, relative to Gaussian noise."""
    weights = np.hanning(window) / np.hanning(window).sum()
    deviation = np.sqrt(np.convolve(h**2, weights, "valid"))
    share = [
        (weights * (np.abs(h[n : n + window]) > deviation[n])).sum() for n in range(0, len(deviation), window // 4)
    ]
    return np.array(share) / math.erfc(1 / math.sqrt(2))


def test_echoes_grow_dense():
    fdn = FeedbackDelayNetwork(sample_rate=44100)
    h = responses(fdn, fdn.dsp_to_raw({"t60_s": 2.0}, 1, torch.zeros(0)), 1.0)[0, 0]
    density = normalized_echo_density(h, 1024)
    early, middle, late = density[4:12].mean(), density[20:40].mean(), density[60:].mean()
    assert early < 0.4 < middle - 0.1 and middle < late and late > 0.9


def test_left_and_right_are_decorrelated_and_a_response_of_one_second_has_unit_energy():
    fdn = FeedbackDelayNetwork()
    x = torch.zeros(1, 2, 60000)
    x[:, 0, 0] = 1
    left, right = fdn(x, dsp_params={})[0]
    assert left.square().sum() == pytest.approx(1, abs=0.3) and right.square().sum() == pytest.approx(1, abs=0.3)
    assert abs(torch.dot(left, right)) < 0.1


def test_mono_is_heard_as_the_same_left_and_right():
    fdn, x = FeedbackDelayNetwork(4, sample_rate=RATE), torch.randn(2, 1, 3000)
    torch.testing.assert_close(fdn(x, dsp_params={}), fdn(x.expand(-1, 2, -1), dsp_params={}))


@pytest.mark.parametrize("method", ["recursive", "frequency"])
def test_nothing_is_heard_before_the_shortest_line(method):
    fdn = FeedbackDelayNetwork(3, method=method, delays=(50, 33, 70), sample_rate=RATE)
    x = torch.randn(2, 2, 200, dtype=torch.float64)
    raw = fdn.dsp_to_raw({}, 2, x)
    y = fdn(x, **raw)
    assert fdn.min_delay_samples(x, **raw) == 33
    assert y[..., :33].abs().max() < 1e-4 and y[..., 33].abs().min() > 1e-3


def test_lengths_are_primes_of_their_own():
    fdn = FeedbackDelayNetwork(5, delay_ms=(1.0, 1.0, 2.0, 0.1, 7), sample_rate=8000)
    assert fdn.delays == (11, 13, 17, 2, 59)
    assert FeedbackDelayNetwork(2, delays=(4, 4), sample_rate=8000).delays == (4, 4)
    default = np.array(FeedbackDelayNetwork().delays) / 44.1
    assert default[0] == pytest.approx(17, abs=0.5) and default[-1] == pytest.approx(61, abs=0.5)


@pytest.mark.parametrize("matrix", ["exponential", "householder"])
@pytest.mark.slow
def test_a_room_is_found_by_its_sound(matrix):
    """Its decay times, by gradient descent on the energies that bands still have at several times."""
    torch.manual_seed(0)
    fdn = FeedbackDelayNetwork(4, matrix, "frequency", sample_rate=2000)
    x = torch.zeros(1, 1, 2000)
    x[..., 0] = 1
    target = fdn.dsp_to_raw({"t60_s": torch.tensor([[0.8, 0.6, 0.4, 0.3]])}, 1, x)
    window = torch.hann_window(128)

    def picture(raw):
        return torch.stft(fdn(x, **raw)[0], 128, 64, window=window, return_complex=True).abs().clamp(min=1e-5).log()

    wanted = picture(target)
    raw = {**target, "log_decay": torch.zeros_like(target["log_decay"], requires_grad=True)}
    optimizer = torch.optim.Adam([raw["log_decay"]], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        loss = (picture(raw) - wanted).abs().mean()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(fdn.raw_to_dsp(raw)["t60_s"], fdn.raw_to_dsp(target)["t60_s"], rtol=0.03, atol=0)


def test_misuse_is_refused():
    for options, message in (
        ({"matrix": "random"}, "Unknown matrix 'random': use one of exponential, householder"),
        ({"method": "time"}, "Unknown method 'time'"),
        ({"num_lines": 1}, "num_lines must be at least 2, not 1"),
        ({"num_lines": 2, "delays": (3, 2.5)}, "delays must be 2 positive whole numbers of samples"),
        ({"num_lines": 2, "delay_ms": (3, 0)}, "delay_ms must be 2 positive times"),
        ({"num_lines": 2, "delay_ms": (3, 4), "delays": (3, 4)}, "either as delay_ms or as delays"),
        ({"sample_rate": 100}, "sample_rate must be at least 156.25 Hz"),
    ):
        with pytest.raises(ParameterError, match=message):
            FeedbackDelayNetwork(**options)
    fdn = FeedbackDelayNetwork(2, sample_rate=RATE)
    with pytest.raises(ParameterError, match=r"takes mono or stereo signals .* not \(1, 3, 9\)"):
        fdn(torch.zeros(1, 3, 9), dsp_params={})
    with pytest.raises(ParameterError, match="FeedbackDelayNetwork takes no normal with its options"):
        fdn(torch.zeros(1, 2, 9), normal=torch.zeros(1, 2), **fdn.dsp_to_raw({}))
