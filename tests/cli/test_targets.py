import sys
from pathlib import Path
from textwrap import dedent

import pytest

from jinja_fragcache.cli.targets import (
    app_of,
    cache_of_app,
    environment_of,
    environment_of_app,
)
from jinja_fragcache.errors import CheckError

MODULE = """
from jinja2 import Environment

env = Environment(autoescape=True)

class App:
    jinja_env = env

class Broken:
    @property
    def jinja_env(self):
        raise ValueError("no environment")

app, broken, number = App(), Broken(), 3

def needing(argument):
    pass

def make_env():
    return env

def fails():
    raise ValueError("no configuration")

class inner:
    env = env
"""


WRONG_SETTING = """\
from flask import Flask
from jinja_fragcache import Cache

cache = Cache(Flask("a"), config={"CACHE_COLOUR": 1})
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "target_of_the_test", raising=False)
    (tmp_path / "target_of_the_test.py").write_text(dedent(MODULE), "utf-8")
    (tmp_path / "failing_target.py").write_text("x = 1 / 0", "utf-8")
    (tmp_path / "wrong_setting.py").write_text(dedent(WRONG_SETTING), "utf-8")
    (tmp_path / "needing_target.py").write_text("import not_installed_at_all", "utf-8")
    (tmp_path / "syn.py").write_text("a = 1\ndef f(:\n", "utf-8")
    (tmp_path / "importing_syn.py").write_text("import syn", "utf-8")
    return tmp_path


@pytest.mark.parametrize("target", ["app", "App", "App()"])
def test_the_environment_of_an_application(target: str, folder: Path) -> None:
    environment = environment_of_app(f"target_of_the_test:{target}", folder)
    assert environment is environment_of("target_of_the_test:env", folder)


@pytest.mark.parametrize("target", ["env", "make_env", "make_env()", "inner.env"])
def test_an_environment(target: str, folder: Path) -> None:
    assert environment_of(f"target_of_the_test:{target}", folder)  # type: ignore[truthy-bool]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("app", "'app' is not of the form module:name, such as shop:app"),
        ("nothing:app", "there is no module 'nothing'"),
        ("nothing.inner:app", "there is no module 'nothing'"),
        (
            "target_of_the_test:nothing",
            r"there is no 'nothing' in it \(/.*/target_of_the_test\.py\)\.$",
        ),
        ("site:app", r"there is no 'app' in it \(/.*/site\.py\)\.$"),
        ("sys:app", r"there is no 'app' in it\.$"),
        (
            "target_of_the_test:number",
            "an object of int, which is no Flask application",
        ),
        ("target_of_the_test:fails", "can't be called: ValueError: no configuration"),
        ("target_of_the_test:fails()", r"test\.py:23\)"),
        ("target_of_the_test:needing()", r"missing 1 .* argument: 'argument'$"),
        ("target_of_the_test:broken", "can't make its Jinja environment: ValueError"),
        ("wrong_setting:app", r"SettingError: .*wrong_setting\.py:4\)"),
        ("failing_target:app", r"ZeroDivisionError: .*failing_target\.py:1\)"),
        ("needing_target:app", r"'not_installed_at_all' \(.*needing_target\.py:1\)"),
        ("syn:app", r"can't be imported: SyntaxError: .* \(/.*/syn\.py:2\)$"),
        ("importing_syn:app", r"SyntaxError: .* \(/.*/syn\.py:2\)$"),
    ],
)
def test_what_is_no_application(target: str, told: str, folder: Path) -> None:
    with pytest.raises(CheckError, match=told):
        environment_of_app(target, folder)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("env", r"--env 'env' is not of the form module:name, such as shop:env\."),
        ("target_of_the_test:number", "which is no Jinja environment"),
        (
            "target_of_the_test:app",
            r"an application, an object of App\. Write --app target_of_the_test:app\.",
        ),
        ("target_of_the_test:fails", "can't be called: ValueError"),
    ],
)
def test_what_is_no_environment(target: str, told: str, folder: Path) -> None:
    with pytest.raises(CheckError, match=told):
        environment_of(target, folder)


@pytest.mark.parametrize("name", ["number", "env", "needing"])
def test_what_is_no_application_has_no_cache(name: str, folder: Path) -> None:
    target = f"target_of_the_test:{name}"
    with pytest.raises(CheckError, match=r"no Flask application\..*--env module:env"):
        cache_of_app(app_of(target, folder), target)
