"""In debug mode, what is stored of a template is not served after an edit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, render_template

from jinja_fragcache import Cache

PAGE = "{% cache 60, 'part' %}{% include 'part.html' %}{{ x }}{% endcache %}"


class Edited:
    """An application whose templates are files.

    Args:
        folder: The folder of the templates.
        config: The settings.
    """

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder = folder
        self.write("page.html", PAGE)
        self.write("part.html", "old ")
        self.app = Flask(__name__, template_folder=folder)
        self.app.config.from_mapping(config)
        self.cache = Cache(self.app, config={"CACHE_TYPE": "simple"})

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def show(self, x: str) -> str:
        with self.app.test_request_context():
            return render_template("page.html", x=x)


def from_the_start(edited: Edited) -> None:
    edited.app.debug = True
    edited.cache.init_app(edited.app, {"CACHE_TYPE": "simple"})


def later(edited: Edited) -> None:
    """Do what `app.run(debug=True)` does."""
    edited.app.debug = True


def as_a_setting(edited: Edited) -> None:
    edited.app.config["TEMPLATES_AUTO_RELOAD"] = True
    edited.app.jinja_env.auto_reload = True


@pytest.mark.parametrize("turn_on", [from_the_start, later, as_a_setting])
def test_an_edited_template_is_never_served_old(
    tmp_path: Path, turn_on: Callable[[Edited], None]
) -> None:
    edited = Edited(tmp_path)
    turn_on(edited)
    assert [edited.show("1"), edited.show("2")] == ["old 1", "old 1"]
    edited.write("part.html", "newer ")
    assert [edited.show("3"), edited.show("4")] == ["newer 3", "newer 3"]
    edited.write("page.html", PAGE.replace("{{ x }}", "page {{ x }}"))
    assert edited.show("5") == "newer page 5"
    assert edited.cache.stats().hits == 2


def test_without_debug_mode_an_edit_counts_after_the_timeout(tmp_path: Path) -> None:
    edited = Edited(tmp_path)
    assert edited.show("1") == "old 1"
    edited.app.jinja_env.auto_reload = True
    edited.write("part.html", "newer ")
    assert edited.show("2") == "old 1"


def test_the_setting_turns_it_off_in_debug_mode(tmp_path: Path) -> None:
    edited = Edited(tmp_path, CACHE_TEMPLATE_DIGEST=False)
    edited.app.debug = True
    assert edited.show("1") == "old 1"
    edited.write("part.html", "newer ")
    assert edited.show("2") == "old 1"
