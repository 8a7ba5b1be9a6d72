import json
import math
from xml.etree import ElementTree

import pytest
import torch

from grafx.audio import read_audio
from grafx.data import GRAFX, load_grafx
from grafx.draw import draw_grafx
from grafx.parameters.settings import settings_of
from grafx.parameters.spectra import OCTAVES
from grafx.parameters.tensors import collect_parameters
from grafx.parameters.words import node_lines
from grafx.search import console_processors, render_mix
from grafx.search.mixing.console import CHAIN
from grafx.search.mixing.mixer import WEIGHT
from grafx.search.mixing.report import RESULT_FILES, describe_chains, plot_losses, write_results


@pytest.fixture(scope="module")
def written(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "new" / "folder"
    return folder, write_results(finished, folder)


def numbers(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    if isinstance(tree, list):
        return [number for value in tree for number in numbers(value)]
    return [tree] if isinstance(tree, int | float) else []


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def read_metrics(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"), parse_constant=refuse)


def assert_sane(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(RESULT_FILES)
    for path in folder.glob("*.svg"):
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        assert len(path.read_bytes()) > 1000
    metrics = read_metrics(folder)
    assert numbers(metrics) and all(math.isfinite(number) for number in numbers(metrics))
    return metrics


def texts(path):
    return {"".join(node.itertext()).strip() for node in ElementTree.parse(path).iter() if node.tag.endswith("text")}


def test_all_files_are_there_and_sane(written):
    folder, returned = written
    metrics = assert_sane(folder)
    assert metrics == {**returned, "history": metrics["history"]}


def test_the_numbers_are_those_of_the_search(written, finished):
    metrics = read_metrics(written[0])
    assert metrics["finished"] is True
    assert metrics["plain_loss"] == finished.plain_loss
    assert metrics["console_loss"] == finished.console.loss
    assert metrics["found_loss"] == finished.best.loss
    assert metrics["found_over_plain"] == pytest.approx(finished.best.loss / finished.plain_loss)
    assert metrics["cost_of_pruning"] == pytest.approx(finished.best.loss - finished.console.loss)
    assert metrics["console_processors"] == 21
    assert metrics["removed"] == pytest.approx(1 - finished.best.num_processors / 21)
    assert metrics["history"] == finished.history
    assert sum(map(len, metrics["chains"].values())) == metrics["found_processors"] == finished.best.num_processors


def test_what_the_rounds_of_pruning_left_is_told(written, finished):
    metrics = read_metrics(written[0])
    places = {node["id"]: (node["type"], node["owner"]) for node in metrics["console"]["nodes"]}
    console = {(data["node_type"], data.get("owner")) for _, data in finished.console.G.nodes(data=True)}
    assert set(places.values()) == console
    assert len(metrics["console"]["edges"]) == finished.console.G.number_of_edges()
    assert all(edge[0] in places and edge[1] in places for edge in metrics["console"]["edges"])
    assert [entry["round"] for entry in metrics["rounds"]] == list(range(finished.options.rounds + 1))
    first, *others = metrics["rounds"]
    assert len(first["left"]) == len(set(first["left"])) == metrics["console_processors"]
    assert first["loss"] == metrics["console_loss"]
    assert all(set(entry["left"]) <= set(first["left"]) for entry in others)
    # Ids of the graph that was found are others, but it is the same processors.
    for node in metrics["nodes"]:
        assert places[node["console_id"]] == (node["type"], node["owner"])
    found = {node["console_id"] for node in metrics["nodes"]}
    assert any(set(entry["left"]) == found for entry in metrics["rounds"])


def test_a_search_that_went_back_says_to_which_round(new_search):
    """A bound that no pruned graph keeps: each round fails, fine-tunes once more, and goes back to the console."""
    search = new_search(tolerance=1e-6, rounds=5)
    search._bound = lambda: search.console.loss if search.round == 0 else -1.0
    search._prune = lambda: search._log("prune", 0.0)
    for _ in search.run():
        pass
    kept = [entry.get("back_to") for entry in search.rounds]
    assert kept == [None, None, 0, None, 0, None]
    assert [entry["round"] for entry in search.rounds] == list(range(6))


def test_the_loss_without_each_processor_is_that_of_the_graph_without_it(written, finished):
    from grafx.search.mixing.bypass import level_changes, without

    metrics = read_metrics(written[0])
    assert metrics["nodes"]
    G = finished.best.G
    mixer = finished._mixer(G)
    changes = level_changes(mixer, finished.excerpts[0].stems)
    for node in metrics["nodes"]:
        rest = finished._mixer(without(mixer.graph(), {node["id"]}, changes, mixer.renderer.processors))
        assert node["loss_without"] == pytest.approx(finished._evaluate_mixer(rest), rel=1e-4)


def test_the_saved_graph_makes_the_saved_mix(written, stems):
    folder, _ = written
    G, _, metadata = load_grafx(folder)
    saved, sample_rate = read_audio(folder / "mix.wav")
    assert sample_rate == metadata["sample_rate"] == 44100
    assert saved.shape == stems.shape[1:]
    assert torch.allclose(render_mix(G, stems), saved, atol=1e-6)
    assert metadata["kind"] == "mixing graph"


def test_the_drawings_show_stems_and_types(written):
    folder, _ = written
    assert {"kick", "pad", "master"} <= texts(folder / "console.svg")
    assert texts(folder / "graph.svg") <= texts(folder / "console.svg")


def test_writing_again_replaces_all(written, finished):
    folder, _ = written
    names = ("graph.json", "parameters.safetensors", "metrics.json")
    before, mix = {name: (folder / name).read_bytes() for name in names}, read_audio(folder / "mix.wav")[0]
    for name in RESULT_FILES:
        (folder / name).write_text("older")
    write_results(finished, folder)
    assert before == {name: (folder / name).read_bytes() for name in names}
    assert torch.equal(read_audio(folder / "mix.wav")[0], mix)  # its bytes hold the time of writing
    assert_sane(folder)


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.slow
def test_an_unfinished_search(new_search, tmp_path, steps, stems):
    search = new_search()
    for _, _ in zip(range(steps), search.run(), strict=False):
        pass
    write_results(search, tmp_path)
    metrics = assert_sane(tmp_path)
    assert metrics["finished"] is False
    assert metrics["console_loss"] == metrics["found_loss"] and metrics["removed"] == 0


@pytest.mark.slow
def test_a_mix_that_is_the_plain_sum(new_search, tmp_path, stems):
    """A loss of zero, which a logarithmic axis cannot show, and a graph without processors."""
    search = new_search(mix=stems.sum(0), tolerance=100.0, fit_steps=1)
    list(search.run())
    write_results(search, tmp_path)
    metrics = assert_sane(tmp_path)
    assert metrics["plain_loss"] == 0 and metrics["found_processors"] == 0 and metrics["removed"] == 1
    assert metrics["chains"] == {"kick": [], "pad": [], "master": []}
    saved, _ = read_audio(tmp_path / "mix.wav")
    assert torch.allclose(saved, stems.sum(0), atol=1e-6)


# In words


def texts_above(folder, tmp_path):
    draw_grafx(load_grafx(folder)[0], node_above="settings")[0].savefig(tmp_path / "settings.svg")
    return texts(tmp_path / "settings.svg")


@pytest.mark.slow
def test_all_tell_the_same(written, tmp_path, new_search):
    """Numbers of graph.json, words of metrics.json, of the drawing and of the summary."""
    search = new_search()
    write_results(search, tmp_path / "console")
    for folder in (written[0], tmp_path / "console"):
        G, _, _ = load_grafx(folder)
        metrics = read_metrics(folder)
        drawn = texts_above(folder, tmp_path)
        entries = {node["id"]: node for node in json.loads((folder / "graph.json").read_text())["nodes"]}
        assert describe_chains(G) == metrics["chains"]
        told = [words for chain in metrics["chains"].values() for words in chain]
        assert len(told) == len(metrics["nodes"]) == metrics["found_processors"]
        for node in metrics["nodes"]:
            attributes = entries[node["id"]]["attributes"]
            assert {"settings": node["settings"], WEIGHT: node[WEIGHT]} == {
                key: attributes[key] for key in ("settings", WEIGHT)
            }
            lines = node_lines(G.nodes[node["id"]])
            assert f"{node['type']} {', '.join(lines)}" in metrics["chains"][node["owner"]]
            assert set(line if len(line) <= 40 else line[:39] + "…" for line in lines) <= drawn
            assert lines[-1] == f"{100 * node[WEIGHT]:.3g} % wet"


@pytest.mark.parametrize("node_type", CHAIN)
@pytest.mark.parametrize("sample_rate", [44100, 48000])
def test_every_type_has_numbers_that_are_those_of_its_controls(new_search, node_type, sample_rate):
    processor = console_processors(sample_rate)[node_type]
    for data in dict(new_search().mixer.graph().nodes(data=True)).values():
        if data["node_type"] == node_type:
            raw = {name: value[None] for name, value in data["parameters"].items()}
            (told,) = settings_of(processor, raw, 1)
            assert told and len(node_lines({**data, "settings": told})) >= 2
            for name, value in processor.raw_to_dsp(raw).items():
                if value.numel() <= 32:
                    assert told[name] == pytest.approx(value[0].tolist(), rel=1e-4)


def test_octaves_are_those_that_are_heard():
    """Sines through an equalizer, at the middle of octaves that have one gain each."""
    eq = console_processors(48000)["eq"]
    gains = dict(zip(OCTAVES, [0, -3, 6, 0, -6, 3, 9, -2, 1, 0], strict=True))
    asked = {f"{hertz:g} Hz": gain for hertz, gain in gains.items()}
    G = GRAFX()
    G.add_serial_chain(["in", {"node_type": "eq", "parameters": {"magnitude_db": asked}}, "out"])
    raw = collect_parameters(G, {"eq": eq})["eq"]
    (told,) = settings_of(eq, raw, 1)
    assert told["magnitude_db"] == pytest.approx(asked, abs=1e-3)
    time = torch.arange(48000) / 48000
    for hertz in OCTAVES[3:]:
        sine = torch.sin(2 * torch.pi * hertz * time).expand(1, 2, -1)
        output = eq(sine, drywet_weight=torch.ones(1), **raw)[0]
        level = 10 * torch.log10(output[..., 9000:-9000].square().mean() / 0.5).item()
        assert level == pytest.approx(gains[hertz], abs=0.2)


def test_the_loudest_taps_of_a_delay_are_where_they_sound():
    delay = console_processors(48000)["delay"]
    colors = torch.full((40, 20), -60.0)
    colors[3], colors[27] = 0.0, -6.0
    values = {"delay_ms": torch.linspace(1, 60, 40), "focus": 0.99, "color_db": colors}
    raw = delay.dsp_to_raw(values, 1)
    (told,) = settings_of(delay, raw, 1)
    click = torch.zeros(1, 2, 60000)
    click[..., 0] = 1
    response = delay(click, drywet_weight=torch.ones(1), **raw)[0][0]
    left, right = response[0].abs().argmax().item() / 48, response[1].abs().argmax().item() / 48
    names = sorted(told["loudest_db"], key=told["loudest_db"].get)[-2:]
    assert {name.split()[2] for name in names} == {"left", "right"}
    for name in names:
        assert float(name.split()[0]) == pytest.approx(left if "left" in name else right, abs=0.3)
        energy = response[0 if "left" in name else 1].square().sum().log10() * 10
        assert told["loudest_db"][name] == pytest.approx(energy.item(), abs=0.1)


@pytest.mark.parametrize("log_ratio", [-2.0, -0.3, 0.5])
def test_a_compressor_is_told_as_it_sounds(log_ratio):
    compressor = console_processors()["compressor"]
    raw = {"log_threshold": -1.0, "log_ratio": log_ratio, "log_knee": -2.0}
    raw = {name: torch.tensor([[value]]) for name, value in raw.items()} | {"z_alpha_pre": torch.full((1, 2), 2.0)}
    (told,) = settings_of(compressor, raw, 1)
    levels = torch.tensor([-10.0, -4.0])
    signal = (10 ** (levels / 20))[:, None, None].expand(2, 2, 20000)
    output = compressor(signal, drywet_weight=torch.ones(2), **{k: v.expand(2, -1) for k, v in raw.items()})
    heard = 10 * output[..., -100:].square().mean((1, 2)).log10()
    expected = told["threshold_db"] + (levels - told["threshold_db"]) / told["ratio"]
    assert heard.tolist() == pytest.approx(expected.tolist(), abs=0.1)


def test_the_chosen_graph_is_marked(written, finished):
    figure = plot_losses(finished)
    (star,) = [line for line in figure.axes[0].lines if line.get_gid() == "chosen"]
    assert star.get_xydata().tolist() == [[finished.best.step, finished.best.loss]]
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert any(label.startswith(f"chosen graph: {finished.best.num_processors} processor") for label in labels)
    assert 'id="chosen"' in (written[0] / "loss.svg").read_text()
    assert read_metrics(written[0])["found_step"] == finished.best.step <= finished.step
    chosen = [entry for entry in finished.history if entry["step"] == finished.best.step]
    assert finished.best.num_processors in [entry["num_processors"] for entry in chosen]


def test_chains_are_told_in_the_order_of_the_signal(new_search):
    search = new_search(groups={"bus": ["pad"]})
    chains = describe_chains(search.mixer.graph())
    assert set(chains) == {"kick", "pad", "bus", "master"}
    for chain in chains.values():
        found = [text.split()[0] for text in chain]
        assert found == ["eq", "compressor", "noisegate", "imager", "gain", "delay", "reverb"]
