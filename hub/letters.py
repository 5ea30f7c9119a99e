"""The words of our mails, as templates in ``hub/templates``: a plain text and an HTML body for each."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from hub.messages import Mail
from hub.orders import Order

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
