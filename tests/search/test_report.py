import json
import math
import re
from xml.etree import ElementTree

import pytest
import torch

from grafx.audio import read_audio
from grafx.data import load_grafx
from grafx.search import console_processors, render_mix
from grafx.search.mixer import WEIGHT
from grafx.search.report import RESULT_FILES, describe_chains, describe_processor, write_results


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
def test_an_unfinished_search(new_search, tmp_path, steps, stems):
    search = new_search()
    for _, _ in zip(range(steps), search.run(), strict=False):
        pass
    write_results(search, tmp_path)
    metrics = assert_sane(tmp_path)
    assert metrics["finished"] is False
    assert metrics["console_loss"] == metrics["found_loss"] and metrics["removed"] == 0


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


def raw(node_type, **values):
    sizes = console_processors()[node_type].parameter_size()
    parameters = {n: torch.zeros((s,) if isinstance(s, int) else s) for n, s in sizes.items()}
    for name, value in values.items():
        parameters[name] = torch.full_like(parameters[name], value)
    return parameters


def describe(node_type, weight=1.0, **values):
    return describe_processor({"node_type": node_type, WEIGHT: weight, "parameters": raw(node_type, **values)})


def play(node_type, signal, weight=1.0, **values):
    parameters = {name: value[None] for name, value in raw(node_type, **values).items()}
    output = console_processors()[node_type](signal, drywet_weight=torch.tensor([weight]), **parameters)
    return output[0] if isinstance(output, tuple) else output


def level_db(signal):
    return 10 * signal[..., -100:].square().mean().log10().item()


def steady(decibels):
    return torch.full((1, 2, 20000), 10 ** (decibels / 20))


@pytest.mark.parametrize("node_type", ["eq", "compressor", "noisegate", "imager", "gain", "delay", "reverb"])
def test_every_type_has_words(node_type):
    assert describe(node_type, weight=0.25).startswith(node_type)


@pytest.mark.parametrize("weight", [1.0, 0.5, 0.1])
def test_gains_are_those_that_are_heard(weight):
    words = describe("gain", weight, log_gain=-1.0)
    heard = level_db(play("gain", steady(0), weight, log_gain=-1.0))
    assert [float(number) for number in re.findall(r"[+-][\d.]+", words)] == pytest.approx([heard, heard], abs=0.06)
    side = torch.stack([steady(-6)[:, 0], -steady(-6)[:, 0]], dim=1)
    heard = level_db(play("imager", side, weight, log_gain=1.0)) - level_db(side)
    (said,) = re.findall(r"[+-][\d.]+", describe("imager", weight, log_gain=1.0))
    assert float(said) == pytest.approx(heard, abs=0.06)


@pytest.mark.parametrize("log_ratio", [-2.0, -1.0, -0.3])
def test_ratios_are_decibels_per_decibel(log_ratio):
    settings = {"log_threshold": -1.0, "log_ratio": log_ratio, "log_knee": -2.0, "z_alpha_pre": 2.0}
    threshold, ratio = re.search(r"over (-?\d+) dB, ([\d.]+):1", describe("compressor", **settings)).groups()
    loud, louder = (level_db(play("compressor", steady(level), **settings)) for level in (-10, -4))
    assert float(ratio) == pytest.approx(6 / (louder - loud), rel=0.05)
    below = level_db(play("compressor", steady(float(threshold) - 3), **settings))
    assert below == pytest.approx(float(threshold) - 3, abs=0.05)
    above = level_db(play("compressor", steady(float(threshold) + 3), **settings))
    assert above == pytest.approx(float(threshold) + 3 / float(ratio), abs=0.7)


def test_a_limiter_is_called_one():
    assert "∞:1" in describe("compressor", log_ratio=0.0)
    assert "∞:1" in describe("compressor", log_ratio=3.0)


@pytest.mark.parametrize("log_ratio", [-2.0, 0.0])
def test_ratios_of_gates_are_too(log_ratio):
    settings = {"log_threshold": 2.0, "log_ratio": log_ratio, "log_knee": -2.0, "z_alpha_pre": 2.0}
    (ratio,) = re.search(r"under -?\d+ dB, 1:([\d.]+)", describe("noisegate", **settings)).groups()
    soft, softer = (level_db(play("noisegate", steady(level), **settings)) for level in (-21, -24))
    assert float(ratio) == pytest.approx((soft - softer) / 3, rel=0.05)


def test_chains_are_told_in_the_order_of_the_signal(new_search):
    search = new_search(groups={"bus": ["pad"]})
    chains = describe_chains(search.mixer.graph())
    assert set(chains) == {"kick", "pad", "bus", "master"}
    for chain in chains.values():
        found = [text.split()[0] for text in chain]
        assert found == ["eq", "compressor", "noisegate", "imager", "gain", "delay", "reverb"]
