"""Searches with graphs, processors, losses, devices and callbacks of one's own."""

import json
import math
import sys

import pytest
import torch
import torch.nn as nn
from grafx.processors import (
    Compressor,
    DryWet,
    KickSynth,
    ParametricEqualizer,
    SerialChain,
    StereoGain,
    TanhDistortion,
)

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import GraphError, RenderError, SearchError
from grafx.search import (
    MatchLoss,
    Mixer,
    MixStream,
    Options,
    Search,
    build_console,
    load_checkpoint,
    render_mix,
    save_checkpoint,
    tensorboard_writer,
)
from grafx.search.mixing.mixer import WEIGHT
from grafx.search.mixing.report import write_results

RATE, NAMES = 44100, ["kick", "pad"]
OPTIONS = Options(fit_steps=3, rounds=2, tune_steps=2, method="brute-force", tolerance=10.0)


class Level(nn.Module):
    """A gain for each channel, of a class that knows nothing of ours."""

    def parameter_size(self):
        return {"level": 2}

    def forward(self, x, level):
        return x * level.exp().unsqueeze(-1)


class Squash(nn.Module):
    """Depends on the level; has nested parameters, weights of its own, and tells more than its signal."""

    def __init__(self, strength=2.0):
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(float(strength)))

    def parameter_size(self):
        return {"shape": {"drive": 1, "bias": (1, 1)}}

    def forward(self, x, shape):
        drive = self.strength * (1 + shape["drive"].exp().unsqueeze(-1))
        y = torch.tanh(drive * x + shape["bias"]) - torch.tanh(shape["bias"])
        return y, {"drive": {"mean": drive.mean()}, "curve": y.detach()}


PROCESSORS = {"level": Level(), "squash": Squash(), "tone": ParametricEqualizer(sample_rate=RATE)}
TYPES = ["level", "squash", "tone", "eq", "gain"]


def graph(nodes, edges):
    """A graph of node types and pairs of their places."""
    G = GRAFX(config=NodeConfigs([*TYPES, "chain"]))
    ids = [G.add(node_type) for node_type in nodes]
    for source, dest in edges:
        G.connect(ids[source], ids[dest])
    return G


def only(*types):
    """Both stems through one chain."""
    nodes = ["in", "in", *types, "out"]
    return graph(nodes, [(0, 2), *((i, i + 1) for i in range(1, len(nodes) - 1))])


def net():
    """No console: the kick alone and through two branches of which one is squashed, the pad beside, no sum."""
    nodes = ["in", "in", "level", "squash", "tone", "eq", "level", "gain", "out"]
    return graph(nodes, [(0, 2), (0, 3), (0, 6), (2, 4), (3, 4), (4, 7), (1, 5), (5, 7), (6, 8), (7, 8)])


def searched(stems, mix, G, processors=PROCESSORS, options=OPTIONS, **own):
    return Search(stems, mix, RATE, NAMES, options=options, graph=G, processors=processors, **own)


def l1(estimate, target):
    return (estimate - target).abs().mean()


@pytest.mark.parametrize("loss", [None, l1], ids=["match", "own"])
@pytest.mark.parametrize("make, count", [(net, 6), (lambda: only("squash"), 1), (lambda: only("eq"), 1)])
def test_any_graph_of_any_processors_is_searched_to_its_end(stems, mix, tmp_path, make, count, loss):
    G = make()
    before = {i: dict(data) for i, data in G.nodes(data=True)}
    search = searched(stems, mix, G, loss=loss)
    phases = [progress.phase for progress in search.run()]
    assert phases == ["fit"] * 3 + ["prune", "tune", "tune"] * 2
    assert search.console.num_processors == count and search.best.num_processors < count
    assert {i: dict(data) for i, data in G.nodes(data=True)} == before
    for found in (search.console, search.best):
        estimate = render_mix(found.G, stems, RATE, PROCESSORS)
        assert search.judge(estimate, search.excerpts[0]).item() == pytest.approx(found.loss, rel=1e-4)
    assert [data["name"] for _, data in search.best.G.nodes(data=True) if data["node_type"] == "in"] == NAMES
    metrics = write_results(search, tmp_path)
    assert set(NAMES) <= set(metrics["chains"]) and metrics["found_processors"] == search.best.num_processors


