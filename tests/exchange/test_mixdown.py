"""Graphs as boards of pedalboard: every class of processors, dry/wet, sends, sums; live and as a script."""

import inspect
import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile
import torch

pytest.importorskip("pedalboard")

from grafx.processors.base import Processor

from grafx import processors as library
from grafx.data import GRAFX, NodeConfigs
from grafx.exchange import ExchangeError, level_of_difference, parts_of, play, write_graph
from grafx.exchange.pedalboard import to_pedalboard
from grafx.search import build_console, render_mix
from grafx.utils import create_empty_parameters_from_shape_dict, map_tensors

RATE = 44100
RESPONSE = torch.randn(2, 900, generator=torch.Generator().manual_seed(1)) * torch.exp(-torch.arange(900) / 200)
CONTAINERS = {
    "DryWet": lambda: library.DryWet(library.LowPassFilter(), external_param=False),
    "GainStagingRegularization": lambda: library.GainStagingRegularization(library.HighPassFilter()),
    "SerialChain": lambda: library.SerialChain(
        {"a": library.PeakingFilter(), "b": library.DryWet(library.TanhDistortion(), external_param=False)}
    ),
    "ParallelMix": lambda: library.ParallelMix({"low": library.LowShelf(), "gain": library.StereoGain()}),
    "MultiBand": lambda: library.MultiBand(library.StereoGain(), num_bands=2),
    "ConvolutionReverb": lambda: library.ConvolutionReverb(RESPONSE),
}
HOW = {
    "exact": """
        StereoGain Panner SideGainImager MonoToStereo StereoWidener Send StereoToMidSide LowPassFilter HighPassFilter
        BandPassFilter BandRejectFilter AllPassFilter PeakingFilter LowShelf HighShelf BiquadFilter StateVariableFilter
        PoleZeroFilter ButterworthFilter DCBlocker ParametricEqualizer GraphicEqualizer LadderFilter Freeverb
        TanhDistortion Waveshaper HardClip DryWet GainStagingRegularization SerialChain ParallelMix
    """,
    "rendered": """
        HaasEnhancer MultitapDelay FIRFilter ConvolutionReverb FeedbackDelay PingPongDelay SchroederAllpass
        AllpassCascade AllpassLattice StackedStateVariableFilter OnePoleSmoother ToneStack LinkwitzRileyCrossover
        MultiBand
    """,
    "fitted": """
        ZeroPhaseFIREqualizer NewZeroPhaseFIREqualizer STFTMaskedNoiseReverb FilteredNoiseShapingReverb
        VelvetNoiseReverb FeedbackDelayNetwork Compressor Limiter NoiseGate Expander ApproxCompressor ApproxNoiseGate
        FactorizedCompressor FactorizedNoiseGate ArctanDistortion PiecewiseTanhDistortion PowerDistortion
        ChebyshevDistortion SplineDistortion Chorus Flanger Phaser MultiBandCompressor MultiBandExpander
        MultiBandLimiter MultiBandNoiseGate
    """,
}
EXACT, RENDERED, FITTED = (names.split() for names in HOW.values())


def sound(number=1, seconds=0.25):
    """Noise that swells."""
    size = int(seconds * RATE)
    swells = 10 ** (-1.5 * (torch.arange(size) / RATE * 8 % 1))
    return 0.2 * torch.randn(number, 2, size, generator=torch.Generator().manual_seed(0)) * swells


def classes():
    named = ((name, getattr(library, name)) for name in library.__all__)
    return [name for name, value in named if inspect.isclass(value) and issubclass(value, Processor)]


