"""What the demo shows of sign-ups: the tutorial's, one that wants texts, and one without payment gateway and SMS service."""

from __future__ import annotations

from collections import Counter
from typing import Any

from deployments.demo_scenes import Demo, Scene, scene_of
from deployments.examples import EXAMPLE_SIGNUP
from deployments.signup_commands import reported

COMPLETE = Counter({"profiles.profile": 1, "stripe.charge": 1, "sendgrid.mail": 2})
TEXTS = {"preferences": {"newsletter": True, "sms_notifications": True}}
GATEWAY_TIMEOUT = "Failed to process payment: Payment gateway timeout"
NO_TEXTS = "Failed to send notifications: SMS service unavailable"


async def registered(demo: Demo, signup_id: str) -> Scene:
    """The tutorial's sign-up: a profile, a payment, two mails, and no text, because none is wanted."""
    return await _signed_up(demo, signup_id, "a sign-up that wants no texts", expected=COMPLETE, status="COMPLETE")


async def texted(demo: Demo, signup_id: str) -> Scene:
    """The same of somebody who wants texts: three notifications."""
    expected = COMPLETE + Counter({"twilio.text": 1})
    return await _signed_up(demo, signup_id, "a sign-up that wants texts", expected=expected, status="COMPLETE", **TEXTS)


async def partly_failed(demo: Demo, signup_id: str) -> Scene:
    """The payment gateway does not answer in time, the SMS account is suspended; the rest happens, and the report says what did not."""
    what, expected = "a sign-up without payment gateway and SMS service", Counter({"profiles.profile": 1, "sendgrid.mail": 1})
    async with (
        demo.sandbox.trouble("stripe", "create payment", "drop", subject=signup_id),
        demo.sandbox.trouble("twilio", "send text", "status", status=403, subject=signup_id),
    ):
        scene = await _signed_up(demo, signup_id, what, expected=expected, status="PARTIAL", **TEXTS)
    scene.ok = scene.ok and scene.view["errors"] == [GATEWAY_TIMEOUT, NO_TEXTS]
    return scene


async def _signed_up(demo: Demo, signup_id: str, what: str, *, expected: Counter[str], status: str, **changes: Any) -> Scene:
    """Place the tutorial's sign-up under a mail address of its own, and return the scene once there is a report."""
    person = {**EXAMPLE_SIGNUP, "email": f"test.user+{signup_id}@example.com", **changes}
    await demo.gateway.ask("PUT", f"/signups/{signup_id}", person)
    view = await reported(demo.gateway, signup_id)
    scene = await scene_of(demo, what, view, expected=expected, status=status)
    told = [f"{sent['type']} by {sent['channel']}" for sent in view["notificationsSent"]]
    scene.notes = [f"told: {', '.join(told)}", *view["errors"]]
    return scene
