import math

import pytest
import torch
from grafx.processors import Compressor, LowPassFilter

from grafx.estimate.decode import search_graphs
from grafx.estimate.features import features
from grafx.estimate.model import Network, losses
from grafx.estimate.recipe import Sizes, load_recipe
from grafx.estimate.tokens import Grammar, Vocabulary, decode

SIZES = Sizes(width=16, heads=2, encoder_layers=1, decoder_layers=1, channels=4)


@pytest.fixture(scope="module")
def small():
    """A network without training, of a language with few sequences, and what it hears of two sounds."""
    return untrained({"lowpass": LowPassFilter(), "compressor": Compressor(style="grafx")})


@pytest.fixture(scope="module")
def smallest():
    """The same of a language whose sequences are all followed."""
    return untrained({"lowpass": LowPassFilter()})


def untrained(processors):
    torch.manual_seed(0)
    vocabulary = Vocabulary.of(processors, max_nodes=4)
    heard = features(0.1 * torch.randn(2, 2, 4410), 0.1 * torch.randn(2, 1, 4410), 44100)
    network = Network(vocabulary, heard, SIZES).eval()
    with torch.no_grad():
        network.next.weight.mul_(4)  # with clear opinions
    return vocabulary, network, heard


def all_sequences(vocabulary):
    begun, ended = [Grammar(vocabulary)], []
    while begun:
        grammar = begun.pop()
        for token in grammar.possible():
            longer = grammar.copy()
            longer.push(token)
            (ended if longer.done else begun).append(longer)
    return [tuple(grammar.tokens) for grammar in ended]


def probability(network, memory, tokens, vocabulary):
    """One token after the other, each among those that may be there."""
    grammar, total = Grammar(vocabulary), 0.0
    logits = network.decode(memory, torch.tensor([tokens]))[0][0].double()
    for row, token in zip(logits, tokens, strict=False):
        total += row.masked_fill(~grammar.mask(), -torch.inf).log_softmax(0)[token].item()
        grammar.push(token)
    return math.exp(total)


@torch.no_grad()
def test_the_most_likely_graphs_are_found_with_their_probabilities(smallest):
    vocabulary, network, heard = smallest
    sequences = all_sequences(vocabulary)
    assert len(sequences) > 20
    for row in range(2):
        memory = network.encoder({name: value[row : row + 1] for name, value in heard.items()})
        known = {one: probability(network, memory, one, vocabulary) for one in sequences}
        assert sum(known.values()) == pytest.approx(1, abs=1e-5)
        best = sorted(sequences, key=known.get, reverse=True)
        found = search_graphs(network, memory, vocabulary, 5)
        assert [one.tokens for one in found] == best[:5]
        for one in found:
            assert math.exp(one.log_probability) == pytest.approx(known[one.tokens], rel=1e-4)
            decode(one.tokens, vocabulary).validate()


@torch.no_grad()
def test_more_graphs_than_there_are_give_all(smallest):
    vocabulary, network, heard = smallest
    memory = network.encoder({name: value[:1] for name, value in heard.items()})
    sequences = all_sequences(vocabulary)
    found = search_graphs(network, memory, vocabulary, len(sequences) + 10)
    assert sorted(one.tokens for one in found) == sorted(sequences)
    assert sum(math.exp(one.log_probability) for one in found) == pytest.approx(1, abs=1e-6)


def test_losses_of_parts_have_the_mean_of_the_whole(small):
    _, network, _ = small
    heard = features(0.1 * torch.randn(4, 2, 4410), None, 44100)
    tokens = torch.tensor([[1, 4, 2, 0, 0], [1, 5, 4, 2, 0], [1, 2, 0, 0, 0], [1, 5, 2, 0, 0]])
    within = torch.rand(4, 5, network.used.shape[1])
    whole, _ = losses(network, network.used, heard, tokens, within)
    parts = [
        losses(network, network.used, {n: v[i::2] for n, v in heard.items()}, tokens[i::2], within[i::2])[0]
        for i in range(2)
    ]
    for name, value in whole.items():
        assert value.item() == pytest.approx((parts[0][name] + parts[1][name]).item() / 2, rel=1e-4)


@torch.no_grad()
def test_losses_count_tokens_to_the_end_and_settings_that_there_are(small):
    vocabulary, network, heard = small
    tokens = torch.tensor([[1, 4, 2, 0, 0, 0], [1, 2, 0, 0, 0, 0]])
    logits, guessed, _ = network(heard, tokens[:, :-1])
    within = torch.full((2, 6, network.used.shape[1]), 0.25)
    found, _ = losses(network, network.used, heard, tokens, within)
    logs = logits.log_softmax(-1)
    right = sum(logs[0, i, t] for i, t in enumerate([1, 4, 2, 0])) + sum(logs[1, i, t] for i, t in enumerate([1, 2, 0]))
    assert found["tokens"].item() == pytest.approx(-right.item() / 2, rel=1e-5)
    size = vocabulary.kinds[3][0].size
    apart = (guessed[0, 1, :size] - 0.25).abs().mean().item()
    assert found["settings"].item() == pytest.approx(apart / 2, rel=1e-5)  # the other graph has none


@torch.no_grad()
def test_a_token_does_not_see_those_that_follow(small):
    _, network, heard = small
    first = network(heard, torch.tensor([[1, 4, 4, 2], [1, 5, 4, 2]]))
    other = network(heard, torch.tensor([[1, 4, 5, 5], [1, 5, 5, 5]]))
    torch.testing.assert_close(first[0][:, :3], other[0][:, :3])
    torch.testing.assert_close(first[1][:, :2], other[1][:, :2])


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
def test_networks_of_all_presets_can_be_made(name, drums):
    recipe = load_recipe(name)
    heard = features(0.1 * torch.randn(1, 2, round(recipe.data.seconds * 44100)), None, 44100)
    network = Network(Vocabulary.of(drums), heard, recipe.network)
    logits, _, _ = network(heard, torch.tensor([[1, 2]]))
    assert logits.shape == (1, 3, len(Vocabulary.of(drums)))
