"""Whatever is wrong with an argument is named before any work, and the settings of torch do not matter."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from grafx.processors import Chorus, KickSynth, StereoGain, Tremolo

from grafx.data import GRAFX, NodeConfigs
from grafx.errors import AudioError, GraphError, RenderError, SearchError
from grafx.search import (
    Effort,
    Level,
    MatchLoss,
    Mixer,
    MixStream,
    Options,
    Search,
    SpectralLoss,
    build_console,
    console_processors,
    invert,
    invert_effect,
    load_checkpoint,
    render_mix,
    save_checkpoint,
)
from grafx.search.mixing.report import write_results

RATE, NAMES = 44100, ["kick", "pad"]
OPTIONS = Options(fit_steps=1, rounds=1, tune_steps=1, method="drywet")
KICK, GAIN = KickSynth(), StereoGain()
EFFORT = Effort(8, 4, 1, 1, 1, 1, 1, 0, 1)
TINY = {"candidates": 4, "levels": [Level(None, None, 1, 1, 0.02)], "attempts": 1}


# Numbers, texts and tensors of every kind

WRONG_NUMBERS = [None, "3", math.nan, math.inf, -1, [1], 1j, np.nan, object(), True]
WRONG_WHOLE = [*WRONG_NUMBERS, 1.5, np.float32(2.5), Fraction(1, 2), 2**70]
WRONG_RATES = [*WRONG_NUMBERS, 0, 44100.5, 10, 10**9, np.int64(0)]
WRONG_SIGNALS = [None, 3, "mix", [0.1] * 9000, np.zeros((2, 9000), dtype=np.float32), torch.ones(2, 9000).to_sparse()]


@pytest.mark.parametrize(
    "value",
    WRONG_WHOLE,
    ids=lambda value: repr(value) if isinstance(value, int | float | str) else type(value).__name__,
)
@pytest.mark.parametrize("make, names", [(Options, ("seed", "rounds")), (Effort, ("candidates", "starts"))])
def test_whole_numbers(make, names, value):
    for name in names:
        with pytest.raises(SearchError, match=f"^{name} is "):
            make(**{name: value})


@pytest.mark.parametrize(
    "value",
    WRONG_NUMBERS,
    ids=lambda value: repr(value) if isinstance(value, int | float | str) else type(value).__name__,
)
def test_numbers(value):
    with pytest.raises(SearchError, match=r"^tolerance is "):
        Options(tolerance=value)
    with pytest.raises(SearchError, match=r"^rate is "):
        Level(None, None, 1, 1, value)
    if value is not None:
        with pytest.raises(SearchError, match=r"^band_hz is "):
            Level(value, None, 1, 1, 0.1)
    with pytest.raises(SearchError, match=r"^starts is "):
        Level(None, None, 0, 1, 0.1)
    with pytest.raises(SearchError, match=r"scanned (is|must)"):
        invert_effect(Chorus, torch.ones(1, 1000), torch.ones(1, 1000), RATE, scanned=[value])


def test_numbers_of_other_libraries_are_numbers():
    options = Options(seed=np.int64(3), rounds=np.uint8(2), tolerance=np.float32(0.5), learning_rate=Fraction(1, 8))
    assert options == Options(seed=3, rounds=2, tolerance=0.5, learning_rate=0.125) and type(options.seed) is int
    assert repr(options) == repr(Options(seed=3, rounds=2, tolerance=0.5, learning_rate=0.125))
    assert Effort(candidates=np.int32(7)).candidates == 7


@pytest.mark.parametrize(
    "rate", WRONG_RATES, ids=lambda value: repr(value) if isinstance(value, int | float | str) else type(value).__name__
)
def test_sample_rates(stems, mix, rate):
    with pytest.raises(AudioError, match=r"^sample_rate is "):
        Search(stems, mix, rate, NAMES)
    with pytest.raises(AudioError, match=r"^sample_rate is "):
        MatchLoss(rate)
    if rate != 44100.5:
        with pytest.raises(AudioError, match=r"^sample_rate is "):
            invert(KickSynth(), mix, rate, effort=EFFORT)
        with pytest.raises(AudioError, match=r"^sample_rate is "):
            invert_effect(Chorus, mix, mix, rate, **TINY)


@pytest.mark.parametrize("signal", WRONG_SIGNALS, ids=lambda signal: type(signal).__name__)
def test_signals(stems, mix, signal):
    for arguments in ((signal, mix), (stems, signal)):
        with pytest.raises(AudioError, match=r"stems|mix"):
            Search(*arguments, RATE, NAMES)
    if not isinstance(signal, torch.Tensor):
        with pytest.raises(AudioError, match="target must be"):
            invert(KickSynth(), signal, RATE)
        for inputs, target in ((signal, mix), (mix, signal)):
            with pytest.raises(AudioError, match=r"(inputs|target) must be"):
                invert_effect(Chorus, inputs, target, RATE, **TINY)


@pytest.mark.parametrize(
    "signal",
    [*WRONG_SIGNALS, torch.ones(2, 9000), torch.ones(2, 2, 9000).int()],
    ids=lambda value: repr(value) if isinstance(value, int | float | str) else type(value).__name__,
)
def test_signals_to_be_mixed(signal):
    G = build_console(["a", "b"], chain=["gain"])
    for mix in (lambda: render_mix(G, signal), lambda: MixStream(G)(signal)):
        with pytest.raises((AudioError, RenderError)):
            mix()
    for wrong in (None, 3, "graph"):
        with pytest.raises((GraphError, RenderError), match="GRAFX"):
            render_mix(wrong, torch.ones(2, 2, 100))
        with pytest.raises((GraphError, RenderError), match="GRAFX"):
            MixStream(wrong)
    with pytest.raises(SearchError, match=r"^gain is "):
        Mixer(G, gain=0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"target": None}, "target must be"),
        ({"target": torch.ones(1000)}, "target is a finite"),
        ({"target": torch.full((1, 1000), math.nan)}, "NaN or infinity"),
        ({"target": torch.ones(1, 1000).long()}, "int64"),
        ({"sample_rate": 0}, "sample_rate is"),
        ({"frames": [0]}, "frames is"),
        ({"num_bands": -1}, "num_bands is"),
    ],
)
def test_spectral_losses(change, message):
    with pytest.raises((AudioError, SearchError), match=message):
        SpectralLoss(**({"target": torch.ones(1, 1000), "sample_rate": RATE} | change))


@pytest.mark.parametrize("shape", [(9000,), (1, 9000), (2, 9000, 1), (2, 0), (3, 9000), ()])
def test_mixes_that_cannot_be_compared(shape):
    loss = MatchLoss(RATE)
    for pair in ((torch.ones(shape), torch.ones(2, 9000)), (torch.ones(shape), torch.ones(shape))):
        with pytest.raises(AudioError, match="compared"):
            loss(*pair)
    with pytest.raises(AudioError, match="float64"):
        loss(torch.ones(2, 9000), torch.ones(2, 9000).double())


@pytest.mark.parametrize("names", [None, "kp", 3, ["kick", 2], ["kick", ""], ["kick", None], {"kick"}, [], ["a"] * 2])
def test_names(stems, mix, names):
    with pytest.raises((GraphError, AudioError), match=r"names|stem"):
        Search(stems, mix, RATE, names)


@pytest.mark.parametrize(
    "groups", ["kick", ["kick"], {"g": "kick"}, {"g": None}, {1: ["kick"]}, {"g": []}, {"g": [1]}, {"kick": ["pad"]}]
)
def test_groups(stems, mix, groups):
    with pytest.raises(GraphError, match=r"[Gg]roup"):
        Search(stems, mix, RATE, NAMES, groups)


@pytest.mark.parametrize("options", [{}, {"seed": 1}, "hybrid", Options])
def test_options(stems, mix, options):
    with pytest.raises(SearchError, match="options must be Options"):
        Search(stems, mix, RATE, NAMES, options=options)
    with pytest.raises(SearchError, match="Unknown pruning method"):
        Options(method=["hybrid"])


def test_whatever_yields_names_and_groups_will_do(stems, mix):
    search = Search(stems, mix, np.int64(RATE), (name for name in NAMES), {"g": (n for n in ["pad"])}, OPTIONS)
    other = Search(stems, mix, float(RATE), tuple(NAMES), {"g": ["pad"]}, OPTIONS)
    assert search.fingerprint == other.fingerprint and type(search.sample_rate) is int
    assert search.num_processors == 28
    assert build_console(iter(NAMES), {"g": iter(["pad"])}).number_of_nodes() == 33


@pytest.mark.parametrize("chain", ["eq", [3], None])
def test_chains(chain):
    with pytest.raises(GraphError, match="chain"):
        build_console(NAMES, chain=chain)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"seed": -1}, "seed is"),
        ({"seed": math.nan}, "seed is"),
        ({"effort": 3}, "effort must be"),
        ({"progress": 3}, "progress is"),
        ({"starts": 3}, "starts must"),
        ({"starts": [3]}, "starts must"),
        ({"starts": {"f_start": 100.0}}, "starts must"),
        ({"inputs": torch.ones(1000)}, "inputs are"),
        ({"inputs": torch.ones(1, 1000).double()}, "inputs are"),
        ({"inputs": torch.full((1, 1000), math.nan)}, "inputs hold NaN"),
        ({"target": torch.ones(0, 1000)}, "target is a tensor"),
        ({"target": torch.ones(1, 1000).half()}, "target is a tensor"),
        ({"synth": KickSynth}, "KickSynth.*instance"),
        ({"synth": None}, "no controls"),
    ],
)
def test_inversions(change, message):
    arguments = {"synth": KickSynth(), "target": torch.ones(1, 1000), "sample_rate": RATE, "effort": EFFORT}
    arguments |= change
    with pytest.raises((AudioError, SearchError), match=message):
        invert(arguments.pop("synth"), arguments.pop("target"), arguments.pop("sample_rate"), **arguments)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"effect": Chorus()}, "effect is"),
        ({"effect": None}, "effect is"),
        ({"candidates": -1}, "candidates is"),
        ({"attempts": 0.5}, "attempts is"),
        ({"seed": -1}, "seed is"),
        ({"levels": 3}, "levels must be"),
        ({"levels": [3]}, "levels must hold"),
        ({"scanned": 3}, "scanned must be"),
        ({"inputs": None}, "inputs must be"),
        ({"inputs": torch.ones(1, 1, 1000)}, "inputs must be"),
    ],
)
def test_inversions_of_effects(change, message):
    arguments = {"effect": Chorus, "inputs": torch.ones(1, 1000), "target": torch.ones(1, 1000), **TINY}
    with pytest.raises((AudioError, SearchError), match=message):
        invert_effect(**(arguments | change))


@pytest.mark.slow
def test_starts_may_come_from_a_generator_and_are_tried_from_each_beginning():
    time = torch.arange(2000) / RATE
    target = torch.nn.functional.pad(torch.sin(2 * torch.pi * 300 * time) * (time * 40).clamp(max=1), (300, 0))
    starts = [{"f_start": 300.0}, {"f_start": 200.0}]
    found, expected = (invert(KickSynth(), target, RATE, starts=s, effort=EFFORT) for s in (iter(starts), starts))
    assert torch.equal(found.norm, expected.norm)


# Graphs of one's own


def own_graph(named=True):
    """Two stems, of which one goes through a group, without owners."""
    G = GRAFX(config=NodeConfigs(list(console_processors())))
    processors = console_processors()

    def add(node_type, name=None):
        sizes = processors[node_type].parameter_size() if node_type in processors else None
        parameters = sizes and {n: torch.zeros(s if isinstance(s, tuple) else (s,)) for n, s in sizes.items()}
        return G.add(node_type, name=name if named else None, parameters=parameters)

    kick, pad = add("in", "kick"), add("in", "pad")
    gain, eq, bus, compressor, master, imager, out = (
        add(*node)
        for node in (("gain",), ("eq",), ("mix", "bus"), ("compressor",), ("mix", "master"), ("imager",), ("out",))
    )
    for edge in ((kick, gain), (gain, master), (pad, eq), (eq, bus), (bus, compressor), (compressor, master)):
        G.connect(*edge)
    G.connect(master, imager)
    G.connect(imager, out)
    return G


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.slow
def test_a_graph_of_ones_own_is_searched_to_the_end(stems, mix, tmp_path, named):
    search = Search(stems, mix, RATE, NAMES, options=Options(fit_steps=1, rounds=2, tune_steps=1, tolerance=10.0))
    search.take(own_graph(named))
    list(search.run())
    assert search.finished and search.console.num_processors == 4 > search.best.num_processors
    metrics = write_results(search, tmp_path)
    assert all(isinstance(name, str) for name in metrics["chains"])
    if named:
        assert set(metrics["chains"]) == {"kick", "pad", "bus", "master"}


def foreign():
    G = GRAFX(config=NodeConfigs(["chorus"]))
    a, b, chorus, out = G.add("in"), G.add("in"), G.add("chorus"), G.add("out")
    for source in (a, b):
        G.connect(source, chorus)
    G.connect(chorus, out)
    return G


def changed(change):
    G = own_graph()
    change(G)
    return G


BAD_GRAPHS = [
    (lambda: None, "takes a GRAFX"),
    (lambda: build_console(["a"]), "2 stems.*not 1 and 1"),
    (lambda: build_console(["a", "b", "c"]), "2 stems.*not 3"),
    (foreign, "chorus: replace"),
    (lambda: changed(lambda G: G.add("out")), "not 2 and 2"),
    (lambda: changed(lambda G: G.remove(next(n for n, d in G.nodes(data=True) if d["node_type"] == "out"))), "out"),
    (lambda: changed(lambda G: G.add_edge(7, 6, outlet="main", inlet="main")), "cycle"),
]


@pytest.mark.slow
def test_a_graph_that_cannot_be_searched_is_refused_and_changes_nothing(stems, mix):
    search = Search(stems, mix, RATE, NAMES, options=OPTIONS)
    mixer = search.mixer
    for make, message in BAD_GRAPHS:
        with pytest.raises(GraphError, match=message):
            search.take(make())
        assert search.mixer is mixer
    list(search.run())


# Whatever torch is set to


def everything(stems, mix, folder):
    """Numbers that come from every function."""
    search = Search(stems, mix, RATE, NAMES, options=OPTIONS)
    run = search.run()
    next(run)
    save_checkpoint(search, folder / "checkpoint")
    again = Search(stems, mix, RATE, NAMES, options=OPTIONS)
    load_checkpoint(again, folder / "checkpoint")
    list(again.run())
    metrics = write_results(again, folder)
    stream, G = MixStream(again.best.G), again.best.G
    blocks = torch.cat([stream(block) for block in stems.split(4000, -1)], -1)
    found = invert(KICK, mix[:1, :1000], RATE, effort=EFFORT)
    effect = invert_effect(Tremolo, stems[0], mix, RATE, **TINY)
    gain = invert(GAIN, mix, RATE, inputs=stems[0], effort=EFFORT)
    return {
        "losses": [entry["loss"] for entry in again.history],
        "found": metrics["found_loss"],
        "mix": render_mix(G, stems),
        "blocks": blocks,
        "penalties": sum(Mixer(G)(stems)[1].values()).detach(),
        "match": MatchLoss(RATE)(stems[0], mix).detach(),
        "spectral": SpectralLoss(mix, RATE)(stems).detach(),
        "kick": (found.norm, found.loss, found.losses),
        "effect": (list(effect.settings.values()), effect.error),
        "gain": (gain.norm, gain.audio),
    }


@pytest.fixture(scope="module")
def as_usual(stems, mix, tmp_path_factory):
    return everything(stems, mix, tmp_path_factory.mktemp("usual"))


def same(value, other):
    if isinstance(value, torch.Tensor):
        return torch.equal(value, other)
    return (
        value == other if not isinstance(value, tuple) else all(same(*pair) for pair in zip(value, other, strict=True))
    )


class Float64:
    def __enter__(self):
        torch.set_default_dtype(torch.float64)

    def __exit__(self, *_):
        torch.set_default_dtype(torch.float32)


class Float64OnMeta(Float64):
    def __enter__(self):
        super().__enter__()
        self.device = torch.device("meta")
        self.device.__enter__()

    def __exit__(self, *error):
        self.device.__exit__(*error)
        super().__exit__()


@pytest.mark.parametrize("make", [torch.inference_mode, Float64OnMeta], ids=["inference", "float64 on meta"])
@pytest.mark.slow
def test_settings_of_torch_do_not_matter_and_stay(stems, mix, as_usual, tmp_path, make):
    with make():
        before = torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        result = everything(stems, mix, tmp_path)
        assert (torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
    assert [name for name, value in result.items() if not same(value, as_usual[name])] == []


@pytest.mark.parametrize("kind", ["with gradients", "of inference"])
@pytest.mark.slow
def test_signals_of_any_history(stems, mix, as_usual, tmp_path, kind):
    if kind == "of inference":
        with torch.inference_mode():
            stems, mix = stems.clone(), mix.clone()
    else:
        stems, mix = stems.clone().requires_grad_() * 1, mix.clone().requires_grad_() * 1
    result = everything(stems, mix, tmp_path)
    assert [name for name, value in result.items() if not same(value, as_usual[name])] == []
