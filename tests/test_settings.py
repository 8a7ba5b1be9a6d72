import copy
import inspect
import json
import math
import re
import warnings

import grafx.processors
import pytest
import torch
from grafx.processors import (
    Compressor,
    DryWet,
    GainStagingRegularization,
    MultitapDelay,
    ParallelMix,
    PeakingFilter,
    SerialChain,
    StereoGain,
    ZeroPhaseFIREqualizer,
)
from grafx.processors.base import Control, ParameterError, Processor
from grafx.processors.core.maps import AMPLITUDE_DB

from grafx.data import GRAFX, load_grafx, save_grafx
from grafx.data.attributes import Settings
from grafx.draw import draw_grafx
from grafx.errors import GraphWarning
from grafx.parameters.settings import raw_row, settings_of
from grafx.parameters.tensors import collect_parameters, map_tensors, scatter_parameters
from grafx.parameters.words import node_text, settings_text
from grafx.render import Renderer


class Fader(Processor):
    def parameter_size(self):
        return {"log_gain": 1, "spectrum": 100}

    def declare_controls(self):
        return [
            Control("gain_db", -60, 12, -6.0, "log_gain", unit="dB", map=AMPLITUDE_DB),
            Control("spectrum_db", -60, 12, 0.0, "spectrum", unit="dB", map=AMPLITUDE_DB),
        ]

    def forward(self, x, log_gain, spectrum):
        return x * log_gain.exp().unsqueeze(-1)


PROCESSORS = {"fader": Fader(), "strip": SerialChain({"first": Fader(), "second": Fader()})}
HALF = torch.tensor([0.5]).log()


def make_graph(*nodes):
    G = GRAFX()
    for node_type, parameters in nodes:
        G.add_serial_chain(["in", {"node_type": node_type, "parameters": parameters}, "out"])
    return G


def test_nodes_hold_physical_or_raw_parameters_or_leave_them_at_their_defaults():
    raw = {"log_gain": HALF, "spectrum": torch.ones(100)}
    G = make_graph(("fader", {"gain_db": -20}), ("fader", raw), ("fader", None), ("fader", {}))
    collected = collect_parameters(G, PROCESSORS)["fader"]
    gains = collected["log_gain"].exp().squeeze(-1)
    torch.testing.assert_close(gains, torch.tensor([0.1, 0.5, 10**-0.3, 10**-0.3]))
    assert collected["spectrum"].shape == (4, 100)


def test_containers_nest_them():
    G = make_graph(("strip", {"second": {"gain_db": 0.0}}), ("strip", {"first": {"gain_db": -20}}))
    first, second = (collect_parameters(G, PROCESSORS)["strip"][name]["log_gain"].exp() for name in ("first", "second"))
    torch.testing.assert_close(first.squeeze(), torch.tensor([10**-0.3, 0.1]))
    torch.testing.assert_close(second.squeeze(), torch.tensor([1.0, 10**-0.3]))


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"gain_db": 13}, "Node 4 of type 'fader': gain_db is 13, .* gain_db from -60 to 12 dB"),
        ({"volume": 1}, "Node 4 of type 'fader': Fader has no control 'volume'; its controls are gain_db"),
    ],
)
def test_wrong_values_are_refused_with_their_node(parameters, message):
    G = make_graph(("fader", {"gain_db": 1}), ("fader", parameters))
    with pytest.raises(ParameterError, match=message):
        collect_parameters(G, PROCESSORS)
    with pytest.raises(ParameterError, match=r"Node \d of type 'fader'"):
        Renderer(G, PROCESSORS)


def test_a_renderer_starts_from_them_and_writes_back_what_it_learned(tmp_path):
    G = make_graph(("fader", {"gain_db": -20}), ("strip", {"first": {"gain_db": -20}, "second": {"gain_db": 0}}))
    renderer = Renderer(G, PROCESSORS)
    x = torch.ones(2, 1, 8)
    torch.testing.assert_close(renderer(x), 0.1 * x)
    optimizer = torch.optim.LBFGS(renderer.parameters(), max_iter=50)

    def loss():
        optimizer.zero_grad()
        error = (renderer(x) - 0.5).square().sum()
        error.backward()
        return error

    optimizer.step(loss)
    fitted = renderer.graph()
    fader = next(data for _, data in fitted.nodes(data=True) if data["node_type"] == "fader")
    assert fader["settings"] == {"gain_db": pytest.approx(-6.02, abs=0.01)}

    save_grafx(fitted, tmp_path)
    entries = json.loads((tmp_path / "graph.json").read_text())["nodes"]
    assert {"gain_db": pytest.approx(-6.02, abs=0.01)} in [entry["attributes"].get("settings") for entry in entries]
    loaded, _, _ = load_grafx(tmp_path)
    torch.testing.assert_close(Renderer(loaded, PROCESSORS)(x), renderer(x))
    figure, _ = draw_grafx(loaded, node_above="settings")
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert any(text.startswith("gain −6.02 dB") for text in texts)
    assert any("first gain" in text and "\nsecond gain" in text for text in texts)


