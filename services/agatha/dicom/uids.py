"""UIDs of the objects Agatha writes, derived from what they are made of.

Decides that the same inputs, model bundle and configuration give the same UIDs, and that any difference in one of them
gives others. Knows nothing of the objects themselves.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping

#: Root of everything Agatha identifies on its own; a UUID-derived UID (PS3.5 section B.2), fixed for the product.
SERVICE_ROOT_UID = "2.25.266026107262623493302879332310371393051"

#: Version of the key below. Raising it changes every UID, so it changes only with the layout of the key.
KEY_VERSION = "v1"

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, SERVICE_ROOT_UID)


def derive_uid(kind: str, part: str, src_digest: str, bundle_version: str, config_digest: str) -> str:
    """UID of one part of one output.

    Parameters
    ----------
    kind
        Kind of object, e.g. ``"sr"``, with the analysis it belongs to where one series can have several.
    part
        What of it: ``series``, ``instance``, ``dimorg``, ``trk:<vessel>:<rank>``, ``device``, …
    src_digest, bundle_version, config_digest
        What the output was made of: source instances, model and product version, configuration.

    Returns
    -------
    str
        ``2.25.`` and a decimal UUID: at most 44 characters (PS3.5 section B.2).

    Raises
    ------
    ValueError
        If ``kind`` or ``part`` is empty or a value holds ``|``, which would make two keys look alike.
    """
    values = (KEY_VERSION, kind, part, src_digest, bundle_version, config_digest)
    if not kind or not part:
        raise ValueError("kind and part of a derived UID must not be empty")
    if any("|" in value for value in values):
        raise ValueError("a value of a UID key holds the separator '|'")
    return f"2.25.{uuid.uuid5(_NAMESPACE, '|'.join(values)).int}"


def src_digest(sop_instances: Iterable[tuple[str, int | None]]) -> str:
    """SHA-256 (hex) of the instances a volume was really built from, in any order.

    Parameters
    ----------
    sop_instances
        SOP Instance UID and frame number (counted from 1 as in DICOM), or None for a single-frame instance.
    """
    names = sorted(uid if frame is None else f"{uid}#{frame}" for uid, frame in sop_instances)
    return hashlib.sha256("\n".join(names).encode("ascii")).hexdigest()


def config_digest(configuration: Mapping[str, object]) -> str:
    """SHA-256 (hex) of the settings that can change an output; the order of the keys does not matter.

    Raises
    ------
    TypeError
        If a value has no JSON form: its text would differ between two runs.
    """
    text = json.dumps(dict(configuration), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
