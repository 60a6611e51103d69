"""What a user sees first, run in an environment that has the package and nothing else.

    python -I tests/installed/smoke.py cli flask

The arguments are the extras that are installed. The others are missing, and what needs
them has to say so. `make package` runs this. pytest does not, as it is not installed.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import Distribution, distribution
from pathlib import Path, PurePosixPath
from typing import Any
from wsgiref.util import setup_testing_defaults

from jinja2 import Environment

import jinja_fragcache
from jinja_fragcache import FragmentCache, FragmentCacheExtension, MemoryStore, stores

COMMAND = str(Path(sys.executable).with_name("jinja-fragcache"))
TEMPLATE = '{% cache 300, "greeting", name %}Hello {{ name }}!{% endcache %}'
# Nobody listens there. No store connects before it is used.
NOWHERE = "127.0.0.1:1"


def main(installed: set[str]) -> None:
    package = distribution("jinja-fragcache")
    imports_nothing_of_extras()
    holds_the_package_alone(package)
    names_itself(package)
    renders_the_tag()
    shows_the_inspector()
    extras = set(package.metadata.get_all("Provides-Extra") or [])
    assert extras == NEEDS.keys(), f"not tried: {extras ^ NEEDS.keys()}"
    for extra, use in NEEDS.items():
        if extra in installed or comes_along(extra, installed):
            use()
        else:
            told = refusal(use)
            assert f"'jinja-fragcache[{extra}]'" in told, told


def imports_nothing_of_extras() -> None:
    loaded = {name.partition(".")[0] for name in sys.modules}
    assert not loaded & {"asyncio", "click", "flask", "redis", "rich", "werkzeug"}


def holds_the_package_alone(package: Distribution) -> None:
    files = [PurePosixPath(file.as_posix()) for file in package.files or []]
    files = [file for file in files if file.suffix != ".pyc"]
    tops = {file.parts[0] for file in files if "bin" not in file.parts}
    about = f"jinja_fragcache-{package.version}.dist-info"
    assert tops - {"Scripts"} == {"jinja_fragcache", about}, tops
    assert PurePosixPath("jinja_fragcache/py.typed") in files
    assert PurePosixPath(about, "licenses/LICENSE") in files


def names_itself(package: Distribution) -> None:
    assert package.version == jinja_fragcache.__version__
    groups = {point.group for point in package.entry_points}
    assert groups == {"console_scripts", "flask.commands", "pytest11"}
    for point in package.entry_points:
        if point.group == "console_scripts":
            point.load()


def renders_the_tag() -> None:
    env = Environment(extensions=[FragmentCacheExtension], autoescape=True)
    pages = [env.from_string(TEMPLATE).render(name="<Ann>") for _ in range(2)]
    assert pages == ["Hello &lt;Ann&gt;!"] * 2
    stats = jinja_fragcache.fragment_cache_of(env).stats()
    assert (stats.hits, stats.misses) == (1, 1)
    with tempfile.TemporaryDirectory() as folder:
        cache = FragmentCache(stores.FileStore(folder), compression="zlib")
        jinja_fragcache.set_fragment_cache(env, cache)
        assert env.from_string(TEMPLATE).render(name="Bob") == "Hello Bob!"
        assert len(list(Path(folder).iterdir())) > 0


def shows_the_inspector() -> None:
    """Templates and style sheets are files of the package."""
    from jinja_fragcache.inspector import wsgi_app  # noqa: PLC0415 - not before

    app = wsgi_app(FragmentCache(), debug=True)
    for path, text in (("/", "<h1>"), ("/inspector.css", "body {"), ("/store", "yes")):
        environ: dict[str, Any] = {"PATH_INFO": path, "HTTP_HOST": "localhost"}
        setup_testing_defaults(environ)
        told: list[str] = []
        body = b"".join(app(environ, lambda status, _, told=told: told.append(status)))
        assert told == ["200 OK"], told
        assert text in body.decode()


def comes_along(extra: str, installed: set[str]) -> bool:
    """Return whether something else brings what the extra would install."""
    return (extra == "signing" and "flask" in installed) or (
        extra == "zstd" and sys.version_info >= (3, 14)
    )


def refusal(use: Callable[[], object]) -> str:
    """Return what the use of something that is not installed is told."""
    try:
        use()
    except (ImportError, jinja_fragcache.FragmentCacheError) as error:
        return str(error)
    raise AssertionError(f"{use.__name__} is not refused")


def use_command_line() -> None:
    helped = subprocess.run(
        [COMMAND, "--help"], capture_output=True, text=True, check=False
    )
    if helped.returncode:
        assert helped.returncode == 2
        raise ImportError(helped.stderr)
    assert "check" in helped.stdout
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "page.html").write_text(TEMPLATE, "utf-8")
        command = [COMMAND, "check", "--no-cache", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert done.stdout == "1 template, 1 fragment: nothing to say.\n"


def use_flask() -> None:
    cache_class = jinja_fragcache.Cache
    flask = import_module("flask")
    app = flask.Flask("smoke")
    cache = cache_class(app, config={"CACHE_TYPE": "simple"})
    made = []

    def page(name: str) -> str:
        made.append(name)
        text: str = flask.render_template_string(TEMPLATE, name=name)
        return text

    app.add_url_rule("/<name>", view_func=cache.cached(timeout=50)(page))
    client = app.test_client()
    texts = [client.get("/Ann").get_data(as_text=True) for _ in range(2)]
    assert (texts, made) == (["Hello Ann!"] * 2, ["Ann"])


def use_memcached() -> None:
    stores.MemcachedStore([NOWHERE])


def use_otel() -> None:
    module = import_module("jinja_fragcache.observe.opentelemetry")
    FragmentCache(MemoryStore(), listeners=[module.OpenTelemetryListener()])


def use_prometheus() -> None:
    module = import_module("jinja_fragcache.observe.prometheus")
    FragmentCache(MemoryStore(), listeners=[module.PrometheusListener()])


def use_redis() -> None:
    stores.RedisStore(url=f"redis://{NOWHERE}")


def use_signing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        FragmentCache(
            stores.FileStore(folder), signing_key="a key of thirty-two characters.."
        )


def use_zstd() -> None:
    FragmentCache(MemoryStore(), compression="zstd")


NEEDS: dict[str, Callable[[], None]] = {
    "cli": use_command_line,
    "flask": use_flask,
    "memcached": use_memcached,
    "otel": use_otel,
    "prometheus": use_prometheus,
    "redis": use_redis,
    "signing": use_signing,
    "zstd": use_zstd,
}

if __name__ == "__main__":
    main(set(sys.argv[1:]))
