import copy
import pickle

import pytest
import torch

from grafx.data import GRAFX, GraphError, NodeConfigs, convert_to_tensor
from grafx.render import Renderer, RenderError, Signals, prepare_render, render_grafx, reorder_for_fast_render


@pytest.fixture
def G(toys):
    G = GRAFX(config=toys.config)
    G.add_serial_chain(["in", "nested", "gain", "invert", "out"])
    G.add_serial_chain(["in", "gain", "out"])
    return G


@pytest.fixture
def x():
    return torch.randn(2, 2, 5)


def test_renders_as_render_grafx_does(toys, G, x):
    processors = toys.make()
    renderer = Renderer(G, processors)
    expected, _, _ = render_grafx(processors, x, renderer.per_type_parameters, prepare_render(renderer.G))
    assert torch.equal(renderer(x), expected)
    output, intermediates, signals = renderer.render(x)
    assert torch.equal(output, expected) and intermediates == [] and isinstance(signals, Signals)
    assert renderer(x.expand(3, 2, 2, 5)).shape == (3, 2, 2, 5)
    weights = {"weight": torch.zeros(len(G))}
    assert torch.equal(renderer(x, weights), torch.zeros(2, 2, 5))


def test_the_graph_is_left_alone(toys, G, x, snapshot):
    before = snapshot(G)
    renderer = Renderer(G, toys.make(), method="greedy")
    assert snapshot(G) == before
    assert renderer.G.rendering_order_method == renderer.render_data.method == "greedy"
    shape = renderer(x).shape
    G.remove(1)
    assert renderer(x).shape == shape


def test_parameters_that_are_given_are_copied(toys, G, x):
    processors = toys.make()
    parameters = toys.parameters(processors, Renderer(G, processors).G, dtype=torch.float32)
    renderer = Renderer(G, processors, parameters)
    expected, _, _ = render_grafx(processors, x, parameters, renderer.render_data)
    torch.testing.assert_close(renderer(x), expected)
    with torch.no_grad():
        parameters["gain"]["gain"].zero_()
    torch.testing.assert_close(renderer(x), expected)


def test_state_dict_round_trip(toys, G, x):
    first, second = Renderer(G, toys.make()), Renderer(G, toys.make())
    assert not torch.equal(first(x), second(x))
    assert set(first.state_dict()) == {
        "per_type_parameters.gain.gain",
        "per_type_parameters.nested.pre.gain",
        "per_type_parameters.nested.post.shape",
        "per_type_parameters.nested.post.deep.bias",
    }
    assert first.state_dict()["per_type_parameters.gain.gain"].shape == (2, 1)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(x), second(x))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_copies_are_independent(toys, G, x, clone):
    renderer = Renderer(G, toys.make())
    expected = renderer(x)
    other = clone(renderer)
    assert torch.equal(other(x), expected)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    assert torch.equal(renderer(x), expected) and not torch.equal(other(x), expected)


def test_a_training_step_changes_every_parameter_and_lowers_the_loss(toys, G, x):
    torch.manual_seed(0)
    renderer, target = Renderer(G, toys.make()), torch.randn(2, 2, 5)
    optimizer = torch.optim.SGD(renderer.parameters(), lr=0.01)
    before = {name: value.clone() for name, value in renderer.state_dict().items()}
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        loss = (renderer(x) - target).square().sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]
    assert not any(torch.equal(value, before[name]) for name, value in renderer.state_dict().items())


@pytest.mark.parametrize("graded", [True, False])
def test_gradients_reach_inputs_that_ask_for_them(toys, G, x, graded):
    x.requires_grad_(graded)
    output = Renderer(G, toys.make())(x)
    output.sum().backward()
    assert (x.grad is not None) == graded


def test_to_another_type(toys, G, x):
    renderer = Renderer(G, toys.make()).to(torch.float64)
    assert all(p.dtype == torch.float64 for p in renderer.parameters())
    assert renderer(x.double()).dtype == torch.float64
    assert Renderer(G, toys.make()).half().to("meta")(x.half().to("meta")).shape == (2, 2, 5)


def test_only_processors_that_are_used_are_kept(toys, G):
    assert set(Renderer(G, toys.make()).processors) == {"nested", "gain", "invert"}


def test_refusals(toys, G):
    processors = toys.make()
    del processors["nested"], processors["invert"]
    with pytest.raises(RenderError, match=r"\['invert', 'nested'\]"):
        Renderer(G, processors)
    with pytest.raises(GraphError, match="fastest"):
        Renderer(G, toys.make(), method="fastest")
    with pytest.raises(RenderError, match=r"'pre' of type 'nested' .*is missing"):
        Renderer(G, toys.make(), parameters={})(torch.zeros(2, 1, 5))
    G.add("mix")
    with pytest.raises(RenderError, match=r"inlet 'main' of node \d \(mix\)"):
        Renderer(G, toys.make())


