import json
import os
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch

import grafx
from grafx.audio import read_audio
from grafx.cli.main import COMMANDS
from grafx.data import load_grafx, save_grafx
from grafx.search.mixing.mixer import WEIGHT


def unwrapped(text):
    return " ".join(text.split())


# Help, and what is missing


@pytest.mark.parametrize("command", ["search", "render", "draw", "demo"])
def test_help(cli, command):
    result = cli.run(command, "--help")
    assert result.exit_code == 0 and "Usage" in result.stdout
    assert command in cli.run("--help").stdout


@pytest.mark.parametrize("option", ["--mix", "--out", "--group", "--seed", "--tolerance", "--method"])
def test_help_names_the_options(cli, option):
    assert option in cli.run("search", "--help").stdout


def test_it_tells_its_version(cli):
    assert cli.run("--version").output.split() == ["grafx", grafx.__version__]


def test_without_arguments_it_shows_its_help(cli):
    assert "Usage" in cli.run().output
    assert cli.run("search").exit_code == 2
    assert cli.run("nonsense").exit_code == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_commands_tells_what_each_says_of_itself(cli, command):
    said = unwrapped(cli.run(command, "--help").stdout.replace("│", ""))
    assert COMMANDS[command] in said


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], ["nonsense"]])
def test_what_runs_no_command_imports_none(cli, arguments):
    """Which would take seconds, and hundreds of megabytes."""
    heavy = {"torch", "numpy", "networkx", "matplotlib"}
    prelude = f"import atexit, sys; atexit.register(lambda: print('imported', {heavy} & {{*sys.modules}}))"
    assert "imported set()" in cli.run_elsewhere(*arguments, prelude=prelude).stdout


def test_completion_knows_commands_and_their_options(cli):
    def completed(*words):
        asked = {"_GRAFX_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        return cli.run_elsewhere(
            prelude=f"import os, sys; os.environ.update({asked}); sys.argv[0] = 'grafx'"
        ).stdout.split()

    assert completed("grafx", "re") == ["report", "render"]
    assert completed("grafx", "search", "--met") == ["--method"]


@pytest.mark.parametrize("package", ["typer", "rich"])
@pytest.mark.slow
def test_without_its_extras_it_says_what_to_install(cli, package):
    result = cli.run_elsewhere("--help", prelude=f"import sys; sys.modules['{package}'] = None")
    assert result.returncode == 1
    assert result.stderr.startswith(f"The grafx command needs the package {package}")
    assert result.stderr.endswith(": install grafx with its extra 'cli'.\n") and result.stderr.count("\n") == 1


