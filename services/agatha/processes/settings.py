"""Configuration: the environment variables `AGATHA_*` and nothing else. Read once, in a composition root.

Decides names, defaults and what makes no sense. Clinical constants are not here: they are code with a citation. Every
other module receives plain values.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticUseDefault
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from agatha.deliver import Destination, InvalidDestination, parse_destination
from agatha.receive.config import LOOPBACK, ReceiveConfig

PREFIX: Final = "AGATHA_"

#: Variables of the test suite, which may be set beside a service under test.
TEST_PREFIX: Final = "AGATHA_TEST_"

#: Same as agatha.infer.model_runtime.PROVIDER_ORDER, which is not imported: the listener has nothing to do with it.
KNOWN_PROVIDERS: Final = (
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "OpenVINOExecutionProvider",
    "CPUExecutionProvider",
)

GPU_PROVIDERS: Final = frozenset({"TensorrtExecutionProvider", "CUDAExecutionProvider"})

#: Same as agatha.report.SrSopClass, which is not imported: every process reads settings, few write reports.
SrSopClass = Literal["comprehensive-3d", "enhanced", "comprehensive"]

#: Same as the names in coronary.registry, which is not imported: the listener has nothing to do with science.
AnalysisName = Literal["calcium-detection", "csct-scoring", "ccta-scoring", "calcium-inpainting", "lumen-extraction"]

#: Asked for by name are lumen extraction, which writes two more series as large as the source, and the detection of
#: calcium, which gives no score.
DEFAULT_ANALYSES: Final[tuple[AnalysisName, ...]] = ("csct-scoring", "ccta-scoring", "calcium-inpainting")

#: A list is written with commas.
Words = Annotated[tuple[str, ...], NoDecode]


class ConfigurationError(Exception):
    """The configuration is incomplete or contradicts itself; the message names the variable and what was expected."""


class Settings(BaseSettings):
    """All settings; `.env.example` explains each."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    # Where things are kept. The three URLs follow from data_dir when they are not given.
    data_dir: Path = Path("data")
    database_url: SecretStr | None = None
    broker_url: SecretStr | None = None
    storage_url: str | None = None
    disk_reserve_mb: int = Field(default=1024, ge=0)

    # Receiving
    ae_title: str = "AGATHA"
    dicom_bind: str = "127.0.0.1"
    dicom_port: int = Field(default=11112, ge=0, le=65535)
    allowed_calling_ae_titles: Words = ()
    allowed_networks: Words = LOOPBACK
    max_associations: int = Field(default=32, ge=1)
    max_associations_per_peer: int = Field(default=16, ge=1)
    association_idle_timeout_s: float = Field(default=60.0, gt=0)

    # Analysing
    analyses: Annotated[tuple[AnalysisName, ...], NoDecode, Field(min_length=1)] = DEFAULT_ANALYSES
    settle_s: float = Field(default=5.0, ge=0)
    quiet_s: float = Field(default=90.0, ge=0)
    stage_limit_s: int = Field(default=600, ge=10)
    sweep_interval_s: float = Field(default=1.0, gt=0)
    providers: Words = ()
    inference_threads: int = Field(default_factory=lambda: min(os.cpu_count() or 1, 8), ge=1)
    worker_concurrency: int = Field(default=1, ge=1)
    worker_queues: Words = ("cpu", "gpu")
    analyze_queue: Literal["cpu", "gpu"] | None = None

    # Answering
    destinations: Words = ()
    sr_sop_class: SrSopClass = "comprehensive-3d"
    http_bind: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    allowed_hosts: Words = ()
    public_base_url: str | None = None
    api_token: SecretStr | None = None

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator(
        "allowed_calling_ae_titles",
        "allowed_networks",
        "analyses",
        "providers",
        "worker_queues",
        "destinations",
        "allowed_hosts",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network, strict=False)
        return value

    @field_validator("worker_queues")
    @classmethod
    def _are_queues(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not set(value) <= {"cpu", "gpu"}:
            raise ValueError("expected cpu, gpu or both")
        return value

    @field_validator("providers")
    @classmethod
    def _are_providers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(KNOWN_PROVIDERS):
            raise ValueError(f"expected names among {', '.join(KNOWN_PROVIDERS)}")
        return value

    @field_validator("destinations")
    @classmethod
    def _are_destinations(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            names = [parse_destination(written).name for written in value]
        except InvalidDestination as exc:
            raise ValueError(str(exc)) from exc
        if len(set(names)) != len(names):
            raise ValueError("two destinations have the same name")
        return value

    @field_validator(
        "api_token", "database_url", "broker_url", "storage_url", "public_base_url", "analyze_queue", mode="before"
    )
    @classmethod
    def _unset_when_empty(cls, value: object) -> object:
        # An empty variable is how compose files say "not set".
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("inference_threads", mode="before")
    @classmethod
    def _default_when_empty(cls, value: object) -> object:
        if isinstance(value, str) and not value.strip():
            raise PydanticUseDefault
        return value

    @model_validator(mode="after")
    def _make_sense(self) -> Settings:
        if self.api_token is None and not is_loopback(self.http_bind):
            raise ValueError(
                f"AGATHA_HTTP_BIND is {self.http_bind}, but without AGATHA_API_TOKEN only loopback is served: "
                "set a token, or bind 127.0.0.1"
            )
        if self.quiet_s < self.settle_s:
            raise ValueError(f"AGATHA_QUIET_S ({self.quiet_s:g}) is shorter than AGATHA_SETTLE_S ({self.settle_s:g})")
        self.receive_config()
        return self

    @property
    def data_path(self) -> Path:
        """`data_dir`, absolute."""
        return self.data_dir.expanduser().resolve()

    @property
    def database(self) -> str:
        """Database URL: as given, or a SQLite file below `data_dir`."""
        return _revealed(self.database_url) or f"sqlite:///{self.data_path / 'agatha.db'}"

    @property
    def broker(self) -> str:
        """Broker URL: as given, or a folder below `data_dir`."""
        return _revealed(self.broker_url) or f"embedded://{quote(str(self.data_path / 'broker'))}"

    @property
    def storage(self) -> str:
        """Storage URL: as given, or a folder below `data_dir`."""
        return self.storage_url or f"file://{quote(str(self.data_path / 'instances'))}"

    @property
    def token(self) -> str | None:
        """API token in the clear."""
        return _revealed(self.api_token)

    @property
    def served_hosts(self) -> tuple[str, ...]:
        """Host names HTTP requests may use: without a token only those of loopback, so that no web site gets in."""
        if self.allowed_hosts or self.token is not None:
            return self.allowed_hosts
        return ("localhost", "127.0.0.1", "::1")

    @property
    def disk_reserve_bytes(self) -> int:
        """`disk_reserve_mb` in bytes."""
        return self.disk_reserve_mb * 2**20

    @property
    def queue_of_analyses(self) -> Literal["cpu", "gpu"]:
        """Queue of the analyses: as given, else the GPU's when a GPU provider is asked for by name."""
        return self.analyze_queue or ("gpu" if GPU_PROVIDERS.intersection(self.providers) else "cpu")

    def destinations_by_name(self) -> dict[str, Destination]:
        """Destinations, parsed."""
        return {destination.name: destination for destination in map(parse_destination, self.destinations)}

    def receive_config(self) -> ReceiveConfig:
        """Settings of the listener."""
        return ReceiveConfig(
            ae_title=self.ae_title,
            bind=self.dicom_bind,
            port=self.dicom_port,
            allowed_calling_ae_titles=self.allowed_calling_ae_titles,
            allowed_networks=self.allowed_networks,
            max_associations=self.max_associations,
            max_associations_per_peer=self.max_associations_per_peer,
            idle_timeout_s=self.association_idle_timeout_s,
            disk_reserve_bytes=self.disk_reserve_bytes,
        )


def read_settings(flags: Mapping[str, object] | None = None) -> Settings:
    """Read and check the configuration; flags of the command line come before the environment.

    Raises
    ------
    ConfigurationError
        For a value that is out of range, a combination that makes no sense, or a variable nobody knows.
    """
    unknown = unknown_variables(os.environ)
    if unknown:
        raise ConfigurationError("; ".join(unknown))
    given: dict[str, Any] = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as exc:
        raise ConfigurationError("; ".join(_explained(exc))) from exc


def unknown_variables(environment: Iterable[str]) -> list[str]:
    """One sentence per `AGATHA_*` variable that is no setting: a misspelt limit must not be silently without effect."""
    known = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    sentences = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in known:
            similar = get_close_matches(name, known, n=1)
            sentences.append(f"{name} is not a setting" + (f"; did you mean {similar[0]}?" if similar else ""))
    return sentences


def is_loopback(host: str) -> bool:
    """Whether an address to bind reaches this machine only; a name other than localhost does not count."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _explained(error: ValidationError) -> list[str]:
    """One sentence per problem, without the value: it may be a secret."""
    sentences = []
    for problem in error.errors(include_input=False, include_url=False):
        name = "_".join(str(part) for part in problem["loc"][:1]).upper()
        text = str(problem["msg"]).removeprefix("Value error, ")
        sentences.append(f"{PREFIX}{name}: {text}" if name else text)
    return sentences


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value().strip()
