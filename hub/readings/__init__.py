"""
Readings: pure functions that turn a provider's event into our news. Nothing here does any I/O.

``reading_of(provider, kind)`` finds one. Every module here called ``…_events`` is found by itself: adding events is such a module, and a
sample of each event in tests/samples (docs/extending.md).
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from hub.readings.news import Address, News, Reference, Unreadable
from hub.readings.registry import Reading, all_readings, kinds_that_matter, reading_of, reads

__all__ = ["Address", "News", "Reading", "Reference", "Unreadable", "all_readings", "kinds_that_matter", "reading_of", "reads"]

for _found in iter_modules(__path__):
    if _found.name.endswith("_events"):
        import_module(f"{__name__}.{_found.name}")
