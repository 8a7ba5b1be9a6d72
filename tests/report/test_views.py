import json
import math

import grafx.processors as library
import numpy as np
import pytest
import scipy.signal
import torch
from grafx.processors.base import ParameterError
from nodes_alone import CLASSES, RATE, hear_one, make

from grafx.parameters.tensors import create_empty_parameters_from_shape_dict
from grafx.report.views import views_of
from grafx.report.views.plots import spectrum
from grafx.report.views.reverb import decay_curve, decay_time
from grafx.trees import map_tensors

STEREO_ONLY = {"FilteredNoiseShapingReverb", "SideGainImager", "StereoToMidSide", "StereoWidener"}
MONO_ONLY = {"MidSideToStereo"}


def draw(processor, std):
    """Random raw parameters of one node."""
    torch.manual_seed(0)
    drawn = create_empty_parameters_from_shape_dict(processor.parameter_size(), 1, std)
    return map_tensors(drawn, lambda value: value[0].detach())


def only(heard, node, title):
    (view,) = [view for view in views_of(heard, node) if view["title"] == title]
    return view


def lines(view):
    return {line["label"]: (np.array(line["x"], float), np.array(line["y"], float)) for line in view["series"]}


@pytest.mark.each("name")
@pytest.mark.parametrize("std", [1.0, None])
@pytest.mark.parametrize("channels", [2, 1])
@pytest.mark.parametrize("name", CLASSES)
def test_every_processor_is_drawn(name, channels, std):
    processor = make(name)
    if channels == 1 and name in STEREO_ONLY:
        with pytest.raises(ParameterError):
            hear_one(processor, channels=1)
        return
    channels = 1 if name in MONO_ONLY else channels
    sources = 0.3 * torch.randn(1, channels, 700, generator=torch.Generator().manual_seed(1))
    heard, node = hear_one(processor, draw(processor, std) if std else None, sources)
    views = views_of(heard, node)
    assert views and json.dumps(views, allow_nan=False)
    for view in views:
        if view["kind"] != "plot":
            assert view["kind"] in ("pan", "text") and (view["kind"] == "pan" or view["text"])
            continue
        assert view["series"]
        for line in view["series"]:
            assert 1 < len(line["x"]) == len(line["y"]) <= 301 or line["style"] == "stems"
            assert line["style"] in ("line", "stems", "area")
            assert all(x is not None for x in line["x"])
        for axis in (view["x"], view["y"]):
            assert axis["low"] < axis["high"] and axis["scale"] in ("linear", "log") and axis["label"]
        assert view["x"]["scale"] == "linear" or view["x"]["low"] > 0


@pytest.mark.parametrize("weight", [1.0, 0.4])
@pytest.mark.parametrize("name", ["ParametricEqualizer", "LowShelf", "ButterworthFilter", "BiquadFilter"])
def test_the_response_of_a_filter_is_that_of_its_sections(name, weight):
    processor = make(name)
    raw = draw(processor, 0.5)
    heard, node = hear_one(processor, raw, drywet_weight=weight)
    x, y = lines(only(heard, node, "Frequency response"))["all channels"]
    b, a = processor.sections(*(raw[key][None].double() for key in processor.parameter_size()))
    sos = torch.cat(torch.broadcast_tensors(b, a), -1).reshape(-1, 6).numpy()
    sos = sos / sos[:, 3:4]
    response = weight * scipy.signal.sosfreqz(sos, x, fs=RATE)[1] + 1 - weight
    inside = np.abs(response) > 1e-3
    assert np.allclose(y[inside], 20 * np.log10(np.abs(response[inside])), atol=0.02)


def test_a_response_with_look_ahead_is_drawn():
    heard, node = hear_one(make("ZeroPhaseFIREqualizer"), {"log_magnitude": torch.full((1024,), math.log(0.5))})
    x, y = lines(only(heard, node, "Frequency response"))["all channels"]
    assert np.allclose(y, 20 * math.log10(0.5), atol=1e-3)
    assert x[0] == pytest.approx(20, rel=0.05) and x[-1] <= RATE / 2


