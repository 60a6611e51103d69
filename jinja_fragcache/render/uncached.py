"""Fragments that are not cached: why, and what renders them."""

from functools import partial
from typing import Any, NamedTuple

from jinja2 import Environment

from jinja_fragcache.engine.expiry import note_uncached
from jinja_fragcache.engine.flow import Flow, bypass
from jinja_fragcache.engine.reporting import report_uncached
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.keys.form import readable_name
from jinja_fragcache.keys.fragment import readable_name_of
from jinja_fragcache.observe.events import About
from jinja_fragcache.observe.events import Reason as Reason  # for `uncached.Reason`
from jinja_fragcache.timeouts import NEVER_EXPIRES

from .environment import Site, engine_of
from .misses import Miss, miss


class Uncached(NamedTuple):
    """A fragment that is rendered without asking the store.

    Attributes:
        reason: Why that is so.
        key: Its key, if it has one.
        name: Its name, if it has no key.
        values: Its key values.
        flow: Renders it.
        tags: The tags that its entry would have.
        timeout: For how long that would be fresh: seconds, 0 for never expires, None
            for the default.
    """

    reason: Reason
    key: str | None = None
    name: Any = None
    values: Any = ()
    flow: Flow = bypass
    tags: tuple[str, ...] = ()
    timeout: int | None = NEVER_EXPIRES

    @classmethod
    def of_spec(cls, reason: Reason, asked: FragmentSpec) -> "Uncached":
        """Return that a fragment that has a key is not cached."""
        return cls(
            reason,
            asked.key,
            values=asked.values,
            tags=asked.tags,
            timeout=asked.timeout,
        )

    def about(self, site: Site) -> About:
        """Return what listeners are told of it."""
        if self.key is not None:
            name = readable_name_of(self.key)
        elif isinstance(self.name, str):
            name = readable_name(str(self.name))
        else:
            name = "unnamed"
        return About.of_fragment(name, site, self.values)


def flow_uncached(environment: Environment, site: Site, uncached: Uncached) -> Flow:
    """Count a fragment that is not cached, and return what renders it.

    What is around it shows its text all the same, so that has its tags and its timeout.
    """
    engine = engine_of(environment)
    note_uncached(uncached.tags, uncached.timeout, engine.context)
    draft = engine.uncached(partial(uncached.about, site), uncached.reason)
    if draft is None:
        return uncached.flow
    return partial(report_uncached, uncached.flow, draft)


def miss_of(
    environment: Environment, site: Site, uncached: Uncached, *, has_holes: bool = False
) -> Miss:
    """Return what renders a fragment that is not cached, which is counted."""
    flow = flow_uncached(environment, site, uncached)
    return miss(engine_of(environment), flow, has_holes=has_holes)
