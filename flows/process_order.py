"""An order, from the shelf to the customer: the main process."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from hub.composing import has_channel_of_its_own
from hub.decisions import LOOK_AGAIN_SECONDS, Undoing, announce, finish_undo, need_attention, refund_failed, what_is_undone
from hub.effects import Effect, Parked
from hub.errors import Refused
from hub.facets import HoldFacet, ParcelFacet, PaymentFacet, Status, rank
from hub.fulfilling import ticket_of
from hub.notification_types import TEAM_CONFIRMATION, TEAM_SHIPPED
from hub.orders import Order, OrderId, OrderRequest, OrderResult
from hub.owed import owed_effects
from hub.parcels import Label
from hub.payments import PaymentStatus, RefundStatus
from hub.settings import settings
from hub.team_threads import update_of
from tasks.claiming import claimed
from tasks.courtesies import courtesies
from tasks.mailing import mail_confirmation, mail_delivery, mail_money_back, mail_refund, mail_shipment
from tasks.payments import (
    cancel_earlier_payment,
    expire_payment,
    refund_as_asked,
    refund_late_money,
    refund_payment,
    stop_payment,
    take_payment,
)
from tasks.shipping import buy_label, quote_parcel, void_labels
from tasks.stock import release_stock, reserve_stock
from tasks.team import (
    OWED_TO_TEAM,
    call_attention,
    show_order,
    tell_of_confirmation,
    tell_of_failed_payment,
    tell_of_shipment,
    tell_of_undoing,
    tell_team,
)
from tasks.texting import text_instead
from tasks.timeline import publish_timeline
from tasks.warehouse import cancel_pick_ticket, schedule_pickup, send_pick_ticket


@flow(name="process-order", flow_run_name="order {order_id}", persist_result=True, on_completion=[publish_timeline])
async def process_order(
    order_id: OrderId, order: OrderRequest | None = None, attempt: Annotated[int | None, Field(ge=1)] = None
) -> OrderResult:
    """
    Charge the customer, buy the label, tell the customer, the team and the warehouse.

    Safe to start again at any time: what was done is not done twice, and what became due since is done now. Nobody waits here for the
    customer or the parcel; the next fact starts the next run.

    Args:
        order_id: Letters, digits, dot, underscore and dash; at most 64.
        order: The whole order, when it was not placed through the gateway before. Prefect stores what is typed here.
        attempt: After a failed payment, the number of the next attempt: one above the last.
    """
    async with claimed(order_id, order, attempt) as held:
        await go_on(held.subject)
    return await held.ending()  # type: ignore[return-value]  # Prefect takes the result out of the state


async def go_on(order: Order) -> None:
    """Do what is due of the order now, and let the team see how far that has brought it."""
    if order.rests:
        return
    if await pay_debts(order):
        await go_further(order)
    await show(order)


async def go_further(order: Order) -> None:
    """Do what the order's status asks for."""
    if order.status in (Status.NEEDS_ATTENTION, Status.DISPUTED):
        await courtesies(attention=call_attention(order))
        await tell_of_parcel(order, order.tracking_number)
    elif order.facets.hold is HoldFacet.UNDOING:
        await undo(order, "taken up again")
    elif order.facets.hold is HoldFacet.NONE and order.facets.payment is not PaymentFacet.REFUNDED:
        await fulfil(order)
    elif order.facets.hold is HoldFacet.UNDONE:
        await tell_everybody(order, await what_is_undone(order))  # as far as somebody could not be told at the time
    else:
        await tell_of_parcel(order, order.tracking_number)


async def pay_debts(order: Order) -> bool:
    """
    Do what facts and people have made necessary since: give money back, call an unfinished payment off, text where a mail bounced.

    False when a person has to look before the order goes on.
    """
    for owed in await owed_effects(order):
        match owed.what.name:
            case "refund":
                try:
                    await refund_as_asked(order, owed)
                except Refused as refusal:
                    await refund_failed(order, owed, str(refusal))
                    await courtesies(attention=call_attention(order))
                    return False
            case "money-back-mail":
                await courtesies(mail=mail_money_back(order, owed))
            case "late-refund":
                await refund_late_money(order, owed)
            case "expire-payment":
                await expire_payment(order, owed)
            case "text":
                await courtesies(text=text_instead(order, owed))
            case step if step in OWED_TO_TEAM:
                await courtesies(team=OWED_TO_TEAM[step](order, owed))
            case "void" if order.facets.hold is not HoldFacet.UNDOING:  # else it belongs to the undoing
                await give_labels_back(order)
            case "pickup" if order.status is Status.PACKED:  # else it has gone already, or is not to go
                await send_for(order, owed)
    return True


