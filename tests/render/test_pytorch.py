"""Rendering as a part of PyTorch programs: compiled, in data loaders and over several processes."""

import copy
import pickle
import subprocess
import sys
import textwrap

import pytest
import torch
from grafx.processors import (
    Compressor,
    MultitapDelay,
    SideGainImager,
    StereoGain,
    TanhDistortion,
    ZeroPhaseFIREqualizer,
)
from grafx.processors.errors import DerivativeError
from torch.utils.data import DataLoader, Dataset

from grafx.data import GRAFX, NodeConfigs
from grafx.parameters.tensors import create_empty_parameters
from grafx.render import Renderer, StreamRenderer, prepare_render, render_grafx, reorder_for_fast_render
from grafx.search.mixing.loss import MatchLoss

pytestmark = pytest.mark.versions

TYPES = ["eq", "compressor", "delay", "gain"]


def make_processors():
    return {
        "eq": ZeroPhaseFIREqualizer(num_magnitude_bins=16),
        "compressor": Compressor(),
        "delay": MultitapDelay(segment_len=30, num_segments=2, num_delay_per_segment=1),
        "gain": StereoGain(),
    }


def console(num_tracks=2):
    G = GRAFX(config=NodeConfigs(TYPES))
    bus = G.add("mix")
    for _ in range(num_tracks):
        G.connect(G.add_serial_chain(["in", "eq", "compressor", "gain"])[1], bus)
    first, _ = G.add_serial_chain(["delay", "out"])
    G.connect(bus, first)
    return G


@pytest.fixture
def renderer():
    torch.manual_seed(0)
    return Renderer(console(), make_processors())


@pytest.fixture
def x():
    return torch.randn(2, 2, 300, generator=torch.Generator().manual_seed(1))


def gradients(renderer, x):
    renderer.zero_grad()
    renderer(x).square().sum().backward()
    return [parameter.grad.clone() for parameter in renderer.parameters()]


@pytest.mark.parametrize("backend, batch", [("eager", ()), pytest.param("aot_eager", (2,), marks=pytest.mark.slow)])
def test_compiles_as_one_graph(renderer, x, backend, batch):
    renderer, x = renderer.double(), x.expand(*batch, *x.shape).double()  # gradients of floats round in other ways
    torch._dynamo.reset()
    compiled = torch.compile(renderer, backend=backend, fullgraph=True)
    torch.testing.assert_close(compiled(x), renderer(x))
    torch.testing.assert_close(gradients(compiled, x), gradients(renderer, x))
    longer = torch.cat([x, x[..., :77]], -1)
    torch.testing.assert_close(compiled(longer), renderer(longer))
    torch.testing.assert_close(gradients(compiled, longer), gradients(renderer, longer))


def test_checkpointing_changes_nothing_but_memory(renderer, x):
    other = copy.deepcopy(renderer)
    other.checkpoint = True
    assert torch.equal(other(x), renderer(x))
    torch.testing.assert_close(gradients(other, x), gradients(renderer, x))
    assert Renderer(console(), make_processors(), checkpoint=True).checkpoint


def test_checkpointing_keeps_only_what_nodes_give_out(x):
    """Tensors that autograd keeps for the backward pass, counted in bytes of distinct storages."""

    def kept(checkpoint):
        sizes = {}

        def count(tensor):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        torch.manual_seed(0)
        renderer = Renderer(console(4), make_processors(), checkpoint=checkpoint)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            output = renderer(x.repeat(2, 1, 10).requires_grad_())
            inside = dict(sizes)
        assert output.requires_grad
        return sum(inside.values())

    assert kept(checkpoint=True) < 0.2 * kept(checkpoint=False)


def test_random_processors_are_recomputed_with_the_same_randomness(toys):
    class Hiss(toys.base):
        size = {"gain": 1}  # noqa: RUF012

        def process(self, x, gain):
            return x + torch.randn_like(x) * gain[:, :, None].exp()

    G = GRAFX(config=NodeConfigs(["hiss", "gain"]))
    G.add_serial_chain(["in", "hiss", "gain", "hiss", "out"])
    found = []
    for checkpoint in (False, True):
        torch.manual_seed(3)
        renderer = Renderer(G, {"hiss": Hiss(), "gain": toys.make()["gain"]}, checkpoint=checkpoint)
        found.append(gradients(renderer, torch.ones(1, 1, 6)))
    torch.testing.assert_close(*found)