def graph_of(name, std=0.4):
    """A node whose raw parameters are random, between an input and an output; its processor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        processor = CONTAINERS.get(name, getattr(library, name))()
    G = GRAFX(config=NodeConfigs.from_processors({"it": processor}))
    source, node, out = G.add("in"), G.add("it"), G.add("out")
    torch.manual_seed(0)
    raw = create_empty_parameters_from_shape_dict(processor.parameter_size(), 1, std=std)
    G.nodes[node]["parameters"] = map_tensors(raw, lambda tensor: tensor[0].detach())
    if name == "Waveshaper":
        G.nodes[node]["parameters"]["bias"] = torch.zeros(1)  # others are fitted
    for inlet in processor.inlets[:1]:
        G.connect(source, node, inlet=inlet)
    if not processor.inlets:
        G.connect(source, out)
    G.connect(node, out, outlet=processor.outlets[0])
    return G, {"it": processor}


def heard(G, stems, processors=None):
    parts = parts_of(G, RATE, processors)
    return play(parts, stems)[next(part.id for part in parts if part.type == "out")][0].expand(2, -1)


@pytest.mark.parametrize("name", [*EXACT, *RENDERED])
def test_what_is_exact_or_rendered_sounds_the_same(name):
    G, processors = graph_of(name)
    mixdown = to_pedalboard(G, processors, RATE, stems=sound())
    (told,) = mixdown.carried
    assert told.how == ("exact" if name in EXACT else "rendered")
    ours = heard(G, sound(), processors)
    assert level_of_difference(mixdown(sound()), ours) < -60
    assert told.distance_db < -60


@pytest.mark.parametrize("name", FITTED)
def test_what_is_fitted_says_how_far_it_is(name, monkeypatch):
    monkeypatch.setattr("grafx.exchange.pedalboard.fit.EVALUATIONS", 60)
    monkeypatch.setattr("grafx.exchange.pedalboard.fit.REVERB_EVALUATIONS", 20)
    G, processors = graph_of(name)
    mixdown = to_pedalboard(G, processors, RATE, stems=sound())
    (told,) = mixdown.carried
    assert told.how == "fitted" and told.note
    away = level_of_difference(mixdown(sound()), heard(G, sound(), processors))
    assert told.distance_db == pytest.approx(away, abs=0.5)  # some noise is new each time
    assert away < 6


def test_all_other_classes_are_refused_by_name():
    of_mono = {"MidSideToStereo"}
    for name in sorted(set(classes()) - {*EXACT, *RENDERED, *FITTED, *of_mono}):
        G, processors = graph_of(name)
        with pytest.raises(
            ExchangeError, match=rf"Node \d of type 'it' \({type(processors['it']).__name__}\)"
        ) as error:
            to_pedalboard(G, processors, RATE, stems=sound())
        assert any(word in str(error.value) for word in ("bypass", "render it", "remove the cable"))


@pytest.mark.parametrize(
    "options", [{"ratio": 2.0}, {"ratio": 6.0, "knee_db": 6.0}, {"threshold_db": -24.0, "release_ms": 200.0}]
)
def test_a_fitted_compressor_is_nearer_than_one_that_does_nothing(options):
    compressor = library.Compressor(style="desk")
    G = GRAFX(config=NodeConfigs.from_processors({"it": compressor}))
    settings = {"threshold_db": -30.0, "attack_ms": 3.0, "release_ms": 40.0, "makeup_db": 3.0, **options}
    G.add_serial_chain(["in", {"node_type": "it", "parameters": settings}, "out"])
    mixdown = to_pedalboard(G, {"it": compressor}, RATE, stems=sound())
    ours = heard(G, sound(), {"it": compressor})
    assert mixdown.carried[0].distance_db < level_of_difference(10 ** (3 / 20) * sound()[0], ours) - 6
    assert mixdown.carried[0].distance_db < -18


@pytest.mark.parametrize("name", ["ZeroPhaseFIREqualizer", "STFTMaskedNoiseReverb", "FeedbackDelayNetwork"])
def test_linear_processors_can_be_convolved_instead(name):
    G, processors = graph_of(name)
    G.nodes[1]["drywet_weight"] = 0.7
    mixdown = to_pedalboard(G, processors, RATE, stems=sound(), responses=True)
    assert mixdown.carried[0].how == "rendered"
    assert level_of_difference(mixdown(sound()), heard(G, sound(), processors)) < -60


def test_a_fitted_equalizer_has_the_curve():
    eq = library.ZeroPhaseFIREqualizer(256)
    hertz = torch.tensor(eq.leaves()[0].control.hertz)
    wanted = 8 / (1 + (torch.log2(hertz.clamp(min=1) / 3000) / 0.7) ** 2) - 5 / (1 + (hertz / 150) ** 2)
    G = GRAFX(config=NodeConfigs.from_processors({"it": eq}))
    G.add_serial_chain(["in", {"node_type": "it", "parameters": {"magnitude_db": wanted}}, "out"])
    mixdown = to_pedalboard(G, {"it": eq}, RATE, stems=sound())
    impulse = torch.zeros(1, 2, 16384)
    impulse[..., 4000] = 1
    found = 20 * torch.fft.rfft(mixdown(impulse)[0]).abs().log10()
    at = torch.arange(8193) * RATE / 16384
    expected = torch.from_numpy(np.interp(at, hertz, wanted))
    audible = (at > 250) & (at < 18000)
    assert (found - expected)[audible].abs().max() < 1.0


@pytest.mark.parametrize("channel", ["mono", "stereo", "midside"])
def test_an_equalizer_without_phase_has_none_there_either(channel, tmp_path):
    """Played forwards and backwards, live and by a script: what is left is what the bands miss."""
    eq = library.NewZeroPhaseFIREqualizer(256, channel)
    octaves = torch.log2(torch.tensor(eq.leaves()[0].control.hertz).clamp(min=1) / 1000)
    wanted = torch.stack(
        [8 * torch.exp(-((octaves - shift) ** 2)) for shift in (0, 2)][: 2 if channel != "mono" else 1]
    )
    G = GRAFX(config=NodeConfigs.from_processors({"it": eq}))
    G.add_serial_chain(["in", {"node_type": "it", "parameters": {"magnitude_db": wanted}}, "out"])
    G.nodes[1]["drywet_weight"] = 0.8
    written = write_graph(G, "pedalboard", tmp_path / "mix.py", RATE, stems=sound(), processors={"it": eq})
    assert written.carried[0].how == "fitted" and "backwards" in written.carried[0].note
    assert written.carried[0].distance_db < -30 and written.distance.db < -30
    (stem,) = write_stems(tmp_path, sound(), ["kick"])
    result = run_script(tmp_path / "mix.py", stem, tmp_path / "out.wav")
    assert result.returncode == 0, result.stderr
    mixed = torch.from_numpy(soundfile.read(tmp_path / "out.wav", dtype="float32")[0].T)
    assert level_of_difference(mixed, heard(G, sound(), {"it": eq})) < -30


@pytest.mark.parametrize("raw, how", [("z_width", "exact"), ("z_room", "fitted"), ("z_damping", "fitted")])
def test_a_freeverb_beyond_the_knobs_of_a_plugin(raw, how):
    """What a search may find; its width is a matrix of the channels."""
    reverb = library.Freeverb()
    parameters = {name: torch.full((1,), 9.0 if name == raw else 0.0) for name in reverb.parameter_size()}
    assert max(reverb.raw_to_dsp({n: v[None] for n, v in parameters.items()}).values()) > 1
    G = GRAFX(config=NodeConfigs.from_processors({"it": reverb}))
    G.add_serial_chain(["in", {"node_type": "it", "parameters": parameters}, "out"])
    G.nodes[1]["drywet_weight"] = 0.4
    (told,) = to_pedalboard(G, {"it": reverb}, RATE, stems=sound()).carried
    assert told.how == how and (told.distance_db < -80) == (how == "exact")


def test_a_fitted_reverb_decays_as_ours():
    reverb = library.STFTMaskedNoiseReverb(ir_len=30000)
    G = GRAFX(config=NodeConfigs.from_processors({"it": reverb}))
    G.add_serial_chain(["in", {"node_type": "it", "parameters": {"decay_ms": 600.0}}, "out"])
    bursts = sound(seconds=0.6)
    bursts[..., 4000:] = 0
    mixdown = to_pedalboard(G, {"it": reverb}, RATE, stems=bursts)
    ours, theirs = heard(G, bursts, {"it": reverb}), mixdown(bursts)
    levels = [[10 * part.square().mean().log10() for part in each.split(5000, -1)][1:4] for each in (ours, theirs)]
    torch.testing.assert_close(*map(torch.tensor, levels), atol=4.0, rtol=0)


def console():
    """Groups, a send to a return, dry/wet, delayed and inverted stems."""
    types = ["peq", "gain", "imager", "saturation"]
    G = build_console(
        ["kick", "pad", "1 voice!"], {"all": ["kick", "pad"]}, types, returns={"room": ["Freeverb", "LowPassFilter"]}
    )
    torch.manual_seed(0)
    for number, (_, data) in enumerate(sorted(G.nodes(data=True))):
        if data["node_type"] not in ("in", "mix", "out"):
            data["drywet_weight"] = (0.0, 0.3, 0.99, 1.0)[number % 4]
        if data["node_type"] == "gain":
            data["parameters"] = {"left_gain_db": -3.0, "right_gain_db": float(number % 5)}
        if data["node_type"] == "peq":
            data["parameters"] = {"gain_db": torch.linspace(-6, 6, 10)}
    G.nodes[0].update(delay_samples=-30, inverted=True)
    G.nodes[min(i for i, d in G.nodes(data=True) if d.get("name") == "pad")].update(delay_samples=40)
    return G


def test_a_console_sounds_the_same():
    stems = sound(3)
    mixdown = to_pedalboard(console(), sample_rate=RATE, stems=stems)
    ours = render_mix(console(), stems, RATE)
    assert level_of_difference(mixdown(stems), ours) < -60
    assert {each.how for each in mixdown.carried} == {"exact"}
    assert isinstance(mixdown(stems.numpy()), np.ndarray)
    assert mixdown.names == ("kick", "pad", "1 voice!")


def test_mid_and_side_are_split_and_joined():
    processors = {
        "split": library.StereoToMidSide(),
        "low": library.LowPassFilter(),
        "join": library.MidSideToStereo(),
        "send": library.Send(),
    }
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, split, low, join, send, out = (G.add(t) for t in ("in", "split", "low", "join", "send", "out"))
    G.nodes[send]["parameters"] = {"send_db": -6}
    G.connect(source, split)
    G.connect(split, join, outlet="mid", inlet="mid")
    G.connect(split, low, outlet="side")
    G.connect(low, join, inlet="side")
    G.connect(join, send)
    G.connect(send, out, outlet="send")
    mixdown = to_pedalboard(G, processors, RATE, stems=sound())
    assert level_of_difference(mixdown(sound()), heard(G, sound(), processors)) < -60


def test_what_cannot_be_carried_over_can_be_bypassed():
    G = build_console(["kick", "pad"], chain=["Tremolo"], master=[], sidechains={"pad": "kick"})
    for _, data in G.nodes(data=True):
        if data["node_type"] in ("Tremolo", "ducker"):
            data["bypass"] = True
    torch.testing.assert_close(to_pedalboard(G, sample_rate=RATE, stems=sound(2))(sound(2)), sound(2).sum(0))


def test_settings_of_a_board_can_be_changed():
    G = GRAFX(config=NodeConfigs(["gain"]))
    G.add_serial_chain([{"node_type": "in", "name": "kick"}, "gain", "out"])
    G.nodes[1]["parameters"] = {"left_gain_db": -6, "right_gain_db": -6}
    mixdown = to_pedalboard(G, sample_rate=RATE)
    (gain,) = mixdown.boards["kick"]
    gain.gain_db = 0.0
    torch.testing.assert_close(mixdown(sound()), sound()[0])


@pytest.mark.parametrize("stems", [torch.zeros(2, 2, 10), torch.zeros(1, 3, 10), torch.zeros(2, 10)])
def test_other_stems_are_refused(stems):
    G = GRAFX(config=NodeConfigs(["gain"]))
    G.add_serial_chain([{"node_type": "in", "name": "kick"}, "gain", "out"])
    with pytest.raises(ValueError, match=r"\(1, 2, samples\).*kick"):
        to_pedalboard(G, sample_rate=RATE)(stems)


def test_mono_stems_are_heard_on_both_sides():
    G = GRAFX(config=NodeConfigs(["gain"]))
    G.add_serial_chain(["in", "gain", "out"])
    mixdown = to_pedalboard(G, sample_rate=RATE, stems=sound()[:, :1])
    torch.testing.assert_close(mixdown(sound()[:, :1]), sound()[0, :1].expand(2, -1))


def test_silence_is_carried_over():
    G = build_console(["kick"], chain=["compressor", "reverb", "eq", "noisegate"], master=[])
    mixdown = to_pedalboard(G, sample_rate=RATE, stems=torch.zeros(1, 2, 8000))
    assert not mixdown(torch.zeros(1, 2, 8000)).any()


def write_stems(folder, stems, names):
    for name, stem in zip(names, stems, strict=True):
        soundfile.write(folder / f"{name}.wav", stem.T.numpy(), RATE, subtype="FLOAT")
    return [str(folder / f"{name}.wav") for name in names]


def run_script(script, *arguments):
    return subprocess.run([sys.executable, script, *map(str, arguments)], capture_output=True, text=True, timeout=100)


def everything():
    """What scripts have lines of their own for."""
    processors = {
        "haas": library.HaasEnhancer(),
        "eq": library.ParametricEqualizer(3, "midside"),
        "taps": library.MultitapDelay(500, 3),
        "wide": library.DryWet(library.SideGainImager(), external_param=False),
        "notch": library.BandRejectFilter(),
        "ladder": library.LadderFilter("band12"),
    }
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    settings = {
        "haas": {"delay_ms": 10.0},
        "eq": {"gain_db": [[1.0, 2.0, 3.0], [-1.0, -4.0, 0.5]]},
        "wide": {"drywet": 0.5, "side_gain_db": 6.0},
        "ladder": {"frequency_hz": 2000.0},
    }
    nodes = [{"node_type": t, "parameters": settings.get(t, {})} for t in processors]
    first, last = G.add_serial_chain([{"node_type": "in", "name": '"""; import os  # lambda'}, *nodes])
    other, bus = G.add("in", name="mix"), G.add("mix", name="np")
    G.connect(other, bus)
    G.connect(last, bus)
    for name in ("a", "b"):
        G.connect(bus, G.add("out", name=name))
    G.nodes[first]["delay_samples"] = -25
    return G, processors