def test_every_processor_that_is_named_can_be_removed(stems, mix):
    search = searched(stems, 0.5 * stems.sum(0), only("level", "squash", "tone", "gain"))
    list(search.run())
    assert search.best.num_processors == 0
    assert {data["node_type"] for _, data in search.best.G.nodes(data=True)} == {"in", "out"}


@pytest.mark.parametrize("factor", [1e-3, 1.0, 30.0])
def test_what_depends_on_the_level_is_judged_as_it_is_rendered(stems, mix, factor):
    """Levels at which the processors of a full chain are fitted are not those of the audio."""
    search = searched(factor * stems, factor * mix, only("squash", "gain"), options=Options(fit_steps=1, rounds=0))
    list(search.run())
    estimate = render_mix(search.best.G, factor * stems, RATE, PROCESSORS)
    assert search.match_loss(estimate, factor * mix, search.gain).item() == pytest.approx(search.best.loss, rel=1e-3)


def test_a_processor_takes_the_place_of_one_of_the_console(stems, mix):
    sharp = Compressor("ballistics", knee="hard", sample_rate=RATE)
    search = Search(stems, mix, RATE, NAMES, options=Options(fit_steps=1, rounds=0), processors={"compressor": sharp})
    assert search.num_processors == 21
    held = search.mixer.renderer.processors["compressor"].processor
    assert type(held) is Compressor and held.knee == "hard" and held is not sharp
    list(search.run())
    estimate = render_mix(search.best.G, stems, RATE, {"compressor": sharp})
    assert search.match_loss(estimate, mix).item() == pytest.approx(search.best.loss, rel=1e-4)
    assert (estimate - render_mix(search.best.G, stems, RATE)).abs().max() > 1e-4


def test_nested_parameters_of_containers_are_fitted(stems, mix):
    chain = SerialChain({"tone": ParametricEqualizer(sample_rate=RATE), "drive": TanhDistortion()})
    search = searched(stems, mix, only("chain"), {"chain": chain})
    (node,) = search.mixer.processor_ids
    first = search.mixer.graph().nodes[node]["parameters"]
    list(search.run())
    last = search.console.G.nodes[node]["parameters"]
    assert set(last) == {"tone", "drive"}
    assert any(not torch.equal(first["tone"][name], last["tone"][name]) for name in first["tone"])


def test_weights_of_ones_own_stay_as_they_are(stems, mix):
    squash, mean = Squash(), nn.Linear(1, 1)
    search = searched(
        stems, mix, only("squash"), {"squash": squash}, loss=lambda e, t: mean((e - t).abs().mean()[None])[0]
    )
    list(search.run())
    assert squash.strength.item() == 2.0 and squash.strength.grad is None and squash.strength.requires_grad
    assert mean.weight.requires_grad


# Where nodes start


def test_nodes_start_where_they_are_and_others_at_initial_values(stems, mix):
    G = only("level", "tone", "gain", "gain", "eq")
    G.nodes[2].update(parameters={"level": torch.tensor([0.25, -0.5], dtype=torch.float64)}, drywet_weight=0.3)
    G.nodes[4].update(parameters={"left_gain_db": -6.0})
    G.nodes[5].update(drywet_weight=0.75)
    search = searched(stems, mix, G)
    nodes = {data["node_type"]: [] for _, data in search.mixer.G.nodes(data=True)}
    for _, data in sorted(search.mixer.graph().nodes(data=True)):
        nodes[data["node_type"]].append(data)
    (level,), gains = nodes["level"], nodes["gain"]
    assert level["parameters"]["level"].tolist() == [0.25, -0.5] and level[WEIGHT] == pytest.approx(0.3, abs=1e-6)
    assert level["parameters"]["level"].dtype == torch.float32
    assert sorted(data["parameters"]["log_gain"][0].item() for data in gains)[0] == pytest.approx(
        -6 * math.log(10) / 20
    )
    assert sorted(data[WEIGHT] for data in gains) == pytest.approx([0.75, 0.99], abs=1e-5)
    assert nodes["eq"][0][WEIGHT] == pytest.approx(0.9, abs=1e-5)
    assert nodes["tone"][0]["settings"]


