"""Whole graphs in Faust: wiring, latencies, labels, what is refused, and the command."""

import json
import re
import sys

import pytest
import torch
import torch.nn as nn
from grafx.processors.base import Processor
from typer.testing import CliRunner

from grafx import processors as library
from grafx.cli.main import app
from grafx.data import GRAFX, NodeConfigs, save_grafx
from grafx.errors import ExchangeError
from grafx.exchange import level_of_difference, play, write_graph
from grafx.exchange.faust import REFUSED, Engine, to_faust
from grafx.exchange.parts import parts_of
from grafx.search.mixing.console import build_console

RATE = 44100
LENGTH = 3000


def one(processor, parameters=None):
    """A graph of one node, an input for each inlet."""
    G = GRAFX(config=NodeConfigs.from_processors({"it": processor}))
    sources = [G.add("in") for _ in processor.inlets]
    node = G.add("it", parameters)
    for source, inlet in zip(sources, processor.inlets, strict=True):
        G.connect(source, node, inlet=inlet)
    G.connect(node, G.add("out"), outlet=processor.outlets[0])
    return G


def noise(count, channels=2, late=0):
    sound = torch.zeros(count, channels, LENGTH, dtype=torch.float64)
    sound[..., late:] = 0.2 * torch.randn(count, channels, LENGTH - late, generator=torch.Generator().manual_seed(0))
    return sound


def heard_in(G, program, stems, processors, rate=RATE):
    """Our sound and that of a program."""
    sounds = play(parts_of(G, rate, processors), stems)
    ours = torch.cat([sounds[i][0] for i in sorted(G.nodes) if G.nodes[i]["node_type"] == "out"])
    return ours, Engine(program.code, rate).play(stems.flatten(0, 1), program.latency)


def desk():
    """A graph with sends, a sidechain, several outlets and outputs, look-ahead, a generator and a placed stem."""
    processors = {
        "eq": library.ParametricEqualizer(2),
        "spectrum": library.ZeroPhaseFIREqualizer(60),
        "ducker": library.Compressor(style="desk", sidechain=True),
        "split": library.StereoToMidSide(),
        "join": library.MidSideToStereo(),
        "send": library.Send(),
        "room": library.Freeverb(),
        "limiter": library.Limiter(lookahead_ms=1.0),
        "tone": library.SineOscillator(),
        "mixed": library.DryWet(library.ZeroPhaseFIREqualizer(32)),
    }
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    first, second = G.add("in", name='bäss/"1" [x]:y'), G.add("in")
    G.nodes[first]["inverted"], G.nodes[second]["delay_samples"] = True, 13
    eq = G.add("eq", {"gain_db": [3.0, -2.0]}, name='E "Q" [x]/y:\n ä')
    spectrum, ducker = G.add("spectrum", {"magnitude_db": 3.0}), G.add("ducker", {"threshold_db": -30.0})
    send, split, join, room = (G.add(each) for each in ("send", "split", "join", "room"))
    tone, mix, limiter, mixed = (G.add(each) for each in ("tone", "mix", "limiter", "mixed"))
    G.nodes[ducker]["drywet_weight"], G.nodes[mixed]["drywet_weight"] = 0.7, 0.4
    for source, dest, plugs in (
        (first, eq, {}),
        (second, spectrum, {}),
        (eq, ducker, {}),
        (spectrum, ducker, {"inlet": "sidechain"}),
        (ducker, send, {}),
        (spectrum, split, {}),
        (split, join, {"outlet": "mid", "inlet": "mid"}),
        (split, join, {"outlet": "side", "inlet": "side"}),
        (send, room, {"outlet": "send"}),
        (spectrum, room, {}),
        *((source, mix, {}) for source in (send, join, room, tone)),
        (mix, limiter, {}),
        (limiter, mixed, {}),
        (mixed, G.add("out"), {}),
        (room, G.add("out"), {}),
    ):
        G.connect(source, dest, **plugs)
    return G, processors


@pytest.fixture
def faust():
    return pytest.importorskip("cyfaust")


