"""Every error of ours comes back from a pickle as it was, because Prefect carries them that way, and says nothing of a provider's words."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from typing import Any

import pytest

import hub
from hub.errors import LeftTooLate, Misconfigured, NobodyKnows, NotSent, OutcomeUnknown, ProviderError, RateLimited, Refused

EXAMPLES: dict[str, Any] = {
    "Exception": OSError(2),
    "str": "o-1",
    "float": 1.5,
    "int": 2,
    "bool": True,
    "list[str]": ["shipping.zip"],
    "tuple[str, ...]": ("a",),
}
PROVIDER_ERRORS = [
    NotSent("stripe", "take the payment", "connection refused"),
    LeftTooLate("stripe", "take the payment", "connection refused"),
    RateLimited("stripe", "take the payment", "rate_limit, req_1", 7.5),
    RateLimited("stripe", "take the payment", "rate_limit"),
    OutcomeUnknown("shippo", "buy the label", "HTTP 502"),
    OutcomeUnknown("stripe", "take the payment", "idempotency_error", same_key_is_useless=True),
    NobodyKnows("sendgrid", "mail the customer", "it may have happened"),
    Misconfigured("slack", "tell the team", "invalid_auth"),
    Refused("stripe", "take the payment", "card_declined, req_1", "card_declined", "pi_1"),
    Refused("shippo", "buy the label", "no rates", code="no_rates"),
]


def errors_of_ours() -> list[type[Exception]]:
    modules = [importlib.import_module(f"hub.{found.name}") for found in pkgutil.iter_modules(hub.__path__) if found.name != "migrations"]
    classes = [
        thing for module in modules for thing in vars(module).values() if inspect.isclass(thing) and thing.__module__ == module.__name__
    ]
    return [thing for thing in classes if issubclass(thing, Exception) and thing.__name__[0] != "_"]


def an_example_of(kind: type[Exception]) -> Exception:
    """Return ``kind`` made from what its constructor asks for."""
    if kind.__init__ is Exception.__init__:
        return kind("o-1")
    wanted = list(inspect.signature(kind.__init__).parameters.values())[1:]
    return kind(*(EXAMPLES[str(one.annotation).removesuffix(" | None")] for one in wanted))


def through_a_pickle(error: Exception) -> Any:
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes


@pytest.mark.parametrize("error", [*PROVIDER_ERRORS, *map(an_example_of, errors_of_ours())], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("way", [through_a_pickle, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_an_error_comes_back_as_it_was(error: Exception, way: Any) -> None:
    again = way(error)

    assert type(again) is type(error)
    assert (again.args, vars(again), str(again)) == (error.args, vars(error), str(error))


def test_every_way_to_fail_is_tried_here() -> None:
    assert {type(error) for error in PROVIDER_ERRORS} == {kind for kind in errors_of_ours() if issubclass(kind, ProviderError)} - {
        ProviderError
    }


@pytest.mark.parametrize("error", PROVIDER_ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_reads_as_a_sentence_of_our_words_and_nothing_else(error: ProviderError) -> None:
    assert str(error) == f"{error.provider} could not {error.action}: {error.reason}"


def test_errors_are_sorted_by_what_may_have_happened() -> None:
    families = {kind: kind.__bases__[0] for kind in (NotSent, RateLimited, OutcomeUnknown, Misconfigured, Refused)}

    assert families == {
        NotSent: ProviderError,
        RateLimited: NotSent,
        OutcomeUnknown: ProviderError,
        Misconfigured: ProviderError,
        Refused: ProviderError,
    }
