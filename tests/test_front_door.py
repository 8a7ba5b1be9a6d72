"""What newcomers read first agrees with what there is."""

import re
import tomllib
from pathlib import Path

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
