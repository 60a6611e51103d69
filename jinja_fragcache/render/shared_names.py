"""Names that several tags share by mistake, because they are known only at render time.

In `{% cache 3600, request.url %}`, the URL is the name of the fragment. A second tag
like this on the page has the same name. If its body is another one, it would print the
first one's text, or each would overwrite the other's entry for ever. So it is refused.

Tags with the same constant name share its entry on purpose.
"""

from __future__ import annotations

from jinja2 import Environment

from jinja_fragcache.entries.entry import Body, decode
from jinja_fragcache.errors import KeyValueError

from .environment import Site, name_of, refuse
from .sources import sources_of


def refuse_shared(
    environment: Environment, site: Site, body: Body | None, stored: object
) -> bool:
    """Refuse a tag if what is stored under its key was made by another tag.

    Args:
        environment: The template's.
        site: Where the tag stands.
        body: The tag's body; None if its name is a constant.
        stored: What the store returned.

    Returns:
        Whether the tag was refused. It is not, if its template was edited since the
        entry was made, or if the other tag is not there any more.

    Raises:
        FragmentTagError: If it is refused, and the cache is strict.
    """
    entry = None if body is None else decode(stored)
    if body is None or entry is None or entry.body is None:
        return False
    other = entry.body
    if other.digest == body.digest:
        return False
    place = _place_of_other(environment, site, body, other)
    if place is None:
        return False
    refuse(
        environment,
        site,
        KeyValueError(
            "The value of its name is that of another tag's name, too, and the body of"
            f" that tag differs: {place}. Write a name in quotes before it, and another"
            ' one in the other tag: "sidebar", request.url.'
        ),
    )
    return True


def _place_of_other(
    environment: Environment, site: Site, body: Body, other: Body
) -> str | None:
    """Return where another tag stands, None if it is not known to be there now."""
    if site[0] is None:
        # The source of a template from a string is part of what names it.
        is_here = body.template == other.template
        return "it stands in the same template" if is_here else None
    sources = sources_of(environment)
    if sources.line_of(body) is None:
        # This template was edited after it was loaded.
        return None
    line = sources.line_of(other)
    return None if line is None else name_of(other.template, line)
