from __future__ import annotations

import subprocess
import sys


def test_importing_reports_is_light() -> None:
    code = "import sys, reports; print([m for m in ('matplotlib', 'pandas', 'jinja2', 'torch') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
