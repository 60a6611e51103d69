"""Lists of texts that a server has returned before.

A page reads the same list again and again, and mostly it has the same texts. If the
server returns the same bytes for the same keys, they are the same texts. To compare
them takes a tenth of the time in which their checksums are verified and they are
decoded.

Nothing that is remembered is served in place of what the server has just returned, so
nothing is ever out of date.
"""

from collections.abc import Sequence
from sys import getsizeof
from typing import Any

from jinja_fragcache.remembered import ENTRY_BYTES, Remembered

from .checksum import plain_texts, without_checksums

_MOST_LISTS = 1000
_MOST_BYTES = 2 * 2**20
# One that takes more, with its keys and as bytes and text, would leave too little for
# others.
_LARGEST = _MOST_BYTES // 4


class TextLists(Remembered[tuple[str, ...], tuple[list[Any], list[str]]]):
    """Verifies and decodes lists of texts, and remembers those that are read again.

    It remembers for the keys of each list what the server has returned, and the texts.
    A list that is read once, or not again for a long time, would be forgotten before it
    helps. To remember it would cost half as much as to verify it, for nothing.
    """

    def __init__(self) -> None:
        super().__init__(_MOST_LISTS, _MOST_BYTES)
        # The hashes of the keys of lists that were read lately, until as many bytes
        # were read as are remembered.
        self._read_lately: set[int] = set()
        self._bytes_left = _MOST_BYTES

    def load(
        self, keys: Sequence[str], stored: Sequence[Any]
    ) -> list[str] | list[bytes | None]:
        """Return what was stored under keys, without checksums.

        Args:
            keys: The keys, as the server has them.
            stored: What the server has returned for each, None where there is nothing.

        Returns:
            Texts if all are plain texts, as in a list of hits; else bytes and None.

        Raises:
            DamagedValueError: As in `without_checksum`.
        """
        listed = tuple(keys)
        before = self.get(listed)
        if before is not None and before[0] == stored:
            return before[1].copy()
        texts = plain_texts(keys, stored)
        if texts is None:
            return without_checksums(keys, stored)
        if self._is_read_again(listed, stored):
            size = sum(map(getsizeof, stored)) + sum(map(getsizeof, texts))
            if size <= _LARGEST:
                self.add(listed, (list(stored), texts.copy()), size)
        return texts

    def _is_read_again(self, listed: tuple[str, ...], stored: Sequence[bytes]) -> bool:
        """Return whether a list was read lately, and note that it was read now."""
        read = hash(listed)
        if read in self._read_lately:
            return True
        if self._bytes_left < 0:
            self._read_lately.clear()
            self._bytes_left = _MOST_BYTES
        self._bytes_left -= ENTRY_BYTES + sum(map(len, stored))
        self._read_lately.add(read)
        return False
