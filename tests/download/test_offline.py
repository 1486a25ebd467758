"""Only `download` speaks to the network; everything else works without one."""

from __future__ import annotations

import ast
from pathlib import Path

import meta_spliceai

NETWORK = {"urllib", "http", "socket", "ssl", "ftplib", "requests", "httpx", "aiohttp"}
SOURCE = Path(meta_spliceai.__file__).parent


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def test_no_module_outside_download_imports_a_network_library() -> None:
    speaking = {path.relative_to(SOURCE).parts[0] for path in SOURCE.rglob("*.py") if imported(path) & NETWORK}
    assert speaking == {"download"}
