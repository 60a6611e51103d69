import re
from pathlib import Path

import pytest
from jinja2 import (
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    FunctionLoader,
)

from jinja_fragcache.check.project import (
    Project,
    default_environment,
    from_environment,
    from_paths,
)
from jinja_fragcache.errors import CheckError
from jinja_fragcache.reads.outline import Broken


def write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("text", "utf-8")


def load(*paths: Path, exclude: tuple[str, ...] = ()) -> Project:
    return from_paths(paths, default_environment(), exclude)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_relative_to_the_folder(here: Path) -> None:
    write(here, "pages/a.html", "pages/b/c.jinja2", "pages/d.py", "pages/e.txt")
    project = load(Path("pages"))
    assert {name: each.file for name, each in project.templates.items()} == {
        "a.html": "pages/a.html",
        "b/c.jinja2": "pages/b/c.jinja2",
    }


def test_names_are_relative_to_folders_that_are_called_templates(here: Path) -> None:
    write(
        here,
        *("app/templates/a.html", "app/templates/b.txt", "app/shop/templates/c.html"),
        *("docs/d.html", ".venv/templates/e.html", "node_modules/f.html"),
    )
    assert sorted(load(here).templates) == ["a.html", "b.txt", "c.html", "docs/d.html"]


def test_of_a_file_the_others_in_its_folder_are_read_too(here: Path) -> None:
    write(here, "templates/a.html", "templates/b/c.html")
    project = load(Path("templates/b/c.html"))
    asked = {name: each.is_asked for name, each in project.templates.items()}
    assert asked == {"a.html": False, "b/c.html": True}


def test_a_folder_in_a_folder_of_templates(here: Path) -> None:
    write(here, "templates/a.html", "templates/b/c.html")
    project = load(Path("templates/b"))
    asked = {name: each.is_asked for name, each in project.templates.items()}
    assert asked == {"a.html": False, "b/c.html": True}


def test_two_folders_that_have_a_template_of_one_name(here: Path) -> None:
    write(here, "a/templates/x.html", "b/templates/x.html")
    project = load(Path())
    assert sorted(project.templates) == ["b/templates/x.html", "x.html"]
    assert project.roots() == {
        "x.html": "a/templates",
        "b/templates/x.html": "b/templates",
    }


def test_what_is_excluded_is_not_read(here: Path) -> None:
    write(here, "templates/a.html", "templates/admin/b.html", "templates/c.html")
    exclude = ("admin/*", "templates/c.*")
    assert [*load(here, exclude=exclude).templates] == ["a.html"]


def test_a_path_that_does_not_exist() -> None:
    with pytest.raises(CheckError, match="no file or folder 'nothing'"):
        load(Path("nothing"))


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_file_that_is_not_text_does_not_stop_the_others(
    here: Path, is_loaded: bool
) -> None:
    write(here, "b.html")
    (here / "a.html").write_bytes(b"\xff\xfe")
    loader = FileSystemLoader(here)
    environment = Environment(loader=loader, autoescape=True)
    project = from_environment(environment) if is_loaded else load(here)
    broken = project.templates["a.html"]
    assert isinstance(broken.read, Broken)
    assert "The file can't be read: 'utf-8' codec" in broken.read.message
    assert broken.file == "a.html"
    assert project.templates["b.html"].source == "text"


@pytest.mark.parametrize("path", [".", "a.py", "folder"])
def test_no_templates_at_all_are_an_error(here: Path, path: str) -> None:
    write(here, "a.py", "folder/b.css", "folder/c.txt")
    told = f"There are no templates in {path}. Looked for: files that end with .html,"
    with pytest.raises(CheckError, match=re.escape(told)):
        load(Path(path))


def test_other_templates_in_the_folder_of_a_file_that_is_none_do_not_count(
    here: Path,
) -> None:
    write(here, "a.css", "b.html")
    with pytest.raises(CheckError, match=r"no templates in a\.css"):
        load(Path("a.css"))


def test_templates_may_all_be_excluded(here: Path) -> None:
    write(here, "a.html")
    project = load(Path(), exclude=("a.*",))
    assert (project.templates, project.empty) == ({}, (Path(),))


def test_an_environment_without_templates() -> None:
    environment = Environment(loader=DictLoader({"a.css": "x"}), autoescape=True)
    with pytest.raises(CheckError, match="no templates in the environment's loader"):
        from_environment(environment)


def test_one_of_several_folders_without_templates_is_remembered(here: Path) -> None:
    write(here, "a/b.css", "c/d.html")
    assert load(Path("a"), Path("c")).empty == (Path("a"),)


def test_the_templates_of_an_environment(here: Path) -> None:
    loader = DictLoader({"a.html": "x", "b.txt": "y", "style.css": "z", "c/d.html": ""})
    environment = Environment(loader=loader, autoescape=True)
    environment.globals["brand"] = "x"
    project = from_environment(environment, ["c/*"])
    assert [*project.templates] == ["a.html", "b.txt"]
    assert project.constants == {"brand"}


def test_an_environment_that_can_not_list_its_templates() -> None:
    environment = Environment(loader=FunctionLoader(lambda _: "x"), autoescape=True)
    with pytest.raises(CheckError, match="can't list its templates"):
        from_environment(environment)
    with pytest.raises(CheckError, match="no loader"):
        from_environment(Environment(autoescape=True))


def test_a_template_that_can_not_be_loaded_is_left_out(here: Path) -> None:
    class Half(DictLoader):
        def list_templates(self) -> list[str]:
            return ["a.html", "gone.html"]

    loader = ChoiceLoader([Half({"a.html": "x"})])
    environment = Environment(loader=loader, autoescape=True)
    assert [*from_environment(environment).templates] == ["a.html"]


def test_an_extension_that_can_not_be_imported() -> None:
    environment = default_environment(["jinja2.ext.debug"])
    assert "jinja2.ext.DebugExtension" in environment.extensions
    with pytest.raises(CheckError, match=r"'nothing\.Here' can't be imported"):
        default_environment(["nothing.Here"])


def test_the_hook_of_the_documentation_runs_for_every_kind_of_template() -> None:
    page = (Path(__file__).parents[2] / "docs/check.md").read_text("utf-8")
    found = re.search(r"^ +files: '(.+)'$", page, re.MULTILINE)
    assert found is not None
    endings = [".html", ".htm", ".xhtml", ".xml", ".jinja", ".jinja2", ".j2", ".txt"]
    names = ["pyproject.toml", *(f"templates/a{each}" for each in endings)]
    # As pre-commit does.
    assert [name for name in names if not re.search(found[1], name)] == []
    assert not re.search(found[1], "templates/a.py")
