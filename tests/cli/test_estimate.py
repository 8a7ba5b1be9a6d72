import hashlib
import json

import pytest
import torch

from grafx.data import load_grafx
from grafx.estimate.prior import load_prior
from grafx.estimate.rendering import render_graphs

RATE = 44100


def noise(seed, seconds=0.3, channels=2):
    signal = torch.randn(channels, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))
    return 0.1 * signal * torch.exp(-10 * torch.arange(signal.shape[1]) / RATE)


@pytest.fixture(scope="module")
def files(cli, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    return [cli.write(folder / f"{name}.wav", noise(seed)) for seed, name in enumerate(("wet", "dry", "other"))]


@pytest.fixture(scope="module")
def estimated(cli, trained, files, tmp_path_factory):
    out = tmp_path_factory.mktemp("estimated") / "out"
    result = cli.run("estimate", files[0], "--dry", files[1], "--model", trained, "-k", 3, "--out", out)
    assert result.exit_code == 0, result.output
    return out, result


def digests(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_all_results_are_written(estimated):
    out, result = estimated
    said = json.loads((out / "estimates.json").read_text())
    assert {"graph.json", "graph.svg", "estimates.json", "estimate.wav", "report.html"} <= set(digests(out))
    probabilities = [one["probability"] for one in said["estimates"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 1 <= len(probabilities) <= 3
    for rank, one in enumerate(said["estimates"], 1):
        G, _, metadata = load_grafx(out if rank == 1 else out / "others" / str(rank))
        assert metadata["probability"] == one["probability"]
        assert [data["node_type"] for _, data in G.nodes(data=True)] == [node["type"] for node in one["nodes"]]
        assert G.number_of_edges() == len(one["cables"])
    assert "probability" in result.stdout


def test_the_sound_is_that_of_the_graph_at_the_level_of_the_dry_sound(estimated):
    import soundfile

    out, _ = estimated
    G, _, _ = load_grafx(out)
    gain = json.loads((out / "estimates.json").read_text())["gain"]
    assert gain == pytest.approx(0.5 / noise(1).abs().max().item(), rel=1e-4)
    sources = [gain * noise(1)[None].expand(sum(t == "in" for _, t in G.nodes(data="node_type")), -1, -1)]
    (expected,) = render_graphs([G], sources, load_prior("drums").processors)
    found, _ = soundfile.read(out / "estimate.wav", dtype="float32")
    torch.testing.assert_close(torch.from_numpy(found.T), expected / gain, atol=1e-4, rtol=1e-3)


def test_the_same_sound_gives_the_same_bytes(cli, estimated, files, trained, tmp_path):
    again = cli.run("estimate", files[0], "--dry", files[1], "--model", trained, "-k", 3, "--out", tmp_path / "again")
    assert again.exit_code == 0
    assert digests(tmp_path / "again") == digests(estimated[0])


def test_what_is_there_is_left_as_it_is(cli, estimated, files, trained):
    before = digests(estimated[0])
    result = cli.run("estimate", files[2], "--model", trained, "--out", estimated[0])
    assert result.exit_code == 1
    assert "left as it is" in " ".join(result.output.split())
    assert digests(estimated[0]) == before


def test_several_files_have_a_folder_each_and_need_no_dry_sound(cli, files, trained, tmp_path):
    result = cli.run("estimate", *files[::2], "--model", trained, "-k", 1, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    assert [one["file"] for one in json.loads(result.stdout)] == ["wet.wav", "other.wav"]
    for name in ("wet", "other"):
        written = {path.name for path in (tmp_path / "out" / name).iterdir()}
        assert {"graph.json", "graph.svg", "estimates.json"} <= written
        assert "estimate.wav" not in written


def test_files_that_cannot_be_read_do_not_keep_others_back(cli, files, trained, tmp_path):
    silent = cli.write(tmp_path / "silent.wav", torch.zeros(2, 4410))
    (tmp_path / "text.wav").write_text("no audio")
    given = [files[0], tmp_path / "text.wav", silent, tmp_path / "gone.wav", files[2]]
    result = cli.run("estimate", *given, "--model", trained, "-k", 1, "--out", tmp_path / "out")
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    assert all(name in said for name in ("text.wav", "silent.wav", "gone.wav", "3 of 5 files"))
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {"wet", "other"}


def test_names_that_are_one_folder_on_some_system_are_refused(cli, files, trained, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    others = [cli.write(tmp_path / name, noise(0)) for name in ("one/Kick.wav", "two/kick.wav")]
    result = cli.run("estimate", *others, "--model", trained, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "Two files are named" in result.output
    assert not (tmp_path / "out").exists()


def test_outputs_of_a_graph_are_heard_together(cli, files, trained, tmp_path, monkeypatch):
    import soundfile

    from grafx.data import GRAFX
    from grafx.estimate.estimator import Estimate, Estimator

    G = GRAFX(load_prior("drums").config)
    source = G.add("in")
    for _ in range(2):
        G.connect(source, G.add("out"))
    monkeypatch.setattr(Estimator, "estimate", lambda *_: [Estimate(G, 1.0)])
    result = cli.run("estimate", files[0], "--dry", files[1], "--model", trained, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    found, _ = soundfile.read(tmp_path / "out" / "estimate.wav", dtype="float32")
    torch.testing.assert_close(torch.from_numpy(found.T), 2 * noise(1), atol=1e-4, rtol=1e-3)
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("seconds", "rate"), [(0.001, RATE), (0.5, 22050), (1.0, 96000)])
def test_any_audio_file_can_be_estimated(cli, trained, tmp_path, seconds, rate, channels):
    signal = noise(0, 3.0, channels)[:, : round(seconds * rate)]
    wet, dry = cli.write(tmp_path / "wet.wav", signal, rate), cli.write(tmp_path / "dry.wav", noise(1))
    result = cli.run("estimate", wet, "--dry", dry, "--model", trained, "-k", 2, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "estimates.json").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["SILENT"], "is silent"),
        (["WET", "--dry", "SILENT"], "The dry sound is silent"),
        (["NONE"], "none.wav"),
        (["TEXT"], "text.wav"),
        (["WET", "--model", "EMPTY"], "holds no model"),
        (["WET", "OTHER", "--dry", "WET", "--dry", "WET", "--dry", "WET"], "2 files, but 3 dry sounds"),
        (["WET", "WET"], "Two files are named wet"),
        (["WET", "--out", "TEXT"], "is a file"),
        (["WET", "-k", "0"], "-k"),
    ],
)
def test_what_cannot_be_estimated_is_said_and_nothing_is_left(cli, trained, files, tmp_path, arguments, says):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.wav").write_text("no audio")
    places = {
        "SILENT": cli.write(tmp_path / "silent.wav", torch.zeros(2, 4410)),
        "WET": files[0],
        "OTHER": files[2],
        "NONE": tmp_path / "none.wav",
        "TEXT": tmp_path / "text.wav",
        "EMPTY": tmp_path / "empty",
    }
    given = [places.get(argument, argument) for argument in arguments]
    result = cli.run("estimate", "--model", trained, "--out", tmp_path / "out", *given)
    assert result.exit_code != 0
    assert says in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "text.wav").read_text() == "no audio"
