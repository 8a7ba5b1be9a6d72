import math

import pytest
import torch
from grafx.processors import StereoGain

from grafx import trees
from grafx.data import GRAFX, NodeConfigs
from grafx.search import build_console, console_processors, render_mix
from grafx.search.mixing.console import processors_for, with_owners
from grafx.search.mixing.initial import nearest_log_gains, set_initial_parameters
from grafx.search.mixing.mixer import WEIGHT
from grafx.search.mixing.weighted import weighted


def noises(num_stems, num_samples=44100, seed=0):
    return 0.1 * torch.randn(num_stems, 2, num_samples, generator=torch.Generator().manual_seed(seed))


def test_recovers_gains_from_a_mix_of_independent_noises():
    stems = noises(4)
    gains = torch.tensor([[0.3, 1.0], [0.7, 0.5], [1.5, 0.4], [1.0, 1.5]])
    found = nearest_log_gains(stems, (stems * gains[..., None]).sum(0))
    assert torch.allclose(found, gains.log(), atol=0.1)


def test_a_single_stem_gets_its_gain_exactly():
    stems = noises(1)
    found = nearest_log_gains(stems, 0.25 * stems[0])
    assert torch.allclose(found, torch.full((1, 2), math.log(0.25)), atol=1e-5)


def test_powers_are_compared_so_that_polarity_and_delay_do_not_matter():
    stems = noises(2)
    mix = -0.5 * stems[0] + stems[1].roll(100, -1)
    assert torch.allclose(nearest_log_gains(stems, mix), torch.tensor([[0.5], [1.0]]).log().expand(2, 2), atol=0.1)


def test_gains_stay_within_their_range():
    stems = noises(3)
    stems[1] = 0
    mix = 100 * stems[0] + 1e-4 * stems[2] * torch.tensor([[1.0], [1e6]])
    low, high = math.log(0.01), math.log(10)
    found = nearest_log_gains(stems, mix)
    assert torch.allclose(found[:2], torch.tensor([[high, high], [low, low]]))
    assert found[2, 0] < math.log(0.2) and found[2, 1] == pytest.approx(high)


@pytest.mark.parametrize("num_stems, num_samples", [(1, 4097), (3, 4099)])
def test_short_audio(num_stems, num_samples):
    stems = noises(num_stems, num_samples)
    found = nearest_log_gains(stems, stems.sum(0))
    assert found.shape == (num_stems, 2) and found.dtype == stems.dtype
    assert found.isfinite().all()


def test_the_same_stem_twice_shares_the_gain():
    stems = noises(1).repeat(2, 1, 1)
    found = nearest_log_gains(stems, 2 * stems[0])
    assert torch.allclose((2 * found).exp().sum(0), torch.tensor(4.0), rtol=1e-3)


@pytest.fixture
def console():
    return build_console(["a", "b"], {"g": ["b"]})


def test_every_processor_gets_what_it_needs(console):
    stems = noises(2)
    set_initial_parameters(console, stems, stems.sum(0), seed=0)
    processors = console_processors()
    for _, data in console.nodes(data=True):
        if data["node_type"] in processors:
            sizes = processors[data["node_type"]].parameter_size()
            shapes = {n: (size,) if isinstance(size, int) else tuple(size) for n, size in sizes.items()}
            assert {name: tuple(value.shape) for name, value in data["parameters"].items()} == shapes
            assert all(value.isfinite().all() for value in data["parameters"].values())
            assert 0 < data[WEIGHT] < 1
        else:
            assert data["parameters"] is None and WEIGHT not in data
    assert render_mix(console, stems).isfinite().all()


def test_only_the_gains_of_stems_are_set(console):
    stems = noises(2)
    mix = 0.5 * stems[0] + 2 * stems[1]
    set_initial_parameters(console, stems, mix, seed=0)
    gains = {d["owner"]: d["parameters"]["log_gain"] for _, d in console.nodes(data=True) if d["node_type"] == "gain"}
    expected = nearest_log_gains(stems, mix)
    assert torch.equal(gains["a"], expected[0]) and torch.equal(gains["b"], expected[1])
    assert not gains["g"].any() and not gains["master"].any()


def parameters_of_seed(seed):
    G, stems = build_console(["a", "b"]), noises(2)
    set_initial_parameters(G, stems, stems.sum(0), seed)
    return {(i, name): value for i, d in G.nodes(data=True) for name, value in (d["parameters"] or {}).items()}


def test_the_seed_decides_and_nothing_else():
    first = parameters_of_seed(5)
    torch.rand(1)
    again, other = parameters_of_seed(5), parameters_of_seed(6)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert all(not torch.equal(first[key], other[key]) for key in first)


def test_other_seeds_begin_near_the_first():
    first, other = parameters_of_seed(0), parameters_of_seed(1)
    differences = {key: (value - first[key]).abs() for key, value in other.items() if key[1] != "delay_z"}
    everything = torch.cat([value.reshape(-1) for value in differences.values()])
    assert 0.05 < everything.mean() < 0.4 and everything.max() < 1.5
    for (_, name), difference in differences.items():
        if name == "log_magnitude":  # an equalizer has no ripples
            assert difference.diff().abs().max() < 0.01


