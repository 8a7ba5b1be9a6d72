import io

import grafx.processors as library
import numpy as np
import pytest
import soundfile
import torch
from nodes_alone import hear_one

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import AudioError
from grafx.report import hear
from grafx.report.codec import heard_loudness
from grafx.report.sounds import Sound, best_part, entry, packed, peaks, sounds_of, stems_of
from grafx.search import build_console, render_mix

RATE = 16000


def tones(count, seconds=1.0):
    times = torch.arange(int(seconds * RATE)) / RATE
    rows = [0.2 * torch.sin(6.283 * (200 + 170 * k) * times) * (1 + torch.sin(3 * k * times)) for k in range(count)]
    noise = 0.02 * torch.randn(count, 2, len(times), generator=torch.Generator().manual_seed(0))
    return torch.stack(rows)[:, None] + noise


def console(chain=("eq", "gain"), **options):
    G = build_console(["drums", "bass", "voice"], chain=chain, **options)
    for node, data in G.nodes(data=True):
        if data["node_type"] == "gain":
            data["parameters"] = {"log_gain": torch.tensor([-0.1 * node, -0.05 * node])}
    return G


def decoded(entries, files, key):
    signal, rate = soundfile.read(io.BytesIO(files[key]), dtype="float64", always_2d=True)
    return entries[key]["gain"] * signal.T, rate


@pytest.mark.parametrize("chain", [["eq", "gain"], ["compressor", "gain"]])
def test_sounds_of_nodes_in_the_page_are_those_of_the_graph(chain):
    heard = hear(console(chain), tones(3), RATE, target=tones(3).sum(0))
    sounds = sounds_of(heard)
    entries, files = packed(sounds, RATE, 10**8)
    assert set(entries) == set(files) == set(sounds.by_key)

    def same(key, signal):
        own, rate = decoded(entries, files, key)
        assert rate == RATE and entries[key]["codec"] == "flac"
        assert np.abs(own - signal.double().numpy()).max() <= 0.51 / 32768 * entries[key]["gain"] + 1e-7

    same(sounds.tracks["mix"], heard.mix)
    same(sounds.tracks["target"], heard.target)
    same(sounds.tracks["difference"], heard.mix - heard.target)
    for node in heard.G.nodes:
        keys, inputs = sounds.nodes[node], list(heard.inputs[node].values())
        same(keys["out"], heard.outputs[node][0])
        if inputs:
            same(keys["in"], inputs[0])
        if keys["adds"]:
            same(keys["adds"], heard.outputs[node][0] - inputs[0])


def test_the_input_is_the_output_of_what_comes_before_and_equal_sounds_are_there_once():
    G = console()
    heard = hear(G, tones(3), RATE)
    sounds = sounds_of(heard)
    for node in G.nodes:
        sources = list(G.predecessors(node))
        if len(sources) == 1:
            assert sounds.nodes[node]["in"] == sounds.nodes[sources[0]]["out"]
    (out,) = [node for node, data in G.nodes(data=True) if data["node_type"] == "out"]
    assert sounds.nodes[out] == {"out": "mix", "in": "mix", "adds": None}
    signals = [sound.part(0, RATE) for sound in sounds.by_key.values()]
    assert not any(torch.equal(a, b) for k, a in enumerate(signals) for b in signals[:k])


def test_what_does_nothing_adds_nothing_and_equal_stems_are_one_sound():
    G = build_console(["a", "b"], chain=["gain"], master=())
    twice = tones(1).expand(2, -1, -1)
    sounds = sounds_of(hear(G, twice, RATE))
    assert sounds.nodes[0]["out"] == sounds.nodes[1]["out"]
    assert all(keys["adds"] is None for keys in sounds.nodes.values())


def test_solos_are_the_graph_with_the_other_stems_silent():
    G = console(("compressor", "gain"), groups={"band": ["drums", "bass"]})
    sources = tones(3)
    sounds = sounds_of(hear(G, sources, RATE))
    for number, stem in enumerate(sounds.tracks["stems"]):
        alone = torch.zeros_like(sources)
        alone[number] = sources[number]
        expected = render_mix(G, alone, RATE)
        assert torch.allclose(sounds.by_key[stem["solo"]].signal, expected, atol=2e-6)
    assert [stem["name"] for stem in sounds.tracks["stems"]] == ["drums", "bass", "voice"]


def test_how_far_solos_add_up_to_the_mix_is_measured():
    linear = sounds_of(hear(console(), tones(3), RATE)).tracks["additive_db"]
    squashed = hear(console(("gain",), master=["compressor"]), 3 * tones(3), RATE)
    sounds = sounds_of(squashed)
    alone = sum(sounds.by_key[stem["solo"]].signal for stem in sounds.tracks["stems"]).double()
    mix = squashed.mix.double()
    level = 10 * torch.log10((alone - mix).square().mean() / mix.square().mean()).item()
    assert linear < -100 and sounds.tracks["additive_db"] == pytest.approx(level, abs=1e-3) and level > -60


def test_a_processor_that_sounds_without_input_is_heard_in_every_solo():
    class Hum(torch.nn.Module):
        def parameter_size(self):
            return {}

        def forward(self, x):
            return x + 0.1

    G = GRAFX(config=NodeConfigs(["hum"]))
    a, b, hum, out = G.add("in"), G.add("in"), G.add("hum"), G.add("out")
    for pair in ((a, hum), (hum, out), (b, out)):
        G.connect(*pair)
    sounds = sounds_of(hear(G, tones(2), RATE, {"hum": Hum()}))
    first, second = (sounds.by_key[stem["solo"]].signal for stem in sounds.tracks["stems"])
    assert torch.allclose(first, tones(2)[0] + 0.1) and torch.allclose(second, tones(2)[1] + 0.1)