def test_a_found_graph_is_where_another_search_starts(finished, stems, mix):
    search = Search(stems, mix, RATE, NAMES, options=Options(fit_steps=0, rounds=0), graph=finished.best.G)
    list(search.run())
    assert search.best.loss == pytest.approx(finished.best.loss, rel=1e-4)
    assert search.best.num_processors == finished.best.num_processors


def test_what_is_bypassed_is_left_out(stems, mix):
    G = only("squash", "gain")
    G.nodes[2]["bypass"] = True
    search = searched(stems, mix, G)
    assert search.num_processors == 1 and G.nodes[2]["bypass"] is True


def test_the_same_seed_gives_the_same_start_for_processors_without_controls(stems, mix):
    torch.manual_seed(1)
    first = searched(stems, mix, net()).mixer.graph()
    torch.manual_seed(2)
    second = searched(stems, mix, net()).mixer.graph()
    for node, data in first.nodes(data=True):
        for path in ("level",) if data["node_type"] == "level" else ():
            assert torch.equal(data["parameters"][path], second.nodes[node]["parameters"][path])


# Whose a search is, and how it goes on


def test_a_search_of_ones_own_is_saved_and_resumed(stems, mix, tmp_path):
    whole = searched(stems, mix, net(), loss=l1)
    list(whole.run())
    first = searched(stems, mix, net(), loss=l1)
    for progress in first.run():
        if progress.step == 4 and progress.phase == "tune":
            break
    save_checkpoint(first, tmp_path / "checkpoint")
    second = searched(stems, mix, net(), loss=l1)
    assert load_checkpoint(second, tmp_path / "checkpoint")
    list(second.run())
    assert second.history == whole.history and second.best.loss == whole.best.loss


def other_graph():
    G = net()
    G.nodes[2]["parameters"] = {"level": torch.tensor([0.5, 0.5])}
    return G


def test_whatever_makes_another_search_tells_them_apart(stems, mix):
    def fingerprint(G=None, processors=PROCESSORS, loss=None):
        return searched(stems, mix, G or net(), processors, loss=loss).fingerprint

    same = [fingerprint(), fingerprint(processors={**PROCESSORS, "level": Level()})]
    others = [
        fingerprint(other_graph()),
        fingerprint(only("level", "squash")),
        fingerprint(processors={**PROCESSORS, "squash": Squash(3.0)}),
        fingerprint(processors={**PROCESSORS, "tone": ParametricEqualizer(sample_rate=48000)}),
        fingerprint(loss=l1),
        fingerprint(loss=MatchLoss(RATE)),
        Search(stems, mix, RATE, NAMES, options=OPTIONS).fingerprint,
    ]
    assert len(set(same)) == 1 and len({*same, *others}) == 1 + len(others)


# Graphs and processors that cannot be searched


def changed(change):
    G = net()
    change(G)
    return G


BAD_GRAPHS = [
    (lambda: "graph", GraphError, "takes a GRAFX"),
    (lambda: graph(["in", "gain", "out"], [(0, 1), (1, 2)]), GraphError, "2 stems.*not 1 and 1"),
    (lambda: changed(lambda G: G.add("out")), GraphError, "not 2 and 2"),
    (lambda: changed(lambda G: G.nodes[2].update(node_type="wah")), GraphError, r"not wah: .*argument 'processors'"),
    (lambda: changed(lambda G: G.add_edge(4, 2, outlet="main", inlet="main")), GraphError, "cycle"),
    (lambda: build_console(["pad", "kick"], chain=["gain"]), GraphError, "pad, kick.*kick, pad.*same order"),
    (lambda: changed(lambda G: G.nodes[2].update(parameters={"level": 3})), ValueError, "level"),
]


