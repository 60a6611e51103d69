"""Encodes values of any type as strings and ints, which every store keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from markupsafe import Markup

from jinja_fragcache.errors import SerializationError

from .entry import Entry, HeaderTooLargeError, Life, decode, encode

_MARKUP = "markup"
#: The form of an int that is stored as an int.
NUMBER = "number"
# Servers count with 64 bits.
_INT64_END = 2**63


class Serializer(Protocol):
    """Converts values to strings and back.

    Attributes:
        form: The name of the format. Entries with another form are not read.
    """

    form: str

    def dumps(self, value: Any) -> str:
        """Return a value as a string.

        Raises:
            SerializationError: If the value can't be serialized.
        """
        ...

    def loads(self, text: str) -> Any:
        """Return the value that `dumps` was given.

        Raises:
            Exception: Any exception, if the string can't be read.
        """
        ...


class UnreadableError(Exception):
    """A stored value can't be read. It never leaves this package.

    Args:
        reason: What the serializer raised.
    """

    def __init__(self, reason: Exception) -> None:
        self.reason = reason


class Missing:
    """Type of the `MISSING` sentinel."""


#: Stands for the value that is not there. None can't, since it is a value.
MISSING: Final = Missing()


class ValueCodec:
    """Encodes values for a store and decodes them.

    A string is stored as it is, and an int as an int, which servers can increment.
    Other values are serialized. An entry with another form than the serializer's is not
    read, so where values are signed or stored as JSON, nothing that somebody else has
    put into the store is unpickled.

    Args:
        serializer: For values that are neither a string nor an int.
        is_signed: Whether entries are signed. A number that a server can count with
            can't be, so that only those are stored as numbers that users count with.
    """

    def __init__(self, serializer: Serializer, *, is_signed: bool = False) -> None:
        self._serializer = serializer
        self._is_signed = is_signed

    def encode(
        self,
        value: Any,
        tags: Mapping[str, str] | None = None,
        life: Life | None = None,
        reads: tuple[str, ...] = (),
        *,
        is_counter: bool = False,
    ) -> str | int:
        """Return what to store for a value.

        Args:
            value: Any value.
            tags: The tags of the entry, each with its version.
            life: How long it is fresh, if its timeout alone does not tell.
            reads: What was read of the request, as for `Entry`.
            is_counter: Whether users may count with the value, if it is a number.

        Raises:
            SerializationError: If the value can't be serialized, or has too many tags.
        """
        pairs = tuple(sorted((tags or {}).items()))
        bare = not (pairs or life or reads)
        is_number = bare and type(value) is int and -_INT64_END <= value < _INT64_END
        if is_number and (is_counter or not self._is_signed):
            return int(value)
        if type(value) is str:
            text, form = value, None
        elif type(value) is Markup:
            text, form = str(value), _MARKUP
        else:
            text, form = self._serializer.dumps(value), self._serializer.form
        entry = Entry(text, form=form, tags=pairs, life=life, reads=reads)
        try:
            return encode(entry)
        except HeaderTooLargeError as error:
            raise SerializationError(str(error)) from None

    def decode(self, entry: Entry) -> Any:
        """Return the value of an entry, MISSING if its form is another serializer's.

        Raises:
            UnreadableError: If the serializer fails to read it.
        """
        if entry.form is None:
            return entry.text
        if entry.form == _MARKUP:
            return Markup(entry.text)  # noqa: S704 - it was Markup when it was stored
        if entry.form not in {NUMBER, self._serializer.form}:
            return MISSING
        try:
            if entry.form == NUMBER:
                return int(entry.text, 16)
            return self._serializer.loads(entry.text)
        except Exception as error:
            raise UnreadableError(error) from error


def read_entry(stored: object) -> Entry | None:
    """Return the entry for what a store returned, or None if it can't be read.

    An int, which servers can increment, becomes an entry of the form `NUMBER`.
    """
    if type(stored) is int:
        # In hexadecimal, because Python limits the digits of decimal numbers only.
        return Entry(f"{stored:x}", form=NUMBER)
    return decode(stored)
