"""The viewer, used in a browser as a person would."""

import json
import re
import xml.etree.ElementTree as ET
from math import hypot

import networkx as nx
import pytest

from grafx.data import GRAFX
from grafx.draw import picture, to_html
from grafx.search import build_console

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "</script><script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 1'>",
    "\"'`&amp;&lt;",
    "שלום\u202egnp.exe",
    "\x00\x1b[31m\x7f\u2028\u2029",
    "x" * 5000,
]


def console():
    G = build_console(["drums", "bass", "voice"], {"band": ["bass", "voice"]}, ["eq", "compressor", "gain"])
    G.nodes[1].update(parameters={"threshold_db": -20.0}, drywet_weight=0.25)
    return G


@pytest.fixture
def open_graph(open_page, tmp_path):
    def open_one(G, **options):
        file = tmp_path / "graph.html"
        file.write_text(to_html(G), encoding="utf-8")
        options.setdefault("reduced_motion", "reduce")
        return open_page(file, **options)

    return open_one


@pytest.fixture
def own(open_graph):
    """A page with a second viewer, of which scripts know the handle and what it tells."""
    G = console()
    page = open_graph(G)
    page.evaluate(
        """picture => {
            document.body.replaceChildren(document.createElement("div"));
            globalThis.told = [];
            globalThis.viewer = grafx.viewer.create(document.body.firstChild, picture, {
                onSelect: id => told.push(id), onEdge: edge => told.push([edge.source, edge.dest, edge.key]),
            });
        }""",
        picture(G),
    )
    return page


def node(page, node_id):
    return page.locator(f".grafx-node[data-id='{node_id}']")


def middle(page, node_id):
    box = node(page, node_id).locator(".grafx-box").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def distance(page, a, b):
    (x, y), (u, v) = middle(page, a), middle(page, b)
    return hypot(x - u, y - v)


def focused(page):
    return page.evaluate("document.activeElement.dataset.id ?? null")


def test_everything_is_drawn_once_and_named(open_graph):
    G = console()
    page = open_graph(G)
    assert page.locator(".grafx-node").count() == len(G)
    assert page.locator(".grafx-edge").count() == G.number_of_edges()
    labels = page.locator(".grafx-node").evaluate_all("all => all.map(g => g.getAttribute('aria-label'))")
    assert "eq, node 1, on drums, threshold −20 dB, 25 % wet, from in “drums” 0; to compressor 2" in labels
    assert page.get_by_role("button", name="in “drums”, node 0, to eq 1").count() == 1
    assert {t for _, t in G.nodes(data="node_type")} == set(page.locator(".grafx-legend bdi").all_text_contents())
    assert page.title() == f"Graph of {len(G)} nodes and {G.number_of_edges()} edges"


@pytest.mark.slow
def test_edges_end_at_boxes_and_pass_none(open_graph, graphs):
    for G in (console(), graphs.dag(40)):
        page = open_graph(G)
        check_edges(page)


def check_edges(page):
    """Lines begin and end at the boxes of their nodes, and are in no other."""
    assert not page.evaluate(
        """() => {
            const boxes = new Map([...document.querySelectorAll(".grafx-node")].map(g => {
                const box = g.querySelector(".grafx-box"), at = g.transform.baseVal.consolidate().matrix;
                const [w, h] = [box.width.baseVal.value, box.height.baseVal.value];
                return [g.dataset.id, {l: at.e - w / 2, r: at.e + w / 2, t: at.f - h / 2, b: at.f + h / 2}];
            }));
            const inside = (p, box, slack) =>
                p.x > box.l - slack && p.x < box.r + slack && p.y > box.t - slack && p.y < box.b + slack;
            const wrong = [];
            for (const g of document.querySelectorAll(".grafx-edge")) {
                const {from, to} = g.grafxEdge, line = g.querySelector(".grafx-line"), length = line.getTotalLength();
                const at = k => line.getPointAtLength(length * k / 40);
                if (!inside(at(0), boxes.get(String(from)), 1)) wrong.push([from, to, "begins elsewhere"]);
                if (!inside(at(40), boxes.get(String(to)), 7)) wrong.push([from, to, "ends elsewhere"]);
                for (let k = 1; k < 40; k++) {
                    const point = at(k);
                    for (const [id, box] of boxes) if (inside(point, box, -1)) wrong.push([from, to, id]);
                }
            }
            return wrong;
        }"""
    )