@pytest.mark.parametrize("make, error, message", BAD_GRAPHS)
def test_graphs_that_cannot_be_searched(stems, mix, make, error, message):
    with pytest.raises(error, match=message):
        searched(stems, mix, make())


def test_groups_belong_to_a_console(stems, mix):
    with pytest.raises(GraphError, match="leave them out"):
        Search(stems, mix, RATE, NAMES, {"bus": ["pad"]}, graph=net(), processors=PROCESSORS)
    with pytest.raises(GraphError, match="different names"):
        Search(stems, mix, RATE, ["a", "a"], graph=net(), processors=PROCESSORS)


class Mono(Level):
    def forward(self, x, level):
        return super().forward(x, level).mean(1, keepdim=True)[:, :, :-1]


class Broken(Level):
    def forward(self, x, level):
        return super().forward(x, level) * math.nan


BAD_PROCESSORS = [
    ([Level()], SearchError, "give a dict"),
    ({"level": Level}, SearchError, "'level' is the class Level: give an instance"),
    ({"level": nn.Identity()}, SearchError, "'level' is a Identity.*parameter_size"),
    ({"level": lambda x: x}, SearchError, "'level' is a function"),
    ({3: Level()}, SearchError, "needs names"),
    ({"a.b": Level()}, SearchError, "without dots"),
    ({"mix": Level()}, SearchError, "other than in, out, mix"),
    ({"level": KickSynth()}, ValueError, "'level' cannot be searched with"),
    ({"level": DryWet(Level(), external_param=False)}, ValueError, "'level' cannot be searched with"),
    ({"level": Broken()}, GraphError, "NaN or infinity"),
]


@pytest.mark.parametrize("processors, error, message", BAD_PROCESSORS)
def test_processors_that_cannot_be_searched_with(stems, mix, processors, error, message):
    with pytest.raises(error, match=message):
        searched(stems, mix, only("level"), processors)


def test_graphs_that_render_no_stereo_mix(stems, mix):
    class Half(Level):
        def forward(self, x, level):
            return (
                super().forward(x, level)[..., ::2].repeat_interleave(2, -1)[..., : x.shape[-1]].mean(1, keepdim=True)
            )

    search = searched(
        stems, mix, only("level"), {"level": Half()}
    )  # mono is spread over the channels by the dry signal
    assert search.num_processors == 1
    with pytest.raises((GraphError, RenderError, ValueError, RuntimeError)):
        searched(stems, mix, only("level"), {"level": Mono()})


# Losses


def test_a_loss_gets_mixes_at_the_reference_loudness(stems, mix):
    seen = []

    def loss(estimate, target):
        seen.append((estimate.detach().clone(), target.clone()))
        return l1(estimate, target)

    for factor in (1.0, 0.01):
        search = Search(factor * stems, factor * mix, RATE, NAMES, options=OPTIONS, loss=loss)
        assert search.plain_loss == pytest.approx(
            l1(search.gain * factor * stems.sum(0), search.gain * factor * mix).item()
        )
    assert torch.allclose(seen[0][1], seen[-1][1], rtol=1e-4) and seen[0][1].shape == (2, stems.shape[-1])


def test_the_loss_that_is_the_default_may_be_given(stems, mix, finished):
    search = Search(stems, mix, RATE, NAMES, options=finished.options, loss=MatchLoss(RATE))
    assert search.plain_loss == pytest.approx(finished.plain_loss, rel=1e-5)
    assert next(search.run()).loss == pytest.approx(finished.history[0]["loss"], rel=1e-5)


