import subprocess
import sys
from importlib import import_module
from pathlib import Path

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

THE_EXTENSION_ALONE = """
import sys, jinja2
before = set(sys.modules)
from jinja_fragcache import FragmentCacheExtension
print(*sorted(set(sys.modules) - before))
"""

FROM_A_BYTECODE_CACHE = """
import sys
from jinja2 import DictLoader, Environment, FileSystemBytecodeCache
from jinja_fragcache import FragmentCacheExtension
source = '{% cache 300, "row", id %}text{% endcache %}'
bytecode = FileSystemBytecodeCache(sys.argv[1])
loader, extensions = DictLoader({"page": source}), [FragmentCacheExtension]
env = Environment(loader=loader, extensions=extensions, bytecode_cache=bytecode)
assert env.get_template("page").render(id=5) == "text"
print(*sys.modules)
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
    "jinja2.nativetypes",
    "jinja_fragcache.access.layers",
    "jinja_fragcache.access.near_store",
    "jinja_fragcache.access.sealed_store",
    "jinja_fragcache.engine.allowed",
    "jinja_fragcache.engine.background",
    "jinja_fragcache.engine.batch",
    "jinja_fragcache.engine.body_reads",
    "jinja_fragcache.engine.covering",
    "jinja_fragcache.engine.entry_spec",
    "jinja_fragcache.engine.framework",
    "jinja_fragcache.engine.hand_over",
    "jinja_fragcache.engine.noted_reads",
    "jinja_fragcache.engine.packing",
    "jinja_fragcache.engine.reporting",
    "jinja_fragcache.engine.special_engines",
    "jinja_fragcache.engine.stale_if_error",
    "jinja_fragcache.engine.verify",
    "jinja_fragcache.engine.worker_figures",
    "jinja_fragcache.entries.compression",
    "jinja_fragcache.frameworks.contexts",
    "jinja_fragcache.frameworks.werkzeug",
    "jinja_fragcache.guard.messages",
    "jinja_fragcache.guard.places",
    "jinja_fragcache.guard.reads",
    "jinja_fragcache.observe.comments",
    "jinja_fragcache.observe.events",
    "jinja_fragcache.observe.figures",
    "jinja_fragcache.observe.log",
    "jinja_fragcache.observe.meter",
    "jinja_fragcache.reads.outlining",
    "jinja_fragcache.render.auto",
    "jinja_fragcache.render.comments",
    "jinja_fragcache.render.each",
    "jinja_fragcache.render.holes",
    "jinja_fragcache.render.shared_names",
    "jinja_fragcache.render.uncached",
    "jinja_fragcache.stores.facts",
}
# What compiles tags: a template that comes from a bytecode cache needs none of it.
COMPILING = {
    "jinja_fragcache.reads.arguments",
    "jinja_fragcache.reads.telling",
    "jinja_fragcache.template.body",
    "jinja_fragcache.template.lookup_call",
    "jinja_fragcache.template.tag_sites",
    "jinja_fragcache.template.tags",
}
# What an environment is given when it is made.
FOR_ENVIRONMENTS = {
    "jinja_fragcache.access.prefetch",
    "jinja_fragcache.engine.claims",
    "jinja_fragcache.engine.flow",
    "jinja_fragcache.frameworks.loading",
    "jinja_fragcache.render.lookup",
    "jinja_fragcache.render.tag_guard",
    "jinja_fragcache.template.code_generator",
    "jinja_fragcache.template.preparing",
}
# A module takes a tenth of a millisecond or more. If one more is needed by all pages,
# raise these numbers, and say in docs/design.md what it is for.
MOST_OF_THE_EXTENSION = 63
MOST_OF_A_MISS_AND_A_HIT = 110


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
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


def test_importing_the_extension_imports_nothing_that_only_environments_need() -> None:
    late = SLOW | FEW_NEED | COMPILING | FOR_ENVIRONMENTS
    assert not late & set(run(THE_EXTENSION_ALONE).split())


@pytest.mark.parametrize(
    ("script", "most"),
    [
        (THE_EXTENSION_ALONE, MOST_OF_THE_EXTENSION),
        (ONE_MISS_AND_ONE_HIT, MOST_OF_A_MISS_AND_A_HIT),
    ],
    ids=["the extension", "a miss and a hit"],
)
def test_there_are_no_more_modules_than_are_needed(script: str, most: int) -> None:
    names = run(script).split()
    assert len([name for name in names if name.startswith("jinja_fragcache")]) <= most


def test_modules_of_the_plain_way_evaluate_no_annotations() -> None:
    names = [name for name in run(ONE_MISS_AND_ONE_HIT).split() if "fragcache." in name]
    modules = {name: import_module(name) for name in names}
    assert modules
    evaluating = [
        name
        for name, module in modules.items()
        # A package has imports alone. A named tuple compiles what is not evaluated.
        if not hasattr(module, "__path__")
        and not hasattr(module, "NamedTuple")
        and not hasattr(module, "annotations")
    ]
    assert evaluating == []


def test_a_template_from_a_bytecode_cache_imports_nothing_that_compiles(
    tmp_path: Path,
) -> None:
    compiled, loaded = (
        set(run(FROM_A_BYTECODE_CACHE, str(tmp_path)).split()) for _ in range(2)
    )
    assert compiled >= COMPILING
    assert not COMPILING & loaded


def test_what_is_imported_late_is_there() -> None:
    for each in FEW_NEED | COMPILING | FOR_ENVIRONMENTS:
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