@pytest.mark.usefixtures("faust")
def test_everything_in_one_graph():
    G, processors = desk()
    program = to_faust(G, RATE, processors)
    assert program.latency == 59 + 44 + 31
    assert program.outs == [2, 2]
    ours, theirs = heard_in(G, program, noise(2, late=200), processors)
    # The last samples depend on what follows them.
    assert level_of_difference(theirs[:, :-200], ours[:, :-200]) < -110
    assert f'declare latency_samples "{program.latency}"' in program.code


@pytest.mark.usefixtures("faust")
def test_nodes_of_one_name_have_sliders_of_their_own(tmp_path):
    G = GRAFX(config=NodeConfigs(["gain"]))
    bus = G.add("mix")
    for name in ("dup", "dup", "dup 2", "a/b", "a:b", "x\x01", "\udcff"):
        G.connect(G.add_serial_chain(["in", {"node_type": "gain", "parameters": {"left_gain_db": -6.0}}])[1], bus)
        G.nodes[max(G.nodes)]["name"] = name
    G.connect(bus, G.add("out"))
    written = write_graph(G, "faust", tmp_path / "mix.dsp", RATE, stems=noise(7).float())
    assert written.distance.db < -100
    groups = re.findall(r"v:\[\d+\]([^/]*)/\[\d+\]left_gain_db", (tmp_path / "mix.dsp").read_text(encoding="utf-8"))
    assert len(groups) == len(set(groups)) == 7 and groups[:3] == ["dup", "dup 2", "dup 2 2"]


@pytest.mark.usefixtures("faust")
def test_it_is_said_where_rounding_is_heard(tmp_path):
    """Halfway between two steps, the last bit of single precision decides."""
    G = GRAFX(config=NodeConfigs(["BitCrusher"]))
    G.add_serial_chain(["in", {"node_type": "BitCrusher", "parameters": {"bits": 4.0}}, "out"])
    _, processors = one(library.BitCrusher()), {"BitCrusher": library.BitCrusher()}
    steps = torch.arange(-8, 8) / 8 + 1 / 16
    stems = steps.repeat_interleave(100).expand(1, 2, -1) * (1 + 1e-7 * torch.randn(1, 2, 1600).sign())
    (told,) = write_graph(G, "faust", tmp_path / "mix.dsp", RATE, stems=stems.float(), processors=processors).carried
    assert told.distance_db < -80 or "double precision" in told.note


