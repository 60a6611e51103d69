"""What stands for a value that a template must not use."""

from functools import partial
from typing import Any

import pytest

from jinja_fragcache.render.stand_in import StandIn
from tests.support import environment


@pytest.mark.parametrize(
    "use",
    [
        *("{{ v }}", "{{ v.x }}", "{{ v[0] }}", "{{ v() }}", "{{ v|length }}"),
        *("{% if v %}{% endif %}", "{% for x in v %}{% endfor %}", "{{ v == 1 }}"),
        *("{{ v + 1 }}", "{{ 1 in v }}", "{{ v|int }}", "{{ v ~ '' }}", "{{ v|list }}"),
    ],
)
def test_every_use_of_it_raises_its_error(use: str) -> None:
    value: Any = StandIn(partial(ZeroDivisionError, "not here"))
    with pytest.raises(ZeroDivisionError, match="not here"):
        environment().from_string(use).render(v=value)
    assert environment().from_string("{{ 1 }}").render(v=value) == "1"
