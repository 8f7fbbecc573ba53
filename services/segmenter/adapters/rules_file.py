"""Reads the rule file from disk, and tells when it has become another one."""

from __future__ import annotations

from pathlib import Path

from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules_file import RulesFileError, parse_rules
from shared.config_file import ConfigFileError, read_text


class RulesOnDisk:
    """The rule file.

    Args:
        path: where it is. An orchestrator may replace it at any time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text: str | None = None

    def read(self) -> RuleBook:
        """The rules of the file as it is now.

        Raises:
            RulesFileError: it can't be read or used; each mistake is named.
        """
        text = self._load()
        self._text = text
        return parse_rules(text, str(self._path))

    def read_if_changed(self) -> RuleBook | None:
        """The rules, if the text is another one than at the last call of either method.

        Raises:
            RulesFileError: as `read`, once for each text.
        """
        text = self._load()
        if text == self._text:
            return None
        return self.read()

    def _load(self) -> str:
        try:
            return read_text(self._path)
        except ConfigFileError as error:
            raise RulesFileError(list(error.problems)) from error
