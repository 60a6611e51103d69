"""Lists of texts that a server has returned before.

A page reads the same list again and again, and mostly it has the same texts. If the
server returns the same bytes for the same keys, they are the same texts. To compare
them takes a tenth of the time in which their checksums are verified and they are
decoded.

Nothing that is remembered is served in place of what the server has just returned, so
nothing is ever out of date.
"""

from collections.abc import Mapping
from sys import getsizeof
from typing import Any, NamedTuple

from jinja_fragcache.remembered import Lately, Remembered

from .checksum import plain_texts, without_checksums

_MOST_LISTS = 1000
_MOST_BYTES = 2 * 2**20
# One that takes more, with its keys and as bytes and text, would leave too little for
# others.
_LARGEST = _MOST_BYTES // 4
#: What a store is asked for: what its full keys begin with, and keys.
Asked = tuple[str, tuple[str, ...]]


class TextList(NamedTuple):
    """What a server has returned for a list.

    Attributes:
        full_keys: The keys, as the server has them.
        stored: The bytes that it has returned for each.
        texts: The texts that these are.
        packed: The command that reads them, as a client sends it. It is empty until
            the list is read again by one that keeps it.
    """

    full_keys: list[str]
    stored: list[bytes]
    texts: list[str]
    packed: list[bytes]


class TextLists(Remembered[Asked, TextList]):
    """Verifies and decodes lists of texts, and remembers those that are read again.

    To remember a list that is read once would cost half as much as to verify it.
    """

    def __init__(self) -> None:
        super().__init__(_MOST_LISTS, _MOST_BYTES)
        self._lately = Lately(_MOST_BYTES)

    def load(
        self, asked: Asked, full_keys: list[str], stored: list[Any]
    ) -> list[str] | list[bytes | None]:
        """Return what was stored under keys, without checksums.

        Args:
            asked: What the store was asked for.
            full_keys: The keys, as the server has them. There are fewer if it is one of
                several servers.
            stored: What the server has returned for each, None where there is nothing.

        Returns:
            Texts if all are plain texts, as in a list of hits; else bytes and None.

        Raises:
            DamagedValueError: As in `without_checksum`.
        """
        asked = _of_server(asked, full_keys)
        texts = self._again(asked, full_keys, stored)
        return self._loaded(asked, full_keys, stored) if texts is None else texts

    def load_found(
        self, asked: Asked, full_keys: list[str], found: Mapping[str, Any]
    ) -> list[str] | list[bytes | None]:
        """Like `load`, of what the server has returned by full keys.

        A list of hits is mostly returned in order. In each value is a checksum of its
        key. So if the values are those of before, they need not be looked up.
        """
        asked = _of_server(asked, full_keys)
        texts = self._again(asked, full_keys, list(found.values()))
        if texts is not None:
            return texts
        return self._loaded(asked, full_keys, list(map(found.get, full_keys)))

    def _again(
        self, asked: Asked, full_keys: list[str], stored: list[Any]
    ) -> list[str] | None:
        """Return the texts if the server has returned the same before."""
        before = self.get(asked)
        if before is None:
            return None
        is_same = (before.full_keys, before.stored) == (full_keys, stored)
        return before.texts.copy() if is_same else None

    def _loaded(
        self, asked: Asked, full_keys: list[str], stored: list[Any]
    ) -> list[str] | list[bytes | None]:
        texts = plain_texts(full_keys, stored)
        if texts is None:
            return without_checksums(full_keys, stored)
        if self._lately.has(asked, sum(map(len, stored))):
            new = TextList(full_keys.copy(), stored.copy(), texts.copy(), [])
            # The packed command will take about as much as the keys.
            lists = new.full_keys, new.stored, new.texts, new.full_keys
            size = sum(sum(map(getsizeof, each)) for each in lists)
            if size <= _LARGEST:
                self.add(asked, new, size)
        return texts


def _of_server(asked: Asked, full_keys: list[str]) -> Asked:
    """Return what one server was asked for, if it is one of several."""
    is_all = len(full_keys) == len(asked[1])
    return asked if is_all else ("", tuple(full_keys))
