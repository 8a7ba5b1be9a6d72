"""What a search is asked for, on the command line and in files."""

import json
import os
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import tomli_w
import torch

import grafx.cli.search
from grafx.audio import read_audio
from grafx.cli.config import NAMES, Request, make_request, read_config, write_config
from grafx.data import load_grafx
from grafx.errors import SearchError
from grafx.search import Options
from grafx.search.mixing.console import CHAIN

SHORT = ["--fit-steps", "1", "--rounds", "0"]

STUDIO = """
import torch.nn as nn

class Tilt(nn.Module):
    def parameter_size(self):
        return {"tilt": 2}

    def forward(self, x, tilt):
        return x * tilt.exp().unsqueeze(-1)

def rack():
    return {"tilt": Tilt()}

def rated(sample_rate):
    assert sample_rate == 44100
    return rack()

def wrong():
    return {"tilt": 3}

number = 3
"""


@pytest.fixture
def studio(tmp_path, monkeypatch):
    """A working directory with a module of processors, of a name that no other test has imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path][1:])
    name = f"studio_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(STUDIO)
    return name


def write_toml(path, **content):
    path.write_text(tomli_w.dumps(content), encoding="utf-8")
    return path


@pytest.fixture
def asked(material):
    """What a file needs at least."""
    return {"stems": [str(path) for path in material.stems], "mix": str(material.mix)}


# The round trip

EVERYTHING = {
    "names": ["kick", "pad"],
    "start": 0.5,
    "end": 2.0,
    "groups": {"bus": ["pad"]},
    "chain": ["eq", "gain"],
    "master": ["gain"],
    "returns": {"room": ["reverb", "eq"]},
    "sidechains": {"pad": "kick"},
    "processors": "studio:rack",
    "device": "cpu",
    "seeds": 3,
    "json": True,
    "quiet": True,
    "method": "drywet",
}


def other(value):
    """Another value of an option than its default."""
    return not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else 2 * value


OPTIONS = {f.name: EVERYTHING[f.name] if f.name in EVERYTHING else other(f.default) for f in fields(Options)}
EVERYTHING |= OPTIONS


def test_every_key_is_tried_here():
    assert {*EVERYTHING, "stems", "mix", "out", "prior"} >= {field.name for field in fields(Request)} - {"options"}
    assert {*EVERYTHING, "stems", "mix", "out", "prior"} <= set(NAMES)


def test_a_file_says_all_that_the_command_line_does(tmp_path):
    path = write_toml(
        tmp_path / "search.toml",
        stems=["a/kick.wav", "/b/pad.wav"],
        mix="m.wav",
        out="found",
        prior="p.toml",
        **EVERYTHING,
    )
    request = make_request({}, path)
    assert request.stems == [tmp_path / "a/kick.wav", Path("/b/pad.wav")]
    assert (request.mix, request.out, request.prior) == tuple(tmp_path / name for name in ("m.wav", "found", "p.toml"))
    options = {field.name for field in fields(Options)}
    for name, value in EVERYTHING.items():
        assert getattr(request.options if name in options else request, name) == value, name
    line = make_request(
        {
            "stems": request.stems,
            "mix": request.mix,
            "out": request.out,
            "prior": request.prior,
            **{name: value for name, value in EVERYTHING.items() if name in options},
            "groups": ["bus=pad"],
            "names": "kick, pad",
            "start": 0.5,
            "end": 2,
            "chain": "eq, gain",
            "master": "gain",
            "returns": ["room=reverb,eq"],
            "sidechains": ["pad=kick"],
            **{name: EVERYTHING[name] for name in ("processors", "device", "seeds", "json", "quiet")},
        },
        None,
    )
    assert line == request


def test_what_is_written_is_read_back(tmp_path):
    (tmp_path / "out").mkdir()
    given = {name: value for name, value in EVERYTHING.items() if name not in ("json", "quiet")}
    path = write_toml(
        tmp_path / "a.toml",
        stems=["a b/kück 'n' [1].wav", 'x"y\\z.wav'],
        mix="m.wav",
        out="out",
        prior="p.toml",
        **given,
    )
    request = make_request({}, path)
    write_config(request, tmp_path / "out")
    again = make_request({}, tmp_path / "out" / "config.toml")
    assert [path.resolve() for path in again.stems] == [path.resolve() for path in request.stems]
    assert again.mix.resolve() == request.mix.resolve() and again.out.resolve() == request.out.resolve()
    for name in (*given, "options"):
        if name in {field.name for field in fields(Request)}:
            assert getattr(again, name) == getattr(request, name), name
    written = tomllib.loads((tmp_path / "out" / "config.toml").read_text(encoding="utf-8"))
    assert [written[name] for name in ("mix", "out", "prior")] == ["../m.wav", ".", "../p.toml"] and written["stems"][
        0
    ].startswith("../a b/")


@pytest.mark.skipif(os.name == "nt", reason="names there are text")
def test_names_of_files_that_are_no_text_are_kept(tmp_path):
    stem = tmp_path / os.fsdecode(b"kick \xff\xe4.wav")
    request = Request([stem], tmp_path / "mix.wav", tmp_path)
    write_config(request, tmp_path)
    assert make_request({}, tmp_path / "config.toml").stems[0].resolve() == stem.resolve()


@pytest.mark.parametrize("form", ["group = ['bus=pad']", "[group]\nbus = ['pad']", "[groups]\nbus = ['pad']"])
def test_tables_or_texts(tmp_path, form):
    (tmp_path / "a.toml").write_text(f"{form}\n")
    assert read_config(tmp_path / "a.toml") == {"groups": {"bus": ["pad"]}}


@pytest.mark.parametrize("form, types", [("false", []), ("'none'", []), ("[]", []), ("'eq,gain'", ["eq", "gain"])])
def test_masters(tmp_path, form, types):
    (tmp_path / "a.toml").write_text(f"master = {form}\nfit-steps = 3")
    assert read_config(tmp_path / "a.toml") == {"master": types, "fit_steps": 3}
    assert make_request({"stems": [Path("a")], "mix": Path("m"), "out": Path("o"), "master": "none"}, None).master == []


def test_the_command_line_counts_more(cli, asked, tmp_path, monkeypatch):
    requests = []

    def no_search(material, request, own):
        requests.append(request)
        raise SearchError("enough")

    monkeypatch.setattr(grafx.cli.search, "_search", no_search)
    path = write_toml(tmp_path / "a.toml", **asked, out="there", seed=3, rounds=2, groups={"bus": ["pad"]}, quiet=True)
    cli.refused(cli.run("search", "--config", path), "enough")
    here = ["--out", tmp_path / "here", "--seed", "0", "--group", "other=kick", "--chain", "gain", "--json"]
    cli.refused(cli.run("search", asked["stems"][1], asked["stems"][0], "--config", path, *here), "enough")
    first, second = requests
    assert first.out == tmp_path / "there" and first.groups == {"bus": ["pad"]} and first.chain == list(CHAIN)
    assert first.options == Options(seed=3, rounds=2) and first.quiet and not first.json
    assert second.out == tmp_path / "here" and second.groups == {"other": ["kick"]} and second.chain == ["gain"]
    assert second.options == Options(rounds=2) and second.json and second.quiet
    assert [path.stem for path in second.stems] == ["pad", "kick"]


def test_every_option_of_a_search_is_one_of_the_command_line(cli, monkeypatch, asked, tmp_path):
    requests = []
    monkeypatch.setattr(grafx.cli.search, "_search", lambda m, request, own: requests.append(request) or 1 / 0)
    given = []
    for name, value in OPTIONS.items():
        option = f"{'no-' if value is False else ''}{name.replace('_', '-')}"
        given += [f"--{option}", *([] if isinstance(value, bool) else [value])]
    cli.run("search", *asked["stems"], "--mix", asked["mix"], "--out", tmp_path / "out", *given)
    assert requests[0].options == Options(**OPTIONS)


# What cannot be

WRONG = [
    ("sead = 3", "unknown key 'sead'", "did you mean 'seed'?"),
    ("fit_step = 3", "unknown key 'fit_step'", "'fit_steps'"),
    ("sidechian = ['a=b']", "unknown key 'sidechian'", "'sidechain"),
    ("zzzz = 3", "unknown key 'zzzz'", "stems, mix, out"),
    ("seed = 'a'", "seed is 'a'", "whole number"),
    ("seed = 1.5", "seed is 1.5", "whole number"),
    ("seeds = 0", "seeds is 0", "whole number from 1"),
    ("seeds = true", "seeds is True", "whole number from 1"),
    ("seeds = 2.0", "seeds is 2.0", "whole number from 1"),
    ("tolerance = -1", "tolerance is -1", "at least 0"),
    ("method = 'magic'", "magic", "hybrid"),
    ("quiet = 1", "quiet is 1", "true or false"),
    ("groups = 3", "groups is 3", "table"),
    ("groups = ['a']", "'a'", "NAME=STEM"),
    ("groups = [3]", "groups is [3]", "table"),
    ("[groups]\nbus = 'pad'", "groups is", "table"),
    ("group = ['a=pad']\n[groups]\nb = ['pad']", "'groups' twice", "leave one out"),
    ("[sidechains]\npad = 3", "sidechains is", "table"),
    ("chain = 3", "chain is 3", "list of processors"),
    ("chain = [3]", "chain is [3]", "list of processors"),
    ("master = true", "master is True", "list of processors"),
    ("processors = 3", "processors is 3", "a text"),
    ("device = 0", "device is 0", "a text"),
    ("seed = ", "is no TOML", "a.toml"),
    ('a = \'b\\n\nmix = "C:\\Users\\me.wav"', "is no TOML", "single quotes"),
]


@pytest.mark.parametrize("text, words", [(text, words) for text, *words in WRONG], ids=[text for text, *_ in WRONG])
def test_files_that_cannot_be(cli, asked, tmp_path, text, words):
    path = write_toml(tmp_path / "a.toml", **asked, out="out")
    path.write_text(path.read_text() + text)
    cli.refused(cli.run("search", "--config", path), path, *words, status=2)
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]


@pytest.mark.parametrize(
    "content, words",
    [
        ({"groups": {"bus": ["nobody"]}}, ["nobody", "kick, pad"]),
        ({"processors": "studio"}, ["'studio'", "MODULE:FUNCTION"]),
        ({"chain": ["eqq"]}, ["eqq"]),
    ],
)
def test_what_a_console_cannot_be(cli, asked, tmp_path, content, words):
    path = write_toml(tmp_path / "a.toml", **asked, out="out", **content)
    result = cli.run("search", "--config", path)
    cli.refused(result, *words, status=result.exit_code)
    assert [path.name for path in tmp_path.iterdir()] == ["a.toml"]


@pytest.mark.parametrize("name", ["stems", "mix", "out"])
def test_what_is_missing_is_named(cli, asked, tmp_path, name):
    content = {**asked, "out": "out"}
    del content[name]
    path = write_toml(tmp_path / "a.toml", **content)
    cli.refused(cli.run("search", "--config", path), f"A search needs {name}", "--config", status=2)
    path = write_toml(tmp_path / "a.toml", **{**content, name: [] if name == "stems" else ""})
    cli.refused(cli.run("search", "--config", path), f"{name} is", status=2)


def test_a_file_that_is_not_there(cli, tmp_path):
    cli.refused(cli.run("search", "--config", tmp_path / "a.toml"), "a.toml", "No such file")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    cli.refused(cli.run("search", "--config", tmp_path / "b.toml"), "b.toml is no TOML", status=2)


@pytest.mark.parametrize(
    "options, words",
    [
        (["--chain", "eq,,gain"], ["--chain", "list of processors"]),
        (["--chain", "eqq"], ["eqq"]),
        (["--group", "bus"], ["--group", "NAME=STEM"]),
        (["--returns", "room"], ["--returns", "NAME=PROCESSOR"]),
        (["--sidechain", "pad"], ["--sidechain", "STEM=KEY"]),
        (["--device", "nonsense"], ["device is 'nonsense'", "cpu"]),
        (["--processors", "studio"], ["MODULE:FUNCTION"]),
        (["--processors", "no_such_module:rack"], ["no module no_such_module", "looked for in"]),
        (["--processors", "json:rack"], ["json", "no function rack"]),
        (["--processors", "json:decoder"], ["json", "no function decoder"]),
    ],
)
def test_options_that_cannot_be(cli, search_arguments, tmp_path, options, words):
    result = cli.run(*search_arguments, tmp_path / "out", *options)
    assert result.exit_code in (1, 2)
    cli.refused(result, *words, status=result.exit_code)
    assert not (tmp_path / "out").exists()


# Results that are repeated


def same(first, second):
    """Whether two folders hold the same graph, and mixes that sound alike."""
    graphs = [(folder / "graph.json").read_text() for folder in (first, second)]
    return graphs[0] == graphs[1] and torch.equal(*(read_audio(f / "mix.wav")[0] for f in (first, second)))


def test_a_result_is_repeated_from_its_file(cli, searched, result_folder, tmp_path, material, monkeypatch):
    before = cli.snapshot(searched.folder)
    told = cli.run("search", "--config", searched.folder / "config.toml")
    assert told.exit_code == 0 and "finished already" in told.output
    assert cli.snapshot(searched.folder) == before
    monkeypatch.chdir(tmp_path)
    again = cli.run("search", "--config", searched.folder / "config.toml", "--out", "again")
    assert again.exit_code == 0, (again.output, again.exception)
    assert same(tmp_path / "again", searched.folder)
    assert (
        make_request({}, tmp_path / "again" / "config.toml").options
        == make_request({}, searched.folder / "config.toml").options
    )


def test_a_file_of_ones_own_stays_as_it_is(cli, asked, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    path = write_toml(out / "config.toml", **asked, out=".", fit_steps=1, rounds=0, chain=["gain"])
    path.write_text("# mine\n" + path.read_text())
    content = path.read_bytes()
    result = cli.run("search", "--config", path)
    assert result.exit_code == 0, (result.output, result.exception)
    assert path.read_bytes() == content and (out / "graph.json").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.toml").write_text("# of something else")
    result = cli.run("search", "--config", path, "--out", tmp_path / "other")
    cli.refused(result, "already holds config.toml")


def test_consoles_of_other_chains(cli, search_arguments, tmp_path):
    out = tmp_path / "out"
    result = cli.run(*search_arguments, out, *SHORT, "--chain", "eq,gain", "--master", "gain")
    assert result.exit_code == 0, (result.output, result.exception)
    owners = [(data["owner"], data["node_type"]) for _, data in load_grafx(out)[0].nodes(data=True) if "owner" in data]
    assert sorted(owners) == [
        (s, t) for s in ("kick", "master", "pad") for t in ("eq", "gain") if (s, t) != ("master", "eq")
    ]
    result = cli.run(*search_arguments, tmp_path / "bare", *SHORT, "--chain", "gain", "--master", "none")
    assert result.exit_code == 0
    assert json.loads((tmp_path / "bare" / "metrics.json").read_text())["console_processors"] == 2


# What is printed


def test_json_is_all_that_is_printed(cli, search_arguments, tmp_path):
    for _ in range(2):  # a search, and what it has found already
        result = cli.run(*search_arguments, tmp_path / "out", *SHORT, "--chain", "gain", "--json")
        assert result.exit_code == 0, (result.output, result.exception)
        printed, written = json.loads(result.stdout), json.loads((tmp_path / "out" / "metrics.json").read_text())
        del written["history"]
        assert printed == written and printed["finished"] is True
    assert cli.run("search", "--config", tmp_path / "out" / "config.toml", "--json", "--quiet").stderr == ""
    refused = cli.run(*search_arguments, tmp_path / "out", *SHORT, "--json")
    assert refused.stdout == ""
    cli.refused(refused, "another search")


def test_quiet_is_quiet_except_for_errors(cli, search_arguments, material, tmp_path):
    result = cli.run(*search_arguments, tmp_path / "out", *SHORT, "--chain", "gain", "--quiet")
    assert result.exit_code == 0 and result.output == ""
    mono = cli.write(tmp_path / "kick.wav", cli.make_stems()[0, :1])  # of which a note would tell
    options = ["--mix", material.mix, *SHORT, "--chain", "gain", "--out", tmp_path / "mono"]
    assert cli.run("search", mono, *options, "--quiet", "--json").stderr == ""
    cli.refused(cli.run("search", mono, "--quiet", *options[:-1], tmp_path / "out"), "another search")
    assert "Note" in cli.run("search", mono, *options[:-1], tmp_path / "loud").output


# Processors of one's own


@pytest.mark.parametrize("function", ["rack", "rated"])
def test_processors_of_ones_own(cli, search_arguments, material, studio, tmp_path, function):
    name, out = f"{studio}:{function}", tmp_path / "out"
    result = cli.run(*search_arguments, out, *SHORT, "--chain", "tilt,eq", "--processors", name)
    assert result.exit_code == 0, (result.output, result.exception)
    G, _, metadata = load_grafx(out)
    assert metadata["processors"] == name and metadata["own_processors"] == {"tilt": f"{studio}.Tilt"}
    assert [data["node_type"] for _, data in G.nodes(data=True)].count("tilt") == 3
    again = cli.run("search", "--config", out / "config.toml", "--out", tmp_path / "again")
    assert again.exit_code == 0 and same(out, tmp_path / "again")
    cli.refused(cli.run("render", out, *material.stems, "--out", "a.wav"), "tilt", f"--processors {name}")
    mix = read_audio(out / "mix.wav")[0]
    rendered = cli.run("render", out, *material.stems, "--out", "a.wav", "--processors", name)
    assert rendered.exit_code == 0, rendered.output
    assert torch.allclose(read_audio("a.wav")[0], mix, atol=1e-5)
    assert cli.run("draw", out, "--out", "a.svg", "--above", "settings").exit_code == 0


def test_a_graph_of_unknown_types_names_the_remedy(cli, search_arguments, material, studio, tmp_path):
    out, options = tmp_path / "out", ["--chain", "tilt", "--processors", f"{studio}:rack"]
    assert cli.run(*search_arguments, out, *SHORT, *options).exit_code == 0
    graph = json.loads((out / "graph.json").read_text())
    del graph["metadata"]["own_processors"], graph["metadata"]["processors"]
    (out / "graph.json").write_text(json.dumps(graph))
    result = cli.run("render", out, *material.stems, "--out", "a.wav")
    cli.refused(result, "no processor for the node type tilt", "--processors MODULE:FUNCTION")


def test_modules_that_cannot_be_used(cli, search_arguments, studio, tmp_path):
    def refused(function, *words):
        result = cli.run(*search_arguments, tmp_path / "out", "--processors", function)
        cli.refused(result, *words, status=result.exit_code)
        assert result.exit_code in (1, 2) and not (tmp_path / "out").exists()

    refused(f"{studio}:wrong", f"--processors {studio}:wrong", "'tilt' is a int")
    refused(f"{studio}:number", "no function number")
    (tmp_path / f"{studio}_lacking.py").write_text("import no_such_package_at_all")
    refused(f"{studio}_lacking:rack", "needs the package no_such_package_at_all")
    (tmp_path / f"{studio}_broken.py").write_text("1 / 0")
    result = cli.run(*search_arguments, tmp_path / "out", "--processors", f"{studio}_broken:rack")
    assert isinstance(result.exception, ZeroDivisionError)


def test_returns_and_sidechains(cli, search_arguments, material, tmp_path):
    out = tmp_path / "out"
    options = ["--chain", "gain", "--master", "limiter", "--returns", "room=reverb", "--sidechain", "pad=kick"]
    result = cli.run(*search_arguments, out, *SHORT, *options)
    assert result.exit_code == 0, (result.output, result.exception)
    types = [data["node_type"] for _, data in load_grafx(out)[0].nodes(data=True)]
    assert {"send", "reverb", "ducker", "limiter"} <= set(types) and types.count("send") == 2
    again = cli.run("search", "--config", out / "config.toml", "--out", tmp_path / "again")
    assert again.exit_code == 0 and same(out, tmp_path / "again")
    assert cli.run("render", out, *material.stems, "--out", tmp_path / "a.wav").exit_code == 0
    assert torch.allclose(read_audio(tmp_path / "a.wav")[0], read_audio(out / "mix.wav")[0], atol=1e-5)
    assert cli.run("draw", out, "--out", tmp_path / "a.svg").exit_code == 0
    wrong = cli.run(*search_arguments, tmp_path / "new", "--sidechain", "pad=kik")
    cli.refused(wrong, "kik", "did you mean 'kick'", status=2)
