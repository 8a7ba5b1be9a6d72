"""The built site, where ``GRAFX_SITE`` says that there is one: what leads nowhere, breaks, or is wider than a phone."""

import os
import shutil
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(os.environ.get("GRAFX_SITE", "")).resolve()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("GRAFX_SITE"), reason="GRAFX_SITE names no built site"),
]
PHONE, DESK = 390, 1400
MATHJAX = SITE / "_static" / "mathjax" / "tex-svg.js"
SOURCES = "_modules"  # pages of code, which are as wide as it is


class Page(HTMLParser):
    """Links, anchors, pictures and players of a page."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.pictures, self.players = set(), [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        self.links += [attributes[key] for key in ("href", "src") if attributes.get(key)]
        if tag == "img":
            self.pictures.append((attributes.get("src"), attributes.get("alt")))
        if tag == "audio":
            self.players.append(attributes)


@cache
def pages():
    return {path: Page(path) for path in sorted(SITE.rglob("*.html")) if "_static" not in path.parts}


@cache
def names():
    return [path.relative_to(SITE).as_posix() for path in pages() if path.relative_to(SITE).parts[0] != SOURCES]


def test_no_link_leads_nowhere():
    dead = []
    for path, page in pages().items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(address.fragment)
            if not target.exists() or (anchor and target in pages() and anchor not in pages()[target].anchors):
                dead.append((path.relative_to(SITE).as_posix(), link))
    assert len(pages()) > 100
    assert sorted({*dead}) == []


def test_pictures_have_a_text_in_their_place():
    without = [
        (path.name, source)
        for path, page in pages().items()
        for source, text in page.pictures
        if text is None or (text and text.rpartition("/")[2] == (source or "").rpartition("/")[2])
    ]
    assert without == []


def test_each_processor_has_sounds_and_pictures():
    processors = [path for path in pages() if path.parent == SITE / "api" / "processors"]
    assert len(processors) > 90
    for path in processors:
        page = pages()[path]
        assert page.players and all(player["preload"] == "none" and player["aria-label"] for player in page.players)
        assert any("_images" in source for source, _ in page.pictures), path.name
    sounds = [*(SITE / "_static" / "sounds").iterdir()]
    assert sum(sound.stat().st_size for sound in sounds) < 10e6
    assert max(sound.stat().st_size for sound in sounds) < 100e3


def expected(request):
    """Whether a request was to fail.

    A page was left before it was answered; MathJax lies elsewhere, for want of npm at the build; or the search asks for
    summaries of what it has found, which browsers refuse for files and servers grant.
    """
    elsewhere = "mathjax" in request.url and not MATHJAX.exists()
    return request.failure == "net::ERR_ABORTED" or elsewhere or request.resource_type == "fetch"


@pytest.fixture
def visit(browser):
    """Open a page of the site without a network, and refuse what it complains of."""
    contexts, complaints = [], []

    def open_page(name, width=DESK, dark=False):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: "Failed to fetch" in str(error) or complaints.append(str(error)))
        page.on("requestfailed", lambda request: expected(request) or complaints.append(request.url))
        address = urlsplit(name)
        page.goto((SITE / address.path).as_uri() + name.removeprefix(address.path))
        page.wait_for_load_state("load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  const inside = (e) => { for (let p = e.parentElement; p; p = p.parentElement) {
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(p).overflowX) && p !== document.body) return true; }
    return false; };
  if (document.scrollingElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("body *")]
    .filter((e) => e.getBoundingClientRect().right > width + 1 && !inside(e))
    .slice(0, 5).map((e) => e.tagName + "." + e.className);
}"""
EQUATIONS = """async () => {
  if (!window.MathJax?.startup?.promise) return null;
  await MathJax.startup.promise;
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
  const broken = [...document.querySelectorAll("[data-mjx-error], mjx-merror, .mjx-error")]
    .map((e) => e.outerHTML.slice(0, 200));
  const raw = [...document.querySelectorAll(".math")].filter((e) => !e.querySelector("mjx-container"))
    .map((e) => e.textContent.slice(0, 200));
  const wide = [...document.querySelectorAll("div.math")].filter((e) => e.scrollWidth > e.clientWidth + 1)
    .map((e) => e.scrollWidth + " > " + e.clientWidth);
  return { broken, raw, wide };
}"""


@pytest.mark.parametrize("half", [0, 1])
def test_pages_fit_a_phone_and_their_equations_are_typeset(visit, half):
    wide, broken = {}, {}
    page = visit("index.html", PHONE)
    for name in names()[half::2]:
        page.goto((SITE / name).as_uri())
        math = page.evaluate(EQUATIONS)
        if math and (math["broken"] or math["raw"] or math["wide"]):
            broken[name] = math
        if over := page.evaluate(OVERFLOWING):
            wide[name] = over
    assert wide == {}
    assert broken == {}


@pytest.mark.skipif(shutil.which("npm") is None, reason="MathJax comes by npm")
def test_equations_need_no_network():
    assert MATHJAX.exists()


@pytest.mark.parametrize("dark", [False, True])
def test_sounds_play(visit, dark):
    page = visit("api/processors/Compressor.html", dark=dark)
    seconds = page.evaluate(
        """async () => {
          const player = document.querySelectorAll("audio")[1];
          player.muted = true;
          await player.play();
          await new Promise((done) => player.addEventListener("timeupdate", done, { once: true }));
          return player.duration;
        }"""
    )
    assert 2.9 < seconds < 3.2


def test_one_player_at_a_time(visit):
    page = visit("index.html")
    paused = page.evaluate(
        """async () => {
          const [first, second] = document.querySelectorAll("audio");
          first.muted = second.muted = true;
          await first.play();
          await second.play();
          return [first.paused, second.paused];
        }"""
    )
    assert paused == [True, False]


def test_the_list_is_filtered(visit):
    page = visit("api/processors.html")
    assert page.locator(".card:visible").count() > 90
    page.fill("#filter", "ducking")
    shown = page.locator(".card:visible").all_inner_texts()
    assert any("Compressor" in text for text in shown) and not any("Panner" in text for text in shown)
    page.fill("#filter", "nothing is called so")
    assert page.locator(".card:visible").count() == 0
    page.fill("#filter", "freeverb")
    page.press("#filter", "Enter")
    page.wait_for_url("**/Freeverb.html")


def test_the_search_finds_by_what_they_do(visit):
    page = visit("search.html?q=ducking")
    page.wait_for_selector("ul.search li")
    assert any("Compressor" in text for text in page.locator("ul.search li").all_inner_texts())


def test_former_addresses_of_processors(visit):
    page = visit("api/processors.html#grafx.processors.Freeverb")
    page.wait_for_url("**/processors/Freeverb.html#grafx.processors.Freeverb")


def test_code_is_copied(visit):
    page = visit("api/processors/Compressor.html")
    assert page.locator("button.copybtn").count() >= 1
