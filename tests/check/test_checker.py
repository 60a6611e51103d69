"""The check as a whole, on templates with leaks, and on templates without."""

from pathlib import Path

from jinja_fragcache.check.checker import check
from jinja_fragcache.check.findings import Report
from jinja_fragcache.check.project import default_environment, from_paths
from jinja_fragcache.check.reading import read
from jinja_fragcache.check.rules import RULES
from jinja_fragcache.check.vocabulary import vocabulary
from tests.check.support import codes, findings, project_of

HERE = Path(__file__).parent
EXPECTED = (HERE / "leaks" / "expected.txt").read_text("utf-8").splitlines()


def report_on(folder: Path) -> Report:
    project = from_paths([folder], default_environment())
    read(project)
    return check(project, vocabulary(), RULES)


def test_every_seeded_leak_is_found_and_nothing_else() -> None:
    report = report_on(HERE / "leaks")
    found = [(f"{f.template}:{f.line} {f.code}", f.message) for f in report.findings]
    expected = [line.split(" ", 2) for line in EXPECTED]
    assert report.templates > 20
    assert len(expected) > 40
    assert [place for place, _ in found] == [" ".join(line[:2]) for line in expected]
    for (place, message), line in zip(found, expected, strict=True):
        assert " ".join(line[2:]) in message, place


def test_every_rule_but_that_of_comments_has_a_seeded_leak() -> None:
    assert {line.split()[1] for line in EXPECTED} == RULES.keys() - {"FC013"}


def test_clean_templates_raise_no_alarm() -> None:
    report = report_on(HERE / "clean")
    assert (report.templates, report.fragments) == (20, 29)
    assert report.findings == []


def test_the_tag_to_write_is_itself_clean() -> None:
    mended = {"FC001", "FC003", "FC011", "FC012"}
    found = [f for f in report_on(HERE / "leaks").findings if f.code in mended]
    assert {finding.code for finding in found} == mended
    for finding in found:
        reads = "".join(f"{{{{ {each.split(' in ')[0]} }}}}" for each in finding.reads)
        page = f"{finding.remedy}{reads}{{% endcache %}}"
        assert finding.code not in codes(page), finding.remedy


def test_one_tag_mends_all_that_a_fragment_lacks() -> None:
    page = '{% cache 300, "a" %}{{ user.name }}{{ request.path }}{% endcache %}'
    tags = {finding.remedy for finding in findings(page)}
    assert tags == {'{% cache 300, "a", user.id, request.path %}'}


def test_a_partial_is_judged_where_it_is_included() -> None:
    templates = {
        "page.html": "{% for user in users %}{% include 'row.html' %}{% endfor %}",
        "row.html": '{% cache 300, "row", user.id %}{{ user.name }}{% endcache %}',
        "other.html": '{% cache 300, "other" %}{{ user.name }}{% endcache %}',
    }
    assert [f.template for f in findings(templates)] == ["other.html"]


def test_a_partial_that_no_page_reaches_is_judged_by_itself() -> None:
    templates = {
        "a.html": "{% include 'b.html' %}",
        "b.html": '{% include "a.html" %}{% cache 1, "x" %}{{ user }}{% endcache %}',
    }
    assert codes(templates) == ["FC001"]


def test_the_item_of_a_loop_is_told_once() -> None:
    """In the partial by itself, it is a variable of the page."""
    row = '{% cache 300, "row" %}{{ item.id }}{{ item.name }}{% endcache %}'
    templates = {
        "page.html": "{% for item in items %}{% include 'row.html' %}{% endfor %}",
        "other.html": "{% include 'row.html' %}",
        "row.html": row,
    }
    assert codes(templates) == ["FC004"]


def test_only_templates_that_were_asked_for_are_told() -> None:
    leak = "{% cache 300, vary_on=[lang] %}{{ user.name }}{% endcache %}"
    project = project_of({"a.html": leak, "b.html": leak})
    project.templates["a.html"].is_asked = False
    report = check(project, vocabulary(), RULES)
    assert [finding.file for finding in report.findings] == ["b.html"]
    assert report.fragments == 2


def test_only_active_rules_are_told() -> None:
    page = '{% cache 300, "a" %}{{ user.name }}{{ request.path }}{% endcache %}'
    [finding] = findings(page, active={"FC011"})
    assert finding.code == "FC011"
    assert finding.remedy == '{% cache 300, "a", request.path %}'


def test_constants_of_the_environment_are_the_same_for_all() -> None:
    page = '{{ post.id }}{% cache 300, "a" %}{{ post.name }}{% endcache %}'
    assert codes(page) == ["FC012"]
    assert codes(page, constants={"post"}) == []


def test_an_ignore_comment_leaves_a_finding_out() -> None:
    page = (
        "{# fragcache: ignore[FC001] one user only #}\n"
        '{% cache 300, "a" %}{{ user.name }}{% endcache %}'
    )
    assert codes(page) == []


def test_the_locale_is_written_as_elsewhere() -> None:
    templates = {
        "a.html": '{% cache 300, "a" %}{{ _("x") }}{% endcache %}',
        "b.html": '{% cache 300, "b", get_locale() %}{{ _("x") }}{% endcache %}',
    }
    assert findings(templates)[0].remedy == '{% cache 300, "a", get_locale() %}'


def test_what_a_body_reads_with_auto_is_in_its_key() -> None:
    body = "{{ post.title }}{{ user.name }}{% for a in b %}{{ a }}{% endfor %}"
    tag = "{% for c in d %}{% cache 1, 'n', post.id{} %}{{ c }}" + body
    source = tag + "{% endcache %}{% endfor %}"
    assert codes(source.replace("{}", "")) == ["FC001", "FC004"]
    assert codes(source.replace("{}", ", vary_on='auto'")) == []
