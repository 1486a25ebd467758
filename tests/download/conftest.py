"""A server on 127.0.0.1 that misbehaves on demand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.toys.misbehaving_server import MisbehavingServer, misbehaving_server


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with misbehaving_server() as server:
        yield server
