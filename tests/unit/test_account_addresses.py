from __future__ import annotations

import pytest
from pydantic import ValidationError

from blocks.github_account import GitHubAccount
from blocks.profile_service import ProfileService
from blocks.provider_account import ProviderAccount
from blocks.sendgrid_account import SendGridAccount
from blocks.shippo_account import ShippoAccount
from blocks.slack_account import SlackAccount
from blocks.stripe_account import StripeAccount
from blocks.twilio_account import TwilioAccount
from blocks.warehouse import Warehouse

ACCOUNTS: tuple[type[ProviderAccount], ...] = (
    StripeAccount,
    SendGridAccount,
    ShippoAccount,
    SlackAccount,
    TwilioAccount,
    ProfileService,
    GitHubAccount,
    Warehouse,
)
REHEARSAL_KEYS = {
    "stripe": "sk_test_rehearsal_1",
    "sendgrid": "SG.rehearsal.abc",
    "shippo": "shippo_test_rehearsal_1",
    "twilio": "rehearsal_twilio_1",
    "profiles": "profiles_rehearsal_1",
    "github": "github_pat_rehearsal_1",
    "slack": "xoxb-rehearsal-1",
    "warehouse": "whsec_cmVoZWFyc2Fs",
}
LIVE_KEYS = {
    "stripe": "rk_live_51abcdef",
    "sendgrid": "SG.abc.defghijk",
    "shippo": "shippo_live_abcdef",
    "slack": "xoxb-1-2-abcdef",
    "twilio": "0123456789abcdef",
    "profiles": "prf_0123456789",
    "github": "github_pat_11ABCDEF",
    "warehouse": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
LOOPBACKS = ("http://127.0.0.1:8700/x", "http://localhost:8700/x", "http://[::1]:8700/x", "http://127.8.9.10/x", "https://localhost/x")


def an_account(kind: type[ProviderAccount], key: str, base_url: str | None = None, *, allow_other_host: bool = False) -> ProviderAccount:
    fields = {"api_key": key, "allow_other_host": allow_other_host}
    if base_url is not None:
        fields["base_url"] = base_url
    if kind is SendGridAccount:
        fields["from_email"] = "orders@example.com"
    if kind in (ProfileService, Warehouse) and base_url is None:
        fields |= {"base_url": "https://ours.example.com", "allow_other_host": True}
    if kind is TwilioAccount:
        fields |= {"account_sid": "AC" + "0a" * 16, "from_number": "+15005550006"}
    return kind(**fields)


@pytest.mark.parametrize("kind", ACCOUNTS)
def test_an_account_goes_to_the_providers_official_host_unless_told_otherwise(kind: type[ProviderAccount]) -> None:
    account = an_account(kind, LIVE_KEYS[kind.provider])

    assert account.mode == "live"
    assert account.base_url.startswith("https://")


@pytest.mark.parametrize("kind", ACCOUNTS)
@pytest.mark.parametrize("address", LOOPBACKS)
def test_a_rehearsal_plays_on_this_machine(kind: type[ProviderAccount], address: str) -> None:
    assert an_account(kind, REHEARSAL_KEYS[kind.provider], address).mode == "rehearsal"


@pytest.mark.parametrize("kind", ACCOUNTS)
@pytest.mark.parametrize("address", LOOPBACKS)
@pytest.mark.parametrize("allow_other_host", [False, True])
def test_a_live_key_never_goes_to_this_machine(kind: type[ProviderAccount], address: str, *, allow_other_host: bool) -> None:
    with pytest.raises(ValidationError, match="a live key"):
        an_account(kind, LIVE_KEYS[kind.provider], address, allow_other_host=allow_other_host)


@pytest.mark.parametrize("kind", ACCOUNTS)
def test_a_live_key_never_goes_to_http(kind: type[ProviderAccount]) -> None:
    with pytest.raises(ValidationError, match="never goes to http"):
        an_account(kind, LIVE_KEYS[kind.provider], "http://proxy.example.com", allow_other_host=True)


@pytest.mark.parametrize("kind", ACCOUNTS)
@pytest.mark.parametrize(
    "address",
    [
        "https://api.example.com",
        "https://api.stripe.com.example.com",
        "https://localhost.example.com",
        "https://127.0.0.1.example.com",
        "https://2130706433",
        "https://api.stripe.com:8443",
        "http://api.stripe.com",
        "https://slack.com:444/api",
    ],
)
def test_another_host_must_be_allowed_by_name(kind: type[ProviderAccount], address: str) -> None:
    with pytest.raises(ValidationError, match="allow_other_host"):
        an_account(kind, REHEARSAL_KEYS[kind.provider], address)

    assert an_account(kind, REHEARSAL_KEYS[kind.provider], address, allow_other_host=True).mode == "rehearsal"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "api.stripe.com",
        "ftp://api.stripe.com",
        "https://",
        "https://user:password@api.stripe.com",
        "https://api.stripe.com@example.com",
        "https://api.stripe.com?to=example.com",
        "https://api.stripe.com#fragment",
        "https://api.stripe.com:notaport",
        "https://api.stripe.com:0",
        "https://api.stripe.com\n.example.com",
        "https://api.strіpe.com",  # noqa: RUF001 - a Cyrillic letter, as somebody with bad intentions would use
    ],
)
@pytest.mark.parametrize("allow_other_host", [False, True])
def test_what_is_no_plain_address_is_refused(address: str, *, allow_other_host: bool) -> None:
    with pytest.raises(ValidationError):
        an_account(StripeAccount, REHEARSAL_KEYS["stripe"], address, allow_other_host=allow_other_host)


