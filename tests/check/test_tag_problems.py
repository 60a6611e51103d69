import pytest

from tests.check.support import codes, findings

A = '{% cache 300, "a" %}text{% endcache %}'


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (A, None),
        ('{% cache 60, "a" %}text{% endcache %}', None),
        ('{% cache 300, "b" %}other{% endcache %}', None),
        ('{% cache "del", "a" %}other{% endcache %}', None),
        ('{% cache 300, "a" %}other{% endcache %}', "is served in place of the other"),
        ('{% cache 300, "a", b %}text{% endcache %}', "one of them lacks a value"),
        ('{% cache 300, "a", b %}other{% endcache %}', "another number of key values"),
        ('{% cache 300, "a", vary_on=b %}text{% endcache %}', None),
    ],
)
def test_two_fragments_of_one_name(other: str, told: str | None) -> None:
    found = findings({"a.html": A, "b.html": other})
    assert [finding.code for finding in found] == ["FC005"] * bool(told)
    if told:
        assert found[0].file == "b.html"
        assert "The fragment in a.html:1" in found[0].message
        assert told in found[0].message


def test_a_name_that_is_no_constant() -> None:
    [finding] = findings("{% cache 300, a.b, c %}text{% endcache %}")
    assert finding.code == "FC006"
    assert finding.remedy == '{% cache 300, "page", a.b, c %}'
    assert codes('{% cache 300, "a" ~ "b" %}text{% endcache %}') == []
    assert codes("{% cache 300 %}text{% endcache %}") == []


@pytest.mark.parametrize(
    ("key", "body", "told"),
    [
        ("prodct.id", "{{ product.name }}", "Did you mean product?"),
        ("usr.id", "{% for user in users %}{{ user.a }}{% endfor %}", "user?"),
        ("product.id", "{{ product.name }}", None),
        ("items", "{{ item }}", None),
        ("something", "{{ product.name }}", None),
        ("lang", "{{ langs }}", None),
        ("prodct.id", "{{ product.name }}{% include 'b.html' %}", None),
    ],
)
def test_a_name_that_nothing_defines(key: str, body: str, told: str | None) -> None:
    templates = {
        "page.html": f'{{% cache 300, "x", {key} %}}{body}{{% endcache %}}',
        "b.html": "{{ prodct }}" if "include" in body else "",
    }
    found = [each for each in findings(templates) if each.code == "FC008"]
    assert len(found) == bool(told)
    if told:
        assert told in found[0].message


def test_a_global_of_the_environment_is_no_typo() -> None:
    page = '{% cache 300, "x", prodct %}{{ product }}{% endcache %}'
    assert codes(page) == ["FC008"]
    assert codes(page, constants=["prodct"]) == []


@pytest.mark.parametrize(
    ("outer", "inner", "is_told"),
    [
        ("60", "3600", True),
        ("60", "0", True),
        ("60", "60", False),
        ("3600", "60", False),
        ("0", "60", False),
        ("60", "t", False),
        ("t", "3600", False),
        ("60", "3600, 'i', version=v", False),
        ("60", "3600, 'i', tags=['t']", False),
    ],
)
def test_an_inner_fragment_that_outlives_the_outer(
    outer: str, inner: str, is_told: bool
) -> None:
    page = (
        f"{{% cache {outer} %}}{{% cache {inner} %}}text{{% endcache %}}"
        "{% endcache %}"
    )
    assert codes(page) == ["FC009"] * is_told


@pytest.mark.parametrize(
    ("outer", "inner", "is_told"),
    [
        ("", "preview", True),
        ("unless=preview", "preview", False),
        ("vary_on=[preview]", "preview", False),
        ("unless=other", "preview", True),
        ("", "true", False),
    ],
)
def test_an_unless_that_the_outer_fragment_undoes(
    outer: str, inner: str, is_told: bool
) -> None:
    page = (
        f"{{% cache {outer} %}}{{% cache unless={inner} %}}text{{% endcache %}}"
        "{% endcache %}"
    )
    assert codes(page) == ["FC010"] * is_told
    if is_told:
        assert "The fragment around it, in page.html:1" in findings(page)[0].message
