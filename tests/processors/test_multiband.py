import numpy as np
import pytest
import torch
from grafx.processors import (
    Compressor,
    DryWet,
    GainStagingRegularization,
    LinkwitzRileyCrossover,
    MonoToStereo,
    MultiBand,
    SerialChain,
    StereoGain,
    StereoToMidSide,
)
from grafx.processors.base import ParameterError, Processor
from torch.autograd import gradcheck

from grafx.data import GRAFX, NodeConfigs
from grafx.render import Renderer

SQUASH = {"energy_smoother": "ballistics", "gain_smoother": None}


class Duck(Processor):
    """Scales the signal by the sidechain and a gain."""

    inlets = ("main", "sidechain")

    def parameter_size(self):
        return {"gain": 1}

    def forward(self, main, sidechain, gain):
        return main * sidechain * gain[..., None]


def random_parameters(sizes, batch, rng, std=1.0):
    return {
        name: random_parameters(size, batch, rng, std)
        if isinstance(size, dict)
        else torch.from_numpy(rng.normal(scale=std, size=(batch, *((size,) if isinstance(size, int) else size))))
        for name, size in sizes.items()
    }


def leaves(tree):
    for value in tree.values():
        yield from leaves(value) if isinstance(value, dict) else [value]


@pytest.fixture
def x(rng):
    return torch.from_numpy(rng.standard_normal((3, 2, 400)))


@pytest.mark.parametrize("num_bands, order", [*((k, 4) for k in range(2, 7)), (3, 2), (3, 8)])
def test_is_as_loud_at_all_frequencies_where_the_processor_does_nothing(num_bands, order, rng):
    multi = MultiBand(StereoGain(), num_bands, crossover_order=order)
    parameters = random_parameters(multi.parameter_size(), 8, rng, std=0.0)
    parameters["log_freq"] = torch.from_numpy(rng.normal(scale=2, size=(8, num_bands - 1)))
    impulse = torch.zeros(8, 2, 2**16, dtype=torch.float64)
    impulse[..., 0] = 1
    magnitude = np.abs(np.fft.rfft(multi(impulse, **parameters)))
    assert abs(20 * np.log10(magnitude)).max() < 0.01


def test_each_band_is_processed_by_itself(x, rng):
    compressor, crossover = Compressor(**SQUASH), LinkwitzRileyCrossover(3)
    multi = MultiBand(compressor)
    size = compressor.parameter_size()
    assert multi.parameter_size() == {"band0": size, "band1": size, "band2": size, "log_freq": 2}
    parameters = random_parameters(multi.parameter_size(), 3, rng)
    bands = crossover(x, log_freq=parameters["log_freq"])
    expected = sum(compressor(band, **parameters[f"band{k}"]) for k, band in enumerate(bands))
    torch.testing.assert_close(multi(x, **parameters), expected)


def test_a_sidechain_reaches_all_bands_whole(x, rng):
    multi = MultiBand(Duck(), 2)
    assert multi.inlets == ("main", "sidechain")
    parameters = random_parameters(multi.parameter_size(), 3, rng)
    low, high = LinkwitzRileyCrossover(2)(x, log_freq=parameters["log_freq"])
    gains = [parameters[band]["gain"][..., None] for band in ("band0", "band1")]
    sidechain = torch.from_numpy(rng.standard_normal((3, 1, 400)))
    torch.testing.assert_close(multi(x, sidechain, **parameters), sidechain * (low * gains[0] + high * gains[1]))


def test_processors_may_have_no_parameters_and_spread_to_stereo(x):
    mono = x[:, :1]
    y = MultiBand(MonoToStereo(), 2)(mono, log_freq=torch.zeros(3, 1))
    bands = LinkwitzRileyCrossover(2)(mono, log_freq=torch.zeros(3, 1))
    torch.testing.assert_close(y, sum(bands).expand(3, 2, 400))


def test_controls_have_the_names_of_their_bands():
    multi = MultiBand(Compressor(**SQUASH), 3)
    single = list(Compressor(**SQUASH).controls)
    names = [f"band{k}_{name}" for k in range(3) for name in single]
    assert list(multi.controls) == [*names, "crossover0_freq", "crossover1_freq"]
    assert multi.count_num_parameters() == 3 * len(single) + 2
    raw = multi.dsp_to_raw({"band1_ratio": 2.0, "crossover1_freq": 3000.0})
    torch.testing.assert_close(raw["band1"], Compressor(**SQUASH).dsp_to_raw({"ratio": 2.0}))
    torch.testing.assert_close(raw["band2"], Compressor(**SQUASH).dsp_to_raw({}))
    torch.testing.assert_close(raw["log_freq"], torch.tensor([[1.0, 1.5]]).log())


