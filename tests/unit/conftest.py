"""Unit tests need nothing and are quick: property tests try 60 examples, the same ones every time, and no deadline makes them flaky."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unit", max_examples=60, deadline=None, derandomize=True, database=None)
settings.load_profile("unit")
