"""The server of a live page: who may ask, and for what.

It listens on the loopback interface only. Still, any page that is open in a browser can send requests to it, and a name
that somebody else owns can be made to point to it: so each request has to carry a token, which only the address that is
printed has, and to name this host and, where a page sends it, this origin.
"""

import base64
import contextlib
import hashlib
import json
import re
import secrets
import socket
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...data.formats.strict_json import read_json
from .desk import Desk

MOST_BYTES = 2**16
"""Size of the largest request."""

HOST = "127.0.0.1"
TOKEN_HEADER = "x-grafx-token"

HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; media-src 'self' blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SCRIPT = re.compile(rb"<script(?P<attributes>[^>]*)>(?P<content>.*?)</script>", re.DOTALL | re.IGNORECASE)


def live_app(desk: Desk, token: str, hosts: set[str]) -> ASGIApp:
    """Make the application.

    Args:
        desk: What is edited and heard.
        token: What each request has to carry, in the header ``X-Grafx-Token`` or, to read, as ``?token=``.
        hosts: The hosts, with their port, that requests may name.
    """
    routes = [
        Route("/", _reading(lambda _: _page(desk, token)), methods=["GET"]),
        Route("/model", _reading(lambda request: _Json(_model(desk, request, token))), methods=["GET"]),
        Route("/sound/{key}", _reading(lambda request: _sound(desk, request)), methods=["GET"]),
        Route("/edit", _writing(lambda asked: desk.edit(asked, _gesture(asked)), token), methods=["POST"]),
        Route("/undo", _writing(lambda _: desk.undo(), token), methods=["POST"]),
        Route("/redo", _writing(lambda _: desk.redo(), token), methods=["POST"]),
        Route("/save", _writing(lambda asked: desk.save(asked.get("over", False)), token), methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused})
    app.router.redirect_slashes = False
    return Guard(app, token, hosts)


HERE = Path(__file__).parent
FILES = HERE / "live.css", HERE / "live.js"


def _page(desk: Desk, token: str) -> Response:
    from ..page import page_html

    html = page_html(_addressed(desk.model(), token), {}, FILES).encode()
    return Response(html, media_type="text/html", headers={"content-security-policy": policy_of(html)})


def policy_of(html: bytes) -> str:
    """A policy by which nothing runs but the scripts that a page holds itself."""
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(script['content']).digest()).decode()}'"
        for script in _SCRIPT.finditer(html)
        if b"type=" not in script["attributes"]  # others hold data
    ]
    return POLICY.format(scripts=" ".join(hashes) or "'none'")


def _addressed(told: Mapping[str, Any], token: str) -> dict[str, Any]:
    """What the desk tells, with addresses of sounds that carry the token."""
    told, sounds = dict(told), dict(told.get("sounds", {}))
    for key, one in sounds.items():
        sounds[key] = {**one, "src": f"{one['src']}&token={token}"}
    return {**told, "sounds": sounds}


class _Json(JSONResponse):
    """JSON of any text, that of half characters too, which a request may hold and a message quote."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def _model(desk: Desk, request: Request, token: str) -> dict[str, Any]:
    return _addressed(desk.model(quick="quick" in request.query_params), token)


def _sound(desk: Desk, request: Request) -> Response:
    content = desk.sound(request.path_params["key"])
    if content is None:
        raise HTTPException(404, "There is no such sound.")
    return Response(content, media_type="audio/wav")


def _gesture(asked: dict[str, Any]) -> str | None:
    gesture = asked.pop("gesture", None)
    return gesture if isinstance(gesture, str) else None


def _refused(request: Request, error: Exception) -> Response:  # noqa: ARG001
    assert isinstance(error, HTTPException)
    return _Json({"error": error.detail}, error.status_code, error.headers)


def _reading(answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return await _answered(lambda: answer(request))

    return endpoint


def _writing(answer: Callable[[dict[str, Any]], Mapping[str, Any]], token: str) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        asked = _parsed(await request.body())
        return await _answered(lambda: _Json(_addressed(answer(asked), token)))

    return endpoint


async def _answered(answer: Callable[[], Response]) -> Response:
    """Answer in a thread of its own; what is refused says why, and what fails leaves the server running."""
    try:
        return await run_in_threadpool(answer)
    except HTTPException:
        raise
    except ValueError as error:
        return _Json({"error": " ".join([str(error), *getattr(error, "__notes__", [])])}, 409)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return _Json({"error": f"This failed, and nothing was changed: {type(error).__name__}: {error}"}, 500)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        asked = read_json(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"This is no JSON: {str(error).rstrip('.')}.") from None
    if not isinstance(asked, dict):
        raise HTTPException(400, "A request is a JSON object.")
    return asked


class Guard:
    """Refuses what comes from elsewhere or is too large, and puts headers on every answer."""

    def __init__(self, app: ASGIApp, token: str, hosts: set[str]) -> None:
        self._app, self._token, self._hosts = app, token.encode(), hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                policy = {"content-security-policy": POLICY.format(scripts="'none'")}
                added = {**policy, **HEADERS}.items()
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in added if name.encode() not in there),
                ]
            await send(message)

        request = Request(scope)
        if reason := self._foreign(request):
            await _Json({"error": reason}, 403)(scope, receive, send_with_headers)
            return
        body = await _limited_body(request, receive)
        if body is None:
            refusal = _Json({"error": f"A request has at most {MOST_BYTES} bytes."}, 413, {"connection": "close"})
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, _replayed(body, receive), send_with_headers)

    def _foreign(self, request: Request) -> str | None:
        """Why a request is not from the page that was opened here."""
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return "This is not the host that was asked for."
        if any(
            origin.lower() not in {f"http://{host}" for host in hosts} for origin in request.headers.getlist("origin")
        ):
            return "Other pages may not ask."
        tokens = request.headers.getlist(TOKEN_HEADER)
        if request.method in ("GET", "HEAD"):
            tokens = tokens or request.query_params.getlist("token")
        if len(tokens) != 1 or not secrets.compare_digest(tokens[0].encode(errors="replace"), self._token):
            return "Open the whole address that grafx has printed: its token is missing here, or is another."
        return None


async def _limited_body(request: Request, receive: Receive) -> bytes | None:
    """The body of a request, or None where it is too large, or says so."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:9]) > MOST_BYTES or len(length) > 9:
        return None
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body", False):
            return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


# Running


def listen(port: int = 0) -> socket.socket:
    """Listen on the loopback interface, at a port, or at any that is free.

    Raises:
        OSError: The port is in use, or is not allowed.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # where it would allow others to take the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
    except BaseException:
        listening.close()
        raise
    return listening


def serving(desk: Desk, listening: socket.socket) -> tuple[Any, str]:
    """Make a server of a page.

    Returns:
        A ``uvicorn.Server``, which ``run(sockets=[listening])`` starts, and the address to open.
    """
    import uvicorn

    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(24)
    app = live_app(desk, token, {f"{host}:{port}" for host in (HOST, "localhost")})
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        server_header=False,
        date_header=False,
        ws="none",
        lifespan="off",
        h11_max_incomplete_event_size=MOST_BYTES,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config), f"http://{HOST}:{port}/?token={token}"


def serve(desk: Desk, listening: socket.socket, opened: Callable[[str], None]) -> None:
    """Serve a page until the process is interrupted.

    Args:
        desk: What is edited and heard.
        listening: See :func:`listen`.
        opened: Called with the address, which answers from then on.
    """
    server, address = serving(desk, listening)
    opened(address)
    with contextlib.suppress(KeyboardInterrupt):  # which uvicorn raises again when it has stopped
        server.run(sockets=[listening])
