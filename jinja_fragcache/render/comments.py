"""Puts comments around fragments where HTML may have them, while a cache writes any.

Where a tag stands in its own template is decided when that is compiled (see
`template.html_places`). What its text is, is known here.

A fragment in a body that is being rendered has no comments, because the text of the
body may be stored.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from jinja2.utils import internalcode

from jinja_fragcache.engine.context import Context
from jinja_fragcache.engine.dependencies import current_dependencies
from jinja_fragcache.engine.flow import Flow
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.observe.comments import Comments
from jinja_fragcache.observe.events import Report
from jinja_fragcache.operations import Operation
from jinja_fragcache.reads.html import DATA, place_after, starts_element

from .environment import Site
from .tag_guard import IN_HTML, PERHAPS_IN_HTML, traits_of

FRAGMENT, ROW = "cache", "cache-row"
_HOLE = "cache-hole"


class Commented:
    """The comments around what one tag prints.

    Args:
        comments: Writes them.
        site: Where the tag stands.
        kind: What the tag prints.
        escaped: Whether autoescape is on there. Other text may be no HTML.
    """

    def __init__(
        self, comments: Comments, site: Site, kind: str, *, escaped: bool
    ) -> None:
        self._comments = comments
        self._site = site
        self._kind = kind
        traits = traits_of(site)
        self._is_in_html = IN_HTML in traits
        self._may_be = escaped and (self._is_in_html or PERHAPS_IN_HTML in traits)
        self._reports: list[Report] = []

    def collecting(self) -> AbstractContextManager[None]:
        """Note what is reported in the `with` block."""
        return self._comments.collecting(self._reports)

    def around(self, value: str | Pieces, key: str | None) -> str | Pieces:
        """Return the text of a fragment, with comments where there may be any.

        Args:
            value: The text.
            key: The fragment's key; None if it has none.
        """
        if not self._may_be or current_dependencies():
            return value
        report = self._report(key)
        pieces = value if isinstance(value, Pieces) else Pieces(str(value))
        parts = list(pieces.parts())
        if report is None or not (self._is_in_html or starts_element(str(parts[0]))):
            return value
        place = DATA
        for number, part in enumerate(parts):
            if isinstance(part, str):
                place = place_after(place, part)
            elif place == DATA:
                before, after = self._comments.around_hole(_HOLE, report)
                parts[number - 1] = f"{parts[number - 1]}{before}"
                parts[number + 1] = f"{after}{parts[number + 1]}"
        if place != DATA:
            return value
        before, after = self._comments.around(self._kind, report)
        joined = Pieces.of_parts([before, *parts, after])
        return joined if isinstance(value, Pieces) else joined.text

    def _report(self, key: str | None) -> Report | None:
        """Return the report of a fragment. Those of others in it came before it.

        What turns out to be uncached is reported without its key.
        """
        here: list[Report] = [
            each
            for each in reversed(self._reports)
            if (each.template, each.line) == self._site[:2]
        ]
        for wanted in (key, None):
            for each in here:
                if each.key == wanted:
                    return each
        return None

    @internalcode
    def flow(
        self,
        flow: Flow,
        key: str | None,
        context: Context,
        render: Callable[..., Any],
    ) -> Operation[Any]:
        """Run the flow of a fragment that has to be rendered.

        Args:
            flow: The flow.
            key: The fragment's key; None if it is not stored.
            context: The cache.
            render: Renders the fragment.
        """
        if key is not None:
            render = _without_comments(self._comments, render, context)
        with self.collecting():
            value = yield from flow(context, render)
        return self.around(value, key)

    @internalcode
    def flow_of_rows(
        self,
        flow: Flow,
        keys: Sequence[str | None],
        context: Context,
        render: Callable[..., Any],
    ) -> Operation[Any]:
        """Like `flow`, for the rows of a list, of which some may have been found.

        Args:
            flow: The flow.
            keys: The keys of the rows.
            context: The cache.
            render: Renders a row.
        """
        render = _without_comments(self._comments, render, context)
        with self.collecting():
            values = yield from flow(context, render)
        return [self.around(*each) for each in zip(values, keys, strict=True)]


def is_commented(flow: Flow) -> bool:
    """Return whether a flow has another one in it, around whose text it puts comments.

    That is its first argument.
    """
    method = getattr(flow, "func", None)
    return isinstance(getattr(method, "__self__", None), Commented)


def _without_comments(
    comments: Comments, render: Callable[..., Any], context: Context
) -> Callable[..., Any]:
    """Return what renders a body for the store: what it prints may have comments.

    It may print what was rendered before, such as a text that a template has set.
    """
    if context.blocking:

        @internalcode
        def run(*row: Any) -> Any:
            return _each_part(comments.removed, render(*row))

        return run

    @internalcode
    async def run_async(*row: Any) -> Any:
        return _each_part(comments.removed, await render(*row))

    return run_async


def _each_part(change: Callable[[str], str], value: Any) -> Any:
    """Return a text whose parts are changed. That of a `Pieces` may have holes."""
    if not isinstance(value, Pieces):
        return change(str(value))
    parts = [change(each) if isinstance(each, str) else each for each in value.parts()]
    return Pieces.of_parts(parts)
