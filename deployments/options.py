"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

Flag = Annotated[bool, Parameter(negative="")]
AsJson = Annotated[bool, Parameter(name="--json", negative="")]
Happened = Annotated[bool, Parameter(negative="--did-not-happen")]
Limit = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=200))]
RequestFile = Annotated[Path | None, Parameter(allow_leading_hyphen=True)]
"""A file with a request; `-`, which is standard input, looks like the beginning of another option."""