@pytest.mark.usefixtures("faust")
def test_nothing_is_written_that_does_not_play(tmp_path, monkeypatch):
    monkeypatch.setattr("grafx.exchange.faust.write.helpers_for", lambda _: "this is no Faust;")
    G = one(library.StereoGain())
    with pytest.raises(ExchangeError, match="does not compile"):
        write_graph(
            G, "faust", tmp_path / "mix.dsp", RATE, stems=noise(1).float(), processors={"it": library.StereoGain()}
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("faust")
def test_a_stem_that_is_earlier_makes_the_rest_late():
    G = GRAFX()
    early, usual, out = G.add("in"), G.add("in"), G.add("out")
    G.connect(early, out)
    G.connect(usual, out)
    G.nodes[early]["delay_samples"] = -20
    program = to_faust(G, RATE)
    assert program.latency == 20
    ours, theirs = heard_in(G, program, noise(2), None)
    assert torch.allclose(theirs, ours)


@pytest.mark.usefixtures("faust")
def test_long_chains_do_not_multiply():
    G = GRAFX(config=NodeConfigs(["g"]))
    first, last = G.add_serial_chain(["in", *["g"] * 40, "out"])
    for node in range(first + 1, last):
        G.nodes[node]["parameters"] = {"left_gain_db": 0.1, "right_gain_db": -0.1}
    program = to_faust(G, RATE, {"g": library.StereoGain()})
    ours, theirs = heard_in(G, program, noise(1), {"g": library.StereoGain()})
    assert level_of_difference(theirs, ours) < -110


@pytest.mark.usefixtures("faust")
def test_consoles_as_searches_leave_them(tmp_path):
    G = build_console(["a", "b"], chain=["peq", "compressor", "imager", "gain"])
    generator = torch.Generator().manual_seed(0)
    for _, data in G.nodes(data=True):
        if data["node_type"] not in ("in", "out", "mix"):
            data["drywet_weight"] = float(torch.rand((), generator=generator))
    written = write_graph(G, "faust", tmp_path / "mix.dsp", RATE, stems=noise(2).float())
    assert written.files == [tmp_path / "mix.dsp"]
    assert written.distance.db < -100
    assert {each.how for each in written.carried} == {"exact"}
    assert max(each.distance_db for each in written.carried) < -100
    assert len(re.findall(r"/\[\d+\]wet\"", written.files[0].read_text("utf-8"))) == len(written.carried)


@pytest.mark.usefixtures("faust")
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (library.ParametricEqualizer, {"gain_db": 6.0}),
        (library.Compressor, {"threshold_db": -40.0}),
        (library.FeedbackDelay, {"time_ms": 5.0}),
        (library.LinkwitzRileyCrossover, {}),
    ],
)
def test_sliders_hold_at_any_rate(kind, settings):
    def of(rate):
        options = {"style": "desk"} if kind is library.Compressor else {}
        return kind(sample_rate=rate, **options)

    G = one(of(44100), settings)
    program = to_faust(G, 44100, {"it": of(44100)})
    other = one(of(48000), settings)
    ours, theirs = heard_in(other, program, noise(1), {"it": of(48000)}, 48000)
    assert level_of_difference(theirs, ours) < -80


@pytest.mark.usefixtures("faust")
def test_sliders_are_grouped_named_and_in_units():
    G, processors = desk()
    program = to_faust(G, RATE, processors)
    assert "[unit:Hz][scale:log]" in program.code
    assert "[unit:dB]" in program.code
    paths = list(Engine(program.code, RATE, double=False).sliders())
    assert len({*paths}) == len(paths)
    eq = [path for path in paths if "ä" in path]
    assert len(eq) == 3 * 2  # frequency, quality and gain of two filters


@pytest.mark.usefixtures("faust")
@pytest.mark.parametrize("name", ["1st", "sum", "amplitude", "ä", "with"])
def test_members_may_have_any_name(name):
    processor = library.SerialChain({name: library.Compressor(style="desk"), "gain": library.StereoGain()})
    G = one(processor)
    ours, theirs = heard_in(G, to_faust(G, RATE, {"it": processor}), noise(1), {"it": processor})
    assert level_of_difference(theirs, ours) < -110


# Channels.


@pytest.mark.usefixtures("faust")
def test_mono_meets_stereo():
    G = GRAFX()
    out = G.add("out")
    for _ in range(2):
        G.connect(G.add("in"), out)
    program = to_faust(G, RATE, channels=[1, 2])
    x = torch.randn(3, 50, dtype=torch.float64)
    theirs = Engine(program.code, RATE).play(x)
    assert torch.allclose(theirs, x[:1] + x[1:])
    with pytest.raises(ExchangeError, match=r"signals of 2 and of 3 channels"):
        to_faust(G, RATE, channels=[2, 3])
    with pytest.raises(ExchangeError, match="2 inputs, but there are 1"):
        to_faust(G, RATE, channels=[2])


# Refusals.


class Own(Processor):
    """A class that nobody knows."""

    def parameter_size(self):
        return {}

    def forward(self, input_signals):
        return input_signals


class OwnGain(library.StereoGain):
    """A class that may do something else than the one that it derives from."""


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_what_has_no_form_is_refused(kind):
    processor = kind(torch.ones(1, 100)) if kind is library.ConvolutionReverb else kind()
    why, remedy = REFUSED[kind]
    with pytest.raises(ExchangeError) as error:
        to_faust(one(processor), RATE, {"it": processor})
    assert str(error.value) == (
        f"Node {len(processor.inlets)} of type 'it' ({kind.__name__}) cannot be written in Faust: {why}. {remedy}"
    )


