"""The result of a search in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from ..data import GRAFX
from ..parameters.words import spread_text
from ..search.mixing.report import describe_chains
from ..text import printable
from ..words import count, signed
from .terminal import notice, say, terminal


def print_summary(metrics: Mapping[str, Any], G: GRAFX, truth: Mapping[str, Sequence[str]] | None = None) -> None:
    """Print the result of a search, next to the ground truth if known."""
    table = Table(title="Match loss", title_justify="left")
    table.add_column("")
    for column in ("loss", "of the plain sum", "processors"):
        table.add_column(column, justify="right")
    plain = metrics["plain_loss"]
    for row, key in (("fitted console", "console"), ("found graph", "found")):
        loss, left = metrics[f"{key}_loss"], metrics[f"{key}_processors"]
        table.add_row(row, f"{loss:.4f}", f"{loss / plain:.3f}" if plain > 0 else "–", str(left))
    table.add_row("plain sum", f"{plain:.4f}", "1.000", "0")
    terminal.print(table)
    say(
        f"{metrics['removed']:.0%} of the processors were removed, which changed the loss by"
        f" {signed(metrics['cost_of_pruning'], 4)}; {count(metrics['steps'], 'step')} in {metrics['seconds']:.0f} s."
    )
    if metrics["found_processors"] and metrics["found_loss"] > plain > 0:
        notice("The result is worse than the plain sum of the stems: more steps may help, and stems that line up.")
    if metrics["found_processors"] == 0:
        notice("No processor is needed: the mix is the plain sum of the stems, as near as the tolerance tells.")
    terminal.print(_chains_table(G, truth))
    if "sure" in metrics:
        _print_sure(metrics)


def _print_sure(metrics: Mapping[str, Any]) -> None:
    """Print how often each processor was found, and how far its settings spread."""
    found = [part for part in metrics["sure"] if part["survived"]]
    table = Table(title="What is sure", title_justify="left", show_lines=True)
    table.add_column("processor")
    table.add_column("seeds", justify="right")
    table.add_column("settings, lowest to highest", overflow="fold")
    for part in sorted(found, key=lambda part: -part["survived"]):
        name = f"{part['type']} on {part['owner']}" + (f" (node {part['id']})" if part["id"] is not None else "")
        wet = {end: 100 * part["drywet_weight"][end] for end in ("lowest", "highest")}
        spreads = [text for text in (spread_text(part["settings"]), spread_text({"wet": wet}) + " %") if text]
        table.add_row(printable(name), f"{part['survived']} of {part['of']}", printable(", ".join(spreads)))
    terminal.print(table)
    nowhere = len(metrics["sure"]) - len(found)
    words = [f"Of {count(len(metrics['seeds']), 'seed')}, seed {metrics['seed']} found the best graph."]
    words += [f"{count(nowhere, 'processor')} of the console survived in none."] if nowhere else []
    say(" ".join(words))


def _chains_table(G: GRAFX, truth: Mapping[str, Sequence[str]] | None) -> Table:
    table = Table(title="What was found", title_justify="left", show_lines=True)
    table.add_column("chain")
    if truth is not None:
        table.add_column("truth", overflow="fold")
    table.add_column("found", overflow="fold")
    for name, chain in describe_chains(G).items():
        columns = [chain] if truth is None else [truth.get(name, ()), chain]
        table.add_row(printable(name), *("\n".join(map(printable, lines)) or "–" for lines in columns))
    return table