def test_wheel_keys_and_buttons_zoom(open_graph):
    page = open_graph(console())
    start = distance(page, 0, 1)
    x, y = middle(page, 2)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    assert distance(page, 0, 1) > 1.2 * start
    assert middle(page, 2) == pytest.approx((x, y), abs=0.5)  # what is under the pointer stays there
    page.mouse.wheel(0, 300)
    assert distance(page, 0, 1) == pytest.approx(start, rel=0.01)
    page.locator(".grafx-stage").focus()
    page.keyboard.press("+")
    assert distance(page, 0, 1) == pytest.approx(1.25 * start, rel=0.01)
    page.keyboard.press("-")
    page.get_by_role("button", name="Zoom in").click()
    assert distance(page, 0, 1) == pytest.approx(1.4 * start, rel=0.01)
    page.keyboard.press("0")
    page.get_by_role("button", name="Show all").click()
    frame = page.locator(".grafx-stage").bounding_box()
    for box in (one.bounding_box() for one in page.locator(".grafx-box").all()):
        assert frame["x"] <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"]


def test_dragging_and_arrow_keys_move_the_drawing_and_select_nothing(open_graph):
    page = open_graph(console())
    x, y = middle(page, 2)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 20, steps=4)
    page.mouse.up()
    assert middle(page, 2) == pytest.approx((x + 30, y + 20), abs=0.5)
    assert page.locator(".is-selected").count() == 0
    page.locator(".grafx-stage").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert middle(page, 2) == pytest.approx((x + 90, y - 40), abs=0.5)
    for _ in range(60):  # it cannot be lost
        page.keyboard.press("ArrowLeft")
    assert page.locator(".grafx-box").first.bounding_box()["x"] < page.viewport_size["width"]


def test_fingers_move_and_zoom(open_graph):
    page = open_graph(console(), has_touch=True)
    touch = page.context.new_cdp_session(page)
    x, y = middle(page, 2)
    start = distance(page, 0, 1)

    def fingers(kind, *points):
        found = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": found})

    fingers("touchStart", (x, y))
    for step in (10, 20, 30):
        fingers("touchMove", (x + step, y))
    fingers("touchEnd")
    assert middle(page, 2) == pytest.approx((x + 30, y), abs=1)
    fingers("touchStart", (x - 40, y), (x + 40, y))
    for step in (10, 20, 40):
        fingers("touchMove", (x - 40 - step, y), (x + 40 + step, y))
    fingers("touchEnd")
    assert distance(page, 0, 1) == pytest.approx(2 * start, rel=0.1)


def test_keys_follow_the_cables_and_select(own):
    page = own
    G = console()
    page.locator(".grafx-stage").focus()
    page.keyboard.press("Tab")
    assert focused(page) == "0"
    for expected in (1, 2, 3):
        page.keyboard.press("ArrowRight")
        assert focused(page) == str(expected)
        assert page.locator(".grafx-tip").is_visible()
    page.keyboard.press("ArrowRight")
    assert G.has_edge(3, int(focused(page)))
    page.keyboard.press("ArrowLeft")
    assert focused(page) == "3"  # back to where one came from
    page.keyboard.press("ArrowDown")
    assert middle(page, focused(page))[1] > middle(page, 3)[1]
    page.keyboard.press("Home")
    assert focused(page) == "0"
    page.keyboard.press("Enter")
    assert page.evaluate("told") == [0]
    assert node(page, 0).get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert page.evaluate("told") == [0, None]
    assert page.locator("[tabindex='0'].grafx-node").count() == 1


