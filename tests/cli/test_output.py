"""Whatever becomes of what a command says, its results are written."""

import json
import multiprocessing
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest
import soundfile

from grafx.audio import read_audio
from grafx.cli.material import parse_groups, stem_names
from grafx.cli.output import Output
from grafx.files import locked

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the shell and names are those of Unix")

COMMAND = f"{shlex.quote(sys.executable)} -c 'from grafx.cli import main; main()'"


def shell(*arguments, redirection="", **environment):
    line = " ".join([COMMAND, *(shlex.quote(os.fspath(a)) for a in arguments), redirection])
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "80"} | environment,
        timeout=300,
    )


needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no disk that is always full")


@pytest.mark.parametrize(
    "redirection, code, words",
    [
        ("<&- >&- 2>&-", 0, rb""),
        pytest.param(">/dev/full", 1, rb"Error: standard output: No space left on device\.\n", marks=needs_full),
        pytest.param("2>/dev/full | true", 0, rb"", marks=needs_full),
    ],
)
@pytest.mark.slow
def test_a_search_is_written_whatever_becomes_of_its_output(cli, material, tmp_path, redirection, code, words):
    options = ["--fit-steps", "0", "--rounds", "0"]
    arguments = ["search", *material.stems, "--mix", material.mix, "--out", tmp_path / "out", *options]
    result = shell(*arguments, redirection=redirection)
    assert result.returncode == code, result.stderr
    assert sorted(os.listdir(tmp_path / "out")) == sorted([*cli.files, cli.page])
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["finished"]
    assert re.search(words + rb"$", result.stderr) and b"Traceback" not in result.stdout


@pytest.mark.parametrize(
    "command, redirection, code",
    [("blocks", "| true", 0), ("draw", ">&-", 0), pytest.param("--help", ">/dev/full", 1, marks=needs_full)],
)
@pytest.mark.slow
def test_other_commands_do_what_they_should(material, searched, tmp_path, command, redirection, code):
    out = tmp_path / ("out.svg" if command == "draw" else "out.wav")
    arguments = {
        "blocks": ["render", searched.folder, *material.stems, "--out", out, "--block", "4000"],
        "draw": ["draw", searched.folder, "--out", out],
    }.get(command, [command])
    result = shell(*arguments, redirection=redirection)
    assert result.returncode == code and b"Traceback" not in result.stderr, result.stderr
    assert out.exists() == (not command.startswith("--"))


@pytest.mark.slow
def test_errors_are_told_by_the_status_where_they_cannot_be_said(tmp_path):
    assert shell("draw", tmp_path, "--out", "a.svg", redirection="2>&-").returncode == 1


@pytest.mark.slow
def test_terminals_without_unicode(searched, tmp_path):
    environment = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    result = shell("draw", searched.folder, "--out", tmp_path / "gräf–∞.svg", **environment)
    assert result.returncode == 0 and (tmp_path / "gräf–∞.svg").exists(), result.stderr


def test_a_hangup_stops_a_search_as_an_interrupt_does(cli, search_arguments, tmp_path, monkeypatch):
    from grafx.search import Search

    step = Search._gradient_step
    monkeypatch.setattr(Search, "_gradient_step", lambda search: (os.kill(os.getpid(), signal.SIGHUP), step(search))[1])
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup has it ignored, and then it stays so
    try:
        result = cli.run(*search_arguments, tmp_path / "out")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert result.exit_code == 130
    assert (tmp_path / "out" / "mix.wav").exists() and (tmp_path / "out" / "checkpoint").is_dir()


def hold(folder, ready, done):
    with locked(folder):
        ready.set()
        done.wait(120)


@pytest.mark.parametrize("command", ["search", "invert"])
def test_one_run_at_a_time_in_a_folder(cli, material, search_arguments, tmp_path, command):
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, ready, done))
    other.start()
    ready.wait(120)
    arguments = search_arguments if command == "search" else ["invert", material.stems[0], "--out"]
    cli.refused(cli.run(*arguments, tmp_path), "Another run is writing into", "another folder")
    done.set()
    other.join()
    assert os.listdir(tmp_path) == []


