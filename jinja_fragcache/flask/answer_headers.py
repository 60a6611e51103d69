"""What the headers of an answer say of those who may get it.

A header may stand on several lines, and directives may be in any case (RFC 9110,
section 5.3, and RFC 9111, section 5.2). Werkzeug reads the first line, as it is
written.
"""

import time
from datetime import UTC

from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import parse_cache_control_header, parse_date, parse_list_header
from werkzeug.wrappers import Response


def cache_control(answer: Response) -> ResponseCacheControl:
    """Return all directives of `Cache-Control`."""
    lines = ", ".join(answer.headers.getlist("Cache-Control")).lower()
    return parse_cache_control_header(lines, cls=ResponseCacheControl)


def varying(answer: Response) -> set[str]:
    """Return the names of all headers that an answer varies by, in lower case."""
    lines = ", ".join(answer.headers.getlist("Vary")).lower()
    return set(parse_list_header(lines))


def is_private(answer: Response) -> bool:
    """Return whether an answer says that caches must not store it, or ask each time."""
    control = cache_control(answer)
    names = {"no-store", "private"}
    if not answer.direct_passthrough:  # Flask says so of each file that it sends.
        names.add("no-cache")
    return not names.isdisjoint(control) or _is_over(answer, control)


def _is_over(answer: Response, control: ResponseCacheControl) -> bool:
    """Return whether an answer says that it is fresh for no time at all."""
    for name in ("s-maxage", "max-age"):
        if name in control:
            given = control[name]
            # What is no number counts as 0 (RFC 9111, section 4.2.1).
            return not (given or "").isdecimal() or int(given or 0) == 0
    given = answer.headers.get("Expires")
    if given is None:
        return False
    expires = parse_date(given)
    return expires is None or expires.astimezone(UTC).timestamp() <= time.time()
