"""The result of a search in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Column

from ..data import GRAFX
from ..parameters.words import spread_text
from ..search.mixing.report import describe_chains
from ..text import printable
from ..words import count, signed
from .tables import print_table
from .terminal import notice, say


def print_summary(metrics: Mapping[str, Any], G: GRAFX, truth: Mapping[str, Sequence[str]] | None = None) -> None:
    """Print the result of a search, next to the ground truth if known."""
    plain, rows = metrics["plain_loss"], []
    for row, key in (("fitted console", "console"), ("found graph", "found")):
        loss, left = metrics[f"{key}_loss"], metrics[f"{key}_processors"]
        rows.append((row, f"{loss:.4f}", f"{loss / plain:.3f}" if plain > 0 else "–", str(left)))
    rows.append(("plain sum", f"{plain:.4f}", "1.000", "0"))
    numbers = (Column(header, justify="right") for header in ("loss", "of the plain sum", "processors"))
    print_table("Match loss", ("", *numbers), rows)
    say(
        f"{metrics['removed']:.0%} of the processors were removed, which changed the loss by"
        f" {signed(metrics['cost_of_pruning'], 4)}; {count(metrics['steps'], 'step')} in {metrics['seconds']:.0f} s."
    )
    if metrics["found_processors"] and metrics["found_loss"] > plain > 0:
        notice("The result is worse than the plain sum of the stems: more steps may help, and stems that line up.")
    if metrics["found_processors"] == 0:
        notice("No processor is needed: the mix is the plain sum of the stems, as near as the tolerance tells.")
    _print_chains(G, truth)
    if "sure" in metrics:
        _print_sure(metrics)


def _print_sure(metrics: Mapping[str, Any]) -> None:
    """Print how often each processor was found, and how far its settings spread."""
    found = [part for part in metrics["sure"] if part["survived"]]
    rows = []
    for part in sorted(found, key=lambda part: -part["survived"]):
        name = f"{part['type']} on {part['owner']}" + (f" (node {part['id']})" if part["id"] is not None else "")
        wet = {end: 100 * part["drywet_weight"][end] for end in ("lowest", "highest")}
        spreads = [text for text in (spread_text(part["settings"]), spread_text({"wet": wet}) + " %") if text]
        rows.append((printable(name), f"{part['survived']} of {part['of']}", printable(", ".join(spreads))))
    columns = ("processor", Column("seeds", justify="right"), "settings, lowest to highest")
    print_table("What is sure", columns, rows, ruled=True)
    nowhere = len(metrics["sure"]) - len(found)
    words = [f"Of {count(len(metrics['seeds']), 'seed')}, seed {metrics['seed']} found the best graph."]
    words += [f"{count(nowhere, 'processor')} of the console survived in none."] if nowhere else []
    say(" ".join(words))


def _print_chains(G: GRAFX, truth: Mapping[str, Sequence[str]] | None) -> None:
    rows = []
    for name, chain in describe_chains(G).items():
        columns = [chain] if truth is None else [truth.get(name, ()), chain]
        rows.append((printable(name), *("\n".join(map(printable, lines)) or "–" for lines in columns)))
    print_table("What was found", ("chain", *(() if truth is None else ("truth",)), "found"), rows, ruled=True)
