import weakref

import pytest
import torch

from grafx.data import GRAFX
from grafx.render import Renderer, RenderError, prepare_render, render_grafx, reorder_for_fast_render


@pytest.fixture
def graph(toys):
    """One splitter feeds two gains, which make one step and meet again at a ring modulator."""
    G = GRAFX(config=toys.config)
    source, split, gain, ring, out = (G.add(t) for t in ("in", "split", "gain", "ring", "out"))
    other = G.add("gain")
    G.connect(source, split)
    G.connect(split, gain)
    G.connect(split, other, outlet="side")
    G.connect(gain, ring)
    G.connect(other, ring, inlet="side")
    G.connect(ring, out)
    return reorder_for_fast_render(G)


def render(toys, graph, x, processors=None, **kwargs):
    processors = processors or toys.make()
    parameters = toys.parameters(processors, graph, dtype=x.dtype)
    return render_grafx(processors, x, parameters, prepare_render(graph), **kwargs)


def test_shapes_and_indices(toys, graph):
    x = torch.randn(1, 2, 5)
    output, _, signals = render(toys, graph, x)
    assert len(signals) == 6
    assert signals.shape == signals.tensor().shape == (6, 2, 5)
    assert torch.equal(signals[0], x[0])
    assert torch.equal(signals[-1], output[0])
    assert torch.equal(signals[-1:], output)
    assert torch.equal(signals[torch.tensor([5])], output)
    assert torch.equal(signals[5, :, 2], output[0, :, 2])
    main, side = signals[1]
    assert main.shape == side.shape == (2, 5)
    assert torch.equal(signals.tensor()[1], main)
    assert len(list(signals)) == 6
    with pytest.raises(IndexError):
        signals[6]


def test_an_id_gives_a_node_also_for_a_batch_of_sources(toys, graph):
    x = torch.randn(3, 1, 2, 5)
    output, _, signals = render(toys, graph, x)
    assert signals.shape == (3, 6, 2, 5)
    assert torch.equal(signals[0], x[:, 0])
    assert torch.equal(signals[5], output[:, 0])
    assert signals[1][1].shape == (3, 2, 5)


def test_mono_counts_as_any_number_of_channels(toys):
    G = GRAFX(config=toys.config)
    G.add_serial_chain(["in", "gain", "widen", "out"])
    G = reorder_for_fast_render(G)
    _, _, signals = render(toys, G, torch.randn(1, 1, 5))
    assert [signals[i].shape[0] for i in range(4)] == [1, 1, 2, 2]
    assert signals.shape == (4, 2, 5)
    assert torch.equal(signals.tensor()[1], signals[1].expand(2, 5))


def test_processors_run_once_per_step_and_once_more_when_signals_are_read(toys, graph):
    processors = toys.make()
    _, _, signals = render(toys, graph, torch.randn(1, 2, 5), processors)
    used = ("split", "gain", "ring")
    assert [processors[t].calls for t in used] == [1, 1, 1]
    assert len(signals) == 6 and [processors[t].calls for t in used] == [1, 1, 1]
    assert signals[0] is not None and signals[2] is not None and signals.shape
    assert [processors[t].calls for t in used] == [2, 2, 2]


def test_rerun_draws_the_same_random_numbers_and_leaves_the_random_state_alone(toys):
    class Hiss(toys.base):
        def process(self, x):
            return x + torch.randn_like(x)

    G = GRAFX()
    G.add_serial_chain(["in", "hiss", "out"])
    G = reorder_for_fast_render(G)
    output, _, signals = render_grafx({"hiss": Hiss()}, torch.randn(1, 2, 5), {}, prepare_render(G))
    torch.randn(3)
    state = torch.get_rng_state()
    assert torch.equal(signals[2], output[0])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("graded", [True, False])
def test_rerun_computes_gradients_just_where_the_render_did(toys, graph, graded):
    x = torch.randn(1, 2, 5)
    with torch.set_grad_enabled(graded):
        output, _, signals = render(toys, graph, x)
    assert output.requires_grad == graded
    with torch.set_grad_enabled(not graded):
        assert signals[5].requires_grad == graded
        assert torch.is_grad_enabled() == (not graded)


