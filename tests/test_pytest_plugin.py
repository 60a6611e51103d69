"""The fixture `fragment_cache`, in test suites like those of users."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jinja_fragcache import pytest_plugin
from tests.support import PYTEST_ARGUMENTS

ROOT = Path(__file__).parent.parent
MODULE = pytest_plugin.__name__
FLASK = """
import pytest
from flask import Flask, render_template_string
from jinja_fragcache import Cache

cache = Cache()

@pytest.fixture(scope="session")
def app():
    app = Flask(__name__)
    app.testing = True
    cache.init_app(app, config={"CACHE_TYPE": "simple"})

    @app.get("/")
    def home():
        return render_template_string('{% cache 300, "sidebar", 7 %}a{% endcache %}')
    return app
"""
PURE = """
import pytest
from jinja2 import Environment
from jinja_fragcache import FragmentCacheExtension

env = Environment(extensions=[FragmentCacheExtension])
template = env.from_string('{% cache 300, "row", id %}{{ id }}{% endcache %}')

@pytest.fixture
def fragment_cache_target():
    return env
"""
LOADED = """
import sys
import jinja_fragcache.pytest_plugin
print(sorted({"jinja2", "flask", "cachelib", "asyncio", "redis"} & set(sys.modules)))
"""


def run(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess(*PYTEST_ARGUMENTS)


def test_an_application_has_an_empty_cache_in_each_test(
    pytester: pytest.Pytester,
) -> None:
    source = """
@pytest.mark.parametrize("time", range(3))
def test_it(app, fragment_cache, time):
    fragment_cache.assert_not_cached("sidebar", 7)
    with fragment_cache.assert_renders(1, "sidebar"):
        app.test_client().get("/")
        app.test_client().get("/")
    assert fragment_cache.assert_cached("sidebar", 7) == "a"
    fragment_cache.move(300)
    with fragment_cache.assert_renders(1):
        app.test_client().get("/")
"""
    run(pytester, FLASK + source).assert_outcomes(passed=3)


def test_an_environment_is_tested_without_flask(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        PURE
        + """
def test_it(fragment_cache):
    template.render(id=1)
    fragment_cache.assert_cached("row", 1)
"""
    )
    pytester.makepyfile(sitecustomize="import sys; sys.modules['flask'] = None")
    pytester.syspathinsert()
    command = [sys.executable, "-m", "pytest", *PYTEST_ARGUMENTS]
    pytester.run(*command).assert_outcomes(passed=1)


def test_options_can_be_given(pytester: pytest.Pytester) -> None:
    source = """
@pytest.fixture
def fragment_cache_options():
    return {"stale": 60}

def test_it(fragment_cache):
    assert fragment_cache.cache.policy.stale == 60
"""
    run(pytester, PURE + source).assert_outcomes(passed=1)


def test_a_failure_shows_lines_of_the_test_and_none_of_the_package(
    pytester: pytest.Pytester,
) -> None:
    source = """
def test_cached(fragment_cache):
    template.render(id=1)
    fragment_cache.assert_cached("row", 2)

def test_not_cached(fragment_cache):
    template.render(id=1)
    fragment_cache.assert_not_cached("row", 1)

def test_renders(fragment_cache):
    with fragment_cache.assert_renders(2, "row"):
        template.render(id=1)
"""
    result = run(pytester, PURE + source)
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(
        [
            "*row?2? is not cached: there is no entry.",
            "*Write assert_cached('row', 1).",
            "*row?1? is cached, and was expected not to be.*",
            "*Expected 2 bodies of 'row' to be rendered, and there was 1.",
        ]
    )
    shown = result.stdout.str()
    assert "__tracebackhide__" not in shown
    assert "tester.py" not in shown


def test_a_check_that_checks_nothing_fails_when_the_test_ends(
    pytester: pytest.Pytester,
) -> None:
    source = """
def test_it(fragment_cache):
    fragment_cache.assert_renders(1)
"""
    result = run(pytester, PURE + source)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*Write `with fragment_cache.assert_renders(1):`*"])
    assert "isolation.py" not in result.stdout.str()


def test_an_unknown_option_is_told(pytester: pytest.Pytester) -> None:
    source = """
@pytest.fixture
def fragment_cache_options():
    return {"strickt": True}

def test_it(fragment_cache): pass
"""
    result = run(pytester, PURE + source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*'strickt'. Did you mean strict?"])
    assert "isolation.py" not in result.stdout.str()


def test_without_an_application_it_says_what_to_write(
    pytester: pytest.Pytester,
) -> None:
    result = run(pytester, "def test_it(fragment_cache): pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Write a fixture app that returns a Flask*"])
    assert "getfixturevalue" not in result.stdout.str()


def test_a_fixture_that_the_application_needs_is_told_as_usual(
    pytester: pytest.Pytester,
) -> None:
    source = """
import pytest

@pytest.fixture
def app(database): pass

def test_it(fragment_cache): pass
"""
    result = run(pytester, source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'database' not found*"])


def test_a_target_without_a_cache_says_what_to_write(pytester: pytest.Pytester) -> None:
    source = """
import pytest
from flask import Flask

@pytest.fixture
def app(): return Flask(__name__)

def test_it(fragment_cache): pass
"""
    result = run(pytester, source)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*StoreError: The application has no cache. Write Cache(app) or *"]
    )


def test_who_does_not_use_it_imports_nothing() -> None:
    command = [sys.executable, "-c", LOADED]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert told.strip() == "[]"


def test_pytest_finds_it_where_the_package_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"jinja_fragcache": MODULE}
    assert project["entry-points"]["flask.commands"] == {
        "cache": "jinja_fragcache.cli.flask_commands:group"
    }
