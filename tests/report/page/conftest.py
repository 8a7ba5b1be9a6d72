"""Small models of pages, by the form that the report gives them, and pages written from them."""

import io
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

RATE = 8000
SECONDS = 2.0
SAMPLES = int(RATE * SECONDS)
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5"
    "ErkJggg=="
)


def encoded(signal, codec="wav"):
    """Bytes of a ``(C, L)`` signal: float samples, or FLAC with 16 bits."""
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    subtype = "FLOAT" if codec == "wav" else "PCM_16"
    soundfile.write(file, signal.T, RATE, format=codec.upper(), subtype=subtype)
    return file.getvalue()


def noise(seed, level=0.1, length=SAMPLES, channels=2):
    return (level * np.random.default_rng(seed).uniform(-1, 1, (channels, length))).astype(np.float32)


def sound(label, signal, start=0.0, lufs=-20.0, codec="wav"):
    step = max(1, signal.shape[1] // 50)
    pieces = [signal[:, i : i + step] for i in range(0, signal.shape[1], step)]
    return {
        "label": label,
        "start": start,
        "seconds": signal.shape[1] / RATE,
        "lufs": lufs,
        "codec": codec,
        "mime": "audio/wav" if codec == "wav" else "audio/flac",
        "src": None,
        "peak": float(np.abs(signal).max()),
        "peaks": [[round(127 * float(p.min())), round(127 * float(p.max()))] for p in pieces],
    }


def curve(title="Magnitude", unit="Hz", scale="log", low=20, high=4000, label="left"):
    x = list(np.geomspace(max(low, 1e-3), high, 30) if scale == "log" else np.linspace(low, high, 30))
    y = [6 * math.sin(i / 4) for i in range(30)]
    return {
        "kind": "plot",
        "title": title,
        "x": {"label": "Frequency", "unit": unit, "scale": scale, "low": low, "high": high},
        "y": {"label": "Gain", "unit": "dB", "scale": "linear", "low": -12, "high": 12},
        "series": [{"label": label, "x": x, "y": y, "style": "line"}],
    }


def make_picture(types, edges):
    nodes = [
        {
            **{"id": i, "type": t, "name": None, "short": t[:3], "x": 60 * i + 20, "y": 40, "width": 40, "height": 24},
            **{"fill": "#93c5ea", "ink": "#1f2937", "outline": "#51738a", "round": t in ("in", "out", "mix")},
            **{"above": None, "lines": [], "wet": None, "bypassed": False, "group": None, "chain": 0},
        }
        for i, t in enumerate(types)
    ]
    return {
        "width": 60 * len(types) + 20,
        "height": 80,
        "nodes": nodes,
        "edges": [
            {
                **{"source": u, "dest": v, "key": 0, "outlet": "main", "inlet": "main", "backward": False},
                "points": [[60 * u + 40, 40], [60 * v, 40]],
            }
            for u, v in edges
        ],
        "legend": [],
    }


def make_model(codec="wav"):
    """A stem through an equalizer and a compressor beside a second stem; 2 s at 8 kHz; and its signals by key."""
    types = ["in", "in", "eq", "compressor", "mix", "out"]
    edges = [(0, 2), (2, 3), (3, 4), (1, 4), (4, 5)]
    signals = {
        "mix": noise(1, 0.4),
        "target": noise(2, 0.2),
        "solo-0": noise(3, 0.1),
        "solo-1": noise(4, 0.2),
        "2-in": noise(5, 0.1),
        "2-out": noise(6, 0.2),
        "3-out": noise(7, 0.3, SAMPLES // 4),
    }
    signals["difference"] = signals["mix"] - signals["target"]
    signals["2-adds"] = signals["2-out"] - signals["2-in"]
    lufs = {"mix": -12.0, "target": -18.0, "2-in": -24.0, "2-out": -18.0}
    sounds = {key: sound(key, signal, 0.0, lufs.get(key, -20.0), codec) for key, signal in signals.items()}
    sounds["3-out"]["start"] = 1.0
    nodes = {}
    for i, node_type in enumerate(types):
        nodes[str(i)] = {
            **{
                "id": i,
                "type": node_type,
                "name": None,
                "owner": ["vocals", "bass", "vocals", "vocals", None, None][i],
            },
            **{"label": f"{node_type} {i}", "wet": 0.5 if i == 2 else None, "bypassed": i == 3},
            "inputs": [u for u, v in edges if v == i],
            "outputs": [v for u, v in edges if u == i],
            **{"settings": [], "views": [], "sounds": {}, "loss_without": None},
        }
    nodes["2"] |= {
        "settings": [
            {"path": "gain_db", "name": "gain", "value": [-3.25, 10.0], "unit": "dB", "text": "−3.25, 10 dB"},
            {"path": "cutoff_hz", "name": "cutoff", "value": 120.5, "unit": "Hz", "text": "120.5 Hz"},
        ],
        "views": [curve(), curve("Over time", "s", "linear", 0, SECONDS)],
        "sounds": {"out": "2-out", "in": "2-in", "adds": "2-adds"},
        "loss_without": 0.5,
    }
    nodes["3"] |= {
        "settings": [{"path": "threshold_db", "name": "threshold", "value": -24, "unit": "dB", "text": "−24 dB"}],
        "views": [curve("Decay", "s", "linear", 0, 0.3), {"kind": "text", "title": "Note", "text": "words"}],
        "sounds": {"out": "3-out"},
        "loss_without": 0.9,
    }
    spectrogram = {"src": PIXEL, "low_hz": 30, "high_hz": 4000, "low_db": -80, "high_db": 0, "seconds": SECONDS}
    spectrogram |= {"scale": "log", "map": "magma"}
    over = {"values": [0.2, 0.4, 0.1], "plain": [1.0, 2.0, 1.5]}
    rounds = [
        {"round": 0, "step": 100, "loss": 0.5, "processors": 4, "removed": [], "left": [2, 3, 6, 7], "chosen": False},
        {"round": 1, "step": 200, "loss": 0.45, "processors": 3, "removed": [6], "left": [2, 3, 7], "chosen": False},
        {"round": 2, "step": 300, "loss": 0.4, "processors": 2, "removed": [7], "left": [2, 3], "chosen": True},
    ]
    model = {
        **{"version": 1, "title": "A song", "subtitle": "of two stems", "live": False},
        **{"sample_rate": RATE, "seconds": SECONDS, "picture": make_picture(types, edges), "nodes": nodes},
        "sounds": sounds,
        "tracks": {
            **{"mix": "mix", "target": "target", "difference": "difference", "additive_db": -30.0},
            "stems": [{"name": "vocals", "node": 0, "solo": "solo-0"}, {"name": "bass", "node": 1, "solo": "solo-1"}],
        },
        "spectrograms": {name: spectrogram for name in ("mix", "target", "difference")},
        "loss": {
            **{"found": 0.4, "plain": 2.0, "console": 0.5, "unit": "dB"},
            "bands": {"hz": [100, 1000, 4000], **over},
            "time": {"seconds": [0, 1, 2], **over},
        },
        "story": {"plain_loss": 2.0, "picture": make_picture([*types, "reverb", "delay"], edges), "rounds": rounds},
        "chains": {"vocals": ["eq gain −3 dB", "compressor"], "bass": []},
        "truth": {"vocals": ["eq gain −2 dB"], "bass": ["gain 1 dB"]},
    }
    return model, signals


@pytest.fixture
def song():
    """A model, the signals of its sounds, and their bytes, all anew."""
    model, signals = make_model()
    return SimpleNamespace(model=model, signals=signals, sounds={k: encoded(v) for k, v in signals.items()}, rate=RATE)


@pytest.fixture
def made():
    """How models are made of parts."""
    return SimpleNamespace(sound=sound, encoded=encoded, noise=noise, curve=curve, picture=make_picture, rate=RATE)


@pytest.fixture
def show(tmp_path, open_page):
    """Writes a page and opens it; ``before`` is run ahead of its scripts."""
    pytest.importorskip("jinja2")
    from grafx.report.page import page_html

    def open_model(model, sounds, also=(), **options):
        file = tmp_path / "report.html"
        file.write_text(page_html(json.loads(json.dumps(model)), sounds, also), encoding="utf-8")
        page = open_page(file, **options)
        page.set_default_timeout(15000)
        return page

    return open_model