def test_channels_and_mid_and_side_have_responses_of_their_own():
    sizes = {"num_filters": 2, "sample_rate": RATE}
    for kind, names in (("stereo", ("left", "right")), ("midside", ("mid", "side"))):
        processor = library.ParametricEqualizer(processor_channel=kind, **sizes)
        raw = processor.dsp_to_raw({"gain_db": [[6.0, 6.0], [-9.0, -9.0]]}, 1)
        heard, node = hear_one(processor, {key: value[0] for key, value in raw.items()})
        found = lines(only(heard, node, "Frequency response"))
        for channel, name in enumerate(names):
            b, a = processor.sections(**{key: value.double() for key, value in raw.items()})
            sos = torch.cat([b, a], -1)[0, channel].numpy()
            expected = scipy.signal.sosfreqz(sos / sos[:, 3:4], found[name][0], fs=RATE)[1]
            assert np.allclose(found[name][1], 20 * np.log10(np.abs(expected)), atol=0.02)


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_the_static_curve_of_a_compressor_is_the_formula(weight):
    processor = library.Compressor(style="desk", knee_type="hard", sample_rate=RATE)
    settings = {"threshold_db": -30.0, "ratio": 4.0, "makeup_db": 3.0}
    heard, node = hear_one(processor, settings, drywet_weight=weight)
    x, y = lines(only(heard, node, "Static curve"))["output"]
    gain = 10 ** ((3 - 0.75 * np.maximum(0, x + 30)) / 20)
    assert np.allclose(y, x + 20 * np.log10(weight * gain + 1 - weight), atol=1e-3)


def test_static_curves_of_bands_are_named_after_them():
    heard, node = hear_one(library.MultiBandCompressor(num_bands=3, sample_rate=RATE))
    found = lines(only(heard, node, "Static curves of bands"))
    assert list(found) == ["band0", "band1", "band2", "unchanged"]
    single, one = hear_one(library.Compressor(style="desk", sample_rate=RATE))
    expected = lines(only(single, one, "Static curve"))["output"][1]
    assert all(np.allclose(found[f"band{k}"][1], expected, atol=1e-3) for k in range(3))


def test_a_measured_static_curve_is_the_formula():
    processor = library.FactorizedCompressor(sample_rate=RATE, knee_type="hard", transients=False)
    heard, node = hear_one(processor, {"threshold_db": -30.0, "ratio": 4.0, "attack_ms": 20.0})
    x, y = lines(only(heard, node, "Static curve"))["output"]
    assert np.allclose(y, x - 0.75 * np.maximum(0, x + 30), atol=0.3)


def test_a_dynamic_equalizer_is_measured_in_its_bands():
    processor = library.DynamicEqualizer(2, use_shelving_filters=False, sample_rate=RATE)
    settings = {"frequency_hz": [300.0, 5000.0], "threshold_db": [-40.0, 0.0], "range_db": -12.0, "ratio": 10.0}
    heard, node = hear_one(processor, settings)
    found = lines(only(heard, node, "Static curves of bands"))
    x, y = found["tone of 300 Hz"]
    assert np.allclose((y - x)[x < -50], 0, atol=0.1) and (y - x)[x > -20] == pytest.approx(-12, abs=0.3)
    x, y = found["tone of 5000 Hz"]
    assert np.allclose((y - x)[x < -10], 0, atol=0.5)


def test_the_gain_over_time_is_the_ratio_of_levels():
    processor = library.Compressor(style="desk", knee_type="hard", sample_rate=RATE)
    tone = torch.ones(1, 2, 2 * RATE)
    tone[..., :RATE] *= 10 ** (-50 / 20)
    tone[..., RATE:] *= 10 ** (-10 / 20)
    heard, node = hear_one(processor, {"threshold_db": -30.0, "ratio": 2.0, "makeup_db": 6.0}, tone)
    view = only(heard, node, "Gain over time")
    x, y = lines(view)["gain"]
    assert view["x"]["unit"] == "s" and view["x"]["high"] == 2
    assert np.allclose(y[(x > 0.1) & (x < 0.95)], 6, atol=0.05)
    assert np.allclose(y[x > 1.5], 6 - 10, atol=0.05)