def test_physical_parameters_are_drawn_and_saved_as_they_are(tmp_path):
    G = make_graph(("fader", {"gain_db": -20, "spectrum_db": [1, 2]}))
    texts = {text.get_text() for text in draw_grafx(G, node_above="settings")[0].axes[0].texts}
    assert "gain −20 dB\nspectrum 1, 2 dB" in texts
    save_grafx(G, tmp_path)
    assert load_grafx(tmp_path)[0].nodes[1]["parameters"] == {"gain_db": -20, "spectrum_db": [1, 2]}


def test_without_processors_nothing_is_settled():
    G = make_graph(("fader", None))
    scatter_parameters(G, {"fader": {"log_gain": torch.zeros(1, 1), "spectrum": torch.zeros(1, 100)}})
    assert "settings" not in G.nodes[1]


def test_settings_in_words():
    settings = {"threshold_db": -20.0, "ratio": 4.0, "time_ms": [1.0, [2.5]], "eq": {"low_shelf_hz": 1234.56}}
    assert settings_text(settings) == "threshold −20 dB\nratio 4\ntime 1, 2.5 ms\neq low shelf 1235 Hz"


# Settings that were edited


def all_processors():
    """Every class with controls that needs no arguments, and containers of some, nested and in bands."""
    made = {
        "strip": SerialChain({"first": Compressor(), "second": DryWet(PeakingFilter(), external_param=False)}),
        "mix": ParallelMix({"a": SerialChain({"eq": ZeroPhaseFIREqualizer(64)}), "b": StereoGain()}),
        "watched": DryWet(GainStagingRegularization(MultitapDelay())),
    }
    for name, kind in vars(grafx.processors).items():
        if inspect.isclass(kind) and issubclass(kind, Processor):
            try:
                processor = kind()
            except TypeError:
                continue  # it needs arguments
            if processor.leaves():
                made[name] = processor
    return made


ALL = all_processors()


def held(processor):
    """A node whose tensors and settings agree, somewhere within the ranges."""
    generator = torch.Generator().manual_seed(1)
    norm = 0.3 + 0.2 * torch.rand(1, processor.count_num_parameters(), generator=generator)
    raw = processor.norm_to_raw(norm)
    row = map_tensors(raw, lambda value: value[0])
    return {"parameters": row, "settings": Settings(settings_of(processor, raw, 1)[0], row)}


def leaves(tree, path=()):
    for name, value in tree.items():
        yield from leaves(value, (*path, name)) if isinstance(value, dict) else [((*path, name), value)]


