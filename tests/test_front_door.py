"""What newcomers read first agrees with what there is."""

import inspect
import json
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import torch

import grafx
from grafx.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")


def test_paths_in_contributing_exist():
    named = set(re.findall(r"`([\w./]+/[\w./]*)`", CONTRIBUTING)) - {"backends/"}
    map_of_folders = {path for line in re.findall(r"^    (\S.*?)  ", CONTRIBUTING, re.M) for path in line.split(", ")}
    linked = set(re.findall(r"\]\((?!https?:)([^)#]+)", CONTRIBUTING))
    assert len(named) > 8 and len(map_of_folders) > 8 and linked
    assert [path for path in sorted(named | map_of_folders | linked) if not (ROOT / path).exists()] == []


def test_workflows_run_every_python_that_is_promised():
    promised = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", c)}
    (matrix,) = re.findall(r"python: \[(.*)\]", WORKFLOW)
    assert set(re.findall(r"[\d.]+", matrix)) == promised
    assert min(promised, key=lambda v: int(v[2:])) == PROJECT["requires-python"].removeprefix(">=")


def test_workflows_run_the_oldest_torch_that_is_allowed():
    (oldest,) = re.findall(r"^torch>=([\d.]+)", "\n".join(PROJECT["dependencies"]), re.M)
    assert f'"torch=={oldest}.0"' in WORKFLOW
    assert f" {oldest}.0)" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_addresses_of_the_project_are_those_of_its_bibliography():
    bibliography = (ROOT / "docs" / "bibliography.md").read_text(encoding="utf-8")
    assert [url for url in PROJECT["urls"].values() if f"({url})" not in bibliography] == []


def test_the_map_of_the_package_is_true():
    """Its example runs, and all packages and names that it mentions are there."""
    doc = inspect.getdoc(grafx)
    example = textwrap.dedent(doc.partition("::\n\n")[2].partition("\nPackages")[0])
    torch.manual_seed(0)
    names = {"signals": torch.randn(1, 2, 2000)}
    exec(compile(example, "help(grafx)", "exec"), names)
    assert names["mix"].shape == (1, 2, 2000)
    rows = re.findall(r"^ +grafx\.(\w+) +(.*)$", doc, re.M)
    assert len(rows) == 12
    for package, text in rows:
        module = getattr(grafx, package)
        for name in re.findall(r"\b[A-Z]\w+|\b[a-z]+_[a-z_]+|\binvert\b", text.partition(";")[0].partition(":")[2]):
            assert hasattr(module, name), f"grafx.{package} has no {name}"


def test_help_says_what_is_inside_and_loads_nothing():
    code = "import sys, pydoc, grafx; print(pydoc.plain(pydoc.render_doc(grafx))); assert 'torch' not in sys.modules"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=True)
    assert "Renderer(G, processors)" in shown.stdout and "grafx.search " in shown.stdout


MISTAKES = [
    "--version",
    "--help",
    "nope",
    "search",
    "search --nope",
    "search a.wav --mix b.wav --method nope",
    "search a.wav --mix b.wav --out c --tolerance -1",
    "render missing-folder",
    "render missing-folder a.wav --out b.wav",
    "report missing-folder",
    "open missing-folder",
    "draw missing-folder --out a.svg",
    "draw missing-folder --out a.xyz",
    "songs --help",
    "songs search a.jsonl --workers 2 --scheduler here --out b",
    "data mix --out a --count 0",
    *(f"{command} --nope" for command in ("train", "estimate", "processors", "demo", "songs scan", "songs check")),
    *(f"{command} --help" for command in COMMANDS),
]
HEAVY = ("torch", "numpy", "scipy", "numba", "networkx", "matplotlib", "soundfile")
ALL_MISTAKES = """
import contextlib, io, json, sys
from grafx.cli import main

for line in json.loads(sys.argv[1]):
    sys.argv[1:] = line.split()
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
        main()
    loaded = [name for name in json.loads(sys.argv_heavy) if name in sys.modules]
    print(json.dumps([line, said.getvalue(), loaded]), file=sys.__stdout__)
"""


def test_help_and_wrong_usage_load_nothing_that_computes(tmp_path):
    code = ALL_MISTAKES.replace("sys.argv_heavy", repr(json.dumps(HEAVY)))
    run = subprocess.run(
        [sys.executable, "-c", code, json.dumps(MISTAKES)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    told = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line for line, _, _ in told] == MISTAKES
    assert [line for line, said, _ in told if not said] == []
    assert {line: loaded for line, _, loaded in told if loaded} == {}
    assert not list(tmp_path.iterdir())


def test_packages_are_loaded_when_they_are_asked_for():
    code = "import grafx; grafx.data.GRAFX; grafx.processors.Compressor; print(hasattr(grafx, 'nothing'))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
