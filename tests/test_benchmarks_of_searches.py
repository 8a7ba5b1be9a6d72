"""What the benchmarks measure of searches, and how they compare settings with recipes."""

import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
soundfile = pytest.importorskip("soundfile")
pytest.importorskip("auraloss")


@pytest.fixture
def benchmarks(monkeypatch):
    """The package ``benchmarks``, which is not installed."""
    monkeypatch.syspath_prepend(str(ROOT))
    import benchmarks.__main__
    import benchmarks.recipes
    import benchmarks.sections.search
    import benchmarks.sections.settings

    return benchmarks


@pytest.fixture
def cases(monkeypatch):
    """The package ``cases`` as workers import it."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import cases.fitting
    import cases.losses
    import cases.searching
    import cases.songs

    return cases


# Songs


def write(path, signal, rate=8000):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(signal).T, rate, subtype="FLOAT" if path.suffix == ".wav" else "PCM_24")


def test_songs_are_read_with_their_stems(cases, tmp_path):
    rng = np.random.default_rng(0)
    mix, bass, short = 0.1 * rng.standard_normal((2, 800)), 0.1 * rng.standard_normal((1, 800)), np.full((2, 300), 0.25)
    write(tmp_path / "chain.flac", mix)
    write(tmp_path / "bus.flac", -mix)
    write(tmp_path / "stems" / "drums.wav", short)
    write(tmp_path / "stems" / "bass.flac", bass)
    song = cases.songs.read_song(str(tmp_path))
    assert song.names == ["bass", "drums"] and song.rate == 8000 and song.stems.dtype == np.float32
    np.testing.assert_allclose(song.mix, mix, atol=1e-6)
    np.testing.assert_allclose(song.stems[0], np.concatenate([bass, bass]), atol=1e-6)
    np.testing.assert_array_equal(song.stems[1], np.pad(short, ((0, 0), (0, 500))).astype(np.float32))
    assert np.sqrt(np.square(song.gain * mix).mean()) == pytest.approx(10 ** (-14 / 20), rel=1e-4)
    assert cases.songs.read_song(str(tmp_path), 0.05).stems.shape == (2, 2, 400)


def test_stems_may_lie_beside_the_mix(cases, tmp_path):
    for name, value in {"mix": 0.5, "remix": 0.25, "voice": 0.1}.items():
        write(tmp_path / f"{name}.wav", np.full((2, 50), value))
    song = cases.songs.read_song(str(tmp_path))
    assert song.names == ["voice"] and song.mix[0, 0] == 0.25
    (tmp_path / "voice.wav").unlink()
    with pytest.raises(FileNotFoundError, match="holds no stems"):
        cases.songs.read_song(str(tmp_path))


def test_a_song_is_made_up_alike_each_time(cases):
    first, again = (cases.songs.read_song(None, seconds) for seconds in (0.5, 0.5))
    np.testing.assert_array_equal(first.stems, again.stems)
    assert first.stems.shape == (3, 2, 22050) and first.mix.shape == (2, 22050) and len(first.names) == 3
    assert np.abs(first.mix - first.stems.sum(0)).max() > 0.05 and (first.mix[0] != first.mix[1]).any()


# A fit and losses


@pytest.mark.slow
def test_a_fit_is_the_same_with_either_form_of_the_loss(cases):
    size = {"song": None, "seconds": 0.2, "steps": 1, "every": 1}
    ours, theirs = (cases.fitting.fitting(**size, loss=loss)() for loss in ("ours", "auraloss"))
    for step in range(2):
        assert ours[f"loss_{step}"] == pytest.approx(theirs[f"loss_{step}"], rel=1e-3)
    assert ours["loss_1"] < ours["loss_0"]
    assert 0 == ours["seconds_0"] < ours["seconds_1"] == ours["seconds_a_step"]


def test_excerpts_lie_within_the_song(cases):
    song = cases.songs.read_song(None, 1.0)
    length, places = cases.fitting.excerpts(song, 0.25)
    assert length == 11025 and len(places) == 12 and places[0] == 0 and places[-1] + length == song.mix.shape[1]
    assert cases.fitting.excerpts(song, 60.0) == (song.mix.shape[1], [0])


def test_losses_of_auraloss_in_mel_bands_are_ours(cases):
    found = cases.losses.losses(None, 0.3)()
    assert len(found["names"]) == len(set(found["names"])) == len(found["ours"]) > 20
    assert found["names"][found["rebalanced"]] == "noise at −60 dB"
    np.testing.assert_allclose(found["mel"], found["ours"], rtol=1e-4)
    for losses in (found["ours"], found["linear"]):
        by_name = dict(zip(found["names"], losses, strict=True))
        for worse, better in (
            ("plain sum", "50% of the plain sum"),
            ("noise at −20 dB", "noise at −60 dB"),
            ("stem 1 6 dB louder", "stem 1 1 dB louder"),
            ("6 dB to one side", "1 dB to one side"),
            ("clipped by 12 dB", "clipped by 3 dB"),
            ("mean of 31 samples", "mean of 3 samples"),
        ):
            assert by_name[worse] > by_name[better] > 0


def test_the_agreement_of_losses_is_that_of_their_ranks_and_means(benchmarks):
    ours = [1.0, 2.0, 3.0, 4.0, 0.5]
    found = {"ours": ours, "mel": ours, "linear": [3.0, 4.0, 6.0, 7.0, 10.0], "rebalanced": 4}
    cells = benchmarks.sections.search.agreement(found)
    assert cells == [5, "1.0000", "1.000", "0.000", 2.0, 20.0, 1.0, 3.0]


def test_what_runs_under_the_peer_imports_its_documented_modules_alone():
    for name in ("both", "fitting", "graphs", "songs"):
        text = (ROOT / "benchmarks" / "cases" / f"{name}.py").read_text()
        found = set(re.findall(r"from (grafx[\w.]*) import (?!MatchLoss)", text))
        assert found <= {"grafx.data", "grafx.processors", "grafx.render", "grafx.utils"}, name


# Parts and whole searches


def test_a_clock_does_not_count_what_runs_inside_twice(cases, monkeypatch):
    times = iter([0.0, 1.0, 3.0, 10.0])
    monkeypatch.setattr(cases.searching.time, "perf_counter", lambda: next(times))
    clock = cases.searching.Clock()
    inner = clock.timed("inner", lambda x: x + 1)
    assert clock.timed("outer", lambda x: 2 * inner(x))(1) == 4
    assert clock.seconds == {"inner": 2.0, "outer": 8.0}
    assert clock.whole == {"inner": 2.0, "outer": 10.0}
    assert clock.calls == {"inner": 1, "outer": 1}


@pytest.mark.slow
def test_parts_of_a_step_add_up_to_it_and_nothing_stays_patched(cases):
    from grafx.search import MatchLoss, Mixer
    from grafx.search.mixing.prune import METHODS

    before = Mixer.forward, MatchLoss.forward, torch.Tensor.backward, dict(METHODS)
    found = cases.searching.search_parts(None, 2, 0.3, "drywet")()
    assert (Mixer.forward, MatchLoss.forward, torch.Tensor.backward, dict(METHODS)) == before
    parts = [found[name] for name in (*cases.searching.PARTS, "rest")]
    assert sum(parts) == pytest.approx(found["step"])
    assert all(found[name] > 0 for name in ("render", "loss", "backward", "optimizer", "rest", "trial"))
    assert found["trials"] > 1


@pytest.mark.slow
def test_a_whole_search_of_an_earlier_tree(benchmarks):
    worker = benchmarks.__main__._earlier(str(ROOT), 1)
    try:
        found = worker.ask("whole_search", {"song": None, "quick": True})
    finally:
        worker.close()
    assert 0 < found["of_plain"] < 1 and 0 < found["removed"] < 1 and found["left"] > 0
    assert found["seconds"] > found["wall"] > 0 and found["processor"] > 0
    seconds = [point[0] for point in found["curve"]]
    assert len(seconds) == 3 and seconds == sorted(seconds) and seconds[-1] <= found["wall"]


def test_curves_are_thinned_to_means(cases):
    thin = cases.searching._thinned([(float(i), float(i % 2)) for i in range(120)])
    assert len(thin) == 30 and thin[0] == (3.0, 0.5) and thin[-1] == (119.0, 0.5)
    assert cases.searching._thinned([(1.0, 2.0)]) == [(1.0, 2.0)]


CURVE = [(0.0, 3.0), (1.0, 2.0), (2.0, 2.5), (3.0, 1.0)]


def test_a_loss_is_reached_when_a_curve_first_falls_to_it(benchmarks):
    section = benchmarks.sections.search
    assert [section.first_below(CURVE, loss) for loss in (4.0, 2.2, 1.0, 0.5)] == [0.0, 1.0, 3.0, "not"]
    assert section.first_below([("fails", "fails")], 1.0) == "fails"
    assert [section.value_at(CURVE, time) for time in (0.0, 2.5, 3.0, 4.0)] == [3.0, 2.5, 1.0, "–"]
    slower = [(2 * seconds, loss) for seconds, loss in CURVE]
    table = section.reached({"ours": CURVE, "theirs": slower, "absent": [("–", "–")] * 4})
    assert table.rows == [
        ("2.000", 1.0, "1.00×", 2.0, "2.00×", "–", "–"),
        ("1.000", 3.0, "1.00×", 6.0, "2.00×", "–", "–"),
    ]
    assert not section.reached({"ours": [("fails", "fails")]}).rows


@pytest.mark.parametrize(("option", "said"), [("--song", "folder"), ("--runs", "folder"), ("--before", "Python or")])
def test_places_that_are_missing_are_refused(benchmarks, capsys, option, said):
    with pytest.raises(SystemExit):
        benchmarks.__main__.main(["settings", option, "nowhere"])
    assert f"there is no {said}" in capsys.readouterr().err


def test_an_earlier_version_is_a_tree_or_a_python(benchmarks):
    tree, python = (benchmarks.__main__._earlier(place, 1) for place in (str(ROOT), sys.executable))
    assert tree._variables == {"PYTHONPATH": str(ROOT)} and tree._python == sys.executable
    assert python._variables == {} and not benchmarks.__main__._earlier(None, 1).available


def test_a_plot_of_many_points_has_few_ticks(benchmarks, tmp_path):
    points = [(0.1 * i, 3.0 / i) for i in range(1, 60)]
    (tmp_path / "images").mkdir()
    plot = benchmarks.plot.Plot("curve", "A curve.", "s", "loss", [benchmarks.plot.Line("a", points, "#000000")])
    plot.save(tmp_path)
    ticks = (tmp_path / "images" / "curve.svg").read_text().count('<g id="xtick_')
    assert 3 <= ticks <= 8


# Recipes

COMPRESSOR = {"threshold_db": -20.0, "ratio": 4.0, "attack_ms": 10.0 * math.pi, "release_ms": 40.0 * math.pi}
RECIPE = {
    "chains": {
        "voice": [
            {"kind": "eq", "plugin": "LowpassFilter", "cutoff_frequency_hz": 5000.0},
            {"kind": "compressor", "plugin": "Compressor", **COMPRESSOR},
            {"kind": "delay", "plugin": "Delay", "delay_seconds": 0.3, "feedback": 0.2, "mix": 0.3},
            {"kind": "gain", "plugin": "Gain", "gain_db": -2.0},
            {"kind": "gain", "plugin": "pan", "p": 0.5},
        ],
        "drums": [
            {"kind": "noisegate", "plugin": "NoiseGate", **COMPRESSOR},
            {"kind": "gain", "plugin": "Gain", "gain_db": 1.0},
        ],
    },
    "master": [{"kind": "compressor", "plugin": "Compressor", **COMPRESSOR}],
}
HEARD = {"threshold_db": -21.0, "ratio": 4.0, "attack_ms": 10.0, "release_ms": 10.0}


def panned(level_db, p):
    """Settings of a gain."""
    angle = (p + 1) * math.pi / 4
    left, right = (level_db + 20 * math.log10(math.sqrt(2) * side) for side in (math.cos(angle), math.sin(angle)))
    return {"left_gain_db": left, "right_gain_db": right}


def node(owner, kind, settings, weight=1.0):
    return {"type": kind, "attributes": {"owner": owner, "drywet_weight": weight, "settings": settings}}


FOUND = [
    {"type": "in", "attributes": {"name": "voice"}},
    node("voice", "compressor", HEARD),
    node("voice", "delay", {"loudest_db": {"301.5 ms left": -3.0, "600.1 ms right": -9.0}}, 0.3),
    node("voice", "gain", panned(-2.0, 0.5)),
    node("voice", "reverb", {"decay_ms": {}}),
    node("drums", "noisegate", HEARD | {"threshold_db": -20.0}),
    node("drums", "gain", {"left_gain_db": 3.0, "right_gain_db": 3.0}),
]
METRICS = {"found_loss": 0.2, "plain_loss": 2.0, "found_processors": 6, "console_processors": 24, "seconds": 30.0}


@pytest.fixture
def folders(tmp_path):
    """Two songs, of which one was searched twice."""
    for song in ("rock", "rock-slow"):
        (tmp_path / "songs" / song).mkdir(parents=True)
        (tmp_path / "songs" / song / "truth.json").write_text(json.dumps(RECIPE))
    for run in ("rock", "rock-slow/seed 1", "rock 2", "rocking", "other"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "graph.json").write_text(json.dumps({"nodes": FOUND}))
        (tmp_path / "runs" / run / "metrics.json").write_text(json.dumps(METRICS))
    (tmp_path / "runs" / "rock unfinished").mkdir()
    (tmp_path / "runs" / "rock unfinished" / "metrics.json").write_text("{}")
    return tmp_path


@pytest.fixture
def compared(benchmarks, folders):
    recipe = benchmarks.recipes.read_recipe(folders / "songs" / "rock" / "truth.json")
    outcome = benchmarks.recipes.read_outcome(folders / "runs" / "rock", "rock")
    return recipe, outcome


def test_results_belong_to_the_song_that_their_path_names(benchmarks, folders):
    found = list(benchmarks.recipes.outcomes(folders / "runs", ["rock", "rock-slow"]))
    assert [(song, Path(outcome.name).as_posix()) for song, outcome in found] == [
        ("rock", "rock"),
        ("rock", "rock 2"),
        ("rock-slow", "rock-slow/seed 1"),
    ]


def test_settings_that_sound_as_the_recipe_does_are_not_off(benchmarks, compared):
    pairs = {(p.owner, p.kind, p.quantity): p for p in benchmarks.recipes.pairs(*compared)}
    errors = {key: pair.error for key, pair in pairs.items()}
    assert errors.pop(("voice", "delay", "delay, ms")) == pytest.approx(1.5)
    assert errors.pop(("drums", "gain", "gain, dB")) == pytest.approx(2.0)
    assert len(errors) == 2 * 4 + 3 and max(errors.values()) < 1e-6
    assert pairs["voice", "gain", "pan, dB"].heard == pytest.approx(-7.655, abs=1e-3)
    assert not any(owner == "master" for owner, *_ in pairs)


def test_errors_are_in_percent_where_settings_are_factors(benchmarks):
    pair = benchmarks.recipes.Pair
    assert pair("a", "compressor", "ratio", 4.0, 4.0, 3.0).error == pytest.approx(25)
    assert pair("a", "compressor", "attack, ms", 1.0, 2.0, 5.0).error == pytest.approx(150)
    assert pair("a", "compressor", "threshold, dB", -20.0, -21.0, -25.0).error == pytest.approx(4)
    assert pair("a", "compressor", "ratio", 4.0, 4.0, math.inf).error == math.inf


@pytest.mark.parametrize("ratio", [1.0, 2.0, 4.0, 20.0, math.inf])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_ratios_are_heard_through_their_weights(benchmarks, ratio, weight):
    compressed, level = 10 ** (10 / ratio / 20), 10 ** (10 / 20)
    rise = 20 * math.log10((1 - weight) * level + weight * compressed)
    found = benchmarks.recipes.heard_compression(ratio, weight)
    assert found == (pytest.approx(10 / rise) if rise > 1e-9 else math.inf)
    if math.isfinite(ratio):
        fall = 20 * math.log10((1 - weight) * 10 ** (-10 / 20) + weight * 10 ** (-10 * ratio / 20))
        assert benchmarks.recipes.heard_expansion(ratio, weight) == pytest.approx(-fall / 10)


def test_gains_of_a_chain_multiply_with_their_weights(benchmarks, compared):
    recipe, outcome = compared
    half = node("drums", "gain", {"left_gain_db": 6.0206, "right_gain_db": -200.0}, 0.5)
    outcome.nodes.append({**half, **half["attributes"]})
    pairs = {(p.owner, p.quantity): p.found for p in benchmarks.recipes.pairs(recipe, outcome)}
    left, right = 1.5 * 10 ** (3 / 20), 0.5 * 10 ** (3 / 20)
    assert pairs["drums", "gain, dB"] == pytest.approx(10 * math.log10((left**2 + right**2) / 2), abs=1e-4)
    assert pairs["drums", "pan, dB"] == pytest.approx(20 * math.log10(3), abs=1e-4)


def test_an_imager_of_the_master_moves_the_pans_of_stems(benchmarks, compared):
    recipe, outcome = compared
    added = node("master", "imager", {"side_gain_db": -6.0206}, 0.8), node("master", "gain", panned(-3.0, -0.1))
    outcome.nodes.extend({**one, **one["attributes"]} for one in added)
    found = {p.owner: p.found for p in benchmarks.recipes.pairs(recipe, outcome) if p.quantity == "pan, dB"}
    voice, drums, extra = map(benchmarks.recipes.pan_amplitudes, (0.5, 0.0, -0.1))
    narrow = np.array([[1 + 0.6, 1 - 0.6], [1 - 0.6, 1 + 0.6]]) / 2  # of the weight 0.8 of half the side
    for owner, sides in {"voice": voice, "drums": drums, "master": (1.0, 1.0)}.items():
        left, right = np.array(extra) * (narrow @ sides)
        assert found[owner] == pytest.approx(20 * math.log10(left / right), abs=1e-4), owner


def test_nodes_are_read_in_signal_order(benchmarks, folders):
    chain = [node("voice", "imager", {"side_gain_db": -60.0}), node("voice", "gain", panned(0.0, 0.5))]
    for numbers, wanted in (((1, 2), -7.6556), ((2, 1), 0.0)):
        document = {
            "nodes": [{"id": number, **one} for number, one in zip(numbers, chain, strict=True)],
            "edges": [{"source": source, "dest": dest} for source, dest in ((0, 1), (1, 2), (2, 3))],
        }
        (folders / "runs" / "rock" / "graph.json").write_text(json.dumps(document))
        outcome = benchmarks.recipes.read_outcome(folders / "runs" / "rock", "rock")
        assert benchmarks.recipes.heard_pan("voice", outcome) == pytest.approx(wanted, abs=0.02)


def test_a_gain_that_was_removed_is_one_of_nothing(benchmarks, compared):
    recipe, outcome = compared
    pairs = benchmarks.recipes.pairs(recipe, outcome._replace(nodes=[]))
    assert [(p.owner, p.quantity, p.found) for p in pairs] == [
        (owner, quantity, 0.0) for owner in ("voice", "drums") for quantity in ("gain, dB", "pan, dB")
    ]


def test_kinds_are_scored_without_gains(benchmarks, compared):
    wanted, found = benchmarks.recipes.kinds(*compared)
    assert wanted - found == {("voice", "eq"), ("master", "compressor")}
    assert found - wanted == {("voice", "reverb")}
    precision, recall = 3 / 4, 3 / 5
    assert benchmarks.recipes.f1(wanted, found) == pytest.approx(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize("kind", ["delay", "reverb"])
def test_classes_by_their_names_are_of_the_kinds_of_recipes(benchmarks, kind):
    import grafx.processors

    for name in getattr(grafx.processors, kind).__all__:
        assert benchmarks.recipes.kind_of({"type": name}) == kind


def bench(benchmarks, **places):
    nobody = benchmarks.measure.ABSENT
    return benchmarks.sections.Bench(nobody, nobody, nobody, nobody, quick=True, **places)


def test_the_section_tabulates_them(benchmarks, folders):
    places = {name: str(folders / name) for name in ("songs", "runs")}
    medians, searches, each, one_sided = benchmarks.sections.settings.run(bench(benchmarks, **places))
    rows = {row[0]: row[1:] for row in medians.rows}
    assert list(rows) == list(benchmarks.sections.settings.UNITS)
    assert rows["ratio"][0] == 6 and rows["delay, ms"] == (3, "1.5 ms", "1.5 ms", "1.5 ms")
    assert rows["gain, dB"][1:] == ("1 dB", "2 dB", "2 dB")
    assert [row[1:4] for row in searches.rows] == [(0.1, "25 %", 30.0)] * 3
    assert len(each.rows) == 3 * 13
    assert one_sided.rows[:2] == [("rock", "voice", "eq", "reverb"), ("rock", "master", "compressor", "–")]
    assert "| rock | voice | gain | pan, dB | 0.5 | −7.656 | −7.656 | 0 dB |" in str(each)


def test_the_section_says_what_it_takes(benchmarks, folders):
    for places in ({}, {"songs": str(folders / "songs"), "runs": str(folders / "songs")}):
        with pytest.raises(benchmarks.sections.NotHere):
            list(benchmarks.sections.settings.run(bench(benchmarks, **places)))
