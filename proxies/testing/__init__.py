"""The conformance kit: what is asked of every proxy, for the authors of proxies as well as for this project's own.

With pytest, an author subclasses `Conformance` and supplies one fixture; see docs/check.md.
"""

from __future__ import annotations

from typing import Any

from diswot.benchmarks.errors import unknown
from diswot.proxies.registry import Proxy
from diswot.proxies.testing.environment import Environment
from diswot.proxies.testing.properties import PROPERTIES, Nonconformity, Property

__all__ = ["PROPERTIES", "Conformance", "Environment", "Nonconformity", "Property", "conform"]


def conform(proxy: Proxy, name: str, environment: Environment | None = None) -> str:
    """Ask a proxy for the property of a name, and return what was seen.

    Raises:
        Nonconformity: if the proxy does not have it.
        InputError: if there is no property of that name.
    """
    if name not in PROPERTIES:
        raise unknown("property", name, PROPERTIES)
    one = PROPERTIES[name]
    if not one.applies(proxy):
        return "not declared"
    return one.check(proxy, environment or Environment())


class Conformance:
    """Every property as a test of the fixture ``proxy``; pytest collects a subclass whose name begins with Test."""

    #: What the proxy is asked on.
    environment = Environment()

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Make a test of each property."""
        if "conformance" in metafunc.fixturenames:
            metafunc.parametrize("conformance", list(PROPERTIES))

    def test_conforms(self, proxy: Proxy, conformance: str) -> None:
        """Ask for one property."""
        conform(proxy, conformance, self.environment)
