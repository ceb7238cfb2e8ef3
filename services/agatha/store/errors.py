"""What can go wrong in the store, sorted by consequence: wait and retry, or stop and explain.

    StoreError
     ├── StoreUnavailable     transient: database down, locked or too slow to answer
     ├── StorageFull          transient: no room for another instance file
     ├── ComparisonOutdated   transient: a report was compared with a score that is no longer the current one
     ├── SchemaMismatch       permanent: tables are missing or of another version; migrate first
     ├── StatementRefused     permanent: a constraint or type refused a statement; a defect, not a circumstance
     ├── UnsupportedStorage   permanent: a database or storage URL of a kind that is not served
     ├── InvalidStorageKey    permanent: a key that would leave the storage folder
     ├── InvalidCursor        permanent: a page cursor that was not handed out here
     └── NotFound             permanent: no row with that id

Messages hold no attribute value of a patient, study or instance: they may be logged.
"""


class StoreError(Exception):
    """Root of everything the store raises on purpose."""


class StoreUnavailable(StoreError):
    """The database cannot be reached, is locked, or did not answer in time. The same call may succeed later."""


class StorageFull(StoreError):
    """The file system has no room (ENOSPC, EDQUOT). Transient; nothing half-written is left behind."""


class ComparisonOutdated(StoreError):
    """The study's other score changed after a report had been compared with it. Write the report again."""


class SchemaMismatch(StoreError):
    """A table or column is missing: the database was not migrated by this version; run ``agatha db upgrade``."""


class StatementRefused(StoreError):
    """The database refused a statement for what it says. Waiting does not help; a state or a value was wrong."""


class UnsupportedStorage(StoreError, ValueError):
    """A database or storage URL whose kind is not served."""


class InvalidStorageKey(StoreError, ValueError):
    """A storage key that is empty, absolute or climbs out of the storage folder."""


class InvalidCursor(StoreError, ValueError):
    """A page cursor that this store never handed out."""


class NotFound(StoreError, LookupError):
    """No row with the given id."""
