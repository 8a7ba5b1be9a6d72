"""Draw docs/images/console.svg, the picture in README.md."""

from pathlib import Path

from grafx.draw import draw_grafx
from grafx.search import build_console

G = build_console(
    ["drums", "bass", "guitar", "vocals"],
    groups={"band": ["bass", "guitar"]},
    chain=["eq", "compressor", "gain", "reverb"],
)
for _, data in G.nodes(data=True):
    if data["node_type"] in ("in", "mix"):
        data["label"] = data["name"]
figure, _ = draw_grafx(G, node_above="label")
figure.savefig(Path(__file__).with_name("console.svg"), metadata={"Date": None})