def test_nothing_is_kept_without_gradients(toys):
    """While a chain renders, only the signal that is read and the one that is made are alive."""
    made, alive = [], []

    class Tracked(toys.base):
        def process(self, x):
            alive.append(sum(ref() is not None for ref in made))
            y = x + 1
            made.append(weakref.ref(y.untyped_storage()))
            return y

    G = GRAFX()
    G.add_serial_chain(["in", *["tracked"] * 8, "out"])
    G = reorder_for_fast_render(G)
    with torch.no_grad():
        output, _, signals = render_grafx({"tracked": Tracked()}, torch.zeros(1, 1, 4), {}, prepare_render(G))
    assert torch.equal(output, torch.full((1, 1, 4), 8.0))
    assert alive == [0] + [1] * 7
    assert len(signals) == 10


def test_a_first_look_after_parameters_changed_is_refused(toys):
    G = GRAFX(config=toys.config)
    G.add_serial_chain(["in", "gain", "out"])
    renderer = Renderer(G, toys.make())
    x = torch.randn(1, 2, 5)
    _, _, early = renderer.render(x)
    kept = early[1].detach().clone()
    _, _, late = renderer.render(x)
    with torch.no_grad():
        for parameter in renderer.parameters():
            parameter += 1
    assert torch.equal(early[1], kept)
    with pytest.raises(RenderError, match="before the optimizer's step"):
        late[1]
    _, _, signals = renderer.render(x)
    x.zero_()
    with pytest.raises(RenderError, match="changed in place"):
        signals.tensor()
    with torch.inference_mode():
        assert renderer.render(torch.ones(1, 2, 5))[2][0].shape == (2, 5)


def test_parameters_that_are_no_tensors_are_passed_on():
    class Scale(torch.nn.Module):
        def parameter_size(self):
            return {}

        def forward(self, x, factor=1.0):
            return factor * x

    G = GRAFX()
    G.add_serial_chain(["in", "scale", "out"])
    data = prepare_render(reorder_for_fast_render(G))
    output, _, signals = render_grafx({"scale": Scale()}, torch.ones(1, 1, 4), {"scale": {"factor": 2.0}}, data)
    assert torch.equal(output, 2 * torch.ones(1, 1, 4)) and torch.equal(signals[1], output[0])


class Weigh(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.drop = torch.nn.Dropout()

    def parameter_size(self):
        return {"gain": 1}

    def forward(self, x, gain):
        return self.drop(torch.nn.functional.linear(x.mT, self.weight[None]).mT * gain[:, :, None])


def weighed(x):
    G = GRAFX()
    G.add_serial_chain(["in", "weigh", "weigh", "out"])
    processors = {"weigh": Weigh()}
    parameters = {"weigh": {"gain": torch.ones(2, 1)}}
    output, _, signals = render_grafx(processors, x, parameters, prepare_render(reorder_for_fast_render(G)))
    return output, signals, processors["weigh"], parameters


@pytest.mark.parametrize(
    "change",
    [
        lambda processor, parameters: processor.weight.detach().add_(1),
        lambda processor, parameters: processor.double(),
        lambda processor, parameters: processor.eval(),
        lambda processor, parameters: parameters["weigh"]["gain"].mul_(2),
    ],
)
def test_signals_are_refused_once_what_made_them_has_changed(change):
    _, signals, processor, parameters = weighed(torch.ones(1, 1, 8))
    change(processor, parameters)
    with pytest.raises(RenderError, match="changed in place"):
        signals[1]


def test_entries_that_are_exchanged_leave_signals_as_they_were():
    output, signals, _, parameters = weighed(torch.ones(1, 1, 8))
    parameters["weigh"]["gain"] = torch.zeros(2, 1)
    del parameters["weigh"]
    assert torch.equal(signals[3], output[0])


def test_signals_are_cast_as_the_render_was():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, signals, _, _ = weighed(torch.randn(1, 1, 8))
    assert torch.equal(signals[3], output[0])


def test_signals_of_several_channel_counts_are_no_one_tensor(toys):
    class Wide(toys.base):
        def process(self, x):
            return x.new_ones(len(x), 3, x.shape[-1])

    G = GRAFX()
    G.add_serial_chain(["in", "wide", "out"])
    _, _, signals = render_grafx({"wide": Wide()}, torch.ones(1, 2, 4), {}, prepare_render(reorder_for_fast_render(G)))
    assert signals[1].shape == (3, 4)
    with pytest.raises(RenderError, match=r"\[2, 3\] channels meet at the one tensor"):
        signals.tensor()
