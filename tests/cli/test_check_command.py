import json
from pathlib import Path
from textwrap import dedent

import pytest

from jinja_fragcache.check import rules
from tests.cli.support import here, run, write

__all__ = ["here"]

LEAK = '{% cache 300, "a" %}{{ user.name }}{% endcache %}'
CLEAN = '{% cache 300, "a", user.id %}{{ user.name }}{% endcache %}'
NOTE = '{{ post.id }}{% cache 300, "a" %}{{ post.title }}{% endcache %}'


@pytest.mark.parametrize(
    ("source", "status", "summary"),
    [
        (CLEAN, 0, "1 template, 1 fragment: nothing to say."),
        (LEAK, 1, "1 template, 1 fragment: 1 error."),
        (NOTE, 0, "1 template, 1 fragment: 1 note."),
        ("{% if %}", 1, "1 template, 0 fragments: 1 error."),
    ],
)
def test_the_exit_status_tells_whether_something_is_wrong(
    here: Path, source: str, status: int, summary: str
) -> None:
    write(here, "templates/a.html", source)
    result = run("check", "templates")
    assert result.exit_code == status
    assert result.output.splitlines()[-1] == summary


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> str:
    url = "https://fragcache.test/docs"
    monkeypatch.setattr(rules, "_documentation", lambda: url)
    return url


def test_a_finding_for_people(here: Path, documented: str) -> None:
    write(here, "templates/a.html", LEAK)
    assert run("check", "templates").output == dedent(
        f"""\
        templates/a.html:1: error FC001 "a" reads user.name, which is not in its key: \
what one visitor sees is served to the next.
            read:  user.name in a.html:1
            write: {{% cache 300, "a", user.id %}}
            see:   {documented}/check.md#fc001
        1 template, 1 fragment: 1 error.
        """
    )


def test_a_finding_has_the_text_of_its_rule_if_there_is_no_page(here: Path) -> None:
    write(here, "templates/a.html", LEAK)
    output = run("check", "templates").output
    assert f"    rule:  {rules.RULES['FC001'].text}\n" in output


def test_formats_for_programs(here: Path) -> None:
    write(here, "templates/a.html", LEAK)
    for name in ("json", "sarif"):
        result = run("check", "templates", "--format", name)
        assert result.exit_code == 1
        assert json.loads(result.stdout)
    assert run("check", "templates", "--format", "github").stdout.startswith("::error")


def test_rules_can_be_selected_and_ignored(here: Path) -> None:
    write(here, "templates/a.html", LEAK)
    assert run("check", "templates", "--select", "FC002, fc003").exit_code == 0
    assert run("check", "templates", "--ignore", "FC001").exit_code == 0
    assert run("check", "templates", "--select", "FC001").exit_code == 1


@pytest.mark.parametrize("format_", ["text", "json", "sarif", "github"])
def test_a_file_that_is_not_text_is_a_finding_beside_others(
    here: Path, format_: str
) -> None:
    write(here, "templates/a.html", LEAK)
    (here / "templates" / "b.html").write_bytes(b"\xff\xfe")
    result = run("check", "templates", "--format", format_)
    assert result.exit_code == 1
    assert "FC001" in result.stdout
    assert "The file can't be read: 'utf-8' codec can't decode" in result.stdout
    if format_ in {"json", "sarif"}:
        json.loads(result.stdout)
    listed = run("list", "--templates", "templates")
    assert listed.exit_code == 1
    assert "a.html:1" in listed.stdout
    assert "templates/b.html: can't be parsed" in listed.stderr


def test_an_empty_folder_beside_others_is_told(here: Path) -> None:
    write(here, "templates/a.html", CLEAN)
    (here / "empty").mkdir()
    result = run("check", "templates", "empty")
    assert result.exit_code == 0
    assert result.stderr == "There are no templates in empty.\n"


def test_settings_say_what_is_checked(here: Path) -> None:
    write(here, "templates/a.html", LEAK)
    settings = '[tool.jinja-fragcache]\npaths = ["templates"]\n'
    write(here, "pyproject.toml", settings)
    assert run("check").exit_code == 1
    write(here, "pyproject.toml", settings + 'shared = ["user"]\n')
    assert run("check").exit_code == 0
    write(here, "pyproject.toml", settings + 'ignore = ["FC001"]\n')
    assert run("check").exit_code == 0
    assert run("check", "--select", "FC001").exit_code == 0
    write(here, "pyproject.toml", settings + 'exclude = ["a.*"]\n')
    result = run("check")
    assert result.exit_code == 0
    assert "no templates in" in result.stderr
    assert "templates, but for what exclude leaves out." in result.stderr


