"""Searches that start from a prior."""

import json
import tomllib

import pytest

from grafx.cli.prior import starts_for, starts_of
from grafx.estimate.prior import load_prior, parse_prior

SHORT = ["--fit-steps", "1", "--rounds", "0"]
PRIOR = """
[structures.chain]
length = [1, 2]

[kinds.compressor]
processor = "Compressor"
options = { energy_smoother = "ballistics", knee = "quadratic" }
controls.ratio = { uniform = [2, 8] }
controls.threshold_db = { spike = 0.9, at = -31.5, uniform = [-40, -20] }
controls.attack_ms = { normal = 8, spread = 0.1, within = [1, 50] }

[kinds.gain] # whose levels are those of a song
processor = "StereoGain"
controls.left_gain_db = 6

[kinds.eq] # a spectrum, of which one number does not tell the form
processor = "ZeroPhaseFIREqualizer"
controls.magnitude_db = 3

[kinds.imager] # of another class than in a console
processor = "Panner"
controls.pan = 0.5

[kinds.bell]
processor = "PeakingFilter"
controls.gain_db = 3
"""


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    path = tmp_path_factory.mktemp("prior") / "mix.toml"
    path.write_text(PRIOR)
    return path


def test_starts_are_medians(prior):
    starts = starts_of(prior, 44100)
    assert list(starts) == [""] and list(starts[""]) == ["compressor"]
    settings = starts[""]["compressor"]
    assert settings["threshold_db"] == -31.5
    assert settings["ratio"] == pytest.approx(4, rel=0.15)  # by octaves
    assert settings["attack_ms"] == pytest.approx(8, rel=0.1)


def test_stems_start_by_the_words_of_their_names(tmp_path):
    path = tmp_path / "mix.toml"
    path.write_text(
        PRIOR.replace("\n[kinds.gain]", "by_stem.vocals.ratio = 3\nby_stem.master.ratio = 2\n\n[kinds.gain]")
    )
    assert parse_prior(load_prior(path).to_toml()) == load_prior(path)
    starts = starts_for(path, 44100, ["Vocals_2", "drums", "master"])
    assert starts.keys() == {"", "Vocals_2", "master"}
    assert starts["Vocals_2"] == {"compressor": {"ratio": 3}} and starts["master"] == {"compressor": {"ratio": 2}}


def test_presets_are_none_of_a_console_or_do(tmp_path):
    for name in ("guitar", "drums", "mix"):
        path = tmp_path / f"{name}.toml"
        path.write_text(load_prior(name).to_toml())
        try:
            starts = starts_of(path, 48000)
        except ValueError as error:
            assert "none of which" in str(error) and name in str(error)
        else:
            assert all(starts[""].values())


def test_a_search_starts_there_and_says_so(cli, material, prior, tmp_path):
    command = ["search", *material.stems, "--mix", material.mix, *SHORT, "--chain", "compressor,gain"]
    for name, options in (("with", ["--prior", prior]), ("without", [])):
        found = cli.run(*command, "--out", tmp_path / name, *options, "--learning-rate", "0")
        assert found.exit_code == 0, found.output
    nodes = {name: json.loads((tmp_path / name / "metrics.json").read_text())["nodes"] for name in ("with", "without")}
    ratios = {name: [n["settings"]["ratio"] for n in nodes[name] if n["type"] == "compressor"] for name in nodes}
    assert ratios["with"] == pytest.approx([4, 4, 4], rel=0.15) and max(ratios["without"]) < 3
    config = tomllib.loads((tmp_path / "with" / "config.toml").read_text())
    assert (tmp_path / "with" / config["prior"]).resolve() == prior.resolve()
    again = cli.run("search", "--config", tmp_path / "with" / "config.toml")
    assert "finished already" in again.output
    cli.refused(cli.run(*command, "--out", tmp_path / "with"), "another search")  # from elsewhere


def test_what_is_no_prior_is_refused(cli, material, tmp_path):
    (tmp_path / "odd.toml").write_text("[kinds.compressor]\nprocessor = 3\n")
    other = tmp_path / "other.toml"
    other.write_text(PRIOR.replace("[kinds.compressor]", "[kinds.squash]"))
    for path, word in ((tmp_path / "none.toml", "none.toml"), (tmp_path / "odd.toml", "odd.toml"), (other, "squash")):
        result = cli.run("search", *material.stems, "--mix", material.mix, "--out", tmp_path / "a", "--prior", path)
        cli.refused(result, word)
        assert not (tmp_path / "a").exists()
