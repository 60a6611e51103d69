"""Fragments that have to be rendered, and those that are not cached at all."""

import os
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from jinja2 import Environment

from jinja_fragcache.engine.engine import Engine
from jinja_fragcache.engine.flow import Flow, bypass
from jinja_fragcache.entries.pieces import Pieces
from jinja_fragcache.keys.form import readable_name
from jinja_fragcache.keys.fragment import readable_name_of

from .environment import Site, engine_of

if TYPE_CHECKING:
    from jinja_fragcache.observe.events import About, Reason


class Miss:
    """A fragment that has to be rendered: a miss, or a hit that is verified.

    It is false, so that a compiled template can tell it from a text.

    Args:
        engine: The engine of the cache.
        flow: Renders the fragment, and returns what to serve.
        token: The token in the marks of its holes, "" if it has none.

    Attributes:
        pieces: Its text, if it has holes and was rendered.
    """

    __slots__ = ("engine", "flow", "pieces", "token")

    def __init__(self, engine: Engine, flow: Flow, token: str = "") -> None:
        self.engine = engine
        self.flow = flow
        self.token = token
        self.pieces: Pieces | None = None

    def __bool__(self) -> bool:
        """Return false: there is no text."""
        return False


class Uncached(NamedTuple):
    """A fragment that is rendered without asking the store.

    Attributes:
        reason: Why that is so.
        key: Its key, if it has one.
        name: Its name, if it has no key.
        values: Its key values.
        flow: Renders it.
    """

    reason: "Reason"
    key: str | None = None
    name: Any = None
    values: Any = ()
    flow: Flow = bypass

    def about(self, site: Site) -> "About":
        """Return what listeners are told of it."""
        # Here, because most caches have no listeners.
        from jinja_fragcache.observe.events import About  # noqa: PLC0415

        if self.key is not None:
            name = readable_name_of(self.key)
        elif isinstance(self.name, str):
            name = readable_name(str(self.name))
        else:
            name = "unnamed"
        return About.of_fragment(name, site, self.values)


def reasons() -> "type[Reason]":
    """Return the reasons why a fragment is not cached, which few fragments need."""
    from jinja_fragcache.observe.events import Reason  # noqa: PLC0415 - see above

    return Reason


def miss(engine: Engine, flow: Flow, *, has_holes: bool) -> Miss:
    """Return a fragment that a flow renders."""
    return Miss(engine, flow, os.urandom(16).hex() if has_holes else "")


def pieces_of(found: Pieces | Miss) -> Pieces:
    """Return a text with holes that was found, or was rendered after that."""
    if isinstance(found, Pieces):
        return found
    # `call_blocks` has put them there.
    return cast("Pieces", found.pieces)


def printed(found: object) -> str:
    """Return a text that needs no rendering, "" if it has holes, which are next.

    Only other code generators than that of `template.code_generator` need it.
    """
    return found if isinstance(found, str) else ""


def flow_uncached(environment: Environment, site: Site, uncached: Uncached) -> Flow:
    """Count a fragment that is not cached, and return what renders it."""
    engine = engine_of(environment)
    draft = engine.uncached(partial(uncached.about, site), uncached.reason)
    if draft is None:
        return uncached.flow
    from jinja_fragcache.engine.reporting import report_uncached  # noqa: PLC0415 - see above

    return partial(report_uncached, uncached.flow, draft)
