"""One page for the tests of all doors, and what is expected of it."""

from typing import Any

from jinja2 import DictLoader, Environment

from jinja_fragcache import Stats
from tests.support import Counter

PAGE = "{% cache 300, 'page', user %}hello {{ made() }} {{ user }}{% endcache %}"
USERS = ["ann", "<bob>", "ann"]
EXPECTED = ["hello 1 ann", "hello 2 &lt;bob&gt;", "hello 1 ann"]
#: What the cache counts after the page was asked for by these.
COUNTED = Stats(hits=1, misses=2, stored=2)


def loader() -> DictLoader:
    """Return a loader of the page."""
    return DictLoader({"page.html": PAGE})


def plain_environment(**options: Any) -> Environment:
    """Return an environment as a framework makes one, without the cache tag."""
    return Environment(loader=loader(), autoescape=True, **options)


class Views:
    """What views give to the page.

    Attributes:
        made: Counts how often the fragment was rendered.
    """

    def __init__(self) -> None:
        self.made = Counter()

    def values(self, user: str) -> dict[str, Any]:
        """Return the variables of the page for a user."""
        return {"user": user, "made": self.made}
