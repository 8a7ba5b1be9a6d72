import copy
import random
import weakref

import pytest
import torch
from grafx.processors import DelayLine
from grafx.processors.base import ParameterError

from grafx.data import GRAFX, NodeConfigs, convert_to_tensor
from grafx.parameters.tensors import create_empty_parameters
from grafx.render import RenderError, prepare_render, render_grafx, reorder_for_fast_render


def schedule(*chains, config=None):
    G = GRAFX(config=config)
    for chain in chains:
        G.add_serial_chain(chain)
    return reorder_for_fast_render(G)


def test_what_a_user_of_0_6_writes(toys):
    processors = {"eq": toys.make()["fir"], "gain": toys.make()["gain"], "meter": toys.make()["meter"]}
    config = NodeConfigs(["eq", "gain", "meter"])
    G = GRAFX(config=config)
    out_id = G.add("out")
    for _ in range(3):
        _, end_id = G.add_serial_chain(["in", "eq", "gain", "meter"])
        G.connect(end_id, out_id)
    G_t = convert_to_tensor(G)
    G_t = reorder_for_fast_render(G_t, method="beam")
    render_data = prepare_render(G_t)
    parameters = create_empty_parameters(processors, G, std=0.01)
    input_signals = torch.rand(3, 2, 64)
    output, intermediates, signals = render_grafx(processors, input_signals, parameters, render_data)
    assert output.shape == (1, 2, 64)
    assert [sorted(d) for d in intermediates] == [["level", "nested"]] and intermediates[0]["level"].shape == (3,)
    assert signals.shape == (13, 2, 64)
    output.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters.parameters())
    assert all(p.abs().max() < 0.1 for p in parameters.parameters())


def test_straight_through():
    x = torch.randn(1, 2, 5)
    output, intermediates, signals = render_grafx({}, x, {}, prepare_render(schedule(["in", "out"])))
    assert torch.equal(output, x) and intermediates == [] and len(signals) == 2


@pytest.mark.parametrize("length", [0, 1, 7])
@pytest.mark.parametrize("batch", [(), (0,), (1,), (3,)])
def test_any_length_and_number_of_sources(toys, batch, length):
    G = schedule(["in", "gain", "split", "out"], ["in", "fir", "ring", "out"], config=toys.config)
    parameters = toys.parameters(toys.make(), G, dtype=torch.float32)
    x = torch.randn(*batch, 2, 2, length)
    output, _, signals = render_grafx(toys.make(), x, parameters, prepare_render(G))
    assert output.shape == (*batch, 2, 2, length) and output.dtype == torch.float32
    assert signals.shape == (*batch, 8, 2, length)


def test_a_batch_of_sources_shares_the_parameters(toys):
    G = schedule(["in", "nested", "meter", "out"], ["in", "fir", "meter", "out"], config=toys.config)
    processors, render_data = toys.make(), prepare_render(G)
    parameters, common = toys.parameters(processors, G), {"weight": torch.rand(8, dtype=torch.float64)}
    x = torch.randn(3, 2, 2, 5, dtype=torch.float64)
    output, intermediates, _ = render_grafx(processors, x, parameters, render_data, common)
    for b in range(3):
        item, item_intermediates, _ = render_grafx(processors, x[b], parameters, render_data, common)
        torch.testing.assert_close(output[b], item)
        torch.testing.assert_close(intermediates[0]["level"][b], item_intermediates[0]["level"])


def test_a_step_is_one_call_however_many_read_it(toys):
    G = GRAFX(config=toys.config)
    source, shared, out = G.add("in"), G.add("gain"), G.add("out")
    G.connect(source, shared)
    for _ in range(6):
        fir = G.add("fir")
        G.connect(shared, fir)
        G.connect(fir, out)
    processors = toys.make()
    G = reorder_for_fast_render(G)
    parameters = toys.parameters(processors, G, dtype=torch.float32)
    render_grafx(processors, torch.randn(1, 1, 5), parameters, prepare_render(G))
    assert {t: p.calls for t, p in processors.items() if p.calls} == {"gain": 1, "fir": 1}


