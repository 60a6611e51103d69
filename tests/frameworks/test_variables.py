"""Contexts note which variables a body reads."""

from collections.abc import Callable
from typing import Any

import pytest
from jinja2 import DictLoader, Environment, pass_context

from jinja_fragcache import guard_variables
from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.frameworks.variables import note_variables
from jinja_fragcache.guard.watched import mapping_class, watch


def test_contexts_note_their_variables_once() -> None:
    environment = Environment()
    note_variables(environment)
    kind = environment.context_class
    note_variables(environment)
    assert environment.context_class is kind


@pytest.mark.parametrize(
    ("ask", "is_noted"),
    [
        (lambda context: context.get_all(), True),
        (lambda context: context.items(), True),
        (lambda context: list(context.values()), True),
        (lambda context: context.name, False),
    ],
)
def test_a_function_that_takes_all_variables_reads_each(
    ask: Callable[[Any], object], is_noted: bool
) -> None:
    guard_variables("a_tenant")
    templates = {"page": "{{ ask() }}{% include 'part' %}", "part": "part"}
    environment = Environment(loader=DictLoader(templates), autoescape=True)
    note_variables(environment)
    environment.globals["ask"] = pass_context(ask)
    with Dependencies() as body:
        environment.get_template("page").render(a_tenant="ann")
    assert ("a_tenant" in body.reads) is is_noted


def test_a_variable_that_an_included_template_misses_is_noted() -> None:
    guard_variables("a_tenant")
    templates = {"page": "{% include 'part' %}", "part": "{{ a_tenant is defined }}"}
    environment = Environment(loader=DictLoader(templates), autoescape=True)
    note_variables(environment)
    with Dependencies() as body:
        environment.get_template("page").render()
    assert body.reads["a_tenant"].values == {"None"}


class Session(dict[str, int]):
    """A session of Starlette is such a dictionary."""


@pytest.mark.parametrize("items", [{}, {"n": 1}])
@pytest.mark.parametrize("body", ["{{ s|tojson }}", "{{ {'a': s}|tojson }}"])
def test_a_dictionary_that_is_shown_as_json_is_read_though_it_is_empty(
    body: str, items: dict[str, int]
) -> None:
    environment = Environment(autoescape=True)
    note_variables(environment)
    session = Session(items)
    watch(session, mapping_class, "session", note_read)
    with Dependencies() as dependencies:
        text = environment.from_string(body).render(s=session)
    assert "session" in dependencies.reads
    assert text == Environment(autoescape=True).from_string(body).render(s=items)
