"""`hub doctor`."""


def doctor() -> None:
    """x"""
