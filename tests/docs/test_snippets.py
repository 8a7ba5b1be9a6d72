"""The code on pages: what stands alone runs alone, and what belongs to a guide after what comes before it there."""

import re
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ALONE = [
    ROOT / "README.md",
    DOCS / "index.md",
    DOCS / "installation.md",
    DOCS / "guides" / "coming_from.md",
    *sorted((DOCS / "api").glob("*.rst")),
]
GUIDES = sorted((DOCS / "guides").glob("*.md"))
BLOCK = re.compile(r"^```(?P<kind>python|\{code-block\} python|\{code-cell\} ipython3)\n(?P<code>.*?)^```", re.M | re.S)
INDENTED = re.compile(r"^\.\. code-block:: python\n\n(?P<code>(?:   .*\n|\n)+)", re.M)
# What takes hours or the results of many songs is compiled only; tests/test_pages.py runs its imports.
TAKES_MORE = {"graphbench.md", "songs.md"}
LONG = {("searching.md", "search_seeds(range(5)")}


def snippets(path):
    """Code blocks of a page, with whether each is a cell."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".rst":
        return [(re.sub(r"^   ", "", match["code"], flags=re.M), False) for match in INDENTED.finditer(text)]
    return [(without_options(match["code"]), "cell" in match["kind"]) for match in BLOCK.finditer(text)]


def without_options(code):
    """Leave out the tags of a cell and what only notebooks understand."""
    return re.sub(r"^(?::\w.*|%\w.*)\n", "", code, flags=re.M)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    torch.manual_seed(0)


@pytest.mark.each("page")
@pytest.mark.parametrize("page", [page for page in ALONE if snippets(page)], ids=lambda page: page.stem)
def test_what_stands_alone_runs(page, elsewhere):
    for code, _ in snippets(page):
        exec(compile(code, str(page), "exec"), {"__name__": "snippet"})


def only_cells(page):
    return all(is_cell for _, is_cell in snippets(page))


def test_all_pages_of_the_reference_open_with_code():
    without = {page.stem for page in (DOCS / "api").glob("*.rst") if not snippets(page)}
    assert without == {"core", "processors", "settings"}


def found():
    """What a search leaves."""
    from grafx.data import save_grafx
    from grafx.search import build_console

    save_grafx(build_console(["drums", "bass"]), "found", metadata={"kind": "mixing graph", "sample_rate": 44100})
    return {}


def model():
    """What a training of seconds leaves, and sounds."""
    from grafx.estimate.recipe import load_recipe
    from grafx.estimate.train import train

    small = {"width": 16, "heads": 2, "channels": 4, "encoder_layers": 1, "decoder_layers": 1}
    steps = {"steps": 4, "batch_size": 8, "validate_every": 2, "warmup": 1}
    data = {"examples": 8, "valid": 4, "seconds": 0.2}
    train(load_recipe("tiny").having(data=data, network=small, training=steps), Path("model"))
    return {"output": 0.1 * torch.randn(1, 8820), "dry": 0.1 * torch.randn(1, 8820), "sample_rate": 44100}


def searched():
    """A search that has ended."""
    from grafx.search import Options, Search, build_console

    stems = 0.1 * torch.randn(2, 2, 3 * 44100)
    console = build_console(["drums", "bass"], chain=["eq", "gain"])
    options = Options(fit_steps=2, rounds=1, tune_steps=1)
    search = Search(stems, 0.5 * stems.sum(0), 44100, ["drums", "bass"], graph=console, options=options)
    list(search.run())
    return {"search": search}


BEFORE = {"drawing.md": searched, "live.md": found, "estimating.md": model}


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in GUIDES if not only_cells(page)], ids=lambda page: page.stem)
def test_guides_run(page, elsewhere):
    """Those with code beside their cells, as cells alone run when the site is built."""
    if "from IPython" in page.read_text(encoding="utf-8"):
        pytest.importorskip("IPython")
    names = {"__name__": "snippet", **BEFORE.get(page.name, dict)()}
    for code, is_cell in snippets(page):
        source = compile(code, str(page), "exec")
        long = any(page.name == name and part in code for name, part in LONG)
        if is_cell or not (page.name in TAKES_MORE or long):
            exec(source, names)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
@pytest.mark.each("page")
def test_guides_compile(page):
    for code, _ in snippets(page):
        compile(code, str(page), "exec")
