"""Values of any type, as what a store keeps of them: texts and whole numbers."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from markupsafe import Markup

from .entry import Entry, Life, decode, encode

_MARKUP = "markup"
#: The form of a number that is stored as one.
NUMBER = "number"
# What servers count with.
_LARGEST = 2**63


class Serializer(Protocol):
    """Makes values texts.

    Attributes:
        form: names the way. Only what has this form is read.
    """

    form: str

    def dumps(self, key: str, value: Any) -> str:
        """Make a value a text, to be stored under a key.

        Raises:
            SerializationError: that can't be done.
        """
        ...

    def loads(self, key: str, text: str) -> Any:
        """Read what `dumps` made.

        Raises:
            Exception: it can't be read.
        """
        ...


class UnreadableError(Exception):
    """What is stored can't be read. It never leaves this package.

    Args:
        reason: what the serializer raised.
    """

    def __init__(self, reason: Exception) -> None:
        self.reason = reason


class Missing:
    """The kind of `MISSING`, which no user's value is."""


MISSING: Final = Missing()


class ValueCodec:
    """Turns values into what is stored, and back.

    A text is stored as it is, and a whole number as a number, which servers can count
    up. Other values are made texts by a serializer. What is stored under another form
    than its own is not read, so where values are signed, or JSON, nothing is unpickled
    that somebody else has put there.

    Args:
        serializer: for values that are neither text nor number.
    """

    def __init__(self, serializer: Serializer) -> None:
        self._serializer = serializer

    def encode(
        self,
        key: str,
        value: Any,
        version: str | None = None,
        tags: Mapping[str, str] | None = None,
        life: Life | None = None,
    ) -> str | int:
        """Turn a value into what is stored under a key.

        Args:
            key: its key.
            value: any value.
            version: digest of the source that made it, if that has to match.
            tags: the tags of the entry, each with its version.
            life: how long it is fresh, if its timeout alone does not tell that.

        Raises:
            SerializationError: the serializer can't keep it.
        """
        pairs = tuple(sorted((tags or {}).items()))
        bare = version is None and not pairs and life is None
        if bare and type(value) is int and -_LARGEST <= value < _LARGEST:
            return value
        if type(value) is str:
            text, form = value, None
        elif type(value) is Markup:
            text, form = str(value), _MARKUP
        else:
            text, form = self._serializer.dumps(key, value), self._serializer.form
        return encode(Entry(text, version=version, form=form, tags=pairs, life=life))

    def decode(self, key: str, entry: Entry) -> Any:
        """Give the value of an entry, or MISSING if it has another form.

        Raises:
            UnreadableError: the serializer can't read it.
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
            return self._serializer.loads(key, entry.text)
        except Exception as error:
            raise UnreadableError(error) from error


def read_entry(stored: object) -> Entry | None:
    """Give the entry that a store gave, a number among them, or None."""
    if type(stored) is int:
        # Python writes numbers of any length in this way, and no others.
        return Entry(f"{stored:x}", form=NUMBER)
    return decode(stored)
