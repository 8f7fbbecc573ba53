"""Files and folders that nobody but their owner may read: they hold secrets, or fans' words."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
UMASK = 0o077
"""Of child processes, so that what they write is as private."""


def make_private_folder(path: Path) -> None:
    """Make a folder that is private, and those above it that are missing; one that is there too."""
    missing = [path, *path.parents]
    for folder in reversed([one for one in missing if not one.exists()]):
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    path.chmod(FOLDER_MODE)


def write_private(path: Path, text: str) -> None:
    """Write a file that is private from its first byte on, whatever stood there before."""
    with open(path, "w", encoding="utf-8", opener=open_private) as file:
        file.write(text)


def open_private(path: str, flags: int) -> int:
    """Open a file so that it is private; an `opener` for `open`."""
    descriptor = os.open(path, flags, FILE_MODE)
    os.fchmod(descriptor, FILE_MODE)  # it may have been there, with another mode
    return descriptor
