"""What the how-to guides say beside Python: settings of other programs, and commands.

Their Python is run by `test_docs.py`.
"""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import ModuleType

import pytest
import redis
from click.testing import CliRunner
from flask import Flask, render_template_string
from flask.cli import FlaskGroup

from jinja_fragcache import Cache
from jinja_fragcache.cli.flask_commands import group
from tests import servers
from tests.pages import DOCS, blocks

GUIDES = DOCS / "how-to"
TEXTS = """
{% cache 300, "menu", get_locale() %}
  {{ _("in a fragment") }} {% nocache %}{{ gettext("in a hole") }}{% endnocache %}
  {% trans number=2 %}one{% pluralize %}{{ number }} of them{% endtrans %}
{% endcache %}
{% cache_each row in rows, 300, "row", row %}{{ _("in a row") }}{% endcache_each %}
"""
FOUND = ["in a fragment", "in a hole", "in a row", "one"]


def commands(guide: str, program: str) -> list[list[str]]:
    """Return the arguments of a program in the commands of a guide."""
    text = "".join(blocks(GUIDES / f"{guide}.md", "console"))
    return [
        each.split() for each in re.findall(rf"^\$ {program} (.*)$", text, re.MULTILINE)
    ]


def extracted(folder: Path, configuration: str) -> list[str]:
    """Run the guide's `pybabel extract`, and return what it finds."""
    (arguments,) = commands("translations", "pybabel")
    arguments = [configuration if each == "babel.cfg" else each for each in arguments]
    (folder / "templates").mkdir()
    (folder / "templates" / "page.html").write_text(TEXTS, "utf-8")
    command = [sys.executable, "-m", "babel.messages.frontend", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    made = (folder / "messages.pot").read_text("utf-8")
    return sorted(filter(None, re.findall(r'^msgid "(.*)"$', made, re.MULTILINE)))


@pytest.mark.parametrize(
    ("language", "file"), [("ini", "babel.cfg"), ("toml", "pyproject.toml")]
)
def test_pybabel_finds_texts_in_cached_parts(
    language: str, file: str, tmp_path: Path
) -> None:
    (configuration,) = blocks(GUIDES / "translations.md", language)
    (tmp_path / file).write_text(configuration, "utf-8")
    assert extracted(tmp_path, file) == FOUND


def test_pybabel_skips_the_template_where_it_does_not_know_the_tag(
    tmp_path: Path,
) -> None:
    (configuration,) = blocks(GUIDES / "translations.md", "ini")
    bare = re.sub(r"^(extensions|silent).*\n", "", configuration, flags=re.MULTILINE)
    (tmp_path / "babel.cfg").write_text(bare, "utf-8")
    assert extracted(tmp_path, "babel.cfg") == []


def deployed(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Flask, Cache]:
    """Return the guide's application as an environment configures it."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (source,) = blocks(GUIDES / "deploying.md", "python")
    namespace: dict[str, object] = {"__name__": "deployed"}
    exec(source, namespace)  # noqa: S102 - a page of this project
    app, cache = namespace["create_app"](), namespace["cache"]  # type: ignore[operator]
    assert isinstance(cache, Cache)
    return app, cache


def exported(server: str, port: int) -> dict[str, str]:
    """Return the variables that the guide sets for a server, with another port."""
    consoles = blocks(GUIDES / "deploying.md", "console")
    (block,) = [each for each in consoles if f"FLASK_CACHE_TYPE={server}\n" in each]
    pairs = re.findall(r"^\$ export (\w+)='?(.*?)'?$", block, re.MULTILINE)
    address = f"127.0.0.1:{port}"
    return {name: re.sub(r"127.0.0.1:\d+", address, value) for name, value in pairs}


def test_redis_takes_the_configuration_and_the_application_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (configuration,) = blocks(GUIDES / "deploying.md", "text")
    file = tmp_path / "redis.conf"
    file.write_text(configuration, "utf-8")
    options = (str(file), "--port", "{port}", "--bind", "127.0.0.1")
    with servers.running("redis-server", *options) as server:
        app, cache = deployed(exported("redis", server.port), monkeypatch)
        with app.app_context():
            cache.set("x", "text")
        with redis.Redis(port=server.port) as client:
            assert client.keys() == [b"shop_x"]
            assert client.config_get("maxmemory*")["maxmemory-policy"] == "allkeys-lru"
            assert client.config_get("save") == {"save": ""}


def test_memcached_takes_the_options_and_the_application_finds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (options,) = commands("deploying", "memcached")
    with servers.memcached_server(*options) as server:
        app, cache = deployed(exported("memcached", server.port), monkeypatch)
        # More than a Memcached takes that is not told to.
        large = "x" * 2_000_000
        with app.app_context():
            assert cache.set("x", large)
            assert cache.get("x") == large
            cache.cache.close()  # pymemcache leaves its connections open.


@pytest.mark.slow
def test_the_workers_of_gunicorn_share_what_one_has_rendered(tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")
    source, configuration = blocks(GUIDES / "workers.md", "python")
    (tmp_path / "gunicorn.conf.py").write_text(configuration, "utf-8")
    now = "import os\n\n\ndef now():\n    return os.getpid()\n"
    (tmp_path / "shop.py").write_text(f"{source}\n\n{now}", "utf-8")
    ((target,),) = commands("workers", "gunicorn")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    options = ("-c", str(tmp_path / "gunicorn.conf.py"), "-b", "127.0.0.1:{port}")
    command = ("-m", "gunicorn", *options, target.strip("'"))
    with servers.running(sys.executable, *command, PYTHONPATH=path) as server:
        url = f"http://127.0.0.1:{server.port}/"
        seen = {urllib.request.urlopen(url).read() for _ in range(20)}
    assert len(seen) == 1


@pytest.mark.parametrize("page", [GUIDES / "misses.md", DOCS / "observe.md"])
def test_the_log_is_shown_where_nobody_has_set_up_logging(page: Path) -> None:
    as_said = blocks(page, "python")[0]
    rendered = """
from flask import Flask, render_template_string
from jinja_fragcache import Cache

app = Flask(__name__)
Cache(app, config={"CACHE_TYPE": "simple"})
with app.test_request_context():
    render_template_string("{% cache 300, 'offers', 7 %}tea{% endcache %}")
"""
    command = [sys.executable, "-c", as_said + rendered]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.startswith("miss offers ")


@pytest.mark.parametrize("guide", ["workers", "misses"])
def test_the_commands_work(
    guide: str, redis_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = ModuleType("shop")
    app = Flask("shop")
    config = {"CACHE_TYPE": "redis", "CACHE_REDIS_PORT": redis_port}
    cache = Cache(app, config={**config, "CACHE_KEY_PREFIX": f"guide_{guide}_"})
    shop.__dict__["app"] = app
    monkeypatch.setitem(sys.modules, "shop", shop)
    with app.test_request_context():
        for tag in ("'offers', tags=['products']", "'sidebar', 7"):
            render_template_string("{% cache 60, " + tag + " %}text{% endcache %}")
        flask = FlaskGroup()
        flask.add_command(group)
        written = commands(guide, "flask")
        assert written
        for arguments in written:
            result = CliRunner().invoke(flask, arguments)
            assert result.exit_code == 0, result.output
        left = [
            cache.fragment_cache.get(cache.fragment_cache.key_for(*each))
            for each in (("offers", []), ("sidebar", [7]))
        ]
        assert left == ([None, None] if guide == "workers" else ["text", "text"])
        cache.clear()