@pytest.mark.parametrize("method, delay_calls", [("beam", 1), ("one-by-one", 3)])
def test_taps_of_one_delay_line_and_all_who_read_them_have_its_signal_computed_once(
    toys, reference_render, method, delay_calls
):
    processors = {**toys.make(), "delay": DelayLine(max_delay_ms=2)}
    calls = []
    processors["delay"].register_forward_hook(lambda *_: calls.append(1))
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    source, line, swing, out = G.add("in"), G.add("gain"), G.add("in"), G.add("out")
    G.connect(source, line)
    for _ in range(3):
        tap = G.add("delay")
        G.connect(line, tap)
        G.connect(swing, tap, inlet="time")
        for _ in range(4):
            fir = G.add("fir")
            G.connect(tap, fir)
            G.connect(fir, out)
    G = reorder_for_fast_render(G, method=method)
    parameters = toys.parameters(processors, G)
    x = torch.randn(2, 2, 200, dtype=torch.float64)
    _, _, signals = render_grafx(processors, x, parameters, prepare_render(G))
    assert processors["gain"].calls == 1 and len(calls) == delay_calls
    expected, _ = reference_render(G, processors, x, parameters)
    for node_id, (signal,) in expected.items():
        torch.testing.assert_close(signals[node_id], signal)


def test_rows_of_parameters_follow_ids():
    class Scale(torch.nn.Module):
        def parameter_size(self):
            return {"gain": 1}

        def forward(self, x, gain):
            return x * gain[:, :, None]

    G = schedule(["in", "scale", "scale", "out"], ["in", "scale", "out"])
    parameters = {"scale": {"gain": torch.tensor([[2.0], [3.0], [5.0]])}}
    output, _, signals = render_grafx({"scale": Scale()}, torch.ones(2, 1, 1), parameters, prepare_render(G))
    rows = [i for i, d in sorted(G.nodes(data=True)) if d["node_type"] == "scale"]
    products = {}
    for i, d in sorted(G.nodes(data=True)):
        before = products[next(iter(G.predecessors(i)))] if d["node_type"] != "in" else 1.0
        products[i] = before * (parameters["scale"]["gain"][rows.index(i), 0] if i in rows else 1.0)
        assert signals[i].item() == products[i]
    assert sorted(output.flatten().tolist()) in ([5, 6], [3, 10], [2, 15])


def test_common_parameters_reach_every_processor_but_give_way_to_its_own(toys):
    seen = {}

    class Watch(torch.nn.Module):
        def parameter_size(self):
            return {"own": 1}

        def forward(self, x, own, weight):
            seen.update(own=own, weight=weight)
            return x

    G = schedule(["in", "watch", "out"])
    own, common = torch.ones(1, 1), {"own": torch.zeros(3, 1), "weight": torch.arange(3.0)}
    render_grafx({"watch": Watch()}, torch.ones(1, 1, 1), {"watch": {"own": own}}, prepare_render(G), common)
    assert torch.equal(seen["own"], own) and seen["weight"].tolist() == [1.0]


@pytest.mark.parametrize("batch", [(), (2,)])
def test_nothing_that_is_handed_in_is_changed(toys, batch):
    G = schedule(["in", *sorted(set(toys.make()) - {"tone", "impulse"}), "out"], ["tone", "out"], config=toys.config)
    processors = toys.make()
    x, parameters = torch.randn(*batch, 1, 1, 5, dtype=torch.float64), toys.parameters(processors, G)
    common = {"weight": torch.rand(len(G), dtype=torch.float64)}
    tensors = [x, *toys.leaves(parameters), *common.values()]
    before, versions = [t.detach().clone() for t in tensors], [t._version for t in tensors]
    tree = copy.copy(parameters)
    output, _, signals = render_grafx(processors, x, parameters, prepare_render(G), common)
    output.sum().backward()
    assert signals[0] is not None and parameters == tree
    assert all(torch.equal(t, b) for t, b in zip(tensors, before, strict=True))
    assert [t._version for t in tensors] == versions


@pytest.mark.parametrize("parameters_grad", [True, False])
@pytest.mark.parametrize("input_signal_grad", [True, False])
def test_gradient_flags(toys, parameters_grad, input_signal_grad):
    G = schedule(["in", "nested", "meter", "out"], config=toys.config)
    processors = toys.make()
    parameters, common = toys.parameters(processors, G), {"weight": torch.ones(4, dtype=torch.float64).requires_grad_()}
    x = torch.randn(1, 2, 5, dtype=torch.float64, requires_grad=True)
    output, intermediates, signals = render_grafx(
        processors, x, parameters, prepare_render(G), common, parameters_grad, input_signal_grad
    )
    graded = parameters_grad or input_signal_grad
    assert output.requires_grad == intermediates[0]["level"].requires_grad == signals[3].requires_grad == graded
    if graded:
        output.square().sum().backward()
    for leaf in [*toys.leaves(parameters), *common.values()]:
        assert (leaf.grad is not None) == parameters_grad
    assert (x.grad is not None) == input_signal_grad


