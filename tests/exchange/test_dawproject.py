"""Graphs as DAWprojects and back: the schema, equal sound and structure, what is fitted, what is recorded."""

import math
import os
import zipfile
from itertools import pairwise
from pathlib import Path

import networkx as nx
import pytest
import torch
from grafx.processors import (
    Compressor,
    MultitapDelay,
    Panner,
    Send,
    StereoToMidSide,
    TanhDistortion,
)

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import ExchangeError
from grafx.exchange import level_of_difference, read_graph, write_graph
from grafx.exchange.dawproject.fit import probe
from grafx.exchange.dawproject.read import read_mixer
from grafx.exchange.parts import parts_of, play
from grafx.search import build_console
from grafx.search.mixing.console import console_processors
from grafx.search.mixing.mixer import render_mix

RATE = 44100
RNG = Path(__file__).with_name("dawproject.rng")
PUBLISHED = os.environ.get("GRAFX_DAWPROJECT_XSD")
"""Where the published Project.xsd lies, which is too much of another project to lie here."""


@pytest.fixture(scope="module")
def stems() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    time = torch.arange(RATE) / RATE
    drums = 0.4 * torch.exp(-12 * (time % 0.25)) * torch.randn(2, RATE, generator=generator)
    bass = 0.3 * torch.exp(-2 * (time % 0.5)) * torch.sin(2 * math.pi * 110 * time).expand(2, -1)
    return torch.stack([drums, bass])


def chain(*nodes, **config) -> GRAFX:
    """One input through nodes: types, or pairs of types and values."""
    nodes = [node if isinstance(node, tuple) else (node, None) for node in nodes]
    G = GRAFX(config=NodeConfigs({node_type: config.get(node_type, {}) for node_type, _ in nodes}))
    end = G.add("in", name="drums")
    for node_type, values in nodes:
        node = G.add(node_type, values and {k: v for k, v in values.items() if k not in ("drywet_weight", "bypass")})
        G.nodes[node].update({k: v for k, v in (values or {}).items() if k in ("drywet_weight", "bypass")})
        G.connect(end, node)
        end = node
    G.connect(end, G.add("out"))
    return G


def mixed(G, stems, processors=None):
    parts = parts_of(G, RATE, processors)
    (out,) = [part.id for part in parts if part.type == "out"]
    return play(parts, stems)[out][0]


def carried_as(written):
    return {each.node: each for each in written.carried}


