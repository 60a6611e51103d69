from jinja_fragcache.check.rules import ERROR, NOTE, RULES, WARNING


def test_rules_are_numbered_and_have_a_level_and_a_page() -> None:
    assert [*RULES] == [f"FC{number:03}" for number in range(len(RULES))]
    assert {rule.level for rule in RULES.values()} == {ERROR, WARNING, NOTE}
    assert RULES["FC001"].page == "docs/check.md#fc001"
