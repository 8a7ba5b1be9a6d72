import random

import networkx as nx
import numpy as np
import pytest

CHAIN = ["eq", "compressor", "noisegate", "imager", "gain_panning", "delay", "reverb"]


def connect(G, source, dest, outlet="main", inlet="main"):
    G.add_edge(source, dest, outlet=outlet, inlet=inlet)


def make_graph(types, edges):
    G = nx.MultiDiGraph()
    for i, node_type in enumerate(types):
        G.add_node(i, node_type=node_type, name=None, parameters=None)
    for edge in edges:
        connect(G, *edge)
    return G


def make_console(num_stems, num_groups=1, keep=1.0, seed=0):
    """Stems of processors, mixed into groups, mixed into one master; ``keep`` is the share of processors left."""
    rng, G = random.Random(seed), make_graph([], [])

    def add(node_type, *sources, name=None):
        node = len(G)
        G.add_node(node, node_type=node_type, name=name, parameters=None)
        for source in sources:
            connect(G, source, node)
        return node

    def add_chain(node):
        for node_type in CHAIN:
            if rng.random() < keep:
                node = add(node_type, node)
        return node

    groups = []
    for _ in range(num_groups):
        stems = [add_chain(add("in", name=f"stem number {i}")) for i in range(num_stems // num_groups)]
        groups.append(add("mix", *stems))
    if num_groups > 1:
        groups = [add("mix", *[add_chain(g) for g in groups])]
    add("out", add_chain(groups[0]))
    return G


def make_dag(num_nodes, seed=0, span=12):
    """A connected random graph with short edges and a few that skip far ahead."""
    rng = random.Random(seed)
    edges = {(max(0, v - rng.randint(1, span)), v) for v in range(1, num_nodes)}
    for _ in range(num_nodes // 3):
        u = rng.randrange(num_nodes - 1)
        v = min(num_nodes - 1, u + rng.randint(1, num_nodes if rng.random() < 0.2 else span))
        edges.add((u, v))
    return make_graph(["in", *rng.choices([*CHAIN, "mix"], k=num_nodes - 1)], sorted(edges))


class Drawn:
    """Positions in a drawing, read from its artists."""

    def __init__(self, fig, ax):
        self.axes = ax
        named = {p.get_gid(): p.get_path() for p in ax.patches if p.get_gid()}
        self.boxes = {int(gid.split("-")[1]): p.get_extents() for gid, p in named.items() if gid.startswith("node")}
        self.curves = {
            tuple(map(int, gid.split("-")[1:])): _sample(p) for gid, p in named.items() if gid.startswith("edge")
        }
        self.texts = [t.get_text() for t in ax.texts]
        to_data, renderer = ax.transData.inverted(), fig.canvas.get_renderer() if fig.canvas else None
        self.text_boxes = [t.get_window_extent(renderer).transformed(to_data) for t in ax.texts]

    def center(self, node):
        return np.array([self.boxes[node].x0 + self.boxes[node].x1, self.boxes[node].y0 + self.boxes[node].y1]) / 2


def _sample(path):
    steps = np.linspace(0, 1, 60)[:, None]
    return np.concatenate([segment(steps.ravel()) for segment, _ in path.iter_bezier()])


@pytest.fixture(scope="session")
def graphs():
    class Graphs:
        make = staticmethod(make_graph)
        console = staticmethod(make_console)
        dag = staticmethod(make_dag)

    return Graphs


@pytest.fixture(scope="session")
def read_drawing():
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    def read(fig, ax):
        FigureCanvasAgg(fig)
        return Drawn(fig, ax)

    return read
