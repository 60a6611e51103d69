import subprocess
import sys
from importlib import import_module

import pytest

import jinja_fragcache

FLASK_PART = "jinja_fragcache.flask"
WITHOUT_FLASK = """
import sys
from importlib import import_module
sys.modules["flask"] = None
import jinja_fragcache
from jinja_fragcache import *
from jinja2 import Environment
env = Environment(extensions=[FragmentCacheExtension])
assert env.from_string("{% cache %}text{% endcache %}").render() == "text"
assert not {"werkzeug", "django"} & set(sys.modules)
try:
    jinja_fragcache.Cache
except ImportError as error:
    print(error)
"""

ONE_MISS_AND_ONE_HIT = """
import sys
from importlib import import_module
before = set(sys.modules)  # with those of coverage
from jinja_fragcache import FragmentCacheExtension
from jinja2 import Environment
env = Environment(extensions=[FragmentCacheExtension])
template = env.from_string('{% cache 300, "row", id, 1 %}text{% endcache %}')
assert [template.render(id="5") for _ in range(2)] == ["text", "text"]
print(*sorted(set(sys.modules) - before))
"""

# Each takes a millisecond or more, with what it imports.
SLOW = {
    "asyncio",
    "cachelib",
    "concurrent.futures",
    "ctypes",
    "datetime",
    "decimal",
    "difflib",
    "http",
    "importlib.metadata",
    "jinja_fragcache.keys.encoding",
    "jinja_fragcache.stores.files",
    "jinja_fragcache.stores.memcached",
    "jinja_fragcache.stores.redis",
    "logging",
    "pathlib",
    "platform",
    "socket",
    "ssl",
    "subprocess",
    "uuid",
    "zoneinfo",
}
# Together they take as long as all that a plain page needs.
FEW_NEED = {
    "jinja_fragcache.access.layers",
    "jinja_fragcache.access.near_store",
    "jinja_fragcache.access.sealed_store",
    "jinja_fragcache.engine.batch",
    "jinja_fragcache.engine.hand_over",
    "jinja_fragcache.engine.special_engines",
    "jinja_fragcache.engine.worker_figures",
    "jinja_fragcache.entries.compression",
    "jinja_fragcache.frameworks.contexts",
    "jinja_fragcache.frameworks.werkzeug",
    "jinja_fragcache.guard.messages",
    "jinja_fragcache.observe.comments",
    "jinja_fragcache.observe.figures",
    "jinja_fragcache.reads.outlining",
    "jinja_fragcache.render.auto",
    "jinja_fragcache.render.comments",
    "jinja_fragcache.render.each",
    "jinja_fragcache.render.holes",
}


def run(script: str) -> str:
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_without_flask_fragments_work_and_cache_says_what_to_install() -> None:
    told = run(WITHOUT_FLASK)
    assert "pip install 'jinja-fragcache[flask]'" in told


def test_importing_the_package_does_not_import_flask() -> None:
    script = "import sys, jinja_fragcache; print('flask' in sys.modules)"
    assert run(script).strip() == "False"


def test_importing_the_package_imports_nothing_slow_that_it_may_not_need() -> None:
    script = (
        "import sys, jinja2; before = set(sys.modules); import jinja_fragcache\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    assert not SLOW & set(run(script).split())


def test_a_miss_and_a_hit_in_memory_import_nothing_that_few_pages_need() -> None:
    assert not (SLOW | FEW_NEED) & set(run(ONE_MISS_AND_ONE_HIT).split())


def test_what_few_pages_need_is_there() -> None:
    for each in FEW_NEED:
        import_module(each)


def test_without_flask_cache_is_an_import_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith(FLASK_PART)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "flask", None)
    with pytest.raises(ImportError, match="needs Flask"):
        _ = jinja_fragcache.Cache


def test_another_error_while_importing_cache_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, FLASK_PART, None)
    with pytest.raises(ModuleNotFoundError, match=FLASK_PART):
        _ = jinja_fragcache.Cache


def test_every_public_name_exists_and_is_documented() -> None:
    for name in jinja_fragcache.__all__:
        assert getattr(jinja_fragcache, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = jinja_fragcache.nothing


@pytest.mark.parametrize(
    ("module", "package", "extra"),
    [
        ("prometheus", "prometheus_client", "prometheus"),
        ("opentelemetry", "opentelemetry.metrics", "otel"),
    ],
)
def test_a_listener_whose_package_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, module: str, package: str, extra: str
) -> None:
    listener = f"jinja_fragcache.observe.{module}"
    monkeypatch.delitem(sys.modules, listener, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"pip install 'jinja-fragcache\[{extra}\]'"):
        import_module(listener)