class Graphs(Dataset):
    """Preparation in a worker: a graph, its plan and its sources."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        G = reorder_for_fast_render(console(1 + index % 3))
        return index, prepare_render(G), torch.full((1 + index % 3, 2, 50), float(index))


@pytest.mark.skipif(sys.platform == "win32", reason="workers are forked")
def test_plans_come_from_workers_of_a_data_loader():
    loader = DataLoader(Graphs(), batch_size=None, num_workers=2, multiprocessing_context="fork")
    for expected, (index, plan, x) in enumerate(loader):
        assert index == expected and plan == Graphs()[index][1]
        renderer = Renderer(console(1 + index % 3), make_processors())
        output, _, _ = render_grafx(renderer.processors, x, renderer.per_type_parameters, plan)
        assert torch.equal(output, renderer(x))


def test_plans_are_pickled_small():
    plan = prepare_render(reorder_for_fast_render(console(32)))
    pickled = pickle.dumps(plan)
    assert pickle.loads(pickled) == plan and len(pickled) < 5000


def test_a_graph_that_changes_between_steps_keeps_what_was_learned(renderer, x):
    optimizer = torch.optim.SGD(renderer.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        renderer(x).square().mean().backward()
        optimizer.step()
    G = renderer.graph()
    bypassed = next(i for i, data in G.nodes(data=True) if data["node_type"] == "compressor")
    G.bypass(bypassed)
    pruned = Renderer(G, renderer.processors)
    expected = renderer.state_dict()
    for name, value in pruned.state_dict().items():
        if "compressor" not in name:
            assert torch.equal(value, expected[name])
    assert pruned.per_type_parameters["compressor"]["log_threshold"].shape == (1, 1)
    assert not torch.equal(pruned(x), renderer(x))
    gradients(pruned, x)


def test_parameters_of_a_network_render_another_graph_each_step():
    network, x = torch.nn.Linear(3, 2), torch.randn(4, 2, 50)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for num_tracks in (1, 4, 2):
        G = GRAFX(config=NodeConfigs(["gain"]))
        out = G.add("out")
        for _ in range(num_tracks):
            G.connect(G.add_serial_chain(["in", "gain"])[1], out)
        before = network.weight.detach().clone()
        plan = prepare_render(reorder_for_fast_render(G))
        parameters = {"gain": {"log_gain": network(torch.randn(num_tracks, 3))}}
        output, _, _ = render_grafx({"gain": StereoGain()}, x[:num_tracks], parameters, plan)
        optimizer.zero_grad()
        output.square().mean().backward()
        optimizer.step()
        assert not torch.equal(network.weight, before)


PARALLEL = """
    import sys
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel
    from grafx.data import GRAFX, NodeConfigs
    from grafx.processors import Compressor, StereoGain, ZeroPhaseFIREqualizer
    from grafx.render import Renderer

    torch.set_num_threads(1)
    rank, place = int(sys.argv[1]), sys.argv[2]
    dist.init_process_group("gloo", init_method=place, rank=rank, world_size=2)
    G = GRAFX(config=NodeConfigs(["eq", "compressor", "gain"]))
    G.add_serial_chain(["in", "eq", "compressor", "gain", "out"])
    torch.manual_seed(rank)  # DistributedDataParallel sends the parameters of the first process to the others
    processors = {"eq": ZeroPhaseFIREqualizer(16), "compressor": Compressor(), "gain": StereoGain()}
    renderer = Renderer(G, processors)
    parallel = DistributedDataParallel(renderer)
    x = torch.randn(2, 1, 2, 200, generator=torch.Generator().manual_seed(5))
    parallel(x[rank]).square().sum().backward()
    found = [p.grad.clone() for p in renderer.parameters()]
    expected = [torch.zeros_like(p) for p in renderer.parameters()]
    for item in x:
        renderer.zero_grad()
        renderer(item).square().sum().backward()
        for total, p in zip(expected, renderer.parameters()):
            total += p.grad / 2
    torch.testing.assert_close(found, expected)
    dist.destroy_process_group()
    print("same gradients")
