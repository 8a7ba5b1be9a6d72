"""Tables as Markdown, and the page that keeps the sections."""

import os
import platform
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from .measure import NOT_MEASURED, Unanswered
from .plot import Plot
from .sections import SECTIONS, Bench, load

INTRODUCTION = """\
# Benchmarks

What grafx costs, measured side by side with GRAFX 0.6.0 and with other ways to do the same. Each package runs in a
Python process of its own with all cores; both are asked in turn within one run, when other programs leave the cores
alone, and every number is the median of the repetitions. Columns that name nobody are ours, those marked (0.6.0) are of
GRAFX 0.6.0. A *ratio* is the other number divided by ours: above 1, ours is faster or smaller. "fails" stands for an
exception, "–" for what was not measured. Times depend on the machine; steps and bytes of tensors do not.

To repeat everything, or some sections, and to keep the result on this page:

```bash
python -m benchmarks --peer path/to/python-with-grafx-0.6.0 --scatter path/to/python-with-torch-scatter
python -m benchmarks schedules memory --peer path/to/python-with-grafx-0.6.0
```

The first Python has `grafx==0.6.0 torchaudio torchcomp torchlpc dasp-pytorch pedalboard flamo`, or as many of them as
are to be compared; `diffFx-pytorch`, which asks for other versions of some, goes there by `pip install --no-deps`.
Without `--peer` only our columns are filled, and the page stays as it is. `--audio` names a recording to compare sounds
on, in place of a drum loop. `--quick` runs tiny sizes.
"""


@dataclass
class Table:
    """Rows under column names. A cell is a text or a number; numbers get three significant digits.

    Attributes:
        title: What stands above it.
        columns: Names; the first column describes the rows.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [self.columns, ("---", *["---:" for _ in self.columns[1:]])]
        lines += [tuple(map(_cell, row)) for row in self.rows]
        return "\n".join([f"**{self.title}**", "", *(f"| {' | '.join(line)} |" for line in lines)])


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) or value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}" if abs(value) >= 1e-3 else f"{value:.1e}"


def scaled(value: float | str, factor: float) -> float | str:
    """A number in another unit; a word stays."""
    return value if isinstance(value, str) else value * factor


def ratio(other: float | str, ours: float | str) -> str:
    """How many times ours the other is."""
    if isinstance(other, str) or isinstance(ours, str) or ours == 0:
        return NOT_MEASURED
    return f"{_cell(float(other / ours))}×"


def section_text(module: ModuleType, parts: Iterable[Table | Plot], measured_on: str) -> str:
    """A section of the page: the module's docstring, its tables and plots, and where they were measured."""
    description = module.__doc__.partition("\n")[2].strip()
    return "\n\n".join([_heading(module), description, *map(str, parts), f"*{measured_on}*"]) + "\n"


def updated(page: str, text: str) -> str:
    """The page with one section replaced or added, in the order of the sections."""
    found = {part.partition("\n")[0]: part.rstrip() + "\n" for part in [*re.split(r"(?m)^(?=## )", page)[1:], text]}
    headings = [_heading(load(name)) for name in SECTIONS]
    return "\n".join([INTRODUCTION, *(found[heading] for heading in headings if heading in found)])


def provenance(bench: Bench, module: ModuleType) -> str:
    """Machine and versions."""
    parts = [f"{_processor()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB, {platform.system()}"]
    packages = {"packages": module.PACKAGES} if hasattr(module, "PACKAGES") else {}
    for name in module.WORKERS:
        with suppress(Unanswered):
            parts.append(f"{name}: {getattr(bench, name).ask('about', packages)['about']}")
    return "; ".join(parts) + "."


def _heading(module: ModuleType) -> str:
    return f"## {module.__doc__.partition(chr(10))[0].rstrip('.')}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
