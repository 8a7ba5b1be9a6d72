"""The page in a browser: everything on it can be seen, chosen, pressed and read."""

import csv
import io
import json
import math

import pytest

HOSTILE = (
    "</script><script>globalThis.hit = 1</script>\"'><img src=x onerror=hit=2> \u202eltr\u0007 مرحبا 🎛️ " + "x" * 400
)
CLIPBOARD = "Object.defineProperty(navigator, 'clipboard',"


def inspected(page):
    return page.text_content("#inspector h3") if page.locator("#inspector h3").count() else None


def wide(page):
    """By how much something is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


def test_nodes_are_chosen_in_the_drawing_in_the_list_and_in_tables(show, song):
    page = show(song.model, song.sounds)
    assert inspected(page) is None
    page.select_option("#node-chooser", "2")
    assert inspected(page) == "eq 2"
    page.locator("#inspector .plot-picture svg").nth(1).wait_for()
    assert page.locator("#inspector .plot-picture svg").count() == 2
    assert page.locator("#inspector .facts-table tr").count() == 2
    assert "+0.1" in page.text_content("#inspector")  # 0.5 without it, 0.4 with it
    page.click("#inspector .neighbours >> text=compressor 3")
    assert inspected(page) == "compressor 3" and page.evaluate("grafx.app.selected") == 3
    page.click('#settings [data-node="2"] button')
    assert inspected(page) == "eq 2"
    page.locator("#graph-view [role=button][aria-label^=compressor]").click()
    assert inspected(page) == "compressor 3"
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("Escape")
    assert inspected(page) is None


def test_curves_can_be_read_and_follow_the_song(show, song):
    page = show(song.model, song.sounds)
    page.select_option("#node-chooser", "2")
    page.locator("#inspector .plot-picture svg").nth(1).wait_for()  # drawn when its width is known
    first, second = page.locator("#inspector .plot").all()
    box = first.locator(".plot-picture").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    reading = first.locator(".plot-readout").text_content()
    assert reading.endswith("dB") and "Hz" in reading
    head = "line.plot-playhead"
    assert first.locator(head).get_attribute("visibility") == "hidden"  # over frequency
    page.evaluate("grafx.app.page.seek(1)")
    moved = second.locator(head).get_attribute("transform")
    box = second.locator(".plot-picture").bounding_box()
    second.locator(".plot-picture").click(position={"x": box["width"] * 0.75, "y": 30})
    assert page.evaluate("grafx.app.player.time") == pytest.approx(1.5, abs=0.2)
    assert second.locator(head).get_attribute("transform") != moved
    first.locator(".plot-picture").focus()
    page.keyboard.press("ArrowRight")
    assert first.locator(".plot-readout").text_content() not in ("", reading)
    page.select_option("#node-chooser", "3")  # the time of a decay is not that of the song
    assert page.locator("#inspector .plot-playhead").first.get_attribute("visibility") == "hidden"


def test_marks_of_axes_lie_where_their_values_do(show, song):
    page = show(song.model, song.sounds)
    page.select_option("#node-chooser", "2")
    page.wait_for_selector("#inspector .plot svg")
    found = page.evaluate(
        """[...document.querySelector("#inspector .plot svg").querySelectorAll(".plot-ticks text[text-anchor=middle]")]
           .map((t) => [t.textContent, Number(t.getAttribute("x"))])"""
    )
    width = page.evaluate("document.querySelector('#inspector .plot svg').viewBox.baseVal.width")
    values = {text: x for text, x in found}
    assert {"20", "100", "1k"} <= values.keys() or {"50", "100", "1k"} <= values.keys()
    # 20 Hz to 4 kHz, with equal steps for equal ratios, between margins of 46 and 12
    for text, x in values.items():
        hertz = float(text.replace("k", "e3"))
        expected = 46 + (width - 58) * math.log(hertz / 20) / math.log(200)
        assert x == pytest.approx(expected, abs=0.5)


def test_marks_of_narrow_ranges_differ(show, song):
    page = show(song.model, song.sounds)
    ranges = [[98.97, 99.12], [0, 1], [44100, 44101], [-30.001, -30.0], [1e-9, 2e-9], [0.1, 0.1], [2e6, 2e6 + 30]]
    for low, high in ranges:
        texts = page.evaluate(
            "([low, high]) => grafx.scale.create({ low, high }).ticks(4)"
            ".map(({ value, digits }) => grafx.format.short(value, digits))",
            [low, high],
        )
        assert len(set(texts)) == len(texts) >= 2, (low, high, texts)
    assert page.evaluate("grafx.scale.create({ low: 0, high: 1 }).ticks(4)[1].value") == 0.5


def test_playing_moves_the_position(show, song, until):
    page = show(song.model, song.sounds)
    page.click("#play")
    until(page, "grafx.app.player.time > 0.2")
    assert page.get_attribute("#play", "aria-label") == "Pause"
    until(page, "document.querySelector('#clock').textContent >= '0:00.3'")
    assert page.evaluate("parseFloat(document.querySelector('#transport .wave-head').style.left) > 5")
    page.click("#side-b")
    assert page.evaluate("grafx.app.player.chosen.map((one) => one.key)") == ["target"]
    page.click("#play")
    assert page.evaluate("grafx.app.player.playing") is False and page.evaluate("grafx.app.player.time") > 0.2
    page.click("#play")
    until(page, "!grafx.app.player.playing && grafx.app.player.time === 0")  # at the end, back to the start
    assert page.get_attribute("#play", "aria-label") == "Play"


def test_plain_players_play_the_same_bytes(show, song, made, until):
    song.sounds["mix"] = made.encoded(song.signals["mix"], "flac")
    song.model["sounds"]["mix"] |= {"codec": "flac", "mime": "audio/flac"}
    page = show(song.model, song.sounds)
    page.click('[data-plain="mix"] button')
    audio = page.locator('[data-plain="mix"] audio')
    audio.wait_for()
    length = audio.evaluate(
        """async (audio) => {
          if (!audio.readyState) await new Promise((resolve) => (audio.onloadedmetadata = resolve));
          return audio.duration;
        }"""
    )
    assert length == pytest.approx(2, abs=0.01)
    audio.evaluate("(a) => a.play()")
    until(page, "document.querySelector('audio').currentTime > 0.1")
    page.click("#play")  # one at a time
    until(page, "document.querySelector('audio').paused")


def test_the_waveform_seeks_and_marks_loops(show, song):
    page = show(song.model, song.sounds)
    wave = page.locator("#listen .wave-block .wave")
    wave.scroll_into_view_if_needed()
    box = wave.bounding_box()

    def at(share):
        return (box["x"] + share * box["width"], box["y"] + 30)

    def time():
        return page.evaluate("grafx.app.player.time")

    page.mouse.click(*at(0.5))
    assert time() == pytest.approx(1, abs=0.01)
    page.mouse.move(*at(0.25))
    page.mouse.down()
    page.mouse.move(*at(0.6), steps=3)
    page.mouse.up()
    assert time() == pytest.approx(1.2, abs=0.01) and page.evaluate("grafx.app.player.loop") is None
    page.check("#marking")
    page.mouse.move(*at(0.75))
    page.mouse.down()
    page.mouse.move(*at(0.25), steps=3)
    page.mouse.up()
    loop = page.evaluate("grafx.app.player.loop")
    assert [loop["start"], loop["end"]] == pytest.approx([0.5, 1.5], abs=0.01)
    assert page.is_checked("#loop") and page.locator("#listen .wave-loop").is_visible()
    page.uncheck("#loop")
    assert page.evaluate("grafx.app.player.loop") is None
    page.check("#loop")
    assert page.evaluate("grafx.app.player.loop") == loop
    wave.focus()
    assert wave.get_attribute("aria-valuetext").endswith("seconds")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert time() == pytest.approx(0.5, abs=0.01) or time() == 2  # the loop holds what plays, not where one looks


def test_all_that_is_heard_can_be_chosen_by_keys(show, song, until):
    page = show(song.model, song.sounds)

    def chosen():
        return page.evaluate("grafx.app.page.active")

    for key, track in {"2": "target", "3": "difference", "1": "mix"}.items():
        page.keyboard.press(key)
        assert chosen() == track
    page.keyboard.press("b")
    assert chosen() == "target" and "B: Target" in page.text_content("#said")
    page.keyboard.press("x")
    assert chosen() == "mix"
    page.evaluate("grafx.app.select(2)")
    page.keyboard.press("i")
    assert chosen() == "node:2:in"
    until(page, "grafx.app.player.time > 0")
    page.keyboard.press(" ")
    assert not page.evaluate("grafx.app.player.playing")
    page.keyboard.press("m")
    assert not page.is_checked("#match")
    page.evaluate("grafx.app.page.seek(0.5)")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("grafx.app.player.time") == pytest.approx(1.5, abs=1e-6)
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("1")  # the list of keys is in front
    assert chosen() == "node:2:in"
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible() and page.evaluate("grafx.app.selected") == 2
    page.focus("#settings-filter")
    page.keyboard.type("1b ?")
    assert chosen() == "node:2:in" and page.input_value("#settings-filter") == "1b ?"


def test_everything_is_reached_by_the_keyboard_in_order(show, song):
    page = show(song.model, song.sounds)
    seen = []
    for _ in range(120):
        page.keyboard.press("Tab")
        where = page.evaluate(
            """(() => { const e = document.activeElement, own = e.closest("[id]"), box = e.getBoundingClientRect();
               const name = e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.[0]?.textContent
                 || e.title || e.placeholder;
               return [own?.id ?? "", e.tagName, Boolean(name), box.width > 0]; })()"""
        )
        if where[1] == "BODY":
            break
        assert where[2] and where[3], where
        seen.append(where[0])
    parts = [
        id
        for id in (
            "theme",
            "node-chooser",
            "listen",
            "round",
            "settings-filter",
            "copy-csv",
            "plain",
            "play",
            "choose-a",
            "loop",
        )
    ]
    assert all(part in seen for part in parts), seen
    places = [seen.index(part) for part in parts]
    assert places == sorted(places)


def test_a_node_that_is_heard_is_compared_with_its_input(show, song, until):
    page = show(song.model, song.sounds)
    page.select_option("#node-chooser", "2")
    page.click("#inspector .compare")
    until(page, "grafx.app.player.playing")
    assert page.evaluate("grafx.app.page.slots") == {"a": "node:2:in", "b": "node:2:out"}
    gains = page.evaluate("grafx.app.page.gains()")
    assert gains["a"] / gains["b"] == pytest.approx(10 ** (6 / 20), rel=1e-6)  # −24 and −18 LUFS
    assert page.text_content("#level-b") != page.text_content("#level-a")
    assert page.locator('#inspector [data-hear="node:2:in"]').get_attribute("aria-pressed") == "true"


def test_what_stems_leave_of_the_mix_is_said_where_it_can_be_heard(show, song):
    page = show(song.model, song.sounds)
    assert "−30.0 dB" in page.text_content("#listen .stems")
    song.model["tracks"]["additive_db"] = -80.0
    page = show(song.model, song.sounds)
    assert page.locator("#listen .stems li").count() == 2 and page.locator("#listen .stems .hint").count() == 0


def test_rounds_of_the_pruning_are_gone_through(show, song):
    page = show(song.model, song.sounds)
    removed = """[...document.querySelectorAll(".story-view .is-removed, .story-view .removed")].length"""

    def facts():
        return page.text_content(".story-facts")

    assert "2 processors" in facts() and "0.4" in facts() and "chosen" in facts()
    assert page.evaluate(removed) == 2
    page.locator("#round").fill("0")
    assert "4 processors" in facts() and "0.5" in facts() and page.evaluate(removed) == 0
    page.locator("#round").focus()
    page.keyboard.press("ArrowRight")
    assert "3 processors" in facts() and page.evaluate(removed) == 1
    assert "reverb" in page.text_content("#story .hint")
    assert page.get_attribute("#round", "aria-valuetext").startswith("round 1, 3 processors")


def test_nodes_are_ranked_by_what_the_mix_loses(show, song):
    page = show(song.model, song.sounds)
    rows = page.locator("#worth .bars li")
    assert [row.text_content() for row in rows.all()] == ["compressor 3+0.5", "eq 2+0.1"]
    widths = [row.locator(".bar").evaluate("(e) => parseFloat(e.style.width)") for row in rows.all()]
    assert widths == pytest.approx([100, 20], abs=0.1)
    rows.nth(1).locator("button").click()
    assert inspected(page) == "eq 2"


def test_settings_are_sorted_narrowed_and_copied(show, song, until):
    page = show(song.model, song.sounds)

    def names():
        return [row.locator("td").nth(3).text_content() for row in page.locator("#settings tbody tr").all()]

    assert names() == ["gain", "cutoff", "threshold"]
    page.click("#settings [data-column=name] button")
    assert names() == ["cutoff", "gain", "threshold"]
    page.click("#settings [data-column=text] button")
    assert names() == ["threshold", "gain", "cutoff"]  # −24, −3.25, 120.5
    page.click("#settings [data-column=text] button")
    assert names() == ["cutoff", "gain", "threshold"]
    assert page.get_attribute("#settings [data-column=text]", "aria-sort") == "descending"
    page.fill("#settings-filter", "eq gain")
    assert names() == ["gain"] and "1 of 3" in page.text_content("#settings .table-tools")
    page.fill("#settings-filter", "")
    song.model["nodes"]["2"]["owner"] = '=1+"1"\n,'
    page = show(song.model, song.sounds)
    page.evaluate(f"{CLIPBOARD} {{value: {{writeText: async (text) => (globalThis.copied = text)}}}})")
    page.click("#copy-csv")
    until(page, "globalThis.copied")
    rows = list(csv.reader(io.StringIO(page.evaluate("copied"))))
    assert rows[0] == ["owner", "node", "processor", "setting", "value", "unit", "text"]
    assert rows[1] == ['\'=1+"1"\n,', "2", "eq", "gain_db", "-3.25 10", "dB", "−3.25, 10 dB"]
    assert rows[3] == ["vocals", "3", "compressor", "threshold_db", "-24", "dB", "−24 dB"]
    assert "copied" in page.text_content("#said")


def test_a_closed_clipboard_is_gone_round(show, song, until):
    page = show(song.model, song.sounds)
    page.evaluate(
        f"""{CLIPBOARD} {{value: {{writeText: () => Promise.reject(new Error("no"))}}}});
        document.execCommand = () => {{ globalThis.marked = document.activeElement.value; return true; }};"""
    )
    page.click("#copy-csv")
    until(page, "globalThis.marked")
    assert page.evaluate("marked").startswith("owner,node,")
    page.evaluate("document.execCommand = () => false")
    page.click("#copy-csv")
    page.wait_for_selector("dialog textarea")
    assert page.input_value("dialog textarea") == page.evaluate("marked")


def test_colours_are_those_of_the_system_until_chosen(show, song):
    paper = "getComputedStyle(document.body).backgroundColor"
    page = show(song.model, song.sounds, color_scheme="dark")
    dark = page.evaluate(paper)
    page.click("#theme")
    light = page.evaluate(paper)
    assert dark != light
    page = show(song.model, song.sounds, color_scheme="light")
    assert page.evaluate(paper) == light
    page.click("#theme")
    assert page.evaluate(paper) == dark
    page.reload()
    assert page.evaluate(paper) == dark  # it is remembered


LEAST_CONTRAST = """() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => sum + part * linear(rgb[i]), 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color[3] !== 0) return color;
    }
  };
  const found = [];
  const words = "h1, h2, h3, p, td, th, li, dt, dd, button, label, a, select, figcaption, small, kbd, span";
  for (const e of document.querySelectorAll(words)) {
    if (!e.textContent.trim() || !e.getClientRects().length) continue;
    if (e.closest(".grafx-viewer, .said, .hidden, .skip")) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), `${e.tagName}.${e.className} ${e.textContent}`]);
  }
  return found.sort((a, b) => a[0] - b[0])[0];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(show, song, scheme):
    page = show(song.model, song.sounds, color_scheme=scheme)
    page.evaluate("grafx.app.select(2)")
    worst = page.evaluate(LEAST_CONTRAST)
    assert worst[0] >= 4.5, worst


