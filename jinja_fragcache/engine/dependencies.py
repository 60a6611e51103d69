"""What a body depends on, collected while it renders.

What is nested in a body becomes part of its entry: the tags of the parts, the time at
which the first of them expires, the templates that were used, and what was read of the
request. (The model is Drupal's render cache, where such metadata "bubbles up".)

Frameworks are registered here, too: they tell what is read of their requests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from sys import modules
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from jinja_fragcache.guard.reads import Read

    from .framework import Framework

# The dependencies of the innermost body that is rendering. Threads and tasks that it
# starts on its event loop inherit them, and count as part of that body.
_current: ContextVar[Dependencies | None] = ContextVar("dependencies", default=None)
#: Returns the dependencies of the body that is rendering here, or None.
current_dependencies = _current.get
# After so many different reads, all others are counted as one, under a name that covers
# them, so that a body can't fill the memory.
_MOST_READS = 64
_MANY_READS = "request"
_NOTHING: Any = MappingProxyType({})
_frameworks: list[Framework] = []
_requests: list[Callable[[], object]] = []
# The modules of frameworks that have no requests before their import, and of those that
# are not imported yet also what loads the framework. The latter in one object, because
# several threads render.
_expected: set[str] = set()
_coming: tuple[tuple[str, Callable[[], Framework]], ...] = ()
# What notes reads of variables of templates, by their names.
_noting: dict[str, Callable[[str, Any], None]] = {}
#: The start of a tag of one entry alone. Such a tag does not pass to the bodies around.
OWN_TAG = "\x1f"


def add_framework(framework: Framework) -> None:
    """Let a framework's requests tell what is read of them."""
    if framework not in _frameworks:
        _frameworks.append(framework)
        ask = framework.request
        if ask is not None and ask not in _requests:
            _requests.append(ask)


def expect_framework(module: str, load: Callable[[], Framework]) -> None:
    """Let a framework tell what is read of its requests, once it is imported.

    Args:
        module: The full name of a module of the framework, without which it has no
            requests.
        load: Imports and returns what tells of them.
    """
    global _coming  # noqa: PLW0603 - see where it is defined
    if module not in _expected:
        _expected.add(module)
        _coming = (*_coming, (module, load))


def _add_imported() -> None:
    """Add the frameworks that have been imported meanwhile."""
    global _coming  # noqa: PLW0603 - see where it is defined
    imported = [each for each in _coming if each[0] in modules]
    for _, load in imported:
        add_framework(load())
    # Only now. If that raised, the next body tries again.
    _coming = tuple(each for each in _coming if each not in imported)


def _known_frameworks() -> list[Framework]:
    _add_imported()
    return _frameworks


def start_watching(context: Any = None) -> None:
    """Let what is read of the current request be noted.

    Args:
        context: The context of the template that is being rendered, if there is one.
    """
    # The same as `_known_frameworks`, without a call, because every miss comes here.
    for module, _ in _coming:
        if module in modules:
            _add_imported()
    for framework in _frameworks:
        framework.watch(context)


def current_request() -> object:
    """Return what is the current request's alone, None if there is no request."""
    _add_imported()
    for ask in _requests:
        request = ask()
        if request is not None:
            return request
    return None


def surroundings_apart(
    *, blocking: bool
) -> list[Callable[[], AbstractContextManager[Any]]] | None:
    """Return what to enter around a body that is made apart from the current request.

    Args:
        blocking: Whether the body runs in another thread, not in a task.

    Returns:
        None if a framework has nothing to run it in.
    """
    found = [each.apart(blocking=blocking) for each in _known_frameworks()]
    entered = [each for each in found if each is not None]
    return entered if len(entered) == len(found) else None


def note_variables(names: Iterable[str], note: Callable[[str, Any], None]) -> None:
    """Let a function note reads of variables: see `noted_reads.guard_variables`."""
    _noting.update(dict.fromkeys(names, note))


def guarded_names() -> frozenset[str]:
    """Return the names that `guard_variables` was told."""
    return frozenset(_noting)


def note_variable(name: str, value: Any, context: Any) -> None:
    """Note that a body reads a variable of a template, if requests differ in it.

    Args:
        name: The name of the variable.
        value: Its value.
        context: The context that has it.
    """
    note = _noting.get(name)
    if note is not None:
        note(name, value)
    for framework in _frameworks:
        framework.note_variable(name, value, context)


def note_missing(name: str, context: Any) -> None:
    """Note that a body reads a variable that only other requests may have.

    Args:
        name: The name of the variable.
        context: The context that does not have it.
    """
    note = _noting.get(name)
    if note is not None:
        note(name, None)
    for framework in _frameworks:
        framework.note_missing(name, context)


def names_told_by(names: Iterable[str]) -> frozenset[str]:
    """Return the dotted names of all that names in a key tell."""
    told = set(names)
    for framework in _known_frameworks():
        told.update(*map(framework.told_by, frozenset(told)))
    return frozenset(told)


def value_in_request(name: str, context: Any = None) -> Any:
    """Return what a framework says that a read gives in the current request.

    Args:
        name: The dotted name of the read.
        context: As for `start_watching`.

    Raises:
        LookupError: If none knows.
    """
    for framework in _known_frameworks():
        # The name may come from a store, so there may be nothing of that name.
        with suppress(Exception):
            return framework.value_of(name, context)
    raise LookupError(name)


