"""Every signature that a provider has published opens its door, and not one byte of it can be changed."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import WebhookSignature

from gateway.openers.delivery import Delivery, NotGenuine
from gateway.openers.registry import OPENERS
from hub.settings import settings


class Published:
    """An example from a provider's documentation or SDK: what was sent, the secret, and when it was sent."""

    def __init__(
        self, provider: str, secret: str, body: bytes, at: float = 1.0, target: tuple[str, str] = ("/", ""), **headers: str
    ) -> None:
        self.provider, self.secret = provider, secret
        pairs = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
        self.delivery = Delivery(body, pairs, *target, received_at=at)

    def opens(self, **changes: object) -> bool:
        try:
            OPENERS[self.provider].open(replace(self.delivery, **changes), [self.secret])  # type: ignore[arg-type]  # a test's changes
        except NotGenuine:
            return False
        return True


STRIPE_BODY = '{\n  "id": "evt_test_webhook",\n  "object": "event"\n}'
SLACK_COMMAND = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
TWILIO_FIELDS = {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309", "To": "+18005551212"}
SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/1FwCM/QmGUhA=="
)
SENDGRID_SIGNATURE = "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0="

# Sources: Stripe's SDK (its own signer, and the payload of its test suite) · https://docs.slack.dev/authentication/verifying-requests-from-slack
# · https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation ·
# test/test_eventwebhook.py of sendgrid-python · https://www.twilio.com/docs/usage/security#validating-requests ·
# the test suites of https://github.com/standard-webhooks/standard-webhooks. Shippo publishes no example with its secret.
PUBLISHED = {
    "stripe": Published(
        "stripe",
        "whsec_test_secret",
        STRIPE_BODY.encode(),
        at=1614265330,
        stripe_signature=WebhookSignature.generate_signature_header(STRIPE_BODY, "whsec_test_secret", 1614265330),
    ),
    "slack": Published(
        "slack",
        "8f742231b10e8888abcd99yyyzzz85a5",
        SLACK_COMMAND,
        at=1531420618,
        x_slack_request_timestamp="1531420618",
        x_slack_signature="v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    ),
    "github": Published(
        "github",
        "It's a Secret to Everybody",
        b"Hello, World!",
        x_hub_signature_256="sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        x_github_event="ping",
        x_github_delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958",
    ),
    "sendgrid": Published(
        "sendgrid",
        SENDGRID_KEY,
        b'{"category":"example_payload","event":"test_event","message_id":"message_id"}',
        x_twilio_email_event_webhook_signature=SENDGRID_SIGNATURE,
        x_twilio_email_event_webhook_timestamp="1588788367",
    ),
    "twilio": Published(
        "twilio",
        "12345",
        urlencode(TWILIO_FIELDS).encode(),
        target=("/myapp.php", "foo=1&bar=2"),
        x_twilio_signature="RSOYDt4T1cUTdK1PDd93/VVr8B8=",
    ),
    "custom": Published(
        "custom",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        b'{"test": 2432232314}',
        at=1614265330,
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        webhook_timestamp="1614265330",
        webhook_signature="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
}
NOT_SIGNED = {b"x-github-event", b"x-github-delivery"}  # GitHub signs the body alone


@pytest.fixture(autouse=True, scope="module")
def _twilios_example_is_at_its_own_address() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_PUBLIC_URL", "https://mycompany.com")
        settings.cache_clear()
        yield
    settings.cache_clear()


def changed(text: bytes) -> Iterator[bytes]:
    """``text`` with one byte changed, at every place, and with one left out."""
    for place, byte in enumerate(text):
        yield text[:place] + bytes([byte ^ 1]) + text[place + 1 :]
        yield text[:place] + text[place + 1 :]


@pytest.mark.parametrize("example", PUBLISHED.values(), ids=PUBLISHED)
def test_the_published_example_opens(example: Published) -> None:
    assert example.opens()


@pytest.mark.parametrize("example", PUBLISHED.values(), ids=PUBLISHED)
def test_no_byte_of_the_body_can_be_changed(example: Published) -> None:
    assert not [body for body in changed(example.delivery.body) if example.opens(body=body)]


@pytest.mark.parametrize("example", PUBLISHED.values(), ids=PUBLISHED)
def test_no_byte_of_what_is_signed_can_be_changed_in_the_headers(example: Published) -> None:
    headers = list(example.delivery.headers)
    wrong = [
        other
        for place, (name, value) in enumerate(headers)
        if name not in NOT_SIGNED
        for other in changed(value)
        if example.opens(headers=[*headers[:place], (name, other), *headers[place + 1 :]])
    ]

    assert not wrong


@pytest.mark.parametrize("example", PUBLISHED.values(), ids=PUBLISHED)
def test_a_header_that_is_missing_or_given_twice_or_not_ascii_proves_nothing(example: Published) -> None:
    headers = list(example.delivery.headers)
    for place, (name, value) in enumerate(headers):
        others = headers[:place] + headers[place + 1 :]
        for trick in ([], [(name, value)] * 2, [(name, value), (name, b"x")], [(name, b"")], [(name, value + "é".encode("latin-1"))]):
            assert not example.opens(headers=[*others, *trick]), (name, trick)


@pytest.mark.parametrize("example", PUBLISHED.values(), ids=PUBLISHED)
def test_another_secret_or_an_empty_one_does_not_open(example: Published) -> None:
    opener = OPENERS[example.provider]
    for secrets in ([], [""], [example.secret + "x"], [base64.b64encode(b"another").decode()]):
        with pytest.raises(NotGenuine):
            opener.open(example.delivery, secrets)
    assert opener.open(example.delivery, ["another secret", example.secret])


@pytest.mark.parametrize("provider", ["stripe", "slack", "custom"])
@pytest.mark.parametrize("seconds", [-301, 301, 10**9, -(10**9)])
def test_what_was_signed_too_long_ago_or_in_the_future_does_not_open(provider: str, seconds: int) -> None:
    example = PUBLISHED[provider]

    assert not example.opens(received_at=example.delivery.received_at + seconds)
    assert example.opens(received_at=example.delivery.received_at + (300 if seconds > 0 else -300))


def test_several_signatures_are_given_while_a_sender_changes_its_secret() -> None:
    example = PUBLISHED["custom"]
    headers = dict(example.delivery.headers)
    good = headers[b"webhook-signature"]
    for given_ in (b"v1,bm90IHRoaXMgb25l " + good, good + b" v1a,ZWQyNTUxOQ==", b"v2,x v1, " + good):
        assert example.opens(headers=[*(headers | {b"webhook-signature": given_}).items()])
    for given_ in (good.replace(b"v1,", b"v2,"), good.replace(b"v1,", b""), good.replace(b"v1,", b",")):
        assert not example.opens(headers=[*(headers | {b"webhook-signature": given_}).items()])


def test_the_order_of_a_forms_fields_is_twilios_own_business() -> None:
    backwards = urlencode(dict(reversed(TWILIO_FIELDS.items()))).encode()

    assert PUBLISHED["twilio"].opens(body=backwards)
    assert not PUBLISHED["twilio"].opens(query="bar=2&foo=1")


def test_twilio_may_name_the_port_or_not() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_PUBLIC_URL", "https://mycompany.com:443/")
        settings.cache_clear()
        assert PUBLISHED["twilio"].opens()
    settings.cache_clear()


def test_sendgrids_date_and_body_cannot_be_cut_elsewhere() -> None:
    example = PUBLISHED["sendgrid"]
    headers = [(name, value[:-1] if name.endswith(b"timestamp") else value) for name, value in example.delivery.headers]

    assert not example.opens(headers=headers, body=b"7" + example.delivery.body)


def test_shippos_token_counts_only_where_the_account_says_so() -> None:
    shippo = OPENERS["shippo"]
    delivery = Delivery(b'{"event":"track_updated","data":{"object_id":"1"}}', [], "/webhooks/shippo", "token=s%2Becret-token", 1.0)

    assert len(shippo.open(delivery, ["s+ecret-token"], by_token=True).notices) == 1
    with pytest.raises(NotGenuine):
        shippo.open(delivery, ["s+ecret-token"])
    for query in ("", "token=", "token=other", "token=s%2Becret-token&token=s%2Becret-token", "token=%ff", "x=" + "&x=" * 30):
        with pytest.raises(NotGenuine):
            shippo.open(replace(delivery, query=query), ["s+ecret-token"], by_token=True)


headers_of_anybody = st.lists(
    st.tuples(
        st.sampled_from([name for example in PUBLISHED.values() for name, _ in example.delivery.headers] + [b"shippo-auth-signature"]),
        st.one_of(
            st.binary(max_size=80), st.sampled_from([b"t=1,v1=00", b"t=,v1=", b"v0=", b"sha256=", b"v1,", b"1614265330", b"9" * 5000])
        ),
    ),
    max_size=6,
)


@given(
    provider=st.sampled_from(sorted(OPENERS)),
    body=st.binary(max_size=200),
    headers=headers_of_anybody,
    query=st.text(max_size=50),
    secret=st.text(max_size=40),
)
def test_nothing_that_anybody_sends_opens_or_breaks_a_door(
    provider: str, body: bytes, headers: list[tuple[bytes, bytes]], query: str, secret: str
) -> None:
    with pytest.raises(NotGenuine):
        OPENERS[provider].open(Delivery(body, headers, f"/webhooks/{provider}", query, 1614265330.0), [secret])
