import json
import shutil

import pytest
import torch

from grafx.data import GRAFX
from grafx.errors import AudioError, EstimateError
from grafx.estimate.baselines import MostFrequent, NearestNeighbour, fit_from
from grafx.estimate.corpus import graph_of, load_corpus
from grafx.estimate.estimator import Estimator
from grafx.estimate.evaluate import evaluate, guess_of
from grafx.estimate.features import VERSION
from grafx.estimate.metrics import compare_graphs
from grafx.estimate.recipe import load_recipe
from grafx.estimate.rendering import render_graphs
from grafx.estimate.tokens import canonical_key

RATE = 44100


def sound(seconds=0.2, channels=2, seed=0, rate=RATE):
    signal = torch.randn(channels, round(seconds * rate), generator=torch.Generator().manual_seed(seed))
    return 0.2 * signal * torch.exp(-20 * torch.arange(signal.shape[1]) / rate)


@pytest.fixture(scope="module")
def corpus(trained, micro):
    return load_corpus(trained / "data" / "train", micro.data.examples)


def plain(estimates):
    return [(one.probability, one.gain, sorted(one.G.nodes(data=True), key=str)) for one in estimates]


def test_estimates_are_different_graphs_the_most_likely_first(model, drums):
    found = model.estimate(sound(), RATE, sound(seed=1), k=6)
    probabilities = [one.probability for one in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1
    assert len({canonical_key(one.G) for one in found}) == len(found) >= 4
    for one in found:
        one.G.validate()
        if len([t for _, t in one.G.nodes(data="node_type") if t == "in"]) == 1:
            (output,) = render_graphs([one.G], [sound()[None]], drums.processors)
            assert output.isfinite().all()
    assert len(model.estimate(sound(), RATE, k=1)) == 1


def test_the_same_sound_gives_the_same_estimates(model, trained):
    first = plain(model.estimate(sound(), RATE, sound(seed=1)))
    assert plain(Estimator.load(trained).estimate(sound(), RATE, sound(seed=1))) == first
    mono = sound(channels=1)
    assert plain(model.estimate(mono, RATE)) == plain(model.estimate(mono.expand(2, -1), RATE))


def test_levels_do_not_matter_where_both_change_alike(model):
    first = model.estimate(sound(), RATE, sound(seed=1), k=1)[0]
    other = model.estimate(0.5 * sound(), RATE, 0.5 * sound(seed=1), k=1)[0]
    assert other.gain == pytest.approx(2 * first.gain, rel=1e-4)
    assert other.probability == pytest.approx(first.probability, rel=1e-3)
    alone = model.estimate(sound(), RATE, k=1)[0]
    assert model.estimate(0.1 * sound(), RATE, k=1)[0].probability == pytest.approx(alone.probability, rel=1e-3)


@pytest.mark.parametrize("seconds", [1e-4, 0.01, 0.2, 3.0])
@pytest.mark.parametrize("rate", [8000, 48000, RATE])
def test_any_length_and_rate_can_be_heard(model, seconds, rate):
    said = []
    output = sound(max(seconds, 1 / rate), rate=rate)
    assert model.estimate(output, rate, k=1, notice=said.append)
    assert bool(said) == (seconds > 0.2)


def test_of_long_sounds_the_loudest_part_is_heard(model):
    quiet = torch.zeros(2, 2 * RATE)
    quiet[:, 30870:39690] = sound()  # 0.7 s, which is a multiple of a quarter of 0.2 s
    assert model.estimate(quiet, RATE, k=1)[0].probability == model.estimate(sound(), RATE, k=1)[0].probability


@pytest.mark.parametrize(
    ("output", "dry", "says"),
    [
        (torch.zeros(2, 4410), None, "The sound is silent"),
        (sound(), torch.zeros(1, 4410), "The dry sound is silent"),
        (torch.full((1, 100), torch.nan), None, "no numbers"),
        (sound(), torch.full((1, 100), torch.inf), "The dry sound has values that are no numbers"),
        (torch.zeros(4410), None, r"\(channels, samples\)"),
        (torch.zeros(3, 4410), None, "one or two channels, not \\(3, 4410\\)"),
        (torch.zeros(2, 0), None, r"not \(2, 0\)"),
    ],
)
def test_what_cannot_be_heard_is_refused(model, output, dry, says):
    with pytest.raises(AudioError, match=says):
        model.estimate(output, RATE, dry)


def test_no_graphs_at_all_cannot_be_asked_for(model):
    with pytest.raises(EstimateError, match="k must be at least 1, not 0"):
        model.estimate(sound(), RATE, k=0)


@pytest.fixture
def copied(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "model", ignore=shutil.ignore_patterns("data"))
    return tmp_path / "model"


def edited(folder, **changes):
    said = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(said | changes))


