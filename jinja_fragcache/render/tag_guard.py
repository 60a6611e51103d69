"""The guard of a tag's key: what its body reads of the request has to be in it.

And what the verification of its hits calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jinja2.runtime import Context
from jinja2.utils import missing

from jinja_fragcache.engine.dependencies import (
    Dependencies,
    names_told_by,
    note_missing,
    note_variable,
    quietly,
    start_watching,
)
from jinja_fragcache.engine.policy import Policy
from jinja_fragcache.errors import (
    FragmentCacheError,
    KeyValueError,
    UncoveredReadError,
)
from jinja_fragcache.keys.fragment import can_be_encoded, encoded_value
from jinja_fragcache.late import LateModule
from jinja_fragcache.remembered import Remembered

from .environment import ADDED, Site, engine_of, name_of, warned_for

if TYPE_CHECKING:
    from jinja_fragcache.engine import noted_reads
    from jinja_fragcache.guard import reads as guard_reads
else:
    noted_reads = LateModule("jinja_fragcache.engine.noted_reads")
    guard_reads = LateModule("jinja_fragcache.guard.reads")

#: Separates the parts of `Site`'s names: of the key, of the body, allowed ones, and the
#: paths that were read above the tag for names in its body. The last part are the tag's
#: traits, any of `AUTO`, `BACKGROUND` or `FOREGROUND`, `IN_HTML` or `PERHAPS_IN_HTML`,
#: and `UNVERIFIED`.
PARTS = "|"
#: Stands in such a path for all items of a mapping.
EVERYTHING = "*"
_ALL_OF_REQUEST = f"request.{EVERYTHING}"
#: Begins the name of what the key has only joined with other values, in one text.
JOINED = "="
#: Begins the name of what a body reads, if its template gives the name a value, too.
BOUND = "-"
#: Begins the trait that says that a tag has `vary_on="auto"`, and how many other key
#: values: `auto:2`.
AUTO = "auto:"
#: Say that a tag is rendered again behind the request, or is not.
BACKGROUND, FOREGROUND = "background", "foreground"
#: Say that a tag stands where HTML may have comments; that its template does not show
#: whether it does.
IN_HTML, PERHAPS_IN_HTML = "html", "html?"
#: Says that a tag's hits are not verified.
UNVERIFIED = "unverified"
# Variables whose attributes are noted when they are read.
_OF_REQUESTS = frozenset({"current_user", "g", "request", "session", "user"})


# The names that a body reads, each with whether its template gives it a value, too; and
# the paths above.
_Names = tuple[tuple[tuple[str, bool], ...], tuple[str, ...]]


class _NamesRead(Remembered[str, _Names]):
    def __missing__(self, names: str) -> _Names:
        _, body, _, above, *_ = names.split(PARTS)
        own = ((each.removeprefix(BOUND), each[:1] == BOUND) for each in body.split())
        read = tuple(own), tuple(above.split())
        self.add(names, read)
        return read


#: Of the names in a tag's site, those of its body, and the paths above it.
_NAMES_READ = _NamesRead(4096, 2**20)


def traits_of(site: Site) -> list[str]:
    """Return the traits of a tag (see `PARTS`)."""
    return site[4].rpartition(PARTS)[2].split()


def verified_as(policy: Policy, site: Site) -> str | None:
    """Return what messages call a fragment whose hits may be verified, else None."""
    if not policy.verify or UNVERIFIED in traits_of(site):
        return None
    return f"{name_of(*site[:2])}: the fragment"


def split_values(site: Site, vary_on: Any) -> tuple[Any, dict[str, Any]]:
    """Return the key values that a tag names, and those that its body reads.

    Args:
        site: Where the tag stands.
        vary_on: All key values. With `vary_on="auto"`, those that the tag names come
            first, and then each one that the body reads, behind the text of its name.
    """
    for trait in traits_of(site):
        if trait.startswith(AUTO):
            number = int(trait.removeprefix(AUTO))
            read = vary_on[number:]
            return vary_on[:number], dict(zip(read[::2], read[1::2], strict=False))
    return vary_on, {}


def explained(
    error: FragmentCacheError, site: Site, vary_on: Any
) -> FragmentCacheError:
    """Return an error of a tag; that of a key with the name of what the body reads.

    Args:
        error: The error.
        site: Where the tag stands.
        vary_on: The key values of the tag.
    """
    if not isinstance(error, KeyValueError):
        return error
    for shown, value in split_values(site, vary_on)[1].items():
        try:
            encoded_value(value)
        except KeyValueError as own:
            return own.naming(f'{shown}, which vary_on="auto" makes a key value,')
    return error


class TagGuard:
    """Sees to it that what a fragment's body reads of the request is in its key.

    It is made on a miss, so that a hit costs nothing more.

    Args:
        context: The context of the template.
        site: Where the tag stands.
        vary_on: The key values.
    """

    __slots__ = ("_context", "_cover", "_site", "_vary_on")

    def __init__(self, context: Context, site: Site, vary_on: Any = ()) -> None:
        self._context = context
        self._site = site
        self._vary_on = vary_on
        self._cover: guard_reads.Cover | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        """The key values, without those of a constant key."""
        return tuple(self._vary_on or ())

    @property
    def place(self) -> str:
        """Where the tag stands, as messages show it."""
        return name_of(*self._site[:2])

    def apart(
        self, render: Callable[..., Any], *, default: bool
    ) -> tuple[TagGuard, Callable[..., Any]] | None:
        """Like `engine.entry_spec.FragmentGuard.apart`."""
        traits = traits_of(self._site)
        if BACKGROUND not in traits and (not default or FOREGROUND in traits):
            return None
        # Here, because few fragments are made in the background.
        from .apart import capture  # noqa: PLC0415

        with Dependencies() as probe:
            self.start()
        found = None if probe.reads else capture(render, self._context)
        if found is None:
            return None
        made, context = found
        return TagGuard(context, self._site, self._vary_on), made

    def for_row(self, vary_on: Any) -> TagGuard:
        """Return the guard of a list's row that has other key values."""
        return TagGuard(self._context, self._site, vary_on)

    def start(self) -> None:
        """Like `engine.entry_spec.Guard.start`."""
        context = self._context
        start_watching(context)
        names, paths = _NAMES_READ[self._site[4]]
        for name, is_bound in names:
            value = context.resolve_or_missing(name)
            if value is not missing:
                note_variable(name, value, context)
            elif not is_bound:
                note_missing(name, context)
        for path in paths:
            _read_again(path, context)

    def cover(self) -> guard_reads.Cover:
        """Like `engine.entry_spec.Guard.cover`."""
        if self._cover is None:
            allowed = engine_of(self._context.environment).policy.guard_allow
            given, read = split_values(self._site, self._vary_on)
            names = self._names(0)
            joined = [name[1:] for name in names if name[:1] == JOINED]
            self._cover = guard_reads.Cover(
                names_told_by([*names, *read]),
                guard_reads.texts_in(given).union(
                    *map(guard_reads.texts_in, read.values())
                ),
                frozenset({*allowed, *self._names(2)}),
                told=names_told_by(joined),
            )
        return self._cover

    def texts_now(self, name: str) -> frozenset[str]:
        """Like `engine.entry_spec.Guard.texts_now`."""
        texts = noted_reads.texts_of_now(name, self._context)
        if texts or "." in name:
            return texts
        value = self._context.resolve_or_missing(name)
        if value is missing:
            return frozenset()
        return guard_reads.texts_of(value)

    def refuse(self, reads: Sequence[guard_reads.Read]) -> None:
        """Like `engine.entry_spec.Guard.refuse`."""
        # Here, because fragments are rarely refused.
        from jinja_fragcache.guard.messages import explain  # noqa: PLC0415

        place = self._site[:2]
        engine = engine_of(self._context.environment)
        reads = [read.below(*place) for read in reads]
        with quietly():
            remedy = self._remedy(reads)
        told = explain(reads, remedy)
        message = f"{name_of(*place)}: the fragment is not cached. {told}"
        engine.refuse((*warned_for(self._site), "reads"), UncoveredReadError(message))

    def _remedy(self, reads: Sequence[guard_reads.Read]) -> str:
        from jinja_fragcache.guard.messages import tag_remedy  # noqa: PLC0415 - as above

        environment = self._context.environment
        start, end = environment.block_start_string, environment.block_end_string

        def write_tag(expressions: list[str]) -> str:
            words = self._site[5].replace(ADDED, ", ".join(expressions))
            return f"{start} {words} {end}"

        return tag_remedy(reads, _Now(self._context), write_tag, (start, end))

    def _names(self, part: int) -> list[str]:
        return self._site[4].split(PARTS)[part].split()


