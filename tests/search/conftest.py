"""A moment of two stems and a mix of them, and searches that take no longer than they must."""

import pytest
import torch

from grafx.search import Options, Search

RATE = 44100
NAMES = ("kick", "pad")


def make_stems(num_stems=2, num_samples=8821, seed=0):
    """Decaying noises, each with a tone of its own."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(num_samples) / RATE
    stems = 0.1 * torch.randn(num_stems, 2, num_samples, generator=generator)
    for index, stem in enumerate(stems):
        stem += 0.2 * torch.sin(2 * torch.pi * 110 * (index + 1) * time)
        stem *= torch.exp(-3 * time * (index + 1))
    return stems


def make_mix(stems):
    """Saturated, panned and summed."""
    gains = torch.tensor([[0.9, 0.5], [0.4, 1.1]])[: len(stems), :, None]
    return (torch.tanh(3 * stems) / 2 * gains).sum(0)


def tiny_options(**changes):
    return Options(**{"fit_steps": 3, "rounds": 1, "tune_steps": 2, "method": "drywet", **changes})


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """The last bits of sums depend on the number of threads, and for so little audio one is the fastest."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="package")
def stems():
    return make_stems()


@pytest.fixture(scope="package")
def mix(stems):
    return make_mix(stems)


@pytest.fixture(scope="package")
def new_search(stems, mix):
    """Makes a search that has not begun; takes other options, or another mix, by name."""

    def make(mix=mix, stems=stems, names=NAMES, groups=None, **changes):
        return Search(stems, mix, RATE, list(names), groups, tiny_options(**changes))

    return make


@pytest.fixture(scope="package")
def finished(new_search):
    """A search that has been run to its end; not to be changed."""
    search = new_search(rounds=2)
    search.yielded = list(search.run())
    return search
