import copy
import pickle

import pytest
import torch

from grafx.data import GRAFX, GraphError, NodeConfigs
from grafx.render import Renderer, RenderError, Signals, prepare_render, render_grafx


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
