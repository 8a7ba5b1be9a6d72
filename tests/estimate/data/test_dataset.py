"""The data set: what it draws, and that it is the same however it is drawn."""

import pytest
import torch
from torch.utils.data import DataLoader

from grafx.errors import EstimateError
from grafx.estimate.dataset import GraphDataset
from grafx.estimate.prior import load_prior
from grafx.estimate.rendering import render_graphs
from grafx.estimate.sounds import GeneratedSounds

SECONDS = 0.25


def dataset(count=6, batch_size=2, **options):
    return GraphDataset(load_prior("drums"), GeneratedSounds("drums"), count, SECONDS, batch_size=batch_size, **options)


def test_examples_have_what_they_say():
    (example,) = dataset(count=1).examples(next(dataset().seeds())[:1])
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


@pytest.mark.parametrize("workers", [1, 2])
def test_samples_do_not_depend_on_workers(workers):
    alone = [example for batch in dataset() for example in batch]
    loader = DataLoader(dataset(), batch_size=None, num_workers=workers)
    loaded = [example for batch in loader for example in batch]
    assert [example.seed for example in loaded] == [example.seed for example in alone]
    assert all(torch.equal(a.output, b.output) for a, b in zip(alone, loaded, strict=True))


def test_sounds_of_another_rate_are_refused():
    with pytest.raises(EstimateError, match="16000 Hz"):
        GraphDataset(load_prior("drums"), GeneratedSounds("drums", 16000), 4)
