from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from jinja2 import Environment

from jinja_fragcache.check import reading
from jinja_fragcache.check.outlines_kept import KeptOutlines
from jinja_fragcache.check.project import Project, Template, default_environment
from jinja_fragcache.check.reading import read
from jinja_fragcache.reads.outline import Broken, Outline


def project(*sources: str) -> Project:
    templates = {
        str(number): Template(str(number), "", source)
        for number, source in enumerate(sources)
    }
    return Project(default_environment(), templates)


def test_each_template_gets_its_outline() -> None:
    made = project("{% cache %}{% endcache %}", "{% if %}")
    read(made)
    first, second = (each.read for each in made.templates.values())
    assert isinstance(first, Outline)
    assert len(first.tags) == 1
    assert isinstance(second, Broken)


def test_in_another_environment_its_errors_count_only_if_it_has_the_tags() -> None:
    source = "{% cache 300, 7 %}{% endcache %}"
    with_tags, without = project(source), project(source)
    without.environment = Environment(autoescape=True)
    read(with_tags)
    read(without)
    assert isinstance(with_tags.templates["0"].read, Broken)
    assert isinstance(without.templates["0"].read, Outline)


def test_what_is_kept_is_not_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project("{{ a }}", "{% if %}")
    kept = KeptOutlines(tmp_path, made.environment)
    read(made, kept)
    kept.save()
    monkeypatch.setattr(reading, "outline", None)
    again = project("{{ a }}", "{% if %}")
    read(again, KeptOutlines(tmp_path, again.environment))
    assert [each.read for each in again.templates.values()] == [
        each.read for each in made.templates.values()
    ]


def test_progress_is_told_for_each_template_that_is_parsed() -> None:
    seen = []

    def track(templates: Sequence[Template]) -> Iterable[Template]:
        for each in templates:
            seen.append(each.name)
            yield each

    read(project("a", "b"), track=track)
    assert seen == ["0", "1"]


def test_many_templates_are_parsed_by_several_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sources = [f"{{{{ a{number} }}}}" for number in range(50)] + ["{% debug %}"]
    one, several = project(*sources), project(*sources)
    one.environment = default_environment(["jinja2.ext.debug"])
    several.extensions = ("jinja2.ext.debug",)
    read(one)
    monkeypatch.setattr(reading, "_MANY", 10)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    # Only other processes parse.
    monkeypatch.setattr(reading, "outline", None)
    read(several)
    assert [each.read for each in several.templates.values()] == [
        each.read for each in one.templates.values()
    ]
    assert isinstance(several.templates["50"].read, Outline)