@pytest.mark.parametrize("make", [lambda: (console(), None), everything], ids=["console", "everything"])
def test_a_script_mixes_files_like_the_graph(make, tmp_path):
    G, processors = make()
    names = [d["name"] for _, d in sorted(G.nodes(data=True)) if d["node_type"] == "in"]
    stems = sound(len(names))
    script = tmp_path / "my mix.py"
    written = write_graph(G, "pedalboard", script, RATE, stems=stems, processors=processors)
    assert written.files[0] == script and all(file.exists() for file in written.files)
    assert written.distance.db < -60
    paths = write_stems(tmp_path, stems, [f"stem {k}" for k in range(len(stems))])
    result = run_script(script, *paths, tmp_path / "out.wav")
    assert result.returncode == 0, result.stderr
    parts = parts_of(G, RATE, processors)
    sounds = play(parts, stems)
    outputs = [part.id for part in sorted(parts, key=lambda part: part.id) if part.type == "out"]
    files = ["out.wav"] if len(outputs) == 1 else [f"out-{k + 1}.wav" for k in range(len(outputs))]
    for file, node in zip(files, outputs, strict=True):
        mixed, rate = soundfile.read(tmp_path / file, dtype="float32", always_2d=True)
        assert rate == RATE
        assert level_of_difference(torch.from_numpy(mixed.T), sounds[node][0]) < -60