def test_a_file_whose_name_is_no_text(here: Path) -> None:
    write(here, "templates/a.html", LEAK)
    file = here / "templates" / "\udcff.html"
    (here / "templates" / "a.html").rename(file)
    for name in ("json", "sarif"):
        result = run("check", "templates", "--format", name)
        assert result.exit_code == 1
        assert json.loads(result.stdout)
    assert run("check", "templates", "--format", "github").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "There is nothing to read."),
        (["nothing"], "There is no file or folder 'nothing'."),
        (["."], "There are no templates in .. Looked for: files that end with .html,"),
        (["/etc/hostname"], "There are no templates in /etc/hostname. Looked for:"),
        (["templates", "--select", "FC1"], "--select names the rule 'FC1'"),
        (["templates", "--format", "xml"], "'xml' is not one of"),
        (["--app", "a:b", "--env", "c:d"], "Give --app or --env, not both."),
        (["--app", "nothing:app"], "--app nothing:app: there is no module 'nothing'."),
        (["--nothing"], "No such option"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(arguments: list[str], told: str) -> None:
    result = run("check", *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_a_wrong_setting_is_told() -> None:
    write(Path.cwd(), "pyproject.toml", "[tool.jinja-fragcache]\npath = []\n")
    for command in (["check"], ["list"], ["list", "--templates"]):
        result = run(*command)
        assert result.exit_code == 2
        assert "Did you mean paths?" in result.stderr


def test_a_second_run_reads_what_the_first_has_kept(here: Path) -> None:
    write(here, "templates/a.html", LEAK)
    first = run("check", "templates")
    kept = here / ".fragcache_cache" / "outlines.json"
    before = kept.stat().st_mtime_ns
    assert run("check", "templates").output == first.output
    assert kept.stat().st_mtime_ns == before


def test_nothing_is_kept_if_that_is_asked_for(here: Path) -> None:
    write(here, "templates/a.html", LEAK)
    run("check", "templates", "--no-cache")
    assert not (here / ".fragcache_cache").exists()


def test_the_templates_of_an_application_and_its_blueprints(here: Path) -> None:
    (here / "shop" / "templates").mkdir(parents=True)
    write(here, "templates/a.html", "{% extends 'layout.html' %}")
    write(here, "shop/templates/layout.html", LEAK)
    write(
        here,
        "site_of_the_test.py",
        """
        from flask import Blueprint, Flask
        from jinja_fragcache import Cache

        def create_app():
            app = Flask(__name__, template_folder="templates")
            Cache(app, config={"CACHE_TYPE": "simple"})
            app.register_blueprint(
                Blueprint("shop", __name__, template_folder="shop/templates")
            )
            return app

        app = create_app()
        """,
    )
    for target in ("app", "create_app", "create_app()"):
        result = run("check", "--app", f"site_of_the_test:{target}")
        assert "shop/templates/layout.html:1: error FC001" in result.output
        assert "2 templates, 1 fragment: 1 error." in result.output


def test_the_templates_of_an_environment(here: Path) -> None:
    write(
        here,
        "environment_of_the_test.py",
        f"""
        from jinja2 import DictLoader, Environment
        from jinja_fragcache import FragmentCacheExtension

        templates = {{"a.html": {LEAK.replace("{%", "<%").replace("%}", "%>")!r}}}
        env = Environment(
            loader=DictLoader(templates),
            extensions=[FragmentCacheExtension],
            block_start_string="<%",
            block_end_string="%>",
        )
        """,
    )
    result = run("check", "--env", "environment_of_the_test:env")
    assert 'write: <% cache 300, "a", user.id %>' in result.output


@pytest.mark.parametrize("option", ["--app", "--env"])
@pytest.mark.parametrize("as_text", [True, False])
def test_what_the_vary_on_of_the_cache_returns_is_in_every_key(
    here: Path, option: str, as_text: bool
) -> None:
    write(here, "templates/a.html", LEAK)
    vary_on = "'vary_on_of_the_test:vary_on'" if as_text else "vary_on"
    write(
        here,
        "vary_on_of_the_test.py",
        """
        def vary_on():
            raise AssertionError("nothing is called")
            return [user.id]
        """,
    )
    write(
        here,
        "varied_of_the_test.py",
        f"""
        from flask import Flask
        from jinja_fragcache import Cache
        from vary_on_of_the_test import vary_on

        app = Flask(__name__, template_folder="templates")
        settings = {{"CACHE_TYPE": "simple", "CACHE_VARY_ON": {vary_on}}}
        Cache(app, config=settings)
        env = app.jinja_env
        """,
    )
    target = f"varied_of_the_test:{'app' if option == '--app' else 'env'}"
    result = run("check", option, target)
    assert "1 template, 1 fragment: nothing to say." in result.output
    # Of a folder, the cache is not known.
    assert run("check", "templates").exit_code == 1


@pytest.mark.parametrize("option", ["--app", "--env"])
def test_what_the_guard_of_the_cache_allows_need_not_be_in_a_key(
    here: Path, option: str
) -> None:
    tag = "{% cache 60, 'a' %}"
    write(here, "templates/a.html", tag + "{{ session.name }}{% endcache %}")
    write(
        here,
        "allowing_of_the_test.py",
        """
        from flask import Flask
        from jinja_fragcache import Cache

        app = Flask(__name__, template_folder="templates")
        settings = {"CACHE_TYPE": "simple", "CACHE_GUARD_ALLOW": ["session.name"]}
        Cache(app, config=settings)
        env = app.jinja_env
        """,
    )
    target = f"allowing_of_the_test:{'app' if option == '--app' else 'env'}"
    assert "nothing to say" in run("check", option, target).output
    assert run("check", "templates").exit_code == 1
