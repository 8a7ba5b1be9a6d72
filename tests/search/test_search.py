import itertools
import math

import pytest
import torch

from grafx.errors import AudioError, GraphError, SearchError
from grafx.search import Mixer, Options, Search, load_checkpoint, render_mix, save_checkpoint
from grafx.search.mixing.mixer import WEIGHT
from grafx.search.mixing.prune import METHODS

RATE = 44100


def values(G):
    """Everything that a graph says, in comparable form."""
    nodes = {
        i: (d["node_type"], d["name"], d.get("owner"), d.get(WEIGHT), tensors(d["parameters"]))
        for i, d in G.nodes(data=True)
    }
    return nodes, sorted((*edge[:2], *sorted(edge[2].items())) for edge in G.edges(data=True))


def tensors(parameters):
    return {name: value.tolist() for name, value in sorted((parameters or {}).items())}


def outcome(search):
    """All that a search leaves, to be compared bit for bit."""
    found = {name: getattr(search, name) for name in ("console", "best")}
    return {
        "history": search.history,
        "place": (search.round, search.step, search.step_in_round),
        **{name: f and (values(f.G), f.loss, f.num_processors) for name, f in found.items()},
    }


# A whole search


def test_the_phases_come_in_order(finished):
    phases = [(p.phase, p.round, p.step) for p in finished.yielded]
    assert phases == [
        ("fit", 0, 1),
        ("fit", 0, 2),
        ("fit", 0, 3),
        ("prune", 1, 3),
        ("tune", 1, 4),
        ("tune", 1, 5),
        ("prune", 2, 5),
        ("tune", 2, 6),
        ("tune", 2, 7),
    ]
    assert finished.finished and finished.step == finished.total_steps == 7
    assert [(e["phase"], e["round"], e["step"]) for e in finished.history] == phases
    assert list(finished.run()) == []


def test_processors_only_become_fewer(finished):
    counts = [p.num_processors for p in finished.yielded]
    assert counts == sorted(counts, reverse=True) and counts[0] == 21
    assert finished.console.num_processors == 21
    assert finished.best.num_processors <= 21


@pytest.mark.versions
def test_the_best_is_a_graph_with_the_loss_that_it_claims(finished, stems, mix):
    for found in (finished.console, finished.best):
        assert finished.match_loss(render_mix(found.G, stems), mix).item() == pytest.approx(found.loss, rel=1e-4)
        assert found.num_processors == sum(WEIGHT in data for _, data in found.G.nodes(data=True))
        assert all(0 <= data[WEIGHT] <= 1 for _, data in found.G.nodes(data=True) if WEIGHT in data)
    assert finished.best.loss <= finished.console.loss + finished.options.tolerance
    assert finished.result() is finished.best


def test_the_plain_loss_is_that_of_the_sum(finished, stems, mix):
    assert finished.plain_loss == pytest.approx(finished.match_loss(stems.sum(0), mix).item())


@pytest.mark.versions
def test_the_loss_falls(new_search):
    search = new_search(fit_steps=15, rounds=0)
    losses = [progress.loss for progress in search.run()]
    assert all(math.isfinite(loss) for loss in losses)
    assert search.console.loss < 0.8 * losses[0]
    assert search.console.loss < search.plain_loss


@pytest.mark.parametrize("method, tolerance", [("hybrid", 0.1), ("drywet", 0.0), ("brute-force", 0.1)])
@pytest.mark.slow
def test_the_best_is_in_bounds_by_every_method(new_search, method, tolerance):
    search = new_search(method=method, tolerance=tolerance)
    list(search.run())
    assert search.best.loss <= search.console.loss + tolerance + 1e-6
    if tolerance:
        assert search.best.num_processors < 21


