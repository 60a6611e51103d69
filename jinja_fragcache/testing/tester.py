"""Tells a test what is stored in its cache, and what is rendered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.inspection import Inspected, inspect
from jinja_fragcache.messages import did_you_mean
from jinja_fragcache.operations import perform

from .clock import Clock
from .recording import Body, RecordingEngine, shown

_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class CacheTester:
    """Tells what is stored in the cache of a test, and what is rendered.

    Attributes:
        cache: The `FragmentCache` that the templates use in this test.
        clock: The clock by which entries expire.
        counts: What `assert_renders` returned.
    """

    cache: FragmentCache
    clock: Clock
    counts: "list[Renders]" = field(default_factory=list, repr=False)

    def move(self, seconds: float) -> None:
        """Move the time forward, by which entries expire.

        Raises:
            TypeError: If `seconds` is no number.
            ValueError: If it is negative.
        """
        self.clock.move(seconds)

    def assert_cached(self, name: str, *key_values: Any) -> str:
        """Check that a fragment is stored, and would be served.

        It is for fragments. Of functions and views, count the calls.

        Args:
            name: The fragment's name, as it stands in the tag.
            key_values: Its key values, in the tag's order.

        Returns:
            Its text, without what is in holes.

        Raises:
            AssertionError: If it is not.
            KeyValueError: If a value can't be part of a key.
        """
        __tracebackhide__ = True
        key = self.cache.key_for(name, key_values)
        found = self._inspect(key)
        if found is None or found.entry is None or not found.is_current:
            raise AssertionError(self._why_not(key, name, key_values, found))
        return found.entry.text

    def assert_not_cached(self, name: str, *key_values: Any) -> None:
        """Check that a fragment is not stored, has expired or was invalidated.

        Args:
            name: As for `assert_cached`.
            key_values: As for `assert_cached`.

        Raises:
            AssertionError: If it would be served.
            KeyValueError: If a value can't be part of a key.
        """
        __tracebackhide__ = True
        key = self.cache.key_for(name, key_values)
        found = self._inspect(key)
        if found is not None and found.entry is not None and found.is_current:
            body = self._recorded.get(key)
            place = f" It was rendered by {body.place}." if body else ""
            raise AssertionError(
                f"{shown(name, key_values)} is cached, and was expected not to be."
                f"{place} Its text is {found.entry.text[:200]!r}."
            )

    def assert_renders(self, times: int, name: str | None = None) -> "Renders":
        """Check how often bodies of fragments are rendered in a `with` block.

        Without `with` it checks nothing, which fails at the end of the test.

        Args:
            times: How often.
            name: The name of the fragments that count; None for all. Those that are
                rendered without the store, by `unless`, have no name here.

        Returns:
            A context manager. At its end it raises an `AssertionError` if they were
            rendered more or less often.

        Raises:
            TypeError: If `times` is not a number.
            ValueError: If it is negative.
        """
        if type(times) is not int:
            raise TypeError(
                f"assert_renders takes how often first, and got {times!r}. Write"
                ' assert_renders(1, "sidebar").'
            )
        if times < 0:
            raise ValueError(
                f"Nothing is rendered {times} times. Write assert_renders(0) if nothing"
                " is to be rendered."
            )
        count = Renders(self._engine.bodies, lambda: self._stored, times, name)
        self.counts.append(count)
        return count

    @property
    def _engine(self) -> RecordingEngine:
        engine: Any = self.cache.engine
        recording: RecordingEngine = engine
        return recording

    @property
    def _recorded(self) -> dict[str, Body]:
        """The body that was rendered last, by the key of its entry."""
        return {each.key: each for each in self._engine.bodies if each.key}

    @property
    def _stored(self) -> list[Body]:
        """The bodies whose entries would be served."""
        return [
            body
            for key, body in self._recorded.items()
            if (found := self._inspect(key)) is not None and found.is_current
        ]

    def _inspect(self, key: str) -> Inspected | None:
        return perform(inspect(self.cache.engine.context, key))

    def _why_not(
        self,
        key: str,
        name: str,
        key_values: tuple[Any, ...],
        found: Inspected | None,
    ) -> str:
        """Return what is there in place of an entry, and what to write instead."""
        lines = [
            f"{shown(name, key_values)} is not cached: {self._reason(key, found)}."
        ]
        stored = self._stored
        same = [each for each in stored if each.is_of(name)]
        if same:
            lines += _listed("Stored under this name", same)
            known = [each for each in same if each.values is not None]
            if known:
                lines.append(self._what_to_write(name, known))
        elif stored:
            names = {each.name for each in stored}
            lines += _listed("Stored under other names", stored)
            hint = did_you_mean(name, names).strip()
            lines += [hint] if hint else []
        else:
            lines.append(
                "No fragment is stored. (Functions and views are none.) Render a page"
                " first, in the same test, by the application or environment that is"
                " tested."
            )
        return "\n".join(lines)

    def _what_to_write(self, name: str, stored: list[Body]) -> str:
        """Return which call would find an entry, of those that are listed by a name."""
        for each in stored:
            values = each.values or ()
            if self.cache.key_for(name, values) == each.key:
                given = ", ".join(map(repr, (name, *values)))
                return f"Write assert_cached({given})."
        if self.cache.policy.vary_on is not None:
            return "The vary_on of the cache returned other values than now."
        return (
            "The tag has another name: a space, or a character that is not ASCII, is"
            " listed as _, and a long one is cut. Write the name as it stands in the"
            " tag."
        )

    def _reason(self, key: str, found: Inspected | None) -> str:
        if found is None:
            if key in self._recorded:
                return (
                    "it was rendered in this test, and then not stored, deleted, or its"
                    " timeout ended"
                )
            return "there is no entry"
        if found.invalidated_tags:
            tags = ", ".join(map(repr, found.invalidated_tags))
            return f"its tag {tags} was invalidated"
        if found.fresh_for is not None and found.fresh_for <= 0:
            return f"its timeout ended {-found.fresh_for:.0f} seconds ago"
        return "its entry can't be read"


class Renders:
    """Counts the bodies that are rendered in a `with` block.

    It is no generator: pytest would show its frames between those of the test.
    """

    def __init__(
        self,
        bodies: list[Body],
        stored: Callable[[], list[Body]],
        times: int,
        name: str | None,
    ) -> None:
        self._bodies = bodies
        self._stored = stored
        self._times = times
        self._name = name
        self._has_begun = False

    def check_begun(self) -> None:
        """Check that there was a `with` block.

        Raises:
            AssertionError: If there was none.
        """
        __tracebackhide__ = True
        if not self._has_begun:
            name = "" if self._name is None else f", {self._name!r}"
            call = f"assert_renders({self._times}{name})"
            raise AssertionError(
                f"{call} stands without `with`, so it checked nothing. Write"
                f" `with fragment_cache.{call}:` around what renders."
            )

    def __enter__(self) -> None:
        """Begin to count."""
        self._has_begun = True
        self._before = len(self._bodies)

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Raise an error if there were more or fewer, unless the block raised one."""
        __tracebackhide__ = True
        rendered, name = self._bodies[self._before :], self._name
        counted = [each for each in rendered if name is None or each.is_of(name)]
        if kind is not None or len(counted) == self._times:
            return
        of = "" if name is None else f" of {name!r}"
        noun = "body" if self._times == 1 else "bodies"
        was = "was" if len(counted) == 1 else "were"
        told = f"Expected {self._times} {noun}{of} to be rendered, and there {was}"
        lines = [f"{told} {len(counted)}."]
        lines += _listed("Rendered", rendered)
        lines += _listed("Stored now", self._stored())
        raise AssertionError("\n".join(lines))


def _listed(title: str, bodies: list[Body]) -> list[str]:
    shown = [f"  {each}" for each in bodies[:_MOST_SHOWN]]
    more = len(bodies) - len(shown)
    shown += [f"  and {more} more"] if more else []
    return [f"{title}:", *shown] if shown else [f"{title}: nothing."]