@pytest.mark.parametrize("num_bands", [2, 3, 11])
def test_views_convert_into_each_other(num_bands, rng):
    multi = MultiBand(Compressor(**SQUASH), num_bands)
    norm = torch.from_numpy(rng.uniform(size=(5, multi.count_num_parameters()))).requires_grad_()
    raw = multi.norm_to_raw(norm)
    torch.testing.assert_close(multi.raw_to_norm(raw), norm, atol=1e-5, rtol=0)
    physical = multi.norm_to_dsp(norm)
    torch.testing.assert_close(multi.raw_to_dsp(raw), physical, rtol=1e-5, atol=1e-4)
    x = torch.from_numpy(1000 * rng.standard_normal((5, 1, 4000)))  # above all thresholds in all bands
    y = multi(x, norm_params=norm)
    torch.testing.assert_close(multi(x, dsp_params=physical), y)
    torch.testing.assert_close(multi(x, **raw), y)
    (gradient,) = torch.autograd.grad(y.square().sum(), norm)
    bands, crossovers = gradient.any(0).split([norm.shape[1] - num_bands + 1, num_bands - 1])
    assert gradient.isfinite().all() and bands.reshape(num_bands, -1).any(-1).all() and crossovers.all()


def test_ranges_go_by_the_names_of_controls():
    multi = MultiBand(StereoGain(), 2, param_range={"band1_left_gain_db": (-6, 6), "crossover0_freq": (100, 1000)})
    assert (multi.controls["band1_left_gain_db"].low, multi.controls["band0_left_gain_db"].low) == (-6, -60)
    assert multi.controls["crossover0_freq"].high == 1000
    with pytest.raises(ParameterError, match=r"band1_left_gain_db is -7, .* band1_left_gain_db from -6 to 6 dB"):
        multi.dsp_to_raw({"band1_left_gain_db": -7})


def test_controls_of_members_nest_within_bands():
    multi = MultiBand(SerialChain({"a": StereoGain(), "b": DryWet(StereoGain(), external_param=False)}), 2)
    assert list(multi.controls) == ["band0_a", "band0_b", "band1_a", "band1_b", "crossover0_freq"]
    raw = multi.dsp_to_raw({"band1_b": {"drywet": 0.25}, "band0_a": {"left_gain_db": -20}})
    assert raw["band1"]["b"]["drywet_weight"] == 0.25 and raw["band0"]["b"]["drywet_weight"] == 1
    norm = torch.rand(4, multi.count_num_parameters())
    torch.testing.assert_close(multi.raw_to_norm(multi.norm_to_raw(norm)), norm, atol=1e-5, rtol=0)
    chain = SerialChain({"multi": multi}, param_range={"multi.band1_b.drywet": (0, 0.5)})
    assert chain.controls["multi"]["band1_b"]["drywet"].high == 0.5


def test_intermediates_nest_and_a_weight_from_outside_reaches_all_bands(x):
    multi = MultiBand(GainStagingRegularization(DryWet(StereoGain())), 2)
    assert multi.external_parameters() == {"drywet_weight"}
    gains = {"log_gain": torch.ones(3, 2)}
    y, intermediates = multi(
        x, drywet_weight=torch.full((3,), 0.5), band0=gains, band1=gains, log_freq=torch.zeros(3, 1)
    )
    assert {band: set(inner) for band, inner in intermediates.items()} == {"band0": {"gain_reg"}, "band1": {"gain_reg"}}
    low, high = LinkwitzRileyCrossover(2)(x, log_freq=torch.zeros(3, 1))
    torch.testing.assert_close(y, (low + high) * (1 + np.e) / 2)


def test_gradients(rng):
    multi = MultiBand(Compressor(energy_smoother="ballistics"), 3)
    x = torch.from_numpy(rng.standard_normal((2, 1, 12))).requires_grad_()
    parameters = random_parameters(multi.parameter_size(), 2, rng, std=0.3)
    flat = [value.requires_grad_() for value in leaves(parameters)]
    assert gradcheck(lambda x, *_: multi(x, **parameters), (x, *flat))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("level", [0.0, 1.0, 100.0])
def test_wild_parameters_give_finite_outputs_and_gradients(dtype, level, rng):
    multi = MultiBand(Compressor(**SQUASH), 4)
    parameters = random_parameters(multi.parameter_size(), 16, rng, std=10.0)
    parameters = {
        k: {n: t.to(dtype) for n, t in v.items()} if isinstance(v, dict) else v.to(dtype) for k, v in parameters.items()
    }
    flat = [value.requires_grad_() for value in leaves(parameters)]
    y = multi(torch.from_numpy(level * rng.standard_normal((16, 1, 1001))).to(dtype), **parameters)
    assert y.dtype == dtype and y.isfinite().all()
    assert all(g.isfinite().all() for g in torch.autograd.grad(y.square().sum(), flat))


