"""The specification of an entry: what is asked for, and how it is stored."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja_fragcache.entries.entry import (
    FEW_TAGS,
    HEADER_MARK,
    Entry,
    HeaderTooLargeError,
    Life,
    encode,
    tag_line,
)
from jinja_fragcache.entries.freshness import (
    GracePeriods,
    Wanted,
    matches,
)
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.entries.values import MISSING, UnreadableError
from jinja_fragcache.keys.fragment import key_without_values, readable_name_of
from jinja_fragcache.late import LateModule

if TYPE_CHECKING:
    from jinja_fragcache.observe import events

    from . import covering
    from .entry_spec import FragmentGuard
else:
    events = LateModule("jinja_fragcache.observe.events")
    covering = LateModule(".covering", __package__)


class NotStored(Exception):  # noqa: N818 - it is not an error
    """A value must not be stored.

    Args:
        warning: What to log about it, once for each fragment or function; None for
            nothing.
        why: What listeners are told about it; None for a rule of the user's.
    """

    def __init__(
        self, warning: str | None = None, why: "events.Why | None" = None
    ) -> None:
        super().__init__(warning)
        self.warning = warning
        self.why = why


class Stopped(Exception):  # noqa: N818 - it is not an error
    """Carries a body's StopIteration out of an operation.

    An operation is a generator, and Python turns a StopIteration in a generator into a
    RuntimeError.

    Args:
        error: The StopIteration.
    """

    def __init__(self, error: StopIteration) -> None:
        self.error = error


class FragmentSpec(NamedTuple):
    """A fragment that is asked for.

    Attributes:
        key: The fragment's key.
        wanted: What an entry must match to be served.
        timeout: Seconds, 0 for never expires, None for the cache's default.
        grace: For how long an entry may be served after its timeout.
        tags: The tags that the cache tag names.
        digest_of: Returns the present digest of a template, if an entry is bound to the
            sources of the templates it was rendered from.
        holes: The numbers of the holes that the fragment may have. If there are any,
            its value is a `Pieces`, else a string.
        guard: As for `EntrySpec`.
        verified_as: As for `EntrySpec`.
        site: Where the tag stands: the template's name, the line, and more.
        values: The key values, if they are a list.
    """

    key: str
    wanted: Wanted
    timeout: int | None
    grace: GracePeriods = GracePeriods()
    tags: tuple[str, ...] = ()
    digest_of: Callable[[str], str] | None = None
    holes: tuple[int, ...] = ()
    guard: "FragmentGuard | None" = None
    verified_as: str | None = None
    site: tuple[Any, ...] = (None, None)
    values: Any = ()

    @property
    def name(self) -> str:
        """Like `EntrySpec.name`."""
        return key_without_values(self.key)

    def about(self) -> "events.About":
        """Like `EntrySpec.about`."""
        return events.About.of_fragment(
            readable_name_of(self.key), self.site, self.values
        )

    def why_not(self, entry: Entry) -> "events.Why":
        """Like `EntrySpec.why_not`. The checks are those of `load`, in its order."""
        wanted, digest_of = self.wanted, self.digest_of
        if entry.version != wanted.version:
            return events.Why(
                events.Reason.VERSION, _why_version(entry.version, wanted.version)
            )
        if entry.escaped != wanted.escaped:
            return events.Why(events.Reason.ESCAPING)
        if not matches(entry, wanted):
            return events.Why(events.Reason.BODY)
        if digest_of is not None:
            for name, digest in entry.templates:
                if digest_of(name) != digest:
                    return events.Why(
                        events.Reason.TEMPLATE, f"template {name} changed"
                    )
        if entry.holes and not {number for _, number in entry.holes} <= set(self.holes):
            return events.Why(events.Reason.HOLES)
        return events.Why(events.Reason.READS)

    def trial(self, render: Callable[..., Any]) -> Callable[..., Any]:
        """Like `EntrySpec.trial`."""
        return render

    def apart(
        self, render: Callable[..., Any], *, default: bool, blocking: bool
    ) -> "tuple[FragmentSpec, Callable[..., Any]] | None":
        """Like `EntrySpec.apart`. Without a guard, what the body reads is not known."""
        if self.guard is None:
            return None
        found = self.guard.apart(render, default=default)
        if found is None:
            return None
        guard, made = found
        return self._replace(guard=guard), made

    def differing(self, served: Any, made: Any) -> tuple[str, str] | None:
        """Like `EntrySpec.differing`. What is in holes is not compared."""
        texts = (_with_marks(served), _with_marks(made))
        return None if texts[0] == texts[1] else texts

    def load(self, stored: object, entry: Entry | None) -> Any:
        """Like `EntrySpec.load`."""
        if stored is not None and not isinstance(stored, str):
            if inspect.iscoroutine(stored):
                stored.close()
            raise UnreadableError(TypeError(f"it gave {stored!r:.100}, no text"))
        if entry is None or not matches(entry, self.wanted):
            return MISSING
        digest_of = self.digest_of
        if digest_of is not None and any(
            digest_of(name) != digest for name, digest in entry.templates
        ):
            return MISSING
        if entry.holes and not {number for _, number in entry.holes} <= set(self.holes):
            return MISSING
        if entry.reads and not covering.is_covered_now(entry.reads, self.guard):
            return MISSING
        return Pieces(entry.text, entry.holes) if self.holes else entry.text

    def timeout_of(self, value: Any) -> int | None:
        """Like `EntrySpec.timeout_of`."""
        return self.timeout

    def dump(
        self,
        value: Any,
        tags: Mapping[str, str],
        life: Life | None,
        templates: Mapping[str, str],
        reads: tuple[str, ...] = (),
    ) -> str:
        """Like `EntrySpec.dump`."""
        text: str = value
        holes: tuple[tuple[int, int], ...] = ()
        if type(value) is not str:
            text, holes = value if isinstance(value, Pieces) else (str(value), ())
        templates = templates if self.digest_of else {}
        escaped, version, header, body = self.wanted
        if not (life or templates or holes or reads):
            if tags:
                if body is None and len(tags) <= FEW_TAGS:
                    return tag_line(escaped, version, tags) + text
            elif header or text[:1] != HEADER_MARK:
                return header + text
        entry = Entry(
            text,
            escaped,
            version,
            None,
            tuple(sorted(tags.items())),
            life,
            tuple(sorted(templates.items())),
            holes,
            body,
            reads,
        )
        try:
            return encode(entry)
        except HeaderTooLargeError as error:
            warning = f"{self.key!r} is not stored. {error}"
            raise NotStored(warning, events.Why(events.Reason.TOO_LARGE)) from None


#: Makes one of a tuple with all fields. Every miss does, and `FragmentSpec(...)` calls
#: a function of Python's.
spec_of: Callable[[tuple[Any, ...]], FragmentSpec] = partial(
    tuple.__new__, FragmentSpec
)


def _why_version(stored: str | None, wanted: str | None) -> str:
    """Return how versions differ if only one is there, "" if both are.

    Mostly one of two processes is in debug mode, where `template_digest` is on.
    """
    if stored is None:
        return "other version: stored without one, as where template_digest is off"
    if wanted is None:
        return "other version: stored with one, as where template_digest is on"
    return ""


def _with_marks(value: Any) -> str:
    """Return a text, with the same in place of each hole."""
    if not isinstance(value, Pieces):
        return str(value)
    return "".join(
        each if isinstance(each, str) else "{% nocache %}" for each in value.parts()
    )
