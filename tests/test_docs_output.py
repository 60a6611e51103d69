"""What the commands of the documentation print is what the pages show."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from flask import Flask, render_template
from flask.cli import FlaskGroup
from jinja2 import DictLoader

from jinja_fragcache import Cache
from jinja_fragcache.cli.commands import commands
from jinja_fragcache.cli.flask_commands import group
from tests.pages import DOCS, assert_alike, blocks

SESSION = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)+)", re.MULTILINE)
HOME = """{% cache 300 %}text{% endcache %}
{% cache_each row in rows, 300, "row", row %}{{ row }}{% endcache_each %}
{% cache 300, "sidebar", rows[0] + 6, tags=["posts"] -%}
<b>Hello</b> {% nocache %}{{ rows }}{% endnocache %}{% endcache %}"""


def shown(page: str) -> list[tuple[str, str]]:
    """Return the commands of a page for which it shows what they print, and that."""
    text = "\n".join(blocks(DOCS / page, "console"))
    found = SESSION.findall(f"{text}\n")
    return [(command, output) for command, output in found if output.strip()]


def flask(arguments: Sequence[str]) -> str:
    program = FlaskGroup()
    program.add_command(group)
    return CliRunner().invoke(program, [*arguments]).output


def shop(port: int) -> tuple[Flask, Cache]:
    """Return the application whose entries the page on commands shows."""
    app = Flask("shop")
    config = {"CACHE_TYPE": "redis", "CACHE_REDIS_PORT": port}
    cache = Cache(app, config={**config, "CACHE_KEY_PREFIX": "flask_cache_"})
    app.jinja_env.loader = DictLoader({"home.html": HOME})
    for path in ("/", "/posts", "/about"):
        app.add_url_rule(
            path, path, lambda: render_template("home.html", rows=range(1, 6))
        )
    return app, cache


def test_the_commands_for_what_is_stored(
    redis_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("shop")
    app, cache = shop(redis_port)
    module.__dict__["app"] = app
    monkeypatch.setitem(sys.modules, "shop", module)
    monkeypatch.setenv("FLASK_APP", "shop")
    pages = dict(shown("commands.md"))
    warm, listing, show = (
        f"flask cache {each}"
        for each in ("warm / /posts /about", "list", "show sidebar 7")
    )
    assert pages.keys() == {warm, listing, show}
    with app.app_context():
        cache.clear()
        for command in (warm, listing, show):
            if command == show:
                cache.invalidate_tags("posts")
            assert_alike(pages[command], flask(command.split()[1:]))
        cache.clear()


GREETING = "{{ user.name }}"
#: The templates of each session of the page on the check.
CHECKED = {
    "check templates": {
        "page.html": """{% cache 300, "sidebar" %}
            {%- include "parts/greeting.html" %}{% endcache %}
            {% cache 300, "footer" %}text{% endcache %}""",
        "parts/greeting.html": GREETING,
    },
    "list --templates templates": {
        "layout.html": """{% cache 3600, "navigation" %}text{% endcache %}""",
        "module.html": """{% cache 3600, "members", module.name %}text{% endcache %}
            {% cache 600, "notes", module.name, tags=["notes:" ~ module.name] %}
            {%- endcache %}""",
    },
}


@pytest.mark.parametrize(("arguments", "templates"), CHECKED.items())
def test_the_commands_for_templates(
    arguments: str,
    templates: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, source in templates.items():
        file = tmp_path / "templates" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, "utf-8")
    pages = dict(shown("check.md"))
    assert pages.keys() == {f"jinja-fragcache {each}" for each in CHECKED}
    printed = CliRunner().invoke(commands, arguments.split()).output
    assert_alike(pages[f"jinja-fragcache {arguments}"], printed)
