"""What listeners are told: events, which tell of keys, and reports, of fragments."""

from enum import Enum
from typing import Any, Literal, NamedTuple

#: What happened to a key: it was served, has to be made, was written, was deleted; a
#: body raised, and an old entry is served; or the store failed.
EventKind = Literal["hit", "miss", "set", "delete", "error", "store_error"]
#: What became of a fragment: it was served from the store; made; served after its
#: timeout; or made without asking the store.
Outcome = Literal["hit", "miss", "stale", "uncached"]


class Reason(Enum):
    """Why something was no hit, or is not stored. There are no others.

    The value is how logs and metrics show it.
    """

    # Why there was no hit.
    NO_ENTRY = "no entry"
    TIMEOUT = "timeout ended"
    EARLY_REFRESH = "early refresh"
    TAG = "tag invalidated"
    VERSION = "other version"
    TEMPLATE = "template changed"
    ESCAPING = "other escaping"
    BODY = "other body"
    HOLES = "other holes"
    READS = "other request"
    UNREADABLE = "unreadable"
    ASKED = "asked for by the function's rules"
    # Why the store was not asked.
    UNLESS = "unless"
    KEY = "no key"
    DELETED = "deleted by the tag"
    METHOD = "the request's method"
    # Why what was made is not stored.
    READS_UNCOVERED = "reads what its key lacks"
    TOO_LARGE = "too large"
    ERROR = "error"
    NESTED = "something in it is not stored"
    TAG_MEANWHILE = "tag invalidated meanwhile"
    DELETED_MEANWHILE = "deleted meanwhile"
    LOCK = "another caller makes it"
    STORE = "the store failed"
    RULES = "not to be stored by the function's rules"


class Why(NamedTuple):
    """A reason, with what people need to know besides.

    Attributes:
        reason: The reason. There are few, so metrics can count them.
        detail: The same with names and times, "" if there is nothing to add. It may
            name tags.
    """

    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        """Return it as logs show it."""
        return self.detail or self.reason.value


class About(NamedTuple):
    """Which fragment or function something is about.

    Attributes:
        kind: Which of both.
        name: The fragment's name, as readable as in its key, or the function's.
        values: The key values, or the arguments of the call.
        template: The name of the template that the tag stands in; None for a function,
            and for a template from a string.
        line: The line of the tag; None for a function.
    """

    kind: Literal["fragment", "function"]
    name: str
    values: tuple[Any, ...] = ()
    template: str | None = None
    line: int | None = None

    @classmethod
    def of_fragment(cls, name: str, site: tuple[Any, ...], values: Any) -> "About":
        """Return what is told of a fragment.

        Args:
            name: Its name, as in its key.
            site: Where its tag stands: the template's name, the line, and more.
            values: The key values, if they are a list.
        """
        # Not of other lists, whose own methods may raise.
        listed = tuple(values) if type(values) in {list, tuple} else ()
        return cls("fragment", name, listed, site[0], site[1])


class Event(NamedTuple):
    """What happened to a key, at once.

    Attributes:
        kind: What happened.
        key: The key.
        error: What the body or the store raised, for the kinds that end in "error".
    """

    kind: EventKind
    key: str
    error: BaseException | None = None


class Report(NamedTuple):
    """What became of a fragment or value that was asked for, once it is over.

    Attributes:
        kind: "fragment", or "function" for a call of a decorated function or a view.
        name: The fragment's name (printable ASCII without spaces, at most 80
            characters), or the function's full name.
        outcome: "hit", "miss", "stale" (served after its timeout) or "uncached" (made
            without asking the store). A miss may have been served what another caller
            made; then it `waited`.
        why: Why it was no hit; None for a hit.
        not_stored: Why what was made is not stored; None if it is, or nothing was made.
        key: The key; None if it has none.
        values: The key values, or the arguments of the call. They may be personal, so
            they are None for listeners that did not ask with `wants_values`.
        template: The name of the template with the tag; None for a function, and for a
            template from a string.
        line: The line of the tag; None for a function.
        rendered: Whether the body ran for this caller.
        waited: Whether it was served what another caller made meanwhile.
        body_seconds: How long the body took, with all that is in it.
        store_seconds: How long calls of the store took, without those in the body. The
            rows of a list share theirs.
        size: The bytes of the entry that was read or written; None if there is none.
        tags: The entry's tags.
        age: For how many seconds the entry has been stored; None if that is not known.
        expires_in: In how many seconds its timeout ends (below 0 if it has ended,
            infinity for never); None if that is not known.
        error: What the body raised. If the outcome is "stale", the page did not see it.
    """

    kind: Literal["fragment", "function"]
    name: str
    outcome: Outcome
    why: Why | None = None
    not_stored: Why | None = None
    key: str | None = None
    values: tuple[Any, ...] | None = None
    template: str | None = None
    line: int | None = None
    rendered: bool = False
    waited: bool = False
    body_seconds: float = 0.0
    store_seconds: float = 0.0
    size: int | None = None
    tags: tuple[str, ...] = ()
    age: float | None = None
    expires_in: float | None = None
    error: BaseException | None = None

    @property
    def is_stored(self) -> bool:
        """Whether this caller made and stored what is served."""
        return (
            self.rendered
            and self.outcome == "miss"
            and self.not_stored is None
            and self.error is None
        )

    @property
    def place(self) -> str:
        """Where the tag stands, as `home.html:14`; "" for a function."""
        if self.line is None:
            return ""
        return f"{self.template or 'a template from a string'}:{self.line}"
