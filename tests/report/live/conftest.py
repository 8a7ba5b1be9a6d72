"""A small console with a sidechain and a return, and a desk on which it is heard."""

import pytest
import torch

from grafx.report.live.desk import Desk
from grafx.report.live.session import Session
from grafx.report.live.teller import Teller
from grafx.search.mixing.console import ROLES, build_console, console_processors

RATE = 8000
CHAINS = {"drums": ["peq", "compressor", "gain"], "bass": ["eq", "gain"], "master": ["imager", "limiter"]}


@pytest.fixture(scope="session")
def processors():
    return console_processors(RATE, ROLES)


@pytest.fixture
def console():
    return build_console(["drums", "bass"], chain=CHAINS, returns={"room": ["delay"]}, sidechains={"bass": "drums"})


@pytest.fixture(scope="session")
def stems():
    return 0.1 * torch.randn(2, 2, RATE // 2, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def make_desk(console, processors, stems, tmp_path):
    """Make a desk of the console, or of another graph, in a folder that is empty."""

    def make(G=None, signals=stems, known=processors, target=None, title=None):
        folder = tmp_path / "found"
        folder.mkdir(exist_ok=True)
        metadata = {"kind": "mixing graph", "sample_rate": RATE, "num_samples": signals.shape[-1]}
        session = Session(console if G is None else G, known)
        return Desk(session, signals, RATE, folder, target, metadata, Teller(session.G, title=title))

    return make


@pytest.fixture
def at(console):
    """The id of the node of a type, with an owner or a name."""

    def find(node_type, owner=None):
        nodes = console.nodes(data=True)
        return next(
            i for i, d in nodes if d["node_type"] == node_type and owner in (None, d.get("owner"), d.get("name"))
        )

    return find
