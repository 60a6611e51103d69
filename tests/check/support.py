"""What the tests of the check share: projects made from texts, and their findings."""

from collections.abc import Iterable, Mapping
from typing import Any

from jinja_fragcache.check.checker import check
from jinja_fragcache.check.findings import Finding
from jinja_fragcache.check.project import Project, Template, default_environment
from jinja_fragcache.check.reach import Reach
from jinja_fragcache.check.reading import read
from jinja_fragcache.check.rules import RULES
from jinja_fragcache.check.scopes import Visit
from jinja_fragcache.check.vocabulary import vocabulary
from jinja_fragcache.check.walk import visits_of
from jinja_fragcache.reads.outline import Outline


def project_of(templates: Mapping[str, str] | str) -> Project:
    """Return a project of templates, read. A single one is named `page.html`."""
    if isinstance(templates, str):
        templates = {"page.html": templates}
    made = {name: Template(name, name, text) for name, text in templates.items()}
    project = Project(default_environment(), made)
    read(project)
    return project


def findings(
    templates: Mapping[str, str] | str,
    active: Iterable[str] = RULES,
    constants: Iterable[str] = (),
    **words: Any,
) -> list[Finding]:
    project = project_of(templates)
    project.constants = frozenset(constants)
    return check(project, vocabulary(**words), active).findings


def codes(templates: Mapping[str, str] | str, **options: Any) -> list[str]:
    """Return the rules that find something, each as `line code`, or `code` on line 1."""
    found = findings(templates, **options)
    return [f.code if f.line == 1 else f"{f.line} {f.code}" for f in found]


def outline_of(source: str) -> Outline:
    """Return the outline of a template that can be parsed."""
    outline = project_of(source).templates["page.html"].read
    assert isinstance(outline, Outline), outline
    return outline


def visits(templates: Mapping[str, str] | str, page: str = "page.html") -> list[Visit]:
    """Return the fragments that the walk through a page comes upon."""
    return visits_of(page, Reach(project_of(templates).outlines(), {}))
