"""What the start page shows and plays: a small mixing console, its picture, and the stems before and after it."""

from pathlib import Path

import torch
import torch.nn as nn
from grafx.processors import Compressor, DeEsser, Freeverb, Limiter, Panner, ParametricEqualizer, Send
from torch import Tensor

from grafx.data import GRAFX, NodeConfigs
from grafx.draw import draw_grafx
from grafx.render import Renderer

from .sounds import write
from .sources import bass, drums, guitar, voice

STEMS = {"drums": drums, "bass": bass, "guitar": guitar, "voice": voice}
PICTURE = "console.svg"


def console() -> tuple[GRAFX, dict[str, nn.Module]]:
    """Build a console of four stems, with a reverb on a send and a bass that the drums duck."""
    processors = {
        "eq": ParametricEqualizer(num_filters=4),
        "compressor": Compressor(style="desk"),
        "ducker": Compressor(style="desk", sidechain=True),
        "de-esser": DeEsser(),
        "panner": Panner(),
        "send": Send(),
        "reverb": Freeverb(),
        "limiter": Limiter(lookahead_ms=5),
    }
    G = GRAFX(config=NodeConfigs.from_processors(processors))
    bus = G.add("mix", name="mix")
    squash = {"threshold_db": -35.0, "ratio": 4.0, "attack_ms": 8.0, "release_ms": 120.0, "makeup_db": 9.0}
    duck = {"threshold_db": -40.0, "ratio": 8.0, "attack_ms": 2.0, "release_ms": 160.0, "makeup_db": 6.0}
    places = {"frequency_hz": (80.0, 400.0, 3000.0, 9000.0)}
    kit = G.add("in", name="drums")
    drums_end = chain(G, kit, ("eq", {**places, "gain_db": (6.0, -6.0, 3.0, 6.0)}), ("compressor", squash))
    low = G.add("in", name="bass")
    ducked = G.add("ducker", duck)
    G.connect(low, ducked)
    G.connect(kit, ducked, inlet="sidechain")
    guitar_end = chain(
        G, G.add("in", name="guitar"), ("eq", {**places, "gain_db": (-12.0, -3.0, 6.0, 9.0)}), ("panner", {"pan": -0.6})
    )
    sent = chain(
        G,
        G.add("in", name="voice"),
        ("de-esser", {"threshold_db": -55.0, "range_db": -20.0, "ratio": 10.0}),
        ("compressor", squash),
        ("send", {"send_db": -6.0}),
    )
    room = G.add("reverb", {"room_size": 0.8, "damping": 0.4})
    G.connect(sent, room, outlet="send")
    for end in (drums_end, ducked, guitar_end, sent, room):
        G.connect(end, bus)
    chain(G, bus, ("limiter", {"threshold_db": -14.0, "makeup_db": 9.0}), ("out", None))
    return G, processors


def chain(G: GRAFX, start: int, *nodes: tuple[str, dict | None]) -> int:
    """Append nodes one after another, and return the last."""
    end = start
    for node_type, parameters in nodes:
        node = G.add(node_type, parameters)
        G.connect(end, node)
        end = node
    return end


def stems() -> Tensor:
    """The stems, ``(4, 2, samples)``."""
    return torch.cat([source() for source in STEMS.values()])


def make(pictures: Path, sounds: Path) -> str:
    """Draw the console, and write its stems added up and its mix.

    Returns:
        What the picture shows.
    """
    G, processors = console()
    for _, data in G.nodes(data=True):
        if data["node_type"] in ("in", "mix"):
            data["label"] = data["name"]
    pictures.mkdir(parents=True, exist_ok=True)
    figure, _ = draw_grafx(G, node_above="label")
    figure.savefig(pictures / PICTURE, metadata={"Date": None})
    sounds.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        tracks = stems()
        write(sounds / "start_before.mp3", 0.5 * tracks.sum(0, keepdim=True))
        write(sounds / "start_after.mp3", Renderer(G, processors)(tracks))
    return (
        f"A mixing console as a graph of {G.number_of_nodes()} nodes: {', '.join(STEMS)} through processors to a mix."
    )
