"""Options of the command line for all fields of the options of a search."""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from enum import Enum
from typing import Annotated, Any

import typer

from ..search.mixing.options import Options
from ..search.mixing.prune import METHODS
from .config import ALIASES

Method = Enum("Method", {name: name for name in METHODS}, type=str)


def with_search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take an option for each field of :class:`.Options`, with its help, instead of ``**options``."""
    signature = inspect.signature(command)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    added = [_parameter(option.name, option.type, option.default) for option in fields(Options)]
    parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own, *added)]
    command.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ |= {p.name: p.annotation for p in added}
    return command


def with_options_of(other: Callable[..., Any], *left_out: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a command take the options of another, but for some, instead of ``**options``."""
    theirs = [p for p in inspect.signature(other).parameters.values() if p.name not in left_out]

    def adding(command: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(command)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        added = [p for p in theirs if p.name not in signature.parameters]
        parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own, *added)]
        command.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportFunctionMemberAccess]
        command.__annotations__ |= {p.name: p.annotation for p in added}
        return command

    return adding


def given(ctx: typer.Context, *left_out: str) -> dict[str, Any]:
    """What the command line gives of a :class:`.Request`, rather than defaults."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    names = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    values = {ALIASES.get(name, name): ctx.params[name] for name in names if name not in left_out}
    return {name: getattr(value, "value", value) for name, value in values.items()}


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    limits: dict[str, Any] = {"min": 0} if kind in (int, float) else {}
    if name == "method":
        kind, default = Method, Method[default]  # pyright: ignore[reportIndexIssue]
    annotation = Annotated[kind, typer.Option(help=_helps()[name], **limits)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _helps() -> dict[str, str]:
    """What the documentation says of each field, without markup."""
    attributes = (inspect.getdoc(Options) or "").partition("Attributes:")[2].partition("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    return {name: re.sub(r":\w+:|`", "", " ".join(text.split())) for name, text in entries}
