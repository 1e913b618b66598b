"""Accuracy tables: the built-in ones by name, the user's by path, each with a card. Importing this loads no torch."""

from __future__ import annotations

from diswot.benchmarks.tables.registry import TABLES, Provider, is_there, load, names, outline, training_seconds
from diswot.benchmarks.tables.table import Card, Table
from diswot.benchmarks.tables.targets import Target, parse_target, targets

__all__ = [
    "TABLES",
    "Card",
    "Provider",
    "Table",
    "Target",
    "is_there",
    "load",
    "names",
    "outline",
    "parse_target",
    "targets",
    "training_seconds",
]
