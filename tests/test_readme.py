"""The example in README.md is what people try first."""

import re
from pathlib import Path

import torch

README = Path(__file__).parent.parent / "README.md"


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
