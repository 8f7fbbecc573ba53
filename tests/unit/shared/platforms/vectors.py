"""The platforms' published test vectors, by id; each says where it was published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("protocol_vectors.json")

VECTORS: Final[dict[str, dict[str, str]]] = {
    vector["id"]: vector for vector in json.loads(_FILE.read_text(encoding="utf-8"))
}
