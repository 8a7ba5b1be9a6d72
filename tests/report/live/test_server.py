"""Who may ask the server of a live page, for what, and what it answers."""

import io
import json
import threading

import pytest
import soundfile
import torch

from grafx.data import load_grafx
from grafx.search import render_mix

RATE = 8000
TOKEN = "a-token"
HOST = "127.0.0.1:8000"
ROUTES = [
    ("GET", "/"),
    ("GET", "/model"),
    ("GET", "/sound/mix"),
    *(("POST", f"/{w}") for w in ("edit", "undo", "redo", "save")),
]


@pytest.fixture
def desk(make_desk, stems):
    return make_desk(target=stems.sum(0))


@pytest.fixture
def client(desk):
    testclient = pytest.importorskip("starlette.testclient")
    from grafx.report.live.server import live_app

    with testclient.TestClient(
        live_app(desk, TOKEN, {HOST}), f"http://{HOST}", raise_server_exceptions=False, headers={"X-Grafx-Token": TOKEN}
    ) as one:
        yield one


def strict_json(answer):
    """The answer, in which neither NaN nor infinity may stand."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(answer.content, parse_constant=refuse)


@pytest.mark.parametrize("method, path", ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Grafx-Token": ""},
        {"X-Grafx-Token": TOKEN[:-1]},
        {"X-Grafx-Token": "a-tokän".encode()},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://" + HOST},
        {"Host": "evil.example"},
        {"Host": "evil.example:8000"},
        {"Host": "127.0.0.1:9"},
    ],
    ids=str,
)
def test_others_are_refused(method, path, headers, client, desk):
    answer = client.request(method, path, headers=headers)
    assert answer.status_code == 403 and strict_json(answer)["error"]
    assert TOKEN not in answer.text and not desk.session.can_undo


@pytest.mark.parametrize("method, path", ROUTES)
def test_a_token_in_the_address_is_enough_to_read_only(method, path, client, at):
    content = json.dumps({"op": "wet", "node": at("gain"), "value": 0.5}) if path == "/edit" else None
    answer = client.request(method, f"{path}?token={TOKEN}", headers={"X-Grafx-Token": ""}, content=content)
    assert answer.status_code == 403
    del client.headers["X-Grafx-Token"]
    answer = client.request(method, f"{path}?token={TOKEN}", content=content)
    assert answer.status_code == (200 if method == "GET" else 403)
    answer = client.request(method, f"{path}?token=b&token={TOKEN}", content=content)
    assert answer.status_code == 403


def test_its_own_origin_may_ask(client):
    assert client.get("/model", headers={"Origin": f"http://{HOST}"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/favicon.ico", "/graph.json", "/model/", "/sound", "/sound/", "/sound/12", "/static/../../etc/passwd"),
        *("/sound/../graph.json", "/sound/%2e%2e%2fgraph.json"),
        *("/sound/999-out", "/sound/0-in", "/sound/solo-99", "/sound/0-out-7"),
    ],
)
def test_other_paths_are_not_found(path, client):
    assert client.get(path).status_code == 404
    assert client.get(path, headers={"X-Grafx-Token": "b"}).status_code == 403


@pytest.mark.parametrize("method, path", ROUTES)
def test_other_methods_are_not_allowed(method, path, client):
    other = "GET" if method == "POST" else "POST"
    assert client.request(other, path).status_code == 405
    assert client.request("DELETE", path).status_code == 405


@pytest.mark.parametrize("chunked", [False, True])
def test_large_requests_are_refused(chunked, client, desk, at):
    edit = json.dumps({"op": "wet", "node": at("gain"), "value": 0.5}).encode()
    body = edit + b" " * (2**16 + 1 - len(edit))
    assert client.post("/edit", content=iter([body]) if chunked else body).status_code == 413
    assert not desk.session.can_undo
    assert client.post("/edit", content=iter([body[:-1]]) if chunked else body[:-1]).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"edit"', b"7", b'{"op": NaN', b"\xff\xfe", b'{"op": 1, "op": 2}', b"[" * 5000 + b"]" * 5000],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_is_refused(body, client):
    answer = client.post("/edit", content=body)
    assert answer.status_code == 400 and strict_json(answer)["error"]


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"op": "set", "node": 4, "path": ["gain_db", 0], "value": 1e9},
        {"op": "remove", "node": 0},
        {"op": "wet", "node": 4, "value": float("nan")},
        {"op": "insert", "type": "<script>alert(1)</script>", "edge": [0, 1, 0]},
        {"op": "insert", "type": ["gain"], "edge": [0, 1, 0]},
        {"op": "set", "node": 10**30, "path": ["x"], "value": 1},
    ],
    ids=str,
)
def test_refused_edits_say_why(edit, client, desk):
    answer = client.post("/edit", content=json.dumps(edit))
    assert answer.status_code == 409 and strict_json(answer)["error"]
    assert answer.headers["content-type"] == "application/json"
    assert not desk.session.can_undo


@pytest.mark.parametrize(
    "body",
    [
        {"op": "\ud800"},
        {"op": "insert", "type": "\ud800", "edge": [0, 1, 0]},
        {"op": "connect", "source": 0, "dest": 1, "outlet": "\ud800"},
        {"op": "remove", "node": 0, "\ud800": 1},
    ],
)
def test_messages_quote_any_text(body, client, desk):
    before = desk.session.G
    answer = client.post("/edit", content=json.dumps(body))
    assert answer.status_code == 409
    assert strict_json(answer)["error"]
    assert desk.session.G is before


@pytest.mark.parametrize("path", ["/", "/model", "/sound/mix", "/nowhere", "/edit"])
@pytest.mark.parametrize("token", [TOKEN, "b"])
def test_headers_of_every_answer(path, token, client):
    headers = client.get(path, headers={"X-Grafx-Token": token}).headers
    assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer" and headers["x-frame-options"] == "DENY"
    policy = headers.get_list("content-security-policy")
    assert len(policy) == 1 and "frame-ancestors 'none'" in policy[0] and "default-src 'none'" in policy[0]
    assert "unsafe-inline'; img" in policy[0] and "unsafe-eval" not in policy[0]
    assert "access-control-allow-origin" not in headers and "server" not in headers


def sound(client, address):
    answer = client.get(f"/{address}")
    assert answer.status_code == 200 and answer.headers["content-type"] == "audio/wav"
    signal, rate = soundfile.read(io.BytesIO(answer.content), dtype="float32", always_2d=True)
    assert rate == RATE
    return torch.from_numpy(signal.T)


def test_sounds_are_those_of_the_graph(client, desk):
    model = strict_json(client.get("/model"))
    assert model["live"] and not model["sounds"]["mix"]["src"].startswith("/")
    for node, told in model["nodes"].items():
        for outlet, signal in zip(("out",), desk.heard.outputs[int(node)], strict=True):
            assert torch.equal(sound(client, model["sounds"][told["sounds"][outlet]]["src"]), signal)
    assert torch.equal(sound(client, "sound/difference"), desk.heard.mix - desk.heard.target)
    # Of the console's processors, those of the master react to both stems.
    alone = sound(client, model["sounds"][model["tracks"]["stems"][0]["solo"]]["src"])
    silent = torch.cat([desk.heard.sources[:1], torch.zeros_like(desk.heard.sources[1:])])
    assert torch.allclose(alone, render_mix(desk.session.G, silent, RATE), atol=1e-5)


def test_an_edit_is_answered_with_what_is_to_be_heard(client, desk, at):
    first = strict_json(client.get("/model"))
    before = sound(client, first["sounds"]["mix"]["src"])
    answer = client.post(
        "/edit", content=json.dumps({"op": "set", "node": at("peq"), "path": ["gain_db", 3], "value": 9})
    )
    assert answer.status_code == 200
    told = strict_json(answer)
    peq, stem = at("peq"), at("in", "bass")
    changed = {key for key, one in told["sounds"].items() if one["src"] != first["sounds"][key]["src"]}
    assert "mix" in changed and "target" not in changed
    assert first["nodes"][str(stem)]["sounds"]["out"] not in changed
    assert told["can_undo"] and told["changed"]
    for value in (0.7, 0.5):
        client.post("/edit", content=json.dumps({"op": "wet", "node": peq, "value": value, "gesture": "turn"}))
    assert not torch.equal(sound(client, told["sounds"]["mix"]["src"]), before)
    model = strict_json(client.get("/model"))
    assert model["nodes"][str(peq)]["wet"] == 0.5
    gains = next(control for control in model["edit"]["knobs"][str(peq)] if control["name"] == "gain")
    assert gains["knobs"][3]["value"] == pytest.approx(9, abs=1e-3) and gains["unit"] == "dB"
    for _ in range(2):
        assert client.post("/undo").status_code == 200
    assert client.post("/undo").status_code == 409
    assert torch.equal(sound(client, "sound/mix"), before)
    assert client.post("/redo").status_code == 200


def test_what_the_page_tells_is_what_is_heard_after_edits(client, desk, at, make_desk, processors, stems):
    """A model that is brought up to date is the one of the same graph opened anew, but for addresses of sounds."""
    client.get("/model")
    edits = [
        {"op": "insert", "type": "saturation", "edge": [at("imager"), at("limiter"), 0]},
        {"op": "set", "node": at("compressor", "drums"), "path": ["threshold_db"], "value": -30},
        {"op": "remove", "node": at("send", "drums")},
        {"op": "bypass", "node": at("gain", "bass"), "on": True},
        {"op": "connect", "source": at("imager"), "dest": at("out")},
    ]
    for edit in edits:
        assert client.post("/edit", content=json.dumps(edit)).status_code == 200
        client.get("/model")
    model = desk.model()
    fresh = make_desk(desk.session.G, target=stems.sum(0)).model()
    for one in (model, fresh):
        one["edit"] = {name: one["edit"][name] for name in ("knobs", "weights")}
        for told in one["sounds"].values():
            told.pop("src")
    assert model == fresh


def test_save_is_beside_and_over_only_when_asked(client, desk, at, tmp_path, stems):
    client.post("/edit", content=json.dumps({"op": "remove", "node": at("imager")}))
    places = [strict_json(client.post("/save"))["saved"] for _ in range(2)]
    assert places == [str(tmp_path / "found" / name) for name in ("edited", "edited-2")]
    for place in places:
        G, parameters, metadata = load_grafx(place)
        assert metadata["kind"] == "mixing graph" and not parameters
        assert torch.allclose(render_mix(G, stems, RATE), desk.heard.mix, atol=1e-6)
    assert not (tmp_path / "found" / "graph.json").exists()
    assert client.post("/save", content=b'{"over": 1}').status_code == 409
    told = strict_json(client.post("/save", content=b'{"over": true}'))
    assert told["saved"] == str(tmp_path / "found") and not told["changed"]
    assert (tmp_path / "found" / "graph.json").exists()


def test_a_save_that_fails_says_so(client, desk, tmp_path):
    folder = tmp_path / "found"
    folder.rmdir()
    folder.write_text("no folder any more")
    answer = client.post("/save")
    assert answer.status_code == 409 and str(folder) in strict_json(answer)["error"]


def test_a_failure_leaves_the_session_usable(client, desk, at, monkeypatch, capsys):
    from grafx.report import heard

    played = heard.played
    monkeypatch.setattr(heard, "played", lambda *_: 1 / 0)
    edit = json.dumps({"op": "wet", "node": at("peq"), "value": 0.5})
    answer = client.post("/edit", content=edit)
    assert answer.status_code == 500 and "ZeroDivisionError" in strict_json(answer)["error"]
    assert "Traceback" in capsys.readouterr().err and not desk.session.can_undo
    monkeypatch.setattr(heard, "played", played)
    assert client.post("/edit", content=edit).status_code == 200


def test_many_at_once_take_turns(client, desk, at):
    gain = at("gain", "drums")
    codes = []

    def work(number):
        for turn in range(3):
            edit = {"op": "wet", "node": gain, "value": (number + turn) / 10}
            codes.append(client.post("/edit", content=json.dumps(edit)).status_code)
            codes.append(client.get("/sound/mix").status_code)
            codes.append(client.get("/model").status_code)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) == {200} and len(codes) == 36
    assert len(desk.session.edits) == 12
    assert torch.allclose(desk.heard.mix, render_mix(desk.session.G, desk.heard.sources, RATE), atol=1e-6)


def test_names_are_text(make_desk, console, at):
    """What a graph is called is never part of the page."""
    from grafx.report.live.server import _page, policy_of

    evil = "</script><script>alert(1)</script>‮\"'"
    console.nodes[at("in", "drums")]["name"] = evil
    answer = _page(make_desk(title=evil), TOKEN)
    html = answer.body.decode()
    assert "alert(1)</script>" not in html.replace("&lt;/script&gt;", "")
    assert policy_of(html.encode()) == answer.headers["content-security-policy"]


def test_listening_is_for_this_machine_alone():
    from grafx.report.live.server import listen

    with listen() as one:
        assert one.getsockname()[0] == "127.0.0.1"
        with pytest.raises(OSError, match="in use"):
            listen(one.getsockname()[1])
