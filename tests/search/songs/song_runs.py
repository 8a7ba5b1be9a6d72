"""Folders as searches of many songs leave them, written without any search."""

import json
import random
from pathlib import Path

import torch

from grafx.data import save_grafx
from grafx.search import build_console
from grafx.search.mixing.initial import set_initial_parameters
from grafx.search.mixing.report import describe_chains
from grafx.search.songs.manifest import Song, write_manifest
from grafx.search.songs.state import SongState, write_state

RATE = 44100
CHAIN = ("eq", "compressor", "gain", "reverb")


def console_of(G):
    nodes = [
        {"id": i, "type": d["node_type"], "owner": d.get("owner"), "name": d.get("name")}
        for i, d in sorted(G.nodes(data=True))
    ]
    edges = sorted([s, t, d["outlet"], d["inlet"]] for s, t, d in G.edges(data=True))
    return {"nodes": nodes, "edges": edges}


def write_run(folder, stems, groups=None, returns=None, settings=None, removed=(), seed=0, finished=True):
    """A result whose processors have settings by owner and kind; those that are removed are not in the graph."""
    G = build_console(stems, groups, CHAIN, returns=returns)
    generator = torch.Generator().manual_seed(seed)
    audio = 0.1 * torch.randn(len(stems), 2, 4096, generator=generator)
    set_initial_parameters(G, audio, audio.sum(0), 0, RATE)
    console = console_of(G)
    total = sum("drywet_weight" in data for _, data in G.nodes(data=True))
    for owner, kind in removed:
        for node, data in list(G.nodes(data=True)):
            if (data.get("owner"), data["node_type"]) == (owner, kind):
                before, after = next(iter(G.predecessors(node))), next(iter(G.successors(node)))
                G.remove(node)
                G.connect(before, after)
    for node, data in G.nodes(data=True):
        if "drywet_weight" in data:
            data.pop("parameters", None)
            data["settings"] = (settings or {}).get((data["owner"], data["node_type"]), {})
            data["drywet_weight"] = 0.25 + node / 1000
    folder.mkdir(parents=True)
    save_grafx(G, folder, metadata={"kind": "mixing graph", "sample_rate": RATE, "num_samples": 4 * RATE})
    nodes = [
        {"id": i, "type": d["node_type"], "owner": d["owner"], "loss_without": 0.2 + i / 100}
        for i, d in sorted(G.nodes(data=True))
        if "drywet_weight" in d
    ]
    metrics = {
        "finished": finished,
        "plain_loss": 1.0,
        "console_loss": 0.19,
        "found_loss": 0.2 + seed / 1000,
        "found_over_plain": 0.2 + seed / 1000,
        "cost_of_pruning": 0.01,
        "console_processors": total,
        "found_processors": len(nodes),
        "found_step": 10,
        "removed": 1 - len(nodes) / total,
        "steps": 12,
        "seconds": 100.0 + seed,
        "chains": describe_chains(G),
        "nodes": nodes,
        "console": console,
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1))
    (folder / "config.toml").write_text(f"seed = {seed}\n")
    return G


def write_runs(runs: Path, number=4):
    """Songs of drums and vocals, the last but one of which failed and the last of which waits."""
    draw = random.Random(0)
    songs = []
    for i in range(number):
        name = f"Song {i}"
        songs.append(
            Song(
                name,
                runs.parent / name / "mix.wav",
                {"drums": runs.parent / "d.wav", "vocals_1": runs.parent / "v.wav"},
            )
        )
        if i >= number - 2:
            continue
        settings = {
            ("drums", "compressor"): {"threshold_db": -30.0 + i, "ratio": 4.0, "knee_db": draw.uniform(0, 12)},
            ("drums", "eq"): {"magnitude_db": {"63 Hz": 1.0 + i, "125 Hz": 2.0, "1000 Hz": -3.0}},
            ("vocals_1", "gain"): {"left_gain_db": -6.0, "right_gain_db": -5.0 - i},
            ("vocals_1", "reverb"): {"decay_ms": {"125 Hz": [300.0, 500.0], "1000 Hz": [200.0, 100.0]}},
        }
        removed = [("vocals_1", "compressor"), ("master", "eq"), ("master", "reverb")]
        write_run(runs / name, ["drums", "vocals_1"], settings=settings, removed=removed, seed=i)
        write_state(runs, SongState(name, "done", attempts=1, seconds=60.0, worker="0"))
    write_state(runs, SongState(f"Song {number - 2}", "failed", "drums.wav is <b>damaged</b>.", 2, 5.0, "1"))
    write_manifest(songs, runs / "songs.jsonl")
    return runs
