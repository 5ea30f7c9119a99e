"""Requests that people have written into files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from deployments.problems import Problem


def read_request(file: Path) -> dict[str, Any]:
    """
    Return the JSON object in ``file``; ``-`` is standard input.

    Raises:
        Problem: It cannot be read, or holds something else.
    """
    name = "standard input" if str(file) == "-" else str(file)
    try:
        body = json.loads(sys.stdin.read() if str(file) == "-" else file.read_text())
    except (OSError, ValueError) as error:
        raise Problem(f"{name} is not readable JSON: {error}") from error
    if not isinstance(body, dict):
        raise Problem(f"{name} holds no JSON object; see `hub order place --help` and `hub signup place --help`")
    return body