def test_damaged_models_are_refused(copied, trained):
    with pytest.raises(EstimateError, match=r"holds no model, as model.json is missing.*grafx train"):
        Estimator.load(copied.parent)
    weights = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(weights[:-8] + b"12345678")
    with pytest.raises(EstimateError, match=r"does not belong to model.json, or is damaged"):
        Estimator.load(copied)
    (copied / "model.safetensors").unlink()
    with pytest.raises(EstimateError, match=r"model.safetensors is missing"):
        Estimator.load(copied)
    (copied / "model.json").write_text('{"format": ')
    (copied / "model.safetensors").write_bytes(weights)
    with pytest.raises(EstimateError, match="damaged model"):
        Estimator.load(copied)


@pytest.mark.parametrize("content", ["[]", "3", "{}", '{"format": "grafx-model"}', '{"format": "other"}', "null"])
def test_files_that_are_no_model_are_refused(copied, content):
    (copied / "model.json").write_text(content)
    with pytest.raises(EstimateError, match="damaged model"):
        Estimator.load(copied)


def test_models_of_other_configurations_are_refused(copied, micro):
    edited(copied, features=99)
    with pytest.raises(EstimateError, match="another version of grafx: train it again"):
        Estimator.load(copied)
    edited(copied, features=VERSION, recipe=micro.having(network={"width": 32}).plain)
    with pytest.raises(EstimateError, match="damaged model"):
        Estimator.load(copied)
    prior = json.loads((copied / "model.json").read_text())["prior"]
    kinds = {name: kind for name, kind in prior["kinds"].items() if name != "bell"}
    edited(copied, recipe=micro.plain, prior={**prior, "kinds": kinds})
    with pytest.raises(EstimateError, match="other controls"):
        Estimator.load(copied)


def test_dry_sounds_are_heard_only_by_models_that_know_them(model, micro):
    from dataclasses import replace

    given = replace(model, recipe=micro.having(data={"dry": "given"}))
    with pytest.raises(EstimateError, match="trained with the dry sound"):
        given.estimate(sound(), RATE)
    absent, said = replace(model, recipe=micro.having(data={"dry": "absent"})), []
    alone = absent.estimate(sound(), RATE, k=1)[0].probability
    assert absent.estimate(sound(), RATE, sound(seed=1), 1, said.append)[0].probability == alone
    assert "not used" in said[0]
    assert load_recipe("tiny").data.dry == "either"


def test_the_nearest_neighbour_of_a_known_sound_is_itself(corpus, model):
    for embedding in (None, model.embed):
        nearest = NearestNeighbour(corpus, model.vocabulary, embedding)
        for row in range(0, len(corpus), 5):
            truth = graph_of(corpus.tokens[row], corpus.settings[row], model.vocabulary)
            guessed = nearest(corpus.pick(torch.tensor([row])).heard)
            assert sorted(map(str, guessed.nodes(data=True))) == sorted(map(str, truth.nodes(data=True)))
    found = evaluate(nearest, corpus, model.vocabulary, model.prior.processors, rows=range(6))
    assert found["node_type_error"] == 0
    assert found["graphs"] == 6


def test_the_most_frequent_graph_is_that_of_most_examples(corpus, model):
    some = corpus.pick(torch.tensor([1, 0, 0, 0, 2]))
    frequent = MostFrequent(some, model.vocabulary)
    truth = graph_of(corpus.tokens[0], corpus.settings[0], model.vocabulary)
    found = compare_graphs(truth, frequent({}), model.prior.processors)
    assert found.node_type_error == 0
    assert not found.parameter_error