def test_a_loss_below_zero_is_drawn_too(stems, mix, tmp_path):
    search = searched(stems, mix, only("gain"), loss=lambda e, t: l1(e, t) - 1)
    list(search.run())
    metrics = write_results(search, tmp_path)
    assert metrics["found_loss"] < 0 and metrics["found_over_plain"] is None
    assert (tmp_path / "loss.svg").stat().st_size > 1000


BAD_LOSSES = [
    (3, "must be a function"),
    (nn.L1Loss, "must be a function"),
    (lambda e, t: 1.0, "returned a float"),
    (lambda e, t: None, "returned a NoneType"),
    (lambda e, t: (e - t).abs(), r"shape \(2, \d+\).*mean"),
    (lambda e, t: (e - t).abs().mean()[None], r"shape \(1,\)"),
    (lambda e, t: (e > t).sum(), "int64"),
    (lambda e, t: l1(e, t) * math.nan, "returned nan"),
    (lambda e, t: l1(e, t) / 0, "returned inf"),
    (lambda e, t: l1(e.detach(), t), "no gradient"),
    (lambda e, t: l1(t, torch.ones_like(t, requires_grad=True)), "no gradient"),
    (lambda e, t: (0 * e).square().sum().sqrt(), "gradient of the loss holds NaN"),
]


@pytest.mark.parametrize("loss, message", BAD_LOSSES)
def test_losses_that_cannot_be_descended(stems, mix, loss, message):
    with pytest.raises(SearchError, match=message):
        Search(stems, mix, RATE, NAMES, options=OPTIONS, loss=loss)


def test_a_loss_that_fails_later_leaves_a_search_that_goes_on(stems, mix):
    whole = searched(stems, mix, only("gain", "eq"), loss=l1)
    list(whole.run())
    failing = [False]

    def loss(estimate, target):
        return l1(estimate, target) * (math.nan if failing[0] else 1)

    search = searched(stems, mix, only("gain", "eq"), loss=loss)
    for progress in search.run():
        if progress.step == 2:
            break
    failing[0] = True
    with pytest.raises(SearchError, match="returned nan"):
        list(search.run())
    failing[0] = False
    list(search.run())
    assert search.history == whole.history


def test_what_a_loss_raises_is_not_changed(stems, mix):
    def loss(estimate, target):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Search(stems, mix, RATE, NAMES, loss=loss)


# Devices


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), "cpu:0", None])
def test_the_cpu_is_there(stems, mix, device):
    search = searched(stems, mix, only("gain"), device=device)
    next(search.run())
    assert search.device.type == "cpu"


BAD_DEVICES = ["meta", "nonsense", "", 1.5, ["cpu"], "cuda:99"]