def test_without_a_package_that_a_command_needs_it_says_so_too(cli, material, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    result = cli.run("search", *material.stems, "--mix", material.mix, "--out", tmp_path / "out")
    cli.refused(result, "soundfile", "install grafx with its extra")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_numbers_keep_their_signs_there(cli, search_arguments, result_folder):
    prelude = "import sys; sys.stdout.reconfigure(encoding='ascii')"
    result = cli.run_apart(*search_arguments, result_folder, prelude=prelude)
    assert result.returncode == 0, result.stderr
    metrics = json.loads((result_folder / "metrics.json").read_text())
    assert "−" in str(metrics["chains"])
    assert "-" in result.stdout and not re.search(r"\?\d", result.stdout)


# Search


def test_search_writes_all_files_and_says_what_it_found(cli, searched):
    assert sorted(path.name for path in searched.folder.iterdir()) == sorted([*cli.files, cli.page])
    said = unwrapped(searched.output)
    metrics = json.loads((searched.folder / "metrics.json").read_text())
    assert "Match loss" in said and "What was found" in said
    assert f"{metrics['found_loss']:.4f}" in said and f"{metrics['plain_loss']:.4f}" in said
    for word in ("kick", "pad", "master", str(searched.folder), *cli.files):
        assert word in said


@pytest.mark.slow
def test_the_same_search_elsewhere_finds_the_same(cli, searched, search_arguments, tmp_path):
    result = cli.run_apart(*search_arguments, tmp_path / "again")
    assert result.returncode == 0, result.stderr
    first, second = (load_grafx(folder)[0] for folder in (searched.folder, tmp_path / "again"))
    assert first.nodes.keys() == second.nodes.keys()
    mixes = [read_audio(folder / "mix.wav")[0] for folder in (searched.folder, tmp_path / "again")]
    assert torch.allclose(*mixes, atol=1e-5)


def test_a_finished_search_is_told_again_and_changes_nothing(cli, search_arguments, result_folder):
    before = cli.snapshot(result_folder)
    result = cli.run(*search_arguments, result_folder)
    assert result.exit_code == 0
    assert "finished already" in result.output and "What was found" in result.output
    assert cli.snapshot(result_folder) == before


@pytest.mark.parametrize("other", [["--seed", "1"], ["--tolerance", "0.5"], ["--group", "bus=pad"]])
def test_another_search_in_the_same_folder_is_refused(cli, search_arguments, result_folder, other):
    before = cli.snapshot(result_folder)
    cli.refused(cli.run(*search_arguments, result_folder, *other), "another search", "another folder")
    assert cli.snapshot(result_folder) == before


@pytest.mark.parametrize("kept", ["graph.json", "mix.wav", "metrics.json"])
def test_part_of_an_earlier_result_is_left_alone(cli, search_arguments, result_folder, tmp_path, kept):
    folder = tmp_path / "partial"
    folder.mkdir()
    shutil.copy(result_folder / kept, folder / kept)
    before = cli.snapshot(folder)
    cli.refused(cli.run(*search_arguments, folder, "--seed", "1"), kept)
    assert cli.snapshot(folder) == before


@pytest.mark.slow
def test_other_files_in_the_folder_are_no_obstacle(cli, material, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    options = ["--fit-steps", "0", "--rounds", "0"]
    result = cli.run("search", *material.stems, "--mix", material.mix, "--out", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*cli.files, cli.page, "notes.txt"])


@pytest.mark.slow
def test_groups_and_names_with_brackets(cli, tmp_path):
    stems = cli.make_stems()
    names = ["kick [bold].wav", "pad [take 2] :cat:.wav"]
    paths = [cli.write(tmp_path / name, stem) for name, stem in zip(names, stems, strict=True)]
    mix = cli.write(tmp_path / "[red]mix.wav", 0.5 * stems.sum(0))
    out = tmp_path / "[b] out [x]"
    options = ["--group", "bus=pad [take 2] :cat:", "--fit-steps", "1", "--rounds", "0"]
    result = cli.run("search", *paths, "--mix", mix, "--out", out, *options)
    assert result.exit_code == 0, (result.output, result.exception)
    for text in ("kick [bold]", "[take 2] :cat:", "bus", str(out)):
        assert text in unwrapped(result.output)


def test_a_mix_that_is_the_plain_sum(cli, material, tmp_path):
    mix = cli.write(tmp_path / "sum.wav", cli.make_stems().sum(0))
    options = ["--fit-steps", "1", "--rounds", "1", "--tune-steps", "1", "--tolerance", "100", "--method", "drywet"]
    result = cli.run("search", *material.stems, "--mix", mix, "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, (result.output, result.exception)
    assert "No processor is needed" in unwrapped(result.output)
    again = cli.run("render", tmp_path / "out", *material.stems, "--out", tmp_path / "again.wav")
    assert again.exit_code == 0
    assert torch.allclose(read_audio(tmp_path / "again.wav")[0], read_audio(mix)[0], atol=1e-6)
    assert cli.run("draw", tmp_path / "out", "--out", tmp_path / "a.svg").exit_code == 0


@pytest.mark.slow
def test_changes_to_the_audio_are_said_aloud(cli, tmp_path):
    stems = cli.make_stems()
    paths = [
        cli.write(tmp_path / "mono.wav", stems[0, :1, :9000]),
        cli.write(tmp_path / "slow.wav", stems[1, :, ::2], 22050),
        cli.write(tmp_path / "silent.wav", torch.zeros(2, 12000)),
    ]
    mix = cli.write(tmp_path / "mix.wav", stems[:, :1].sum(0))
    options = ["--fit-steps", "1", "--rounds", "0"]
    result = cli.run("search", *paths, "--mix", mix, "--out", tmp_path / "out", *options)
    assert result.exit_code == 0, (result.output, result.exception)
    for text in (
        f"Note: {mix} is mono: it is put on both channels.\n",
        f"Note: {paths[0]} is mono: it is put on both channels.\n",
        f"Note: {paths[0]} is padded with 0.046 s of silence at its end, to 0.250 s.\n",
        f"Note: {paths[1]} is converted from 22050 to 44100 Hz.\n",
        f"Note: {paths[2]} is cut by 0.022 s at its end, to 0.250 s.\n",
        f"Note: {paths[2]} is silent: nothing can be learned about it.\n",
    ):
        assert text in result.output


# Bad input

BAD_STEMS = {
    "missing": (None, "is not a file"),
    "empty file": (b"", "cannot be read as audio"),
    "text": (b"Dear diary,\n", "cannot be read as audio"),
    "no samples": (torch.zeros(2, 0), "holds no samples"),
    "surround": (torch.ones(6, 11025), "6 channels"),
    "NaN": (torch.full((2, 11025), torch.nan), "NaN or infinity"),
    "infinite": (torch.full((2, 11025), torch.inf), "NaN or infinity"),
}


@pytest.mark.parametrize("role", ["stem", "mix"])
@pytest.mark.parametrize("kind", BAD_STEMS)
def test_bad_audio(cli, material, searched, result_folder, tmp_path, role, kind):
    content, message = BAD_STEMS[kind]
    bad = tmp_path / "bad.wav"
    if isinstance(content, bytes):
        bad.write_bytes(content)
    elif content is not None:
        cli.write(bad, content)
    before = cli.snapshot(result_folder)
    stems, mix = ([bad, material.stems[1]], material.mix) if role == "stem" else (material.stems, bad)
    for out in (result_folder, tmp_path / "fresh"):
        cli.refused(cli.run("search", *stems, "--mix", mix, *cli.steps, "--out", out), "bad.wav", message)
    assert cli.snapshot(result_folder) == before and not (tmp_path / "fresh").exists()


@pytest.mark.parametrize("kind", [*BAD_STEMS, "silent"])
def test_bad_stems_of_a_render(cli, material, searched, tmp_path, kind):
    content, message = (torch.zeros(2, 99), "All stems are silent") if kind == "silent" else BAD_STEMS[kind]
    bad = tmp_path / "bad.wav"
    if isinstance(content, bytes):
        bad.write_bytes(content)
    elif content is not None:
        cli.write(bad, content)
    (tmp_path / "earlier.wav").write_text("mine")
    cli.refused(cli.run("render", searched.folder, bad, bad, "--out", tmp_path / "earlier.wav"), message)
    assert (tmp_path / "earlier.wav").read_text() == "mine"


def test_silent_and_short_audio(cli, material, tmp_path):
    silence = cli.write(tmp_path / "silence.wav", torch.zeros(2, 11025))
    short = cli.write(tmp_path / "short.wav", 0.5 * cli.make_stems()[0, :, :2000])
    out = ["--out", tmp_path / "out"]
    cli.refused(cli.run("search", silence, silence, "--mix", material.mix, *out), "All stems are silent")
    cli.refused(cli.run("search", *material.stems, "--mix", silence, *out), "mix is silent")
    cli.refused(cli.run("search", *material.stems, "--mix", short, *out), "2000 samples", "4096")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--group", "bus"], "NAME=STEM"),
        (["--group", "=pad"], "NAME=STEM"),
        (["--group", "bus="], "NAME=STEM"),
        (["--group", "bus=piano"], "'piano'"),
        (["--group", "a=pad", "--group", "b=pad"], "'pad' is in the groups"),
        (["--group", "a=pad", "--group", "a=kick"], "'a'"),
        (["--group", "master=pad"], "master"),
        (["--seed", str(2**64)], "seed"),
    ],
)
def test_bad_options(cli, search_arguments, tmp_path, options, message):
    cli.refused(cli.run(*search_arguments, tmp_path / "out", *options), message, status=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["search", "draw", "invert"])
