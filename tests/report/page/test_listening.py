"""What is heard: the page's own graph of sounds, rendered offline, against the signals that went into it."""

import numpy as np
import pytest

START = 0.02  # s until what is asked for sounds
FADE = 0.01  # s that one sound needs to take over from another
EVENT = 0.512  # s: contexts stop at multiples of 128 samples only

# In place of the sound card: renders as fast as it can, and stops where a test has something to do.
OFFLINE = """
globalThis.AudioContext = function ({sampleRate}) {
  const context = new OfflineAudioContext(2, 4 * sampleRate, sampleRate);
  context.resume = () => Promise.resolve();
  globalThis.listen = async (events) => {
    const resume = OfflineAudioContext.prototype.resume.bind(context);
    for (const [time, act] of events) {
      context.suspend(time).then(async () => { await act(grafx.app.page); await resume(); });
    }
    const heard = await context.startRendering();
    return [0, 1].map((c) => Array.from(heard.getChannelData(c)));
  };
  return context;
};
"""


@pytest.fixture
def listen(browser, tmp_path, song):
    """Plays after ``setup``, does what ``events`` say at their times, and returns the 4 s that came out."""
    from grafx.report.page import page_html

    contexts = []

    def play(setup, *events, sounds=None, model=None):
        file = tmp_path / "report.html"
        file.write_text(page_html(model or song.model, sounds or song.sounds), encoding="utf-8")
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        page.add_init_script(OFFLINE)
        page.goto(file.as_uri())
        acts = ", ".join(f"[{time}, async (page) => {{ {act} }}]" for time, act in events)
        script = f"async () => {{ const page = grafx.app.page; {setup}; await page.play(); return listen([{acts}]); }}"
        return np.array(page.evaluate(script), dtype=np.float64), page

    yield play
    for context in contexts:
        context.close()


def db(x):
    return 20 * np.log10(x)


def at(song, seconds):
    return round(seconds * song.rate)


def test_sounds_come_out_as_they_went_in(listen, song):
    heard, _ = listen("page.setMatch(false)")
    n = song.signals["mix"].shape[1]
    start = at(song, START)
    assert np.abs(heard[:, :start]).max() == 0 and np.abs(heard[:, start + n :]).max() < 1e-6
    assert np.allclose(heard[:, start : start + n], song.signals["mix"], atol=1e-6)


@pytest.mark.parametrize("codec", ["wav", "flac"])
def test_decoded_samples_are_those_encoded(show, song, made, codec):
    sounds = {key: made.encoded(signal, codec) for key, signal in song.signals.items()}
    page = show(song.model, sounds)
    for key in ("mix", "2-out", "3-out"):
        samples = page.evaluate(
            """async (key) => {
              const buffer = await grafx.app.player.fetch(key);
              return [0, 1].map((c) => Array.from(buffer.getChannelData(c)));
            }""",
            key,
        )
        assert np.abs(np.array(samples) - song.signals[key]).max() <= (0 if codec == "wav" else 2**-15)


def test_the_switch_has_no_gap_and_keeps_the_position(listen, song, made):
    # The target is the mix, 6 dB softer: at equal loudness nobody can tell when it took over.
    song.signals["target"] = song.signals["mix"] / 2
    song.sounds["target"] = made.encoded(song.signals["target"])
    song.model["sounds"]["target"] = made.sound("target", song.signals["target"], 0, -12 - db(2))
    heard, page = listen("", (0.5, "page.switchTo('b')"), (1.0, "page.switchTo('a')"), (1.2, "page.switchTo('b')"))
    start, n = at(song, START), song.signals["mix"].shape[1]
    expected = song.signals["mix"]
    assert np.allclose(heard[:, start : start + n], expected, atol=1e-4)
    assert page.evaluate("grafx.app.page.side") == "b"


@pytest.mark.parametrize("match", [True, False])
def test_a_and_b_are_equally_loud_where_they_are_to_be(listen, song, made, match):
    loudness = pytest.importorskip("grafx.search.loudness").loudness
    import torch

    signals, levels = {"mix": song.signals["mix"], "target": np.cumsum(song.signals["target"], axis=1) / 4}, []
    signals["target"] = (signals["target"] - signals["target"].mean(1, keepdims=True)).astype(np.float32)
    signals["target"] *= 0.9 / np.abs(signals["target"]).max()
    for key, signal in signals.items():
        lufs = loudness(torch.from_numpy(signal), song.rate)
        song.model["sounds"][key] = made.sound(key, signal, 0, lufs)
        song.sounds[key] = made.encoded(signal)
    true = [song.model["sounds"][key]["lufs"] for key in signals]
    assert abs(true[0] - true[1]) > 1
    for side in "ab":
        heard, _ = listen(f"page.switchTo('{side}'); page.setMatch({str(match).lower()})")
        levels.append(loudness(torch.from_numpy(heard[:, at(song, START) :][:, : 2 * song.rate]).float(), song.rate))
        assert np.abs(heard).max() <= 1
    difference = levels[0] - levels[1]
    assert difference == pytest.approx(0 if match else true[0] - true[1], abs=0.1)