def test_a_silent_input_has_no_gain():
    silence = torch.zeros(1, 2, 1000)
    heard, node = hear_one(library.Compressor(style="desk"), sources=silence)
    assert set(only(heard, node, "Gain over time")["series"][0]["y"]) == {None}


def exponential_noise(seconds, length, rate):
    noise = torch.randn(2, int(length * rate), generator=torch.Generator().manual_seed(0))
    return noise * 10 ** (-3 * torch.arange(noise.shape[-1]) / rate / seconds)


@pytest.mark.parametrize("seconds", [0.3, 1.2])
def test_decay_times_are_known_ones(seconds):
    response = exponential_noise(seconds, 2 * seconds, RATE)
    assert decay_time(response, RATE) == pytest.approx(seconds, rel=0.05)
    assert decay_time(response, RATE, 2000) == pytest.approx(seconds, rel=0.1)
    levels = decay_curve(response)[0]
    assert levels[0] == 0 and levels[int(seconds * RATE / 2)] == pytest.approx(-30, abs=1.5)
    assert decay_time(torch.zeros(2, 100), RATE) is None
    assert decay_time(torch.eye(1, 100), RATE) is None


def test_the_decay_of_a_reverb_is_that_of_its_response():
    processor = library.ConvolutionReverb(exponential_noise(0.4, 1.0, RATE), sample_rate=RATE)
    heard, node = hear_one(processor, drywet_weight=0.3)
    x, y = lines(only(heard, node, "Decay"))["left"]
    assert np.interp(200, x, y) == pytest.approx(-30, abs=2)
    hertz, seconds = lines(only(heard, node, "Decay time of octaves"))["all channels"]
    assert np.allclose(seconds[hertz >= 500], 0.4, rtol=0.15)


