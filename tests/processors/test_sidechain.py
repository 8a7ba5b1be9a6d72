import pytest
import torch
from grafx.processors import ApproxCompressor, Compressor, Expander, Limiter, NoiseGate, TransientShaper
from grafx.processors.base import ParameterError

from grafx.data import GRAFX, NodeConfigs, convert_to_tensor
from grafx.render import prepare_render, render_grafx, reorder_for_fast_render

RATE = 44100
MAKERS = {
    "compressor": lambda **k: Compressor(style="desk", sample_rate=RATE, **k),
    "compressor in log": lambda **k: Compressor("iir", "ballistics", True, **k),
    "approximate compressor": lambda **k: ApproxCompressor(**k),
    "gate": lambda **k: NoiseGate(style="desk", sample_rate=RATE, **k),
    "expander": lambda **k: Expander(RATE, **k),
    "limiter": lambda **k: Limiter(RATE, **k),
    "limiter that looks ahead": lambda **k: Limiter(RATE, lookahead_ms=1, **k),
    "shaper": lambda **k: TransientShaper(RATE, **k),
}


def kick():
    time = torch.arange(RATE // 2, dtype=torch.float64) / RATE
    return (torch.sin(2 * torch.pi * 55 * time) * torch.exp(-time / 0.05))[None, None]


def bass():
    time = torch.arange(RATE // 2, dtype=torch.float64) / RATE
    return (0.3 * torch.sin(2 * torch.pi * 110 * time)).expand(1, 2, -1)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_gain_is_that_of_the_sidechain(make, channels):
    plain, keyed = make(), make(sidechain=True)
    assert plain.inlets == ("main",) and keyed.inlets == ("main", "sidechain")
    assert plain.parameter_size() == keyed.parameter_size()
    generator = torch.Generator().manual_seed(0)
    main = torch.randn(2, 2, 900, generator=generator).double()
    key = main.new_ones(2, channels, 900) * torch.logspace(-4, 0, 900).roll(450)
    sizes = plain.parameter_size().items()
    raw = {name: torch.full((2, size), 0.5 + 0.3 * i).double() for i, (name, size) in enumerate(sizes)}
    gain = plain(key, **raw) / key
    torch.testing.assert_close(keyed(main, key, **raw), main * gain[:, :1])
    torch.testing.assert_close(keyed(main, main, **raw), plain(main, **raw))
    assert gain.std() > 1e-3


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_missing_or_unfit_sidechain_is_refused(make):
    x = torch.rand(2, 1, 50)
    with pytest.raises(ParameterError, match="needs a signal for each of its inlets main, sidechain, but got 1"):
        make(sidechain=True)(x, dsp_params={})
    with pytest.raises(ParameterError, match="at the inlet 'sidechain'"):
        make(sidechain=True)(x, x[..., :-1], dsp_params={})


def test_a_kick_keys_a_bass_in_a_graph():
    processors = {
        "compressor": Compressor(style="desk", sample_rate=RATE, sidechain=True),
        "gate": NoiseGate(style="desk", sample_rate=RATE, knee_type="quadratic", sidechain=True),
    }
    config = NodeConfigs.from_processors(processors)
    assert config["compressor"]["inlets"] == ["main", "sidechain"]
    G = GRAFX(config=config)
    bass_id, kick_id = G.add("in"), G.add("in")
    keyed, unkeyed, gate = G.add("compressor"), G.add("compressor"), G.add("gate")
    for node in (keyed, unkeyed, gate):
        G.connect(bass_id, node, inlet="main")
        G.connect(node, G.add("out"))
    for node in (keyed, gate):
        G.connect(kick_id, node, inlet="sidechain")
    x = torch.cat([bass(), kick().expand(1, 2, -1)])
    controls = {"threshold_db": torch.tensor([-30.0, -30.0]), "ratio": 3.0, "attack_ms": 1.0, "release_ms": 30.0}
    parameters = {
        "compressor": processors["compressor"].dsp_to_raw(controls, 2, x),
        "gate": processors["gate"].dsp_to_raw({"threshold_db": -30.0, "range_db": -40.0}, 1, x),
    }
    parameters = {kind: {k: v.requires_grad_() for k, v in raw.items()} for kind, raw in parameters.items()}
    x.requires_grad_()
    G_t = reorder_for_fast_render(convert_to_tensor(G), method="beam")
    ducked, passed, gated = render_grafx(processors, x, parameters, prepare_render(G_t), input_signal_grad=True)[0]

    alone = {kind: {k: v[:1] for k, v in raw.items()} for kind, raw in parameters.items()}
    torch.testing.assert_close(ducked, processors["compressor"](x[:1], x[1:], **alone["compressor"])[0])
    torch.testing.assert_close(passed, x[0])  # nothing at the sidechain is silence
    change = (ducked / x[0])[0].abs()
    assert change[500:1500].nanmean() < 0.2 and change[-1000:].nanmean() > 0.99  # pumps with the kick
    level = (gated / x[0])[0].abs()
    assert level[500:1500].nanmean() > 0.99 and level[-1000:].nanmean() < 0.011
    (ducked.square().sum() + gated.square().sum()).backward()
    assert x.grad[1].abs().sum() > 0
    assert all(v.grad.isfinite().all() for raw in parameters.values() for v in raw.values())
