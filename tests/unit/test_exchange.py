from __future__ import annotations

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.exchange import TEXT_LIMIT, Exchange, SendWindowClosed, current_exchange, exchanging, redacted

AROUND = st.sampled_from(["", " ", "Your card: ", '{"message": "', "to=<", "(", "error, ", "\n", "é "])
BEHIND = st.sampled_from(["", " ", '", "code": 3}', ">", ")", ", try again", "\n", ";"])
ALPHANUMERIC = st.text(string.ascii_letters + string.digits, min_size=8, max_size=60)
PREFIXES = [
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "pk_test_",
    "whsec_",
    "xoxb-",
    "xapp-",
    "SG.",
    "shippo_live_",
    "hub_",
    "ghp_",
    "github_pat_",
    "Bearer ",
]


@given(before=AROUND, mail=st.emails(), behind=BEHIND)
def test_no_mail_address_survives(before: str, mail: str, behind: str) -> None:
    assert mail not in redacted(f"{before}{mail}{behind}")
    assert "@" not in redacted(f"{before}bob.builder@{mail.partition('@')[2]}{behind}")


@pytest.mark.parametrize(
    "mail", ["bob@localhost", "bob@exämple.рф", "bob%40example.com", "bob\\u0040example.com", "bob&#64;example.com", "b@[10.1.2.3]"]
)
def test_no_mail_address_in_disguise_survives(mail: str) -> None:
    assert redacted(f'no account "{mail}" here') == 'no account "[mail]" here'


@given(before=AROUND, prefix=st.sampled_from(PREFIXES), secret=ALPHANUMERIC, behind=BEHIND)
def test_no_key_survives(before: str, prefix: str, secret: str, behind: str) -> None:
    assert secret not in redacted(f"{before}{prefix}{secret}{behind}")


@pytest.mark.parametrize(
    "text",
    ["key_sk_live_abcdef123456", "pi_3Oq_secret_abcdefgh", "Basic aHViOnNlY3JldGFiYw==", "SG.abcdefgh.ijklmnop", "token=xoxb-12-ab-abcdef"],
)
def test_no_key_in_company_survives(text: str) -> None:
    assert not [word for word in ("abcdef", "aHVi", "ijklmnop") if word in redacted(f"Invalid API key: {text}")]


@given(
    before=AROUND, digits=st.text(string.digits, min_size=8, max_size=19), gap=st.sampled_from(["", " ", "-", ".", "\u00a0"]), behind=BEHIND
)
def test_no_long_number_survives(before: str, digits: str, gap: str, behind: str) -> None:
    number = gap.join(digits[place : place + 4] for place in range(0, len(digits), 4))

    assert number not in redacted(f"{before}{number}{behind}")
    assert not [one for one in redacted(f"{before}{number}{behind}").removesuffix(behind) if one in string.digits]


@given(st.text())
def test_what_remains_is_short_and_redacted_for_good(text: str) -> None:
    assert len(redacted(text)) <= TEXT_LIMIT
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize("text", ["Your card was declined.", "No such payment_intent", "rate limit: 100 per second", ""])
def test_what_is_harmless_stays(text: str) -> None:
    assert redacted(text) == text


@given(st.integers(3900, 4100))
def test_an_address_at_the_edge_of_what_is_read_does_not_survive_by_half(filling: int) -> None:
    remains = redacted(
        "[mail] x@y.z " * (filling // 13) + "k" * (filling % 13) + ' bob.builder@example.com and 4242 4242 4242 4242, "' + "z" * 600
    )

    assert not [part for part in ("bob", "4242") if part in remains]


@pytest.mark.parametrize("piece", ["a", "1", "@", "a@", "1 ", "%40", "sk_", "pi_secret_", "Bearer ", " ", "+1-"])
def test_a_megabyte_of_anything_does_not_hold_up_the_event_loop(piece: str) -> None:
    begin = time.perf_counter()
    redacted(piece * (1_000_000 // len(piece)))
    redacted(piece * (3_999 // len(piece)) + '"')

    assert time.perf_counter() - begin < 0.5


def test_after_the_send_window_nothing_may_be_written() -> None:
    late = Exchange(send_by=time.monotonic() - 1)

    with pytest.raises(SendWindowClosed):
        late.about_to_write()
    assert not late.sent


def test_an_exchange_is_current_inside_of_its_block_only() -> None:
    mine = Exchange()
    with exchanging(mine):
        current_exchange().about_to_write()
        current_exchange().answered(402, "req_1")
        current_exchange().said("declined for bob@example.com")

    assert (mine.sent, mine.http_status, mine.request_id, mine.provider_text) == (True, 402, "req_1", "declined for [mail]")
    assert current_exchange() is not mine


def test_a_second_request_forgets_the_answer_to_the_first() -> None:
    exchange = Exchange()
    exchange.about_to_write()
    exchange.answered(200, "req_1")

    exchange.about_to_write()

    assert (exchange.http_status, exchange.request_id) == (None, None)
