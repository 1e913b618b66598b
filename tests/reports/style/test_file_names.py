from __future__ import annotations

from diswot.reports.style import file_names


def test_different_names_have_different_files() -> None:
    given = ["a b", "a-b", "a/b", "a?b", "x" * 200, "x" * 201, "", "."]
    stems = [file_names.stem("scatter", name) for name in given]
    assert len(set(stems)) == len(stems)
    assert all(stem and "/" not in stem and len(stem) < 100 for stem in stems)
