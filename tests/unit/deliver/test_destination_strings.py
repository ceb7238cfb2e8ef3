"""A destination is written in one line; a mistake in it is explained."""

import pytest

from agatha.deliver import Destination, InvalidDestination, parse_destination


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("PACS=ARCHIVE@pacs.example:11112", Destination("PACS", "ARCHIVE", "pacs.example", 11112)),
        ("ARCHIVE@10.0.0.7:104", Destination("ARCHIVE", "ARCHIVE", "10.0.0.7", 104)),
        ("  main=MY PACS@host:1  ", Destination("main", "MY PACS", "host", 1)),
        ("v6=ARCHIVE@[2001:db8::1]:104", Destination("v6", "ARCHIVE", "2001:db8::1", 104)),
        ("odd=A@B@host:104", Destination("odd", "A@B", "host", 104)),
    ],
)
def test_a_destination_is_understood(written: str, expected: Destination) -> None:
    assert parse_destination(written) == expected


@pytest.mark.parametrize("written", ["PACS=ARCHIVE@pacs.example:11112", "v6=ARCHIVE@[2001:db8::1]:104"])
def test_a_destination_reads_back_what_it_shows(written: str) -> None:
    assert str(parse_destination(written)) == written


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("", "no '@'"),
        ("host:104", "no '@'"),
        ("PACS=@host:104", "AE title"),
        ("PACS=SEVENTEEN_LETTERS@host:104", "AE title"),
        ("PACS=BACK\\SLASH@host:104", "AE title"),
        ("PACS=ÄRCHIV@host:104", "AE title"),
        ("PACS=ARCHIVE@:104", "no host"),
        ("PACS=ARCHIVE@host", "port is missing"),
        ("PACS=ARCHIVE@host:", "port is missing"),
        ("PACS=ARCHIVE@host:dicom", "not a number"),
        ("PACS=ARCHIVE@host:0", "not a number from 1"),
        ("PACS=ARCHIVE@host:65536", "not a number from 1"),
        ("PACS=ARCHIVE@host:١٠٤", "not a number"),
        ("=ARCHIVE@host:104", "name"),
        ("two words=ARCHIVE@host:104", "name"),
    ],
)
def test_a_mistake_is_named_and_the_form_shown(written: str, complaint: str) -> None:
    with pytest.raises(InvalidDestination, match=complaint) as caught:
        parse_destination(written)
    assert "AETITLE@host:port" in str(caught.value)
