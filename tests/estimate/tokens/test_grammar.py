"""Every sequence that the masks allow is a graph that can be rendered."""

import os

import networkx as nx
import pytest
import torch

from grafx.data import NodeConfigs, batch_grafx
from grafx.errors import EstimateError
from grafx.estimate.tokens import Grammar, Vocabulary, allowed, decode, encode, masks
from grafx.render import prepare_render, render_grafx, reorder_for_fast_render

TYPES = NodeConfigs(
    {
        "eq": {},
        "compressor": {"inlets": ["main", "sidechain"]},
        "crossover": {"outlets": ["low", "high"]},
        "lfo": {"inlets": []},
        "meter": {"outlets": []},
    }
)
DRAWS = ["any", "long", "far"]
MANY = int(os.environ.get("GRAFX_MANY", "1"))  # times as many random cases; docs/guarantees.md says what 10 is for


def draw(grammar, rng, how):
    """A random sequence; ``long`` rarely ends by itself, ``far`` likes distant sources."""
    v = grammar.vocabulary
    while not grammar.done:
        tokens = grammar.possible()
        assert tokens == sorted(set(tokens)) and tokens
        if how == "long" and len(tokens) > 1 and rng.random() < 0.95:
            tokens = [token for token in tokens if token]
        if how == "far" and rng.random() < 0.5:
            tokens = [t for t in tokens if v.first_pointer <= t < v.first_outlet][-1:] or tokens
        grammar.push(rng.choice(tokens))
    return grammar


def assert_valid(grammar):
    G = decode(grammar.tokens, grammar.vocabulary)
    assert G.validate() == []
    assert len(G) <= grammar.vocabulary.max_nodes
    if not grammar.dead_ends:
        ends = {i for i in G if not G.config[G.nodes[i]["node_type"]]["outlets"]}
        assert all(i in ends or ends & nx.descendants(G, i) for i in G)
    again = encode(G, grammar.vocabulary)
    Grammar(grammar.vocabulary, grammar.dead_ends).extend(again.tokens)
    return G


def draw_some(graphs, rng, count):
    for i in range(count):
        bins = rng.choice([0, 0, 3])
        vocabulary = Vocabulary.of(graphs.config(rng), bins=bins, max_nodes=rng.randint(2, 9))
        yield draw(Grammar(vocabulary, dead_ends=rng.random() < 0.2), rng, DRAWS[i % 3])


def test_allowed_sequences_are_valid_graphs(graphs, rng):
    for grammar in draw_some(graphs, rng, 300):
        assert_valid(grammar)


@pytest.mark.slow
def test_many_allowed_sequences_are_valid_graphs(graphs, rng):
    for grammar in draw_some(graphs, rng, MANY * 1000):
        assert_valid(grammar)


def test_graphs_use_all_room(graphs, rng):
    """Neither too few nor too many: a graph may have as many nodes as the vocabulary says."""
    sizes = [len(decode(grammar.tokens, grammar.vocabulary)) for grammar in draw_some(graphs, rng, 150)]
    assert {2, 9} <= {*sizes}


def test_whatever_is_valid_is_allowed(graphs, rng):
    """The masks refuse no valid graph: also not the largest."""
    for _ in range(150):
        config = graphs.config(rng)
        G = graphs.graph(config, rng)
        vocabulary = Vocabulary.of(config, max_nodes=len(G))
        tokens = encode(G, vocabulary).tokens
        Grammar(vocabulary, dead_ends=True).extend(tokens)
        if all(G.out_degree(i) for i in G if config[G.nodes[i]["node_type"]]["outlets"]):
            Grammar(vocabulary).extend(tokens)


def all_sequences(vocabulary, dead_ends=False):
    todo, found = [Grammar(vocabulary, dead_ends)], []
    while todo:
        grammar = todo.pop()
        if grammar.done:
            found.append(grammar)
            continue
        for token in grammar.possible():
            other = grammar.copy()
            other.push(token)
            todo.append(other)
    return found


