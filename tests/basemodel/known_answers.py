"""The known answers that the package ships, as they are stored."""

from __future__ import annotations

import gzip
import importlib.resources
import json
from typing import Any


def known_answer(name: str) -> dict[str, Any]:
    file = importlib.resources.files("meta_spliceai.basemodel").joinpath("known_answers", f"{name}.json.gz")
    answer: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return answer
