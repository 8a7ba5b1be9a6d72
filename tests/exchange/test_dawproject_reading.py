"""DAWprojects of others: units, routing and clips as DAWs have them, and files that are refused."""

import math
import zipfile

import pytest
import soundfile
import torch

from grafx.data import load_grafx
from grafx.errors import ExchangeError
from grafx.exchange import level_of_difference
from grafx.exchange.dawproject.read import read_mixer
from grafx.exchange.dawproject.xml_reader import project_of
from grafx.search.mixing.mixer import render_mix

RATE = 8000
SECONDS = 2.0

TRACK = """
    <Track contentType="audio" loaded="true" id="t{n}" name="{name}">
      <Channel audioChannels="2" destination="{to}" role="regular" id="c{n}">
        <Devices>{devices}</Devices>
        <Mute value="{mute}"/>
        <Pan unit="normalized" value="0.5"/>
        {sends}
        <Volume unit="linear" value="{volume}"/>
      </Channel>
    </Track>"""
MASTER = """
    <Track contentType="audio" id="tm" name="Master"><Channel role="master" id="cm">
      <Volume unit="linear" value="1.0"/></Channel></Track>"""
AUDIO = '<Audio channels="2" duration="2.0" sampleRate="8000"><File path="audio/drums.wav"/></Audio>'
CLIP = """<Clip time="0.0" duration="4.0" contentTimeUnit="seconds" playStart="0.0">
  <Audio channels="2" duration="2.0" sampleRate="8000"><File path="audio/{name}.wav"/></Audio></Clip>"""


def track(n, name="drums", *, to="cm", devices="", mute="false", sends="", volume=1.0):
    return TRACK.format(n=n, name=name, to=to, devices=devices, mute=mute, sends=sends, volume=volume)


def lane(n, clips):
    return f'<Lanes track="t{n}"><Clips>{clips}</Clips></Lanes>'


def project(tracks, lanes, bpm=120, unit="beats"):
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Project version="1.0">
  <Application name="Another DAW" version="5.0"/>
  <Transport><Tempo unit="bpm" value="{bpm}"/></Transport>
  <Structure>{tracks}</Structure>
  <Arrangement><Lanes timeUnit="{unit}">{lanes}</Lanes></Arrangement>
  <Scenes/>