def test_every_seed_decides_about_processors_of_all_kinds():
    own = {"foreign": Foreign(), "gain": StereoGain()}
    for chain in (["peq", "limiter", "saturation", "Phaser", "MultiBandCompressor"], ["foreign"]):
        starts = []
        for seed in (1, 2):
            G = build_console(["a"], chain=chain, returns={"room": ["reverb"]}, processors=own)
            stems = noises(1)
            held = of_type(G, chain[-1])[-1]
            held["parameters"] = {"held": torch.zeros(1)}
            set_initial_parameters(G, stems, stems.sum(0), seed, processors=weighted(own) | processors_for(G))
            assert not held["parameters"]["held"].any()
            starts.append([data["parameters"] for _, data in sorted(G.nodes(data=True)) if data.get("owner")])
        for one, other in zip(*starts, strict=True):
            for (path, value), (_, another) in zip(trees.items(one), trees.items(other), strict=True):
                assert path == ("held",) or not torch.equal(value, another), path


def started(G, processors=None, scale=1.0):
    stems = scale * noises(2)
    set_initial_parameters(G, stems, stems.sum(0), 0, processors=processors)
    return G


def of_type(G, node_type):
    return [data for _, data in sorted(G.nodes(data=True)) if data["node_type"] == node_type]


def test_other_processors_start_at_the_defaults_of_their_controls_and_sends_low():
    chain = ["peq", "saturation", "Phaser", "MultiBandCompressor", "gain", "eq", "gain"]
    G = started(build_console(["a", "b"], chain=chain, returns={"room": ["reverb"]}, sidechains={"a": "b"}))
    processors = processors_for(G)
    for node_type in ("peq", "saturation", "Phaser"):
        for data in of_type(G, node_type):
            expected = processors[node_type].dsp_to_raw({}, 1)
            assert data["parameters"].keys() == expected.keys()
            assert all(torch.equal(data["parameters"][name], value[0]) for name, value in expected.items())
    for data in of_type(G, "send"):
        assert data["parameters"]["log_gain"].tolist() == pytest.approx([math.log(0.1)] * 2) and data[WEIGHT] == 0.9
    first, second = (data["parameters"]["log_gain"] for data in of_type(G, "gain") if data["owner"] == "a")
    assert torch.equal(first, nearest_log_gains(noises(2), noises(2).sum(0))[0]) and not second.any()
    assert [data[WEIGHT] for data in of_type(G, "reverb")] == [0.9]  # its dry signal is on the other way
    assert of_type(started(build_console(["a", "b"])), "reverb")[0][WEIGHT] == 0.1
    assert render_mix(G, noises(2)).isfinite().all()


@pytest.mark.parametrize("node_type", ["compressor", "ducker", "limiter", "ApproxCompressor", "MultiBandCompressor"])
def test_every_threshold_follows_the_level(node_type):
    keys, thresholds = {"a": "b"} if node_type == "ducker" else None, []
    for scale in (1.0, 0.1):
        G = started(build_console(["a", "b"], chain={"a": [node_type]}, sidechains=keys), scale=scale)
        raw = trees.items(of_type(G, node_type)[0]["parameters"])
        thresholds.append(torch.cat([value for path, value in raw if path[-1] == "log_threshold"]))
    assert torch.allclose(thresholds[0] - thresholds[1], torch.tensor(2 * math.log(10)), atol=1e-3)


class Foreign(torch.nn.Module):
    def parameter_size(self):
        return {"shift": (2, 1), "inner": {"log_threshold": 1, "other": 3}}

    def forward(self, x, shift, inner):
        return x + shift + inner["other"].sum(-1)[:, None, None]


def test_foreign_processors_start_at_zeros_and_what_nodes_hold_is_kept():
    own = weighted({"foreign": Foreign(), "gain": StereoGain()})
    G = build_console(["a", "b"], chain=["foreign", "gain"], processors={"foreign": Foreign()})
    held = of_type(G, "gain")[0]
    held["parameters"], held[WEIGHT] = {"log_gain": torch.tensor([0.25, -0.5])}, 0.5
    of_type(G, "foreign")[1]["parameters"] = {"shift": torch.ones(2, 1), "inner": {}}
    started(G, own)
    assert held["parameters"]["log_gain"].tolist() == [0.25, -0.5] and held[WEIGHT] == 0.5
    first, second = of_type(G, "foreign")[:2]
    assert not first["parameters"]["shift"].any() and not first["parameters"]["inner"]["other"].any()
    assert second["parameters"]["shift"].all() and second["parameters"]["inner"] == {}


def test_the_stems_of_a_graph_without_names_get_their_gains():
    G = GRAFX(config=NodeConfigs(["gain", "eq"]))
    _, last = G.add_serial_chain(["in", "gain", "eq", "out"])
    G.connect(G.add("in"), last)
    G = started(with_owners(G))
    assert torch.equal(
        of_type(G, "gain")[0]["parameters"]["log_gain"], nearest_log_gains(noises(2), noises(2).sum(0))[0]
    )
    assert of_type(G, "eq")[0]["parameters"]["log_magnitude"].abs().max() < 0.1  # of what needs none
