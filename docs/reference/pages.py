"""The page of each processor, and the list of all, in reStructuredText."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from .examples import PUBLIC, examples_of, snippet
from .facts import plain_summary, rows_of, summary, words_of
from .sounds import Sound

MEMBERS = (
    ":members:",
    ":inherited-members: Processor, Contract, Constants, Module",  # whose members are documented once, or by torch
    # What a processor is made of, and does not do for those who use it.
    ":exclude-members: parameter_size, declare_controls, declare_leaves, leaves, own_size, members, raw_to_dsp, "
    "values_to_raw, curve, level, detector, gain, log_gain, formula, generate, modulate, wave, color",
)


def page(name: str, family: str, pictures: Sequence[tuple[str, str]], sounds: Sequence[Sound]) -> str:
    """Write the page of a processor.

    Args:
        name: Class of ``grafx.processors``.
        family: Title of its family.
        pictures: Path and alternative text of each.
        sounds: What can be heard.
    """
    words = words_of(name)
    return "\n".join(
        [
            *heading(name, "="),
            ".. meta::",
            f"   :description: {plain_summary(name)}",
            f"   :keywords: {', '.join([family, *words])}",
            "",
            ".. currentmodule:: grafx.processors",
            "",
            ".. rst-class:: lead",
            "",
            summary(name),
            "",
            *container("sounds", [line for sound in sounds for line in player(sound)]),
            *container("pictures", [line for path, text in pictures for line in image(path, text)]),
            *code(name),
            *controls(name),
            *heading("Equation, arguments and methods"),
            f".. autoclass:: {name}",
            *(f"   {option}" for option in MEMBERS),
            "",
            ".. rst-class:: found",
            "",
            f"In the family :doc:`{family} <../processors>`"
            + (f". Also found as: {', '.join(words)}." if words else "."),
            "",
        ]
    )


def heading(title: str, mark: str = "-") -> list[str]:
    return ["", title, mark * len(title), ""]


def container(kind: str, lines: Sequence[str]) -> list[str]:
    return [f".. container:: {kind}", "", *(f"   {line}" for line in lines), ""] if lines else []


def player(sound: Sound) -> list[str]:
    return [f".. sound:: {sound.file}", f"   :title: {sound.title}", "", f"   {sound.caption}", ""]


def image(path: str, text: str) -> list[str]:
    return [f".. image:: /{path}", f"   :alt: {' '.join(text.split())}", ""]


def code(name: str) -> list[str]:
    """The snippets of a processor."""
    lines = heading("Use it")
    for example in examples_of(name):
        lines += [f"{example.note[0].upper()}{example.note[1:]}:", ""] if example.note else []
        lines += [".. code-block:: python", "", *(f"   {line}".rstrip() for line in snippet(example).split("\n")), ""]
    return lines


def controls(name: str) -> list[str]:
    """The table of controls, in the order of normalized values."""
    rows = rows_of(name)
    lines = heading("Controls")
    if not rows:
        return [*lines, "None: it does one thing.", ""]
    options = [":header-rows: 1", ":class: controls", ":widths: auto"]
    lines += [".. list-table::", *(f"   {option}" for option in options), ""]
    for row in [("Control", "Unit", "Range", "Default", "Meaning"), *map(cells, rows)]:
        lines += ["   * - " + row[0], *(f"     - {cell}".rstrip() for cell in row[1:])]
    return [
        *lines,
        "",
        "Ranges are those of the processor above; ``param_range`` changes them. A knob goes through",
        "those marked *log* in equal ratios.",
        "",
    ]


def cells(row) -> tuple[str, ...]:
    shape = f" ({row.shape})" if row.shape else ""
    span = row.range + (", *log*" if row.scale == "log" else "")
    return (f"``{row.name}``{shape}", row.unit or "–", span, row.default, row.meaning)


def write_all(folder: Path, texts: Mapping[str, str]) -> None:
    """Write pages by name unless they are unchanged, so that they are read only if necessary; others there go."""
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.rst"):
        if path.stem not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def index(families: Mapping[str, Mapping[str, str]]) -> str:
    """List all processors by family.

    Args:
        families: Title to name to the alternative text of the small picture.
    """
    lines = []
    for family, members in families.items():
        lines += [*heading(family), ".. toctree::", "   :hidden:", ""]
        lines += [*(f"   processors/{name}" for name in members), ""]
        lines += container("cards", [line for name, text in members.items() for line in card(name, text)])
    return "\n".join(lines)


def card(name: str, text: str) -> list[str]:
    return [
        f".. figure:: /generated/processors/{name}_small.svg",
        f"   :target: processors/{name}.html",
        f"   :alt: {' '.join(text.split())}",
        "   :figclass: card",
        "",
        f"   :doc:`processors/{name}`",
        "",
        f"   {plain_summary(name)}",
        "",
        "   .. rst-class:: words",
        "",
        f"   {' '.join(words_of(name)) or name}",
        "",
    ]


def check(pictured: Mapping[str, Mapping[str, object]]) -> None:
    """Refuse a list that lacks a public processor.

    Raises:
        LookupError: The message names those without a family.
    """
    if missing := {*PUBLIC} - {name for members in pictured.values() for name in members}:
        raise LookupError(f"No family in docs/gallery has {sorted(missing)}.")
