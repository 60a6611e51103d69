import json

import pytest

from jinja_fragcache.reads.outline import Outline, from_plain, to_plain
from tests.check.support import outline_of

SOURCE = """
{% extends "a" %}{% import "b" as c %}{% from "b" import d with context %}
{% set e = f.g %}{% set h %}i{% endset %}{% set ns.x = 1 %}
{% macro j(k, l=m) %}{{ caller() }}{% endmacro %}
{% block n %}{% for o, p in q if r %}{{ o }}{% else %}{{ s }}{% endfor %}{% endblock %}
{% if t %}{% elif u %}{% endif %}{% include ["v", "w"] ignore missing %}
{% call(x) j() %}{% nocache %}{{ y }}{% endnocache %}{% endcall %}
{% cache_each z in zs, 300, "row", z.id, unless=aa, version=bb %}{% endcache_each %}
"""


def test_an_outline_survives_json() -> None:
    outline = outline_of(SOURCE)
    assert outline.tags
    assert from_plain(json.loads(json.dumps(to_plain(outline)))) == outline


def test_objects_and_tuples_differ_in_json() -> None:
    restored = from_plain(json.loads(json.dumps(to_plain(Outline()))))
    assert type(restored) is Outline
    assert type(restored.body) is tuple


@pytest.mark.parametrize("plain", [["Nothing", 1], ["Read"], [], [["x"]]])
def test_what_is_no_outline_is_refused(plain: object) -> None:
    with pytest.raises((LookupError, TypeError)):
        from_plain(plain)