def test_measures_of_a_training_are_those_of_its_model(model, trained, micro):
    valid = load_corpus(trained / "data" / "valid", micro.data.valid)
    for dry in ("given", "absent"):
        found = evaluate(guess_of(model), valid, model.vocabulary, model.prior.processors, dry == "given", range(1))
        assert found == model.about["measures"][dry]


def test_a_fit_gets_near_the_truth_from_a_wrong_setting(drums):
    from grafx.data import GRAFX

    def graph(hertz):
        G = GRAFX(config=drums.config)
        start, node, end = G.add("in"), G.add("lowpass", parameters={"frequency_hz": hertz}), G.add("out")
        G.connect(start, node)
        G.connect(node, end)
        return G

    dry = sound(0.3)
    (output,) = render_graphs([graph(900.0)], [dry[None]], drums.processors)
    fitted = fit_from(graph(2000.0), dry, output, RATE, drums.processors, steps=60)
    assert fitted.loss == min(fitted.losses) < 0.2 * fitted.losses[0]
    (settings,) = (data["settings"] for _, data in fitted.G.nodes(data=True) if data["node_type"] == "lowpass")
    assert settings["frequency_hz"] == pytest.approx(900, rel=0.1)
    again = fit_from(graph(900.0), dry, output, RATE, drums.processors, steps=3)
    assert again.loss <= again.losses[0]
    with pytest.raises(AudioError, match="cut them to the same length"):
        fit_from(graph(900.0), dry, output[:, :-1], RATE, drums.processors)


def test_a_fitted_graph_has_the_ids_of_the_one_that_was_given(drums):
    G = GRAFX(config=drums.config)
    out, mix = G.add("out"), G.add("mix")
    G.connect(mix, out)
    hertz = {}
    for value in (300.0, 3000.0):
        start, node = G.add("in"), G.add("lowpass", parameters={"frequency_hz": value})
        bell = G.add("bell", parameters={"frequency_hz": value, "gain_db": 6.0})
        G.connect(start, node)
        G.connect(node, bell)
        G.connect(bell, mix)
        hertz |= {node: value, bell: value}
    dry = torch.stack([sound(0.3), sound(0.3).flip(-1)])
    (output,) = render_graphs([G], [dry], drums.processors)
    before = dict(G.nodes(data="node_type"))
    fitted = fit_from(G, dry, output, RATE, drums.processors, steps=0).G
    assert dict(fitted.nodes(data="node_type")) == before == dict(G.nodes(data="node_type"))
    assert set(fitted.edges) == set(G.edges)
    assert all(set(data) <= set(G.nodes[n]) | {"settings"} for n, data in fitted.nodes(data=True))
    for node, value in hertz.items():
        assert fitted.nodes[node]["settings"]["frequency_hz"] == pytest.approx(value, rel=1e-3)
    (again,) = render_graphs([fitted], [dry], drums.processors)
    torch.testing.assert_close(again, output, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    "about", [None, [], {}, {"seconds": None}, {"seconds": "2"}, {"seconds": -1}, {"seconds": True}]
)
def test_a_model_that_does_not_say_how_long_its_sounds_were_is_damaged(trained, tmp_path, about):
    folder = shutil.copytree(trained, tmp_path / "model", ignore=shutil.ignore_patterns("data"))
    said = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(said | {"about": about}))
    with pytest.raises(EstimateError, match="damaged model"):
        Estimator.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000])
def test_what_is_no_description_of_a_model_is_damaged(trained, tmp_path, text):
    folder = shutil.copytree(trained, tmp_path / "model", ignore=shutil.ignore_patterns("data"))
    (folder / "model.json").write_text(text)
    with pytest.raises(EstimateError, match="damaged model"):
        Estimator.load(folder)
    with pytest.raises(EstimateError, match="is a file"):
        Estimator.load(folder / "model.json")


def test_a_fit_hears_all_outputs_together(drums):
    G = GRAFX(drums.config)
    source = G.add("in")
    for _ in range(2):
        G.connect(source, G.add("out"))
    dry = sound(0.5)
    doubled, single = (fit_from(G, dry, factor * dry, RATE, drums.processors, steps=1).loss for factor in (2, 1))
    assert doubled < 1e-6 < single