</Project>"""


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    generator = torch.Generator().manual_seed(2)
    signals = 0.2 * torch.randn(2, 2, round(SECONDS * RATE), generator=generator)
    for name, signal in zip(("drums", "bass"), signals, strict=True):
        soundfile.write(folder / f"{name}.wav", signal.T.numpy(), RATE, "FLOAT")
    return folder, dict(zip(("drums", "bass"), signals, strict=True))


@pytest.fixture
def write(tmp_path, sounds):
    def written(xml, *extra):
        path = tmp_path / "song.dawproject"
        with zipfile.ZipFile(path, "w") as archive:
            if xml is not None:
                archive.writestr("project.xml", xml)
            for file in sounds[0].iterdir():
                archive.write(file, f"audio/{file.name}")
            for name, content in extra:
                archive.writestr(name, content)
        return path

    return written


def mix_of(path):
    mixer = read_mixer(path)
    return mixer, render_mix(mixer.G, mixer.stems, mixer.sample_rate)


def by_type(G):
    return {data["node_type"]: data for _, data in sorted(G.nodes(data=True), reverse=True)}


class TestUnits:
    def test_of_devices(self, write):
        """MIDI notes as frequencies, shares as ratios, beats as times, linear gains, as DAWs write them."""
        devices = """
          <Compressor deviceName="Comp" deviceRole="audioFX">
            <Attack unit="seconds" value="0.02"/><OutputGain unit="linear" value="2.0"/>
            <Ratio unit="percent" value="75.0"/><Release unit="beats" value="0.5"/>
            <Threshold unit="decibel" value="-21"/></Compressor>
          <Equalizer deviceName="EQ" deviceRole="audioFX">
            <Band type="bell" order="2"><Freq unit="semitones" value="69"/><Gain unit="decibel" value="5"/>
              <Q unit="linear" value="2"/></Band>
            <Band type="highPass" order="4"><Freq unit="hertz" value="80"/></Band>
            <Band type="notch"><Freq unit="hertz" value="1000"/><Q unit="linear" value="3"/>
              <Enabled value="false"/></Band></Equalizer>
          <NoiseGate deviceName="Gate" deviceRole="audioFX"><Range unit="decibel" value="-20"/>
            <Ratio unit="linear" value="3"/><Threshold unit="decibel" value="-40"/></NoiseGate>
          <Limiter deviceName="Limit" deviceRole="audioFX"><Enabled value="false"/>
            <Threshold unit="decibel" value="-6"/></Limiter>"""
        G = read_mixer(write(project(track(1, devices=devices) + MASTER, lane(1, CLIP.format(name="drums"))))).G
        found = by_type(G)
        compressor = found["compressor"]["parameters"]
        assert compressor["ratio"] == pytest.approx(4) and compressor["threshold_db"] == -21
        assert compressor["attack_ms"] == pytest.approx(20) and compressor["release_ms"] == pytest.approx(250)
        assert found["gain"]["parameters"]["left_gain_db"] == pytest.approx(20 * math.log10(2))
        assert found["PeakingFilter"]["parameters"] == pytest.approx({"frequency_hz": 440.0, "q": 2, "gain_db": 5})
        passes = [d["parameters"] for _, d in G.nodes(data=True) if d["node_type"] == "HighPassFilter"]
        assert sorted(p["q"] for p in passes) == pytest.approx([0.5412, 1.3066], abs=1e-3)  # Butterworth
        assert found["noisegate"]["drywet_weight"] == pytest.approx(0.9)
        assert found["limiter"]["bypass"] is True and "BandRejectFilter" not in found

    @pytest.mark.parametrize(
        ("fader", "gains"),
        [
            ('<Pan unit="linear" value="-1"/><Volume unit="decibel" value="-6"/>', (0.501187, 0)),
            ('<Pan unit="percent" value="75"/><Volume unit="percent" value="50"/>', (0.25, 0.5)),
            ('<Pan unit="normalized" value="0.25"/><Volume unit="linear" value="0.8"/>', (0.8, 0.4)),
            ('<Volume unit="decibel" value="-inf"/>', (0, 0)),
        ],
    )
    def test_of_faders(self, fader, gains, write, sounds):
        tracks = (
            '<Track id="t1" name="drums"><Channel id="c1" destination="cm">' + fader + "</Channel></Track>" + MASTER
        )
        _, mix = mix_of(write(project(tracks, lane(1, CLIP.format(name="drums")))))
        expected = torch.tensor(gains)[:, None] * sounds[1]["drums"]
        torch.testing.assert_close(mix, expected, atol=2e-5, rtol=1e-4)

    def test_many_bands(self, write, sounds):
        """More than a parametric equalizer of a console has, against SciPy."""
        from scipy.signal import sosfilt

        def bell(f, q, db):
            w, A = 2 * math.pi * f / RATE, 10 ** (db / 40)
            alpha = math.sin(w) / 2 / q
            b, a = (1 + alpha * A, -2 * math.cos(w), 1 - alpha * A), (1 + alpha / A, -2 * math.cos(w), 1 - alpha / A)
            return [*(x / a[0] for x in b), *(x / a[0] for x in a)]

        settings = [(100 * 1.4**k, 0.5 + 0.1 * k, (-1) ** k * (k + 1) / 2) for k in range(10)]
        bands = "".join(
            f'<Band type="bell"><Freq unit="hertz" value="{f}"/><Gain unit="decibel" value="{db}"/>'
            f'<Q unit="linear" value="{q}"/></Band>'
            for f, q, db in settings
        )
        devices = f'<Equalizer deviceName="EQ" deviceRole="audioFX">{bands}</Equalizer>'
        _, mix = mix_of(write(project(track(1, devices=devices) + MASTER, lane(1, CLIP.format(name="drums")))))
        expected = torch.from_numpy(sosfilt([bell(*s) for s in settings], sounds[1]["drums"].double().numpy()))
        assert level_of_difference(mix, expected) < -90


class TestRouting:
    def test_groups_returns_and_what_is_out(self, write, sounds):
        group = f"""<Track contentType="tracks" id="tg" name="band">
            <Channel role="submix" id="cg" destination="cm"><Volume unit="linear" value="0.5"/></Channel>
            {
            track(
                1,
                to="cg",
                sends='''<Sends><Send destination="cr" type="post"><Volume unit="linear" value="0.25"/></Send>
              <Send destination="cr"><Enable value="false"/><Volume unit="linear" value="1"/></Send></Sends>''',
                volume=0.8,
            )
        }
            {track(2, "bass", to="cg", mute="true")}</Track>
          <Track id="tr" name="room"><Channel role="effect" id="cr" destination="cm">
            <Devices><Vst3Plugin deviceName="Hall" deviceRole="audioFX"/></Devices></Channel></Track>
          <Track id="tv" name="all"><Channel role="vca" id="cv"/></Track>"""
        lanes = lane(1, CLIP.format(name="drums")) + lane(2, CLIP.format(name="bass"))
        lanes += '<Lanes track="t1"><Points><Target parameter="p"/><RealPoint time="0" value="1"/></Points></Lanes>'
        mixer, mix = mix_of(write(project(group + MASTER, lanes)))
        torch.testing.assert_close(mix, (0.8 * 0.5 + 0.8 * 0.25) * sounds[1]["drums"], atol=1e-5, rtol=1e-4)
        assert mixer.names == ["drums"]
        said = " / ".join(mixer.left_out)
        for part in ("'bass', which is muted", "Vst3Plugin 'Hall' of 'room'", "VCA 'all'", "automation of 'drums'"):
            assert part in said

    def test_circles_and_missing_channels(self, write):
        a = '<Track id="t1" name="a"><Channel id="c1" destination="c2"/></Track>'
        b = '<Track id="t2" name="b"><Channel id="c2" destination="c1"/></Track>'
        with pytest.raises(ExchangeError, match=r"'a' → 'b'|'b' → 'a'"):
            read_mixer(write(project(a + b + MASTER, lane(1, CLIP.format(name="drums")))))
        with pytest.raises(ExchangeError, match=r"'drums' goes to 'c9', but project.xml has no channel"):
            read_mixer(write(project(track(1, to="c9") + MASTER, "")))

    def test_the_same_way_twice(self, write, sounds):
        sends = '<Sends><Send destination="cm"><Volume unit="linear" value="1"/></Send></Sends>'
        _, mix = mix_of(write(project(track(1, sends=sends) + MASTER, lane(1, CLIP.format(name="drums")))))
        torch.testing.assert_close(mix, 2 * sounds[1]["drums"], atol=1e-5, rtol=1e-4)


class TestClips:
    def played(self, write, clips, **options):
        return mix_of(write(project(track(1) + MASTER, lane(1, clips), **options)))

    def test_times(self, write, sounds):
        """A clip of beats that begins later, from the middle of its file, with a fade."""
        clip = f"""<Clip time="1.0" duration="2.0" contentTimeUnit="seconds" playStart="0.5" fadeTimeUnit="seconds"
            fadeInTime="0.25">{AUDIO}</Clip>"""
        _, mix = self.played(write, clip, bpm=60)
        expected = torch.zeros(2, 3 * RATE)
        expected[:, RATE : 3 * RATE - RATE // 2] = sounds[1]["drums"][:, RATE // 2 :]
        expected[:, RATE : RATE + RATE // 4] *= torch.arange(RATE // 4) / (RATE // 4)
        torch.testing.assert_close(mix, expected[:, : mix.shape[-1]], atol=1e-5, rtol=1e-4)

    def test_loops(self, write, sounds):
        clip = f"""<Clip time="0" duration="3.0" contentTimeUnit="seconds" playStart="0" loopStart="0.5" loopEnd="1.0">
          {AUDIO}</Clip>"""
        _, mix = self.played(write, clip, unit="seconds")
        drums, half = sounds[1]["drums"], RATE // 2
        expected = torch.cat([drums[:, : 2 * half], *[drums[:, half : 2 * half]] * 4], -1)
        torch.testing.assert_close(mix, expected, atol=1e-5, rtol=1e-4)

    def test_as_bitwig_nests_them(self, write, sounds):
        """Clips in clips, and warps that do not stretch."""
        clip = f"""<Clip time="2.0" duration="2.0" playStart="1.0" loopStart="0.0" loopEnd="8.0"><Clips>
          <Clip time="0.0" duration="4.0" contentTimeUnit="beats" playStart="0.0">
            <Warps contentTimeUnit="seconds" timeUnit="beats">
              {AUDIO}
              <Warp time="0.0" contentTime="0.0"/><Warp time="4.0" contentTime="2.0"/></Warps></Clip></Clips></Clip>"""
        mixer, mix = self.played(write, clip)
        assert not mixer.left_out
        expected = torch.zeros(2, 2 * RATE)
        expected[:, RATE:] = sounds[1]["drums"][:, RATE // 2 : RATE // 2 + RATE]
        torch.testing.assert_close(mix, expected, atol=1e-5, rtol=1e-4)

    def test_stretched(self, write, sounds):
        clip = CLIP.format(name="drums").replace("<Audio", '<Warps contentTimeUnit="seconds" timeUnit="seconds"><Audio')
        clip = clip.replace(
            "</Audio>", '</Audio><Warp time="0" contentTime="0"/><Warp time="3" contentTime="2"/></Warps>'
        )
        mixer, _ = self.played(write, clip)
        assert any("time stretching of a clip of 'drums'" in each for each in mixer.left_out)

    def test_mono_and_other_rates(self, write, sounds, tmp_path):
        tone = torch.sin(2 * math.pi * 440 * torch.arange(RATE // 2) / (RATE / 2))
        soundfile.write(tmp_path / "tone.flac", tone.numpy(), RATE // 2)
        both = lane(1, CLIP.format(name="drums")) + lane(2, CLIP.format(name="bass"))
        both += lane(3, CLIP.format(name="tone").replace(".wav", ".flac"))
        tracks = track(1) + track(2, "bass") + track(3, "tone") + MASTER
        mixer = read_mixer(write(project(tracks, both), ("audio/tone.flac", (tmp_path / "tone.flac").read_bytes())))
        assert mixer.sample_rate == RATE and mixer.stems.shape == (3, 2, round(SECONDS * RATE))
        middle = mixer.stems[2, :, 2000:6000]
        expected = torch.sin(2 * math.pi * 440 * torch.arange(2000, 6000) / RATE)
        torch.testing.assert_close(middle, expected.expand(2, -1), atol=1e-2, rtol=0)


BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]>
<Project version="1.0"><Application name="&lol2;" version="1"/></Project>"""


