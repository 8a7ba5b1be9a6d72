"""What stands on the screen of a terminal while something runs, and after: bars, resizes, interrupts."""

import codecs
import io
import os
import re
import select
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console
from rich.live import Live

from grafx.cli import pace, progress
from grafx.cli.live import SteadyLive, breaks_lines_anew
from grafx.cli.progress import Bar
from grafx.cli.songs.view import Tally

pyte = pytest.importorskip("pyte")
HEIGHT = 24


class Screen(pyte.Screen):
    """A terminal that breaks its lines anew when it is resized, as most do.

    A line that goes on in the next row is remembered by its row; what the screen has is then set again, line by line.
    """

    def __init__(self, columns):
        self.goes_on, self.drawing = set(), False
        super().__init__(columns, HEIGHT)
        self.stream = pyte.Stream(self)

    def write(self, text):
        self.stream.feed(text.replace("\n", "\r\n"))
        return len(text)

    def flush(self):
        pass

    def draw(self, data):
        self.drawing = True
        super().draw(data)
        self.drawing = False

    def linefeed(self):
        if self.drawing:
            self.goes_on.add(self.cursor.y)
        super().linefeed()

    def erase_in_line(self, how=0, private=False):
        super().erase_in_line(how, private)
        self.goes_on.discard(self.cursor.y)

    def resized(self, columns):
        """The same content, with as many columns, and the cursor where it was in the content."""
        lines, place, line = [], (0, 0), ""
        for row in range(self.cursor.y + 1):
            if row == self.cursor.y:
                place = len(lines), len(line) + self.cursor.x
            line += self.display[row] if row in self.goes_on else self.display[row].rstrip()
            if row not in self.goes_on:
                lines.append(line)
                line = ""
        self.reset()
        self.goes_on.clear()
        self.resize(HEIGHT, columns)
        self.stream.feed("\r\n".join([*lines[: place[0]], lines[place[0]][: place[1]]]))

    @property
    def standing(self):
        return [line.rstrip() for line in self.display if line.strip()]


def console_on(screen):
    return Console(file=screen, force_terminal=True, width=screen.columns, height=HEIGHT, color_system=None)


def running_bar():
    bar = Bar("fitting the console")
    bar.show("seed 12 (3 of 4), fine-tuning, round 12", 40, 100, "loss 0.4312, 35 processors")
    bar.show("seed 12 (3 of 4), fine-tuning, round 12", 50, 100, "loss 0.4300, 35 processors")
    return bar


def running_songs():
    tally = Tally(12, kept=3, where="8 workers")
    for number in range(3):
        tally.running[f"a song with a long name {number}"] = {
            "step": 30 * number,
            "total": 320,
            "phase": "fitting the console",
            "words": "loss 0.4312, 35 processors",
        }
    return tally


SEEN = {"bar": running_bar, "songs": running_songs}


def after_resizes(live, screen, console, widths, late=False):
    console.print("What was said before, which is left as it is.")
    live.auto_refresh = False
    with live:
        for width in widths:
            screen.resized(width)
            if late:
                live.refresh()  # a multiplexer tells of a new size up to a quarter of a second later
            console.width = width
            live.refresh()
        console.print("Said meanwhile.")
        live.refresh()
    console.print("Said after.")
    return screen.standing


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize(
    "widths, late",
    [((60, 100), True), ((60, 80, 120), True), ((50, 45, 61, 40, 120), False), ((30,), False), ((119, 121), True)],
)
def test_resizing_leaves_no_debris(seen, widths, late):
    screen = Screen(120)
    console = console_on(screen)
    shown = SEEN[seen]()
    resized = after_resizes(SteadyLive(shown, console), screen, console, widths, late)

    untouched = Screen(widths[-1])
    console = console_on(untouched)
    plain = after_resizes(SteadyLive(shown, console), untouched, console, ())

    def told(lines):
        return [re.sub(r"\d+:\d\d", "0:00", " ".join(lines)).split()]

    assert told(resized) == told(plain)


def test_richs_own_display_leaves_debris():
    """Or else the terminal of these tests were none."""
    screen = Screen(120)
    console = console_on(screen)
    long = "a line that is longer than half of the terminal is wide, and so goes on in a second row, when that narrows"
    lines = after_resizes(Live(long, console=console), screen, console, (60, 60))
    assert sum("a line that is" in line for line in lines) == 2


