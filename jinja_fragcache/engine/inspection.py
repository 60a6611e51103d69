"""What is stored under a key, and why it is served or not, for people who ask."""

from typing import NamedTuple

from jinja_fragcache.entries.entry import Entry
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.entries.values import read_entry
from jinja_fragcache.keys.beside import version_key
from jinja_fragcache.messages import duration
from jinja_fragcache.operations import Operation

from .context import Context


class TagState(NamedTuple):
    """A tag of an entry.

    Attributes:
        name: The tag.
        version: The version that it had when the entry was made.
        is_current: Whether it has that version still. If not, the tag was invalidated,
            or the store has lost its version.
    """

    name: str
    version: str
    is_current: bool


class Inspected(NamedTuple):
    """What is stored under a key.

    Attributes:
        entry: The entry; None if it can't be read.
        size: The characters that are stored, with the header line.
        tags: Its tags.
        fresh_for: The seconds until its timeout ends, negative if it has ended;
            infinity if it never does; None if the store can't tell.
        kept_for: The seconds until the store removes it; infinity and None as above.
    """

    entry: Entry | None
    size: int
    tags: tuple[TagState, ...]
    fresh_for: float | None
    kept_for: float | None

    @property
    def is_current(self) -> bool:
        """Whether its timeout has not ended, and no tag of it was invalidated."""
        is_over = self.fresh_for is not None and self.fresh_for <= 0
        return self.entry is not None and not (self.invalidated_tags or is_over)

    @property
    def invalidated_tags(self) -> list[str]:
        """The names of its tags that were invalidated."""
        return [each.name for each in self.tags if not each.is_current]

    @property
    def state(self) -> str:
        """Why it is not served, as far as the entry alone tells.

        A page may ask for another version, or for that of another template.
        """
        if self.entry is None:
            return "not served: it can't be read, so it is a miss"
        if self.invalidated_tags:
            tags = ", ".join(self.invalidated_tags)
            return f"not served: invalidated by the tag {tags}"
        if self.fresh_for is not None and self.fresh_for <= 0:
            ago = duration(-self.fresh_for)
            return f"expired {ago} ago; kept for its grace period"
        return "fresh: not expired, and no tag was invalidated"


def inspect(context: Context, key: str) -> Operation[Inspected | None]:
    """Return what is stored under a key, None if there is nothing.

    Nothing counts as a hit or a miss.

    Raises:
        StoreError: If the store failed.
    """
    (stored,) = yield from context.store.examine([key])
    if stored is None:
        return None
    entry = read_entry(stored)
    kept_for = yield from context.store.remaining(key)
    if entry is None:
        return Inspected(None, len(str(stored)), (), None, kept_for)
    fresh_for = kept_for
    if entry.life is not None:
        fresh_for = entry.life.expires - context.clock()
    tags: tuple[TagState, ...] = ()
    if entry.tags:
        keys = [version_key(tag) for tag, _ in entry.tags]
        versions = yield from context.store.examine(keys)
        tags = tuple(
            TagState(tag, had, had == now)
            for (tag, had), now in zip(entry.tags, versions, strict=True)
        )
    return Inspected(entry, len(str(stored)), tags, fresh_for, kept_for)


def text_with_holes(entry: Entry) -> str:
    """Return the text of an entry, with tags in place of its holes."""
    parts = Pieces(entry.text, entry.holes).parts()
    return "".join(
        each if isinstance(each, str) else "{% nocache %}...{% endnocache %}"
        for each in parts
    )
