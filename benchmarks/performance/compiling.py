"""What a tag adds to the time that a template takes to compile.

Each template is compiled with cache tags, and with call blocks, filter blocks and
nothing in their places: once with all tags in one another, and once with all tags one
after the other.
"""

from functools import partial
from typing import NamedTuple

from . import peers
from .figures import Bound, Figures, compared
from .measuring import Effort, Variant, in_turn

BODY = """
<li class="row"><a href="{{ url(item.id) }}">{{ item.title|upper }}</a>
{% if item.price %}<b>{{ item.price }}</b>{% else %}<i>free</i>{% endif %}
{% for tag in item.tags %}<span>{{ tag }}</span>{% endfor %}</li>
"""
LEVELS = 12
TAGS_IN_A_ROW = 50


class Tag(NamedTuple):
    """A tag that can be put around a text. `NUMBER` stands for its number."""

    start: str
    end: str


CALL = "call blocks"
NONE = "no tags"
TAGS = {
    NONE: Tag("", ""),
    "filter blocks": Tag("{% filter center(NUMBER) %}", "{% endfilter %}"),
    CALL: Tag('{% call around(300, "row-NUMBER") %}', "{% endcall %}"),
    "cache": Tag('{% cache 300, "row-NUMBER" %}', "{% endcache %}"),
    "cache, with a key value": Tag('{% cache 300, "row", item.id %}', "{% endcache %}"),
    "cache, with a hole": Tag(
        '{% cache 300, "row-NUMBER" %}{% nocache %}{{ user }}{% endnocache %}',
        "{% endcache %}",
    ),
    "cache_each": Tag(
        '{% cache_each i in items, 300, "row-NUMBER", i %}', "{% endcache_each %}"
    ),
}


def nested(tag: Tag) -> str:
    """Return a template of tags in one another."""
    starts = "".join(
        tag.start.replace("NUMBER", str(each)) + "{{ a }}" for each in range(LEVELS)
    )
    return f"{starts}{tag.end * LEVELS}"


def in_a_row(tag: Tag) -> str:
    """Return a template of tags one after the other, each around a body."""
    return peers.page_source(tag.start + BODY + tag.end, TAGS_IN_A_ROW)


def measure_in_a_row(effort: Effort) -> Figures:
    """Measure 50 tags one after the other."""
    sources = {name: in_a_row(tag) for name, tag in TAGS.items()}
    title = f"Compiling a template with {TAGS_IN_A_ROW} tags in a row"
    return _measured(title, sources, NONE, {"cache": Bound(2, 3.5)}, effort)


def measure_nested(effort: Effort) -> Figures:
    """Measure 12 tags in one another."""
    sources = {name: nested(tag) for name, tag in TAGS.items() if name != NONE}
    title = f"Compiling a template with {LEVELS} tags in one another"
    return _measured(title, sources, CALL, {"cache": Bound(2, 4)}, effort)


def _measured(
    title: str,
    sources: dict[str, str],
    floor: str,
    bounds: dict[str, Bound],
    effort: Effort,
) -> Figures:
    env = peers.ours()
    variants = {
        name: Variant(partial(env.compile, source)) for name, source in sources.items()
    }
    lines = compared(in_turn(variants, effort.rounds), floor, bounds)
    return Figures(title, ("template with", "time", f"times {floor}"), lines)