"""


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path):
    place = (tmp_path / "rendezvous").as_uri()
    command = [sys.executable, "-c", textwrap.dedent(PARALLEL)]
    processes = [
        subprocess.Popen([*command, str(rank), place], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for rank in range(2)
    ]
    for process in processes:
        text, _ = process.communicate(timeout=180)
        assert process.returncode == 0 and "same gradients" in text, text


def test_autocast_takes_no_precision(renderer, x):
    expected, expected_gradients = renderer(x).detach(), gradients(renderer, x)
    with torch.autocast("cpu", torch.bfloat16):
        found, found_gradients = renderer(x), gradients(renderer, x)
        low = {t: {n: p.bfloat16() for n, p in tree.items()} for t, tree in renderer.per_type_parameters.items()}
        from_a_network, _, _ = render_grafx(renderer.processors, x, low, renderer.render_data)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found_gradients, expected_gradients)
    assert from_a_network.dtype == torch.float32 and from_a_network.isfinite().all()


def test_what_is_built_in_inference_mode_can_be_trained(x):
    with torch.inference_mode():
        renderer = Renderer(console(), make_processors(), create_empty_parameters(make_processors(), console()))
        stream, loss = StreamRenderer(one_gain(), {"gain": StereoGain()}), MatchLoss(44100)
        target = renderer(torch.ones(2, 2, 5000))[0]
        stream(torch.ones(1, 2, 10))
        loss(target, target)
    loss(renderer(torch.ones(2, 2, 5000))[0], torch.rand(2, 5000)).backward()
    assert all(parameter.grad.isfinite().all() for parameter in renderer.parameters())
    assert not any(parameter.is_inference() for parameter in stream.parameters())


def one_gain():
    G = GRAFX(config=NodeConfigs(["gain"]))
    G.add_serial_chain(["in", "gain", "out"])
    return G


def test_functional_transforms_go_through_renders(renderer, x):
    parameters = {name: parameter.detach() for name, parameter in renderer.named_parameters()}

    def energy(parameters):
        return torch.func.functional_call(renderer, parameters, (x,)).square().sum()

    found = torch.func.grad(energy)(parameters)
    # Kernels serve one of them only.
    torch.testing.assert_close(list(found.values()), gradients(renderer, x), atol=1e-4, rtol=1e-4)
    both = torch.func.vmap(renderer)(torch.stack([x, 2 * x]))
    torch.testing.assert_close(both, torch.stack([renderer(x), renderer(2 * x)]))
    for derivative in (torch.func.jacfwd, torch.func.hessian):
        with pytest.raises(DerivativeError, match="no derivative in forward mode"):
            derivative(energy)(parameters)


def test_second_derivatives_of_renders_are_right_where_all_nodes_have_them():
    types = {"imager": SideGainImager(), "tanh": TanhDistortion(), "gain": StereoGain()}
    G = GRAFX(config=NodeConfigs(list(types)))
    G.connect(G.add_serial_chain(["in", *types])[1], G.add("out"))
    renderer = Renderer(G, types).double()
    x = torch.randn(1, 2, 40, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    shapes = {name: parameter.shape for name, parameter in renderer.named_parameters()}

    def energy(flat):
        parts = flat.split([shape.numel() for shape in shapes.values()])
        given = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return torch.func.functional_call(renderer, given, (x,)).square().sum()

    flat = 0.3 * torch.ones(sum(shape.numel() for shape in shapes.values()), dtype=torch.double)
    slopes = torch.func.grad(energy)
    step = 1e-5 * torch.eye(len(flat), dtype=torch.double)
    expected = torch.stack([(slopes(flat + along) - slopes(flat - along)) / 2e-5 for along in step])
    for found in (torch.func.hessian(energy)(flat), torch.autograd.functional.hessian(energy, flat)):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    many = torch.stack([flat, 2 * flat])
    torch.testing.assert_close(torch.func.vmap(slopes)(many), torch.stack([slopes(one) for one in many]))


def test_second_derivatives_of_renders_are_refused_by_name(renderer, x):
    first = torch.autograd.grad(renderer(x).square().sum(), list(renderer.parameters()), create_graph=True)
    with pytest.raises(DerivativeError, match=r"The gradient of \w+ cannot be differentiated again: take second"):
        torch.autograd.grad(sum(slope.sum() for slope in first), list(renderer.parameters()))