@pytest.mark.parametrize("kind", ACCOUNTS)
@pytest.mark.parametrize("key", ["", "short", "sk_test_with a blank", "sk_test_with_a_line_break\n", "sk_test_\u00e4\u00f6\u00fc_xyz"])
def test_what_cannot_be_a_key_is_refused(kind: type[ProviderAccount], key: str) -> None:
    with pytest.raises(ValidationError):
        an_account(kind, key)


@pytest.mark.parametrize("kind", ACCOUNTS)
def test_a_complaint_about_an_account_does_not_show_its_key(kind: type[ProviderAccount]) -> None:
    with pytest.raises(ValidationError) as complaint:
        an_account(kind, LIVE_KEYS[kind.provider], "http://127.0.0.1:8700")

    assert LIVE_KEYS[kind.provider] not in f"{complaint.value!s}{complaint.value!r}{complaint.value.errors(include_input=False)}"


@pytest.mark.parametrize("kind", ACCOUNTS)
def test_an_account_does_not_show_its_key(kind: type[ProviderAccount]) -> None:
    account = an_account(kind, LIVE_KEYS[kind.provider])

    assert LIVE_KEYS[kind.provider] not in f"{account!s}{account!r}{account.model_dump_json()}"


@pytest.mark.parametrize(
    ("kind", "key", "mode"),
    [
        (StripeAccount, "sk_test_51abcdef", "test"),
        (StripeAccount, "rk_test_51abcdef", "test"),
        (StripeAccount, "sk_live_51abcdef", "live"),
        (StripeAccount, "something_unheard_of", "live"),
        (ShippoAccount, "shippo_test_abcdef", "test"),
        (ShippoAccount, "0123456789abcdef", "live"),
        (SlackAccount, "xoxb-1-2-abcdef", "live"),
        (SendGridAccount, "SG.abc.defghijk", "live"),
        (TwilioAccount, "0123456789abcdef", "live"),
    ],
)
def test_a_key_that_is_not_known_to_be_harmless_counts_as_live(kind: type[ProviderAccount], key: str, mode: str) -> None:
    assert an_account(kind, key).mode == mode


def test_each_account_has_a_block_type_of_its_own_that_never_changes() -> None:
    assert [kind.get_block_type_slug() for kind in ACCOUNTS] == [
        "hub-stripe-account",
        "hub-sendgrid-account",
        "hub-shippo-account",
        "hub-slack-account",
        "hub-twilio-account",
        "hub-profile-service",
        "hub-github-account",
        "hub-warehouse",
    ]


def test_two_webhook_secrets_are_valid_during_a_rotation() -> None:
    account = StripeAccount(api_key="sk_test_51abcdef", webhook_secret="whsec_new_one", previous_webhook_secret="whsec_old_one")

    assert [secret.get_secret_value() for secret in account.webhook_secrets] == ["whsec_new_one", "whsec_old_one"]


def test_an_empty_webhook_secret_cannot_be_typed() -> None:
    with pytest.raises(ValidationError):
        StripeAccount(api_key="sk_test_51abcdef", webhook_secret="")
