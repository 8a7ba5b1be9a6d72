import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def setuptools_settings():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def packages_in(folder, name):
    inits = (ROOT / folder).rglob("__init__.py")
    return {".".join([name, *path.parent.relative_to(ROOT / folder).parts]) for path in inits}


def test_the_package_list_is_complete():
    expected = packages_in("grafx", "grafx") | packages_in("processors", "grafx.processors")
    assert sorted(setuptools_settings()["packages"]) == sorted(expected)
    assert setuptools_settings()["package-dir"] == {"grafx": "grafx", "grafx.processors": "processors"}


@pytest.mark.parametrize("folder", ["grafx", "processors"])
def test_every_folder_of_modules_is_a_package(folder):
    folders = {path.parent for path in (ROOT / folder).rglob("*.py")}
    assert [str(path) for path in folders if not (path / "__init__.py").exists()] == []


def test_processors_do_not_know_the_graph():
    for path in (ROOT / "processors").rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        imports = [line.strip() for line in lines if line.strip().startswith(("import ", "from "))]
        outside = [line for line in imports if "grafx" in line or line.startswith("from ...")]
        if path.parent == ROOT / "processors":
            outside += [line for line in imports if line.startswith("from ..")]
        assert not outside, path


def run(code, folder):
    result = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize("module", ["grafx", "grafx.data, grafx.render, grafx.utils"])
@pytest.mark.slow
def test_imports_are_light(tmp_path, module):
    heavy = [
        "matplotlib",
        "numba",
        "auraloss",
        "typer",
        "rich",
        "soundfile",
        "librosa",
        "torch_geometric",
        "torch_scatter",
    ]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    assert run(code, tmp_path) == "[]"


@pytest.mark.slow
def test_processors_import_from_another_folder(tmp_path):
    code = "import grafx.processors as p, pathlib; print(pathlib.Path(p.__file__).parent.name, p.__name__)"
    assert run(code, tmp_path) in ("processors grafx.processors",)


def test_the_version_is_that_of_the_project(tmp_path):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run("import grafx; print(grafx.__version__)", tmp_path) == version


def test_errors_are_value_errors():
    from grafx.processors.base import ParameterError

    from grafx.data import GraphError
    from grafx.render import RenderError

    for error in (GraphError, RenderError, ParameterError):
        assert issubclass(error, ValueError)
