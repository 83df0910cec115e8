"""Quotes leave the analysis (in the report, and to a model if one is used): hide what identifies a person."""

import re

MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
NUMBER = re.compile(r"\+?\d(?:[ ./-]?\d){7,}")  # phone, card and account numbers: eight digits or more


def mask(text: str) -> str:
    """Mail addresses and long numbers become [mail] and [number]. Names can't be found so simply, and stay."""
    return NUMBER.sub("[number]", MAIL.sub("[mail]", text))
