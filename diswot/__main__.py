"""``python -m diswot`` is the command ``diswot``."""

from __future__ import annotations

import sys

from diswot.harness.cli import main

sys.exit(main())
