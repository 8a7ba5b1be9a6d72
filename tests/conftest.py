"""Shared fixtures: a trusted reference renderer, and toy processors to render with."""

import os
import shutil
import signal
import sys
import zlib
from types import SimpleNamespace

# Where tests run side by side, each has a core. Torch reads it when it is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# What a shell without job control runs in the background ignores interrupts, as would commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
import torch
import torch.nn as nn
import torch.nn.functional as F

from grafx.data import NodeConfigs

MOST_CASES = 3  # of one test function, in a quick run


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="run all tests, slow ones and every case too")
    parser.addoption("--rest", action="store_true", help="run only those tests that a quick run leaves out")


def pytest_collection_modifyitems(config, items):
    """In a quick run, leave out slow tests and, of a test with many cases, all but some.

    Those marked ``each("name")`` keep one case of each class, or of whatever the argument of this name takes; others
    keep a few that lie evenly. Where tests are chosen by a mark, slow ones are among them. What is named on the
    command line is run as it is. The longest come first, so that none is left to one process at the end.
    """
    items.sort(key=_seconds, reverse=True)
    marked = config.option.markexpr
    named = any("::" in argument for argument in config.args) or (config.option.keyword and not marked)
    if config.option.all or named:
        return
    functions = {}
    for item in items if marked else [item for item in items if not item.get_closest_marker("slow")]:
        functions.setdefault((item.path, getattr(item, "originalname", item.name)), []).append(item)
    kept = {item for (_, name), cases in functions.items() for item in _some(name, cases)}
    if config.option.rest:
        kept = set(items) - kept
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def _seconds(item):
    slow = item.get_closest_marker("slow")
    return slow.kwargs.get("seconds", 0) if slow else 0


