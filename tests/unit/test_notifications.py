"""Every kind of notification stands in one table, reads well to whom it is for, and keeps what that person wants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError
from pydantic import ValidationError

import hub
from deployments.command_line import app
from deployments.previews import WORDS, example_of, preview_of
from hub.composing import compose
from hub.effects import step_of
from hub.messages import Mail
from hub.notification_model import Channel, NotificationType, Recipient
from hub.notification_steps import CARRIERS
from hub.notification_types import (
    APPROVAL_ASKED,
    APPROVAL_DECLINED,
    ATTENTION,
    BULLETIN,
    CONFIRMATION_TEXT,
    GREETINGS,
    LATE_MONEY,
    MAILS,
    ORDER_CONFIRMATION,
    SHIPPED,
    TYPES,
    VERIFICATION,
    WELCOME,
    WELCOME_TEXT,
)
from hub.order_steps import ORDER_STEPS
from hub.release_steps import RELEASE_STEPS
from hub.settings import Settings
from hub.signup_facets import NOTIFICATIONS
from hub.signup_steps import SIGNUP_STEPS
from hub.steps import HOUR, Step
from hub.team_events import TeamEvent

TEMPLATES = Path(hub.__file__).parent / "templates"
HOSTILE = '<script>alert("1")</script>'
EVERY = pytest.mark.parametrize("what", TYPES.values(), ids=TYPES)
EVERY_MAIL = pytest.mark.parametrize("what", MAILS, ids=lambda what: what.name)
SHOWN_ANEW = {"update", "show", "answered"}  # what was sent says something else from then on
NOTIFYING = {carrier.provider for carrier in CARRIERS.values()}


@EVERY
def test_every_notification_reads_without_a_gap_in_every_form_that_its_channel_has(what: NotificationType) -> None:
    preview = preview_of(what)

    assert preview.text.strip()
    assert (preview.html is not None) == (what.channel is Channel.MAIL)
    assert not [body for body in (preview.text, preview.html or "") if "{" in body]


def test_a_mail_is_useful_for_a_day_a_text_for_two_hours_and_a_message_to_the_team_for_one_unless_only_it_tells() -> None:
    hours = {what.name: what.useful_seconds / HOUR for what in TYPES.values() if what is not BULLETIN}
    only_it_tells = {LATE_MONEY.name, ATTENTION.name, APPROVAL_ASKED.name, APPROVAL_DECLINED.name} | {
        name for name in hours if name.endswith("_untold")
    }
    usual = {Channel.MAIL: 24, Channel.SMS: 2, Channel.SLACK: 1}

    assert hours == {name: 24 if name in only_it_tells else usual[TYPES[name].channel] for name in hours}


@EVERY
def test_every_notification_is_a_step_of_its_kinds_by_the_carrier_of_its_channel(what: NotificationType) -> None:
    for kind in what.kinds:
        step = step_of(kind, what.step)
        carrier = CARRIERS[what.channel]
        assert (step.provider, step.result, step.useful_seconds) == (carrier.provider, carrier.answer, what.useful_seconds)
    if what.fallback is not None:
        assert what.fallback.kinds == what.kinds
        assert step_of(what.kinds[0], what.fallback.step).owed_request is not None


@pytest.mark.parametrize(("kind", "steps"), [("order", ORDER_STEPS), ("signup", SIGNUP_STEPS), ("release", RELEASE_STEPS)])
def test_nothing_is_sent_that_the_table_does_not_know(kind: str, steps: dict[str, Step]) -> None:
    known = {what.step.partition(".")[0] for what in TYPES.values() if kind in what.kinds}

    assert {name for name, step in steps.items() if step.provider in NOTIFYING and name not in SHOWN_ANEW} == known


def test_every_template_belongs_to_a_type() -> None:
    endings = {Channel.MAIL: (".txt", ".html"), Channel.SMS: (".txt",), Channel.SLACK: (".txt",)}
    belonging = {f"{what.template}{ending}" for what in TYPES.values() for ending in endings[what.channel]}

    assert {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.*")} == belonging


def test_a_sign_up_reports_each_of_its_greetings() -> None:
    assert set(GREETINGS) == set(NOTIFICATIONS)


@EVERY_MAIL
def test_every_mail_names_the_person_in_both_bodies_and_says_whose_it_is(what: NotificationType) -> None:
    subject = example_of(what.kinds[0])

    mail = compose(what, subject, **WORDS)

    assert isinstance(mail, Mail)
    assert (mail.to_email, mail.to_name) == (subject.recipient.email, subject.recipient.name)
    assert mail.metadata == {"hub_id": str(subject.hub_id), f"{subject.kind}_id": subject.id, "correlation_id": subject.correlation_id}
    assert subject.recipient.name in mail.text
    assert subject.recipient.name in mail.html


@pytest.mark.parametrize("what", [mail for mail in MAILS if "order" in mail.kinds], ids=lambda what: what.name)
def test_every_mail_about_an_order_names_the_order_and_the_money(what: NotificationType) -> None:
    mail = compose(what, example_of("order"), **WORDS)

    assert isinstance(mail, Mail)
    assert "o-1001" in mail.subject
    for body in (mail.text, mail.html):
        assert not [word for word in ("o-1001", "100.00 USD") if word not in body]


@EVERY_MAIL
def test_a_hostile_customer_stays_text(what: NotificationType) -> None:
    hostile: dict[str, Any] = {
        "order": {
            "customer": {"email": "eve@example.com", "name": HOSTILE},
            "shipping": {"address": '"><img src=x>', "city": "<b>", "state": "CA", "zip": "94105"},
            "items": [{"productId": "<i>sku</i>", "quantity": 1, "price": 100}],
        },
        "signup": {"fullName": HOSTILE},
    }
    kind = what.kinds[0]

    mail = compose(what, example_of(kind, **hostile[kind]), **{**WORDS, "tracking_number": "<u>1Z</u>"})

    assert isinstance(mail, Mail)
    assert not [tag for tag in ("<script", "<img", "<i>", "<u>") if tag in mail.html]
    assert "&lt;script&gt;" in mail.html
    assert HOSTILE in mail.text


def test_the_confirmation_tells_what_comes_where_and_how_to_follow_it() -> None:
    mail = compose(ORDER_CONFIRMATION, example_of("order"), tracking_number="1Z999")

    assert isinstance(mail, Mail)
    for body in (mail.text, mail.html):
        assert not [word for word in ("prod-123", "123 Main St", "94105 San Francisco", "1Z999") if word not in body]


def test_a_letter_with_a_gap_is_not_written() -> None:
    with pytest.raises(UndefinedError):
        compose(ORDER_CONFIRMATION, example_of("order"))


def test_a_shipment_without_a_number_is_told_without_one() -> None:
    mail = compose(SHIPPED, example_of("order"), tracking_number=None)

    assert isinstance(mail, Mail)
    assert "on its way" in mail.text
    assert "tracking number" not in mail.text + mail.html


@pytest.mark.parametrize(
    ("what", "refuses", "phone", "suits"),
    [
        (WELCOME, [], None, True),
        (WELCOME, ["email_notifications"], None, False),
        (WELCOME, ["sms_notifications"], None, True),
        (VERIFICATION, [], "+12025550123", True),
        (VERIFICATION, [], None, False),
        (VERIFICATION, ["sms_notifications"], "+12025550123", False),
        (WELCOME_TEXT, ["sms_notifications"], "+12025550123", False),
        (WELCOME_TEXT, ["newsletter"], "+12025550123", True),
        (CONFIRMATION_TEXT, [], "+12025550123", True),
        (CONFIRMATION_TEXT, [], None, False),
    ],
)
def test_who_said_no_or_has_no_phone_is_left_alone(what: NotificationType, refuses: list[str], phone: str | None, suits: bool) -> None:
    recipient = Recipient(email="ada@example.com", name="Ada", phone=phone, refuses=frozenset(refuses))

    assert what.suits(recipient) is suits


def test_what_a_new_user_did_not_ask_for_is_refused() -> None:
    asked = example_of("signup", preferences={"sms_notifications": False}).recipient

    assert asked.refuses == {"newsletter", "sms_notifications"}
    assert example_of("order").recipient.refuses == frozenset()


def test_the_command_lists_every_type_and_prints_a_preview(capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for arguments in (["list"], ["preview", "shipped"], ["preview", "shipped", "--html"]):
        with pytest.raises(SystemExit, match="0"):
            app(["notifications", *arguments])
        said.append(capsys.readouterr().out)
    listed, text, html = said

    assert not [name for name in TYPES if f" {name} " not in listed]
    assert text.startswith("Subject: Your order o-1001 is on its way")
    assert "<p>Hello Test Customer,</p>" in html


def test_each_kind_of_event_has_the_channel_that_it_was_given_and_the_others_the_teams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_TEAM_CHANNELS", '{"attention": "C0CALL"}')

    read = Settings()

    assert {event: read.channel_for(event) for event in TeamEvent} == {
        event: "C0CALL" if event is TeamEvent.ATTENTION else "C0HUBTEAM" for event in TeamEvent
    }
    assert {what.event for what in TYPES.values() if what.channel is Channel.SLACK} == set(TeamEvent)


@pytest.mark.parametrize(("channels", "said"), [('{"orders": "C0CALL"}', "'order', 'confirmation'"), ('{"order": "#sales"}', "pattern")])
def test_a_kind_that_does_not_exist_and_a_channels_name_stop_the_hub(monkeypatch: pytest.MonkeyPatch, channels: str, said: str) -> None:
    monkeypatch.setenv("HUB_TEAM_CHANNELS", channels)

    with pytest.raises(ValidationError, match=said):
        Settings()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["nonsense"], "hub notifications list"), (["verification", "--html"], "plain text")],
)
def test_a_preview_that_cannot_be_is_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1"):
        app(["notifications", "preview", *arguments])

    assert said in capsys.readouterr().err
