"""Checks the templates of a project."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from jinja_fragcache.keys.fragment import default_fragment_name
from jinja_fragcache.reads.outline import Broken, Tag

from .coverage import Coverage
from .findings import Finding, Report
from .ignores import apply, find_ignores
from .messages import message_of, place_of
from .problems import Judge, Problem
from .project import Project, Template
from .reach import Reach
from .remedies import hole_text, key_values, needs_hole, shown, tag_text
from .scopes import Visit
from .tag_problems import Place, Told, Typos, nested, shared_names, variable_name
from .vocabulary import Vocabulary, within
from .walk import visits_of

_MOST_READS = 5


def check(project: Project, words: Vocabulary, active: Iterable[str]) -> Report:
    """Return what the rules find in the templates that were asked for.

    Args:
        project: The templates, which are read.
        words: The names that have a meaning.
        active: The rules to look for.
    """
    checking = _Checking(project, words, frozenset(active))
    outlines = project.outlines()
    report = Report(templates=len(project.templates))
    report.fragments = sum(len(outline.tags) for outline in outlines.values())
    report.findings = sorted(set(checking.findings()))
    return report


def name_shown(template: str, tag: Tag) -> str:
    """Return the name of a fragment, as messages show it."""
    if tag.name is not None:
        return tag.name
    if tag.is_name_variable:
        return tag.name_text or ""
    return default_fragment_name(template, tag.line, tag.position)


@dataclass(slots=True)
class _Found:
    """What was found of one fragment, on all pages.

    Attributes:
        problems: Problems, by rule and subject, each with the visit that had it first.
        told: What rules of tags say.
    """

    problems: dict[tuple[str, tuple[str, ...]], tuple[Problem, Visit]] = field(
        default_factory=dict
    )
    told: dict[Told, None] = field(default_factory=dict)


class _Checking:
    """One run of the check."""

    def __init__(
        self, project: Project, words: Vocabulary, active: frozenset[str]
    ) -> None:
        self._project = project
        self._words = words
        self._active = active
        self._outlines = project.outlines()
        outlines = self._outlines.values()
        identified = {name for outline in outlines for name in outline.identified}
        self._judge = Judge(words, identified, project.constants)
        self._typos = Typos(outlines, words, project.constants)
        self._locale = self._locale_written()
        self._found: dict[Place, _Found] = {}

    def findings(self) -> Iterator[Finding]:
        """Return the findings of all templates that were asked for."""
        for visit in self._visits():
            self._judge_visit(visit)
        for place, told in shared_names(self._outlines):
            self._at(place).told[told] = None
        by_template: dict[str, list[Finding]] = {}
        for place, found in self._found.items():
            findings = by_template.setdefault(place.template, [])
            findings += self._findings_of(place, found)
        for template in self._project.templates.values():
            if template.is_asked:
                yield from self._of_template(
                    template, by_template.get(template.name, [])
                )

    def _of_template(
        self, template: Template, findings: list[Finding]
    ) -> Iterator[Finding]:
        if isinstance(template.read, Broken):
            broken = template.read
            findings = [Finding("", broken.line, "FC000", "", "", broken.message)]
        ignores = find_ignores(template.source, self._project.environment)
        chosen = [each for each in findings if each.code in self._active]
        file = template.file or template.name
        for each in apply(chosen, ignores, self._active):
            if each.code in self._active:
                yield replace(each, file=file, template=template.name)

    def _visits(self) -> Iterator[Visit]:
        """Walk through all pages, and through the templates that no page reached."""
        reach = Reach(self._outlines, self._project.roots())
        included = reach.included()
        reached: set[str] = set()
        for name in sorted(self._outlines.keys() - included):
            for visit in visits_of(name, reach):
                reached.add(visit.template)
                yield visit
        for name in sorted(included - reached):
            yield from visits_of(name, reach)

    def _at(self, place: Place) -> _Found:
        return self._found.setdefault(place, _Found())

    def _judge_visit(self, visit: Visit) -> None:
        found = self._at(Place(visit.template, visit.tag))
        for problem in self._judge.problems(visit):
            of = (problem.code, problem.subject)
            found.problems.setdefault(of, (problem, visit))
        tolds = [*self._typos.of(visit, self._outlines[visit.template].names)]
        if visit.outer:
            tolds += nested(visit, Coverage(visit.outer[-1], self._words))
        name = variable_name(
            visit.template, visit.tag, self._fragment(visit.template, visit.tag)
        )
        found.told.update(dict.fromkeys([*tolds, *([name] if name else [])]))

    def _findings_of(self, place: Place, found: _Found) -> Iterator[Finding]:
        template, tag = place
        name = name_shown(template, tag)
        bound = {of[0] for code, of in found.problems if code == "FC004"}
        problems = [
            (problem, visit)
            for problem, visit in found.problems.values()
            # In a partial by itself, the item of a loop is a variable of the page.
            if problem.code != "FC012" or problem.subject[0] not in bound
        ]
        added: dict[str, None] = {}
        for problem, _ in problems:
            if problem.code in self._active:
                added.update(dict.fromkeys(key_values(problem, self._locale)))
        remedy = tag_text(self._project.environment, tag, added)
        for problem, visit in problems:
            reads = problem.reads[:_MOST_READS]
            yield Finding(
                "",
                tag.line,
                problem.code,
                template,
                name,
                message_of(problem, self._fragment(template, tag)),
                tuple(dict.fromkeys(place_of(seen, visit) for seen in reads)),
                self._hole(problem) if needs_hole(problem) else remedy,
            )
        for told in found.told:
            other = told.remedy and tag_text(self._project.environment, told.remedy, ())
            yield Finding(
                "", tag.line, told.code, template, name, told.message, (), other or ""
            )

    def _fragment(self, template: str, tag: Tag) -> str:
        return f'"{name_shown(template, tag)}"'

    def _hole(self, problem: Problem) -> str:
        seen = (problem.origins or problem.reads)[0]
        inner = shown(seen.path, is_called=seen.read.is_called)
        environment = self._project.environment
        start, end = environment.variable_start_string, environment.variable_end_string
        return hole_text(environment, f"{start} {inner} {end}")

    def _locale_written(self) -> str:
        """Return how the templates of the project write the locale."""
        keys = (
            read.path
            for outline in self._outlines.values()
            for tag in outline.tags
            for read in tag.key
        )
        outlines = self._outlines.values()
        names = ((name,) for outline in outlines for name in outline.names)
        for path in (*keys, *names):
            if within(path, self._words.locales):
                return shown(path, is_called=path[-1].startswith("get_"))
        return "lang"
