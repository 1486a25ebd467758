"""Downloads from a server that does what real servers do on bad days."""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from meta_spliceai.download import fetch, transfer
from meta_spliceai.download.checksums import Checksum
from meta_spliceai.download.fetch import fetch_files, fetch_text, missing_files
from meta_spliceai.download.remote import Patience, RemoteFile
from meta_spliceai.errors import BusyError, DiskFullError, DownloadError, StoreError
from meta_spliceai.store import atomic
from meta_spliceai.store.folder import locked
from meta_spliceai.workers.progress import show_progress
from tests.toys.misbehaving_server import MisbehavingServer, ServedFile

CONTENT = bytes((place * place + 3) % 251 for place in range(300_000))
QUICK = Patience(attempts=3, first_wait=0.0, longest_wait=0.0, timeout=2.0, progress=50_000)
PATH = "/weights.pt"


def remote(server: MisbehavingServer, content: bytes = CONTENT, *, sized: bool = True, path: str = PATH) -> RemoteFile:
    checksum = Checksum("sha256", hashlib.sha256(content).hexdigest())
    return RemoteFile("weights.pt", (server.url(path),), checksum, len(content) if sized else None)


def run(file: RemoteFile, folder: Path, patience: Patience = QUICK) -> fetch.FetchedFile:
    return fetch_files([file], folder, label="fetching", patience=patience)[0]


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".download.lock")


def interrupted(server: MisbehavingServer, file: RemoteFile, folder: Path, at: int) -> None:
    """A download that breaks off after `at` bytes and is given up."""
    server.files[PATH].drop_after = [at]
    with pytest.raises(DownloadError):
        run(file, folder, Patience(attempts=1, timeout=2.0))
    server.asked.clear()


@pytest.mark.parametrize("sized", [True, False])
def test_a_file_arrives_whole_and_nothing_else_is_left(server: MisbehavingServer, tmp_path: Path, sized: bool) -> None:
    server.files[PATH] = ServedFile(CONTENT)
    done = run(remote(server, sized=sized), tmp_path / "new" / "folder")
    assert (done.state, done.bytes, done.set_aside) == ("fetched", len(CONTENT), None)
    assert done.path.read_bytes() == CONTENT
    assert visible(tmp_path / "new" / "folder") == ["weights.pt"]