class Dependencies:
    """What one rendering of a body depends on. Collected inside of a `with` block.

    Attributes:
        has_any: Whether anything was collected.
        parent: The dependencies of the body around it, or None.
        tags: The tags of all parts. Each has the version that it had before its part
            was made, None if that is not known.
        expires: The time at which the first part expires, in seconds since 1970;
            infinity if none does.
        templates: The templates that expressions named, each with the digest of its
            source.
        is_outdated: Whether a tag was invalidated, or a template edited, between two
            parts, or a part may have been deleted while it was made.
        is_live: Whether some part must be rendered on each request, so that the body's
            text must not be stored.
        is_over: Whether the body has ended. Nothing is collected for a task that goes
            on after it, as long as the process perhaps, or it would grow without end.
        reads: What was read of the request, by names.
        is_quiet: Whether nothing is noted for now.
        request: The request that the body runs in, if any. What is read of another one,
            such as one that a test makes meanwhile, is not the body's.
        has_places: Whether it is noted where something was read.
        trial: If the body runs only to be compared with what is served (see `verify`):
            the values that functions inside of it have returned, by their keys. Nothing
            in it is stored or looked up. None for all other bodies.
    """

    # What most bodies leave as it is, and every miss makes one, so it is not set.
    has_any: bool = False
    parent: Dependencies | None = None
    tags: dict[str, str | None] = _NOTHING
    expires: float = math.inf
    templates: dict[str, str] = _NOTHING
    is_outdated: bool = False
    is_live: bool = False
    is_over: bool = False
    reads: dict[str, Read] = _NOTHING
    is_quiet: bool = False
    request: object = None
    has_places: bool = True
    trial: dict[str, Any] | None = None

    def __enter__(self) -> Self:
        """Like `begin`."""
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        """Like `end`."""
        self.end()

    def begin(self) -> None:
        """Start collecting."""
        parent = _current.get()
        if parent is not None:
            while parent is not None and parent.is_over:
                parent = parent.parent
            self.parent = parent
            if parent is not None and self.trial is None:
                self.trial = parent.trial
        # The same as `current_request`, without a call.
        for module, _ in _coming:
            if module in modules:
                _add_imported()
        for ask in _requests:
            request = ask()
            if request is not None:
                self.request = request
                break
        _current.set(self)

    def end(self) -> None:
        """Stop collecting."""
        # Not by a token, which another context would refuse: an asynchronous generator
        # may be closed in one.
        _current.set(self.parent)
        self.is_over = True

    def include(
        self,
        tags: Mapping[str, str | None],
        expires: float = math.inf,
        templates: Mapping[str, str] | None = None,
        reads: Iterable[Read] = (),
    ) -> None:
        """Add what a part depends on, if the body has not ended.

        Args:
            tags: The part's tags, each with its version, None where that is not known.
                Those that are the part's own alone are left out.
            expires: The time at which the part expires, in seconds since 1970.
            templates: The templates the part was made of, each with its digest.
            reads: What it read of the request.
        """
        if self.is_over:
            return
        self._begin()
        self.include_versions(
            {tag: each for tag, each in tags.items() if tag[:1] != OWN_TAG}
        )
        self.expires = min(self.expires, expires)
        for name, digest in (templates or {}).items():
            if self.templates.setdefault(name, digest) != digest:
                self.is_outdated = True
        for read in reads:
            self.note(read)

    def include_versions(self, tags: Mapping[str, str | None]) -> None:
        """Add tags, each with its version, also after the body has ended."""
        self._begin()
        for tag, version in tags.items():
            known = self.tags.setdefault(tag, version)
            if known is None:
                self.tags[tag] = version
            elif version is not None and version != known:
                self.is_outdated = True

    def note(self, read: Read) -> None:
        """Note that something of the request was read, if the body has not ended."""
        if self.is_quiet or self.is_over:
            return
        self._begin()
        known = self.reads.get(read.name)
        if known is not None:
            # `"user" in session` shows less of it than `session["user"]`.
            read = known._replace(
                values=known.values | read.values,
                is_object=known.is_object or read.is_object,
                is_whole=known.is_whole or read.is_whole,
                # What differs between the two tells nothing of both.
                instead=known.instead if known.instead == read.instead else frozenset(),
                parts=known.parts if known.parts == read.parts else (),
                kept=known.kept if known.kept == read.kept else None,
            )
        elif len(self.reads) >= _MOST_READS:
            read = type(read)(_MANY_READS, where=read.where)
        self.reads[read.name] = read

    def _begin(self) -> None:
        """Make room for what is collected, if nothing was yet."""
        if not self.has_any:
            self.has_any = True
            self.tags, self.templates, self.reads = {}, {}, {}

    def make_outdated(self) -> None:
        """Note that a part may be of old data, if the body has not ended."""
        if not self.is_over:
            self._begin()
            self.is_outdated = True

    def make_live(self) -> None:
        """Note that neither this body's text nor any around it may be stored."""
        dependencies: Dependencies | None = self
        while dependencies is not None:
            dependencies._begin()  # noqa: SLF001 - another one of this class
            dependencies.is_live = True
            in_trial = dependencies.trial is not None
            dependencies = None if in_trial else dependencies.parent


def current_trial() -> dict[str, Any] | None:
    """Return what functions have returned in the trial that is running, else None."""
    dependencies = _current.get()
    if dependencies is None or dependencies.is_over:
        return None
    return dependencies.trial


class quietly:  # noqa: N801 - it is used as a function
    """Note nothing that is read inside of the `with` block."""

    __slots__ = ("_dependencies",)

    def __enter__(self) -> None:
        """Stop noting."""
        dependencies = _current.get()
        if dependencies is not None and dependencies.is_quiet:
            dependencies = None
        self._dependencies = dependencies
        if dependencies is not None:
            dependencies.is_quiet = True

    def __exit__(self, *_: object) -> None:
        """Note again, if it was noted before."""
        if self._dependencies is not None:
            self._dependencies.is_quiet = False
