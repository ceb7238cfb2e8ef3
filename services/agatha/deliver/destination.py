"""Where to send: a peer's AE title, host and port, and how a person writes them down.

Decides what a destination string may look like. It does not decide whether anybody listens there.
"""

import re
from dataclasses import dataclass
from typing import Final

# PS3.5 Section 6.2, VR AE: 1 to 16 characters of the default repertoire without backslash and control characters,
# leading and trailing spaces not significant.
AE_TITLE: Final = re.compile(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# "@" may stand in an AE title, never in a host: the last one separates. An IPv6 address is written in brackets.
WRITTEN: Final = re.compile(
    r"(?:(?P<name>[^=@]*)=)?(?P<ae_title>.*)@(?P<host>\[[^\]@]*\]|[^@:\s]*)(?::(?P<port>[^@:\s]*))?", re.DOTALL
)
PORTS: Final = range(1, 65536)
FORM: Final = "write [NAME=]AETITLE@host:port, for example PACS=ARCHIVE@pacs.hospital.example:11112"


class InvalidDestination(ValueError):
    """A destination string that cannot be understood; the message says which part and what was expected."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One C-STORE peer and how long it may take.

    Parameters
    ----------
    name
        How rows, logs and people call it; never its address.
    connect_timeout_s
        TCP connection.
    associate_timeout_s
        From the A-ASSOCIATE-RQ to its answer (the ARTIM timer of PS3.8 Section 9.1.5).
    response_timeout_s
        From the last byte of an instance to its C-STORE response; also how long the peer may stop reading.
    """

    name: str
    ae_title: str
    host: str
    port: int
    connect_timeout_s: float = 10.0
    associate_timeout_s: float = 30.0
    response_timeout_s: float = 60.0

    def __str__(self) -> str:
        """Return the form that `parse_destination` reads."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.name}={self.ae_title}@{host}:{self.port}"


def parse_destination(written: str) -> Destination:
    """Read ``NAME=AETITLE@host:port`` or ``AETITLE@host:port``; without a name the AE title is the name.

    Raises
    ------
    InvalidDestination
        When a part is missing or out of range.
    """
    match = WRITTEN.fullmatch(written.strip())
    if match is None:
        raise InvalidDestination(f"{written!r} has no '@' between AE title and host; {FORM}")
    ae_title, host = match["ae_title"].strip(), match["host"].strip("[]")
    if not AE_TITLE.fullmatch(ae_title):
        raise InvalidDestination(
            f"AE title {ae_title!r} must be 1 to 16 printable ASCII characters, no backslash; {FORM}"
        )
    if not host:
        raise InvalidDestination(f"{written!r} has no host after the '@'; {FORM}")
    name = ae_title if match["name"] is None else match["name"].strip()
    if match["name"] is not None and not NAME.fullmatch(name):
        raise InvalidDestination(f"name {name!r} must be 1 to 64 letters, digits, dots, dashes or underscores; {FORM}")
    return Destination(name=name, ae_title=ae_title, host=host, port=_port(match["port"]))


def _port(written: str | None) -> int:
    if not written:
        raise InvalidDestination(f"the port is missing (DICOM has no safe default); {FORM}")
    if not written.isascii() or not written.isdigit() or int(written) not in PORTS:
        raise InvalidDestination(f"port {written!r} is not a number from 1 to 65535; {FORM}")
    return int(written)