def test_by_default_gradients_flow_to_parameters_only(toys):
    G = schedule(["in", "gain", "out"], config=toys.config)
    parameters = toys.parameters(toys.make(), G)
    x = torch.randn(1, 2, 5, dtype=torch.float64, requires_grad=True)
    render_grafx(toys.make(), x, parameters, prepare_render(G))[0].sum().backward()
    assert x.grad is None and parameters["gain"]["gain"].grad is not None


class Returns(torch.nn.Module):
    """Returns what it is told to."""

    def __init__(self, result):
        super().__init__()
        self.result = result

    def parameter_size(self):
        return {}

    def forward(self, x):
        return self.result(x)


def render_returned(result, outlets=("main",), batch=()):
    G = GRAFX(config=NodeConfigs({"odd": {"outlets": list(outlets)}}))
    for _ in range(2):
        source, odd, out = (G.add(t) for t in ("in", "odd", "out"))
        G.connect(source, odd)
        for outlet in outlets:
            G.connect(odd, out, outlet=outlet)
    G = reorder_for_fast_render(G)
    return render_grafx({"odd": Returns(result)}, torch.ones(*batch, 2, 1, 3), {}, prepare_render(G))


@pytest.mark.parametrize("batch", [(), (4,)])
@pytest.mark.parametrize(
    "result, shown",
    [
        (lambda x: None, "NoneType"),
        (lambda x: (), r"\[\]"),
        (lambda x: {}, r"\[\]"),
        (lambda x: (x, x), r"\[\(\d, 1, 3\), \(\d, 1, 3\)\]"),
        (lambda x: (x, None), "NoneType"),
        (lambda x: ([x, x], {}), r"\[\(\d, 1, 3\), \(\d, 1, 3\)\]"),
        (lambda x: x[:, 0], r"\(\d, 3\)"),
        (lambda x: x[None], r"\(1, \d, 1, 3\)"),
        (lambda x: x.sum(), r"\(\)"),
        (lambda x: 3.0, "float"),
    ],
)
def test_another_number_or_rank_of_outputs_is_refused(result, shown, batch):
    with pytest.raises(RenderError, match=r"type 'odd' \(node 2 to 3\) should return 1 signal.*" + shown):
        render_returned(result, batch=batch)


def test_too_few_outlets_are_refused():
    with pytest.raises(RenderError, match=r"type 'odd' \(node 2 to 3\) should return 2 signal"):
        render_returned(lambda x: x, outlets=("low", "high"))


@pytest.mark.parametrize("batch, expected", [((), 2), ((4,), 8)])
def test_another_number_of_rows_is_refused(batch, expected):
    message = rf"type 'odd' \(node 2 to 3\) returned 1 rows of 3 samples for a batch of {expected} rows"
    with pytest.raises(RenderError, match=message):
        render_returned(lambda x: x[:1], batch=batch)


@pytest.mark.parametrize(
    "result",
    [
        lambda x: (x, 2 * x),
        lambda x: [x, 2 * x],
        lambda x: (x, 2 * x, {}),
        lambda x: ([x, 2 * x], {}),
        lambda x: ((x, 2 * x),),
    ],
)
def test_ways_to_return_two_outlets(result):
    output, _, signals = render_returned(result, outlets=("low", "high"))
    assert torch.equal(output, torch.full((2, 1, 3), 3.0))
    assert torch.equal(signals[2][1], 2 * signals[2][0])


def test_a_processor_that_refuses_its_arguments_is_placed():
    def refuse(x):
        raise ParameterError("threshold_db must be below 0")

    with pytest.raises(ParameterError, match="below 0") as error:
        render_returned(refuse)
    assert error.value.__notes__ == ["In node 2 to 3 of type 'odd'."]


def test_intermediates_of_other_kinds_pass_through():
    _, intermediates, _ = render_returned(
        lambda x: (x, {"scalar": x.sum(), "rows": x[:, 0, 0], "text": "hi", "deep": {"table": torch.ones(3, 3)}}),
        batch=(4,),
    )
    (found,) = intermediates
    assert found["scalar"].shape == () and found["rows"].shape == (4, 2) and found["text"] == "hi"
    assert found["deep"]["table"].shape == (3, 3)


