"""Proxies that are defined in a notebook, a session or the script that runs: sent to worker processes by value."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import cloudpickle

from diswot.benchmarks.errors import InputError, described
from diswot.proxies import registry
from diswot.proxies.registry import Proxy


def pack(proxies: Iterable[Proxy]) -> tuple[bytes, ...]:
    """Return the records of those proxies that no process but this one can import, pickled with their functions.

    Raises:
        InputError: if a function refers to something that cannot be pickled.
    """
    return tuple(_pickled(proxy) for proxy in proxies if registry.is_of_session(proxy))


def _pickled(proxy: Proxy) -> bytes:
    try:
        content: bytes = cloudpickle.dumps(proxy)
    except Exception as error:  # whatever the user's objects raise
        raise InputError(
            f"proxies: {proxy.name} cannot be sent to worker processes: {described(error)}; pass what it needs in "
            "another way, or write it to a file and name that file as a plug-in."
        ) from error
    return content


def unpack(content: bytes) -> None:
    """Register a packed proxy in this process, unless its version is there already."""
    proxy = pickle.loads(content)  # noqa: S301 - of our own parent process
    if proxy.name not in registry.names() or registry.get(proxy.name).version != proxy.version:
        registry.add(proxy)  # in place of an older version, which the worker of a cluster may have
