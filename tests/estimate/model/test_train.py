import itertools
import json
import math
import shutil

import pytest
import torch

from grafx.errors import EstimateError
from grafx.estimate import corpus as making
from grafx.estimate.corpus import graph_of, load_corpus, make_corpus
from grafx.estimate.dataset import GraphDataset
from grafx.estimate.estimator import MODEL_FILES, Estimator
from grafx.estimate.metrics import compare_graphs
from grafx.estimate.model import Network
from grafx.estimate.sounds import GeneratedSounds
from grafx.estimate.tokens import Vocabulary
from grafx.estimate.train import train
from grafx.estimate.training.checkpoint import CHECKPOINT_FILE
from grafx.estimate.training.steps import hidden_in, rate_at, rows_of


def about(folder):
    return json.loads((folder / "model.json").read_text())["about"]


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def after(count):
    """Tells to stop when it has been asked so often."""
    asked = itertools.count(1)
    return lambda: next(asked) >= count


def test_a_model_is_there_when_training_ends(trained, micro):
    assert sorted(path.name for path in trained.iterdir()) == ["data", *sorted(MODEL_FILES)]
    said = about(trained)
    assert [row[0] for row in said["curve"]] == [10, 20]
    assert [row[0] for row in said["valid"]] == [10, 20]
    assert said["curve"][1][1] < said["curve"][0][1]
    for row in said["curve"]:
        options = micro.training
        assert row[1] == pytest.approx(row[2] + options.settings * row[3] + options.presence * row[4], rel=1e-5)
    assert set(said["measures"]) == {"given", "absent"}
    assert said["measures"]["given"]["graphs"] == 1


@pytest.mark.parametrize("stops", [(3,), (3, 2, 3)], ids=["once", "often"])
def test_a_training_that_was_stopped_goes_on_to_the_same_bytes(trained, begun, micro, stops):
    for count in stops:
        assert not train(micro, begun, interrupted=after(count))
        assert not (begun / "model.json").exists()
    assert train(micro, begun)
    assert about(begun) == about(trained)
    assert weights(begun) == weights(trained)


def test_a_training_that_was_killed_goes_on_to_the_same_bytes(trained, begun, micro, monkeypatch):
    class Killed(BaseException):
        pass

    step, done = Network.forward, []

    def killed(*arguments):
        done.append(0)
        if len(done) > 14:
            raise Killed
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Network, "forward", killed)
        with pytest.raises(Killed):
            train(micro, begun)
    assert (begun / CHECKPOINT_FILE).exists()
    assert train(micro, begun)
    assert about(begun) == about(trained)
    assert weights(begun) == weights(trained)


def test_what_is_finished_is_left_and_others_are_refused(trained, micro, tmp_path):
    before = weights(trained)
    assert train(micro, trained)
    assert weights(trained) == before
    with pytest.raises(EstimateError, match=r"already holds model.safetensors, model.json of another training"):
        train(micro.having(training={"seed": 1}), trained)
    (tmp_path / "file").write_text("")
    with pytest.raises(EstimateError, match="is a file"):
        train(micro, tmp_path / "file")
    assert weights(trained) == before


def test_other_data_and_other_checkpoints_are_refused(begun, micro):
    assert not train(micro, begun, interrupted=after(3))
    checkpoint = (begun / CHECKPOINT_FILE).read_bytes()
    with pytest.raises(EstimateError, match="another recipe or other data"):
        train(micro.having(training={"steps": 30}), begun)
    with pytest.raises(EstimateError, match="has the data of another training"):
        train(micro.having(data={"seed": 3}), begun)
    assert (begun / CHECKPOINT_FILE).read_bytes() == checkpoint
    (begun / CHECKPOINT_FILE).write_bytes(checkpoint[:1000])
    with pytest.raises(EstimateError, match=r"checkpoint.safetensors is damaged.*remove it to start again"):
        train(micro, begun)


def test_damaged_data_is_named(begun, micro):
    part = begun / "data" / "train" / "00000.safetensors"
    part.write_bytes(part.read_bytes()[:500])
    with pytest.raises(EstimateError, match=r"00000.safetensors is damaged.*remove it, and it is made again"):
        train(micro, begun)
    part.unlink()
    assert train(micro, begun, interrupted=lambda: part.exists()) is False
    assert part.exists()


def test_a_training_stops_early_with_the_best_weights(begun, micro):
    recipe = micro.having(training={"steps": 200, "learning_rate": 3.0, "patience": 2, "average": 0.0})
    assert train(recipe, begun)
    said = about(begun)
    best = min(said["valid"], key=lambda row: row[1])
    assert said["steps"] == said["valid"][-1][0] == best[0] + 20 < 200


