"""What can go wrong with a part, each error with what to do about it."""

from __future__ import annotations


class PartError(Exception):
    """A part did not do what it should; the message names its log file."""


class PartMissingError(PartError):
    """A part cannot be had on this machine; the message says what to install."""
