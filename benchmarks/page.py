"""Markdown tables, and the page with all sections."""

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

Time and memory of grafx in comparison with GRAFX 0.6.0 and other packages. Each package runs in a separate Python
process with all cores; both are measured in turn within one run, while other programs leave the cores idle, and every
number is the median of the repetitions. Columns without a name are ours, those marked (0.6.0) are of GRAFX 0.6.0. A
*ratio* is the other number divided by ours: above 1, ours is faster or smaller. "fails" stands for an exception, "–"
for a missing measurement. Times depend on the machine; steps and bytes of tensors do not.

To repeat all or some sections, and to save the result on this page:

```bash
python -m benchmarks --peer path/to/python-with-grafx-0.6.0 --scatter path/to/python-with-torch-scatter
python -m benchmarks schedules memory --peer path/to/python-with-grafx-0.6.0
```

The first Python has `grafx==0.6.0 torchaudio torchcomp torchlpc dasp-pytorch pedalboard flamo`, or those of them that
are compared, and for the section Search `auraloss librosa soundfile`; install `diffFx-pytorch`, which requires other
versions of some, with `pip install --no-deps`. Without `--peer` only our columns are measured, and the page is not
changed. `--audio` names a recording for comparisons of sound, in place of a drum loop, and `--songs` and other options
what is needed by the sections that tell of them. `--quick` runs tiny sizes.
"""


@dataclass
class Table:
    """Table with named columns. A cell is a text or a number; numbers get three significant digits.

    Attributes:
        title: Title of the table.
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
    """Convert a number to another unit; keep a word."""
    return value if isinstance(value, str) else value * factor


def ratio(other: float | str, ours: float | str) -> str:
    """Compute the ratio of the other number to ours."""
    if isinstance(other, str) or isinstance(ours, str) or ours == 0:
        return NOT_MEASURED
    return f"{_cell(float(other / ours))}×"


def section_text(module: ModuleType, parts: Iterable[Table | Plot], measured_on: str) -> str:
    """Format a section of the page: the module's docstring, its tables and plots, and the machine."""
    description = module.__doc__.partition("\n")[2].strip()
    return "\n\n".join([_heading(module), description, *map(str, parts), f"*{measured_on}*"]) + "\n"


def updated(page: str, text: str) -> str:
    """Replace or add a section of the page, in the order of the sections."""
    found = {part.partition("\n")[0]: part.rstrip() + "\n" for part in [*re.split(r"(?m)^(?=## )", page)[1:], text]}
    headings = [_heading(load(name)) for name in SECTIONS]
    return "\n".join([INTRODUCTION, *(found[heading] for heading in headings if heading in found)])


def provenance(bench: Bench, module: ModuleType) -> str:
    """Describe the machine and the versions."""
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
