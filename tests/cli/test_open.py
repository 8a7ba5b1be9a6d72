import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

pytest.importorskip("uvicorn")

SERVE = "from grafx.cli import main\nmain()"
WINDOWS = sys.platform == "win32"


@pytest.fixture
def opened(result_folder):
    """``grafx open`` of the results of a search in a process of its own, with its address."""
    command = [sys.executable, "-c", SERVE, "open", str(result_folder), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        yield process, address
        process.kill()


def ask(address, path, edit=None):
    base, token = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/\?token=([\w-]{20,})", address).groups()
    data = None if edit is None else json.dumps(edit).encode()
    request = urllib.request.Request(base + path, data, {"X-Grafx-Token": token})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def file_of(cli, folder, name, material):
    out = folder.parent / f"{name}.wav"
    result = cli.run("render", folder, *material.stems, "--out", out)
    assert result.exit_code == 0, result.output
    return out.read_bytes()


@pytest.mark.skipif(WINDOWS, reason="no signal like that of Ctrl-C reaches a process there")
def test_open_edit_save_render_and_open_again(cli, opened, result_folder, material):
    process, address = opened
    before = cli.snapshot(result_folder)
    model = ask(address, "/model?quick")
    node = next(int(i) for i, weight in model["edit"]["weights"].items() if weight > 0)
    told = ask(address, "/edit", {"op": "wet", "node": node, "value": 0.1})
    assert told["can_undo"]
    saved = ask(address, "/save", {})["saved"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(address, "/graph.json")
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=30)
    assert process.returncode == 0 and said.endswith("Stopped.\n") and "Traceback" not in errors

    after = cli.snapshot(result_folder)
    assert {name: after[name] for name in before} == before
    assert sorted(str(name) for name in after if name not in before) == [
        "edited/graph.json",
        "edited/parameters.safetensors",
    ]
    edited = result_folder / "edited"
    assert saved == str(edited)
    assert file_of(cli, edited, "edited", material) != file_of(cli, result_folder, "found", material)

    from grafx.cli.open import desk_of
    from grafx.search import render_mix

    desk = desk_of(edited, [], None)  # whose audio the folder of the search knows
    assert desk.session.G.nodes[node]["drywet_weight"] == 0.1
    assert (desk.heard.mix - render_mix(desk.session.G, desk.heard.sources)).abs().max() < 1e-6


def test_what_cannot_be_opened_is_said(cli, result_folder, material, tmp_path):
    cli.refused(cli.run("open", tmp_path / "nowhere", "--no-browser"), "nowhere", "does not exist")
    cli.refused(cli.run("open", result_folder, material.stems[0], "--no-browser"), "2 stems", "1 were given")
    (result_folder / "graph.json").write_text("{}")
    cli.refused(cli.run("open", result_folder, "--no-browser"), "graph.json")
    shutil.rmtree(result_folder)
    cli.refused(cli.run("open", result_folder, "--no-browser"), "does not exist")


def test_a_port_in_use_is_said(cli, result_folder):
    from grafx.report.live.server import listen

    with listen() as taken:
        port = taken.getsockname()[1]
        cli.refused(cli.run("open", result_folder, "--no-browser", "--port", port), port, "--port")


def test_the_browser_is_opened_at_the_address(cli, result_folder, monkeypatch):
    from grafx.report.live import server

    addresses = []
    monkeypatch.setattr("webbrowser.open", lambda address: addresses.append(address) or True)
    monkeypatch.setattr(server, "serve", lambda desk, listening, opened: opened("http://127.0.0.1:1/?token=t"))
    result = cli.run("open", result_folder)
    assert addresses == ["http://127.0.0.1:1/?token=t"] and addresses[0] in result.stdout
    addresses.clear()
    cli.run("open", result_folder, "--no-browser")
    assert not addresses