def test_a_file_with_the_right_checksum_is_not_fetched_again(server: MisbehavingServer, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(CONTENT)
    assert run(remote(server), tmp_path).state == "already there"
    assert missing_files([remote(server)], tmp_path) == []
    assert server.asked == []


@pytest.mark.parametrize("wrong", [CONTENT[:-1], CONTENT[:-1] + b"x", b""])
def test_another_file_of_the_name_is_kept_aside(server: MisbehavingServer, tmp_path: Path, wrong: bytes) -> None:
    (tmp_path / "weights.pt").write_bytes(wrong)
    (tmp_path / "weights.pt.replaced-1").write_bytes(b"from an earlier time")
    server.files[PATH] = ServedFile(CONTENT)
    done = run(remote(server), tmp_path)
    assert done.path.read_bytes() == CONTENT
    assert done.set_aside == tmp_path / "weights.pt.replaced-2"
    assert done.set_aside.read_bytes() == wrong
    assert (tmp_path / "weights.pt.replaced-1").read_bytes() == b"from an earlier time"


def test_another_file_of_the_name_stays_where_it_is_when_the_right_one_cannot_be_had(
    server: MisbehavingServer, tmp_path: Path
) -> None:
    (tmp_path / "weights.pt").write_bytes(b"mine")
    with pytest.raises(DownloadError):
        run(remote(server), tmp_path)
    assert (tmp_path / "weights.pt").read_bytes() == b"mine"


def test_dropped_connections_are_resumed_where_they_broke(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files[PATH] = ServedFile(CONTENT, drop_after=[100_000, 0, 70_000, 1])
    assert run(remote(server), tmp_path).path.read_bytes() == CONTENT
    starts = [asked.range for asked in server.gets]
    assert starts == [None, *(f"bytes={start}-" for start in (100_000, 100_000, 170_000, 170_001))]
    assert {asked.if_range for asked in server.gets[1:]} == {'"first"'}


def test_a_server_that_always_drops_is_given_up_and_the_part_stays(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files[PATH] = ServedFile(CONTENT, drop_after=[10_000] * 99)
    with pytest.raises(DownloadError, match=r"ended after 30,000 of 300,000 bytes \(3 times in a row\)"):
        run(remote(server), tmp_path)
    assert visible(tmp_path) == ["weights.pt.part", "weights.pt.part.json"]
    server.files[PATH].drop_after.clear()
    server.asked.clear()
    assert run(remote(server), tmp_path).path.read_bytes() == CONTENT
    assert [asked.range for asked in server.gets] == ["bytes=30000-"]


def test_a_server_that_ignores_ranges_sends_all_of_it_again(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files[PATH] = ServedFile(CONTENT, ranges=False)
    interrupted(server, remote(server), tmp_path, 120_000)
    assert run(remote(server), tmp_path).path.read_bytes() == CONTENT
    assert [asked.range for asked in server.gets] == ["bytes=120000-"]


def test_a_file_that_changed_on_the_server_is_not_mixed_with_its_old_part(
    server: MisbehavingServer, tmp_path: Path
) -> None:
    server.files[PATH] = ServedFile(b"o" * len(CONTENT), etag='"old"')
    interrupted(server, remote(server), tmp_path, 120_000)
    server.files[PATH] = ServedFile(CONTENT, etag='"new"')
    assert run(remote(server), tmp_path).path.read_bytes() == CONTENT
    assert [(asked.range, asked.if_range) for asked in server.gets] == [("bytes=120000-", '"old"')]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_etag_the_checksum_finds_a_mixed_file(
    server: MisbehavingServer, tmp_path: Path, etag: str | None
) -> None:
    server.files[PATH] = ServedFile(b"o" * len(CONTENT), etag=etag)
    interrupted(server, remote(server), tmp_path, 120_000)
    server.files[PATH] = ServedFile(CONTENT, etag=etag)
    assert run(remote(server), tmp_path).path.read_bytes() == CONTENT
    assert [(asked.range, asked.if_range) for asked in server.gets] == [("bytes=120000-", None), (None, None)]


def test_a_part_that_is_whole_already_needs_no_server(server: MisbehavingServer, tmp_path: Path) -> None:
    (tmp_path / "weights.pt.part").write_bytes(CONTENT)
    assert run(remote(server), tmp_path).path.read_bytes() == CONTENT
    assert server.gets == []


def test_a_whole_part_of_a_file_of_unknown_size_is_recognised_by_416(server: MisbehavingServer, tmp_path: Path) -> None:
    (tmp_path / "weights.pt.part").write_bytes(CONTENT)
    server.files[PATH] = ServedFile(CONTENT)
    assert run(remote(server, sized=False), tmp_path).path.read_bytes() == CONTENT
    assert [asked.range for asked in server.gets] == ["bytes=300000-"]


@pytest.mark.parametrize("sized", [True, False])
def test_a_part_longer_than_the_file_is_started_over(server: MisbehavingServer, tmp_path: Path, sized: bool) -> None:
    (tmp_path / "weights.pt.part").write_bytes(CONTENT + b"more")
    server.files[PATH] = ServedFile(CONTENT)
    assert run(remote(server, sized=sized), tmp_path).path.read_bytes() == CONTENT
    assert visible(tmp_path) == ["weights.pt"]


def test_a_range_that_was_not_asked_for_is_not_appended(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files[PATH] = ServedFile(CONTENT, wrong_start=True)
    interrupted(server, remote(server), tmp_path, 120_000)
    assert run(remote(server), tmp_path).path.read_bytes() == CONTENT


def test_a_length_that_is_not_the_files_is_refused_before_a_byte_is_kept(
    server: MisbehavingServer, tmp_path: Path
) -> None:
    server.files[PATH] = ServedFile(CONTENT, announced=len(CONTENT) + 5)
    with pytest.raises(DownloadError, match="the server announces 300,005 bytes, the file has 300,000"):
        run(remote(server), tmp_path)
    assert visible(tmp_path) == []


def test_a_login_page_instead_of_the_file_does_not_cost_the_part(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files[PATH] = ServedFile(CONTENT)
    interrupted(server, remote(server), tmp_path, 120_000)
    server.files[PATH] = ServedFile(b"<html>please log in</html>", ranges=False)
    with pytest.raises(DownloadError, match="the server announces 26 bytes"):
        run(remote(server), tmp_path)
    assert (tmp_path / "weights.pt.part").read_bytes() == CONTENT[:120_000]


def test_a_length_that_is_too_long_for_a_file_of_unknown_size_is_seen_through(
    server: MisbehavingServer, tmp_path: Path
) -> None:
    server.files[PATH] = ServedFile(CONTENT, announced=len(CONTENT) + 5)
    assert run(remote(server, sized=False), tmp_path).path.read_bytes() == CONTENT


def test_a_length_that_is_too_short_leaves_no_file(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files[PATH] = ServedFile(CONTENT, announced=1000, ranges=False)
    with pytest.raises(DownloadError, match="another file"):
        run(remote(server, sized=False), tmp_path)
    assert visible(tmp_path) == []


@pytest.mark.parametrize("sized", [True, False])
def test_no_length_at_all_is_fine(server: MisbehavingServer, tmp_path: Path, sized: bool) -> None:
    server.files[PATH] = ServedFile(CONTENT, length=False)
    assert run(remote(server, sized=sized), tmp_path).path.read_bytes() == CONTENT


def test_a_server_that_never_stops_sending_is_stopped(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files[PATH] = ServedFile(CONTENT * 3, length=False)
    with pytest.raises(DownloadError, match="sends more than the 300,000 bytes"):
        run(remote(server), tmp_path)
    assert "weights.pt" not in visible(tmp_path)


def test_a_wrong_checksum_leaves_no_file_and_names_both_sums(server: MisbehavingServer, tmp_path: Path) -> None:
    other = CONTENT[:-1] + b"x"
    server.files[PATH] = ServedFile(other)
    with pytest.raises(DownloadError) as caught:
        run(remote(server), tmp_path)
    assert hashlib.sha256(CONTENT).hexdigest() in caught.value.expected
    assert hashlib.sha256(other).hexdigest() in caught.value.found
    assert visible(tmp_path) == []


def test_the_next_address_is_asked_when_one_fails(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files["/damaged"] = ServedFile(b"x" * len(CONTENT))
    server.files["/good"] = ServedFile(CONTENT, etag='"other server"')
    urls = tuple(server.url(path) for path in ("/missing", "/damaged", "/good"))
    file = RemoteFile("weights.pt", urls, remote(server).checksum, len(CONTENT))
    assert run(file, tmp_path).path.read_bytes() == CONTENT
    assert [asked.path for asked in server.gets] == ["/missing", "/damaged", "/good"]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_answer_that_will_not_change_is_not_asked_for_again(
    server: MisbehavingServer, tmp_path: Path, status: int
) -> None:
    server.files[PATH] = ServedFile(CONTENT, statuses=[status] * 9)
    with pytest.raises(DownloadError, match=f"the server answers {status}") as caught:
        run(remote(server), tmp_path)
    assert len(server.gets) == 1
    assert server.url(PATH) in caught.value.found
    assert str(tmp_path / "weights.pt") in caught.value.action


@pytest.mark.parametrize("statuses", [[500, 503], [429, 502]])
def test_an_overloaded_server_is_asked_again(server: MisbehavingServer, tmp_path: Path, statuses: list[int]) -> None:
    server.files[PATH] = ServedFile(CONTENT, statuses=statuses)
    assert run(remote(server), tmp_path).path.read_bytes() == CONTENT
    server.files[PATH] = ServedFile(CONTENT, statuses=[500] * 9)
    with pytest.raises(DownloadError, match=r"answers 500 .*\(3 times in a row\)"):
        run(remote(server), tmp_path / "other")


def test_waits_double_up_to_the_longest_and_follow_the_server() -> None:
    patience = Patience(first_wait=1.0, longest_wait=5.0)
    assert [patience.wait(failures) for failures in (1, 2, 3, 4)] == [1.0, 2.0, 4.0, 5.0]
    assert patience.wait(1, asked=3.0) == 3.0
    assert patience.wait(1, asked=3600.0) == 5.0


def test_redirects_are_followed_with_the_range(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files["/moved"] = ServedFile(b"", redirect=server.url(PATH))
    server.files[PATH] = ServedFile(CONTENT)
    file = remote(server, path="/moved")
    interrupted(server, file, tmp_path, 120_000)
    assert run(file, tmp_path).path.read_bytes() == CONTENT
    assert [(asked.path, asked.range) for asked in server.gets] == [(p, "bytes=120000-") for p in ("/moved", PATH)]


def test_endless_and_unsafe_redirects_end(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files["/loop"] = ServedFile(b"", redirect=server.url("/loop"))
    with pytest.raises(DownloadError, match="answers 302"):
        run(remote(server, path="/loop"), tmp_path)
    server.files["/away"] = ServedFile(b"", redirect="ftp://127.0.0.1/file")
    with pytest.raises(DownloadError, match=r"a redirect to ftp://127\.0\.0\.1/file is not followed"):
        run(remote(server, path="/away"), tmp_path)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/file"])
def test_other_kinds_of_addresses_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="an address that begins with http"):
        run(RemoteFile("weights.pt", (url,), Checksum("sha256", "0" * 64), 3), tmp_path)


def test_no_server_and_no_network_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    file = RemoteFile("weights.pt", (f"http://127.0.0.1:{port}/f",), Checksum("sha256", "0" * 64), 3)
    with pytest.raises(DownloadError, match=r"no connection \(.*refused.*\nwhat to do: check the network"):
        run(file, tmp_path)

    def no_network(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with pytest.raises(DownloadError, match=r"no connection \(.*Name or service not known"):
        run(file, tmp_path)


def test_a_server_that_falls_silent_counts_as_dropped(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/f"
        file = RemoteFile("weights.pt", (url,), Checksum("sha256", "0" * 64), 3)
        with pytest.raises(DownloadError, match=r"stopped sending|timed out"):
            run(file, tmp_path, Patience(attempts=1, timeout=0.05))


def test_too_little_room_is_known_before_the_first_byte(
    server: MisbehavingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files[PATH] = ServedFile(CONTENT)
    usage = type("Usage", (), {"free": 10_100_000})
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: usage)
    for sized in (True, False):
        with pytest.raises(DiskFullError, match=r"room for 300,000 bytes .*\nfound: 10,100,000 bytes free"):
            run(remote(server, sized=sized), tmp_path)
    assert server.gets == []


def test_a_disk_that_fills_up_keeps_the_part(
    server: MisbehavingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files[PATH] = ServedFile(CONTENT)

    class FullDisk(io.FileIO):
        def write(self, block: Any) -> int:
            if self.tell() + len(block) > 200_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(block)

    true_open = Path.open

    def opened(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        return FullDisk(path, "ab") if mode == "ab" else true_open(path, mode, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        with pytest.raises(DiskFullError, match="run the same command again; it resumes"):
            run(remote(server), tmp_path)
    held = (tmp_path / "weights.pt.part").stat().st_size
    assert 0 < held <= 200_000
    assert len(server.gets) == 1  # a full disk is no reason to ask the server again
    assert run(remote(server), tmp_path).path.read_bytes() == CONTENT
    assert server.gets[-1].range == f"bytes={held}-"


def test_a_folder_that_cannot_be_made_is_said(server: MisbehavingServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="ability to write"):
        run(remote(server), tmp_path / "file" / "folder")


def test_two_processes_do_not_fetch_into_one_folder(server: MisbehavingServer, tmp_path: Path) -> None:
    with locked(tmp_path, ".download.lock"), pytest.raises(BusyError):
        run(remote(server), tmp_path)


def test_a_failed_rename_leaves_the_whole_part_for_the_next_time(
    server: MisbehavingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files[PATH] = ServedFile(CONTENT)

    def refused(*_: Path) -> None:
        raise PermissionError(errno.EACCES, "no")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_replace", refused)
        with pytest.raises(StoreError):
            run(remote(server), tmp_path)
    server.asked.clear()
    assert run(remote(server), tmp_path).path.read_bytes() == CONTENT
    assert server.gets == []


def test_a_killed_download_is_resumed_by_the_next_process(server: MisbehavingServer, tmp_path: Path) -> None:
    server.files[PATH] = ServedFile(CONTENT, drop_after=[150_000] + [0] * 999)
    file = remote(server)
    code = (
        "import sys; from pathlib import Path; from meta_spliceai.download.checksums import Checksum;"
        "from meta_spliceai.download.fetch import fetch_files; from meta_spliceai.download.remote import *;"
        f"fetch_files([RemoteFile('weights.pt', {file.urls!r}, Checksum('sha256', {file.checksum.value!r}), 300_000)],"
        f" Path({str(tmp_path)!r}), label='f', patience=Patience(attempts=999, first_wait=0.01))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    part = tmp_path / "weights.pt.part"
    while not (part.exists() and part.stat().st_size == 150_000):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    server.files[PATH].drop_after.clear()
    server.asked.clear()
    assert run(file, tmp_path).path.read_bytes() == CONTENT
    assert server.gets[-1].range == "bytes=150000-"


def test_progress_counts_what_is_here(
    server: MisbehavingServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    server.files[PATH] = ServedFile(CONTENT, ranges=False, drop_after=[100_000])
    with show_progress(), caplog.at_level(logging.INFO):
        run(remote(server), tmp_path)
    assert "fetching: 300 kB in" in capsys.readouterr().err
    assert "the connection ended after 100,000 of 300,000 bytes; trying again in 0 s" in caplog.text


def test_texts_are_fetched_whole_or_refused(
    server: MisbehavingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/sums"] = ServedFile(b"a  b\n", statuses=[500, 429])
    assert fetch_text(server.url("/sums"), patience=QUICK) == "a  b\n"
    with pytest.raises(DownloadError, match="answers 404"):
        fetch_text(server.url("/none"), patience=QUICK)
    server.files["/sums"] = ServedFile(b"\xff\xfe\x00")
    with pytest.raises(DownloadError, match="no text"):
        fetch_text(server.url("/sums"), patience=QUICK)
    monkeypatch.setattr(fetch, "_LONGEST_TEXT", 10)
    server.files["/sums"] = ServedFile(b"x" * 11)
    with pytest.raises(DownloadError, match="more than 10 bytes"):
        fetch_text(server.url("/sums"), patience=QUICK)
    server.files["/sums"] = ServedFile(b"x" * 11, drop_after=[5] * 9)
    with pytest.raises(DownloadError, match="ended after 5 of 11 bytes"):
        fetch_text(server.url("/sums"), patience=QUICK)
    assert transfer.reason_of(ConnectionResetError()) == "the connection broke (ConnectionResetError)"
