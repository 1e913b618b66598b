from __future__ import annotations

import json

import pytest

from diswot.harness.runs.settings import Settings, hash_of

OTHER = {
    "batch_size": 8,
    "batch_seed": 1,
    "augment": True,
    "classes": 10,
    "drawing": 1,
    "vectorised_seeds": 2,
    "tf32": True,
    "deterministic": False,
}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_changes_the_hash(settings: Settings, name: str) -> None:
    other = settings.model_copy(update={name: OTHER.get(name, "other")})
    assert other.hash != settings.hash
    assert other.differences(settings) == [f"{name} {OTHER.get(name, 'other')} (there: {settings.stored()[name]})"]


def test_equal_settings_have_equal_hashes(settings: Settings) -> None:
    assert settings.model_copy().hash == settings.hash
    assert settings.differences(settings) == []


def test_the_hash_stays_what_it_is(settings: Settings) -> None:
    """Stored scores are found again by it."""
    assert settings.hash == "4fa087a1fc2fb701"


def test_the_batch_is_not_named_where_something_else_explains_it(settings: Settings) -> None:
    other = settings.model_copy(update={"batch_size": 8, "batch": "4567"})
    assert other.differences(settings) == ["batch_size 8 (there: 4)"]


def test_a_run_without_a_setting(settings: Settings) -> None:
    older = {name: value for name, value in settings.stored().items() if name != "vectorised_seeds"}
    read = Settings.model_validate_json(json.dumps(older))
    assert settings.differences(read) == ["vectorised_seeds 1 (there: None)"]
    assert read.hash == hash_of(older) != settings.hash