@pytest.mark.parametrize("width", [1280, 400])
def test_hostile_names_are_text(show, song, width, until):
    def rename(value):
        if isinstance(value, dict):
            return {k: HOSTILE + v if k in NAMES and isinstance(v, str) else rename(v) for k, v in value.items()}
        return [rename(v) for v in value] if isinstance(value, list) else value

    NAMES = {"title", "subtitle", "label", "owner", "name", "type", "text", "unit", "above", "short", "path"}
    model = rename(song.model)
    model["chains"] = {HOSTILE: [HOSTILE]}
    model["truth"] = {HOSTILE: [HOSTILE]}
    page = show(model, song.sounds, viewport={"width": width, "height": 800})
    page.select_option("#node-chooser", "2")
    assert page.evaluate("globalThis.hit") is None
    assert "</script><script>" in page.text_content("#inspector h3") and "\\u202e" in page.text_content("#inspector h3")
    assert page.locator("#page img[src=x]").count() == 0
    assert wide(page) <= 0
    page.click("#play")
    until(page, "grafx.app.player.time > 0")


def lacking(model, sounds, what):
    if what == "target":
        model["tracks"] |= {"target": None, "difference": None}
        for name in ("target", "difference"):
            del model["sounds"][name], model["spectrograms"][name], sounds[name]
        model["loss"] = model["truth"] = None
    elif what == "story":
        model["story"] = None
        for node in model["nodes"].values():
            node["loss_without"] = None
    elif what == "audio":
        model |= {"sounds": {}, "spectrograms": {}, "seconds": 0}
        model["tracks"] = {"mix": None, "target": None, "difference": None, "stems": [], "additive_db": None}
        for node in model["nodes"].values():
            node["sounds"] = {"out": None, "in": None}
        sounds.clear()
    elif what == "nodes":
        model |= {"nodes": {}, "story": None, "chains": {}, "truth": None}
        model["picture"] |= {"nodes": [], "edges": [], "width": 0, "height": 0}
        model["tracks"]["stems"] = []
    elif what == "all but one":
        model["nodes"] = {"1": {**model["nodes"]["1"], "inputs": [], "outputs": []}}
        model["picture"] |= {"nodes": model["picture"]["nodes"][1:2], "edges": []}
        model["story"] = None
    elif what == "silence":
        for sound in model["sounds"].values():
            sound |= {"lufs": None, "peak": 0.0, "peaks": [[0, 0]] * 10}
    elif what == "values":
        for node in model["nodes"].values():
            node["settings"] = [{"path": "p", "name": "p", "value": None, "unit": None, "text": "not a number"}]
            for view in node["views"]:
                for series in view.get("series", ()):
                    series["y"] = [None] * len(series["y"])
        model["loss"] |= {"plain": None, "console": None, "bands": {"hz": [], "values": [], "plain": None}}
        model["loss"]["time"]["plain"] = None


