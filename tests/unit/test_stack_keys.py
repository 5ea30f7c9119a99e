from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from blocks.github_account import GitHubAccount
from deployments import secret_files
from deployments.accounts import ACCOUNTS
from deployments.stack_settings import KEY_VARIABLES, GivenSettings, StackSettings
from hub.parcels import ParcelSize
from hub.settings import Settings
from hub.team_events import TeamEvent


def test_every_account_has_a_rehearsal_key_and_a_variable_for_the_official_one(tmp_path: Path) -> None:
    assert set(secret_files.rehearsal_keys(tmp_path)) == set(ACCOUNTS) == set(KEY_VARIABLES)


def test_a_folder_of_an_earlier_version_keeps_its_rehearsal_keys_and_gets_the_new_ones(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "rehearsal_keys").write_text(json.dumps({"stripe": "sk_test_rehearsal_old"}))

    keys = secret_files.rehearsal_keys(tmp_path)

    assert keys["stripe"] == "sk_test_rehearsal_old"
    assert keys["twilio"].startswith("rehearsal_twilio_")
    assert secret_files.rehearsal_keys(tmp_path) == keys


def test_what_was_given_of_an_account_reaches_the_process_that_saves_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"TWILIO_AUTH_TOKEN": "0123456789abcdef", "TWILIO_ACCOUNT_SID": "AC" + "0a" * 16, "TWILIO_FROM_NUMBER": "+14155550100"}
    given |= {"STRIPE_WEBHOOK_SECRET": "whsec_given", "GITHUB_WEBHOOK_SECRET": "given for GitHub"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    wishes = StackSettings()

    assert wishes.provider_environment() == given
    assert wishes.provider_fields()["stripe"] == {"webhook_secret": "whsec_given"}
    assert wishes.webhook_secrets()["github"] == "given for GitHub"
    assert wishes.provider_fields()["twilio"] == {
        "account_sid": "AC" + "0a" * 16,
        "from_number": "+14155550100",
        "messaging_service_sid": None,
    }


def test_the_hooks_of_repositories_are_given_as_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"GITHUB_TOKEN": "github_pat_11ABCDEF", "GITHUB_HOOKS": "example/shop/12, example/site/34"}.items():
        monkeypatch.setenv(name, value)

    wishes = StackSettings()
    account = GitHubAccount(api_key=wishes.provider_keys()["github"], **wishes.provider_fields()["github"])

    assert [str(hook) for hook in account.watched_hooks] == ["example/shop/12", "example/site/34"]
    with pytest.raises(ValidationError, match="hooks"):
        GitHubAccount(api_key="github_pat_11ABCDEF", hooks=("example/shop",))


def test_what_a_stack_was_given_reaches_its_processes_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {
        "approvers": ("slack:U0ADA",),
        "parcel": ParcelSize(length_cm=1, width_cm=2, height_cm=3, weight_g=4),
        "team_channels": {TeamEvent.ATTENTION: "C0CALL"},
        "time_scale": 0.5,
    }
    given = GivenSettings(**wanted, gateway_key="hub_secret")

    for name, value in given.as_environment().items():
        monkeypatch.setenv(name, value)

    read = Settings()
    assert {name: getattr(read, name) for name in wanted} == wanted
    assert read.gateway_key == given.gateway_key