def test_only_what_is_still_read_is_kept_without_gradients():
    made = []
    peak = 0

    def track(x):
        nonlocal peak
        peak = max(peak, sum(ref() is not None for ref in made))
        y = x + 1
        made.append(weakref.ref(y.untyped_storage()))
        return y

    G = GRAFX()
    first, last = G.add_serial_chain(["in", *["odd"] * 6, "out"])
    G.connect(1, last)
    G.connect(first + 2, G.add("odd"))
    with torch.no_grad():
        G = reorder_for_fast_render(G, "one-by-one")
        output, _, _ = render_grafx({"odd": Returns(track)}, torch.zeros(1, 1, 4), {}, prepare_render(G))
    assert output[0, 0, 0] == 7 and len(made) == 7
    assert peak <= 3


def test_a_processor_that_changes_the_length_is_named():
    class Shorten(torch.nn.Module):
        def parameter_size(self):
            return {}

        def forward(self, x):
            return x[..., 1:]

    G = GRAFX()
    G.add_serial_chain(["in", "cut", "out"])
    data = prepare_render(reorder_for_fast_render(G))
    with pytest.raises(RenderError, match=r"'cut' \(node 1\) returned 1 rows of 3 samples .* 1 rows of 4 samples"):
        render_grafx({"cut": Shorten()}, torch.ones(1, 1, 4), {}, data)


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.slow
def test_a_chain_of_ten_thousand_nodes_renders(toys, checkpoint):
    G = GRAFX(config=toys.config)
    G.add_serial_chain(["in", *["gain", "invert"] * 5000, "out"])
    plan = prepare_render(reorder_for_fast_render(G))
    gain = torch.full((5000, 1), 0.9).requires_grad_()
    x = torch.ones(1, 1, 4)
    output, _, _ = render_grafx(toys.make(), x, {"gain": {"gain": gain}}, plan, checkpoint=checkpoint)
    torch.testing.assert_close(output, torch.full((1, 1, 4), 0.1 / 1.9))  # y = 0.1 − 0.9 y
    output.sum().backward()
    assert gain.grad.isfinite().all() and gain.grad[-1] != 0


@pytest.mark.parametrize("make", ["wide", "deep"])
@pytest.mark.slow
def test_large_graphs_are_planned(toys, make):
    G = GRAFX(config=toys.config)
    mix = G.add("mix")
    types = ["gain", "fir", "saturate", "invert"]
    rng = random.Random(0)
    for length in [3] * 4000 if make == "wide" else [4000] * 3:
        G.connect(G.add_serial_chain(["in", *rng.choices(types, k=length)])[1], mix)
    G.connect(mix, G.add("out"))
    plan = prepare_render(reorder_for_fast_render(convert_to_tensor(G)))
    assert plan.num_nodes == len(G) and len(plan.iter_list) < (20 if make == "wide" else 4000 * 3 * 0.8)


def test_generators_without_parameters_are_called_for_each_row():
    class Noise(torch.nn.Module):
        inlets = ()

        def parameter_size(self):
            return {}

        def forward(self, num_samples):
            return torch.randn(1, 1, num_samples), {"peak": torch.ones(1)}

    G = GRAFX(config=NodeConfigs.from_processors({"noise": Noise()}))
    for _ in range(3):
        G.add_serial_chain(["noise", "out"])
    plan = prepare_render(reorder_for_fast_render(G))
    for batch in ((), (2,)):
        output, intermediates, _ = render_grafx({"noise": Noise()}, torch.zeros(*batch, 0, 1, 50), {}, plan)
        assert len({row.sum().item() for row in output.flatten(0, -3)}) == 3 * max(1, *batch, 1)
        assert intermediates[0]["peak"].shape == (*batch, 3)


@pytest.mark.slow
def test_many_silent_inlets_and_sums_take_time_in_proportion(toys):
    G = GRAFX(config=toys.config)
    source = G.add("in")
    for _ in range(3000):
        ring, mix = G.add("ring"), G.add("mix")
        G.connect(source, ring)
        G.connect(ring, mix)
        G.connect(source, mix)
        G.connect(mix, G.add("out"))
    plan = prepare_render(reorder_for_fast_render(G))
    output, _, _ = render_grafx(toys.make(), torch.ones(1, 1, 4), {"ring": {"depth": torch.ones(3000, 1)}}, plan)
    assert torch.equal(output, torch.full((3000, 1, 4), 2.0))
