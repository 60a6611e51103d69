"""The texts of lists, joined to one, for lists that are looked up again.

Right after a wait for a server, to look at 50 texts and to join them takes as long as
all else that is done for the rows of a list. If the store returns the very same texts
as before, as a `MemoryStore` does and a store that compares bytes, it is known already
what they are together.
"""

from collections.abc import Sequence
from operator import is_
from sys import getsizeof

from jinja_fragcache.entries.freshness import Wanted, servable_texts
from jinja_fragcache.remembered import Lately, Remembered

_MOST_LISTS = 1000
_MOST_BYTES = 2 * 2**20
# One that takes more would leave too little for others.
_LARGEST = _MOST_BYTES // 4
# The first key of a list, its last one and their number. That need not tell lists
# apart: what the store returned does.
_Ends = tuple[str, str, int]
# What the store returned, what was wanted, and the text.
_Joined = tuple[list[object], Wanted | None, str]
# Stands for a list of which the store returns new copies each time. It is never wanted.
_COPIES: _Joined = ([], None, "")


class JoinedTexts(Remembered[_Ends, _Joined]):
    """Remembers what lists are together: what the store returned, and the text of it.

    What a list is depends on nothing but what the store returned and what is wanted. So
    nothing that is remembered is ever out of date.
    """

    def __init__(self) -> None:
        super().__init__(_MOST_LISTS, _MOST_BYTES)
        self._lately = Lately(_MOST_BYTES)

    def texts(
        self, keys: Sequence[str], stored: Sequence[object], wanted: Wanted
    ) -> str | list[str | None]:
        """Return the text of a list, if all of its texts are fresh and without tags.

        Args:
            keys: The keys, one or more.
            stored: What the store returned for each.
            wanted: What all entries must match.

        Returns:
            The text; or what `servable_texts` returns, if None is in it.
        """
        ends = keys[0], keys[-1], len(keys)
        before = self.get(ends)
        # By identity, since a store of a user may return anything.
        if (
            before is not None
            and before[1] is wanted
            and all(map(is_, before[0], stored))
        ):
            return before[2]
        texts = servable_texts(stored, wanted)
        if None in texts:
            return texts
        text = "".join(texts)  # type: ignore[arg-type]  # none of them is None
        if before is not _COPIES:
            self._note(ends, before, (list(stored), wanted, text))
        return text

    def _note(self, ends: _Ends, before: _Joined | None, now: _Joined) -> None:
        """Remember what a list is, if that may help the next time."""
        stored, wanted, text = now
        if before is not None and before[:2] == (stored, wanted):
            self.add(ends, _COPIES)
            return
        size = sum(map(getsizeof, stored))
        if size + getsizeof(text) > _LARGEST:
            return
        if before is not None or self._lately.has(ends, size):
            self.add(ends, now, size)
