"""viser's server behind a token: nothing is served to who does not know it, pages and streams alike."""

import hmac
import http
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rich
import viser
import websockets.asyncio.server
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from matdesign.errors import InputError, MatdesignError

LOOPBACK = "127.0.0.1"
LARGEST_MESSAGE = 1 << 20  # bytes that a page may send at once
MOST_PAGES = 16  # connections at the same time

Answer = Response | None
Process = Callable[[ServerConnection, Request], Awaitable[Answer] | Answer]

_starting = threading.Lock()


class PageServer(viser.ViserServer):
    """A viser server whose every address begins with a token of its own.

    Args:
        host: interface to listen on.
        port: 0 for any free one.
        label: title of the control panel.

    Attributes:
        url: what to open in a browser.

    Raises:
        InputError: the address cannot be listened on.
    """

    def __init__(self, *, host: str = LOOPBACK, port: int = 0, label: str | None = None) -> None:
        _check_free(host, port)
        self.token = secrets.token_urlsafe(18)
        with _starting, _silent(), _guarded(self.token):
            super().__init__(host=host, port=port, label=label, verbose=False)
        self.url = f"http://{_bracketed(host)}:{self.get_port()}/{self.token}/"
        if not _refuses_strangers(host, self.get_port()):
            self.stop()
            raise MatdesignError(f"viser {viser.__version__} answers without the token: use viser 1.1")

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Do nothing: viser would lead everybody's traffic through a server of its own on the internet."""
        return None

    def stop(self) -> None:
        """Close every page; nothing is served any more."""
        with _silent():
            super().stop()


class _Guarded(serve):
    """websockets' server that asks for the token before anything else is looked at."""

    def __init__(self, *arguments: Any, token: str, process_request: Process, **options: Any) -> None:
        def process(connection: ServerConnection, request: Request) -> Awaitable[Answer] | Answer:
            given, _, rest = request.path.partition("?")[0].removeprefix("/").partition("/")
            if not hmac.compare_digest(given.encode(), token.encode()):
                return _refusal(http.HTTPStatus.FORBIDDEN, "Open the whole address that matdesign printed.\n")
            if len(connection.server.connections) > MOST_PAGES:
                return _refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, "Too many pages are open: close some.\n")
            request.path = "/" + rest
            return process_request(connection, request)

        super().__init__(*arguments, **{**options, "process_request": process, "max_size": LARGEST_MESSAGE})


def _refusal(status: http.HTTPStatus, why: str) -> Response:
    body = why.encode()
    headers = Headers({"Content-Type": "text/plain", "Content-Length": str(len(body)), "Connection": "close"})
    return Response(status, status.phrase, headers, body)


@contextmanager
def _guarded(token: str) -> Iterator[None]:
    """Let viser start such a server: it has no place to hand in a check of requests, but looks here for its server."""
    module = websockets.asyncio.server
    module.serve = lambda *given, **options: _Guarded(*given, token=token, **options)  # type: ignore[misc,assignment]
    try:
        yield
    finally:
        module.serve = serve  # type: ignore[misc]


@contextmanager
def _silent() -> Iterator[None]:
    """Keep viser from printing its address, which lacks the token."""
    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before


def _check_free(host: str, port: int) -> None:
    """Refuse an address in use: viser would take the next port, but who asked for one wants that one."""
    if not 0 <= port < 1 << 16:
        raise InputError(f"port={port} is none: give 1024 to 65535, or 0 for any free one")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, port), family=family):
            pass
    except OSError as error:
        raise InputError(f"host={host} port={port} cannot be listened on ({error}): choose others") from None


def _refuses_strangers(host: str, port: int) -> bool:
    """Whether a request without the token is forbidden."""
    with socket.create_connection((host, port), timeout=10) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return peer.recv(64).startswith(b"HTTP/1.1 403")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
