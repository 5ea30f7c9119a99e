"""The words of our mails, as templates in ``hub/templates``: a plain text and an HTML body for each."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from hub.messages import Mail, TextRequest
from hub.orders import Order
from hub.settings import settings

_templates = Environment(
    loader=PackageLoader("hub"), autoescape=select_autoescape(["html"]), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def letter(template: str, subject: str, order: Order, **words: Any) -> Mail:
    """Return the mail that ``template`` makes of ``order``, to its customer."""
    customer = order.request.customer
    words = {"order": order, "customer": customer, "items": order.request.items, "shipping": order.request.shipping, **words}
    return Mail(
        to_email=customer.email,
        to_name=customer.name,
        subject=subject,
        text=_templates.get_template(f"{template}.txt").render(words),
        html=_templates.get_template(f"{template}.html").render(words),
        metadata=order.reference,
    )


def text_instead_of(step: str, order: Order) -> TextRequest | None:
    """Return the text that says what the mail of ``step`` could not; None for a customer without a phone or a mail without such words."""
    customer, template = order.request.customer, f"texts/{step}.txt"
    if customer.phone is None or template not in _templates.list_templates():
        return None
    words = _templates.get_template(template).render(order=order).strip()
    return TextRequest(
        to=customer.phone, text=words, status_callback=f"{settings().webhooks_base_url}/webhooks/twilio", metadata=order.reference
    )
