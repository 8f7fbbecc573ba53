"""Reads the rule file from disk, and tells when it has become another one."""

from __future__ import annotations

from pathlib import Path

from services.segmenter.domain.rulebook import RuleBook
from services.segmenter.domain.rules_file import RulesFileError, parse_rules


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
        return parse_rules(text, self._path.name)

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
            return self._path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problem = f"{self._path.name}: can't be read as UTF-8 text: {type(error).__name__}"
            raise RulesFileError([problem]) from error
