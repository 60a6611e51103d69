"""Parses the templates of a project, many of them in several processes."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from jinja2 import Environment

from jinja_fragcache.reads.marks import marking
from jinja_fragcache.reads.outline import Broken, Outline
from jinja_fragcache.reads.outlining import outline
from jinja_fragcache.template.extension import FragmentCacheExtension

from .outlines_kept import KeptOutlines
from .project import Project, Template, default_environment

# With fewer, starting processes takes longer than parsing.
_MANY = 300
_MOST_PROCESSES = 8
_CHUNK = 20
# How a process of its own parses.
_parser: "list[Parser]" = []


class Parser:
    """Makes outlines in one environment.

    Args:
        environment: The environment.
    """

    def __init__(self, environment: Environment) -> None:
        self._marking = marking(environment)
        has_tags = any(
            isinstance(each, FragmentCacheExtension)
            for each in environment.extensions.values()
        )
        self._real = environment if has_tags else None

    def outline(self, name: str, source: str) -> Outline | Broken:
        """Return the outline of a template."""
        return outline(source, name, self._marking, self._real)


def read(
    project: Project,
    kept: KeptOutlines | None = None,
    track: Callable[[Sequence[Template]], Iterable[Template]] = iter,
) -> None:
    """Parse all templates of a project.

    Args:
        project: The project, whose templates get their outlines.
        kept: Outlines of an earlier run.
        track: Passes the templates on one by one, and shows how far it is.
    """
    missing: list[Template] = []
    for template in project.templates.values():
        if isinstance(template.read, Broken):
            continue
        found = kept.find(template.source) if kept else None
        if found is None:
            missing.append(template)
        else:
            template.read = found
    for template, made in zip(track(missing), _outlines(project, missing), strict=True):
        template.read = made
        if kept:
            kept.add(template.source, made)


def _outlines(
    project: Project, templates: Sequence[Template]
) -> Iterator[Outline | Broken]:
    names = [template.name for template in templates]
    sources = [template.source for template in templates]
    processes = min(os.cpu_count() or 1, _MOST_PROCESSES)
    if project.extensions is None or len(templates) < _MANY or processes == 1:
        parser = Parser(project.environment)
        yield from map(parser.outline, names, sources)
        return
    with ProcessPoolExecutor(
        processes,
        # A fork copies the locks of other threads, such as the progress bar's.
        multiprocessing.get_context("spawn"),
        _start,
        (project.extensions,),
    ) as pool:
        yield from pool.map(_outline, names, sources, chunksize=_CHUNK)


def _start(extensions: tuple[str, ...]) -> None:
    _parser[:] = [Parser(default_environment(extensions))]


def _outline(name: str, source: str) -> Outline | Broken:
    return _parser[0].outline(name, source)
