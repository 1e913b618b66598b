"""The folder of the user's in which fetched tables and images are kept."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from diswot.benchmarks.paths import expanded

#: The environment variable that names another folder.
VARIABLE = "DISWOT_CACHE"


def folder() -> Path:
    """Return ``$DISWOT_CACHE``, or the folder that the system has for such things; it need not be there yet.

    Raises:
        InputError: if the variable names a home folder that there is not.
    """
    named = os.environ.get(VARIABLE)
    return expanded(f"${VARIABLE}", named) if named else user_cache_path("diswot", appauthor=False)
