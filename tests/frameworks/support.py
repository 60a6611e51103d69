"""A page with one fragment, for the tests of all frameworks."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from jinja2 import Environment

from jinja_fragcache import FragmentCache, MemoryStore, UncoveredReadError
from tests.support import environment

TAG = "{% cache 60, 'n', KEY %}BODY{% endcache %}"


def run(asking: Coroutine[Any, Any, str]) -> str:
    """Run a coroutine, and raise what a view raised as it was raised."""
    try:
        return asyncio.run(asking)
    except ExceptionGroup as group:
        # From Quart 0.23 on, it comes out of a group of tasks.
        raise group.exceptions[0] from None


class Page:
    """A page with a fragment, and its cache.

    Args:
        body: The body of the fragment.
        key: What stands behind the fragment's name.
        options: Those of the cache.
    """

    def __init__(self, body: str, key: str = "", **options: Any) -> None:
        tag = TAG if key else TAG.replace(", KEY", "")
        self.templates = {
            "page.html": tag.replace("KEY", key).replace("BODY", body),
            "user.html": "{{ user }}",
        }
        self.cache = FragmentCache(MemoryStore(), **options)

    def environment(self, **options: Any) -> Environment:
        """Return an environment with the page's template."""
        return environment(self.templates, self.cache, **options)

    def check(self, ask: Callable[[str], str], *, is_cached: bool) -> None:
        """Check that each of two users gets a text of their own.

        Args:
            ask: Returns the page for a user.
            is_cached: Whether the fragment is to be stored for each.
        """
        ann, bob = ask("ann"), ask("bob")
        assert ann != bob
        assert (ask("ann"), ask("bob")) == (ann, bob)
        stats = self.cache.stats()
        assert (stats.stored, stats.hits) == ((2, 2) if is_cached else (0, 0))

    def pasted(self, ask: Callable[[str], str], who: str = "ann") -> "Page":
        """Return the page with the tag that the error names in place of its own.

        Args:
            ask: As for `check`.
            who: Who gets the error.
        """
        with pytest.raises(UncoveredReadError) as caught:
            ask(who)
        found = re.search(r"Write (\{% cache .*? %\})", str(caught.value))
        assert found is not None, caught.value
        page = Page("", strict=True)
        source = self.templates["page.html"]
        page.templates["page.html"] = source.replace("{% cache 60, 'n' %}", found[1])
        return page
