"""What may be decided about a warm worker, from the environment and ``.env``."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

WARM = "hub-warm"
LAST_WORDS_SECONDS = 8.0
"""How long the end may take after the patience with the runs is over: handing them back, sending the last logs and events."""


class WorkerSettings(BaseSettings):
    """The warm worker's settings; each field is ``HUB_WORKER_<NAME>`` in the environment."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="HUB_WORKER_", env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    limit: int = Field(default=64, ge=1, description="Runs that one process has in flight at most.")
    janitor_queue: str = Field(default="janitor", description="Work queue whose runs find a place even when the limit is reached.")
    janitor_places: int = Field(default=4, ge=1, description="How many places above the limit are kept for that queue.")
    stop_seconds: float = Field(default=10, ge=0, description="How long a stopping worker lets its runs finish before it hands them back.")
    memory_mb: int = Field(default=1024, ge=128, description="Resident memory above which the worker takes no more runs and is replaced.")
    drain_seconds: float = Field(default=60, ge=0, description="How long runs may finish when the worker is replaced for its memory.")
    stall_seconds: float = Field(default=60, ge=2, description="A worker whose event loop stands still for longer is killed and replaced.")
    idle_seconds: float = Field(
        default=5, ge=0.1, description="The longest pause between two looks for work; news, and a run that is due, end it at once."
    )
