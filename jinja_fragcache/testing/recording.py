"""An engine that records which bodies of fragments are rendered."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jinja2.utils import internalcode

from jinja_fragcache.engine.batch import Row
from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.engine.entry_spec import Guard
from jinja_fragcache.engine.flow import Flow
from jinja_fragcache.engine.lead import Render
from jinja_fragcache.engine.reporting import report_uncached
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.engine.whole import WholeGuard
from jinja_fragcache.keys.fragment import (
    key_without_values,
    make_template_fragment_key,
    readable_name_of,
    varied_key,
)
from jinja_fragcache.render.comments import is_commented
from jinja_fragcache.render.tag_guard import TagGuard


class Body(NamedTuple):
    """A body that was rendered.

    Attributes:
        key: The key of its entry; "" if it was rendered without the store.
        values: Its key values; None if they are not known.
        place: Where its tag stands, "" if that is not known.
    """

    key: str = ""
    values: tuple[Any, ...] | None = None
    place: str = ""

    @property
    def name(self) -> str:
        """The name of its fragment, as far as its key shows it."""
        return readable_name_of(self.key)

    def is_of(self, name: str) -> bool:
        """Return whether it is a body of the fragments of a name."""
        key = make_template_fragment_key(name)
        # With and without the values of the cache's own `vary_on`.
        starts = map(key_without_values, (key, varied_key(key, "")))
        return key_without_values(self.key) in starts

    def __str__(self) -> str:
        """Return it as messages show it."""
        if not self.key:
            return "a fragment that is rendered without the store"
        place = f" ({self.place})" if self.place else ""
        if self.values is None:
            return f"{self.name}[...]{place}"
        return f"{shown(self.name, self.values)}{place}"


def shown(name: str, values: tuple[Any, ...]) -> str:
    """Return a fragment as messages show it: `sidebar[7]`."""
    return f"{name}[{', '.join(map(repr, values))}]" if values else name


class RecordingEngine(Engine):
    """An engine for tests, with the arguments of `Engine`.

    Attributes:
        bodies: The bodies of fragments that were rendered, in their order.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.bodies: list[Body] = []

    @internalcode
    def run(self, flow: Flow, render: Render) -> Any:
        """Like `Engine.run`."""
        return super().run(flow, self._recorded(flow, render))

    @internalcode
    async def run_async(self, flow: Flow, render: Render) -> Any:
        """Like `Engine.run_async`."""
        return await super().run_async(flow, self._recorded(flow, render))

    def _recorded(self, flow: Flow, render: Render) -> Render:
        """Return a function that renders, and records that it does."""
        find = _bodies_of(flow)
        if find is None:
            return render

        @internalcode
        def recorded(*row: int) -> Any:
            self.bodies.append(find(*row))
            return render(*row)

        return recorded


def recording(kind: type[Engine]) -> type[RecordingEngine]:
    """Return a class of engines of a kind, such as one that verifies, that record."""
    return type(f"Recording{kind.__name__}", (RecordingEngine, kind), {})


def _bodies_of(flow: Flow) -> Callable[..., Body] | None:
    """Return what returns the body that a flow renders, None if it calls a function.

    It gets the number of the row, if the flow makes a list.
    """
    # A flow without arguments bypasses the store; the first one of each other says what
    # is asked for.
    arguments = getattr(flow, "args", None)
    # It has another flow in it.
    is_around = getattr(flow, "func", None) is report_uncached or is_commented(flow)
    if is_around and arguments:
        return _bodies_of(arguments[0])
    asked = arguments[0] if arguments else None
    if asked is None:
        return Body
    if isinstance(asked, str):
        return lambda: Body(asked, _values_of(asked))
    if isinstance(asked, FragmentSpec):
        return lambda: _body(asked)
    if isinstance(asked, list):
        rows: list[Row] = asked
        return lambda number: _body(rows[number].spec)
    return None


def _body(spec: FragmentSpec | None) -> Body:
    if spec is None:
        return Body()
    guard: Guard | None = spec.guard
    if isinstance(guard, WholeGuard):
        guard = guard.inner
    if not isinstance(guard, TagGuard):
        return Body(spec.key, _values_of(spec.key))
    # The values of a key that is constant are in the key alone.
    return Body(spec.key, guard.values or _values_of(spec.key), guard.place)


def _values_of(key: str) -> tuple[Any, ...] | None:
    """Return the values of a key alone: none, or they are not known."""
    return () if make_template_fragment_key(readable_name_of(key)) == key else None