def _some(name, cases):
    each = cases[0].get_closest_marker("each")
    if each:
        (argument,) = each.args
        return {case.callspec.params[argument]: case for case in reversed(cases)}.values()
    step = -(-len(cases) // MOST_CASES)
    # Functions begin at different cases, so that where several run over the same ones each has its turn.
    return cases[zlib.crc32(name.encode()) % step :: step]


@pytest.fixture(autouse=True)
def nothing_compiled_is_left():
    """What one test has compiled counts towards the limits of the next, and leads it other ways."""
    yield
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()


class Toy(nn.Module):
    """Counts its calls, and scales what it returns by a common parameter if one is given."""

    size = {}  # noqa: RUF012
    inlets = ("main",)
    outlets = ("main",)

    def __init__(self):
        super().__init__()
        self.calls = 0

    def parameter_size(self):
        return self.size

    def forward(self, *inlets, weight=None, **parameters):
        self.calls += 1
        result = self.process(*inlets, **parameters)
        if weight is None:
            return result
        outlets, rest = (list(result[:-1]), [result[-1]]) if isinstance(result, tuple) else ([result], [])
        return (*[outlet * weight[:, None, None] for outlet in outlets], *rest)


class Gain(Toy):
    size = {"gain": 1}  # noqa: RUF012

    def process(self, x, gain):
        return x * gain[:, :, None]


class Saturate(Toy):
    size = {"drive": 1, "bias": (1, 1)}  # noqa: RUF012

    def process(self, x, drive, bias):
        return torch.tanh(x * drive[:, :, None] + bias)


class Fir(Toy):
    size = {"taps": 3}  # noqa: RUF012

    def process(self, x, taps):
        return sum(F.pad(x, (k, 0))[..., : x.shape[-1]] * taps[:, k, None, None] for k in range(3))


class Split(Toy):
    size = {"ratio": 1}  # noqa: RUF012
    outlets = ("main", "side")

    def process(self, x, ratio):
        main = x * ratio[:, :, None]
        return main, x - main, {}


class Ring(Toy):
    size = {"depth": 1}  # noqa: RUF012
    inlets = ("main", "side")

    def process(self, x, side, depth):
        return x * (1 + depth[:, :, None] * side)


class Tone(Toy):
    size = {"frequency": 1}  # noqa: RUF012
    inlets = ()

    def process(self, frequency, num_samples):
        return torch.cos(frequency * torch.arange(num_samples, dtype=frequency.dtype))[:, None]


class Meter(Toy):
    size = {"gain": 1}  # noqa: RUF012

    def process(self, x, gain):
        y = x * gain[:, :, None]
        return y, {"level": y.square().mean((1, 2)), "nested": {"gain": gain}}


class Nested(Toy):
    size = {"pre": {"gain": 1}, "post": {"shape": (2, 2), "deep": {"bias": 1}}}  # noqa: RUF012

    def process(self, x, pre, post):
        y = x * pre["gain"][:, :, None] + post["deep"]["bias"][:, :, None]
        return y * post["shape"].sum((1, 2))[:, None, None]


class Invert(Toy):
    def process(self, x):
        return 0.1 - x


class Widen(Toy):
    size = {"width": 2}  # noqa: RUF012

    def process(self, x, width):
        return x.mean(1, keepdim=True) * width[:, :, None]


class Total(Toy):
    """Sums the channels, so that a mono signal and its stereo copy give different results."""

    size = {"gain": 1}  # noqa: RUF012

    def process(self, x, gain):
        y = x.sum(1, keepdim=True) * gain[:, :, None]
        return y, {"peak": y.amax(2), "channels": x.shape[1] * gain[:, 0]}


class Impulse(Toy):
    """A generator without parameters."""

    inlets = ()

    def process(self, num_samples):
        return torch.eye(1, num_samples, dtype=torch.float64)[None]


TOYS = {
    "gain": Gain,
    "saturate": Saturate,
    "fir": Fir,
    "split": Split,
    "ring": Ring,
    "tone": Tone,
    "meter": Meter,
    "nested": Nested,
    "invert": Invert,
    "widen": Widen,
    "total": Total,
    "impulse": Impulse,
}


def make_toys():
    return {node_type: toy() for node_type, toy in TOYS.items()}


def make_parameters(processors, G, dtype=torch.float64, seed=0):
    """Random leaves for the nodes of ``G``, as plain dicts."""
    generator = torch.Generator().manual_seed(seed)
    types = [data["node_type"] for _, data in G.nodes(data=True)]

    def fill(sizes, count):
        return {
            name: fill(size, count)
            if isinstance(size, dict)
            else torch.randn(
                count, *((size,) if isinstance(size, int) else size), dtype=dtype, generator=generator
            ).requires_grad_()
            for name, size in sizes.items()
        }

    return {t: fill(p.parameter_size(), types.count(t)) for t, p in processors.items() if t in types}


def leaves(tree):
    """All tensors of a nested dict."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    return [leaf for value in tree.values() for leaf in leaves(value)]


def take(tree, rows):
    """The given rows of all tensors of a nested dict."""
    return {k: take(v, rows) for k, v in tree.items()} if isinstance(tree, dict) else tree[rows]


def render_by_reference(G, processors, input_signals, parameters, common_parameters=None):
    """Render ``(K, C, L)`` signals recursively, node by node, each processor with a batch of one.

    Returns the ``(C, L)`` outlets of each node, and the intermediates of each that makes some.
    """
    ids = sorted(G.nodes)
    types = {i: G.nodes[i]["node_type"] for i in ids}
    rows = {i: [j for j in ids if types[j] == types[i]].index(i) for i in ids}
    outlets, intermediates = {}, {}

    def read(i, inlet, silence=None):
        edges = [(s, d["outlet"]) for s, _, d in G.in_edges(i, data=True) if d["inlet"] == inlet]
        return sum(render(s)[G.config[types[s]]["outlets"].index(outlet)] for s, outlet in edges) if edges else silence

    def render(i):
        if i in outlets:
            return outlets[i]
        if types[i] == "in":
            outlets[i] = [input_signals[rows[i]]]
        elif types[i] in ("mix", "out"):
            outlets[i] = [read(i, "main")]
        else:
            signals = []
            for inlet in G.config[types[i]]["inlets"]:
                signals.append(read(i, inlet, torch.zeros_like(signals[0]) if signals else None))
            own = take(parameters.get(types[i], {}), slice(rows[i], rows[i] + 1))
            common = take(common_parameters or {}, slice(ids.index(i), ids.index(i) + 1))
            length = {} if signals else {"num_samples": input_signals.shape[-1]}
            result = processors[types[i]](*[s[None] for s in signals], **length, **common, **own)
            result = list(result) if isinstance(result, tuple) else [result]
            if isinstance(result[-1], dict):
                intermediates[i] = take(result.pop(), 0)
            outlets[i] = [signal[0] for signal in result]
        return outlets[i]

    return {i: render(i) for i in ids}, intermediates


@pytest.fixture(scope="session")
def reference_render():
    return render_by_reference


@pytest.fixture(scope="session")
def toys():
    """Toy processors: ``make()`` makes them anew, ``config`` has their types, ``parameters`` makes random leaves."""
    return SimpleNamespace(
        make=make_toys,
        base=Toy,
        config=NodeConfigs.from_processors(TOYS),
        parameters=make_parameters,
        leaves=leaves,
        take=take,
    )


@pytest.fixture
def snapshot():
    """Everything that a graph holds, to be compared with itself later."""

    def take_snapshot(G):
        nodes = {node_id: dict(data) for node_id, data in G.nodes(data=True)}
        return nodes, [(*edge[:3], dict(edge[3])) for edge in G.edges(keys=True, data=True)], dict(G.graph)

    return take_snapshot


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium, headless; tests skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no chromium")
    options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=options)
        yield running
        running.close()


@pytest.fixture
def open_page(browser):
    """Opens a file or an address in a page of its own; errors of scripts and requests to elsewhere fail the test.

    ``complaints`` of the page has what went wrong so far, and may be cleared by those who expect it.
    """
    contexts, pages = [], []

    def open_one(place, **options):
        address = place if "://" in str(place) else place.as_uri()
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.complaints = []
        own = address.split("/")[2]

        def note(request):
            scheme, _, rest = request.url.partition(":")
            if scheme not in ("data", "blob") and request.url != address and (not own or rest.split("/")[2] != own):
                page.complaints.append(f"request to {request.url}")

        page.on("request", note)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("console", lambda said: said.type == "error" and page.complaints.append(said.text))
        page.goto(address)
        pages.append(page)
        return page

    yield open_one
    complaints = [complaint for page in pages for complaint in page.complaints]
    for context in contexts:
        context.close()
    assert not complaints
