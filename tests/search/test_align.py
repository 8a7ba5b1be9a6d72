"""Stems are put where the mix has them, the graph that is found knows, and what is in its place stays there."""

import dataclasses
import math

import pytest
import torch

from grafx.data import GraphError, load_grafx, save_grafx
from grafx.errors import RenderError, SearchError
from grafx.search import MixStream, Options, Placement, Search, align, build_console, render_mix
from grafx.search.mixing.diagnosis.clipping import clipped_samples
from grafx.search.mixing.placement import placed, placed_graph, placements_of
from grafx.search.mixing.report import write_results

RATE = 16000
NAMES = ["drums", "bass", "keys"]


def make_stems(seconds=4.0, rate=RATE):
    """Strokes of noise, a line of low notes with overtones and its hiss, and chords that fade."""
    generator = torch.Generator().manual_seed(1)
    time = torch.arange(round(seconds * rate)) / rate
    notes, chords = torch.zeros(2, len(time))
    for index in range(math.ceil(seconds / 0.4)):
        since = time - 0.4 * index
        inside = (since >= 0) & (since < 0.4)
        hertz = 55 * 2 ** (torch.randint(0, 12, (), generator=generator).item() / 12)
        for overtone in range(1, 12):
            notes += inside * torch.sin(2 * torch.pi * hertz * overtone * since) / overtone * torch.exp(-2 * since)
        for ratio in (4.02, 4.97, 6.05):
            chords += inside * torch.sin(2 * torch.pi * hertz * ratio * since) * torch.exp(-4 * since)
    strokes = torch.exp(-30 * (time % 0.23)) * torch.randn(len(time), generator=generator)
    hiss = 0.01 * torch.randn(2, len(time), generator=generator)
    mono = torch.stack([0.5 * strokes, 0.2 * notes + hiss[0], 0.1 * chords + hiss[1]])
    return mono.unsqueeze(1).repeat(1, 2, 1)


@pytest.fixture(scope="module")
def stems():
    return make_stems()


@pytest.fixture(scope="module")
def mix(stems):
    return mixed(stems)


def mixed(stems):
    return (torch.tensor([[0.8, 0.5], [0.6, 0.6], [0.3, 0.9]])[:, :, None] * stems).sum(0)


