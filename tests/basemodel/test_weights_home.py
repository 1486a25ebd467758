from __future__ import annotations

import sys
from pathlib import Path

import pytest

from meta_spliceai.basemodel.weights_home import weights_home


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"META_SPLICEAI_HOME": "/data/ms"}, "/data/ms/weights/pangolin"),
        ("linux", {"META_SPLICEAI_HOME": "~/ms"}, "/home/she/ms/weights/pangolin"),
        ("linux", {"XDG_DATA_HOME": "/xdg"}, "/xdg/meta-spliceai/weights/pangolin"),
        ("linux", {"XDG_DATA_HOME": ""}, "/home/she/.local/share/meta-spliceai/weights/pangolin"),
        ("darwin", {}, "/home/she/Library/Application Support/meta-spliceai/weights/pangolin"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/meta-spliceai/weights/pangolin"),
        ("win32", {}, "/home/she/AppData/Local/meta-spliceai/weights/pangolin"),
    ],
)
def test_weights_lie_where_the_platform_keeps_a_users_data(
    monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
) -> None:
    for variable in ("META_SPLICEAI_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in {"HOME": "/home/she", **environment}.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert weights_home("pangolin") == Path(expected)