@pytest.mark.parametrize(
    ("processor", "words"),
    [
        (library.TanhDistortion(remove_dc=True), "DCBlocker"),
        (library.PowerDistortion(remove_dc=True), "remove_dc=False"),
        (library.Waveshaper(oversampling=2), "oversampling=1"),
        (library.SplineDistortion(oversampling=2), "oversampling=1"),
        (library.Waveshaper(antialiasing="adaa2"), "adaa1"),
        (library.LowPassFilter(backend="fsm"), "backend='lfilter'"),
        (library.GraphicEqualizer(backend="fsm"), "backend='lfilter'"),
        (library.WavetableOscillator(torch.linspace(-1, 1, 16)), "stem"),
        (library.ParametricEqualizer(sample_rate=48000), "sample_rate=44100"),
        (library.GraphicEqualizer(sr=48000), "sample_rate=44100"),
        (library.Freeverb(sample_rate=48000), "sample_rate=44100"),
        (library.SerialChain({"a": library.Panner(), "b": library.TanhDistortion(remove_dc=True)}), "its 'b'"),
        (Own(), "Own"),
        (OwnGain(), "StereoGain"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else value,
)
def test_options_without_a_form_are_refused(processor, words):
    with pytest.raises(ExchangeError, match=words) as error:
        to_faust(one(processor), RATE, {"it": processor})
    assert re.match(r"Node \d of type 'it' \(\w+(?:, its 'b')?\) cannot be written in Faust: ", str(error.value))


def test_long_responses_are_refused():
    processor = library.FIRFilter(fir_len=5000)
    with pytest.raises(ExchangeError, match="has 5000 taps, and Faust computes no more than 4096"):
        to_faust(one(processor, {"fir": torch.randn(1, 5000)}), RATE, {"it": processor})


@pytest.mark.parametrize("processor", [library.SideGainImager(), library.StereoToMidSide(), library.StereoWidener()])
def test_channels_that_do_not_fit_are_refused(processor):
    with pytest.raises(ExchangeError, match="needs a stereo signal, not 1"):
        to_faust(one(processor), RATE, {"it": processor}, channels=1)


def test_nothing_is_left_where_it_is_refused(tmp_path):
    processor = library.STFTMaskedNoiseReverb()
    with pytest.raises(ExchangeError, match="FeedbackDelayNetwork"):
        write_graph(one(processor), "faust", tmp_path / "x.dsp", RATE, processors={"it": processor})
    assert not list(tmp_path.iterdir())


# With and without the engine.


def test_files_are_written_without_the_engine(tmp_path, monkeypatch):
    monkeypatch.setattr("grafx.exchange.faust.write.available", lambda: False)
    processor = library.Panner()
    written = write_graph(one(processor), "faust", tmp_path / "x.dsp", RATE, processors={"it": processor})
    assert written.distance is None
    assert [each.distance_db for each in written.carried] == [None]
    assert "process = " in written.files[0].read_text("utf-8")


def test_the_engine_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cyfaust.cyfaust", None)
    with pytest.raises(ExchangeError, match=r"pip install 'grafx\[exchange\]'"):
        Engine("process = _;", RATE)


@pytest.mark.usefixtures("faust")
def test_the_engine_refuses_what_is_no_program():
    with pytest.raises(ExchangeError, match="does not compile"):
        Engine("process = nothing;", RATE)


@pytest.mark.usefixtures("faust")
def test_the_command(tmp_path):
    G = build_console(["a"], chain=["peq", "gain"])
    save_grafx(G, tmp_path / "graph", metadata={"sample_rate": RATE})
    out = tmp_path / "a.dsp"
    asked = ["export", str(tmp_path / "graph"), "--to", "faust", "--out", str(out), "--json"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["files"] == [str(out)]
    assert told["distance"]["db"] < -100
    assert {each["became"] for each in told["carried"]} == {"ParametricEqualizer in Faust", "StereoGain in Faust"}