def project_xml(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read("project.xml")


def check_schema(path):
    from lxml import etree

    document = etree.fromstring(project_xml(path))
    schema = etree.RelaxNG(etree.parse(str(RNG)))
    assert schema.validate(document), schema.error_log
    if PUBLISHED:
        published = etree.XMLSchema(etree.parse(PUBLISHED))
        assert published.validate(document), published.error_log
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        files = {element.get("path") for element in document.iter("File")}
        assert files <= set(archive.namelist())
        assert etree.fromstring(archive.read("metadata.xml")).tag == "MetaData"


PEQ = {
    "frequency_hz": [60.0, 120, 300, 700, 1000, 2000, 4000, 6000, 8000, 12000],
    "q": [0.7, 1, 2, 1, 0.5, 3, 1, 1, 4, 0.7],
    "gain_db": [3.0, -4, 0, 2.5, -1, 6, -8, 0, 3, -5],
}
COMPRESSION = {"threshold_db": -24.0, "ratio": 3.0, "knee_db": 5.0, "attack_ms": 8.0, "release_ms": 120.0}
GATING = {"threshold_db": -35.0, "ratio": 4.0, "knee_db": 2.0, "attack_ms": 2.0, "release_ms": 60.0}
LIMITING = {"threshold_db": -12.0, "ratio": 50.0, "knee_db": 0.5, "release_ms": 80.0, "makeup_db": 2.0}


def desk() -> GRAFX:
    """Two stems with devices of all kinds, a bus, a return that both feed, before and behind faders, a master."""
    types = ["peq", "compressor", "noisegate", "limiter", "gain", "send", "HighPassFilter", "LowShelf"]
    G = GRAFX(config=NodeConfigs(types))

    def add(source, node_type, parameters=None, **attributes):
        node = G.add(node_type, parameters)
        G.nodes[node].update(attributes)
        G.connect(source, node)
        return node

    drums, bass = G.add("in", name="drums"), G.add("in", name="bass")
    bus, room, master = (G.add("mix", name=name) for name in ("band", "room", "master"))
    eq = add(add(drums, "noisegate", GATING, drywet_weight=0.9), "peq", PEQ)
    G.connect(add(eq, "send", {"left_gain_db": -9.0, "right_gain_db": -12.0}), room)
    fader = add(eq, "gain", {"left_gain_db": -3.0, "right_gain_db": -6.0})
    G.connect(fader, bus)
    low = add(add(bass, "HighPassFilter", {"frequency_hz": 50.0, "q": 0.9}), "compressor", COMPRESSION)
    level = add(low, "gain", {"left_gain_db": 2.0, "right_gain_db": 1.0})
    G.connect(level, bus)
    G.connect(add(level, "send", {"left_gain_db": -15.0, "right_gain_db": -15.0}), room)
    G.connect(add(bus, "LowShelf", {"frequency_hz": 200.0, "q": 0.7, "gain_db": 4.0}), master)
    G.connect(add(add(room, "compressor", {**COMPRESSION, "ratio": 12.0}), "gain", {"left_gain_db": 4.0}), master)
    G.connect(add(master, "limiter", LIMITING), G.add("out", name="mix"))
    return G


def same(one: GRAFX, other: GRAFX) -> bool:
    def of(data):
        return data["node_type"], data["name"] if data["node_type"] in ("in", "mix") else None

    plain = [nx.MultiDiGraph(G) for G in (one, other)]
    return nx.is_isomorphic(*plain, node_match=lambda a, b: of(a) == of(b) or a["node_type"] == b["node_type"] == "mix")


class TestThereAndBack:
    def test_desk(self, stems, tmp_path):
        G, file = desk(), tmp_path / "desk.dawproject"
        written = write_graph(G, "dawproject", file, RATE, stems=stems, title="A & B")
        check_schema(file)
        assert {each.how for each in written.carried} == {"exact"}, written.carried
        assert written.distance.db < -90
        read = read_mixer(file)
        assert same(read.G, G) and read.title == "A & B" and not read.left_out
        torch.testing.assert_close(read.stems[[read.names.index(name) for name in ("drums", "bass")]], stems)
        ours = mixed(G, stems)
        assert level_of_difference(render_mix(read.G, read.stems, RATE), ours) < -90

    def test_the_settings_that_come_back(self, stems, tmp_path):
        file = tmp_path / "one.dawproject"
        G = chain(("peq", PEQ), ("compressor", COMPRESSION), ("noisegate", GATING), ("limiter", LIMITING))
        write_graph(G, "dawproject", file, RATE, stems=stems[:1])
        (back, metadata) = read_graph(file, "dawproject")
        values = {d["node_type"]: d["parameters"] for _, d in back.nodes(data=True) if d["parameters"]}
        for node_type, given in (
            ("peq", PEQ),
            ("compressor", COMPRESSION),
            ("noisegate", GATING),
            ("limiter", LIMITING),
        ):
            for name, value in given.items():
                assert values[node_type][name] == pytest.approx(value, rel=1e-4), (node_type, name)
        assert metadata["sample_rate"] == RATE and metadata["num_samples"] == stems.shape[-1]

    def test_gains_that_change_nothing(self, stems, tmp_path):
        G = desk()
        for _, data in G.nodes(data=True):
            if data["node_type"] in ("gain", "send"):
                data["parameters"] = {"left_gain_db": 0.0, "right_gain_db": 0.0}
        write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems)
        check_schema(tmp_path / "a.dawproject")
        assert same(read_mixer(tmp_path / "a.dawproject").G, G)

    def test_twice_is_the_same(self, stems, tmp_path):
        first, second = tmp_path / "1.dawproject", tmp_path / "2.dawproject"
        write_graph(desk(), "dawproject", first, RATE, stems=stems)
        write_graph(desk(), "dawproject", second, RATE, stems=stems, title="1")
        assert read_mixer(first).title == "1"
        assert first.read_bytes() == second.read_bytes()

    @pytest.mark.parametrize("gains", [(0.0, -60.0), (9.0, 20.0), (-3.0, -3.0), (-20.0, 5.0)])
    def test_faders(self, gains, stems, tmp_path):
        G = chain(("gain", {"left_gain_db": gains[0], "right_gain_db": gains[1]}))
        file = tmp_path / "fader.dawproject"
        assert write_graph(G, "dawproject", file, RATE, stems=stems[:1]).distance.db < -100
        check_schema(file)
        (back, _), volumes = read_graph(file, "dawproject"), [b'<Volume max="2.0"' in project_xml(file)]
        (gain,) = [d["parameters"] for _, d in back.nodes(data=True) if d["node_type"] == "gain"]
        assert [gain["left_gain_db"], gain["right_gain_db"]] == pytest.approx(gains, abs=1e-4) and all(volumes)

    @pytest.mark.parametrize("first", ["compressor", "noisegate", "limiter", "peq"])
    @pytest.mark.parametrize("right", [-6.0, 3.0])
    def test_gains_before_devices(self, first, right, stems, tmp_path):
        values = {"compressor": COMPRESSION, "noisegate": GATING, "limiter": LIMITING, "peq": PEQ}[first]
        G = chain(
            ("LowShelf", {"gain_db": 6.0}), ("gain", {"left_gain_db": -6.0, "right_gain_db": right}), (first, values)
        )
        written = write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems[:1])
        assert written.distance.db < -90 and {each.how for each in written.carried} == {"exact"}
        check_schema(tmp_path / "a.dawproject")


