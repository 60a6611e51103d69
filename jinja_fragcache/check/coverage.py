"""Which reads the key of a fragment covers."""

from collections.abc import Iterable, Iterator

from jinja_fragcache.identities import IDENTITIES, names_object
from jinja_fragcache.list_names import one_of
from jinja_fragcache.reads.paths import Path, is_bag

from .scopes import LOOP, SET, Binding, Seen, Visit
from .vocabulary import (
    Vocabulary,
    is_boolean,
    is_flag,
    paths,
    read_as,
    request_says,
    told_by_key,
    within,
)

# What each of these in a key says of the loop.
_PLACES = {"index", "index0", "revindex", "revindex0"}
_SAME_PLACE = {*_PLACES, "first", "cycle", "changed", "previtem", "nextitem"}
# What tells whether somebody is signed in.
_SIGNED_IN = {"is_authenticated", "is_anonymous"}
# What the guard watches in place of `vary_on="auto"`, by whatever name it is in a key.
_OF_REQUEST = {"current_user", "g", "request", "session"}


class Coverage:
    """What the key of one fragment covers.

    Args:
        visit: The fragment.
        vocabulary: The names that have a meaning.

    Attributes:
        keys: What the key has: the tag's own key values, and those of all keys.
        has_locale: Whether the key tells the locale.
    """

    def __init__(self, visit: Visit, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._allowed = vocabulary.covered | paths(visit.tag.allow)
        self._is_auto = visit.tag.is_auto
        self._own_keys = [*_with_sources(visit.key)]
        whole = (Seen(read, None, "", ()) for read in vocabulary.in_all_keys)
        self.keys = [*self._own_keys, *whole]
        self._unless = [*_with_sources(visit.unless)]
        self.has_locale = any(
            self._is_locale(key.path)
            for key in self.keys
            if key.binding is None and not key.read.is_chosen
        ) or any(map(self._is_locale, self._allowed))
        self._has_user = any(map(self._tells_user, self.keys))

    def covers(self, seen: Seen) -> bool:
        """Return whether a read has the same value wherever the key has the same."""
        if self.allows(seen) or self._is_read_into_key(seen):
            return True
        if any(self._says(key, seen) for key in self.keys):
            return True
        if any(self._rules_out(tested, seen) for tested in self._unless):
            return True
        if seen.binding is None:
            return self._has_user and self._is_of_user(seen.path)
        return self._is_made_from_key(seen.binding)

    def allows(self, seen: Seen) -> bool:
        """Return whether the tag or the settings let a read pass."""
        return seen.binding is None and any(
            within(path, self._allowed) for path in (seen.path, read_as(seen.path))
        )

    def _is_read_into_key(self, seen: Seen) -> bool:
        """Return whether `vary_on="auto"` makes a read a part of the key."""
        is_function = seen.read.is_called and len(seen.path) == 1
        if not self._is_auto or is_function:
            return False
        return seen.binding is not None or seen.path[0] not in _OF_REQUEST

    def has_object(self) -> bool:
        """Return whether a key value tells which of many objects a fragment shows."""
        return any(
            (key.read.is_opaque or not key.read.part) and self._is_object(key)
            for key in self._own_keys
        )

    def _is_object(self, key: Seen) -> bool:
        if key.binding is not None:
            return key.binding.kind != SET
        words = self._vocabulary
        return key.path[0] not in words.known and not key.read.is_called

    def _is_made_from_key(self, binding: Binding) -> bool:
        """Return whether a value is made from nothing but what the key covers."""
        if binding.kind != SET or not binding.sources:
            return False
        return all(
            source.binding is not binding and self.covers(source)
            for source in _with_sources(binding.sources, only_ends=True)
        )

    def _rules_out(self, tested: Seen, seen: Seen) -> bool:
        """Return whether a body is stored only where a value is false.

        With `unless=user.is_authenticated`, all entries are nobody's.
        """
        if tested.binding is not seen.binding or tested.read.part:
            return False
        user = within(tested.path, self._vocabulary.users)
        if seen.binding is None and user and {*tested.path[len(user) :]} <= _SIGNED_IN:
            return self._is_of_user(seen.path)
        return seen.path[: len(tested.path)] == tested.path

    def _is_locale(self, path: Path) -> bool:
        names = self._vocabulary.locales
        return within(path, names) is not None or (path[-1],) in names

    def _is_user(self, path: Path) -> bool:
        return within(path, self._vocabulary.users) is not None

    def _is_of_user(self, path: Path) -> bool:
        words = self._vocabulary
        return within(path, words.users | words.owned | words.visitors) is not None

    def _is_personal(self, seen: Seen) -> bool:
        """Return whether a read is of the request, or of the one who sent it."""
        words = self._vocabulary
        return seen.binding is None and (
            seen.path[0] == "request"
            or self._is_of_user(seen.path)
            or within(seen.path, words.personal) is not None
        )

    def _tells_user(self, key: Seen) -> bool:
        """Return whether a part of the key is another one for each user."""
        if key.binding is not None or key.read.part:
            return False
        user = within(key.path, self._vocabulary.users)
        return user is not None and _names_object(key.path, len(user))

    def _says(self, key: Seen, seen: Seen) -> bool:
        """Return whether a part of a key tells all that a read may be."""
        if key.binding is not seen.binding:
            return False
        is_personal = self._is_personal(seen)
        if key.read.part and (is_personal or not key.read.is_opaque):
            return key.path == seen.path and (
                key.read.part == seen.read.part
                or (key.read.is_partial and is_boolean(key.path[-1]))
            )
        is_of_user = key.binding is None and self._is_user(key.path)
        if is_of_user and not self._tells_user(key):
            return key.path == seen.path[: len(key.path)]
        if key.binding is not None and key.path[0] != seen.path[0]:
            # The names that a loop unpacks an item to.
            is_flagged = any(map(is_flag, key.path[1:]))
            return key.binding.kind == LOOP and not is_flagged
        if is_personal and not is_bag(key.path) and seen.path[0] == key.path[0]:
            starts = seen.path[: len(key.path)] == key.path
            return starts or _names_object(key.path, 1)
        return _path_says(key.path, seen.path) or (
            seen.binding is None and _tells(key.path, read_as(seen.path))
        )


def _with_sources(reads: Iterable[Seen], *, only_ends: bool = False) -> Iterator[Seen]:
    """Iterate over reads, and over what the values that they read are made from.

    Args:
        reads: The reads.
        only_ends: Whether to leave out the values that are made from others.
    """
    waiting = [*reads]
    done: set[int] = set()
    while waiting:
        seen = waiting.pop()
        binding = seen.binding
        is_made = binding is not None and binding.kind == SET and bool(binding.sources)
        if not (only_ends and is_made):
            yield seen
        if binding is not None and is_made and id(binding) not in done:
            done.add(id(binding))
            part = seen.read.part
            waiting += (
                source.with_part(part, is_partial=seen.read.is_partial)
                if part and not only_ends and not source.read.part
                else source
                for source in binding.sources
            )


def ends_of(binding: Binding) -> list[Seen]:
    """Return what a value is made from in the end, without values in between."""
    return [*_with_sources(binding.sources, only_ends=True)]


def _names_object(path: Path, length: int) -> bool:
    """Return whether a path is an object or tells which one it is.

    Args:
        path: The path.
        length: How many steps of it are the object.
    """
    rest = path[length:]
    return not rest or (len(rest) == 1 and names_object(rest[0], path[length - 1]))


def _path_says(key: Path, path: Path) -> bool:
    # A list of all values of an argument tells the first one.
    one = one_of(key[-1])
    starts = {key} if one is None else {key, (*key[:-1], one)}
    if path[: len(key)] in starts:
        return True
    if key[0] != path[0] or one is not None:
        return False
    if key[0] == "loop":
        return key[1] in _PLACES and path[1:2] != () and path[1] in _SAME_PLACE
    if not is_bag(key):
        return not any(map(_is_shared, key, key[1:]))
    if len(path) > 1 and path[1] in request_says(key):
        return True
    # request.user.id tells all of request.user.
    return key[-1] in IDENTITIES and len(key) > 2 and path[: len(key) - 1] == key[:-1]  # noqa: PLR2004


def _tells(key: Path, path: Path) -> bool:
    """Return whether a path in a key tells a path that `read_as` returned."""
    return any(path[: len(each)] == each for each in told_by_key(key))


def _is_shared(name: str, attribute: str) -> bool:
    """Return whether many objects of a name may have the same value of an attribute."""
    if names_object(attribute, name):
        return False
    return is_flag(attribute) or attribute.endswith("_id") or attribute == "email"