def test_options_name_their_choices_in_help_and_errors(cli, searched, search_arguments, material, tmp_path, command):
    arguments, option, choices = {
        "search": ([*search_arguments, tmp_path / "out"], "--method", ["hybrid", "drywet", "brute-force"]),
        "draw": (["draw", searched.folder, "--out", tmp_path / "a.svg"], "--above", ["node_id", "name", "settings"]),
        "invert": (["invert", material.mix, "--out", tmp_path / "out"], "--synth", ["kick"]),
    }[command]
    result = cli.run(*arguments, option, "magic")
    assert result.exit_code == 2 and "magic" in result.stderr and option in result.stderr
    said = unwrapped(cli.run(command, "-h").stdout)
    for choice in choices:
        assert choice in result.stderr and choice in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["search", "render", "draw", "invert", "demo"])
def test_wrong_usage_has_one_status(cli, command):
    for wrong in (["--nonsense"], ["--out"], ["--out", "a", "--seed", "x"]):
        assert cli.run(command, *wrong).exit_code == 2
    assert cli.run(command, "-h").exit_code == 0


def test_it_runs_as_a_module(tmp_path):
    result = subprocess.run([sys.executable, "-m", "grafx", "--version"], capture_output=True, text=True, cwd=tmp_path)
    assert result.stdout == f"grafx {grafx.__version__}\n" and result.returncode == 0