class TestKinds:
    """Other processors than those of the format, each with its distance."""

    @pytest.mark.parametrize(
        "node",
        [
            ("saturation", {"pre_gain_db": 12.0}),
            ("delay", None),
            ("reverb", None),
            ("imager", {"side_gain_db": 6.0}),
            ("Freeverb", None),
        ],
        ids=lambda node: node[0],
    )
    @pytest.mark.parametrize("place", ["before", "behind"])
    def test_recorded(self, node, place, stems, tmp_path):
        """Into the stem before any device, beside what follows the input behind one: the sound stays."""
        types, device = [node, ("compressor", COMPRESSION)], 1 if place == "before" else 2
        G = chain(*(types if place == "before" else types[::-1]), ("gain", {"left_gain_db": -6.0}))
        for i, data in G.nodes(data=True):
            if data["node_type"] == node[0]:
                data["drywet_weight"], recorded = 0.4, i
        file = tmp_path / "a.dawproject"
        written = write_graph(G, "dawproject", file, RATE, stems=stems[:1])
        check_schema(file)
        found = carried_as(written)
        assert found[recorded].how == "rendered" and found[recorded].distance_db < -80
        assert found[3 - recorded].how == "exact", written.carried
        assert written.distance.db < -80
        with zipfile.ZipFile(file) as archive:
            has = [name for name in archive.namelist() if name.startswith("impulse responses/")]
        assert bool(has) == (node[0] != "saturation")
        assert device in (1, 2)

    def test_zero_phase_equalizer(self, stems, tmp_path):
        hertz = torch.linspace(0, RATE / 2, 1025)[:-1]
        curve = 6 * torch.exp(-((hertz.clamp(min=20) / 300).log2() ** 2)) - 8 * (hertz / 8000).clamp(max=1)
        G = chain(("eq", {"log_magnitude": curve * math.log(10) / 20}))
        G.nodes[1]["drywet_weight"] = 0.8
        written = write_graph(G, "dawproject", tmp_path / "eq.dawproject", RATE, stems=stems[:1])
        (each,) = written.carried
        assert each.how == "fitted" and max(each.distance_db, written.distance.db) < -80  # the audio makes up for it
        read = read_mixer(tmp_path / "eq.dawproject")
        ours, theirs = (_level_curve(parts_of(graph, RATE)) for graph in (G, read.G))
        heard = (hertz > 60) & (hertz < 15000)
        assert (ours - theirs)[heard].abs().max() < 1.5

    def test_zero_phase_equalizer_behind_a_device(self, stems, tmp_path):
        """Its phase differs, and nothing makes up for that; its magnitudes are near."""
        hertz = torch.linspace(0, RATE / 2, 1025)[:-1]
        curve = 5 * torch.exp(-((hertz.clamp(min=20) / 1000).log2() ** 2))
        G = chain(("compressor", COMPRESSION), ("eq", {"log_magnitude": curve * math.log(10) / 20}))
        written = write_graph(G, "dawproject", tmp_path / "eq.dawproject", RATE, stems=stems[:1])
        each = carried_as(written)[2]
        assert each.how == "fitted" and -60 < each.distance_db < -6 and "by magnitude" in each.note
        assert written.distance.db == pytest.approx(each.distance_db, abs=0.5)

    def test_share_of_a_compressor(self, stems, tmp_path):
        G = chain(("compressor", COMPRESSION))
        G.nodes[1]["drywet_weight"] = 0.6
        written = write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems[:1])
        (each,) = written.carried
        assert each.how == "fitted" and each.distance_db < -25
        assert written.distance.db == pytest.approx(each.distance_db, abs=1)

    def test_one_that_no_compressor_is_like(self, stems, tmp_path):
        """Beyond the infinite ratio the level falls: what no compressor does is recorded."""
        loud = chain("compressor")
        loud.nodes[1]["parameters"] = {
            "log_threshold": torch.tensor([-2.0]),
            "log_ratio": torch.tensor([5.0]),
            "log_knee": torch.tensor([0.0]),
            "z_alpha_pre": torch.tensor([5.0, 5.0]),
        }
        written = write_graph(loud, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems[:1])
        assert written.carried[0].how in ("rendered", "fitted") and written.distance.db < -12

    def test_desk_styles(self, stems, tmp_path):
        """A makeup gain is the output gain; another smoother is fitted."""
        processors = {
            "desk": Compressor(style="desk", sample_rate=RATE),
            "iir": Compressor(energy_smoother="iir", sample_rate=RATE),
        }
        G = chain(
            ("desk", {"threshold_db": -30, "ratio": 4, "makeup_db": 3}), ("iir", {"threshold_db": -30, "ratio": 2})
        )
        written = write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems[:1], processors=processors)
        found = carried_as(written)
        assert found[1].how == "exact" and found[2].how in ("exact", "fitted") and found[2].distance_db < -20
        assert b"OutputGain" in project_xml(tmp_path / "a.dawproject")

    @pytest.mark.parametrize("law", ["linear", "constant_power", "balance"])
    def test_pans(self, law, stems, tmp_path):
        G = chain(("pan", {"pan": 0.4}))
        written = write_graph(
            G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems[:1], processors={"pan": Panner(law)}
        )
        assert written.carried[0].how == "exact" and written.distance.db < -90

    def test_probes(self):
        """What is linear and time-invariant, and what is but a gain."""
        cases = {
            "gain": (console_processors(RATE, ["gain"])["gain"], {"left_gain_db": -6.0}, True, True),
            "delay": (MultitapDelay(), {}, True, False),
            "drive": (TanhDistortion(), {}, False, False),
        }
        for name, (processor, values, linear, gain) in cases.items():
            part = parts_of(chain((name, values)), RATE, {name: processor})[1]
            found = probe(part)
            assert (found.responses is not None, found.gains is not None) == (linear, gain), name


