from __future__ import annotations

from dataclasses import fields, replace

import pytest

from diswot.harness.runs.settings import Settings

OTHER = {"batch_size": 8, "batch_seed": 1, "augment": True, "classes": 10}


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_every_setting_changes_the_hash(settings: Settings, name: str) -> None:
    other = replace(settings, **{name: OTHER.get(name, "other")})
    assert other.hash != settings.hash
    assert other.differences(settings.as_dict()) == [
        f"{name} {OTHER.get(name, 'other')} (there: {settings.as_dict()[name]})"
    ]


def test_equal_settings_have_equal_hashes(settings: Settings) -> None:
    assert replace(settings).hash == settings.hash
    assert settings.differences(settings.as_dict()) == []


def test_the_hash_stays_what_it_is(settings: Settings) -> None:
    """Stored scores are found again by it."""
    assert settings.hash == "4fa087a1fc2fb701"


def test_the_batch_is_not_named_where_something_else_explains_it(settings: Settings) -> None:
    other = replace(settings, batch_size=8, batch="4567")
    assert other.differences(settings.as_dict()) == ["batch_size 8 (there: 4)"]


def test_a_run_without_a_setting(settings: Settings) -> None:
    older = {name: value for name, value in settings.as_dict().items() if name != "augment"}
    assert settings.differences(older) == ["augment False (there: None)"]
