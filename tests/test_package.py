import subprocess
import sys

import pytest

import jinja_fragcache

FLASK_PART = "jinja_fragcache.flask"
WITHOUT_FLASK = """
import sys
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


def run(script: str) -> str:
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def test_without_flask_fragments_work_and_cache_says_what_to_install() -> None:
    told = run(WITHOUT_FLASK)
    assert "pip install 'jinja-fragcache[flask]'" in told


def test_importing_the_package_does_not_import_flask() -> None:
    script = "import sys, jinja_fragcache; print('flask' in sys.modules)"
    assert run(script).strip() == "False"


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