class Broken:
    encoding = "utf-8"

    def __init__(self, error):
        self.error = error

    def write(self, text):
        raise self.error

    flush = write

    def fileno(self):
        raise OSError


@pytest.mark.parametrize(
    "error, fault",
    [
        (OSError(28, "full"), True),
        (OSError(5, "gone"), True),
        (BrokenPipeError(32, "pipe"), False),
        (ValueError(), False),
    ],
)
def test_a_stream_that_fails(error, fault):
    output = Output(Broken(error))
    assert output.write("word") == 4 and output.write("more") == 4
    output.flush()
    assert (output.fault is not None) == fault and output.encoding == "utf-8"


# Names


NAMES = [
    b"kick \xff\xe4.wav",
    b"kick\x01\x1b[31m.wav",
    b"kick\nError: no\r.wav",
    b"[bold]kick[red] $x_{$ <&>.wav",
    "\u202eevaw\u2066 קיק.wav".encode(),
    b"k" * 251 + b".wav",
    b"con.wav",
    b"%s {} \\n.wav",
]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse some of these names")
@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_go_through_everything(cli, material, tmp_path, name):
    folder = os.fsdecode(bytes(tmp_path) + b"/" + (name.removesuffix(b".wav") if len(name) < 200 else b"long"))
    os.mkdir(folder)
    stem = os.fsdecode(os.fsencode(folder) + b"/" + name)
    os.link(material.stems[0], stem)
    options = ["--fit-steps", "0", "--rounds", "0"]
    out = os.path.join(folder, "out")
    result = cli.run("search", stem, material.stems[1], "--mix", material.mix, "--out", out, *options)
    assert result.exit_code == 0, (result.output, result.exception)
    again = os.fsdecode(os.fsencode(folder) + b"/again" + name[-240:])
    rendered = cli.run("render", out, stem, material.stems[1], "--out", again)
    assert rendered.exit_code == 0 and "in order" not in rendered.output, (rendered.output, rendered.exception)
    picture = os.path.join(folder, "a.svg")
    drawn = cli.run("draw", out, "--out", picture, "--above", "name")
    assert drawn.exit_code == 0, (drawn.output, drawn.exception)
    from xml.etree import ElementTree

    ElementTree.parse(picture)
    ElementTree.parse(os.path.join(out, "graph.svg"))
    assert read_audio(again)[0].shape == read_audio(os.path.join(out, "mix.wav"))[0].shape
    for output in (result.output, rendered.output, drawn.output):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", output)
        assert "\nError" not in output
    refused = cli.run("render", out, stem + "x", stem, "--out", again)
    cli.refused(refused, "is not a file")


def test_names_that_are_no_text_are_written_as_they_can_be(tmp_path):
    names = stem_names([tmp_path / "a\udcff.wav", tmp_path / "b" / "a\udcff.wav", tmp_path / "c\n.wav"])
    assert names == ["a\\xff", "a\\xff-2", "c\\n"]
    assert parse_groups(["g\x1b=a\udcff,c\n x"]) == {"g\\x1b": ["a\\xff", "c\\n x"]}
    json.dumps(names).encode()


# Clipping


@pytest.mark.parametrize("suffix, options", [("flac", []), ("ogg", ["--block", "5000"]), ("wav", [])])
def test_a_render_says_that_it_clips(cli, material, searched, tmp_path, suffix, options):
    loud = [tmp_path / path.name for path in material.stems]
    for path, quiet in zip(loud, material.stems, strict=True):
        signal, rate = read_audio(quiet)
        cli.write(path, 30 * signal / signal.abs().max(), rate)
    out = tmp_path / f"x.{suffix}"
    result = cli.run("render", searched.folder, *loud, "--out", out, *options)
    assert result.exit_code == 0 and soundfile.info(out).frames == 11025
    said = re.search(
        r"Note: .*x\.\w+ is clipped: the sound peaks at \+(\d+\.\d) dB.*(\.wav).*lower the level by", result.output
    )
    assert bool(said) == (suffix not in ("wav", "aiff"))
    assert f"Wrote {out}." in result.output
