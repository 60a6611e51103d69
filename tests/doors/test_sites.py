"""Site generators: a second build renders what has changed, and nothing else."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment
from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from pelican import Pelican
from pelican.settings import read_settings
from sphinx.application import Sphinx

from jinja_fragcache import set_fragment_cache
from jinja_fragcache.doors import mkdocs
from jinja_fragcache.doors.sites import site_cache
from jinja_fragcache.stores.files import DEFAULT_THRESHOLD

Build = Callable[[], list[str]]


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


class Made:
    """Notes which pages a template renders."""

    def __init__(self) -> None:
        self.pages: list[str] = []

    def __call__(self, page: str) -> str:
        self.pages.append(page)
        return f"made {page}"

    def taken(self) -> list[str]:
        """Return the pages that were rendered since this was called."""
        pages, self.pages = self.pages, []
        return sorted(pages)


def mkdocs_site(root: Path) -> Build:
    tag = "{% cache 0, 'page', page.url, version=page.content %}{{ made(page.title) }}"
    main = f"{tag} v1{{% endcache %}} {{{{ page.content }}}}"
    write(root, "theme/main.html", main)
    write(root, "docs/index.md", "# one\n\ntext")
    write(root, "docs/two.md", "# two\n\ntext")
    write(root, "mkdocs.yml", "site_name: x\ntheme: {name: null, custom_dir: theme}\n")
    made = Made()

    def on_env(env: Environment, config: Any, files: Any) -> Environment:
        env.globals["made"] = made
        return mkdocs.on_env(env, config, files)

    def build() -> list[str]:
        config = load_config(str(root / "mkdocs.yml"))
        config.plugins.events["env"].append(on_env)
        mkdocs_build(config)
        assert "made one" in (root / "site/index.html").read_text("utf-8")
        return made.taken()

    return build


def sphinx_site(root: Path) -> Build:
    tag = "{% cache 0, 'page', pagename, version=body %}{{ made(title) }}"
    page = "{% extends '!page.html' %}{% block body %}{{ super() }}" + tag
    write(root, "templates/page.html", f"{page} v1{{% endcache %}}{{% endblock %}}")
    write(root, "index.rst", "one\n===\n\ntext\n\n.. toctree::\n\n   two\n")
    write(root, "two.rst", "two\n===\n\ntext\n")
    write(root, "conf.py", "extensions = ['jinja_fragcache.doors.sphinx']\n")
    made = Made()

    def build() -> list[str]:
        out = str(root / "out")
        options = {"templates_path": ["templates"], "html_theme": "basic"}
        app = Sphinx(root, root, out, out, "html", options, None, None, freshenv=True)
        app.builder.templates.environment.globals["made"] = made
        app.build(force_all=True)
        assert "made one" in (root / "out/index.html").read_text("utf-8")
        # Those that Sphinx makes itself are left out.
        return [each for each in made.taken() if each in {"one", "two"}]

    return build


def pelican_site(root: Path) -> Build:
    tag = "{% cache 0, 'page', article.slug, version=article.content %}"
    page = f"{tag}{{{{ made(article.title) }}}} v1{{% endcache %}}"
    write(root, "theme/templates/article.html", page)
    write(root, "theme/templates/index.html", "")
    for each in ("one", "two"):
        text = f"Title: {each}\nDate: 2026-01-02\nCategory: x\n\ntext"
        write(root, f"content/{each}.md", text)
    made = Made()
    settings = {
        "PATH": str(root / "content"),
        "OUTPUT_PATH": str(root / "out"),
        "THEME": str(root / "theme"),
        "PLUGINS": ["jinja_fragcache.doors.pelican"],
        "DIRECT_TEMPLATES": ["index"],
        "JINJA_GLOBALS": {"made": made},
        "CATEGORY_SAVE_AS": "",
        "AUTHOR_SAVE_AS": "",
        "TAG_SAVE_AS": "",
        "FEED_ALL_ATOM": None,
        "CATEGORY_FEED_ATOM": None,
        "SITEURL": "",
        "TIMEZONE": "UTC",
    }

    def build() -> list[str]:
        Pelican(read_settings(override=settings)).run()
        assert "made one" in (root / "out/one.html").read_text("utf-8")
        return made.taken()

    return build


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


SITES = {
    "MkDocs": (mkdocs_site, "docs/two.md", "theme/main.html"),
    "Sphinx": (sphinx_site, "two.rst", "templates/page.html"),
    "Pelican": (pelican_site, "content/two.md", "theme/templates/article.html"),
}


@pytest.mark.parametrize("name", SITES)
def test_a_second_build_renders_what_was_edited_and_nothing_else(
    name: str, tmp_path: Path
) -> None:
    make, page, template = SITES[name]
    build = make(tmp_path)
    assert build() == ["one", "two"]
    assert build() == []
    text = (tmp_path / page).read_text("utf-8")
    write(tmp_path, page, f"{text}\nMore.\n")
    assert build() == ["two"]
    text = (tmp_path / template).read_text("utf-8")
    write(tmp_path, template, text.replace("v1", "v2"))
    assert build() == ["one", "two"]
    assert build() == []
    assert (tmp_path / ".cache/fragments").is_dir()


def test_the_cache_of_a_site_takes_rules(tmp_path: Path) -> None:
    policy = site_cache(tmp_path, default_timeout=60, jitter=0.5).policy
    assert (policy.default_timeout, policy.jitter) == (60, 0.5)
    assert site_cache(os.fspath(tmp_path)).policy.template_digest


def test_a_site_may_have_any_number_of_pages(tmp_path: Path) -> None:
    cache = site_cache(tmp_path)
    env = Environment(autoescape=True)
    set_fragment_cache(env, cache)
    template = env.from_string("{% cache 0, 'page', n %}{{ n }}{% endcache %}")
    for n in range(2 * DEFAULT_THRESHOLD):
        template.render(n=n)
    assert len([*tmp_path.rglob("*")]) >= 2 * DEFAULT_THRESHOLD