def test_a_script_says_what_it_is_given_too_little(tmp_path):
    written = write_graph(console(), "pedalboard", tmp_path / "mix.py", RATE, stems=sound(3))
    result = run_script(written.files[0], "out.wav")
    assert result.returncode == 1 and "kick, pad, 1 voice!" in result.stderr and "Traceback" not in result.stderr


def test_a_script_takes_mono_files_of_other_rates_and_lengths(tmp_path):
    G = GRAFX(config=NodeConfigs(["gain"]))
    bus, out = G.add("mix"), G.add("out")
    for name in ("kick", "pad"):
        G.connect(G.add_serial_chain([{"node_type": "in", "name": name}, "gain"])[1], bus)
    G.connect(bus, out)
    write_graph(G, "pedalboard", tmp_path / "mix.py", RATE, stems=sound(2))
    soundfile.write(tmp_path / "kick.wav", 0.5 * np.ones(22050), 22050, subtype="FLOAT")
    soundfile.write(tmp_path / "pad.wav", 0.25 * np.ones((1000, 2)), RATE, subtype="FLOAT")
    result = run_script(tmp_path / "mix.py", tmp_path / "kick.wav", tmp_path / "pad.wav", tmp_path / "mix.wav")
    assert result.returncode == 0, result.stderr
    mixed, _ = soundfile.read(tmp_path / "mix.wav")
    assert mixed.shape == (44100, 2)
    assert mixed[500] == pytest.approx([0.75, 0.75], abs=0.02) and mixed[20000] == pytest.approx([0.5, 0.5], abs=0.01)


