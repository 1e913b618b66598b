from __future__ import annotations

import pytest

from diswot.harness import progress


class _Terminal:
    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("count", "says"), [(0, ""), (2, "2 scores")])
def test_shown_draws_a_bar_on_a_terminal_where_there_is_something_to_do(
    count: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress.shown(count, "network", f"{count} scores") as step:
        for _ in range(count):
            step()
    assert (says in terminal.text, bool(terminal.text)) == (True, bool(count))
