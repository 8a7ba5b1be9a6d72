"""A graph as writers see it: what it sounds like node by node is what renders."""

import pytest
import torch

from grafx import processors as library
from grafx.data import GRAFX, NodeConfigs, batch_grafx
from grafx.exchange import ExchangeError, parts_of, play, write_graph
from grafx.render import Renderer
from grafx.search import build_console, render_mix


def stems(number, length=3000, channels=2):
    return 0.3 * torch.randn(number, channels, length, generator=torch.Generator().manual_seed(0))


def mixed(G, sounds, processors=None):
    parts = parts_of(G, 44100, processors)
    out = next(part.id for part in parts if part.type == "out")
    return play(parts, sounds)[out][0]


def test_a_console_sounds_as_it_is_rendered():
    G = build_console(
        ["kick", "pad"], groups={"all": ["kick", "pad"]}, returns={"room": ["reverb"]}, sidechains={"pad": "kick"}
    )
    torch.manual_seed(0)
    for number, (_, data) in enumerate(sorted(G.nodes(data=True))):
        if data["node_type"] not in ("in", "mix", "out"):
            data["drywet_weight"] = 0.2 + number % 7 / 10
        if data["node_type"] == "compressor":
            data["parameters"] = {"threshold_db": -30.0, "ratio": 8.0}
    G.nodes[0].update(delay_samples=-20, inverted=True)
    ours = render_mix(G, stems(2), 44100)
    torch.testing.assert_close(mixed(G, stems(2)), ours, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_graph_of_several_plugs_and_nested_weights_sounds_as_it_is_rendered(channels):
    inner = library.SerialChain({"dry": library.DryWet(library.HighPassFilter(), external_param=False)})
    processors = {
        "split": library.StereoToMidSide(),
        "join": library.MidSideToStereo(),
        "send": library.Send(),
        "nested": library.DryWet(inner, external_param=False),
        "noise": library.WhiteNoise(),
        "wide": library.MonoToStereo(),
    }
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source = G.add("in")
    wide, split, join, send, nested, out = (G.add(t) for t in ("wide", "split", "join", "send", "nested", "out"))
    G.nodes[nested]["parameters"] = {"drywet": 0.3, "dry": {"drywet": 0.6}}
    G.nodes[send]["parameters"] = {"send_db": -6}
    G.connect(source, wide)
    G.connect(wide, split)
    G.connect(split, join, outlet="side", inlet="side")
    G.connect(split, join, outlet="mid", inlet="mid")
    G.connect(join, send)
    G.connect(send, nested, outlet="send")
    G.connect(send, out)
    G.connect(nested, out)
    ours = Renderer(G, processors)(stems(1, channels=channels))[0]
    torch.testing.assert_close(mixed(G, stems(1, channels=channels), processors), ours, rtol=1e-5, atol=1e-6)


def test_a_weight_of_the_graph_reaches_members():
    chain = library.SerialChain({"low": library.DryWet(library.LowPassFilter())})
    G = GRAFX(config=NodeConfigs.from_processors({"chain": chain}))
    G.add_serial_chain(["in", "chain", "out"])
    G.nodes[1]["drywet_weight"] = 0.25
    (part,) = [part for part in parts_of(G, 44100, {"chain": chain}) if part.type == "chain"]
    x = stems(1)[0]
    low = library.LowPassFilter()
    wet = low(x[None], **low.dsp_to_raw({}, 1))[0]
    torch.testing.assert_close(part.sound(x)[0], 0.25 * wet + 0.75 * x)


def test_a_circle_names_its_nodes():
    G = GRAFX(config=NodeConfigs(["PingPongDelay", "gain"]))
    source, delay, gain, out = (G.add(t) for t in ("in", "PingPongDelay", "gain", "out"))
    for ends in ((source, delay), (delay, gain), (gain, delay), (delay, out)):
        G.connect(*ends)
    with pytest.raises(ExchangeError, match=f"{delay}.*{gain}.*circle.*remove"):
        parts_of(G, 44100)


def test_what_is_no_single_known_graph_is_refused():
    G = GRAFX(config=NodeConfigs(["mine"]))
    G.add_serial_chain(["in", "mine", "out"])
    with pytest.raises(ExchangeError, match=r"'mine'.*--processors"):
        parts_of(G, 44100)
    with pytest.raises(ExchangeError, match="unbatch_grafx"):
        parts_of(batch_grafx([G, G]), 44100)
    G.remove(0)
    with pytest.raises(ExchangeError, match=r"no signal|cannot be carried over"):
        parts_of(G, 44100, {"mine": library.StereoGain()})


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(ExchangeError, match=r"'midi'.*csv"):
        write_graph(GRAFX(), "midi", tmp_path / "a", 44100)
    assert not list(tmp_path.iterdir())
