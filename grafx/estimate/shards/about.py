"""What the data in a folder is: a file beside the shards."""

import json
from pathlib import Path
from typing import Any

from ...data.formats.strict_json import read_json
from ...errors import EstimateError
from ...files import replacing_all
from ...text import printable
from ..dataset import GraphDataset

FILE = "data.json"
FORMAT, VERSION = "grafx-data", 1


def about(dataset: GraphDataset) -> dict[str, Any]:
    """All that the examples follow from, as plain data."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "count": dataset.count,
        "seconds": dataset.seconds,
        "seed": dataset.seed,
        "split": dataset.split,
        "by": dataset.by,
        "batch_size": dataset.batch_size,
        "loudness": dataset.loudness,
        "audible_db": dataset.audible_db,
        "sounds": dataset.sounds.description,
        "prior": dataset.prior.plain,
    }


def claim(folder: Path, what: dict[str, Any]) -> None:
    """Say what a folder is for.

    Raises:
        EstimateError: It is for other data.
    """
    what = json.loads(json.dumps(what))
    if (folder / FILE).exists():
        there = read_about(folder)
        differing = next((name for name in what if there.get(name) != what[name]), None)
        if differing is not None:
            raise EstimateError(
                f"{printable(folder)} has other data, with {differing} {there.get(differing)!r:.200}, not"
                f" {what[differing]!r:.200}. Give another folder, or the same arguments."
            )
        return
    if others := sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")):
        raise EstimateError(
            f"{printable(folder)} has {printable(others[0])} in it: give an empty folder, or a new one."
        )
    with replacing_all(folder, [FILE]) as partial:
        (partial / FILE).write_text(json.dumps(what, indent=1) + "\n", encoding="utf-8")


def read_about(folder: Path) -> dict[str, Any]:
    """What a folder is for.

    Raises:
        EstimateError: There is no data in it, or of a later version.
    """
    file = folder / FILE
    try:
        there = read_json(file.read_bytes())
    except FileNotFoundError:
        raise EstimateError(
            f"{printable(folder)} has no {FILE}, so no data: write some by grafx data, and give the folder of that."
        ) from None
    except (OSError, ValueError) as error:
        raise EstimateError(f"{printable(file)} cannot be read: {str(error).rstrip('.')}.") from None
    if not isinstance(there, dict) or there.get("format") != FORMAT or type(there.get("version")) is not int:
        raise EstimateError(f"{printable(file)} does not describe data of grafx.")
    if there["version"] > VERSION:
        raise EstimateError(f"{printable(file)} has version {there['version']}; this package reads up to {VERSION}.")
    return there
