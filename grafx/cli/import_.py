"""``grafx import``."""

from pathlib import Path

from ..data import GRAFX, save_grafx
from ..errors import ExchangeError
from ..exchange import READERS, read_graph
from ..files import GRAPH_FILE
from .outputs import check_folder
from .sources import AUDIO, IMPORTED
from .terminal import notice


def reader_of(source: str) -> str:
    """What reads a source, by its suffix or its form.

    Raises:
        ExchangeError: Nothing does.
    """
    suffix = Path(source).suffix.lower()
    by_suffix = {reader.suffix: name for name, reader in READERS.items() if reader.suffix}
    if suffix in by_suffix:
        return by_suffix[suffix]
    if ":" in source and not Path(source).exists():
        return "pedalboard"
    known = ", ".join((*by_suffix, "MODULE:FUNCTION"))
    raise ExchangeError(f"{source} is nothing that a graph can be made of: give one of {known}.")


def import_graph(source: str, name: str, out: Path) -> GRAFX:
    """Read a source, and save the graph that it makes."""
    check_folder(out, ExchangeError)
    if (out / GRAPH_FILE).exists():
        raise ExchangeError(f"{out} holds a graph already, which is left as it is: give another folder, or remove it.")
    G, metadata = read_graph(source, name, out / AUDIO)
    for what in metadata.get("left_out", ()):
        notice(f"Left out: {what}.")
    save_grafx(G, out, metadata={**metadata, IMPORTED: True})
    return G