def test_clicks_select_and_tell(own):
    page = own
    node(page, 5).click()
    node(page, 6).click()
    assert page.evaluate("told") == [5, 6]
    assert page.locator(".is-selected").evaluate_all("all => all.map(g => g.dataset.id)") == ["6"]
    page.evaluate("viewer.select(2)")
    assert page.locator(".is-selected").evaluate_all("all => all.map(g => g.dataset.id)") == ["2"]
    (x, y), (u, v) = middle(page, 1), middle(page, 2)
    page.mouse.click((x + u) / 2, (y + v) / 2)
    assert page.evaluate("told") == [5, 6, [1, 2, 0]]
    page.mouse.click(x, y - 40)
    assert page.evaluate("told.at(-1)") is None


def test_hovering_tells_the_settings(open_graph):
    page = open_graph(console())
    page.mouse.move(*middle(page, 1))
    tip = page.locator(".grafx-tip")
    assert [*tip.locator("> *").all_text_contents()] == ["eq", "node 1, on drums", "threshold −20 dB", "25 % wet"]
    page.mouse.move(1, 1)
    assert tip.is_hidden()


@pytest.mark.parametrize(
    "text, expected",
    [
        ("eq", lambda n, d: d["node_type"] == "eq"),
        ("BAND", lambda n, d: "band" in (d["name"], d.get("owner"))),
        ("#3", lambda n, d: n == 3),
        ("12", lambda n, d: n == 12),
        ("nothing", lambda n, d: False),
    ],
)
def test_search(own, text, expected):
    page = own
    wanted = {n for n, data in console().nodes(data=True) if expected(n, data)}
    page.get_by_role("searchbox").fill(text)
    found = page.locator(".is-found").evaluate_all("all => all.map(g => Number(g.dataset.id))")
    assert set(found) == wanted == set(page.evaluate("text => viewer.find(text)", text))
    assert page.locator(".grafx-found").text_content() == f"{len(wanted)} found"
    page.get_by_role("searchbox").press("Enter")
    if wanted:
        assert page.locator(".grafx-tip").is_visible()
        assert page.locator(".grafx-found").text_content() == f"1 of {len(wanted)}"
    page.get_by_role("searchbox").press("Escape")
    assert page.locator(".is-found").count() == 0 and page.locator(".is-searched").count() == 0