def test_a_terminal_that_cuts_lines_off_loses_nothing_above(monkeypatch):
    monkeypatch.setenv("TERM", "linux")
    monkeypatch.delenv("TMUX", raising=False)
    screen = Screen(120)
    console = console_on(screen)
    screen.resized = lambda columns: screen.resize(HEIGHT, columns)
    lines = after_resizes(SteadyLive(running_bar(), console), screen, console, (60, 100))
    assert lines[0] == "What was said before, which is left as it is."
    assert sum("fine-tuning" in line for line in lines) == 1


@pytest.mark.parametrize(
    "environment, anew",
    [({}, True), ({"XTERM_VERSION": "x"}, False), ({"XTERM_VERSION": "x", "TMUX": "y"}, True), ({"STY": "x"}, False)],
)
def test_terminals_that_cut_lines_off_are_known(environment, anew):
    assert breaks_lines_anew(environment) == anew


# Bars


@pytest.fixture
def now(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: clock[0])
    return clock


def drawn(bar, width=80, height=HEIGHT):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(bar)
    return console.file.getvalue().splitlines()


def test_a_bar_tells_how_far_it_is_and_how_long_it_still_takes(now):
    bar = Bar("reading the stems")
    now[0] = 2.0
    first, second = drawn(bar)
    assert first == "reading the stems" and second.endswith("━  0:02")
    bar.show("fitting", 0, 100, "35 processors")
    first, second = drawn(bar)
    assert first == "fitting: 0 of 100, 35 processors" and second.endswith("  0%  0:02, –:–– left")
    now[0] = 3.0
    bar.show("fitting", 1, 100, "loss 0.5")
    first, second = drawn(bar)
    assert first == "fitting: 1 of 100, loss 0.5" and second.endswith("  1%  0:03, 1:39 left")
    now[0] = 4.0  # nothing happens meanwhile
    assert drawn(bar)[1].endswith("  1%  0:04, 3:18 left")
    now[0] = 3602.0
    bar.show("fitting", 100, 100, "loss 0.1")
    assert drawn(bar)[1].endswith("100%  1:00:02")


def test_what_was_done_before_does_not_count_as_fast(now):
    bar = Bar()
    bar.show("fitting", 900, 1000, "")
    assert "–:–– left" in drawn(bar)[1] and " 90%" in drawn(bar)[1]
    now[0] = 10.0
    bar.show("fitting", 910, 1000, "")
    assert "1:30 left" in drawn(bar)[1]


def test_only_the_last_minute_tells_how_fast_it_is(now):
    bar = Bar()
    for step in range(11):
        now[0] = 30.0 * step
        bar.show("fitting", step, 130, "")
    for step in range(11, 131):
        now[0] += 1.0
        bar.show("fine-tuning", step, 200, "") if step > 90 else bar.show("fitting", step, 130, "")
    assert "1:10 left" in drawn(bar)[1]


def test_another_total_is_another_way(now):
    bar = Bar()
    bar.show("making data", 0, 10, "")
    now[0] = 100.0
    bar.show("making data", 10, 10, "")
    bar.show("training", 0, 1000, "")
    assert "–:–– left" in drawn(bar)[1]
    bar.show("training", 0, 1000, "")
    now[0] = 101.0
    bar.show("training", 1, 1000, "")
    assert "16:39 left" in drawn(bar)[1]


@pytest.mark.parametrize("width", [1, 5, 10, 20, 40, 60, 80, 120, 200])
@pytest.mark.parametrize("seen", SEEN)
def test_no_line_is_longer_than_the_terminal(seen, width):
    for height in (1, 4, HEIGHT):
        screen = Screen(width)
        console = console_on(screen)
        console.height = height
        with SteadyLive(SEEN[seen](), console) as live:
            live.refresh()
            assert not screen.goes_on


@pytest.mark.parametrize("width", [60, 80, 120])
def test_bars_break_no_words(width):
    for make in SEEN.values():
        words = {word for line in drawn(make(), width) for word in line.split()}
        assert words >= {"loss", "35", "processors"}


# Commands in terminals of their own

UNIX = pytest.mark.skipif(os.name == "nt", reason="terminals are those of Unix")


