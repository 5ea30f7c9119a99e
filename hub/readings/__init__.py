"""
Readings: pure functions that turn a provider's event into our news. Nothing here does any I/O.

``reading_of(provider, kind)`` finds one. Adding a provider is a module here, two lines below, and a sample of each event in tests/samples.
"""

from __future__ import annotations

from hub.readings import (
    custom_events,
    github_events,
    sendgrid_events,
    shippo_events,
    slack_events,
    stripe_events,
    twilio_events,
)
from hub.readings.news import Address, News, Reference, Unreadable
from hub.readings.registry import Reading, all_readings, kinds_that_matter, reading_of, reads

__all__ = ["PROVIDERS", "Address", "News", "Reading", "Reference", "Unreadable", "all_readings", "kinds_that_matter", "reading_of", "reads"]

_MODULES = (custom_events, github_events, sendgrid_events, shippo_events, slack_events, stripe_events, twilio_events)
PROVIDERS = tuple(module.PROVIDER for module in _MODULES)