def test_chains_fold_and_unfold(open_graph):
    G = console()
    page = open_graph(G)
    wide = page.locator(".grafx-canvas").evaluate("svg => svg.querySelector('.grafx-scene').getBBox().width")
    page.get_by_role("button", name="Chains").click()
    processors = [n for n, t in G.nodes(data="node_type") if t not in ("in", "mix", "out")]
    assert page.locator(".grafx-node").count() == len(G) - len(processors) + len(processors) // 3
    assert page.locator(".is-fold .grafx-short").all_text_contents() == ["3"] * (len(processors) // 3)
    check_edges(page)
    assert page.locator(".grafx-scene").evaluate("g => g.getBBox().width") < 0.7 * wide
    page.locator(".is-fold").first.click()
    assert page.locator(".is-fold").count() == len(processors) // 3 - 1
    page.get_by_role("button", name="Chains").click()
    page.get_by_role("button", name="Chains").click()
    assert page.locator(".grafx-node").count() == len(G)
    assert page.locator(".grafx-scene").evaluate("g => g.getBBox().width") == pytest.approx(wide, rel=0.01)


def test_groups_fold_with_what_is_mixed_into_them(open_graph):
    G = console()
    page = open_graph(G)
    page.get_by_text("Fold…").click()
    page.get_by_role("checkbox", name="band").check()
    band = [n for n, d in G.nodes(data=True) if {d["name"], d.get("owner")} & {"band", "bass", "voice"}]
    assert page.locator(".grafx-node").count() == len(G) - len(band) + 1
    assert page.locator(".is-fold .grafx-short").text_content() == str(len(band))
    assert page.locator(".is-fold .grafx-above").text_content() == "band"
    assert page.locator(".grafx-edge").count() == sum(not {u, v} <= set(band) for u, v in G.edges())
    check_edges(page)
    page.get_by_role("checkbox", name="band").uncheck()
    assert page.locator(".grafx-node").count() == len(G)
    page.get_by_role("button", name="Groups").click()
    assert page.locator(".grafx-node").count() == 4  # drums, band, master, out
    check_edges(page)
    page.get_by_role("searchbox").fill("voice")
    assert page.locator(".is-found .grafx-above").text_content() == "band"
    page.get_by_role("searchbox").press("Enter")  # unfolds what is found
    assert page.locator(".is-found").count() == 4


@pytest.mark.slow
def test_keys_fold(open_graph):
    page = open_graph(console())
    node(page, 2).focus()
    page.keyboard.press("c")
    assert page.locator(".is-fold").count() == 1
    assert focused(page).startswith("chain")
    page.keyboard.press("Enter")
    assert page.locator(".is-fold").count() == 0 and focused(page) == "1"
    page.keyboard.press("g")
    assert focused(page).startswith("group drums")
    page.keyboard.press(" ")
    node(page, 2).dblclick()
    assert page.locator(".is-fold").count() == 1


@pytest.mark.slow
@pytest.mark.parametrize("num_nodes, seed", [(30, 1), (60, 2)])
def test_folded_random_graphs_have_clear_edges(open_graph, graphs, num_nodes, seed):
    G = graphs.dag(num_nodes, seed, span=4)
    nx.set_node_attributes(G, {n: f"part {n // 7}" for n in G}, "owner")
    page = open_graph(G)
    page.get_by_role("button", name="Chains").click()
    check_edges(page)
    page.get_by_role("button", name="Groups").click()
    assert page.locator(".is-fold").count() > 1
    check_edges(page)


def test_cables_leave_a_subgroup_onwards(open_graph):
    """Also those of sends within it."""
    groups, keys = {"band": ["bass", "guitar"]}, {"bass": "drums"}
    G = build_console(
        ["drums", "bass", "guitar"], groups, ["eq", "gain"], returns={"room": ["reverb"]}, sidechains=keys
    )
    page = open_graph(G)
    page.get_by_role("button", name="Groups").click()
    check_edges(page)
    starts = page.locator(".grafx-edge").evaluate_all(
        """all => all.filter(g => String(g.grafxEdge.from).startsWith("group band")).map(g => {
            const line = g.querySelector(".grafx-line");
            return [line.getPointAtLength(0).x, line.getPointAtLength(line.getTotalLength() / 20).x];
        })"""
    )
    assert len(starts) == 4 and all(after > before for before, after in starts)


def test_what_is_seen_is_saved_as_svg(open_graph, tmp_path):
    page = open_graph(console(), accept_downloads=True, color_scheme="dark")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save what is seen").click()
    file = tmp_path / "saved.svg"
    saved.value.save_as(file)
    assert saved.value.suggested_filename.endswith(".svg")
    root = ET.parse(file).getroot()
    texts = ["".join(t.itertext()) for t in root.iter(f"{SVG}text")]
    assert sorted(texts) == sorted(page.locator("svg text").evaluate_all("all => all.map(text => text.textContent)"))
    assert len(list(root.iter(f"{SVG}path"))) == 2 * console().number_of_edges()
    text = file.read_text(encoding="utf-8")
    assert "var(" not in text and "class=" not in text and "script" not in text
    assert root.find(f"{SVG}rect").get("fill") == "#14171c"
    page.evaluate("document.querySelector('[aria-label=\"Zoom in\"]').click()")
    for _ in range(6):
        page.get_by_role("button", name="Zoom in").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save what is seen").click()
    saved.value.save_as(file)
    some = ET.parse(file).getroot()
    assert 0 < len(list(some.iter(f"{SVG}text"))) < len(texts)
    assert float(some.get("viewBox").split()[2]) < float(root.get("viewBox").split()[2]) / 4


@pytest.mark.slow
def test_saved_svg_looks_like_the_screen(own, open_page, tmp_path):
    file = tmp_path / "saved.svg"
    file.write_text(own.evaluate("viewer.svg()"), encoding="utf-8")
    boxes = "all => all.map(r => [getComputedStyle(r).fill, r.getBoundingClientRect().width])"
    there = own.locator(".grafx-box").evaluate_all(boxes)
    saved = open_page(file).locator("rect").evaluate_all(boxes)
    for fill, width in there:
        assert any(fill == other and width == pytest.approx(w, abs=0.1) for other, w in saved)


def test_a_drawing_is_updated_and_marked(own):
    page = own
    node(page, 7).click()
    G = console()
    G.bypass(2)
    before = node(page, 1).evaluate("g => (g.mine = true)")
    page.evaluate("picture => viewer.update(picture)", picture(G))
    assert before and page.locator(".grafx-node").count() == len(G)
    assert page.locator(".grafx-edge").count() == G.number_of_edges()
    assert node(page, 1).evaluate("g => g.mine") is True  # elements stay, so that they can move
    assert page.locator(".is-selected").get_attribute("data-id") == "7"
    page.evaluate("viewer.mark(1, {playing: true}); viewer.mark(3, {removed: true, changed: true})")
    assert page.locator(".is-playing").get_attribute("data-id") == "1"
    assert page.locator(".grafx-node.is-removed").get_attribute("data-id") == "3"
    page.evaluate("viewer.mark(3, {removed: false})")
    assert page.locator(".grafx-node.is-removed").count() == 0 and page.locator(".is-changed").count() == 1
    page.evaluate("viewer.clearMarks()")
    assert page.locator(".is-changed, .is-playing").count() == 0
    G.remove(7)
    page.evaluate("picture => viewer.update(picture)", picture(G))
    assert page.locator(".is-selected").count() == 0 and page.evaluate("told.at(-1)") is None


@pytest.mark.slow
def test_the_graph_is_there_as_a_list(open_graph):
    G = console()
    page = open_graph(G)
    page.get_by_text("The graph as a list").click()
    entries = page.locator(".grafx-list li")
    assert entries.count() == len(G)
    assert (
        entries.nth(1).text_content()
        == "eq, node 1, on drumsthreshold −20 dB, 25 % wet; from in “drums” 0; to compressor 2"
    )
    entries.nth(1).get_by_role("button").click()
    assert page.locator(".is-selected").get_attribute("data-id") == "1"


def test_hostile_texts_are_shown_and_do_nothing(open_graph):
    G = GRAFX()
    for text in HOSTILE:
        G.add_serial_chain([{"node_type": text, "name": text}, {"node_type": "eq"}])
        G.nodes[G.counter - 1].update(owner=text, settings={text: {text: float("nan")}})
    page = open_graph(G)
    page.get_by_role("searchbox").fill("script")
    assert page.locator(".is-found").count() == 2
    page.get_by_role("searchbox").fill("")
    page.get_by_text("The graph as a list").click()
    for n in G:
        node(page, n).focus()
        page.keyboard.press("Enter")
    assert page.evaluate("window.hurt") is None
    assert page.locator("img").count() == 0 and page.locator("script").count() == 3
    assert page.locator(".grafx-legend bdi").first.text_content() == HOSTILE[0]
    assert (
        ET.fromstring(page.evaluate("new XMLSerializer().serializeToString(document.querySelector('svg'))")) is not None
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_light_and_dark_wide_and_narrow(open_graph, scheme, width):
    page = open_graph(console(), color_scheme=scheme, viewport={"width": width, "height": 760})
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper)[:3])) > 384) == (scheme == "light")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for control in page.locator(".grafx-bar button:visible").all():
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.locator(".grafx-stage").bounding_box()["height"] > 150
    for text in page.locator(".grafx-legend li").all():
        assert (
            contrast(
                *text.evaluate(
                    "e => [getComputedStyle(e).color, getComputedStyle(document.documentElement).backgroundColor]"
                )
            )
            > 4.5
        )
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert paper == "rgb(255, 255, 255)"


