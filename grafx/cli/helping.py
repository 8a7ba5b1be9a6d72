"""The help of commands, in two columns or, on a narrow terminal, in one."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from .terminal import terminal
from .wrapping import described, wrapped

WIDEST = 110
"""Longer lines are hard to read."""


class HelpingCommand(TyperCommand):
    """A command with help that no terminal breaks."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _print_help(self, ctx)


class HelpingGroup(TyperGroup):
    """Commands with help that no terminal breaks."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _print_help(self, ctx)


def _print_help(command: Any, ctx: Any) -> None:
    """Print the help, as Typer does with Rich: what it is formatted into stays empty."""
    for line in _lines(command, ctx, min(terminal.width, WIDEST)):
        terminal.print(line, soft_wrap=True)


def _lines(command: Any, ctx: Any, width: int) -> Iterator[Text]:
    usage = " ".join(command.get_usage(ctx).split())
    usage = re.sub(r"\{(\w+)\}|\[\w+\]", lambda match: (match[1] or match[0]).upper(), usage)
    yield from (Text(line, "bold") for line in wrapped(usage, width))
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield Text()
        yield from map(Text, wrapped(" ".join(paragraph.split()), width))
    for title, records in _sections(command, ctx).items():
        if records:
            yield from (Text(), Text(title, "bold"))
            for name, text in described(records, width):
                yield _with_options_marked(name) + Text(text)


def _sections(command: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """What there is to be given: each by name, with what it is for."""
    sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], "Commands": []}
    for parameter in command.get_params(ctx):
        if (record := parameter.get_help_record(ctx)) is not None:
            text = " ".join(re.sub(r"\[default: \(([^()]*)\)", r"[default: \1", record[1]).split())
            if parameter.param_type_name == "argument":
                sections["Arguments"].append((re.sub(r" *<[^>]*>", "", record[0]).upper(), text))
            else:
                sections["Options"].append((_with_plain_types(record[0]), text))
    for name in command.list_commands(ctx) if isinstance(command, TyperGroup) else ():
        found = command.get_command(ctx, name)
        summary = (found and found.help) or ""
        sections["Commands"].append((name, " ".join(summary.partition("\n\n")[0].split())))
    return sections


def _with_plain_types(name: str) -> str:
    """What an option takes in a word, as Typer had it once: ``PATH`` for ``<list[Path]>``."""
    name = re.sub(r"<(?:list\[)?([\w ]+?)(?: range)?\]?>", lambda match: match[1].upper(), name)
    return re.sub(r"\bSTR\b", "TEXT", name)


def _with_options_marked(name: str) -> Text:
    text = Text(name, "cyan")
    text.highlight_regex(r"(?<!\S)--?[a-zA-Z][\w-]*", "bold")
    text.highlight_regex(r"\b[A-Z:|]{3,}\b", "not bold yellow")
    return text
