from orchestrator.inside.naming import best

NAMES = ["docs/main.md", "x/m/a/i/n", "src/domain.py", "main", "src/main.py", "mAIn.c", "other"]


def test_what_is_together_at_the_end_and_short_comes_first() -> None:
    assert best(NAMES, "main", 10) == [
        "main", "mAIn.c", "src/main.py", "docs/main.md", "src/domain.py", "x/m/a/i/n",
    ]  # fmt: skip


def test_letters_are_taken_as_they_are() -> None:
    assert best(["a.b", "axb", "a*"], "a.b", 10) == ["a.b"]
    assert best(["a.b", "a*"], "a *", 10) == ["a*"]
    assert best(NAMES, "zzz", 10) == []
    assert best(NAMES, "m", 2) == ["main", "mAIn.c"]