def test_a_soft_sound_is_raised_no_higher_than_it_can_be(listen, song, made):
    spiky = song.signals["target"] / 100
    spiky[:, 4000] = 0.5
    song.model["sounds"]["target"] = made.sound("target", spiky, 0, -60.0)
    song.sounds["target"] = made.encoded(spiky)
    heard, page = listen("page.switchTo('b')")
    assert np.abs(heard).max() == pytest.approx(1, abs=1e-3)
    gains = page.evaluate("grafx.app.page.gains()")
    assert db(gains["a"]) - db(gains["b"]) == pytest.approx(-60 + 12, abs=1e-6)


@pytest.mark.parametrize(
    "clicks, stems",
    [
        ([("Solo", "vocals")], ["solo-0"]),
        ([("Solo", "vocals"), ("Solo", "bass")], ["solo-0", "solo-1"]),
        ([("Mute", "vocals")], ["solo-1"]),
        ([("Mute", "vocals"), ("Mute", "bass")], []),
        ([("Mute", "vocals"), ("Solo", "vocals")], ["solo-0"]),
    ],
)
def test_stems_sum_as_solo_and_mute_say(listen, song, clicks, stems):
    press = "".join(f"""document.querySelector('[data-kind="{k}"][data-stem="{s}"]').click();""" for k, s in clicks)
    heard, _ = listen(f"page.setMatch(false); {press}")
    start, n = at(song, START), song.signals["mix"].shape[1]
    expected = sum((song.signals[key] for key in stems), np.zeros((2, n)))
    assert np.allclose(heard[:, start : start + n], expected, atol=1e-5)


def test_muting_takes_effect_at_once(listen, song):
    heard, _ = listen(
        "page.setMatch(false); page.hear('stems')",
        (EVENT, """document.querySelector('[data-kind="Mute"][data-stem="bass"]').click()"""),
    )
    start, end = at(song, START), at(song, EVENT)
    both, one = song.signals["solo-0"] + song.signals["solo-1"], song.signals["solo-0"]
    assert np.allclose(heard[:, start : end - 200], both[:, : end - 200 - start], atol=1e-5)
    later = end + 200
    assert np.allclose(heard[:, later:16000], one[:, later - start : 16000 - start], atol=1e-5)


def test_seeking_goes_on_from_there(listen, song):
    heard, _ = listen("page.setMatch(false)", (EVENT, "page.seek(1.5)"))
    later = at(song, EVENT + START + FADE)
    left = song.signals["mix"][:, at(song, 1.5 + FADE) :]
    assert np.allclose(heard[:, later : later + left.shape[1]], left, atol=1e-5)
    assert np.abs(heard[:, later + left.shape[1] + 2 :]).max() < 1e-6


def test_a_loop_turns_without_a_gap(listen, song):
    heard, _ = listen("page.setMatch(false); page.setLoop({start: 0.5, end: 0.75})")
    region = song.signals["mix"][:, 4000:6000]
    start = at(song, START)
    expected = np.tile(region, (1, 10))[:, : heard.shape[1] - start]
    assert np.allclose(heard[:, start : start + expected.shape[1]], expected, atol=1e-5)


def test_an_excerpt_is_heard_where_it_lies(listen, song):
    heard, page = listen("page.setMatch(false); page.hear('node:3:out')")
    start, n = at(song, START), song.signals["3-out"].shape[1]
    assert np.allclose(heard[:, start : start + n], song.signals["3-out"], atol=1e-5)
    assert np.abs(heard[:, start + n + 2 :]).max() < 1e-6
    assert "between 0:01.0 and 0:01.5" in page.text_content("#said")


def test_sounds_that_are_not_used_are_given_up(show, song):
    page = show(song.model, song.sounds)
    kept = page.evaluate(
        """async () => {
          const seconds = 600, rate = 48000; // 230 MB decoded
          const buffer = {length: seconds * rate, numberOfChannels: 2, getChannelData: () => new Float32Array(8)};
          OfflineAudioContext.prototype.decodeAudioData = async () => buffer;
          const sounds = Object.fromEntries([..."abcd"].map((key) => [key, {start: 0, seconds}]));
          const player = grafx.player.create({sample_rate: rate, seconds, sounds}, async () => new ArrayBuffer(8));
          for (const key of "abcd") await player.fetch(key);
          return [..."abcd"].filter((key) => player.peak(key) !== null);
        }"""
    )
    assert kept == ["d"]
