"""The example in README.md is what people try first."""

import re
import tomllib
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
INSTALLATION = ROOT / "docs" / "installation.md"


def test_its_example_runs_and_trains():
    (example,) = re.findall(
        r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    torch.manual_seed(0)
    names = {}
    exec(compile(example, str(README), "exec"), names)
    assert names["mix"].shape == (1, 2, 44100)
    gradients = [parameter.grad for parameter in names["renderer"].parameters()]
    assert len(gradients) > 5
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def test_its_links_lead_to_files():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README.read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if not (README.parent / target).is_file()] == []


def test_the_example_of_the_installation_runs():
    examples = re.findall(r"^```python\n(.*?)^```", INSTALLATION.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert examples
    for example in examples:
        names = {}
        exec(compile(example, str(INSTALLATION), "exec"), names)
        assert names["mix"].shape == (1, 2, 44100) and names["mix"].isfinite().all()


def test_it_lists_all_guides_and_notebooks():
    text = README.read_text(encoding="utf-8")
    pages = [*(ROOT / "docs" / "guides").glob("*.md"), *(ROOT / "notebooks").glob("*.md")]
    assert len(pages) > 15
    assert [page.name for page in pages if f"({page.relative_to(ROOT).as_posix()})" not in text] == []


def test_it_says_what_is_needed():
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    for page in (README, INSTALLATION):
        text = page.read_text(encoding="utf-8")
        assert f"Python {lowest}" in text and "GB" in text and "minutes" in text
