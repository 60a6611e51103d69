"""Notes what context processors read of the request for the names that they give."""

import sys
from collections.abc import Callable, Iterator, Mapping, MutableSequence
from contextlib import contextmanager
from functools import cache, partial, wraps
from inspect import iscoroutinefunction
from typing import Any

from jinja_fragcache.engine.dependencies import Dependencies, quietly
from jinja_fragcache.engine.noted_reads import note
from jinja_fragcache.guard.reads import Read, texts_of

from .shared import lives_with
from .shared_values import names_written, shared_names

#: A function that returns variables for templates: of the request, in Starlette and
#: Django, or of no arguments. It may be a coroutine function.
Processor = Callable[..., Any]

_WRAPS = "_fragcache_wraps"
# Where an object that lives as long as the request keeps the names whose processors
# have read something, with their values.
_NAMES = "_fragcache_names"
_NOTHING = object()
_NOT_GIVEN: tuple[Any, tuple[Read, ...]] = (_NOTHING, ())
# Of one processor. What gives more gives others each time.
_MOST_NAMES = 1000
# Their own processors give templates `g`, the request and the session as they are, and
# read nothing of them. They run for each page.
_READING_NOTHING = frozenset({"flask.templating", "quart.templating"})


class ProcessorReads(Dependencies):
    """What context processors read. Where they do is not told."""

    has_places = False


@contextmanager
def reading_apart() -> Iterator[ProcessorReads]:
    """Collect what is read in the block, so that the body around has not read it.

    Tags and expiry pass to that body.
    """
    dependencies = ProcessorReads()
    with dependencies:
        yield dependencies
    if dependencies.parent is not None:
        dependencies.parent.include(
            dependencies.tags, dependencies.expires, dependencies.templates
        )


def watch_all(
    processors: MutableSequence[Processor], start: Callable[..., dict[str, Any]]
) -> None:
    """Let context processors remember what they read for their names.

    Args:
        processors: The processors. The list may get others later, and be watched again.
        start: Gets a processor's arguments before it runs, lets what is read of the
            request be noted, and returns the attributes of an object that lives as long
            as the request, for `note_given`.
    """
    for at, each in enumerate(processors):
        if not (hasattr(each, _WRAPS) or _reads_nothing(each)):
            processors[at] = _watched(each, start)


def _reads_nothing(processor: Processor) -> bool:
    # Not by `__module__`, which a function that wraps one of them has, too.
    return getattr(processor, "__globals__", {}).get("__name__") in _READING_NOTHING


def _watched(processor: Processor, start: Callable[..., dict[str, Any]]) -> Processor:
    shared = cache(partial(shared_names, processor))
    written = cache(partial(names_written, processor))
    ever_given: set[str] = set()

    def remember(fields: dict[str, Any], given: Any, reads: Mapping[str, Read]) -> None:
        if not isinstance(given, Mapping):
            return
        if len(ever_given) < _MOST_NAMES:
            ever_given.update(given)
        if not reads:
            return
        names, of_all = fields.setdefault(_NAMES, {}), tuple(reads.values())
        for name in (written() | ever_given) - given.keys():
            names.setdefault(name, (_NOTHING, of_all))
        names |= {
            name: (value, of_all)
            for name, value in given.items()
            if name not in shared()
        }

    @wraps(processor)
    def plain(*args: Any) -> Any:
        fields = start(*args)
        with reading_apart() as dependencies:
            given = processor(*args)
        remember(fields, given, dependencies.reads)
        return given

    @wraps(processor)
    async def awaited(*args: Any) -> Any:
        fields = start(*args)
        with reading_apart() as dependencies:
            given = await processor(*args)
        remember(fields, given, dependencies.reads)
        return given

    made = awaited if iscoroutinefunction(processor) else plain
    setattr(made, _WRAPS, processor)
    return made


def class_of(module: str, name: str) -> Any:
    """Return a class of a module, None if it is not there.

    The module may not be imported; or a thread that imports it now may not have come to
    the class yet.
    """
    return getattr(sys.modules.get(module), name, None)


def watch_method(kind: Any, name: str, make: Callable[[Any], Any]) -> bool:
    """Put another method in place of a class's own.

    Args:
        kind: The class that runs context processors in this method; None if it is not
            there yet.
        name: The name of the method.
        make: Gets the method, and returns the other one.

    Returns:
        Whether it was the class's own until now.
    """
    if kind is None:
        return False
    original = getattr(kind, name)
    if hasattr(original, _WRAPS):
        return False
    made = wraps(original)(make(original))
    setattr(made, _WRAPS, original)
    setattr(kind, name, made)
    return True


def note_given(fields: Mapping[str, Any], name: str, value: Any, app: Any) -> bool:
    """Note a read if a variable is what a context processor made of the request.

    Args:
        fields: What `start` of `watch_all` returned.
        name: The name of the variable.
        value: Its value.
        app: The application (see `shared.lives_with`).

    Returns:
        Whether the variable is the processor's, and was noted.
    """
    given, reads = fields.get(_NAMES, {}).get(name, _NOT_GIVEN)
    if given is not value or lives_with(app, value):
        return False
    with quietly():  # It may be `g`, which notes which attributes are read.
        texts = texts_of(value)
    note(Read(name, texts, parts=reads))
    return True


def note_not_given(fields: Mapping[str, Any], name: str) -> None:
    """Note a read if a context processor gives a variable in other requests only.

    Args:
        fields: As for `note_given`.
        name: The name of the variable.
    """
    given, reads = fields.get(_NAMES, {}).get(name, _NOT_GIVEN)
    if reads and given is _NOTHING:
        note(Read(name, texts_of(None), parts=reads))