def test_several_outlets_and_generators_have_their_sounds():
    heard, node = hear_one(library.LinkwitzRileyCrossover(sample_rate=RATE), sources=tones(1), rate=RATE)
    keys = sounds_of(heard).nodes[node]
    assert list(keys) == ["out", "in", "adds", "band1", "band2"] and len({*keys.values()}) == 5
    heard, node = hear_one(library.KickSynth(sample_rate=RATE), sources=torch.zeros(1, 1, RATE), rate=RATE)
    sounds = sounds_of(heard)
    assert sounds.nodes[node] == {"out": "mix", "in": None, "adds": None} and sounds.tracks["stems"] == []


@pytest.mark.parametrize("most", [400_000, 80_000])
def test_sounds_fit_into_what_there_is_room_for(most):
    heard = hear(console(("gain",)), tones(3, 3.0), RATE, target=tones(3, 3.0).sum(0))
    sounds = sounds_of(heard)
    entries, files = packed(sounds, RATE, most)
    assert most / 3 < sum(map(len, files.values())) <= most
    for key, one in entries.items():
        own, rate = decoded(entries, files, key)
        start = round(one["start"] * rate)
        assert own.shape[-1] == pytest.approx(one["seconds"] * rate, abs=1)
        assert start + own.shape[-1] <= 3 * rate + 1
        whole = sounds.by_key[key].part(0, 3 * RATE).double().numpy()
        part = np.ascontiguousarray(whole[:, round(one["start"] * RATE) :][:, : round(one["seconds"] * RATE)])
        levels = [heard_loudness(torch.from_numpy(x), r) for x, r in ((own, rate), (part, RATE))]
        assert levels[0] == pytest.approx(levels[1], abs=0.1) and one["lufs"] == pytest.approx(levels[1], abs=0.01)
    assert {entries[key]["seconds"] for key in ("mix", "target", "difference")} == {3}


def test_sounds_that_never_fit_are_refused():
    with pytest.raises(AudioError, match="sounds"):
        packed(sounds_of(hear(console(), tones(3), RATE)), RATE, 5000)


def test_excerpts_of_what_hears_the_same_stems_are_cut_alike():
    heard = hear(console(("gain",)), tones(3, 3.0), RATE)
    sounds = sounds_of(heard)
    entries, _ = packed(sounds, RATE, 65_000)
    stems = stems_of(heard)
    cuts = {}
    for node, keys in sounds.nodes.items():
        for key in filter(None, keys.values()):
            if sounds.by_key[key].role == "node":
                cuts.setdefault(stems[node], set()).add((entries[key]["start"], entries[key]["seconds"]))
    assert cuts and all(len(found) == 1 for found in cuts.values())
    assert any(entries[key]["seconds"] < 3 for key in entries)
    solos = [entries[stem["solo"]] for stem in sounds.tracks["stems"]]
    assert len({(one["start"], one["seconds"]) for one in solos}) == 1


def test_the_loudest_part_is_chosen_and_sounds_count_alike():
    signal = torch.zeros(1, 10 * RATE)
    signal[:, 6 * RATE : 7 * RATE] = 0.5
    start, stop = best_part([Sound("", "node", signal)], 2 * RATE, RATE)
    assert stop - start == 2 * RATE and start <= 6 * RATE and stop >= 7 * RATE
    other = torch.zeros(1, 10 * RATE)
    other[:, RATE : 2 * RATE] = 0.001
    soft = [Sound("", "node", other), Sound("", "node", other), Sound("", "node", signal)]
    assert best_part(soft, 2 * RATE, RATE)[0] <= RATE


def test_what_is_told_of_a_sound():
    signal = tones(1)[0]
    told = entry(Sound("voice", "node", signal), RATE, 1000, 9000)
    assert told["start"] == 1000 / RATE and told["seconds"] == 0.5 and told["label"] == "voice"
    assert told["lufs"] == pytest.approx(heard_loudness(signal[:, 1000:9000], RATE), abs=0.01)
    mono = entry(Sound("", "node", signal[:1]), RATE)["lufs"]
    assert mono == entry(Sound("", "node", signal[:1].expand(2, -1)), RATE)["lufs"]  # as both loudspeakers play it
    assert told["peak"] == signal[:, 1000:9000].abs().max().item()
    assert entry(Sound("", "node", torch.zeros(2, 100)), RATE)["lufs"] is None


@pytest.mark.parametrize("length", [1, 37, 800, 801, 5003])
def test_peaks_are_the_lowest_and_highest_samples(length):
    signal = torch.randn(2, length, generator=torch.Generator().manual_seed(0))
    peak, pairs = peaks(signal)
    size = -(-length // 800)
    assert peak == signal.abs().max().item() and len(pairs) == -(-length // size) <= 800
    for place, (low, high) in enumerate(pairs):
        part = signal[:, place * size : (place + 1) * size] * 127 / peak
        assert abs(low - part.min().item()) <= 0.51 and abs(high - part.max().item()) <= 0.51
        assert type(low) is type(high) is int
    assert peaks(torch.zeros(1, 4)) == (0.0, [[0, 0]] * 4)
