import json

import pytest
import torch
from grafx.processors import SerialChain
from grafx.processors.base import Control, ParameterError, Processor
from grafx.processors.core.maps import AMPLITUDE_DB

from grafx.data import GRAFX, load_grafx, save_grafx
from grafx.draw import draw_grafx
from grafx.render import Renderer
from grafx.settings import settings_text
from grafx.utils import collect_parameters, scatter_parameters


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