def test_echoes_are_where_the_delay_is():
    heard, node = hear_one(library.DelayLine(500.0, sample_rate=RATE), {"delay_ms": 125.0})
    for x, y in lines(only(heard, node, "Echoes")).values():
        assert np.allclose(x, 125.0, atol=0.1) and np.allclose(y, 0, atol=0.01) and len(x) == 1
    settings = {"time_ms": 100.0, "feedback": 0.5, "low_cut_hz": 10.0, "high_cut_hz": 14400.0}
    processor = library.FeedbackDelay(sample_rate=RATE)
    heard, node = hear_one(processor, settings)
    x, y = lines(only(heard, node, "Echoes"))["left"]
    impulse = torch.eye(1, RATE)[None]
    response = processor(impulse, dsp_params=settings)[0, 0].double().numpy()
    energies = np.square(response[RATE // 20 :]).reshape(-1)[: 9 * RATE // 10].reshape(9, -1).sum(-1)
    assert np.allclose(x[:4], 100 * np.arange(1, 5), atol=1)
    assert np.allclose(y[:4], 10 * np.log10(energies[:4]), atol=0.3)


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_pan_and_width_are_the_gains(weight):
    heard, node = hear_one(library.StereoGain(), {"left_gain_db": -3.0, "right_gain_db": -9.0}, drywet_weight=weight)
    view = only(heard, node, "Pan and width")
    left, right = (20 * math.log10(weight * 10 ** (db / 20) + 1 - weight) for db in (-3, -9))
    assert (view["left_db"], view["right_db"]) == pytest.approx((left, right), abs=1e-3)
    assert view["pan_db"] == pytest.approx(right - left, abs=1e-3) and view["width"] == pytest.approx(1, abs=1e-3)
    heard, node = hear_one(library.SideGainImager(), {"side_gain_db": -12.0}, drywet_weight=weight)
    width = weight * 10 ** (-12 / 20) + 1 - weight
    assert only(heard, node, "Pan and width")["width"] == pytest.approx(width, rel=1e-3)


def test_a_mono_signal_has_no_width():
    heard, node = hear_one(library.MonoToStereo(), channels=1)
    assert only(heard, node, "Pan and width")["width"] == 0
    heard, node = hear_one(library.DelayLine(10.0), channels=1)
    assert list(lines(only(heard, node, "Echoes"))) == ["all channels"]


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_the_transfer_curve_is_the_function(weight):
    heard, node = hear_one(library.ArctanDistortion(), {"log_drive": torch.tensor([1.0])}, drywet_weight=weight)
    x, y = lines(only(heard, node, "Transfer curve"))["output"]
    drive = math.e
    wet = library.ArctanDistortion()(torch.tensor(x)[None, None].float(), log_drive=torch.ones(1, 1))[0, 0].numpy()
    assert np.allclose(y, weight * wet + (1 - weight) * x, atol=1e-4) and drive
    heard, node = hear_one(library.HardClip())
    x, y = lines(only(heard, node, "Transfer curve"))["output"]
    assert np.allclose(y, np.clip(x, -1, 1), atol=1e-4)


def test_a_tremolo_shows_its_rate():
    heard, node = hear_one(library.Tremolo(sample_rate=RATE), {"rate_hz": 5.0})
    x, y = lines(only(heard, node, "Gain"))["all channels"]
    peaks = x[1:-1][(y[1:-1] > y[:-2]) & (y[1:-1] >= y[2:])]
    assert np.allclose(np.diff(peaks), 200, atol=15)


def test_a_synthesizer_shows_its_waveform():
    heard, node = hear_one(library.SineOscillator(sample_rate=RATE), sources=torch.zeros(1, 1, RATE))
    top, bottom = (lines(only(heard, node, "Waveform"))[name][1] for name in ("highest", "lowest"))
    signal = heard.outputs[node][0][0]
    assert top.max() == pytest.approx(signal.max().item()) and bottom.min() == pytest.approx(signal.min().item())


def test_what_no_kind_knows_is_looked_at_as_a_filter_if_it_is_one():
    class Fir(torch.nn.Module):
        def parameter_size(self):
            return {}

        def forward(self, x):
            return 0.5 * x + 0.5 * torch.nn.functional.pad(x, (1, 0))[..., :-1]

    class Square(Fir):
        def forward(self, x):
            return x.square()

    heard, node = hear_one(Fir())
    x, y = lines(only(heard, node, "Frequency response"))["all channels"]
    audible = x < 0.45 * RATE
    assert np.allclose(y[audible], 20 * np.log10(np.cos(np.pi * x[audible] / RATE)), atol=1e-2)
    heard, node = hear_one(Square())
    assert [view["title"] for view in views_of(heard, node)] == ["Spectrum"]


def test_inputs_and_outputs_have_spectra():
    sine = torch.sin(2 * math.pi * 1000 / RATE * torch.arange(RATE, dtype=torch.float64))
    hertz, levels = spectrum(sine[None].float(), RATE)
    assert hertz[int(levels.argmax())] == pytest.approx(1000, rel=0.06)
    assert levels.max().item() == pytest.approx(-3.01, abs=0.1)
    noise = 0.1 * torch.randn(1, 10 * RATE, generator=torch.Generator().manual_seed(0))
    _, levels = spectrum(noise, RATE)
    assert 10 * (levels / 10).exp2().sum() > 0
    assert 10 * math.log10((10 ** (levels / 10)).sum()) == pytest.approx(-20, abs=0.1)
    heard, _ = hear_one(library.StereoGain())
    for node in heard.G.nodes:
        if heard.G.nodes[node]["node_type"] in ("in", "out"):
            assert [view["title"] for view in views_of(heard, node)] == ["Spectrum"]
