"""`basemodel fetch` from a local server: small made-up weights, and the real ones where they are."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meta_spliceai.basemodel import catalogue
from meta_spliceai.basemodel.catalogue import weight_files
from meta_spliceai.basemodel.fetch import fetch_weights
from meta_spliceai.basemodel.weights_home import weights_home
from meta_spliceai.basemodel.whereabouts import found_weights
from meta_spliceai.errors import DownloadError, InputError, ModelError
from tests.toys.misbehaving_server import MisbehavingServer, ServedFile, misbehaving_server

MADE_UP = {f"model_80nt_rs{seed}.pt": bytes([seed]) * (1000 + seed) for seed in (10, 11, 12)}
NAME = "openspliceai_80nt"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MisbehavingServer]:
    """A server with made-up weights, which the catalogue lists; the user's folder is below `tmp_path`."""
    rows = tuple(
        {"base_model": NAME, "file": name, "bytes": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in MADE_UP.items()
    )
    monkeypatch.setattr(catalogue, "_rows", lambda: rows)
    monkeypatch.setenv("META_SPLICEAI_HOME", str(tmp_path / "home"))
    with misbehaving_server() as server:
        server.files |= {f"/w/{name}": ServedFile(content) for name, content in MADE_UP.items()}
        yield server


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".download.lock"}


def test_weights_go_where_the_base_model_finds_them(server: MisbehavingServer) -> None:
    assert found_weights(NAME) is None
    done = fetch_weights(NAME, yes=True, base_url=server.url("/w"))
    assert (done.folder, done.fetched, done.already_there) == (weights_home(NAME), 3, 0)
    assert contents(weights_home(NAME)) == MADE_UP
    assert found_weights(NAME) == weights_home(NAME)
    assert "basemodel check openspliceai_80nt" in done.summary()
    assert "--weights" not in done.summary()


def test_a_second_time_nothing_is_fetched_or_asked(server: MisbehavingServer) -> None:
    fetch_weights(NAME, yes=True, base_url=server.url("/w"))
    server.asked.clear()
    done = fetch_weights(NAME, base_url=server.url("/w"))
    assert (done.fetched, done.already_there, server.asked) == (0, 3, [])


def test_only_what_is_missing_or_wrong_is_fetched_and_the_wrong_kept(server: MisbehavingServer, tmp_path: Path) -> None:
    right, wrong, missing = MADE_UP
    (tmp_path / right).write_bytes(MADE_UP[right])
    (tmp_path / wrong).write_bytes(b"my own training")
    done = fetch_weights(NAME, yes=True, out=tmp_path, base_url=server.url("/w/"))
    assert (done.fetched, done.already_there) == (2, 1)
    assert done.set_aside == (tmp_path / f"{wrong}.replaced-1",)
    assert contents(tmp_path) == {**MADE_UP, f"{wrong}.replaced-1": b"my own training"}
    assert [asked.path for asked in server.gets] == [f"/w/{wrong}", f"/w/{missing}"]
    assert f"--weights {tmp_path}" in done.summary()


def test_a_broken_download_is_resumed_by_the_next_call(server: MisbehavingServer, tmp_path: Path) -> None:
    second = f"/w/{list(MADE_UP)[1]}"
    server.files[second].statuses = [404]
    with pytest.raises(DownloadError, match="answers 404"):
        fetch_weights(NAME, yes=True, out=tmp_path, base_url=server.url("/w"))
    assert list(contents(tmp_path)) == [next(iter(MADE_UP))]
    server.asked.clear()
    assert fetch_weights(NAME, yes=True, out=tmp_path, base_url=server.url("/w")).already_there == 1
    assert contents(tmp_path) == MADE_UP
    assert [asked.path for asked in server.gets] == [second, f"/w/{list(MADE_UP)[2]}"]


def test_other_weights_under_the_same_name_are_refused(server: MisbehavingServer, tmp_path: Path) -> None:
    name = next(iter(MADE_UP))
    server.files[f"/w/{name}"] = ServedFile(b"?" * len(MADE_UP[name]))
    with pytest.raises(DownloadError, match="the server gives another file"):
        fetch_weights(NAME, yes=True, out=tmp_path, base_url=server.url("/w"))
    assert contents(tmp_path) == {}


def test_without_a_terminal_the_licence_is_shown_and_yes_is_needed(
    server: MisbehavingServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(InputError, match=r"accept the licence of openspliceai_80nt .*GPL-3\.0.*\n.*\n.*add --yes"):
        fetch_weights(NAME, base_url=server.url("/w"))
    shown = capsys.readouterr().err
    assert "GNU General Public License, version 3" in shown
    assert "cite Chao" in shown
    assert server.asked == []
    assert not weights_home(NAME).exists()


@pytest.mark.parametrize(("answer", "accepted"), [("y", True), ("YES", True), ("n", False), ("", False)])
def test_on_a_terminal_the_user_is_asked(
    server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch, answer: str, accepted: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    if accepted:
        assert fetch_weights(NAME, base_url=server.url("/w")).fetched == 3
    else:
        with pytest.raises(InputError, match="nothing was fetched"):
            fetch_weights(NAME, base_url=server.url("/w"))
        assert server.asked == []


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("spliceai", r'pip install "meta-spliceai\[spliceai\]"'),
        ("openspliceai_2000nt", "the folder of its five files as weights; no sums of these files are known"),
        ("pangolln", "did you mean pangolin"),
        ("my_plugin", "see its package"),
    ],
)
def test_weights_that_cannot_be_fetched_say_how_they_are_obtained(name: str, action: str) -> None:
    with pytest.raises(ModelError, match=action):
        fetch_weights(name, yes=True)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["openspliceai_80nt", "openspliceai_400nt", "openspliceai", "pangolin"])
def test_the_real_weights_from_a_local_server_through_the_command_line(shared: Path, tmp_path: Path, name: str) -> None:
    folders = {f"openspliceai{suffix}": f"openspliceai-mane/{nt}" for suffix, nt in
               (("_80nt", "80nt"), ("_400nt", "400nt"), ("", "10000nt"))} | {"pangolin": "pangolin"}  # fmt: skip
    real = {path.name: path.read_bytes() for path in (shared / "weights" / folders[name]).iterdir()}
    with misbehaving_server() as server:
        server.files |= {f"/{file}": ServedFile(content) for file, content in real.items()}
        first = weight_files(name)[0]
        server.files[f"/{first.name}"].drop_after = [100_000]
        command = [sys.executable, "-m", "meta_spliceai", "basemodel", "fetch", name, "--yes"]
        done = subprocess.run(
            [*command, "--out", str(tmp_path), "--base-url", server.address], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert [asked.range for asked in server.gets if asked.path == f"/{first.name}"] == [None, "bytes=100000-"]
    assert contents(tmp_path) == real
    assert f"{len(real)} fetched" in done.stdout