class TestRefusals:
    @pytest.mark.parametrize(
        ("xml", "said"),
        [
            (None, "has no project.xml"),
            ("<Project", "project.xml cannot be read"),
            ("<Song/>", "holds <Song>"),
            (BOMB, "document type declaration"),
            ("<Project>" + "<Track>" * 200 + "</Track>" * 200 + "</Project>", "nested more than"),
            (
                project(track(1, volume="loud") + MASTER, lane(1, CLIP.format(name="drums"))),
                "'loud', which is no number",
            ),
            (project(track(1, volume="nan") + MASTER, lane(1, CLIP.format(name="drums"))), "'nan', which is no number"),
            (project(track(1) + MASTER, lane(1, CLIP.format(name="piano"))), r"'audio/piano.wav', which its archive"),
            (project(track(1) + MASTER, lane(1, CLIP.format(name="../../drums"))), "leads out of its archive"),
            (project(track(1) + MASTER, lane(1, CLIP.format(name="drums").replace("audio/", "/etc/"))), "leads out"),
            (project(track(1) + MASTER, lane(1, CLIP.format(name="drums").replace("audio/", "C:\\"))), "leads out"),
            (project(track(1) + MASTER, ""), "No track of the project"),
            (
                project(track(1) + MASTER, lane(1, CLIP.format(name="drums").replace('"0.0" d', '"1e9" d'))),
                "lasts from",
            ),
            (project(track(1) + MASTER, lane(1, CLIP.format(name="drums")), bpm=0), "tempo 0 BPM"),
            (project(track(1) + MASTER, lane(1, CLIP.format(name="text"))), "text.wav|audio.wav"),
        ],
    )
    def test_contents(self, xml, said, write):
        with pytest.raises(ValueError, match=said):
            read_mixer(write(xml, ("audio/text.wav", b"no sound")))

    def test_files(self, tmp_path):
        (tmp_path / "a.dawproject").write_bytes(b"PK no archive")
        with pytest.raises(ExchangeError, match="no DAWproject"):
            read_mixer(tmp_path / "a.dawproject")
        with pytest.raises(OSError, match="No such file"):
            read_mixer(tmp_path / "none.dawproject")

    def test_damaged_archives(self, write, tmp_path):
        whole = bytearray(write(project(track(1) + MASTER, lane(1, CLIP.format(name="drums")))).read_bytes())
        start = whole.index(b"<Project")
        whole[start : start + 8] = b"<Broject"
        (tmp_path / "b.dawproject").write_bytes(whole)
        with pytest.raises(ExchangeError, match="CRC"):
            read_mixer(tmp_path / "b.dawproject")

    def test_bombs(self, write, monkeypatch):
        """No more is taken out than a file may have, whatever the archive says about it."""
        path = write(project(track(1) + MASTER, lane(1, CLIP.format(name="drums"))) + " " * 4000)
        monkeypatch.setattr("grafx.exchange.dawproject.archive.MOST_XML", 1000)
        with pytest.raises(ExchangeError, match="more than 1000 bytes"):
            read_mixer(path)
        monkeypatch.undo()
        monkeypatch.setattr("grafx.exchange.dawproject.archive.MOST_AUDIO", 1000)
        with pytest.raises(ExchangeError, match=r"drums.wav has more than"):
            read_mixer(path)

    def test_files_that_grow_too_much(self, write, monkeypatch):
        path = write(project(track(1) + MASTER, lane(1, CLIP.format(name="zeros"))))
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("audio/zeros.wav", bytes(200_000))
        monkeypatch.setattr("grafx.exchange.dawproject.archive.MOST_GROWTH", 10)
        with pytest.raises(ValueError, match=r"zeros.wav in the archive cannot be read as audio.*export the project"):
            read_mixer(path)  # small enough
        monkeypatch.setattr("grafx.exchange.dawproject.archive.GROWN", 100_000)
        with pytest.raises(ExchangeError, match=r"zeros.wav has more than 100000 bytes.*take the clips"):
            read_mixer(path)

    def test_endless_loops(self):
        clip = CLIP.format(name="drums").replace('playStart="0.0"', 'playStart="0" loopStart="0" loopEnd="1e-9"')
        with pytest.raises(ExchangeError, match="loops more than"):
            project_of(project(track(1) + MASTER, lane(1, clip)).encode())