def _read_again(path: str, context: Context) -> None:
    """Read what a `{% set %}` above the tag has read, so that it is noted.

    It stops at what notes nothing, such as a user, whose properties may do more.
    """
    root, *steps = path.split(".")
    value = context.resolve_or_missing(root)
    if value is missing:
        return
    note_variable(root, value, context)
    if root not in _OF_REQUESTS:
        return
    from jinja_fragcache.guard.watched import is_watched  # noqa: PLC0415 - as above

    with suppress(Exception):  # A property of the user's may raise anything.
        for number, step in enumerate(steps):
            if number and not (is_watched(value) or isinstance(value, Mapping)):
                return
            if step == EVERYTHING:
                # Requests of Starlette's are mappings, too, whose methods read parts.
                is_read = isinstance(value, Mapping) and path != _ALL_OF_REQUEST
                _ = len(value) if is_read else 0
                return
            value = context.environment.getattr(value, step)


class _Now:
    """What a template's context has (see `guard.proposals.Now`)."""

    __slots__ = ("_context",)

    takes_values = True

    def __init__(self, context: Context) -> None:
        self._context = context

    def value(self, name: str) -> Any:
        """Like `Now.value`."""
        if "." in name or not self.has(name):
            return noted_reads.value_of_now(name, self._context)
        return self._context.resolve(name)

    def has(self, name: str) -> bool:
        """Like `Now.has`."""
        return self._context.resolve_or_missing(name) is not missing

    def encodes(self, value: Any) -> bool:
        """Like `Now.encodes`."""
        return can_be_encoded(value)