class TestRouting:
    def test_sends_of_a_desk(self, stems, tmp_path):
        """The two outlets of a Send, before and behind the fader."""
        processors = {"send": Send(), "drive": TanhDistortion()}
        G = GRAFX(config=NodeConfigs({"send": {"outlets": ["main", "send"]}, "gain": {}, "compressor": {}}))
        drums, bass = G.add("in", name="drums"), G.add("in", name="bass")
        mix, bus = G.add("mix"), G.add("compressor", COMPRESSION, name="room")
        pre, post = G.add("send", {"send_db": -12.0}), G.add("send", {"send_db": -6.0})
        one, two = (G.add("gain", {"left_gain_db": db, "right_gain_db": db}) for db in (-3.0, -9.0))
        for path in ((drums, pre, one, mix), (bass, two, post, mix), (bus, mix, G.add("out"))):
            for source, dest in pairwise(path):
                G.connect(source, dest)
        for send in (pre, post):
            G.connect(send, bus, outlet="send")
        written = write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems, processors=processors)
        check_schema(tmp_path / "a.dawproject")
        xml = project_xml(tmp_path / "a.dawproject")
        assert written.distance.db < -90
        assert b'type="pre"' in xml and b'type="post"' in xml and b'role="effect"' in xml

    def test_console(self, stems, tmp_path):
        """Groups and returns as a search has them, with reverbs in the return and in the group."""
        G = build_console(
            ["drums", "bass"], {"band": ["drums"]}, ["peq", "compressor", "gain"],
            master=["peq", "limiter"], returns={"room": ["reverb"], "crush": ["compressor", "gain"]},
        )  # fmt: skip
        torch.manual_seed(3)
        processors = console_processors(RATE, {d["node_type"] for _, d in G.nodes(data=True)} - {"in", "mix", "out"})
        for _, data in G.nodes(data=True):
            if data["node_type"] in processors:
                raw = processors[data["node_type"]].dsp_to_raw({}, 1)
                data["parameters"] = {name: value[0] + 0.1 * torch.randn(value[0].shape) for name, value in raw.items()}
        file = tmp_path / "a.dawproject"
        written = write_graph(G, "dawproject", file, RATE, stems=stems)
        check_schema(file)
        assert written.distance.db < -70
        kinds = {each.type: each.how for each in written.carried}
        assert kinds["reverb"] == "rendered" and kinds["peq"] == kinds["limiter"] == "exact", written.carried

    def test_recording_on_the_master(self, stems, tmp_path):
        G = build_console(["drums", "bass"], chain=["peq"], master=["imager", "peq", "saturation"])
        written = write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems)
        assert written.distance.db < -80
        check_schema(tmp_path / "a.dawproject")
        read = read_mixer(tmp_path / "a.dawproject")
        assert {"drums", "bass"} <= set(read.names)

    def test_what_drives_is_recorded(self, stems, tmp_path):
        G = build_console(["drums", "bass"], chain=["peq"], master=(), sidechains={"bass": "drums"})
        for _, data in G.nodes(data=True):
            if data["node_type"] == "ducker":
                data["parameters"] = {"threshold_db": -40.0, "ratio": 8.0}
        written = write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems)
        (ducker,) = [each for each in written.carried if each.type == "ducker"]
        assert ducker.how == "rendered" and "drives" in ducker.note and written.distance.db < -80
        check_schema(tmp_path / "a.dawproject")

    def test_split_bands(self, stems, tmp_path):
        """What has several outlets is recorded, each as a track, and what feeds only it goes."""
        G = GRAFX(config=NodeConfigs({"split": {"outlets": ["mid", "side"]}, "peq": {}, "gain": {}}))
        drums, eq, split = G.add("in", name="drums"), G.add("peq", PEQ), G.add("split")
        mid, side, mix = G.add("gain", {"left_gain_db": -3.0}), G.add("peq", PEQ), G.add("mix")
        G.connect(drums, eq), G.connect(eq, split)
        G.connect(split, mid, outlet="mid"), G.connect(split, side, outlet="side")
        G.connect(mid, mix), G.connect(side, mix), G.connect(mix, G.add("out"))
        processors = {"split": StereoToMidSide()}
        written = write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems[:1], processors=processors)
        found = carried_as(written)
        assert found[eq].how == found[split].how == "rendered" and found[side].how == "exact"
        assert written.distance.db < -90

    def test_dead_ends(self, stems, tmp_path):
        G = chain(("peq", PEQ))
        lost = G.add("peq", PEQ)
        G.connect(0, lost)
        written = write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems[:1])
        assert carried_as(written)[lost].how == "left out" and carried_as(written)[1].how == "exact"
        assert written.distance.db < -90

    def test_generators(self, tmp_path):
        from grafx.processors import SineOscillator

        G = GRAFX(config=NodeConfigs({"osc": {"inlets": []}, "gain": {}}))
        source, gain = G.add("osc"), G.add("gain", {"left_gain_db": -6.0})
        G.connect(source, gain), G.connect(gain, G.add("out"))
        file = tmp_path / "a.dawproject"
        written = write_graph(
            G, "dawproject", file, RATE, processors={"osc": SineOscillator(sample_rate=RATE)}, seconds=8000 / RATE
        )
        assert carried_as(written)[source].how == "rendered" and written.distance.db < -90
        with pytest.raises(ExchangeError, match="seconds"):
            write_graph(G, "dawproject", file, RATE, processors={"osc": SineOscillator(sample_rate=RATE)})

    def test_moved_and_inverted_stems(self, stems, tmp_path):
        G = chain(("peq", PEQ))
        G.nodes[0].update(delay_samples=-300, inverted=True)
        written = write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems[:1])
        assert written.distance.db < -90
        read = read_mixer(tmp_path / "a.dawproject")
        torch.testing.assert_close(read.stems[0, :, :-300], -stems[0, :, 300:])