@pytest.mark.parametrize("what", ["target", "story", "audio", "nodes", "all but one", "silence", "values"])
def test_pages_make_do_without(show, song, what, until):
    lacking(song.model, song.sounds, what)
    page = show(song.model, song.sounds)
    for node in song.model["nodes"]:
        page.select_option("#node-chooser", node)
    headings = [h.text_content() for h in page.locator("h2:visible").all()]
    assert ("Listen" in headings) == (what != "audio")
    assert ("How the console was pruned" in headings) == (what not in ("story", "nodes", "all but one"))
    assert page.locator("#contents a").count() == page.locator("main > .part:visible").count()
    if what != "audio":
        page.click("#play")
        until(page, "grafx.app.player.time > 0.05")
        if what == "target":
            assert page.locator("#listen .hear").all_text_contents() == ["Mix"]
    assert "NaN" not in page.content().split("<script", 1)[0] and "undefined" not in page.inner_text("body")


def test_two_hundred_nodes(show, song, made):
    types = ["eq"] * 200
    song.model["picture"] = made.picture(types, [(i, i + 1) for i in range(199)])
    node = song.model["nodes"]["2"]
    song.model["nodes"] = {
        str(i): {**node, "id": i, "label": f"eq {i}", "inputs": [], "outputs": []} for i in range(200)
    }
    page = show(song.model, song.sounds)
    page.select_option("#node-chooser", "199")
    assert inspected(page) == "eq 199" and page.locator("#settings tbody tr").count() == 400
    assert wide(page) <= 0