class Terminal:
    """A command in a terminal."""

    def __init__(self, columns, *arguments, prelude=""):
        import fcntl
        import pty
        import struct
        import termios

        self.screen, self.seen = Screen(columns), ""
        self.end, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, columns, 0, 0))
        code = f"{prelude}\nfrom grafx.cli import main\nmain()"
        environment = {
            name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=other,
            stdout=other,
            stderr=other,
            env=environment | {"OMP_NUM_THREADS": "1", "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
            start_new_session=True,
        )
        os.close(other)
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def until(self, stands, seconds=240):
        """Wait until something stands on the screen; with None, until the command ends."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if stands is not None and any(re.search(stands, line) for line in self.screen.standing):
                return self
            if not select.select([self.end], [], [], 0.5)[0]:
                continue
            try:
                data = os.read(self.end, 65536)
            except OSError:  # closed, which Linux calls an error
                data = b""
            if not data:
                break
            text = self.decoder.decode(data)
            self.seen += text
            self.screen.stream.feed(text)
        assert stands is None, (stands, self.screen.standing)
        self.process.wait(60)
        os.close(self.end)
        return self

    @property
    def words(self):
        return set(re.sub(r"[│┃┏┓┡┩├┤┼└┘┴┬─━╇╈┯┳╋]", " ", self.seen_plainly).split())

    @property
    def seen_plainly(self):
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.seen)


@UNIX
@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_search_in_a_terminal(search_arguments, tmp_path, width):
    shown = Terminal(width, *search_arguments, tmp_path / "out")
    shown.until("reading the stems and the mix").until(r"plain sum \d|loss \d").until(None)
    assert shown.process.returncode == 0
    lines = shown.screen.standing
    assert max(map(len, lines)) <= width and not shown.screen.cursor.hidden
    assert "reading the stems" not in " ".join(lines) and "writing" not in " ".join(lines)
    assert {"processors", "fitted", "compressor", "console", "removed,"} & shown.words >= {"processors", "console"}
    assert any("100%" in line for line in lines) or "100%" in shown.seen_plainly


@UNIX
@pytest.mark.slow
def test_json_has_no_bar_but_lines_and_quiet_has_neither(search_arguments, tmp_path):
    shown = Terminal(80, *search_arguments, tmp_path / "out", "--json").until(None)
    assert shown.process.returncode == 0
    assert "━" not in shown.seen_plainly and "fitting the console: 1 of" in shown.seen_plainly
    shown = Terminal(80, *search_arguments, tmp_path / "quiet", "--quiet").until(None)
    assert shown.process.returncode == 0 and "━" not in shown.seen_plainly and "fitting" not in shown.seen_plainly


@UNIX
@pytest.mark.slow
def test_an_interrupt_is_answered_and_leaves_the_terminal_as_it_was(search_arguments, tmp_path):
    steps = ["--fit-steps", "100000"]
    shown = Terminal(80, *search_arguments, tmp_path / "out", *steps).until(r"fitting the console: [1-9]")
    os.killpg(shown.process.pid, signal.SIGINT)
    shown.until(None)
    assert shown.process.returncode == 130 and not shown.screen.cursor.hidden
    said = " ".join(shown.seen_plainly.split())
    assert "the same command resumes" in said and re.search(r"Results are in .*metrics", said)


@UNIX
@pytest.mark.slow
def test_an_interrupt_of_what_cannot_go_on_says_what_is_kept(searched, material, tmp_path):
    slow = "import grafx.search, time; whole = grafx.search.render_mix\n"
    slow += "grafx.search.render_mix = lambda *a: (time.sleep(600), whole(*a))"
    out = tmp_path / "a.wav"
    shown = Terminal(70, "render", searched.folder, *material.stems, "--out", out, prelude=slow).until("mixing")
    os.killpg(shown.process.pid, signal.SIGINT)
    shown.until(None)
    said = " ".join(shown.screen.standing)
    assert shown.process.returncode == 130 and "nothing is half-written" in said and "mixing" not in said
    assert os.listdir(tmp_path) == [] and not shown.screen.cursor.hidden


@UNIX
@pytest.mark.slow
def test_a_killed_command_leaves_the_cursor(search_arguments, tmp_path):
    shown = Terminal(80, *search_arguments, tmp_path / "out", "--fit-steps", "100000").until(
        r"fitting the console: [1-9]"
    )
    shown.process.kill()
    shown.until(None)
    assert not shown.screen.cursor.hidden


def test_lines_may_be_wanted_on_a_terminal(monkeypatch):
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(progress, "error_terminal", console)
    assert progress.is_seen()
    with progress.in_lines(True), progress.in_lines(False):
        assert not progress.is_seen()
    with progress.in_lines(False):
        assert progress.is_seen()
