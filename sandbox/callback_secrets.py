"""What the sandbox signs with: a file of secrets by provider, read again whenever it changes."""

from __future__ import annotations

import json
from pathlib import Path


class CallbackSecrets:
    """The secrets in ``file``, a JSON object; without a file, or without an entry, a provider has none."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._known: dict[str, str] = {}

    def of(self, provider: str) -> str | None:
        """
        Return the provider's secret as the file has it now, or None.

        Raises:
            OSError: There is no such file, or it may not be read.
            ValueError: It is not a JSON object.
        """
        if self._file is None:
            return None
        status = self._file.stat()
        if (seen := (status.st_mtime_ns, status.st_ino)) != self._seen:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            if not isinstance(found, dict):
                raise ValueError("the file of webhook secrets is not a JSON object")
            self._known, self._seen = found, seen
        return self._known.get(provider) or None