def test_one_channel_plays(show, song, made, until):
    mono = made.noise(9, 0.3, channels=1)
    song.model["sounds"]["mix"] = made.sound("mix", mono)
    page = show(song.model, song.sounds | {"mix": made.encoded(mono)})
    page.click("#play")
    until(page, "grafx.app.player.time > 0.1")


def test_paper_has_all_curves_and_nothing_to_press(show, song):
    page = show(song.model, song.sounds, color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#paper .plot-picture svg").count() == 3  # of both nodes that have some
    for hidden in ("#transport", "#plain", "#theme", "#listen .buttons", "#copy-csv"):
        assert not page.locator(hidden).first.is_visible(), hidden
    for shown in ("#graph-view svg", "#spectra img", "#losses svg", "#settings table", "#chains table"):
        assert page.locator(shown).first.is_visible(), shown
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert (
        page.evaluate(
            "(() => { const f = document.querySelector('.settings-frame'); return f.scrollHeight - f.clientHeight; })()"
        )
        <= 0
    )
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#paper svg").count() == 0


@pytest.mark.parametrize("width", [1400, 900, 400])
def test_it_fits_the_window_and_nothing_jumps(show, song, width, until):
    page = show(song.model, song.sounds, viewport={"width": width, "height": 900})
    assert wide(page) <= 0
    before = page.evaluate("document.querySelector('#settings').offsetTop")
    page.click("#play")
    until(page, "grafx.app.player.time > 0.1")
    assert page.evaluate("document.querySelector('#settings').offsetTop") == before
    page.evaluate("grafx.app.select(2)")
    assert wide(page) <= 0


def test_an_unreadable_sound_is_told_and_others_play_on(show, song, until):
    song.sounds["target"] = b"no sound"
    page = show(song.model, song.sounds)
    page.click('[data-hear="target"]')
    until(page, "document.querySelector('#said').textContent.includes('cannot be played')")
    until(page, "!grafx.app.player.playing")
    page.click('[data-hear="mix"]')
    until(page, "grafx.app.player.time > 0.1")


def test_another_model_keeps_what_is_chosen_and_heard(show, song, until):
    page = show(song.model, song.sounds)
    page.select_option("#node-chooser", "3")
    page.click("#play")
    until(page, "grafx.app.player.time > 0.2")
    page.check("#loop")
    song.model["nodes"]["3"]["label"] = "another"
    song.model["loss"]["found"] = 0.123
    page.evaluate("(model) => grafx.app.update(model)", json.loads(json.dumps(song.model)))
    assert inspected(page) == "another" and "0.123" in page.text_content("#figures")
    assert page.evaluate("grafx.app.player.playing && grafx.app.player.time > 0.2")
    assert page.evaluate("grafx.app.panel(3) instanceof Element && grafx.app.panel(2) === null")
    del song.model["nodes"]["3"], song.model["sounds"]["3-out"]
    song.model["picture"]["nodes"] = [n for n in song.model["picture"]["nodes"] if n["id"] != 3]
    song.model["picture"]["edges"] = []
    page.evaluate("(model) => grafx.app.update(model)", json.loads(json.dumps(song.model)))
    assert inspected(page) is None and page.evaluate("grafx.app.player.playing")


def test_where_there_is_no_web_audio_the_plain_players_are_left(show, browser, tmp_path, song):
    from grafx.report.page import page_html

    file = tmp_path / "old.html"
    file.write_text(page_html(song.model, song.sounds), encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script("delete globalThis.AudioContext; delete globalThis.OfflineAudioContext;")
    page.goto(file.as_uri())
    page.select_option("#node-chooser", "2")
    page.click('[data-plain="mix"] button')
    page.wait_for_selector("audio")
    assert page.locator("#transport").count() == 0 and not errors
    context.close()
