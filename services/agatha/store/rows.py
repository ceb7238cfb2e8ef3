"""Rows and records: selecting exactly the columns of a record, writing where a row may exist, one clock.

Decides how statements are phrased on both databases; what they mean is said by the modules named after the tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import ColumnElement, Connection, Select, Table, Update, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute

from agatha.store.tables import Base

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Record = TypeVar("Record", bound=DataclassInstance)
else:
    Record = TypeVar("Record")

Column = ColumnElement[Any] | InstrumentedAttribute[Any]


def utc_now() -> datetime:
    """Return the moment."""
    return datetime.now(UTC)


def table_of(entity: type[Base]) -> Table:
    """Return the table behind a declarative class."""
    return cast(Table, entity.__table__)


def select_record(record: type[Record], entity: type[Base], **elsewhere: Column) -> Select[Any]:
    """Return a SELECT of the columns that `record` names, from `entity` except for those given in `elsewhere`."""
    columns = (elsewhere.get(field.name, getattr(entity, field.name, None)) for field in fields(record))
    labels = (field.name for field in fields(record))
    return select(*(column.label(label) for column, label in zip(columns, labels, strict=True) if column is not None))


class Unit:
    """What every group of queries shares: the connection of its unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _all(self, record: type[Record], statement: Select[Any]) -> list[Record]:
        return [record(**row._mapping) for row in self._connection.execute(statement)]

    def _first(self, record: type[Record], statement: Select[Any]) -> Record | None:
        row = self._connection.execute(statement).first()
        return None if row is None else record(**row._mapping)

    def _update(self, statement: Update) -> int:
        """Execute and return how many rows were changed."""
        return self._connection.execute(statement).rowcount

    def _insert(self, entity: type[Base], values: Mapping[str, Any]) -> int:
        """Insert one row and return its id."""
        table = table_of(entity)
        return int(self._connection.execute(table.insert().values(**values).returning(table.c.id)).scalar_one())

    def _insert_if_absent(self, entity: type[Base], values: Mapping[str, Any]) -> int | None:
        """Insert one row and return its id; None when a unique key is taken, also by a concurrent transaction."""
        statement = self._upsert(entity).values(**values).on_conflict_do_nothing()
        return self._connection.execute(statement.returning(table_of(entity).c.id)).scalar_one_or_none()

    def _insert_or_update(
        self, entity: type[Base], values: Mapping[str, Any], unique: Sequence[str], updated: Mapping[str, Any]
    ) -> int:
        """Insert one row, or set `updated` on the one that holds the same `unique` columns; return its id."""
        statement = (
            self._upsert(entity).values(**values).on_conflict_do_update(index_elements=unique, set_=dict(updated))
        )
        return int(self._connection.execute(statement.returning(table_of(entity).c.id)).scalar_one())

    def _upsert(self, entity: type[Base]) -> postgresql.Insert:
        if self._connection.dialect.name == "postgresql":
            return postgresql.insert(table_of(entity))
        # The two constructs offer the same methods; only their types differ.
        return cast(postgresql.Insert, sqlite.insert(table_of(entity)))


def change(entity: type[Base]) -> Update:
    """Return an UPDATE of the entity's table."""
    return update(table_of(entity))
