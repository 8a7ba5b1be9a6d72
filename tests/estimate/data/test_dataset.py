"""The data set: what it draws, and that it is the same however it is drawn."""

import itertools
import pickle

import pytest
import torch
from torch.utils.data import DataLoader

from grafx.errors import EstimateError
from grafx.estimate.audible import hear
from grafx.estimate.dataset import GraphDataset
from grafx.estimate.prior import load_prior, parse_prior
from grafx.estimate.rendering import render_graphs
from grafx.estimate.sounds import GeneratedSounds
from grafx.search.loudness import loudness

SECONDS = 0.25

QUIET = """
[structures.chain]
length = [2, 3]
repeats = true
[kinds.bell]
processor = "PeakingFilter"
controls.frequency_hz = { uniform = [200, 2000] }
controls.gain_db = { spike = 0.7, at = 0, uniform = [-20, 20] }
[kinds.lowpass]
processor = "LowPassFilter"
controls.frequency_hz = { spike = 0.5, at = 19000, uniform = [300, 1000] }
"""
"""Often without any effect."""

NEVER = """
[structures.chain]
length = [1, 2]
repeats = true
[kinds.bell]
processor = "PeakingFilter"
controls.frequency_hz = { uniform = [200, 2000] }
"""


def dataset(count=6, prior="drums", batch_size=2, **options):
    prior = parse_prior(prior) if "[" in prior else load_prior(prior)
    return GraphDataset(prior, GeneratedSounds("drums"), count, SECONDS, batch_size=batch_size, **options)


def content(example):
    nodes = [(n, data["node_type"], data["parameters"], data.get("audible")) for n, data in example.G.nodes(data=True)]
    signals = example.sources.numpy().tobytes(), example.output.numpy().tobytes()
    return example.seed, example.sounds, nodes, sorted(example.G.edges(data="inlet")), signals


def contents(batches):
    return [[content(example) for example in batch] for batch in batches]


def test_examples_have_what_they_say():
    (example,) = dataset(count=1).examples([0])
    assert example.G.validate() == []
    assert example.sources.shape == (1, 2, 11025)
    assert example.output.shape == (2, 11025)
    assert example.output.isfinite().all()
    assert example.sounds[0] in GeneratedSounds("drums").names


def test_output_is_the_render_of_the_graph():
    for batch in dataset(count=4, batch_size=4):
        for example in batch:
            (alone,) = render_graphs([example.G], [example.sources], load_prior("drums").processors)
            torch.testing.assert_close(example.output, alone, rtol=0, atol=1e-5)