def test_command_line(write, run, sounds, tmp_path):
    """The audio lies beside the graph, which renders with it."""
    sends = '<Sends><Send destination="cm" type="post"><Volume unit="linear" value="0.5"/></Send></Sends>'
    devices = '<ClapPlugin deviceName="Surge" deviceRole="audioFX"/>'
    xml = project(track(1, sends=sends, devices=devices, volume=0.5) + MASTER, lane(1, CLIP.format(name="drums")))
    out = tmp_path / "song"
    result = run("import", write(xml), "--out", out)
    assert result.exit_code == 0, result.output
    assert "ClapPlugin 'Surge' of 'drums'" in result.stderr
    G, _, metadata = load_grafx(out)
    assert metadata["left_out"] and G.number_of_nodes() > 2
    rendered = run("render", out, out / "audio" / "drums.wav", "--out", tmp_path / "mix.wav")
    assert rendered.exit_code == 0, rendered.output
    mix = torch.from_numpy(soundfile.read(tmp_path / "mix.wav", dtype="float32")[0].T)
    torch.testing.assert_close(mix, 0.75 * sounds[1]["drums"], atol=1e-5, rtol=1e-4)
    again = run("export", out, "--to", "dawproject", "--out", tmp_path / "again.dawproject")
    assert again.exit_code == 0, again.output
    assert "differs by" in again.output
    torch.testing.assert_close(mix_of(tmp_path / "again.dawproject")[1], mix, atol=1e-5, rtol=1e-4)


@pytest.fixture
def run():
    from typer.testing import CliRunner

    from grafx.cli.main import app

    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