def contrast(*colors):
    lights = []
    for color in colors:
        parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
        red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
    return max(lights) / min(lights)


def test_edges_that_close_a_cycle_are_dashed(open_graph, graphs):
    cycles = [(0, 1), (1, 2), (2, 3), (3, 4), (3, 1), (2, 1), (2, 2)]
    page = open_graph(graphs.make(["in", "mix", "delay", "eq", "out"], cycles))
    backward = page.locator(".is-backward").evaluate_all("all => all.map(g => [g.grafxEdge.source, g.grafxEdge.dest])")
    assert sorted(backward) == [[2, 1], [2, 2], [3, 1]]
    dashes = page.locator(".grafx-line").evaluate_all("all => all.map(line => getComputedStyle(line).strokeDasharray)")
    assert sorted(dash == "none" for dash in dashes) == [False] * 3 + [True] * 4
    assert "closes a cycle" in page.locator(".grafx-legend").text_content()


@pytest.mark.slow
def test_names_of_ports_are_written(open_graph, graphs):
    G = graphs.make(["in", "crossover", "compressor"], [(0, 1), (1, 2, "low", "main"), (1, 2, "high", "sidechain")])
    page = open_graph(G)
    assert sorted(page.locator(".grafx-port").all_text_contents()) == ["high", "low", "sidechain"]