def test_notes_and_progress_are_apart_from_results(cli, material, tmp_path):
    mono = cli.write(tmp_path / "kick.wav", cli.make_stems()[0, :1])
    options = ["--mix", material.mix, "--out", tmp_path / "out", "--fit-steps", "1", "--rounds", "0"]
    result = cli.run("search", mono, material.stems[1], *options)
    assert result.exit_code == 0
    assert "Note:" in result.stderr and "fitting the console: 0 of 1" in result.stderr
    assert "Match loss" in result.stdout and "Note:" not in result.stdout and "%" not in result.stdout.split("Match")[0]
    result = cli.run(
        "render", tmp_path / "out", material.stems[1], mono, "--out", tmp_path / "a.wav", "--block", "4000"
    )
    assert result.stdout == f"Wrote {tmp_path / 'a.wav'}.\n" and "mixing" in result.stderr


@pytest.mark.parametrize(
    "options",
    [["--rounds", "-1"], ["--fit-steps", "x"], ["--tolerance", "-0.1"], ["--tolerance", "nan"], ["--seed", "1.5"]],
)
def test_options_out_of_range(cli, search_arguments, tmp_path, options):
    assert cli.run(*search_arguments, tmp_path / "out", *options).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_out_is_a_file(cli, search_arguments, tmp_path):
    (tmp_path / "out").write_text("mine")
    cli.refused(cli.run(*search_arguments, tmp_path / "out"), "is a file")
    cli.refused(cli.run(*search_arguments, tmp_path / "out" / "deeper"), "out")
    assert (tmp_path / "out").read_text() == "mine"


def test_out_cannot_be_made(cli, search_arguments):
    cli.refused(cli.run(*search_arguments, "/proc/nothing/here"), "/proc/nothing")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_out_is_read_only(cli, search_arguments, tmp_path):
    tmp_path.chmod(0o500)
    cli.refused(cli.run(*search_arguments, tmp_path), "Permission denied")
    tmp_path.chmod(0o700)


