"""What pages are made from, and what they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.context import Context

from .exchange import Request
from .masking import ShownSetting


class Visit(NamedTuple):
    """A request for a page, and what it is about.

    Attributes:
        request: The request.
        cache: The cache.
        context: The same, for callers that block or for those on an event loop.
        settings: Returns the settings in force.
    """

    request: Request
    cache: FragmentCache
    context: Context
    settings: Callable[[], Sequence[ShownSetting]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page for people.

    Attributes:
        template: The name of its template.
        title: Its title.
        values: The variables of the template.
        status: The status of the answer.
    """

    template: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: HTTPStatus = HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class Data:
    """An answer for a script.

    Attributes:
        content: What can be written as JSON.
    """

    content: Mapping[str, Any]
