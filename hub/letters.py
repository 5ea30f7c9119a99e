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
    return mail(template, subject, (customer.email, customer.name), order.reference, words)


def mail(template: str, subject: str, to: tuple[str, str], reference: dict[str, str], words: dict[str, Any]) -> Mail:
    """Return the mail that ``template`` makes of ``words``; ``to`` is an address and a name."""
    return Mail(
        to_email=to[0],
        to_name=to[1],
        subject=subject,
        text=_templates.get_template(f"{template}.txt").render(words),
        html=_templates.get_template(f"{template}.html").render(words),
        metadata=reference,
    )


def words_of(template: str, **words: Any) -> str:
    """Return the plain text that ``template`` makes of ``words``."""
    return _templates.get_template(f"{template}.txt").render(words).strip()


def text_instead_of(step: str, order: Order) -> TextRequest | None:
    """Return the text that says what the mail of ``step`` could not; None for a customer without a phone or a mail without such words."""
    customer, template = order.request.customer, f"texts/{step}.txt"
    if customer.phone is None or template not in _templates.list_templates():
        return None
    words = _templates.get_template(template).render(order=order).strip()
    return TextRequest(
        to=customer.phone, text=words, status_callback=f"{settings().webhooks_base_url}/webhooks/twilio", metadata=order.reference
    )