def test_a_training_through_the_render_goes_on_too(begun, micro):
    recipe = micro.having(training={"render": 1.0, "rendered": 2, "steps": 10})
    assert train(recipe, begun)
    (row,) = about(begun)["curve"]
    plain = row[2] + micro.training.settings * row[3] + micro.training.presence * row[4]
    assert row[1] > plain + 0.05


def test_dropout_follows_from_the_step(begun, micro):
    recipe = micro.having(network={"dropout": 0.3}, training={"validate_every": 5})
    assert not train(recipe, begun, interrupted=after(3))
    torch.rand(3)
    assert train(recipe, begun)
    curve = about(begun)["curve"]
    for name in MODEL_FILES:
        (begun / name).unlink()
    assert train(recipe, begun)
    assert about(begun)["curve"] == curve


def test_models_hear_what_their_recipe_says(begun, micro):
    from grafx.estimate.evaluate import evaluate, guess_of

    recipe = micro.having(data={"dry": "absent"})
    shutil.rmtree(begun)
    assert train(recipe, begun)
    model = Estimator.load(begun)
    assert set(model.about["measures"]) == {"absent"}
    valid = load_corpus(begun / "data" / "valid", 8)
    found = evaluate(guess_of(model), valid, model.vocabulary, model.prior.processors, False, range(1))
    assert found["node_type_error"] == model.about["measures"]["absent"]["node_type_error"]


def test_every_example_comes_once_in_an_epoch():
    count, size = 10, 4
    rows = torch.cat([rows_of(step, size, count, seed=0) for step in range(10)])
    for epoch in range(4):
        assert sorted(rows[epoch * count : (epoch + 1) * count].tolist()) == list(range(count))
    assert rows[:count].tolist() != rows[count : 2 * count].tolist()
    assert rows_of(0, 25, 10, 0).tolist()[:4] == rows_of(0, 4, 10, 0).tolist()
    assert not torch.equal(rows_of(0, 10, 10, seed=0), rows_of(0, 10, 10, seed=1))


def test_the_dry_sound_is_hidden_as_asked():
    assert not hidden_in(0, 100, "given", 0).any()
    assert hidden_in(0, 100, "absent", 0).all()
    share = torch.cat([hidden_in(step, 100, "either", 0) for step in range(20)]).float().mean()
    assert 0.25 < share < 0.35


def test_the_learning_rate_rises_and_falls():
    rates = [rate_at(step, 10, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) > 0.95
    assert rates[50] == pytest.approx(0.5)
    assert 0 < rates[99] < 1e-3
    assert all(math.isfinite(rate) for rate in rates)


def test_parts_of_a_corpus_are_the_same_whoever_makes_them(drums, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "PART", 4)
    dataset = GraphDataset(drums, GeneratedSounds("drums"), 10, seconds=0.1)
    vocabulary = Vocabulary.of(drums)
    assert make_corpus(dataset, vocabulary, 44100, tmp_path / "whole")
    assert not make_corpus(dataset, vocabulary, 44100, tmp_path / "parts", interrupted=after(2))
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["00000.safetensors"]
    told = []
    assert make_corpus(dataset, vocabulary, 44100, tmp_path / "parts", show=lambda *done: told.append(done))
    assert told == [(8, 10), (10, 10)]
    for part in range(3):
        whole, other = (tmp_path / name / f"{part:05d}.safetensors" for name in ("whole", "parts"))
        assert whole.read_bytes() == other.read_bytes()
    corpus = load_corpus(tmp_path / "whole", 10)
    for row, example in enumerate(dataset.examples(range(10))):
        found = compare_graphs(
            example.G, graph_of(corpus.tokens[row], corpus.settings[row], vocabulary), drums.processors
        )
        assert found.node_type_error == 0
        assert found.parameter_error < 1e-3


@pytest.mark.slow
def test_several_processes_make_all_parts(drums, tmp_path):
    dataset = GraphDataset(drums, GeneratedSounds("drums"), 5 * making.PART, seconds=0.05)
    assert make_corpus(dataset, Vocabulary.of(drums), 44100, tmp_path, workers=2)
    assert len(load_corpus(tmp_path, dataset.count)) == dataset.count


@pytest.mark.parametrize(("training", "processes"), [({"batch_size": 7}, 2), ({"render": 1.0, "rendered": 3}, 2)])
def test_batches_that_cannot_be_divided_are_refused_before_data_is_made(micro, tmp_path, training, processes):
    class Fabric:
        world_size = processes

    with pytest.raises(EstimateError, match="cannot be divided among 2"):
        train(micro.having(training=training), tmp_path / "out", fabric=Fabric())
    assert not (tmp_path / "out").exists()