def test_works_within_containers_in_a_graph(rng):
    chain = SerialChain({"multi": MultiBand(Compressor(**SQUASH), 2), "gain": StereoGain()})
    processors = {"strip": DryWet(chain, external_param=False)}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    G.add_serial_chain(["in", "strip", "strip", "out"])
    renderer = Renderer(G, processors)
    x = torch.from_numpy(rng.standard_normal((1, 2, 500))).float()
    with torch.no_grad():
        for parameter in renderer.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(size=parameter.shape)))
    y = renderer(x)
    expected, names = x, [name.split(".") for name, _ in renderer.named_parameters()]
    for node in range(2):
        parameters = {}
        for path, parameter in zip(names, renderer.parameters(), strict=True):
            *outer, last = path[path.index("strip") + 1 :]
            tree = parameters
            for name in outer:
                tree = tree.setdefault(name, {})
            tree[last] = parameter[node : node + 1]
        expected = processors["strip"](expected, **parameters)
    torch.testing.assert_close(y.reshape(expected.shape), expected)


def test_a_sidechain_is_an_inlet_of_a_node(rng):
    processors = {"duck": MultiBand(Duck(), 2)}
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    voice, music, duck, out = (G.add(kind) for kind in ("in", "in", "duck", "out"))
    G.connect(music, duck, inlet="main")
    G.connect(voice, duck, inlet="sidechain")
    G.connect(duck, out)
    x = torch.from_numpy(rng.standard_normal((2, 1, 50))).float()
    renderer = Renderer(G, processors)
    parameters = {
        "band0": {"gain": torch.ones(1, 1)},
        "band1": {"gain": torch.ones(1, 1)},
        "log_freq": torch.zeros(1, 1),
    }
    with torch.no_grad():
        for name, parameter in renderer.named_parameters():
            parameter.fill_(float(name.endswith("gain")))
    expected = processors["duck"](x[1:], x[:1], **parameters)
    torch.testing.assert_close(renderer(x).reshape(expected.shape), expected)


@pytest.mark.parametrize(
    "construct, told",
    [
        (lambda: MultiBand(StereoGain(), 1), "at least 2 bands"),
        (lambda: MultiBand(torch.nn.ReLU()), "ReLU has no parameter_size"),
        (
            lambda: MultiBand(StereoGain(), 2, param_range={"gain": (0, 1)}).controls,
            "no control 'gain'; it has band0_l",
        ),
        (lambda: MultiBand(StereoGain()).dsp_to_raw({"band3_left_gain_db": 0}), "no control 'band3_left_gain_db'"),
        (lambda: MultiBand(StereoGain()).dsp_to_raw({"crossover1_freq": 300}), "crossover1_freq is 300.* 632.* Hz"),
    ],
)
def test_what_cannot_be_is_refused(construct, told):
    with pytest.raises(ParameterError, match=told):
        construct()


BANDS = {band: {"log_gain": torch.zeros(3, 2)} for band in ("band0", "band1")}
FREQ = torch.zeros(3, 1)


@pytest.mark.parametrize(
    "call, told",
    [
        (lambda x: MultiBand(StereoGain(), 2)(x, **BANDS), r"MultiBand of 2 bands needs log_freq, \(B, 1\)"),
        (lambda x: MultiBand(StereoGain(), 2)(x, log_freq=FREQ, band0=BANDS["band0"]), "parameters of 'band1'"),
        (lambda x: MultiBand(StereoGain(), 2)(x, log_freq=FREQ, band2={}, **BANDS), "no parameter 'band2'"),
        (lambda x: MultiBand(StereoGain(), 2)(x, x, log_freq=FREQ, **BANDS), "signals for main, but got 2"),
        (lambda x: MultiBand(Duck(), 2)(x, log_freq=FREQ), "signals for main, sidechain, but got 1"),
        (lambda x: MultiBand(StereoToMidSide(), 2)(x, log_freq=FREQ), "StereoToMidSide has 2"),
        (lambda x: MultiBand(StereoGain(), 2)(x, dsp_params={}, log_freq=FREQ), "dsp_params and log_freq"),
    ],
)
def test_what_cannot_be_called_is_refused(x, call, told):
    with pytest.raises(ParameterError, match=told):
        call(x)
