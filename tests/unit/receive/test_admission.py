"""Who gets in is one table: addresses, AE titles, places."""

import pytest

from agatha.receive.admission import APPLICATION_CONTEXT_NAME, AssociationRequest, Register, Rejection
from agatha.receive.config import ReceiveConfig


class Visitor:
    """A peer without a network."""

    def __init__(self, peer_address: str = "10.0.0.1") -> None:
        self.peer_address = peer_address
        self.idle_s = 0.0
        self.dropped: list[str] = []

    def drop(self, reason: str) -> None:
        self.dropped.append(reason)


def request(
    called: str = "AGATHA", calling: str = "SCANNER", application_context: str = APPLICATION_CONTEXT_NAME
) -> AssociationRequest:
    return AssociationRequest(application_context, called, calling)


@pytest.mark.parametrize(
    ("asked", "rejection", "codes"),
    [
        (request(application_context="1.2.3"), Rejection.APPLICATION_CONTEXT, (1, 1, 2)),
        (request(called="OTHER"), Rejection.CALLED_AE_TITLE, (1, 1, 7)),
        (request(called="agatha"), Rejection.CALLED_AE_TITLE, (1, 1, 7)),
        (request(calling="STRANGER"), Rejection.CALLING_AE_TITLE, (1, 1, 3)),
    ],
)
def test_a_wrong_title_is_rejected_for_good(
    asked: AssociationRequest, rejection: Rejection, codes: tuple[int, int, int]
) -> None:
    register = Register(ReceiveConfig(allowed_calling_ae_titles=("SCANNER",)))
    assert register.admit(Visitor(), asked) is rejection
    assert rejection.codes == codes
    assert register.associated() == []


def test_outer_spaces_of_titles_do_not_count() -> None:
    register = Register(ReceiveConfig(allowed_calling_ae_titles=(" SCANNER ",)))
    assert register.admit(Visitor(), request(called="AGATHA ", calling="SCANNER  ")) is None


def test_without_a_list_every_calling_title_passes() -> None:
    assert Register(ReceiveConfig()).admit(Visitor(), request(calling="ANYBODY")) is None


def test_places_are_limited_overall_and_per_peer_and_come_free() -> None:
    register = Register(ReceiveConfig(max_associations=3, max_associations_per_peer=2))
    first, second, third, fourth = Visitor(), Visitor(), Visitor(), Visitor("10.0.0.2")
    assert register.admit(first, request()) is None
    assert register.admit(second, request()) is None
    assert register.admit(third, request()) is Rejection.PEER_PLACES_TAKEN
    assert register.admit(fourth, request()) is None
    assert register.admit(Visitor("10.0.0.3"), request()) is Rejection.ALL_PLACES_TAKEN
    assert Rejection.ALL_PLACES_TAKEN.codes == Rejection.PEER_PLACES_TAKEN.codes == (2, 3, 2)
    register.leave(first)
    assert register.admit(third, request()) is None


def test_half_open_connections_take_no_place_and_the_oldest_yields() -> None:
    register = Register(ReceiveConfig(max_half_open=2, max_associations=1))
    silent = [Visitor() for _ in range(3)]
    for visitor in silent:
        register.enter(visitor)
    assert [visitor.dropped for visitor in silent] == [["half_open_limit"], [], []]
    assert register.half_open() == silent[1:]
    assert register.admit(silent[2], request()) is None
    assert register.half_open() == silent[1:2]


def test_nobody_is_admitted_while_stopping() -> None:
    register = Register(ReceiveConfig())
    register.close()
    assert register.admit(Visitor(), request()) is Rejection.SHUTTING_DOWN
    assert Rejection.SHUTTING_DOWN.codes == (2, 3, 1)


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        (("127.0.0.0/8",), "127.0.0.1", True),
        (("127.0.0.0/8",), "10.0.0.1", False),
        (("10.1.0.0/16", "10.2.3.4"), "10.2.3.4", True),
        (("10.1.0.0/16", "10.2.3.4"), "10.2.3.5", False),
        (("10.1.2.3/16",), "10.1.9.9", True),
        (("10.0.0.0/8",), "::ffff:10.0.0.1", True),
        (("10.0.0.0/8",), "::1", False),
        (("fe80::/10",), "fe80::1%eth0", True),
        ((), "127.0.0.1", False),
    ],
)
def test_addresses_are_checked_against_networks(networks: tuple[str, ...], address: str, allowed: bool) -> None:
    assert ReceiveConfig(allowed_networks=networks).allows_address(address) is allowed


def test_only_loopback_is_allowed_unless_said_otherwise() -> None:
    config = ReceiveConfig()
    assert config.allows_address("127.0.0.1")
    assert config.allows_address("::1")
    assert not config.allows_address("192.168.1.1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"ae_title": ""},
        {"ae_title": "SEVENTEEN_LETTERS"},
        {"ae_title": "BACK\\SLASH"},
        {"max_pdu_bytes": 0},
        {"max_pdu_bytes": 1 << 30},
        {"max_associations": 0},
        {"max_half_open": 0},
        {"pdu_timeout_s": 0.0},
        {"disk_reserve_bytes": -1},
        {"allowed_networks": ("not a network",)},
    ],
)
def test_senseless_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|does not appear to be"):
        ReceiveConfig(**wrong)  # type: ignore[arg-type]