def test_a_folder_that_cannot_be_written_to_is_found_before_the_search(cli, search_arguments, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    def never(search):
        raise AssertionError("the search has begun")

    monkeypatch.setattr("grafx.search.mixing.checkpoint.save_grafx", fail)
    monkeypatch.setattr("grafx.search.Search.run", never)
    cli.refused(cli.run(*search_arguments, tmp_path), "Permission denied")


@pytest.mark.slow
def test_the_same_file_twice_and_the_same_name_from_two_folders(cli, material, tmp_path):
    other = cli.write(tmp_path / "kick.wav", cli.make_stems()[1])
    options = ["--fit-steps", "0", "--rounds", "0", "--out", tmp_path / "out"]
    stems = [material.stems[0], other, material.stems[0]]
    result = cli.run("search", *stems, "--mix", material.mix, *options)
    assert result.exit_code == 0, (result.output, result.exception)
    result = cli.run("render", tmp_path / "out", *stems, "--out", tmp_path / "again.wav")
    assert result.exit_code == 0 and "Note" not in result.output
    assert torch.allclose(
        *[read_audio(p)[0] for p in (tmp_path / "again.wav", tmp_path / "out" / "mix.wav")], atol=1e-5
    )


# Render


@pytest.mark.slow
def test_render_makes_the_mix_again_in_a_new_process(cli, material, searched, tmp_path):
    result = cli.run_elsewhere("render", searched.folder, *material.stems, "--out", tmp_path / "new" / "again.wav")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"Wrote {tmp_path / 'new' / 'again.wav'}.\n"
    again, rate = read_audio(tmp_path / "new" / "again.wav")
    mix, mix_rate = read_audio(searched.folder / "mix.wav")
    assert rate == mix_rate and torch.allclose(again, mix, atol=1e-5)


def test_render_finds_stems_by_their_names(cli, material, searched, tmp_path):
    result = cli.run("render", searched.folder, *reversed(material.stems), "--out", tmp_path / "again.wav")
    assert result.exit_code == 0 and "Note" not in result.output
    again, mix = read_audio(tmp_path / "again.wav")[0], read_audio(searched.folder / "mix.wav")[0]
    assert torch.allclose(again, mix, atol=1e-5)


def test_render_takes_other_names_in_order_and_says_so(cli, searched, tmp_path):
    stems = cli.make_stems()
    paths = [cli.write(tmp_path / f"{name}.wav", stem) for name, stem in zip("ab", stems, strict=True)]
    result = cli.run("render", searched.folder, *paths, "--out", tmp_path / "again.wav")
    assert result.exit_code == 0
    assert "taken in order: a.wav as 'kick', b.wav as 'pad'." in result.output
    again, mix = read_audio(tmp_path / "again.wav")[0], read_audio(searched.folder / "mix.wav")[0]
    assert torch.allclose(again, mix, atol=1e-5)


@pytest.mark.parametrize("block", [1000, 30000, 10**7])
def test_render_in_blocks_makes_the_same_mix(cli, material, searched, tmp_path, block):
    out = tmp_path / "again.wav"
    result = cli.run("render", searched.folder, *material.stems, "--out", out, "--block", block)
    assert result.exit_code == 0, result.output
    again, mix = read_audio(out)[0], read_audio(searched.folder / "mix.wav")[0]
    assert again.shape == mix.shape and torch.allclose(again, mix, atol=1e-5)


def test_render_goes_on_until_the_sound_has_died_away(cli, material, searched, tmp_path):
    out = tmp_path / "again.wav"
    assert cli.run("render", searched.folder, *material.stems, "--out", out, "--tail").exit_code == 0
    again, mix = read_audio(out)[0], read_audio(searched.folder / "mix.wav")[0]
    assert again.shape[1] >= mix.shape[1]
    assert torch.allclose(again[:, : mix.shape[1] - 3000], mix[:, :-3000], atol=1e-4)
    assert again[:, -100:].abs().max() < 0.01 * mix.abs().max()


def test_render_in_blocks_where_it_cannot(cli, material, searched, tmp_path):
    def run(*options, out=tmp_path / "again.wav"):
        return cli.run("render", searched.folder, *material.stems, "--out", out, *options)

    cli.refused(run("--block", 100, out=tmp_path / "again.doc"), "suffix")
    assert run("--block", 0).exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [1, 3])
def test_render_needs_as_many_stems_as_the_graph(cli, material, searched, tmp_path, count):
    stems = [*material.stems, material.stems[0]][:count]
    result = cli.run("render", searched.folder, *stems, "--out", tmp_path / "again.wav")
    cli.refused(result, "2 stems (kick, pad)", f"{count} were given")
    assert not (tmp_path / "again.wav").exists()


def test_render_to_other_kinds(cli, material, searched, tmp_path):
    out = tmp_path / "again.flac"
    assert cli.run("render", searched.folder, *material.stems, "--out", out).exit_code == 0
    mix = read_audio(searched.folder / "mix.wav")[0].clamp(-1, 1)
    assert torch.allclose(read_audio(out)[0], mix, atol=1e-5)
    cli.refused(cli.run("render", searched.folder, *material.stems, "--out", tmp_path / "again.doc"), "suffix")


def test_render_where_it_cannot_write(cli, material, searched, tmp_path):
    (tmp_path / "file").write_text("mine")
    out = tmp_path / "file" / "again.wav"
    cli.refused(cli.run("render", searched.folder, *material.stems, "--out", out), "cannot be written")


