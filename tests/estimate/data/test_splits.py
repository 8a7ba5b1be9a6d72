"""Splits: nothing that they are made by is in two of them."""

import itertools

import pytest

from grafx.errors import EstimateError
from grafx.estimate.dataset import GraphDataset
from grafx.estimate.prior import draw_graph, load_prior, parse_prior
from grafx.estimate.sounds import GeneratedSounds
from grafx.estimate.splits import SPLITS, split_of_settings, split_of_structure, split_sounds
from grafx.estimate.tokens import canonical_key

BY = ["sound", "structure", "settings", None]
PRIOR = load_prior("drums")

ONE_KIND = """
[structures.chain]
length = [1, 1]
[kinds.bell]
processor = "PeakingFilter"
"""


def dataset(split, by, count=16, prior=PRIOR):
    return GraphDataset(prior, GeneratedSounds("tones", count=30), count, 0.05, split=split, by=by, batch_size=16)


@pytest.fixture(scope="module", params=BY)
def parts(request):
    drawn = {split: list(itertools.chain(*dataset(split, request.param))) for split in SPLITS}
    return request.param, drawn


def keys(by, example):
    if by == "sound":
        return set(example.sounds)
    if by == "structure":
        return {canonical_key(example.G, inputs=())}
    if by == "settings":
        nodes = (data for _, data in example.G.nodes(data=True) if data["parameters"])
        return {(data["node_type"], str(data["parameters"])) for data in nodes}
    return {example.seed}


def test_nothing_is_in_two_splits(parts):
    by, drawn = parts
    found = {split: set().union(*(keys(by, example) for example in examples)) for split, examples in drawn.items()}
    assert all(found.values())
    for one, other in itertools.combinations(SPLITS, 2):
        assert not found[one] & found[other]


def test_seeds_are_in_one_split_only(parts):
    _, drawn = parts
    seeds = [example.seed for examples in drawn.values() for example in examples]
    assert len(set(seeds)) == len(seeds) == 48


def test_splits_take_their_part_of_sounds():
    sounds = GeneratedSounds("drums", count=100)
    sizes = {split: len(split_sounds(sounds, split)) for split in SPLITS}
    assert sizes == {"train": 80, "valid": 10, "test": 10}
    few = GeneratedSounds("drums", count=3)
    assert all(len(split_sounds(few, split)) == 1 for split in SPLITS)


def test_splits_take_their_part_of_structures_and_settings():
    graphs = [draw_graph(PRIOR, seed) for seed in range(300)]
    structures = {canonical_key(G, inputs=()) for G in graphs}
    share = sum(split_of_structure(key) == "train" for key in structures) / len(structures)
    assert 0.7 < share < 0.9
    nodes = [data for G in graphs for _, data in G.nodes(data=True) if data["parameters"]]
    for kind in PRIOR.kinds:
        splits = [split_of_settings(PRIOR, kind, data["parameters"]) for data in nodes if data["node_type"] == kind]
        assert set(splits) == set(SPLITS)
        assert 0.65 < splits.count("train") / len(splits) < 0.95


def test_close_settings_are_in_one_split():
    for hertz in (200.0, 900.0, 2500.0):
        near = {split_of_settings(PRIOR, "highpass", {"frequency_hz": hertz * (1 + i * 1e-6)}) for i in range(3)}
        assert len(near) == 1


def test_kinds_without_settings_are_in_all_splits():
    prior = parse_prior(ONE_KIND)
    assert split_of_settings(prior, "bell", {}) is None
    for split in SPLITS:
        assert len(dataset(split, "settings", 1, prior).examples([0])) == 1


def test_what_cannot_be_split_is_refused():
    with pytest.raises(EstimateError, match="2 sound"):
        split_sounds(GeneratedSounds("drums", count=2), "train")
    prior = parse_prior(ONE_KIND)  # with a single structure
    found = []
    for split in SPLITS:
        try:
            found.append(dataset(split, "structure", 1, prior).examples([0]))
        except EstimateError as error:
            assert "structure" in str(error)
    assert len(found) == 1
    rare = parse_prior(ONE_KIND + "controls.gain_db = { spike = 1, at = 0, uniform = [-6, 6] }")
    assert split_of_settings(rare, "bell", {"gain_db": 0.0}) == "train"
    with pytest.raises(EstimateError, match="'bell' never has settings for 'test'"):
        dataset("test", "settings", 1, rare).examples([0])