@pytest.mark.parametrize("name", ALL)
def test_settings_that_nobody_edited_change_nothing(name):
    data = held(ALL[name])
    json.dumps(data["settings"], allow_nan=False)
    data["settings"] = json.loads(json.dumps(data["settings"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert raw_row(ALL[name], data, "Node 3") is data["parameters"]
    assert all(settings_text(data["settings"]).split("\n")) or name == "FIRFilter"  # its taps are no settings


@pytest.mark.parametrize("name", ALL)
def test_an_edited_setting_counts_and_leaves_others_as_they_are(name):
    processor, data = ALL[name], held(ALL[name])
    before = dict(leaves(processor.raw_to_dsp(map_tensors(data["parameters"], lambda value: value[None]))))
    told = dict(leaves(data["settings"]))
    for leaf in processor.leaves():
        if leaf.path not in told:
            continue
        target = leaf.control.from_norm(torch.tensor(0.61)).item()
        settings = copy.deepcopy(data["settings"])
        branch = settings
        for part in leaf.path[:-1]:
            branch = branch[part]
        shape = leaf.shape
        branch[leaf.path[-1]] = torch.full(shape, target).tolist()
        with pytest.warns(GraphWarning, match=rf"Node 3 .*{re.escape(leaf.name)}"):
            row = raw_row(processor, {**data, "settings": settings}, "Node 3")
        after = dict(leaves(processor.raw_to_dsp(map_tensors(row, lambda value: value[None]))))
        if "crossover" not in leaf.name:  # which are sorted
            torch.testing.assert_close(
                after[leaf.path], torch.full((1, *shape), target), rtol=1e-3, atol=1e-4 * abs(target) + 1e-4
            )
            for path, value in before.items():
                if path != leaf.path:
                    torch.testing.assert_close(after[path], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wrong", [True, "loud", None, math.nan, math.inf, -math.inf, 10**400, {"a": 1}, [[1, 2], [3]]])
@pytest.mark.parametrize("name", ["Compressor", "MultiBandCompressor", "strip", "StereoGain", "GraphicEqualizer"])
def test_wrong_settings_are_refused_with_their_node(name, wrong):
    processor, data = ALL[name], held(ALL[name])
    (path, _), *_ = leaves(data["settings"])
    branch = data["settings"]
    for part in path[:-1]:
        branch = branch[part]
    branch[path[-1]] = wrong
    with pytest.raises(ValueError, match=rf"^Node 3: .*{path[-1]}"):
        raw_row(processor, data, "Node 3")
    branch[path[-1]] = 1e9
    with pytest.raises(ParameterError, match=rf"Node 3: .*{path[-1]} is 1e\+09, .* from "):
        raw_row(processor, data, "Node 3")
    del branch[path[-1]]
    branch["volume"] = 1
    with pytest.raises(ParameterError, match=f"no control 'volume'; its controls are .*{path[-1]}"):
        raw_row(processor, data, "Node 3")


def test_tensors_that_were_changed_in_python_count_and_their_settings_go(tmp_path):
    renderer = Renderer(make_graph(("fader", {"gain_db": -20})), PROCESSORS)
    G = renderer.graph()
    G.nodes[1]["parameters"]["log_gain"] = HALF
    x = torch.ones(1, 1, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(Renderer(G, PROCESSORS)(x), 0.5 * x)
        save_grafx(G, tmp_path)
        loaded, _, _ = load_grafx(tmp_path)
        assert "settings" not in loaded.nodes[1]
        torch.testing.assert_close(Renderer(loaded, PROCESSORS)(x), 0.5 * x)
        G = Renderer(loaded, PROCESSORS).graph()
        G.nodes[1]["parameters"] = {"gain_db": -40}
        torch.testing.assert_close(Renderer(G, PROCESSORS)(x), 0.01 * x)


def test_settings_that_were_changed_in_python_count(tmp_path):
    G = Renderer(make_graph(("fader", {"gain_db": -20})), PROCESSORS).graph()
    G.nodes[1]["settings"]["gain_db"] = -40
    x = torch.ones(1, 1, 8)
    with pytest.warns(GraphWarning, match=r"Node 1 of type 'fader'.*gain_db -40 \(was -20\)"):
        torch.testing.assert_close(Renderer(G, PROCESSORS)(x), 0.01 * x)
    save_grafx(G, tmp_path)
    with pytest.warns(GraphWarning):
        torch.testing.assert_close(Renderer(load_grafx(tmp_path)[0], PROCESSORS)(x), 0.01 * x)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"gain_db": -0.00001, "ratio": 1e6}, "gain 0 dB\nratio ∞"),
        ({"ratio": -3.0}, "ratio −3"),
        ({"level_db": {"63 Hz": 3.0, "8000 Hz": -1.0}}, "level 3 dB at 63 Hz, −1 dB at 8000 Hz"),
        ({"level_db": {f"{n}000 Hz": float(n) for n in range(1, 9)}}, "level 8 dB at 8000 Hz, 1 dB at 1000 Hz"),
        ({"level_db": {f"{n}000 Hz": 2.0 for n in range(1, 9)}}, "level 2 dB throughout"),
    ],
)
def test_numbers_in_words(settings, words):
    assert settings_text(settings) == words


def test_nodes_in_words():
    data = {"node_type": "gain", "settings": {"left_gain_db": -3.0}, "drywet_weight": 0.5}
    assert node_text(data) == "gain left gain −3 dB, 50 % wet"
    assert node_text(data | {"bypass": True}) == "gain left gain −3 dB, bypassed"
