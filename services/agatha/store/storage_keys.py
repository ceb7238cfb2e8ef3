"""Storage keys: where a file lies, said without a name from the network. Decides the layout below the storage folder.

Keys are relative POSIX paths made of hashes, so that no UID, however hostile, becomes part of a path.
"""

import hashlib

from agatha.store.errors import InvalidStorageKey

INCOMING = "incoming"
INSTANCES = "instances"
QUARANTINE = "quarantine"

# 128 bits of SHA-256 per path part: finding two UIDs or two contents that share one takes 2^64 attempts.
HASH_LENGTH = 32


def instance_key(study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str, sha256: str) -> str:
    """Return the key of an instance: hashes of its UIDs and of its content, so other bytes are another file."""
    study, series, sop = (hash_of(uid) for uid in (study_instance_uid, series_instance_uid, sop_instance_uid))
    return f"{INSTANCES}/{study[:2]}/{study}/{series}/{sop}-{sha256[:HASH_LENGTH]}.dcm"


def quarantine_key(name: str, sha256: str) -> str:
    """Return the key of a quarantined file."""
    hashed = hash_of(name)
    return f"{QUARANTINE}/{hashed[:2]}/{hashed}-{sha256[:HASH_LENGTH]}.dcm"


def hash_of(name: str) -> str:
    """Return a fixed-length name that holds nothing of the one it stands for."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_LENGTH]


def parts_of(key: str) -> list[str]:
    """Return the path parts of a key.

    Raises
    ------
    InvalidStorageKey
        When the key is empty, absolute, has an empty, ``.`` or ``..`` part, a backslash or a NUL.
    """
    parts = key.split("/")
    if any(part in ("", ".", "..") or "\\" in part or "\x00" in part for part in parts):
        raise InvalidStorageKey("expected a storage key made of plain path parts")
    return parts