@pytest.mark.parametrize("command", ["render", "draw"])
@pytest.mark.parametrize("damage", ["no folder", "empty folder", "no tensors", "cut graph", "cut tensors", "no graph"])
def test_a_folder_that_holds_no_graph(cli, material, result_folder, tmp_path, command, damage):
    folder = result_folder
    if damage in ("no folder", "empty folder"):
        folder = tmp_path / "elsewhere"
        if damage == "empty folder":
            folder.mkdir()
    else:
        path = folder / ("graph.json" if "graph" in damage else "parameters.safetensors")
        content = path.read_bytes()
        path.unlink()
        if damage.startswith("cut"):
            path.write_bytes(content[: len(content) // 2])
    stems = material.stems if command == "render" else []
    cli.refused(cli.run(command, folder, *stems, "--out", tmp_path / "out.svg"), folder.name)


def test_a_graph_that_is_no_mix(cli, material, result_folder, tmp_path):
    G, _, _ = load_grafx(result_folder)
    save_grafx(G, tmp_path / "plain")
    result = cli.run("render", tmp_path / "plain", *material.stems, "--out", tmp_path / "a.wav")
    cli.refused(result, "does not hold a mixing graph")
    save_grafx(G, tmp_path / "plain", metadata={"kind": "mixing graph"})
    result = cli.run("render", tmp_path / "plain", *material.stems, "--out", tmp_path / "a.wav")
    cli.refused(result, "does not hold a mixing graph")


# A graph that somebody edited


def edit(folder, change):
    G, parameters, metadata = load_grafx(folder)
    change(G)
    save_grafx(G, folder, parameters, metadata)


def remove_all_processors(G):
    for node in [i for i, data in G.nodes(data=True) if WEIGHT in data]:
        G.bypass(node)


def test_an_edited_graph_is_what_sounds(cli, material, result_folder, tmp_path):
    edit(result_folder, remove_all_processors)
    result = cli.run("render", result_folder, *material.stems, "--out", tmp_path / "a.wav")
    assert result.exit_code == 0, (result.output, result.exception)
    assert torch.allclose(read_audio(tmp_path / "a.wav")[0], cli.make_stems().sum(0), atol=1e-6)


def forget_names(G):
    for _, data in G.nodes(data=True):
        data["name"] = None


def add_a_gain(G):
    (out,) = [i for i, data in G.nodes(data=True) if data["node_type"] == "out"]
    (last,) = G.predecessors(out)
    gain = G.add("gain", parameters={"log_gain": torch.tensor([-1.0, -1.0])})
    G.remove_edge(last, out)
    G.connect(last, gain)
    G.connect(gain, out)


def test_a_node_that_was_added_sounds(cli, material, result_folder, searched, tmp_path):
    edit(result_folder, add_a_gain)
    result = cli.run("render", result_folder, *material.stems, "--out", tmp_path / "a.wav")
    assert result.exit_code == 0, (result.output, result.exception)
    mix = read_audio(searched.folder / "mix.wav")[0]
    assert torch.allclose(read_audio(tmp_path / "a.wav")[0], mix * torch.tensor(-1.0).exp(), atol=1e-5)
    assert cli.run("draw", result_folder, "--out", tmp_path / "a.svg").exit_code == 0


def test_nodes_without_names(cli, material, result_folder, tmp_path):
    edit(result_folder, forget_names)
    result = cli.run("render", result_folder, *material.stems, "--out", tmp_path / "a.wav")
    assert result.exit_code == 0 and "taken in order" in result.output
    cli.refused(cli.run("render", result_folder, material.stems[0], "--out", tmp_path / "a.wav"), "2 stems")


def add_without_parameters(G):
    add_a_gain(G)
    G.nodes[max(G.nodes)]["parameters"] = None


def add_unknown_type(G):
    G.graph["config"] = None
    add_a_gain(G)
    G.nodes[max(G.nodes)]["node_type"] = "phaser"


def remove_the_out(G):
    (out,) = [i for i, data in G.nodes(data=True) if data["node_type"] == "out"]
    G.remove(out)


def make_a_cycle(G):
    nodes = [i for i, data in G.nodes(data=True) if data["node_type"] == "mix"]
    a, b = G.add("mix"), G.add("mix")
    G.connect(nodes[0], a)
    G.connect(a, b)
    G.connect(b, a)


def misshape(G):
    add_a_gain(G)
    G.nodes[max(G.nodes)]["parameters"] = {"log_gain": torch.zeros(5)}


def spoil_a_weight(G):
    add_a_gain(G)
    G.nodes[max(G.nodes)][WEIGHT] = "half"


def exceed_a_weight(G):
    add_a_gain(G)
    G.nodes[max(G.nodes)][WEIGHT] = 1.5


@pytest.mark.parametrize(
    "change, word",
    [
        (add_unknown_type, "phaser"),
        (remove_the_out, "out"),
        (make_a_cycle, "cycle"),
        (misshape, "log_gain"),
        (spoil_a_weight, "'half'"),
        (exceed_a_weight, "1.5"),
    ],
)
def test_an_edit_that_cannot_be_rendered_is_explained(cli, material, result_folder, tmp_path, change, word):
    edit(result_folder, change)
    cli.refused(cli.run("render", result_folder, *material.stems, "--out", tmp_path / "a.wav"), word)
    assert not (tmp_path / "a.wav").exists()


def test_a_processor_that_was_added_without_parameters_is_at_its_defaults(cli, material, result_folder, tmp_path):
    run = cli.run("render", result_folder, *material.stems, "--out", tmp_path / "before.wav")
    assert run.exit_code == 0, run.output
    edit(result_folder, add_without_parameters)
    run = cli.run("render", result_folder, *material.stems, "--out", tmp_path / "after.wav")
    assert run.exit_code == 0, run.output
    before, after = (read_audio(tmp_path / f"{name}.wav")[0] for name in ("before", "after"))
    torch.testing.assert_close(after, before, atol=1e-4, rtol=0)


# Draw


@pytest.mark.parametrize(
    "suffix, magic", [(".svg", b"<?xml"), (".pdf", b"%PDF"), (".png", b"\x89PNG"), (".PNG", b"\x89PNG")]
)
@pytest.mark.parametrize("vertical", [[], ["--vertical"]])
def test_draw(cli, searched, tmp_path, suffix, magic, vertical):
    out = tmp_path / "new" / f"graph{suffix}"
    result = cli.run("draw", searched.folder, "--out", out, *vertical)
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(magic) and result.output == f"Wrote {out}.\n"


def test_the_file_in_the_folder_is_as_good(cli, material, searched, tmp_path):
    graph = searched.folder / "graph.json"
    assert cli.run("draw", graph, "--out", tmp_path / "a.svg").exit_code == 0
    result = cli.run("render", graph, *material.stems, "--out", tmp_path / "a.wav")
    assert result.exit_code == 0 and read_audio(tmp_path / "a.wav")[0].shape == (2, 11025)


def size(path):
    root = ElementTree.parse(path).getroot()
    return [float(root.get(name).removesuffix("pt")) for name in ("width", "height")]


def test_vertical_is_turned(cli, searched, tmp_path):
    for name, options in (("across", []), ("down", ["--vertical"])):
        cli.run("draw", searched.folder, "--out", tmp_path / f"{name}.svg", *options)
    (across_width, across_height), (down_width, down_height) = (size(tmp_path / f"{n}.svg") for n in ("across", "down"))
    assert across_width / across_height > down_width / down_height


def test_draw_attributes(cli, searched, tmp_path):
    out = tmp_path / "a.svg"
    result = cli.run("draw", searched.folder, "--out", out, "--inside", "node_id", "--above", "name")
    assert result.exit_code == 0
    assert {"0", "1", "kick", "pad"} <= texts_in(out)


def test_draw_for_a_paper(cli, searched, tmp_path):
    for name, options in (("with", []), ("none", ["--legend", "none"]), ("below", ["--legend", "below"])):
        out = tmp_path / f"{name}.svg"
        options += ["--width", 2.5, "--title", "Found <it>", "--theme", "print"]
        assert cli.run("draw", searched.folder, "--out", out, *options).exit_code == 0
        assert size(out)[0] == pytest.approx(2.5 * 72)
        assert "Found &lt;it&gt;" in out.read_text(encoding="utf-8")
    assert size(tmp_path / "none.svg")[1] < size(tmp_path / "with.svg")[1]


def test_draw_a_page(cli, searched, tmp_path):
    out = tmp_path / "new" / "a.html"
    assert cli.run("draw", searched.folder, "--out", out).exit_code == 0
    assert out.read_text(encoding="utf-8") == load_grafx(searched.folder)[0].to_html()


def texts_in(path):
    return {"".join(node.itertext()).strip() for node in ElementTree.parse(path).iter() if node.tag.endswith("text")}


def test_draw_several_texts_on_nodes_edges_and_groups(cli, searched, tmp_path):
    out = tmp_path / "a.svg"
    options = ["--inside", "short_type, thumbnail", "--above", "name,wet", "--edges", "wet,level", "--groups"]
    result = cli.run("draw", searched.folder, "--out", out, *options)
    assert result.exit_code == 0, result.output
    texts = texts_in(out)
    assert {"kick", "pad"} <= texts and any(text.endswith(" %") for text in texts)


def test_draw_what_was_before(cli, searched, tmp_path):
    metrics = json.loads((searched.folder / "metrics.json").read_text(encoding="utf-8"))
    out = tmp_path / "a.svg"
    for source in (searched.folder, searched.folder / "graph.json"):
        assert cli.run("draw", source, "--out", out, "--before", "--width", 5).exit_code == 0
        numbers = metrics["console_processors"], metrics["found_processors"]
        assert {f"Before: {numbers[0]} processors", f"After: {numbers[1]} processors"} <= texts_in(out)


def test_draw_a_film_of_the_pruning(cli, searched, tmp_path):
    from PIL import Image

    out = tmp_path / "new" / "a.gif"
    result = cli.run("draw", searched.folder, "--out", out, "--width", 4, "--theme", "dark", "--title", "Kick")
    assert result.exit_code == 0, result.output
    metrics = json.loads((searched.folder / "metrics.json").read_text(encoding="utf-8"))
    with Image.open(out) as film:
        assert film.format == "GIF" and film.n_frames > len(metrics["rounds"])
        assert film.size[0] == 400


@pytest.mark.parametrize("out, options", [("a.gif", []), ("a.svg", ["--before"])])
@pytest.mark.parametrize("lacking", ["metrics", "rounds", "console"])
def test_results_that_do_not_tell_the_pruning_say_so(cli, result_folder, tmp_path, out, options, lacking):
    metrics = result_folder / "metrics.json"
    if lacking == "metrics":
        metrics.unlink()
    else:
        told = json.loads(metrics.read_text(encoding="utf-8"))
        del told[lacking]
        metrics.write_text(json.dumps(told), encoding="utf-8")
    result = cli.run("draw", result_folder, "--out", tmp_path / out, *options)
    cli.refused(result, "what each round of pruning removed is not among the results")
    assert not (tmp_path / out).exists()
    assert cli.run("draw", result_folder, "--out", tmp_path / "b.svg").exit_code == 0


@pytest.mark.parametrize(
    "out, options, word",
    [
        ("a.bmp", [], ".svg, .pdf or .png"),
        ("a.svg", ["--edges", "wet,color"], "--edges 'color'"),
        ("a.svg", ["--inside", "name,color"], "--inside 'color'"),
        ("a.svg", ["--above", "thumbnail"], "--above 'thumbnail'"),
        ("a.html", ["--groups"], "--groups"),
        ("a.html", ["--before"], "--before"),
        ("a.gif", ["--before"], "--before"),
        ("a", [], ".svg, .pdf or .png"),
        ("a.htm", [], ".html"),
        ("a.html", ["--vertical"], "--vertical"),
        ("a.html", ["--inside", "name"], "--inside"),
        ("a.HTML", ["--above", "name"], "--above"),
        ("a.html", ["--width", "3"], "--width"),
        ("a.html", ["--theme", "dark"], "--theme"),
        ("a.svg", ["--width", "0"], "--width"),
        ("a.svg", ["--width", "nan"], "--width"),
        ("a.svg", ["--legend", "left"], "above, below, right, none"),
        ("a.svg", ["--theme", "blue"], "light, dark, print"),
        ("file/a.html", [], "file"),
        ("a.svg", ["--inside", "color"], "color"),
        ("a.svg", ["--above", "color"], "color"),
        ("a.svg", ["--above", "rendering_order"], "--above"),
        ("file/a.svg", [], "file"),
    ],
)
def test_draw_refusals(cli, searched, tmp_path, out, options, word):
    (tmp_path / "file").write_text("mine")
    status = 1 if out.startswith("file/") else 2
    cli.refused(cli.run("draw", searched.folder, "--out", tmp_path / out, *options), word, status=status)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