def test_responses_of_a_script_before_are_removed(tmp_path):
    def write(*types):
        G = GRAFX(config=NodeConfigs(list(dict.fromkeys(types))))
        G.add_serial_chain(["in", *types, "out"])
        return write_graph(G, "pedalboard", tmp_path / "mix.py", RATE, stems=sound()).files

    G_files = write("MultitapDelay", "ToneStack")
    assert len(G_files) > 2 and all(file.exists() for file in G_files)
    fewer = write("ToneStack")
    assert set((tmp_path / "mix_responses").iterdir()) == set(fewer[1:]) < set(G_files)


def test_nothing_is_left_where_responses_cannot_be_written(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    G = GRAFX(config=NodeConfigs(["ToneStack"]))
    G.add_serial_chain(["in", "ToneStack", "out"])
    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(OSError, match="No space"):
        write_graph(G, "pedalboard", tmp_path / "mix.py", RATE, stems=sound())
    assert not list(tmp_path.iterdir())


def test_parameters_that_are_no_numbers_are_refused():
    G = GRAFX(config=NodeConfigs(["gain"]))
    G.add_serial_chain(["in", {"node_type": "gain", "parameters": {"log_gain": torch.tensor([0.0, torch.nan])}}, "out"])
    with pytest.raises(ExchangeError, match=r"Node 1 .*not finite"):
        to_pedalboard(G, sample_rate=RATE, stems=sound())


@pytest.mark.parametrize(
    "memory",
    [
        {"kind": "Gain", "settings": {"gain_db": -6.0, "x=1); import os; (y": 1}},
        {"kind": "Gain", "settings": {"gain_db": "-6"}},
        {"kind": "os.system", "settings": {}},
        {"kind": ["Gain"], "settings": 3},
        {"kind": "Gain"},
        "Gain",
    ],
)
def test_what_a_file_says_of_plugins_is_not_believed(memory, tmp_path):
    G = GRAFX(config=NodeConfigs(["gain"]))
    level = torch.full((2,), -6 * np.log(10) / 20)
    G.add_serial_chain(["in", {"node_type": "gain", "parameters": {"log_gain": level}}, "out"])
    G.nodes[1]["plugin"] = memory
    (script,) = write_graph(G, "pedalboard", tmp_path / "mix.py", RATE, stems=sound()).files
    assert "Pedalboard([Gain(gain_db=-6.0)])" in script.read_text()
    assert "import os" not in script.read_text()


def test_sidechains_and_generators_are_refused_with_a_remedy():
    G = build_console(["kick", "pad"], chain=["gain"], master=[], sidechains={"pad": "kick"})
    with pytest.raises(ExchangeError, match=r"ducker.*another signal.*bypass|ducker.*another signal.*remove"):
        to_pedalboard(G, sample_rate=RATE, stems=sound(2))
    osc = library.SineOscillator()
    G = GRAFX(config=NodeConfigs.from_processors({"osc": osc}))
    node, out = G.add("osc"), G.add("out")
    G.connect(node, out)
    with pytest.raises(ExchangeError, match=r"Node 0 of type 'osc'.*put an 'in' node"):
        to_pedalboard(G, {"osc": osc}, RATE)
