"""How a value becomes a column on both databases: moments in UTC, text without what a database refuses, plain JSON.

Decides the representation only: SQLite keeps no time zone and PostgreSQL refuses NUL in text; neither is seen outside.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, timezone-aware on the Python side, UTC in the database. A naive datetime is refused with ValueError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; SQLite stores it without zone, in text that sorts as time does."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("expected a timezone-aware datetime, got a naive one")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text of any length. NUL is dropped and a lone surrogate becomes "?": a hostile value must not stop a C-STORE."""

    impl = String()
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - same on both
        """Return an exact `str` (an enum member would be adapted by its name) that both databases accept."""
        return None if value is None else clean_text(value)

    def process_literal_param(self, value: str | None, dialect: Dialect) -> str:
        """Render a literal, as the CHECK constraints of the states need it."""
        literal: Callable[[Any], str] | None = self.impl_instance.literal_processor(dialect)
        if literal is None or value is None:
            raise ValueError("a text literal needs a value and a dialect that renders it")
        return literal(value)


def clean_text(value: str) -> str:
    """Return `value` without what UTF-8 or PostgreSQL cannot hold."""
    text = str.__str__(value)
    if "\x00" in text:
        text = text.replace("\x00", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