@pytest.mark.parametrize("gained, part", [(3.0, 1.0), (1.2, 0.5), (0.3, 0.25), (-0.1, 0.25)])
@pytest.mark.parametrize("own", [False, True])
def test_less_may_be_lost_where_there_is_less_to_gain(stems, mix, gained, part, own):
    loss = (lambda estimate, target: (estimate - target).abs().mean()) if own else None
    search = Search(stems, mix, RATE, ["kick", "pad"], options=Options(0, 1, 1, 1, 0.02), loss=loss)
    steps = search.run()
    next(steps)
    search.plain_loss = search._evaluate_mixer(search.mixer) + gained
    assert next(steps).phase == "prune"
    allowed = 0.02 if own else 0.02 * part
    assert search.plain_loss - gained + allowed == pytest.approx(search._bound(), rel=1e-6)
    assert search.state.headroom == pytest.approx(allowed, rel=1e-4)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits(new_search, finished, stems, mix):
    torch.manual_seed(123)
    kept, state = (stems.clone(), mix.clone()), torch.get_rng_state()
    again = new_search(rounds=2)
    list(again.run())
    assert outcome(again) == outcome(finished)
    assert torch.equal(stems, kept[0]) and torch.equal(mix, kept[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_the_number_of_threads_changes_no_bit(new_search, finished):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        again = new_search(rounds=2)
        list(again.run())
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert outcome(again) == outcome(finished)


def test_another_seed_begins_elsewhere(new_search, finished):
    search = new_search(seed=1)
    assert next(search.run()).loss != finished.history[0]["loss"]
    assert search.fingerprint != finished.fingerprint


@pytest.mark.slow
def test_subgroups_reach_the_found_graph(new_search):
    search = new_search(groups={"bus": ["pad"]}, fit_steps=1, tune_steps=1)
    assert search.num_processors == 28
    list(search.run())
    assert {d["name"] for _, d in search.best.G.nodes(data=True) if d["node_type"] == "mix"} == {"master", "bus"}


@pytest.mark.slow
def test_one_stem(new_search, stems):
    search = new_search(stems=stems[:1], mix=0.5 * stems[0], names=["solo"])
    list(search.run())
    assert search.best.loss <= search.console.loss + 0.01


@pytest.mark.slow
def test_a_silent_stem_does_no_harm(new_search, stems, mix):
    muted = stems.clone()
    muted[1] = 0
    search = new_search(stems=muted, mix=0.5 * muted[0])
    assert all(math.isfinite(progress.loss) for progress in search.run())


@pytest.mark.parametrize("kind", ["mono", "one side"])
@pytest.mark.slow
def test_a_mix_without_side_or_channel(new_search, stems, mix, kind):
    target = mix.mean(0).expand(2, -1).clone() if kind == "mono" else mix * torch.tensor([[1.0], [0.0]])
    search = new_search(mix=target)
    assert all(math.isfinite(progress.loss) for progress in search.run())
    assert search.best.loss <= search.console.loss + 0.01


# Ends of the range


@pytest.mark.slow
def test_a_mix_that_is_the_plain_sum_needs_nothing(new_search, stems):
    search = new_search(mix=stems.sum(0), fit_steps=5, tolerance=100.0, rounds=2)
    assert search.plain_loss == 0
    list(search.run())
    assert search.best.num_processors == 0
    assert search.best.loss == pytest.approx(0, abs=1e-6)
    assert torch.allclose(render_mix(search.best.G, stems), stems.sum(0), atol=1e-6)


@pytest.mark.slow
def test_without_fit_steps_the_console_is_the_first_one(new_search):
    search = new_search(fit_steps=0)
    first = search.result()
    list(search.run())
    assert search.console.loss == pytest.approx(first.loss)
    assert search.console.num_processors == 21
    assert [entry["phase"] for entry in search.history] == ["prune", "tune", "tune"]


def test_dry_wet_weights_wait_until_the_console_is_near(new_search):
    search = new_search(fit_steps=9, rounds=1)
    first, weights = search.mixer.z_drywet.detach().clone(), []
    for _ in search.run():
        weights.append(search.mixer.z_drywet.detach().clone())
    assert [torch.equal(weight, first) for weight in weights[:9]] == [True] * 3 + [False] * 6
    assert not torch.equal(weights[-1], weights[-2])


def test_where_pruning_finds_nothing_the_last_round_is_next(new_search, monkeypatch, tmp_path):
    """The first round is not followed by it: dry/wet weights fall only while it tunes."""
    monkeypatch.setitem(METHODS, "drywet", lambda *_: frozenset())
    monkeypatch.setattr(Search, "_pan", lambda _: None)
    options = {"rounds": 6, "fit_steps": 1, "tune_steps": 1}
    search, rounds = new_search(**options), []
    for progress in search.run():
        rounds.append((progress.phase, progress.round))
        if rounds[-1] == ("prune", 6):
            save_checkpoint(search, tmp_path / "checkpoint")
    assert rounds == [("fit", 0), ("prune", 1), ("tune", 1), ("prune", 6), ("tune", 6)] and search.finished
    again = new_search(**options)
    load_checkpoint(again, tmp_path / "checkpoint")
    assert [progress.phase for progress in again.run()] == ["tune"] and outcome(again) == outcome(search)


def test_rounds_go_on_where_pans_took_the_place_of_an_imager(new_search, monkeypatch):
    monkeypatch.setitem(METHODS, "drywet", lambda *_: frozenset())
    monkeypatch.setattr(Search, "_pan", lambda search: 0.0 if search.round < 3 else None)
    search = new_search(rounds=6, fit_steps=1, tune_steps=1)
    assert [p.round for p in search.run() if p.phase == "prune"] == [1, 2, 6]


def test_without_rounds_the_console_is_the_result(new_search):
    search = new_search(rounds=0)
    list(search.run())
    assert search.finished and search.best is search.console
    assert [entry["phase"] for entry in search.history] == ["fit"] * 3


@pytest.mark.slow
def test_without_tuning_pruning_goes_on(new_search):
    search = new_search(tune_steps=0, rounds=2, fit_steps=1)
    phases = [progress.phase for progress in search.run()]
    assert phases == ["fit", "prune", "prune"] and search.finished


def test_without_anything_to_do(new_search):
    search = new_search(fit_steps=0, rounds=0)
    assert list(search.run()) == [] and search.finished
    assert search.best.num_processors == 21


# Stopping and going on


@pytest.fixture(scope="module")
def interrupted(new_search, tmp_path_factory):
    """A search that was saved before its first step and after each."""
    folder = tmp_path_factory.mktemp("checkpoints")
    search = new_search(rounds=2)
    save_checkpoint(search, folder / "0")
    for count, _ in enumerate(search.run(), 1):
        save_checkpoint(search, folder / str(count))
    save_checkpoint(search, folder / "end")
    return search, folder


@pytest.mark.slow
def test_saving_disturbs_nothing(interrupted, finished):
    assert outcome(interrupted[0]) == outcome(finished)


@pytest.mark.parametrize(
    "stop",
    ["4", *(pytest.param(stop, marks=pytest.mark.slow) for stop in ("0", "3", "5", "end"))],
    ids=["pruned", "start", "fitted", "tune", "end"],
)
def test_going_on_is_as_if_it_had_not_stopped(interrupted, finished, new_search, stop):
    """Bit for bit, wherever it was stopped."""
    _, folder = interrupted
    search = new_search(rounds=2)
    assert load_checkpoint(search, folder / stop)
    assert len(search.history) == (9 if stop == "end" else int(stop))
    remaining = list(search.run())
    assert remaining == finished.yielded[len(finished.yielded) - len(remaining) :]
    assert outcome(search) == outcome(finished)


@pytest.mark.slow
def test_stopping_after_every_step(finished, new_search, tmp_path):
    """Each step is done by another search, in a folder that is written over and over."""
    for _ in itertools.count():
        search = new_search(rounds=2)
        load_checkpoint(search, tmp_path / "checkpoint")
        if next(search.run(), None) is None:
            break
        save_checkpoint(search, tmp_path / "checkpoint")
    assert outcome(search) == outcome(finished)


@pytest.mark.slow
def test_a_stopped_search_has_a_result(new_search):
    search = new_search()
    assert search.result().num_processors == 21
    run = search.run()
    next(run)
    assert search.best is None and search.result().loss > 0
    for _ in range(3):
        next(run)
    assert search.result() is search.console


# Refusals


@pytest.mark.parametrize(
    "options, message",
    [
        ({"method": "magic"}, "magic.*hybrid"),
        ({"rounds": -1}, "rounds is -1"),
        ({"fit_steps": -5}, "fit_steps is -5"),
        ({"tolerance": -0.1}, "tolerance is -0.1"),
        ({"tolerance": math.nan}, "tolerance is nan"),
        ({"learning_rate": math.inf}, "learning_rate is inf"),
        ({"seed": -1}, "seed is -1"),
        ({"rounds": 1.5}, "rounds is 1.5"),
        ({"fit_steps": "3"}, "fit_steps is '?3"),
        ({"seed": 2**70}, "seed is"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(SearchError, match=message):
        Options(**options)


def audio(num_samples=5000):
    return 0.1 * torch.randn(2, 2, num_samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "stems, mix, names, message",
    [
        (audio(), audio()[0], ["a"], r"\(1, 2, samples\).*\(2, 2, 5000\)"),
        (audio()[0], audio()[0], ["a", "b"], "stems of shape"),
        (audio()[:, :1], audio()[0, :1], ["a", "b"], "stems of shape"),
        (audio(), audio(5001)[0], ["a", "b"], "stems of shape"),
        (audio(), audio(), ["a", "b"], "stems of shape"),
        (audio(4096), audio(4096)[0], ["a", "b"], "4096 samples.*more than 4096"),
        (audio(0), audio(0)[0], ["a", "b"], "0 samples"),
        (audio(), audio()[0] * math.nan, ["a", "b"], "'mix' holds NaN"),
        (audio() * torch.tensor([1, math.inf])[:, None, None], audio()[0], ["a", "b"], "'b' holds NaN or infinity"),
        (audio(), 0 * audio()[0], ["a", "b"], "mix is silent"),
        (0 * audio(), audio()[0], ["a", "b"], "stems are silent"),
        (audio().double(), audio()[0].double(), ["a", "b"], "float32"),
        (audio(), audio()[0].double(), ["a", "b"], "float32"),
        (audio().long(), audio()[0].long(), ["a", "b"], "float32"),
    ],
)
def test_audio_is_checked(stems, mix, names, message):
    with pytest.raises(AudioError, match=message):
        Search(stems, mix, RATE, names)


def test_names_are_checked():
    with pytest.raises(GraphError, match="twice"):
        Search(audio(), audio()[0], RATE, ["a", "a"])
    with pytest.raises(GraphError, match="nobody"):
        Search(audio(), audio()[0], RATE, ["a", "b"], {"g": ["nobody"]})


def test_a_search_takes_its_audio_as_views_of_something_larger(new_search, stems, mix):
    whole = torch.cat([stems, mix[None]])
    assert new_search(stems=whole[:2], mix=whole[2]).fingerprint == new_search().fingerprint


def test_the_fingerprint_tells_searches_apart(new_search, stems, mix):
    searches = [
        new_search(),
        new_search(names=["pad", "kick"]),
        new_search(groups={"g": ["pad"]}),
        new_search(stems=stems.flip(0)),
        new_search(mix=mix.flip(0)),
        new_search(tune_steps=3),
    ]
    assert len({search.fingerprint for search in searches}) == len(searches)


def test_the_fingerprint_is_that_of_the_content(new_search):
    assert new_search(groups={}).fingerprint == new_search(groups=None).fingerprint
    assert new_search(groups={"g": ("pad",)}).fingerprint == new_search(groups={"g": ["pad"]}).fingerprint


@pytest.mark.slow
def test_a_graph_can_be_taken_in_the_middle(new_search):
    """Someone may edit the graph and go on fitting it."""
    search = new_search()
    next(search.run())
    G = search.mixer.graph()
    G.bypass(search.mixer.processor_ids[0])
    search.take(G)
    assert isinstance(search.mixer, Mixer) and search.num_processors == 20
    assert all(math.isfinite(progress.loss) for progress in search.run())
