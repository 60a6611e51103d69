"""What holds for a whole cache, applied to the fragments that are looked up."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jinja2 import Environment

from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.engine.whole import Present, Whole
from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.observe.events import Reason

from .environment import Site, refuse
from .uncached import Uncached, flow_uncached

if TYPE_CHECKING:
    from jinja_fragcache.engine.batch import Row


def vary(
    environment: Environment, site: Site, whole: Whole, asked: FragmentSpec
) -> FragmentSpec | Uncached:
    """Return a fragment with the key values of the whole cache.

    Args:
        environment: The template's.
        site: Where the tag stands.
        whole: What holds for the cache.
        asked: The fragment.

    Returns:
        The fragment; or why it is not cached.

    Raises:
        FragmentTagError: If a value is refused and the cache is strict.
    """
    present = _present(environment, site, whole)
    if isinstance(present, Present):
        return present.of(asked)
    if present is None:
        return asked
    return Uncached.of_spec(present, asked)


def vary_rows(
    environment: Environment, site: Site, whole: Whole, rows: "Sequence[Row]"
) -> None:
    """Like `vary`, for the rows of a list. The values are the same for all of them."""
    asked = [(row, row.spec) for row in rows if row.spec is not None]
    present = _present(environment, site, whole) if asked else None
    for row, spec in asked:
        if isinstance(present, Present):
            row.spec = present.of(spec)
        elif present is not None:
            uncached = Uncached.of_spec(present, spec)
            row.spec, row.flow = None, flow_uncached(environment, site, uncached)


def _present(
    environment: Environment, site: Site, whole: Whole
) -> Present | Reason | None:
    """Return the values of the whole cache; or why it is not used."""
    try:
        return Reason.UNLESS if whole.is_off() else whole.present()
    except KeyValueError as error:
        refuse(environment, site, error)
    return Reason.KEY