async def fulfil(order: Order) -> None:
    """Bring the order as far as it goes today."""
    if (await reserve_stock(order)).missing:
        return
    try:
        payment = None
        if order.earlier_payment_id is not None:
            payment = await cancel_earlier_payment(order, order.earlier_payment_id)
        if payment is None or payment.status in (PaymentStatus.CANCELED, PaymentStatus.FAILED):
            payment = await take_payment(order)
    except Refused as refusal:
        await release_stock(order)
        await courtesies(alert=tell_of_failed_payment(order, str(refusal)))
        return
    if payment.status is not PaymentStatus.SUCCEEDED:
        return
    try:
        label = await buy_label(order, await quote_parcel(order))
    except Refused as refusal:
        await undo(order, str(refusal))
        return
    told: dict[str, Awaitable[Any]] = {"mail": mail_confirmation(order, label), "team": tell_team(order, label.tracking_number)}
    if has_channel_of_its_own(TEAM_CONFIRMATION):
        told["confirmation"] = tell_of_confirmation(order, label.tracking_number)
    await announce(order, await courtesies(**told))
    await tell_warehouse(order, label)
    await tell_of_parcel(order, label.tracking_number)


async def tell_warehouse(order: Order, label: Label) -> None:
    """Have the warehouse pack the parcel, where it is the hub that says so. A ticket that it does not take is for a person."""
    if not settings().pick_tickets or rank(order.facets.parcel) >= rank(ParcelFacet.PACKED):
        return
    try:
        await send_pick_ticket(order, label)
    except Refused:
        await courtesies(attention=call_attention(order))


async def send_for(order: Order, owed: Effect) -> None:
    """Have the carrier come for the packed parcel. When it does not, a person sees to that."""
    try:
        await schedule_pickup(order, owed)
    except Refused:
        await courtesies(attention=call_attention(order))


async def tell_of_parcel(order: Order, tracking_number: str | None) -> None:
    """Tell that the parcel is on its way, or that it has arrived, also while a person has to look at something else."""
    if order.facets.hold is not HoldFacet.NONE:
        return
    match order.facets.parcel:
        case ParcelFacet.IN_TRANSIT:
            told = {"shipped": mail_shipment(order, tracking_number)}
            if has_channel_of_its_own(TEAM_SHIPPED):
                told["team"] = tell_of_shipment(order, tracking_number)
            await courtesies(**told)
        case ParcelFacet.DELIVERED:
            await courtesies(delivered=mail_delivery(order))


async def undo(order: Order, because: str) -> None:
    """Stop the payment, or give it back, and the goods and the label; tell everybody. Safe to repeat until it is done."""
    try:
        if order.earlier_payment_id is not None:
            await cancel_earlier_payment(order, order.earlier_payment_id)
        await stop_payment(order)
        refund = await refund_payment(order, because)
    except Refused as refusal:
        await need_attention(order, str(refusal))
        await courtesies(attention=call_attention(order))
        await take_back(order)
        return
    await release_stock(order)
    await tell_everybody(order, await what_is_undone(order))
    await take_back(order)
    if refund is not None and refund.status is RefundStatus.PENDING:
        await show(order)
        raise Parked(LOOK_AGAIN_SECONDS * settings().time_scale, "the refund is under way")
    await finish_undo(order)


async def tell_everybody(order: Order, undoing: Undoing) -> None:
    """Tell the team that the order is undone, and the customer when money goes back."""
    packed = "; it is packed: keep the parcel from the carrier and unpack it" if undoing.parcel is ParcelFacet.PACKED else ""
    comes = "" if undoing.pickup is None else f"; call the pick-up ({undoing.pickup}) off at the carrier, nobody else can"
    status = Status.REFUNDING if undoing.paid else Status.CANCELLING
    told = {"alert": tell_of_undoing(order, undoing.because + packed + comes, status)}
    if undoing.paid:
        told["mail"] = mail_refund(order, refused=undoing.parcel is ParcelFacet.REFUSED)
    await courtesies(**told)


async def show(order: Order) -> None:
    """Let the order's message in Slack say how far the order is, unless it does."""
    if (update := await update_of(order)) is not None:
        await courtesies(team=show_order(order, update))


async def take_back(order: Order) -> None:
    """Let the warehouse keep the parcel back, and give its label back. Where the parcel has left, a person sees to it."""
    if (ticket := await ticket_of(order)) is not None:
        try:
            await cancel_pick_ticket(order, ticket)
        except Refused:
            await courtesies(attention=call_attention(order))
    await give_labels_back(order)


async def give_labels_back(order: Order) -> None:
    """Give back labels that are not used. One that its carrier does not take back is for a person; nothing else waits for that."""
    try:
        await void_labels(order)
    except Refused:
        await courtesies(attention=call_attention(order))