@pytest.mark.slow
def test_paper_shows_all_of_it(open_graph, graphs):
    page = open_graph(graphs.console(6, 2))
    page.get_by_role("button", name="Zoom in").click()
    page.emulate_media(media="print")
    frame = page.locator(".grafx-canvas").bounding_box()
    for box in (one.bounding_box() for one in page.locator(".grafx-box").all()):
        assert frame["x"] - 1 <= box["x"] and box["x"] + box["width"] <= frame["x"] + frame["width"] + 1
    assert page.locator(".grafx-bar").is_hidden()
    page.emulate_media(media="screen")
    assert page.locator(".grafx-bar").is_visible()


@pytest.mark.slow
def test_an_empty_graph_has_a_page(open_graph):
    page = open_graph(GRAFX())
    assert page.locator(".grafx-node").count() == 0
    page.get_by_role("button", name="Show all").click()


@pytest.mark.slow
def test_a_graph_of_a_thousand_nodes_moves_without_being_drawn_anew(open_graph, graphs):
    G = graphs.console(110, 5)
    assert len(G) > 900
    page = open_graph(G)
    assert page.locator(".grafx-node").count() == len(G)
    page.evaluate(
        """() => {
            globalThis.changes = [];
            new MutationObserver(list => changes.push(...list)).observe(document.querySelector("svg"), {
                subtree: true, childList: true, attributes: true });
        }"""
    )
    stage = page.locator(".grafx-stage").bounding_box()
    page.mouse.move(stage["x"] + 300, stage["y"] + 5)
    page.mouse.down()
    page.mouse.move(stage["x"] + 200, stage["y"] + 105, steps=10)
    page.mouse.up()
    page.mouse.wheel(0, 100)
    changed = page.evaluate("changes.map(change => [change.type, change.target.classList[0]])")
    assert {tuple(change) for change in changed} <= {("attributes", "grafx-scene"), ("attributes", "grafx-canvas")}
    assert len(changed) < 40


@pytest.mark.slow
def test_a_frame_of_a_notebook_works(open_page, tmp_path):
    file = tmp_path / "notebook.html"
    file.write_text(f"<meta charset=utf-8><link rel=icon href=data:,>{console()._repr_html_()}", encoding="utf-8")
    page = open_page(file)
    frame = page.frame_locator("iframe")
    frame.locator(".grafx-node").first.wait_for()
    assert frame.locator(".grafx-node").count() == len(console())
    frame.get_by_role("button", name="Groups").click()
    assert frame.locator(".is-fold").count() == 3


@pytest.mark.slow
def test_pictures_that_are_read_back_are_the_same(open_graph):
    G = console()
    page = open_graph(G)
    held = page.evaluate("JSON.parse(document.getElementById('picture').textContent)")
    assert held == json.loads(json.dumps(picture(G)))