def test_same_seed_gives_the_same_examples_and_another_does_not():
    first, again, other = (contents(dataset(seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert not {e[0] for batch in first for e in batch} & {e[0] for batch in other for e in batch}


@pytest.mark.parametrize("workers", [1, 2])
def test_samples_do_not_depend_on_workers(workers):
    alone = dataset()
    loader = DataLoader(dataset(), batch_size=None, num_workers=workers, persistent_workers=True)
    epochs = []
    for epoch in range(2):
        alone.set_epoch(epoch)
        loader.dataset.set_epoch(epoch)
        epochs.append(contents(loader))
        assert epochs[-1] == contents(alone)
    seeds = [[example[0] for batch in epoch for example in batch] for epoch in epochs]
    assert len(set(seeds[0])) == 6
    assert set(seeds[0]) == set(seeds[1])
    assert seeds[0] != seeds[1]


@pytest.mark.parametrize("threads", [1, 2])
def test_samples_do_not_depend_on_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        made = contents(dataset(count=2))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert made == contents(dataset(count=2))


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_an_epoch(world_size):
    whole = [[example.seed for example in batch] for batch in dataset(count=7)]
    parts = []
    for rank in range(world_size):
        part = dataset(count=7, rank=rank, world_size=world_size)
        parts.append([[example.seed for example in batch] for batch in part])
        assert len(part) == len(parts[-1])
    assert sorted(itertools.chain(*parts)) == sorted(whole)


def test_datasets_can_be_pickled():
    made = pickle.loads(pickle.dumps(dataset(count=2, loudness=-20.0)))
    assert contents(made) == contents(dataset(count=2, loudness=-20.0))


def test_examples_keep_nothing_but_themselves():
    for example in dataset(count=2).examples([0, 1]):
        for signal in (example.sources, example.output):
            assert signal.untyped_storage().nbytes() == 4 * signal.numel()
        assert content(pickle.loads(pickle.dumps(example))) == content(example)


@pytest.mark.slow
def test_many_examples_of_workers_can_be_kept():
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    try:
        loader = DataLoader(dataset(count=160, batch_size=40), batch_size=None, num_workers=2)
        assert sum(map(len, list(loader))) == 160
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_outputs_are_brought_to_a_loudness():
    (plain,), (leveled,) = dataset(count=2), dataset(count=2, loudness=-23.0)
    for one, other in zip(plain, leveled, strict=True):
        assert loudness(other.output, 44100) == pytest.approx(-23, abs=0.01)
        assert one.gain == 1
        torch.testing.assert_close(other.output, other.gain * one.output)


def test_settings_are_drawn_until_nodes_are_heard():
    (batch,) = dataset(16, QUIET, 16)
    marks = [mark for example in batch for _, mark in example.G.nodes(data="audible") if mark is not None]
    assert all(example.output.square().mean() > 1e-10 for example in batch)
    assert marks.count(True) > 0.75 * len(marks)  # 57 % at the first draw
    processors = parse_prior(QUIET).processors
    heard = hear([example.G for example in batch], [example.sources for example in batch], processors)
    for example, one in zip(batch, heard, strict=True):
        told = {node: mark for node, mark in example.G.nodes(data="audible") if mark is not None}
        assert told == {node: change >= -30 for node, change in one.changes.items()}


def test_what_is_never_heard_is_marked():
    for (example,) in dataset(3, NEVER, 1):
        marks = [data for _, data in example.G.nodes(data=True) if "audible" in data]
        assert len(marks) == len(example.G) - 2
        assert all(data["audible"] is False and data["change_db"] < -60 for data in marks)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"count": 0}, "count"),
        ({"batch_size": 0}, "batch_size"),
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"split": "dev"}, "train, valid, test"),
        ({"by": "name"}, "sound, structure, settings"),
        ({"loudness": 5.0}, "LUFS"),
    ],
)
def test_impossible_arguments_are_refused(options, match):
    with pytest.raises(EstimateError, match=match):
        dataset(**options)


def test_sounds_of_another_rate_are_refused():
    with pytest.raises(EstimateError, match="16000 Hz"):
        GraphDataset(load_prior("drums"), GeneratedSounds("drums", 16000), 4)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_impossible_lengths_are_refused(seconds):
    with pytest.raises(EstimateError, match="seconds"):
        GraphDataset(load_prior("drums"), GeneratedSounds("drums"), 4, seconds)


def test_numbers_beyond_the_last_are_refused():
    with pytest.raises(EstimateError, match="There is no example 6"):
        dataset().examples([6])


MUTE = """
[structures.chain]
length = [2, 2]
repeats = true
[kinds.mute]
processor = "StereoGain"
controls = { left_gain_db = -60, right_gain_db = -60 }
[kinds.bell]
processor = "PeakingFilter"
controls.gain_db = { uniform = [6, 12] }
"""
"""A quarter of its graphs are silent with whatever settings."""


def test_no_example_is_silent_where_another_graph_is_not():
    for batch_size in (1, 4):
        found = [example for batch in dataset(12, MUTE, batch_size) for example in batch]
        assert len(found) == 12
        for example in found:
            assert example.output.abs().max() > 1e-4
            assert "bell" in dict(example.G.nodes(data="node_type")).values()
            (again,) = render_graphs([example.G], [example.sources], parse_prior(MUTE).processors)
            torch.testing.assert_close(again, example.output)
    assert contents(dataset(6, MUTE, 3)) == contents(dataset(6, MUTE, 3))


def test_what_is_silent_whatever_is_drawn_is_marked():
    (example,) = dataset(1, MUTE.split("[kinds.bell]")[0]).examples([0])
    assert example.output.abs().max() < 1e-6
    assert [data["node_type"] for _, data in example.G.nodes(data=True)] == ["in", "mute", "mute", "out"]
