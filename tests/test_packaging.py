import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def packages_in(folder, name):
    inits = (ROOT / folder).rglob("__init__.py")
    return {".".join([name, *path.parent.relative_to(ROOT / folder).parts]) for path in inits}


@pytest.mark.parametrize("linked", [True, False])
def test_all_packages_are_installed(tmp_path, linked):
    """Also from a checkout whose file system has no links."""
    shutil.copytree(ROOT / "grafx", tmp_path / "grafx", ignore=shutil.ignore_patterns("processors", "__pycache__"))
    processors = ROOT / "processors"
    for place in [tmp_path / "processors", *([tmp_path / "grafx" / "processors"] if linked else [])]:
        shutil.copytree(processors, place, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "setup.py", tmp_path)
    show = "setuptools.setup = lambda **options: print(sorted(options['packages']))"
    found = run(f"import runpy, setuptools; {show}; runpy.run_path('setup.py')", tmp_path)
    assert found == str(sorted(packages_in("grafx", "grafx") | packages_in("processors", "grafx.processors")))


def test_type_checkers_may_use_the_annotations():
    assert (ROOT / "grafx" / "py.typed").exists()
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert "py.typed" in options["package-data"]["grafx"]


def test_all_that_is_no_module_is_installed_too():
    """Scripts, styles and templates of pages."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    installed = {path for pattern in options["package-data"]["grafx"] for path in (ROOT / "grafx").glob(pattern)}
    others = {path for path in (ROOT / "grafx").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert others <= installed
    assert {"viewer.js", "viewer.css"} <= {path.name for path in others}


def test_the_package_comes_before_a_folder_that_has_its_name(tmp_path):
    (tmp_path / "grafx").mkdir()
    assert run("import grafx, grafx.processors; print(grafx.__file__ is not None)", tmp_path) == "True"


@pytest.mark.parametrize("folder", ["grafx", "processors"])
def test_every_folder_of_modules_is_a_package(folder):
    folders = {path.parent for path in (ROOT / folder).rglob("*.py")}
    assert [str(path) for path in folders if not (path / "__init__.py").exists()] == []


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


def test_a_search_needs_no_package_that_tests_compare_it_with(tmp_path):
    code = """
        import sys

        sys.modules |= dict.fromkeys(["auraloss", "librosa"])  # importing them fails
        import torch
        from grafx.search import Options, Search

        stems = 0.1 * torch.randn(2, 2, 5000)
        search = Search(stems, 0.5 * stems.sum(0), 44100, ["kick", "pad"], options=Options(fit_steps=1, rounds=0))
        list(search.run())
        print(search.best.loss > 0)
    """
    assert run(textwrap.dedent(code), tmp_path) == "True"


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