@pytest.mark.parametrize("device", BAD_DEVICES, ids=str)
def test_devices_that_are_not_there(stems, mix, device):
    with pytest.raises(SearchError, match=r"^device is .*give 'cpu'"):
        Search(stems, mix, RATE, NAMES, device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_search_on_another_device_leaves_its_results_on_the_cpu(stems, mix, tmp_path):
    search = searched(stems, mix, net(), device="cuda", loss=l1)
    for progress in search.run():
        if progress.step == 4:
            break
    save_checkpoint(search, tmp_path / "checkpoint")
    search = searched(stems, mix, net(), loss=l1)
    load_checkpoint(search, tmp_path / "checkpoint")
    list(search.run())
    for _, data in search.best.G.nodes(data=True):
        assert all(
            value.device.type == "cpu" for value in (data["parameters"] or {}).values() if hasattr(value, "device")
        )
    assert render_mix(search.best.G, stems, RATE, PROCESSORS).device.type == "cpu"


# Callbacks


def test_callbacks_are_told_of_each_step(stems, mix):
    told, also = [], []
    search = searched(stems, mix, only("gain", "eq"), loss=l1, callbacks=(f for f in (told.append, also.append)))
    assert list(search.run()) == told == also
    assert len(told) == len(search.history)


@pytest.mark.parametrize("phase, step", [("fit", 2), ("prune", 3), ("tune", 5), ("tune", 7)])
def test_what_a_callback_raises_passes_and_the_search_goes_on(stems, mix, phase, step):
    class Stop(Exception):
        pass

    def stop(progress):
        if (progress.phase, progress.step) == (phase, step) and armed.pop():
            raise Stop

    armed, told = [True], []
    whole = searched(stems, mix, only("gain", "level"), loss=l1)
    list(whole.run())
    search = searched(stems, mix, only("gain", "level"), loss=l1, callbacks=[told.append, stop])
    with pytest.raises(Stop):
        list(search.run())
    armed.append(False)
    list(search.run())
    assert search.history == whole.history and [progress.step for progress in told] == [
        e["step"] for e in whole.history
    ]


@pytest.mark.parametrize("callbacks", [3, print, [3], [print, None], "print"])
def test_callbacks_that_are_none(stems, mix, callbacks):
    with pytest.raises(SearchError, match="callbacks are"):
        Search(stems, mix, RATE, NAMES, callbacks=callbacks)


def test_progress_is_written_for_tensorboard(stems, mix, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    search = searched(stems, mix, only("gain", "eq"), loss=l1, callbacks=[tensorboard_writer(tmp_path / "runs")])
    list(search.run())
    read = accumulator.EventAccumulator(str(tmp_path / "runs"))
    read.Reload()
    assert set(read.Tags()["scalars"]) == {"loss/fit", "loss/prune", "loss/tune", "processors"}
    for phase in ("fit", "prune", "tune"):
        written = [(event.step, pytest.approx(event.value)) for event in read.Scalars(f"loss/{phase}")]
        assert written == [(e["step"], e["loss"]) for e in search.history if e["phase"] == phase]


def test_without_tensorboard_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(SearchError, match="extra 'tensorboard'"):
        tensorboard_writer(tmp_path)


# Mixing with what was found


def test_mixes_of_ones_own_processors(stems, tmp_path):
    G = only("level", "gain")
    G.nodes[2].update(parameters={"level": torch.tensor([-1.0, 1.0])}, drywet_weight=0.5)
    processors = {"level": Level()}
    expected = stems.sum(0) * (0.5 + 0.5 * torch.tensor([[-1.0], [1.0]]).exp())
    torch.testing.assert_close(render_mix(G, stems, RATE, processors), expected)
    torch.testing.assert_close(Mixer(G, RATE, 3.0, processors)(stems)[0], expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(RenderError, match="level"):
        render_mix(G, stems, RATE)
    with pytest.raises(ValueError, match="Level"):
        MixStream(G, RATE, processors)(stems)
    G = only("tone", "gain")
    stream = MixStream(G, RATE, {"tone": StereoGain()})
    torch.testing.assert_close(stream(stems), stems.sum(0))


def test_results_tell_which_processors_are_ones_own(stems, mix, tmp_path):
    search = searched(stems, mix, only("level", "tone", "gain"), options=Options(fit_steps=1, rounds=0))
    list(search.run())
    write_results(search, tmp_path, {"processors": "studio:rack"})
    metadata = json.loads((tmp_path / "graph.json").read_text())["metadata"]
    assert metadata["processors"] == "studio:rack"
    assert set(metadata["own_processors"]) == {"level", "tone"}
    assert metadata["own_processors"]["level"].endswith("Level")
    assert metadata["own_processors"]["tone"].endswith("ParametricEqualizer")


class Split(nn.Module):
    """Takes the weights of a graph, but has two outlets."""

    outlets = ("low", "high")

    def parameter_size(self):
        return {"ratio": 1}

    def external_parameters(self):
        return {WEIGHT}

    def forward(self, x, ratio, drywet_weight):
        low = x * (ratio * drywet_weight[:, None]).unsqueeze(-1)
        return low, x - low


def test_what_has_several_outlets_cannot_be_removed(stems, mix):
    with pytest.raises(SearchError, match=r"'split' has 2 outlets.*: use one with a single outlet"):
        searched(stems, mix, only("level"), {"level": Level(), "split": Split()})