def test_a_graph_without_processors():
    G = GRAFX(config=NodeConfigs([]))
    G.add_serial_chain(["in", "mix", "out"])
    renderer, x = Renderer(G, {}), torch.randn(1, 1, 5)
    assert torch.equal(renderer(x), x) and not list(renderer.parameters())


def test_takes_the_parameters_that_nodes_hold(toys, x):
    G = GRAFX(config=toys.config)
    for gain in (2.0, 3.0):
        G.add_serial_chain(["in", {"node_type": "gain", "parameters": {"gain": torch.tensor([gain])}}, "out"])
    renderer = Renderer(G, toys.make())
    assert torch.equal(renderer(x), x * torch.tensor([2.0, 3.0])[:, None, None])


def test_a_type_name_that_torch_refuses(x):
    G = GRAFX()
    G.add_serial_chain(["in", "eq.low", "out"])

    class Same(torch.nn.Module):
        def parameter_size(self):
            return {}

        def forward(self, x):
            return x

    with pytest.raises(RenderError, match="Choose another name"):
        Renderer(G, {"eq.low": Same()})


def test_nodes_added_to_a_learned_graph_need_parameters(toys, G, x):
    renderer = Renderer(G, toys.make())
    learned = renderer.graph()
    edge = next(edge for edge in learned.edges() if learned.nodes[edge[0]]["node_type"] == "in")
    new = learned.insert("gain", *edge)
    with pytest.raises(GraphError, match=r"of type 'gain' holds no parameters, while others do"):
        Renderer(learned, toys.make())
    learned.nodes[new]["parameters"] = {"gain": torch.ones(1)}
    torch.testing.assert_close(Renderer(learned, toys.make())(x), renderer(x))


def test_options_of_the_schedule_are_passed_on(toys, G):
    renderer = Renderer(G, toys.make(), method="fixed", fixed_order=["nested", "gain", "invert"])
    assert renderer.G.type_sequence == ["in", "nested", "gain", "invert", "out"]
    with pytest.raises(GraphError, match="width"):
        Renderer(G, toys.make(), method="greedy", width=3)


class Bands(torch.nn.Module):
    inlets, outlets = ("main", "b"), ("main", "low", "high")

    def parameter_size(self):
        return {}

    def forward(self, x, b):
        return x, 2 * x, 3 * x + b


def test_without_a_config_processors_say_what_their_plugs_are_called():
    G = GRAFX()
    source, bands, first, second = G.add("in"), G.add("bands"), G.add("out"), G.add("out")
    G.connect(source, bands)
    G.connect(bands, first, outlet="high")
    G.connect(bands, second, outlet="low")
    assert Renderer(G, {"bands": Bands()})(torch.ones(1, 1, 1)).flatten().tolist() == [3, 2]
    with pytest.raises(RenderError, match=r"type 'bands' \(node 1\) has the inlets \['main'\] .*from_processors"):
        render_grafx({"bands": Bands()}, torch.ones(1, 1, 1), {}, prepare_render(reorder_for_fast_render(G)))
    config = NodeConfigs({"bands": {"inlets": ["main", "b"], "outlets": ["high", "low", "main"]}})
    wrong = GRAFX(config=config)
    wrong.add_serial_chain(["in", "bands", "out"])
    with pytest.raises(RenderError, match=r"outlets \['high', 'low', 'main'\] in the graph"):
        Renderer(wrong, {"bands": Bands()})(torch.ones(1, 1, 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda G, toys: Renderer(convert_to_tensor(G), toys.make()), "takes a GRAFX, not a GRAFXTensor"),
        (lambda G, toys: Renderer(G, toys.make(), {"gain": [1.0]}), "'gain'"),
        (lambda G, toys: Renderer(G, toys.make(), {"gain": {"gain": torch.ones(2, 1).long()}}), "floating point"),
        (
            lambda G, toys: Renderer(G, toys.make(), {"gain": {"values": torch.ones(2, 1)}}),
            "another name than 'values'",
        ),
        (lambda G, toys: Renderer(G, {t: type(p) for t, p in toys.make().items()}), "keeps instances of"),
        (lambda G, toys: Renderer(G, toys.make(), method=["beam"]), "Unknown method"),
        (lambda G, toys: prepare_render(None), "not a NoneType"),
        (lambda G, toys: reorder_for_fast_render(None), "not a NoneType"),
    ],
)
def test_arguments_of_another_kind(toys, G, make, message):
    with pytest.raises((RenderError, GraphError), match=message):
        make(G, toys)
