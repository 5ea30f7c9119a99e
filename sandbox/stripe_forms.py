"""Stripe's way of sending parameters: forms with brackets, for bodies and queries alike, and what it says about wrong ones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from sandbox.calls import Answer, Rejected

_KEY = re.compile(r"^(?P<name>[^\[\]]+)(?P<rest>(?:\[[^\[\]]*\])*)$")
# Parameters that are not one plain value.
_STRUCTURED = frozenset(
    {
        *("address", "automatic_payment_methods", "created", "mandate_data", "metadata", "payment_method_options"),
        *("payment_method_types", "shipping", "types"),
    }
)
_TRUE, _FALSE = ("true", "True", "1"), ("false", "False", "0")


def parse_form(text: str) -> dict[str, Any]:
    """
    Return nested parameters: ``a[b]=1`` is ``{"a": {"b": "1"}}``, ``a[]=1`` and ``a[0]=1`` are ``{"a": ["1"]}``.

    Raises:
        Rejected: A name is not a name with brackets.
    """
    tree: dict[str, Any] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        if not (found := _KEY.match(key)):
            raise invalid(f"Invalid parameter name: {key}")
        names = [found["name"], *re.findall(r"\[([^\[\]]*)\]", found["rest"])]
        node = tree
        for name in names[:-1]:
            node = node.setdefault(name, {})
            if not isinstance(node, dict):
                raise invalid(f"Invalid {names[0]}: both a value and a hash", param=names[0])
        node[names[-1] or str(len(node))] = value
    return {name: value if name == "metadata" else _with_lists(value) for name, value in tree.items()}


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(item) for name, item in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [item for _, item in sorted(inner.items(), key=lambda pair: int(pair[0]))]
    return inner


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400, **more: Any) -> Rejected:
    """Return Stripe's ``invalid_request_error``, to be raised."""
    named = {"code": code, "param": param, **more}
    error = {"message": message, "type": "invalid_request_error"} | {name: value for name, value in named.items() if value is not None}
    if code is not None:
        error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
    return Rejected(Answer(status, {"error": error}))


def missing(kind: str, identity: str, *, param: str = "intent", status: int = 404) -> Rejected:
    """Return Stripe's "No such ..." error; 404 for the object of the path, 400 for one that a parameter names."""
    return invalid(f"No such {kind}: '{identity}'", param=param, code="resource_missing", status=status)


def check_names(values: dict[str, Any], known: Iterable[str]) -> None:
    """
    Pass when every top-level parameter is one of ``known``, and a plain value where Stripe wants one.

    Raises:
        Rejected: Stripe does not know one of them, or cannot read its value.
    """
    for name, value in values.items():
        if name == "expand":
            continue
        if name not in {*known}:
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
        if name not in _STRUCTURED and not isinstance(value, str):
            raise invalid(f"Invalid string: {value}", param=name)


def whole_number(values: dict[str, Any], name: str, *, default: int | None = None, least: int = 1, most: int = 99_999_999) -> int:
    """
    Return an integer parameter.

    Raises:
        Rejected: It is missing without a default, not a whole number, or out of range.
    """
    text = values.get(name)
    if text is None or text == "":
        if default is None:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
        return default
    if not isinstance(text, str) or not re.fullmatch(r"-?\d{1,15}", text):
        raise invalid(f"Invalid integer: {text}", param=name, code="parameter_invalid_integer")
    if (number := int(text)) < least:
        raise invalid(f"This value must be greater than or equal to {least}.", param=name, code="parameter_invalid_integer")
    if number > most:
        code = "amount_too_large" if name.startswith("amount") else "parameter_invalid_integer"
        raise invalid(f"This value must be less than or equal to {most}.", param=name, code=code)
    return number


def yes_or_no(values: dict[str, Any], name: str) -> bool:
    """
    Return a boolean parameter, False when it is missing.

    Raises:
        Rejected: It is neither true nor false.
    """
    text = values.get(name, "false")
    if text not in (*_TRUE, *_FALSE):
        raise invalid(f"Invalid boolean: {text}", param=name)
    return text in _TRUE


def one_of(values: dict[str, Any], name: str, choices: tuple[str, ...], default: str | None = None) -> str | None:
    """
    Return a parameter with a fixed set of values.

    Raises:
        Rejected: It is something else.
    """
    value = values.get(name, default)
    if value is not None and value not in choices:
        raise invalid(f"Invalid {name}: must be one of {', '.join(choices)}", param=name)
    return None if value is None else str(value)


def metadata_of(values: dict[str, Any]) -> dict[str, str]:
    """
    Return the metadata of a request: up to 50 keys of 40 and values of 500 characters.

    Raises:
        Rejected: It is something else, or too long.

    Source: https://docs.stripe.com/metadata
    """
    metadata = values.get("metadata") or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise invalid("Invalid hash", param="metadata")
    if len(metadata) > 50:  # noqa: PLR2004 - Stripe's limits, see Source
        raise invalid("You can have at most 50 metadata keys.", param="metadata")
    for name, value in metadata.items():
        if len(name) > 40 or len(value) > 500:  # noqa: PLR2004 - likewise
            raise invalid("Metadata keys can be up to 40 characters, values up to 500 characters.", param=f"metadata[{name}]")
    return {name: value for name, value in metadata.items() if value}
