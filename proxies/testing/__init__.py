"""The conformance kit: what is asked of every proxy, for the authors of proxies as well as for this project's own.

With pytest, an author subclasses `Conformance` and supplies one fixture; see docs/check.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diswot.benchmarks.errors import unknown
from diswot.proxies.registry import Proxy
from diswot.proxies.testing.environment import Environment
from diswot.proxies.testing.properties import PROPERTIES, Nonconformity, Property

__all__ = ["PROPERTIES", "Conformance", "Environment", "Finding", "Nonconformity", "Property", "as_declared", "conform"]


@dataclass(frozen=True)
class Finding:
    """What a check of a proxy comes to.

    Attributes:
        verdict: ``pass``; ``fail``; ``expected``, a failure that the proxy declares in ``expected_failed_checks``;
            ``unexpected``, where it declares a failure and passes; or ``skipped``, where it does not declare what the
            check is about.
        figure: what was seen.
    """

    verdict: str
    figure: str


def conform(proxy: Proxy, name: str, environment: Environment | None = None, *, check: str | None = None) -> Finding:
    """Ask a proxy for the property of a name, and return what was seen.

    Args:
        proxy: what is asked.
        name: of the property, out of `PROPERTIES`.
        environment: what it is asked on; None for the smallest.
        check: the name under which ``expected_failed_checks`` has a failure; None for the property's.

    Raises:
        Nonconformity: if the proxy does not have the property, and does not declare that.
        InputError: if there is no property of that name.
    """
    if name not in PROPERTIES:
        raise unknown("property", name, PROPERTIES)
    if not PROPERTIES[name].applies(proxy):
        return Finding("skipped", "not declared")
    try:
        seen = Finding("pass", PROPERTIES[name].check(proxy, environment or Environment()))
    except Nonconformity as error:
        seen = as_declared(proxy, check or name, Finding("fail", str(error)))
        if seen.verdict == "fail":
            raise
        return seen
    return as_declared(proxy, check or name, seen)


def as_declared(proxy: Proxy, check: str, seen: Finding) -> Finding:
    """Return what was seen in the light of what the proxy declares to fail."""
    reason = proxy.expected_failed_checks.get(check)
    if reason is None:
        return seen
    if seen.verdict == "fail":
        return Finding("expected", f"{seen.figure}; declared: {reason}")
    return Finding("unexpected", f"{seen.figure}; remove it from expected_failed_checks, which says: {reason}")


class Conformance:
    """Every property as a test of the fixture ``proxy``; pytest collects a subclass whose name begins with Test."""

    #: What the proxy is asked on.
    environment = Environment()

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Make a test of each property."""
        if "conformance" in metafunc.fixturenames:
            metafunc.parametrize("conformance", list(PROPERTIES))

    def test_conforms(self, proxy: Proxy, conformance: str) -> None:
        """Ask for one property; a failure that is declared is an xfail, and must be one."""
        import pytest

        seen = conform(proxy, conformance, self.environment)
        if seen.verdict == "skipped":
            pytest.skip(seen.figure)
        if seen.verdict == "expected":
            pytest.xfail(seen.figure)
        if seen.verdict == "unexpected":
            pytest.fail(seen.figure)
