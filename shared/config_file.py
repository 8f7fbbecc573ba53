"""The one reader of configuration files: YAML with places, and references to the environment.

Whoever writes a file is told all of its faults at once, each in one line: file, line, column,
field, what is wrong and what would be right. No line quotes a value, which may be a secret.
Whatever is wrong, also that there is no such file, ends in a `ConfigFileError`; nothing else is
raised.

A value `${NAME}` or `{env: NAME}` is taken from the environment. What is refused and what is
bounded stands in `shared.config_yaml`, and why in docs/adr/0019.

    file = load(path, os.environ)
    accounts = file.check(Accounts)
    file.finish()
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from shared.config_words import explain
from shared.config_yaml import Document, Place, Where, read_document
from shared.settings import SettingsError

LARGEST_BYTES: Final = 1_048_576
MOST_FAULTS: Final = 50
"""Told at once; the others are counted."""
_MOST_NOTED: Final = 1_000

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ENV_KEY: Final = "env"

M = TypeVar("M", bound=BaseModel)


class ConfigFileError(SettingsError):
    """A file can't be used; each problem names file, line, column, field and what to do."""


def read_text(path: Path) -> str:
    """Return a file's text; a byte order mark at its head is no part of it.

    Raises:
        ConfigFileError: it can't be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigFileError(f"{path}: this is a folder or a device; a file is needed")
        with path.open("rb") as file:
            raw = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigFileError(f"{path}: there is no such file") from None
    except PermissionError:
        raise ConfigFileError(f"{path}: this process may not read the file") from None
    except (OSError, ValueError) as error:
        raise ConfigFileError(f"{path}: the file can't be read: {type(error).__name__}") from None
    if len(raw) > LARGEST_BYTES:
        raise ConfigFileError(f"{path}: the file is larger than {LARGEST_BYTES:,} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        place = f"{path}:{line}:{column}"
        raise ConfigFileError(
            f"{place}: a byte here is not UTF-8; save the file as UTF-8"
        ) from None


def load(path: Path, environment: Mapping[str, str] | None = None) -> ConfigFile:
    """Read a file; see `parse`.

    Raises:
        ConfigFileError: it can't be read or is no YAML.
    """
    return parse(read_text(path), environment, file=str(path))


def parse(
    text: str, environment: Mapping[str, str] | None = None, *, file: str = "the file"
) -> ConfigFile:
    """Read a file's text.

    Args:
        text: its content.
        environment: where the values of references are; without one, `${…}` is text.
        file: its name, for the messages.

    Raises:
        ConfigFileError: it is no YAML, so that nothing more can be said about it.
    """
    document = read_document(text.removeprefix("\ufeff"))
    found = ConfigFile(file, document)
    if not document.complete:
        found.finish()
    if environment is not None:
        found.resolve(environment)
    return found


class ConfigFile:
    """A file that was read: what it says, and what is wrong with it so far.

    Attributes:
        data: its values; None where something is wrong with one.
        references: the places whose value came from the environment.
    """

    def __init__(self, file: str, document: Document) -> None:
        self.file = file
        self.data = document.data
        self.references: set[Where] = set()
        self._places = document.places
        self._faults: dict[tuple[Place, str], None] = {}
        self._more = 0
        self._unsound: set[Where] = set()
        """The places that could not be read, and all places around them."""
        for place, where, said in document.faults:
            self._note(place, where, said)
            self._distrust(where)

    def at(self, where: Where) -> Place:
        """Return line and column of a field, or of the nearest thing around it that is written."""
        while where not in self._places:
            where = where[:-1]
        return self._places[where]

    def add(self, where: Where, said: str) -> None:
        """Note a fault, unless it may come from one that was found in reading, there or below."""
        if where not in self._unsound:
            self._note(self.at(where), where, said)

    def check(self, model: type[M], where: Where = (), value: Any = None) -> M | None:
        """Return what a part of the file says; None where it has faults, which are noted.

        Args:
            model: what it should be.
            where: the part.
            value: what stands there; the whole file where it is left out.
        """
        try:
            return model.model_validate(self.data if value is None else value)
        except ValidationError as error:
            # what pydantic saw is left out: it would be quoted by whoever prints the error
            for details in error.errors(include_url=False, include_input=False):
                if len(self._faults) >= _MOST_NOTED:  # wording each of them would take long
                    self._more += 1
                    continue
                self.add((*where, *details["loc"]), explain(details, model))
            return None

    def finish(self) -> None:
        """Return if nothing is wrong.

        Raises:
            ConfigFileError: with one line for each fault, in the order of the file.
        """
        if not self._faults:
            return
        told = [
            f"{self.file}:{line}:{column}: {said}" for (line, column), said in sorted(self._faults)
        ]
        more = len(told) - MOST_FAULTS + self._more
        if more > 0:
            told[MOST_FAULTS:] = [f"{self.file}: and {more} more faults"]
        raise ConfigFileError(*told)

    def refuse(self, faults: Iterable[tuple[Where, str]]) -> None:
        """Note these faults, and raise all that are known if there are any."""
        for where, said in faults:
            self.add(where, said)
        self.finish()

    def resolve(self, environment: Mapping[str, str]) -> None:
        """Put the environment's values in the place of references."""
        self.data = self._resolved(self.data, environment, ())

    def _resolved(self, value: Any, environment: Mapping[str, str], where: Where) -> Any:
        # As deep as the file nests, which is bounded.
        name: str | None = None
        if isinstance(value, dict) and set(value) == {_ENV_KEY} and isinstance(value["env"], str):
            name = value[_ENV_KEY]
        elif isinstance(value, dict):
            return {
                key: self._resolved(inner, environment, (*where, key))
                for key, inner in value.items()
            }
        elif isinstance(value, list):
            return [
                self._resolved(inner, environment, (*where, number))
                for number, inner in enumerate(value)
            ]
        elif isinstance(value, str) and "${" in value:
            match = _REFERENCE.fullmatch(value)
            if match is None:
                self._spoil(where, "a reference must be the whole value, as ${NAME}")
                return ""
            name = match.group(1)
        if name is None:
            return value
        self.references.add(where)
        found = environment.get(name, "")
        if not found:
            self._spoil(where, f"the environment variable {name} is not set")
        return found

    def _spoil(self, where: Where, said: str) -> None:
        self._note(self.at(where), where, said)
        self._distrust(where)

    def _distrust(self, where: Where) -> None:
        while where not in self._unsound:
            self._unsound.add(where)
            where = where[:-1]

    def _note(self, place: Place, where: Where, said: str) -> None:
        self._faults[place, f"{name_place(where)}: {said}" if where else said] = None


def name_place(where: Where) -> str:
    """Return a place as people write it, such as `wechat[0].token`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_name(part)}" for part in where)
    return text.removeprefix(".")


def _name(field: str) -> str:
    if field.isprintable() and len(field) <= _LONGEST_NAME:
        return field
    return repr(field[:_LONGEST_NAME])


_LONGEST_NAME: Final = 60
"""Of a field, in messages: each of them is one line."""
