"""What holds for a whole cache, applied to the fragments that are looked up."""

from collections.abc import Sequence

from jinja2 import Environment

from jinja_fragcache.engine.batch import Row
from jinja_fragcache.engine.flow import Flow, bypass
from jinja_fragcache.engine.spec import FragmentSpec
from jinja_fragcache.engine.whole import Present, Whole
from jinja_fragcache.errors import KeyValueError

from .environment import Site, engine_of, refuse


def vary(
    environment: Environment, site: Site, whole: Whole, asked: FragmentSpec
) -> FragmentSpec | Flow:
    """Return a fragment with the key values of the whole cache.

    Args:
        environment: The template's.
        site: Where the tag stands.
        whole: What holds for the cache.
        asked: The fragment.

    Returns:
        The fragment; or the flow to run instead, if it is not cached.

    Raises:
        FragmentTagError: If a value is refused and the cache is strict.
    """
    present = _present(environment, site, whole)
    if isinstance(present, Present):
        return present.of(asked)
    return asked if present is None else present


def vary_rows(
    environment: Environment, site: Site, whole: Whole, rows: Sequence[Row]
) -> None:
    """Like `vary`, for the rows of a list. The values are the same for all of them."""
    asked = [(row, row.spec) for row in rows if row.spec is not None]
    present = _present(environment, site, whole) if asked else None
    for row, spec in asked:
        if isinstance(present, Present):
            row.spec = present.of(spec)
        elif present is not None:
            row.spec, row.flow = None, present
            engine_of(environment).count_uncached()


def _present(
    environment: Environment, site: Site, whole: Whole
) -> Present | Flow | None:
    try:
        return bypass if whole.is_off() else whole.present()
    except KeyValueError as error:
        refuse(environment, site, error)
    return bypass