@pytest.mark.parametrize("dead_ends", [False, True])
def test_all_sequences_of_few_nodes(dead_ends):
    """Each is another graph, or the same in another order; none is allowed in two ways of writing."""
    vocabulary = Vocabulary.of(NodeConfigs({"c": {"inlets": ["a", "b"], "outlets": ["x", "y"]}}), max_nodes=3)
    written = set()
    for grammar in all_sequences(vocabulary, dead_ends):
        G = assert_valid(grammar)
        nodes = tuple(G.nodes(data="node_type"))
        cables = frozenset((s, d, c["outlet"], c["inlet"]) for s, d, c in G.edges(data=True))
        assert (nodes, cables) not in written
        written.add((nodes, cables))
    # in → c → out: one cable to inlet a, with or without one to b; any of the outlets, and of the input, to the output.
    graphs = {cables for nodes, cables in written if [t for _, t in nodes] == ["in", "c", "out"]}
    heard = 3 + 3 + (1 if dead_ends else 0)  # of low, high, both; each with the input or without, or the input alone
    assert len(graphs) == 2 * heard


def test_allowed_graphs_render(graphs, rng, toys):
    """With open sidechains, generators alone, and several outputs, in batches as one by one."""
    vocabulary = Vocabulary.of(toys.config, max_nodes=10)
    drawn = [decode(draw(Grammar(vocabulary), rng, how).tokens, vocabulary) for how in DRAWS for _ in range(40)]
    assert_renders(drawn, toys)


@pytest.mark.slow
def test_many_allowed_graphs_render(graphs, rng, toys):
    vocabulary = Vocabulary.of(toys.config, max_nodes=12)
    for _ in range(MANY * 10):
        drawn = [decode(draw(Grammar(vocabulary), rng, how).tokens, vocabulary) for how in DRAWS for _ in range(34)]
        assert_renders(drawn, toys)


def assert_renders(drawn, toys):
    G = reorder_for_fast_render(batch_grafx(drawn), "greedy")
    processors = toys.make()
    types = [t for _, t in G.nodes(data="node_type")]
    x = torch.randn(types.count("in"), 1, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y, *_ = render_grafx(processors, x, toys.parameters(processors, G), prepare_render(G))
    assert y.shape[0] == types.count("out") and y.isfinite().all()


def test_masks_say_what_is_possible(rng):
    vocabulary = Vocabulary.of(TYPES, max_nodes=7)
    drawn = [draw(Grammar(vocabulary), rng, how) for how in DRAWS * 5]
    for grammar in drawn:
        table = masks(grammar.tokens, vocabulary)
        assert table.shape == (len(grammar.tokens), len(vocabulary)) and table.dtype == torch.bool
        step = Grammar(vocabulary)
        for row, token in zip(table, grammar.tokens, strict=True):
            assert torch.equal(row, step.mask()) and row[token]
            step.push(token)
    length = max(len(grammar.tokens) for grammar in drawn)
    padded = torch.tensor([grammar.tokens + [0] * (length - len(grammar.tokens)) for grammar in drawn])
    for end in range(length):
        rows = torch.stack([Grammar(vocabulary).extend(g.tokens[:end]).mask() for g in drawn])
        assert torch.equal(allowed(padded[:, :end], vocabulary), rows)
        assert torch.equal(allowed([g.tokens[:end] for g in drawn], vocabulary), rows)
    assert allowed(padded, vocabulary).nonzero()[:, 1].tolist() == [0] * len(drawn)
    assert allowed([], vocabulary).shape == (0, len(vocabulary))


def test_copies_go_their_own_ways(rng):
    vocabulary = Vocabulary.of(TYPES, max_nodes=7)
    for _ in range(30):
        whole = draw(Grammar(vocabulary), rng, "any").tokens
        cut = rng.randrange(len(whole))
        grammar = Grammar(vocabulary).extend(whole[:cut])
        before = grammar.possible()
        draw(grammar.copy(), rng, "far")
        assert grammar.possible() == before and grammar.tokens == whole[:cut]
        assert grammar.extend(whole[cut:]).done


def test_refusals_say_where_and_what_is_possible():
    vocabulary = Vocabulary.of(TYPES, max_nodes=4)
    grammar = Grammar(vocabulary)
    names = vocabulary.tokens
    with pytest.raises(EstimateError, match=r"Token 2 \(out\) cannot be at position 0, after nothing: .*\(lfo\)"):
        grammar.push(2)
    grammar.push(names.index("in"))
    before = grammar.possible()
    with pytest.raises(EstimateError, match=rf"Token {len(names)}, of {len(names)} tokens, cannot be at position 1"):
        grammar.push(len(names))
    assert grammar.possible() == before and grammar.tokens == [1]
    grammar.push(names.index("eq"))
    with pytest.raises(EstimateError, match=r"\(<end>\) cannot be at position 2, after in eq: .*\(out\)"):
        grammar.push(0)
