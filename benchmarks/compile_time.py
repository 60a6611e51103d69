"""What a tag adds to the time that a template takes to compile, as ratios in one run.

Each template is compiled with cache tags, and with call blocks, filter blocks and
nothing in their places: once with all tags in one another, and once with all tags one
after the other. All variants are compiled in turn, round by round, and the best round
of each counts.

Run it with `make bench`.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

from jinja2 import Environment
from rich.console import Console
from rich.table import Table

from jinja_fragcache import FragmentCacheExtension

ROUNDS = 9
BODY = """
<li class="row"><a href="{{ url(item.id) }}">{{ item.title|upper }}</a>
{% if item.price %}<b>{{ item.price }}</b>{% else %}<i>free</i>{% endif %}
{% for tag in item.tags %}<span>{{ tag }}</span>{% endfor %}</li>
"""


class Tag(NamedTuple):
    """A tag that can be put around a text. `NUMBER` stands for its number."""

    start: str
    end: str


CALL = "call"
NONE = "no tags"
TAGS = {
    NONE: Tag("", ""),
    "filter": Tag("{% filter center(NUMBER) %}", "{% endfilter %}"),
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


def nested(tag: Tag, levels: int) -> str:
    """Return a template of tags in one another."""
    starts = "".join(
        tag.start.replace("NUMBER", str(each)) + "{{ a }}" for each in range(levels)
    )
    return f"{starts}{tag.end * levels}"


def in_a_row(tag: Tag, times: int) -> str:
    """Return a template of tags one after the other, each around a body."""
    return "".join(
        tag.start.replace("NUMBER", str(each)) + BODY + tag.end for each in range(times)
    )


def templates() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each template's name, and its sources with each of the tags."""
    for levels in (12, 24):
        sources = {name: nested(tag, levels) for name, tag in TAGS.items()}
        yield f"{levels} in one another", sources
    sources = {name: in_a_row(tag, 50) for name, tag in TAGS.items()}
    yield "50 in a row", sources


def best_times(env: Environment, sources: dict[str, str]) -> dict[str, float]:
    """Compile all sources in turn and return the milliseconds that each takes."""
    best = dict.fromkeys(sources, float("inf"))
    for _ in range(ROUNDS):
        for name, source in sources.items():
            # Of this process only, since compiling waits for nothing.
            begin = time.process_time()
            env.compile(source)
            best[name] = min(best[name], (time.process_time() - begin) * 1e3)
    return best


def main() -> None:
    """Measure all templates and print the table."""
    env = Environment(extensions=[FragmentCacheExtension], autoescape=True)
    table = Table(title="The time that a template takes to compile")
    table.add_column("template")
    for heading in ("time", "times that with call blocks", "times that without tags"):
        table.add_column(heading, justify="right")
    for template, sources in templates():
        times = best_times(env, sources)
        for name, each in times.items():
            ratios = [f"{each / times[other]:.2f}x" for other in (CALL, NONE)]
            table.add_row(f"{template}: {name}", f"{each:.1f} ms", *ratios)
        table.add_section()
    Console().print(table)


if __name__ == "__main__":
    main()
