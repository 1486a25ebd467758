"""A real HTTP server on 127.0.0.1 that serves files and misbehaves on demand."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class ServedFile:
    """A file and how it is served.

    `drop_after`: bytes of the body after which each of the next answers breaks off, one number per answer; when they
    are used up, answers are whole. `statuses`: statuses of the next answers, instead of the file. `announced`: the
    Content-Length, where it shall be another than the true one. `length` False: no Content-Length at all.
    """

    content: bytes
    etag: str | None = '"first"'
    ranges: bool = True
    length: bool = True
    announced: int | None = None
    drop_after: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    redirect: str | None = None
    wrong_start: bool = False


@dataclass
class Asked:
    """What a client asked for."""

    method: str
    path: str
    range: str | None
    if_range: str | None


class MisbehavingServer:
    """Files by path, and what was asked for so far."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.files: dict[str, ServedFile] = {}
        self.asked: list[Asked] = []

    def url(self, path: str) -> str:
        return f"{self.address}{path}"

    @property
    def gets(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "GET"]


@contextmanager
def misbehaving_server() -> Iterator[MisbehavingServer]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep the tests' output quiet."""

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            asked = Asked(self.command, self.path, self.headers["Range"], self.headers["If-Range"])
            told.asked.append(asked)
            file = told.files.get(self.path)
            if file is None:
                self._refuse(404)
            elif with_body and file.statuses:
                self._refuse(file.statuses.pop(0))
            elif file.redirect is not None:
                self._refuse(302, Location=file.redirect)
            else:
                self._serve(file, asked, with_body=with_body)

        def _refuse(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status == 503:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _serve(self, file: ServedFile, asked: Asked, *, with_body: bool) -> None:
            start = self._start(file, asked)
            total = len(file.content)
            if start is not None and start >= total:
                self._refuse(416, **{"Content-Range": f"bytes */{total}"})
                return
            body = file.content[start or 0 :]
            self.send_response(200 if start is None else 206)
            if start is not None:
                first = 0 if file.wrong_start else start
                self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
            if file.etag is not None:
                self.send_header("ETag", file.etag)
            if file.length:
                announced = len(body) if file.announced is None or start is not None else file.announced
                self.send_header("Content-Length", str(announced))
            self.end_headers()
            if with_body:
                self.wfile.write(body[: file.drop_after.pop(0)] if file.drop_after else body)
            self.close_connection = True

        @staticmethod
        def _start(file: ServedFile, asked: Asked) -> int | None:
            """First byte of an honoured range; None for the whole file."""
            if asked.range is None or not file.ranges or asked.if_range not in (None, file.etag):
                return None
            match = re.fullmatch(r"bytes=(\d+)-", asked.range)
            return None if match is None else int(match.group(1))

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = MisbehavingServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