def late(signal, samples):
    """Shifted by another way than the code under test: the spectrum of a longer signal."""
    size = 2 * signal.shape[-1] + 2 * abs(samples)
    turn = torch.exp(-2j * torch.pi * torch.arange(size // 2 + 1).double() * samples / size)
    shifted = torch.fft.irfft(torch.fft.rfft(signal.double(), size) * turn, size)[..., : signal.shape[-1]]
    return shifted.to(signal.dtype)


def changes(alignment):
    """Name to placement of what was changed."""
    pairs = zip(NAMES, alignment.placements, strict=True)
    return {name: placement for name, placement in pairs if placement != Placement()}


# What is found


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("samples", [16, 374, -374, 3200, -3200])
def test_an_early_or_late_stem_is_moved_back(stems, mix, index, samples):
    given = stems.clone()
    given[index] = late(given[index], samples)
    found = align(given, mix, RATE, NAMES)
    assert changes(found) == {NAMES[index]: Placement(-samples)}
    (note,) = found.diagnosis.notes
    word = "earlier" if samples > 0 else "later"
    assert note == (
        f"{NAMES[index]} is heard {abs(samples) / 16:.1f} ms {word} in the mix than in its file: it is moved."
    )
    inside = slice(3200, -3200)
    torch.testing.assert_close(found.stems[..., inside], stems[..., inside], rtol=1e-4, atol=1e-5)


def test_what_is_moved_is_padded_with_silence():
    signal = torch.arange(1.0, 7.0)
    assert placed(signal, Placement(2)).tolist() == [0, 0, 1, 2, 3, 4]
    assert placed(signal, Placement(-2)).tolist() == [3, 4, 5, 6, 0, 0]
    assert placed(signal, Placement(1, inverted=True)).tolist() == [0, -1, -2, -3, -4, -5]
    assert not placed(signal, Placement(99)).any() and not placed(signal, Placement(-99)).any()
    assert not placed(signal, Placement(left_out=True)).any()


def test_stems_of_all_faults_at_once(stems, mix):
    given = torch.stack([late(stems[0], 500), -stems[1], -late(stems[2], -1200)])
    assert changes(align(given, mix, RATE, NAMES)) == {
        "drums": Placement(-500),
        "bass": Placement(0, True),
        "keys": Placement(1200, True),
    }


def test_a_late_mix_moves_all_stems_also_one_of_which_nothing_is_known(stems):
    given = stems.clone()
    given[2] = 0
    found = align(given, late(mixed(given), 800), RATE, NAMES)
    assert found.placements == [Placement(800)] * 3
    assert found.diagnosis.notes == ["The mix is 50.0 ms later than all stems: they are moved to it."]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_stem_that_is_not_in_the_mix_is_left_out(stems, index):
    others = stems.clone()
    others[index] = 0
    found = align(stems, mixed(others), RATE, NAMES)
    assert changes(found) == {NAMES[index]: Placement(left_out=True)}
    assert not found.stems[index].any()
    (note,) = found.diagnosis.notes
    assert note.startswith(f"{NAMES[index]} is not found in the mix") and note.endswith("It is left out.")


def test_of_stems_that_are_all_not_in_it_none_is_left_out(stems):
    noise = torch.randn(stems.shape[1:], generator=torch.Generator().manual_seed(5))
    found = align(stems, noise, RATE, NAMES)
    assert changes(found) == {} and not any("left out" in note for note in found.diagnosis.notes)


# What stays


@pytest.mark.parametrize("gain", [1.0, 1e-3, 4.0])
def test_stems_in_their_place_are_those_that_were_given(stems, mix, gain):
    found = align(stems, gain * mix, RATE, NAMES)
    assert found.stems is stems and changes(found) == {} and found.diagnosis.notes == []


@pytest.mark.parametrize("seconds", [0.02, 0.12])
@pytest.mark.parametrize("wet", [0.3, 1.0])
def test_echoes_are_no_delays(stems, seconds, wet):
    echoes = stems + wet * late(stems, round(seconds * RATE))
    assert changes(align(stems, mixed(echoes), RATE, NAMES)) == {}


def test_reverbs_are_no_delays(stems):
    """Half of the sound is 20 ms late and lasts half a second."""
    generator = torch.Generator().manual_seed(2)
    response = torch.exp(-8 * torch.arange(RATE // 2) / RATE) * torch.randn(2, RATE // 2, generator=generator)
    response = torch.nn.functional.pad(0.1 * response, (RATE // 50, 0))
    size = 2 * stems.shape[-1]
    wet = torch.fft.irfft(torch.fft.rfft(stems, size) * torch.fft.rfft(response, size))[..., : stems.shape[-1]]
    assert changes(align(stems, mixed(stems + wet), RATE, NAMES)) == {}


def test_a_soft_stem_is_not_left_out(stems):
    soft = stems * torch.tensor([1.0, 0.06, 1.0])[:, None, None]
    assert changes(align(stems, mixed(soft), RATE, NAMES)) == {}


def test_short_and_silent_audio_stays(stems, mix):
    for given, target in ((stems[..., : RATE - 1], -mix[..., : RATE - 1]), (0 * stems, mix), (stems, 0 * mix)):
        assert align(given, target, RATE, NAMES).stems is given


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_any_sample_rate(rate):
    stems = make_stems(2.5, rate)
    given = torch.stack([late(stems[0], round(0.0234 * rate)), stems[1], -stems[2]])
    assert changes(align(given, mixed(stems), rate, NAMES)) == {
        "drums": Placement(-round(0.0234 * rate)),
        "keys": Placement(0, True),
    }


def test_a_clipped_mix_is_told_and_moves_nothing(stems):
    loud = mixed(stems)
    ceiling = 0.3 * loud.abs().amax(-1, keepdim=True)
    found = align(stems, loud.clamp(-ceiling, ceiling), RATE, NAMES)
    assert found.diagnosis.clipped == (loud.abs() >= ceiling).sum() > 100
    assert changes(found) == {}
    (note,) = found.diagnosis.notes
    assert f"clipped at {found.diagnosis.clipped} samples" in note


def test_peaks_are_not_clipped(stems):
    """Nor are slow waves in 16 bits, whose tops are some samples long, square waves apart."""
    time = torch.arange(4 * RATE) / RATE
    slow = torch.sin(2 * torch.pi * 20 * time)
    for signal in (mixed(stems), slow, (32767 * slow).round() / 32768, (32767 * mixed(stems)).round() / 32768):
        assert clipped_samples(signal.expand(2, -1)) == 0
        assert clipped_samples(0.9 * signal.expand(2, -1).clamp(-0.25 * signal.max(), signal.max())) > 0


def test_a_long_song_is_heard_where_its_stems_sound(stems):
    """The third stem plays in a few seconds only, between the excerpts that are heard anyway."""
    whole = stems.repeat(1, 1, 15)
    whole[2, :, : 12 * RATE] = 0
    whole[2, :, 16 * RATE :] = 0
    given = whole.clone()
    given[2] = late(given[2], 400)
    assert changes(align(given, mixed(whole), RATE, NAMES)) == {"keys": Placement(-400)}


# What becomes of it

PLACEMENTS = [Placement(130), Placement(0, True), Placement(-77, True)]


@pytest.fixture(scope="module")
def console(stems):
    """With settings of its own in every node."""
    from grafx.search.mixing.initial import set_initial_parameters

    G = build_console(NAMES, {"band": NAMES[1:]}, chain=["eq", "gain", "delay"])
    set_initial_parameters(G, stems, mixed(stems), seed=0, sample_rate=RATE)
    return G


def test_a_graph_renders_stems_as_they_are_in_their_files(console, stems):
    moved = torch.stack([late(stems[0], 130), -stems[1], -late(stems[2], -77)])
    expected = render_mix(console, moved, RATE)
    torch.testing.assert_close(render_mix(placed_graph(console, PLACEMENTS), stems, RATE), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("size", [50, 4096, 70000])
def test_in_blocks_of_any_size_it_renders_the_same(console, stems, size):
    G = placed_graph(console, PLACEMENTS)
    stems = stems[..., : 5000 if size < 100 else None]
    whole, stream = render_mix(G, stems, RATE), MixStream(G, RATE)
    mixed = torch.cat([*[stream(block) for block in stems.split(size, -1)], stream.finish(tail=False)], -1)
    assert mixed.shape[-1] == stems.shape[-1] + stream.latency_samples
    torch.testing.assert_close(mixed[:, stream.latency_samples :], whole, rtol=1e-4, atol=1e-5)


def test_the_tail_has_what_is_late(stems):
    G = placed_graph(build_console(NAMES, chain=[]), PLACEMENTS)
    stream = MixStream(G, RATE)
    mixed = torch.cat([stream(stems), stream.finish(tail=True)], -1)[:, stream.latency_samples :]
    torch.testing.assert_close(mixed[:, stems.shape[-1] :][:, :130], stems[0, :, -130:], rtol=0, atol=1e-6)


def test_a_refused_block_leaves_the_stream_as_it_was(console, stems):
    first, second = (MixStream(placed_graph(console, PLACEMENTS), RATE) for _ in range(2))
    a, b = stems.split(20000, -1)[:2]
    expected = [first(a), first(b)]
    found = [second(a)]
    for bad in (a[:2], a[0], torch.full_like(a, torch.nan)):
        with pytest.raises(RenderError):
            second(bad)
    assert torch.equal(torch.cat([*found, second(b)], -1), torch.cat(expected, -1))


def test_placements_are_saved_with_a_graph_and_can_be_set_anew(console, tmp_path):
    save_grafx(placed_graph(console, PLACEMENTS), tmp_path)
    G = load_grafx(tmp_path)[0]
    assert placements_of(G) == PLACEMENTS
    assert placements_of(placed_graph(G, [Placement()] * 3)) == [Placement()] * 3
    assert placements_of(console) == [Placement()] * 3


@pytest.mark.parametrize(
    "name, value", [("delay_samples", 1.5), ("delay_samples", True), ("delay_samples", 2**40), ("inverted", 1)]
)
def test_attributes_are_checked(console, stems, name, value):
    G = console.copy()
    G.nodes[0][name] = value
    for use in (MixStream, lambda G: render_mix(G, stems)):
        with pytest.raises(GraphError, match=f"Node 0.*'{name}'"):
            use(G)


def test_a_stem_that_is_left_out_takes_its_chain_along(console, stems):
    G = placed_graph(console, [Placement(), Placement(left_out=True), Placement()])
    owners = [data.get("owner") for _, data in G.nodes(data=True)]
    assert "bass" not in owners and owners.count("keys") == owners.count("band") == 3
    silent = stems.clone()
    silent[1] = 0
    torch.testing.assert_close(render_mix(G, stems, RATE), render_mix(console, silent, RATE), rtol=0, atol=1e-6)
    band = placed_graph(console, [Placement(), Placement(left_out=True), Placement(left_out=True)])
    assert {data.get("owner") for _, data in band.nodes(data=True)} == {None, "drums", "master"}
    assert len(placements_of(band)) == 3
    assert placed_graph(band, [Placement(left_out=True)] * 3).number_of_nodes()


# Searches


def search_of(stems, mix, **options):
    steps = {"fit_steps": 2, "rounds": 1, "tune_steps": 1, "method": "drywet", **options}
    return Search(stems, mix, RATE, NAMES, options=Options(**steps))


def test_a_search_finds_from_moved_stems_what_it_finds_from_those_in_place(stems, tmp_path):
    stems = stems[..., : 3 * RATE // 2]
    mix = mixed(stems)
    given = torch.stack([late(stems[0], -400), stems[1], stems[2]])
    moved = torch.stack([placed(given[0], Placement(400)), *stems[1:]])
    search, plain = (search_of(signals, mix, fit_steps=1, rounds=0) for signals in (given, moved))
    assert [progress.loss for progress in search.run()] == [progress.loss for progress in plain.run()]
    metrics = write_results(search, tmp_path)
    assert metrics["diagnosis"]["notes"] == ["drums is heard 25.0 ms later in the mix than in its file: it is moved."]
    G = load_grafx(tmp_path)[0]
    assert placements_of(G) == [Placement(400), Placement(), Placement()]
    mixes = render_mix(G, given, RATE), render_mix(plain.result().G, plain.stems, RATE)
    torch.testing.assert_close(*mixes, rtol=0, atol=1e-5)


def test_a_search_has_no_chain_for_a_stem_that_is_not_in_the_mix(stems):
    others = stems * torch.tensor([1.0, 0.0, 1.0])[:, None, None]
    search = search_of(stems, mixed(others), fit_steps=1, rounds=0)
    list(search.run())
    G = search.result().G
    owners = [data.get("owner") for _, data in G.nodes(data=True)]
    assert "bass" not in owners and search.num_processors == 21
    assert [data["name"] for _, data in sorted(G.nodes(data=True)) if data["node_type"] == "in"] == NAMES
    changed = stems.clone()
    changed[1] = torch.randn(stems.shape[1:])
    assert torch.equal(render_mix(G, stems, RATE), render_mix(G, changed, RATE))


def test_it_can_be_turned_off(stems, mix):
    given = torch.stack([late(stems[0], 400), -stems[1], stems[2]])
    search = search_of(given, mix, align=False)
    assert torch.equal(search.stems, given) and search.placements == [Placement()] * 3
    assert [note.split(": ")[1].split(",")[0] for note in search.diagnosis.notes] == ["move it", "invert it"]
    with pytest.raises(SearchError, match="align is 1, but must be true or false"):
        dataclasses.replace(Options(), align=1)
    assert search.fingerprint != search_of(given, mix).fingerprint