class TestRefusals:
    def test_cycle(self, stems, tmp_path):
        G = GRAFX(config=NodeConfigs(["gain"]))
        ids = G.add("in"), G.add("gain"), G.add("gain"), G.add("out")
        for source, dest in [(0, 1), (1, 2), (2, 1), (2, 3)]:
            G.connect(ids[source], ids[dest])
        with pytest.raises(ExchangeError, match=r"1, 2.*remove"):
            write_graph(G, "dawproject", tmp_path / "a.dawproject", RATE, stems=stems[:1])
        assert not (tmp_path / "a.dawproject").exists()

    def test_outputs_and_stems(self, stems, tmp_path):
        G, file = chain("gain"), tmp_path / "a.dawproject"
        with pytest.raises(ExchangeError, match="--stem"):
            write_graph(G, "dawproject", file, RATE)
        with pytest.raises(ExchangeError, match=r"\(1, 2, samples\)"):
            write_graph(G, "dawproject", file, RATE, stems=stems)
        with pytest.raises(ExchangeError, match=r"Node 0 of type 'in' gives NaN"):
            write_graph(G, "dawproject", file, RATE, stems=stems[:1] / 0)
        G.connect(1, G.add("out"))
        with pytest.raises(ExchangeError, match=r"2 outputs \(2, 3\)"):
            write_graph(G, "dawproject", file, RATE, stems=stems[:1])
        assert not list(tmp_path.iterdir())


def _level_curve(parts):
    """Of one input to the output, 1024 values in dB."""
    impulse = torch.zeros(1, 2, 2**15)
    impulse[..., 2**14] = 1
    heard = next(play(parts, impulse)[part.id][0] for part in parts if part.type == "out")
    return 20 * torch.log10(torch.fft.rfft(heard[0]).abs()[:-1].reshape(1024, -1).mean(-1))
