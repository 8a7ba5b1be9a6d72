"""What newcomers read first agrees with what there is."""

import inspect
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import torch

import grafx

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
    assert len(rows) == 11
    for package, text in rows:
        module = getattr(grafx, package)
        for name in re.findall(r"\b[A-Z]\w+|\b[a-z]+_[a-z_]+|\binvert\b", text.partition(";")[0].partition(":")[2]):
            assert hasattr(module, name), f"grafx.{package} has no {name}"


def test_help_says_what_is_inside_and_loads_nothing():
    code = "import sys, pydoc, grafx; print(pydoc.plain(pydoc.render_doc(grafx))); assert 'torch' not in sys.modules"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=True)
    assert "Renderer(G, processors)" in shown.stdout and "grafx.search " in shown.stdout


def test_packages_are_loaded_when_they_are_asked_for():
    code = "import grafx; grafx.data.GRAFX; grafx.processors.Compressor; print(hasattr(grafx, 'nothing'))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
