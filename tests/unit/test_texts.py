"""A text to a customer: whom it may go to, and how it is found again."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hub.messages import TextRequest, text_reference


def test_a_reference_is_short_and_another_one_for_every_effect_and_hub() -> None:
    keys = [
        f"{hub}:{kind}:{step}:1" for hub in ("h-1", "h-2") for kind in ("order:o-1", "signup:o-1") for step in ("text", "text.2", "late")
    ]
    references = {text_reference(key) for key in keys}

    assert len(references) == len(keys)
    assert all(reference.startswith("Ref o-1.") for reference in references)
    assert all(len(reference) == len("Ref o-1.") + 6 for reference in references)
    assert len(text_reference(f"h-1:order:{'o' * 64}:text:1")) < 50


@pytest.mark.parametrize("number", ["", "4155550123", "+1 415 555 0123", "+0123456789", "+1415555012x", "+" + "1" * 16])
def test_a_number_that_is_not_as_the_world_writes_it_is_never_sent(number: str) -> None:
    with pytest.raises(ValidationError):
        TextRequest(to=number, text="Your order o-1 is on its way.")
