"""The live page in a browser, served as `grafx open` does."""

import threading

import pytest
import torch

from grafx.data import load_grafx
from grafx.search import render_mix

RATE = 8000
IDLE = "!grafx.live.waiting"


@pytest.fixture
def song():
    return 0.1 * torch.randn(2, 2, 3 * RATE, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def desk(make_desk, song):
    return make_desk(signals=song, target=song.sum(0), title="A <b>song</b>")


@pytest.fixture
def live(desk, open_page):
    """The page, and what is served to it."""
    pytest.importorskip("uvicorn")
    from grafx.report.live.server import listen, serving

    with listen() as listening:
        server, address = serving(desk, listening)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        page = open_page(address)
        page.set_default_timeout(20000)
        yield page
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def turn(page, name, value):
    """Enter a number into the field of a knob."""
    page.evaluate("document.querySelectorAll('.live-node details').forEach((part) => (part.open = true))")
    page.locator(f'[data-field="{name}"]').fill(str(value))
    page.locator(f'[data-field="{name}"]').press("Enter")


def played_of(page, key):
    """The samples that the page plays, as it has decoded them."""
    script = """async (key) => {
      const buffer = await grafx.app.player.fetch(key);
      return [0, 1].map((channel) => [...buffer.getChannelData(channel)]);
    }"""
    return torch.tensor(page.evaluate(script, key))


def version(number):
    return f"grafx.app.model.edit.version === {number} && {IDLE}"


def test_a_knob_is_heard_while_the_song_plays(live, desk, at, until, song, tmp_path):
    compressor = at("compressor", "drums")
    live.evaluate(f"grafx.app.select({compressor})")
    before = played_of(live, "mix")
    assert torch.allclose(before, desk.heard.mix, atol=1e-6)
    live.evaluate("grafx.app.page.setLoop({start: 0, end: null})")
    live.locator("#play").click()
    until(live, "grafx.app.player.sounding && grafx.app.player.time > 0.1")
    turn(live, "threshold_db", -40)
    until(live, version(1))
    assert live.evaluate("grafx.app.player.playing && grafx.app.player.sounding")
    assert live.evaluate("grafx.app.player.time") > 0.1
    after = played_of(live, "mix")
    assert not torch.allclose(after, before, atol=1e-3)
    full = render_mix(desk.session.G, song, RATE)
    assert torch.allclose(after, full, atol=1e-6)

    # What there is to see follows, and the chosen node stays chosen.
    until(live, f"grafx.app.model.nodes[{compressor}].settings[0].value === -40")
    assert live.evaluate("grafx.app.selected") == compressor
    assert live.locator('[data-field="threshold_db"]').input_value() == "-40"
    assert live.evaluate("document.activeElement.dataset.field") == "threshold_db"

    live.locator("#node-chooser").focus()
    live.keyboard.press("Control+z")
    until(live, version(2))
    assert torch.equal(played_of(live, "mix"), before)
    live.keyboard.press("Control+Shift+Z")
    until(live, version(3))
    assert torch.equal(played_of(live, "mix"), after)
    assert live.evaluate("grafx.app.player.playing")

    live.reload()
    live.evaluate(f"grafx.app.select({compressor})")
    assert live.locator('[data-field="threshold_db"]').input_value() == "-40"

    live.locator("#live-save").click()
    until(live, "!grafx.app.model.edit.changed")
    assert "edited" in live.inner_text("#live-place")
    G, _, _ = load_grafx(tmp_path / "found" / "edited")
    assert torch.allclose(render_mix(G, song, RATE), full, atol=1e-6)
    assert G.nodes[compressor]["settings"]["threshold_db"] == pytest.approx(-40)


def test_what_was_found_beyond_a_range_is_told(live, at, until):
    compressor = at("compressor", "drums")
    live.evaluate(f"grafx.app.select({compressor})")
    notes = live.locator(".knob-note:not([hidden])")
    assert notes.count() == 0
    live.evaluate(
        """(id) => {
          const model = structuredClone(grafx.app.model);
          model.edit.knobs[id].find((control) => control.name === "ratio").knobs[0].value = 46.1;
          grafx.app.update(model);
        }""",
        compressor,
    )
    assert "1 to 20" in notes.text_content()


def test_a_slider_is_one_step_to_undo(live, desk, at, until):
    imager = at("imager")
    live.evaluate(f"grafx.app.select({imager})")
    live.locator('[data-knob="side_gain_db"]').evaluate(
        """(slider) => {
          slider.dispatchEvent(new PointerEvent("pointerdown"));
          for (const place of [600, 500, 250]) { slider.value = place; slider.dispatchEvent(new Event("input")); }
          slider.dispatchEvent(new Event("change"));
        }"""
    )
    until(live, f"grafx.app.model.edit.can_undo && {IDLE} && grafx.app.model.nodes[{imager}].settings[0].value === -39")
    assert desk.session.G.nodes[imager]["settings"]["side_gain_db"] == pytest.approx(-39)
    live.locator("#live-undo").click()
    until(live, f"!grafx.app.model.edit.can_undo && {IDLE}")
    assert desk.session.G.nodes[imager]["settings"]["side_gain_db"] == 0


def test_the_graph_is_rebuilt_by_buttons(live, desk, at, until):
    imager, limiter = at("imager"), at("limiter")
    live.evaluate(f"grafx.app.select({imager})")
    turn(live, "wet", 50)
    until(live, version(1))
    live.locator(f'[data-bypass="{imager}"]').click()
    until(live, f"{version(2)} && grafx.app.model.nodes[{imager}].bypassed")
    assert desk.session.G.nodes[imager]["drywet_weight"] == 0.5 and desk.heard.weights[imager] == 0
    row = live.locator(".live-node .live-cable", has=live.locator("[data-insert]"))
    row.get_by_label("Processor to insert").select_option("saturation")
    row.get_by_role("button", name="Insert").click()
    until(live, "grafx.app.model.picture.nodes.some((node) => node.type === 'saturation')")
    (new,) = (i for i, d in desk.session.G.nodes(data=True) if d["node_type"] == "saturation")
    assert desk.session.G.has_edge(imager, new) and desk.session.G.has_edge(new, limiter)
    assert live.locator(f'.grafx-viewer [data-id="{new}"], .node-list [data-node="{new}"]').count()

    live.get_by_label("Node to connect to").select_option(str(at("out")))
    live.get_by_role("button", name="Connect", exact=True).click()
    until(live, version(4))
    assert desk.session.G.has_edge(imager, at("out"))
    live.evaluate(f"grafx.app.select({new})")
    live.locator(f'[data-remove="{new}"]').click()
    until(live, f"!({new} in grafx.app.model.nodes)")
    assert new not in desk.session.G and live.evaluate("grafx.app.selected") is None


def test_a_cable_is_chosen_in_the_drawing(live, desk, at, until):
    edge = {"source": at("imager"), "dest": at("limiter"), "key": 0, "outlet": "main", "inlet": "main"}
    live.evaluate("(edge) => grafx.app.page.emit('edge', edge)", edge)
    bar = live.locator("#live-cable")
    bar.get_by_label("Processor to insert").select_option("gain")
    bar.get_by_role("button", name="Insert").click()
    until(live, f"{version(1)} && document.querySelector('#live-cable').childElementCount === 0")
    assert not desk.session.G.has_edge(edge["source"], edge["dest"])


def test_refusals_are_told(live, desk, at, until):
    live.evaluate(f"grafx.app.select({at('compressor', 'drums')})")
    turn(live, "threshold_db", 99)
    until(live, "!document.querySelector('#live-error').hidden")
    assert "range" in live.inner_text("#live-error") and not desk.session.can_undo
    assert live.locator('[data-field="threshold_db"]').input_value() == "-20"
    live.complaints.clear()  # browsers note that the server has refused
    turn(live, "threshold_db", -30)
    until(live, version(1))
    assert live.locator("#live-error").is_hidden()


def test_a_lost_connection_is_told_and_tried_again(live, at, until):
    live.evaluate(f"grafx.app.select({at('compressor', 'drums')})")
    live.route("**/*", lambda route: route.abort("connectionrefused"))
    turn(live, "threshold_db", -30)
    until(live, "!document.querySelector('#live-lost').hidden")
    live.unroute("**/*")
    until(live, "document.querySelector('#live-lost').hidden")
    live.complaints.clear()
    turn(live, "threshold_db", -35)
    until(live, version(1))


def test_saving_over_is_asked_first(live, at, until, tmp_path):
    live.locator("#live-over").click()
    live.get_by_role("button", name="Leave it").click()
    assert not (tmp_path / "found" / "graph.json").exists()
    live.locator("#live-over").click()
    live.locator("#live-sure").click()
    until(live, f"{IDLE} && document.querySelector('dialog.live-sure') === null")
    assert (tmp_path / "found" / "graph.json").exists()
