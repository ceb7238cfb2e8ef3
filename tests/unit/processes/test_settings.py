"""Configuration: what is refused, what follows from what, and that `.env.example` is complete."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from agatha import report
from agatha.infer.model_runtime import PROVIDER_ORDER
from agatha.processes.settings import (
    KNOWN_PROVIDERS,
    AnalysisName,
    ConfigurationError,
    Settings,
    SrSopClass,
    read_settings,
    unknown_variables,
)
from coronary.registry import FAMILIES

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("AGATHA_"):
            monkeypatch.delenv(name)


def with_environment(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return read_settings()


def test_urls_follow_from_the_data_folder(monkeypatch, tmp_path):
    settings = with_environment(monkeypatch, AGATHA_DATA_DIR=str(tmp_path))
    assert settings.database == f"sqlite:///{tmp_path}/agatha.db"
    assert settings.broker == f"embedded://{tmp_path}/broker"
    assert settings.storage == f"file://{tmp_path}/instances"


def test_urls_that_are_given_are_taken(monkeypatch):
    settings = with_environment(
        monkeypatch, AGATHA_DATABASE_URL="postgresql://u:secret@db/agatha", AGATHA_BROKER_URL="redis://r:6379/0"
    )
    assert settings.database == "postgresql://u:secret@db/agatha"
    assert settings.broker == "redis://r:6379/0"
    assert "secret" not in repr(settings)


def test_the_analyses_to_choose_from_are_those_there_are(monkeypatch):
    assert set(get_args(AnalysisName)) == {family.name for family in FAMILIES}
    assert set(read_settings().analyses) < set(get_args(AnalysisName))
    settings = with_environment(monkeypatch, AGATHA_ANALYSES="ccta-scoring, lumen-extraction")
    assert settings.analyses == ("ccta-scoring", "lumen-extraction")
    for wrong in ("", "ccta-scoring,brain-scoring"):
        with pytest.raises(ConfigurationError, match="AGATHA_ANALYSES"):
            with_environment(monkeypatch, AGATHA_ANALYSES=wrong)


def test_an_empty_variable_is_an_unset_one(monkeypatch):
    settings = with_environment(monkeypatch, AGATHA_API_TOKEN="", AGATHA_DATABASE_URL=" ", AGATHA_INFERENCE_THREADS="")
    assert settings.token is None
    assert settings.inference_threads == read_settings().inference_threads >= 1
    assert settings.database.startswith("sqlite:")


def test_a_misspelt_variable_is_refused_with_a_suggestion(monkeypatch):
    with pytest.raises(ConfigurationError, match=r"AGATHA_QUITE_S is not a setting; did you mean AGATHA_QUIET_S\?"):
        with_environment(monkeypatch, AGATHA_QUITE_S="3")


def test_variables_of_the_test_suite_are_not_settings_and_not_errors():
    assert unknown_variables(["AGATHA_TEST_POSTGRES_URL", "PATH"]) == []


def test_an_unknown_flag_is_refused():
    with pytest.raises(ConfigurationError, match="COLOUR"):
        read_settings({"colour": "red"})


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
def test_without_a_token_only_loopback_is_served(monkeypatch, bind):
    with pytest.raises(ConfigurationError, match="without AGATHA_API_TOKEN only loopback"):
        with_environment(monkeypatch, AGATHA_HTTP_BIND=bind)
    assert with_environment(monkeypatch, AGATHA_HTTP_BIND=bind, AGATHA_API_TOKEN="t0ken").http_bind == bind


def test_without_a_token_only_loopback_names_are_answered(monkeypatch):
    assert "127.0.0.1" in read_settings().served_hosts
    assert with_environment(monkeypatch, AGATHA_API_TOKEN="t0ken").served_hosts == ()


def test_a_wrong_value_is_named_without_being_quoted(monkeypatch):
    with pytest.raises(ConfigurationError) as error:
        with_environment(monkeypatch, AGATHA_DICOM_PORT="hunter2")
    assert "AGATHA_DICOM_PORT" in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AGATHA_DESTINATIONS", "PACS@nowhere", "port is missing"),
        ("AGATHA_DESTINATIONS", "A=X@h:1,A=Y@h:2", "same name"),
        ("AGATHA_ALLOWED_NETWORKS", "10.0.0.0/99", "10.0.0.0/99"),
        ("AGATHA_WORKER_QUEUES", "tpu", "expected cpu, gpu or both"),
        (
            "AGATHA_PROVIDERS",
            "CUDAExecutionProvder",
            "AGATHA_PROVIDERS: expected names among TensorrtExecutionProvider, ",
        ),
        ("AGATHA_AE_TITLE", "a-title-of-more-than-16", "AE title"),
        ("AGATHA_QUIET_S", "1", "shorter than"),
        ("AGATHA_LOG_LEVEL", "LOUD", "AGATHA_LOG_LEVEL"),
        ("AGATHA_SR_SOP_CLASS", "basic-text", "AGATHA_SR_SOP_CLASS"),
    ],
)
def test_what_makes_no_sense_is_refused(monkeypatch, name, value, said):
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        with_environment(monkeypatch, **{name: value})


def test_lists_are_written_with_commas(monkeypatch):
    settings = with_environment(
        monkeypatch,
        AGATHA_ALLOWED_CALLING_AE_TITLES="CT1, CT2,",
        AGATHA_DESTINATIONS="PACS=ARCHIVE@127.0.0.1:104, BACKUP@[::1]:105",
    )
    assert settings.allowed_calling_ae_titles == ("CT1", "CT2")
    assert {name: d.port for name, d in settings.destinations_by_name().items()} == {"PACS": 104, "BACKUP": 105}


def test_analyses_go_to_the_gpu_queue_when_a_gpu_provider_is_named(monkeypatch):
    assert read_settings().queue_of_analyses == "cpu"
    named = with_environment(monkeypatch, AGATHA_PROVIDERS="CUDAExecutionProvider,CPUExecutionProvider")
    assert named.queue_of_analyses == "gpu"


def test_the_queue_of_analyses_can_be_named_where_no_gpu_is(monkeypatch):
    """A scheduler beside a GPU worker has no GPU itself."""
    assert with_environment(monkeypatch, AGATHA_ANALYZE_QUEUE="gpu").queue_of_analyses == "gpu"


def test_flags_come_before_the_environment(monkeypatch):
    monkeypatch.setenv("AGATHA_DICOM_PORT", "104")
    assert read_settings({"dicom_port": 11113}).dicom_port == 11113
    assert read_settings({"dicom_port": None}).dicom_port == 104


def test_the_runtime_knows_the_same_providers():
    assert KNOWN_PROVIDERS == PROVIDER_ORDER


def test_the_report_knows_the_same_sr_classes():
    assert get_args(SrSopClass) == get_args(report.SrSopClass)


@pytest.mark.parametrize(
    ("process", "never_loaded"),
    [
        ("listener", ("celery", "onnxruntime", "highdicom", "agatha.pipeline", "agatha.assemble", "agatha.serve")),
        ("scheduler", ("onnxruntime", "highdicom", "agatha.assemble", "agatha.serve")),
    ],
)
def test_a_process_loads_only_what_it_needs(process, never_loaded):
    code = f"import sys, agatha.processes.{process}; print(*(n for n in {never_loaded!r} if n in sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def documented_variables():
    text = (REPOSITORY / ".env.example").read_text("utf-8")
    return dict(re.findall(r"^#? ?(AGATHA_[A-Z_]+)=(.*)$", text, flags=re.MULTILINE))


def variables_of_the_settings():
    return {f"AGATHA_{name.upper()}" for name in Settings.model_fields}


def compose_file():
    """Text of the compose file without its comments."""
    return re.sub(r"^ *#.*$", "", (REPOSITORY / "docker-compose.yml").read_text("utf-8"), flags=re.MULTILINE)


#: What compose decides itself, because it belongs together with the services and networks in the file.
DECIDED_BY_COMPOSE = {
    "AGATHA_DATA_DIR", "AGATHA_DATABASE_URL", "AGATHA_BROKER_URL", "AGATHA_DICOM_BIND", "AGATHA_DICOM_PORT",
    "AGATHA_HTTP_BIND", "AGATHA_HTTP_PORT", "AGATHA_WORKER_QUEUES", "AGATHA_ANALYZE_QUEUE",
}  # fmt: skip


def test_compose_sets_every_setting_and_takes_it_from_the_environment():
    passed_on = dict(re.findall(r"^ +(AGATHA_[A-Z_]+): *(.*)$", compose_file(), flags=re.MULTILINE))
    assert set(passed_on) == variables_of_the_settings()
    taken = {name for name in passed_on if re.search(rf"\$\{{{name}[:}}]", compose_file())}
    assert taken == variables_of_the_settings() - DECIDED_BY_COMPOSE


def test_compose_has_the_defaults_of_the_settings(monkeypatch):
    written = dict(re.findall(r"\$\{(AGATHA_[A-Z_]+):-([^}]*)\}", compose_file()))
    of_the_gpu_worker = written.pop("AGATHA_PROVIDERS")
    assert of_the_gpu_worker == "CUDAExecutionProvider,CPUExecutionProvider"
    settings = {name: value for name, value in written.items() if name in variables_of_the_settings()}
    before = read_settings()
    assert with_environment(monkeypatch, **settings) == before


def test_env_example_lists_every_setting_and_what_compose_alone_uses():
    of_compose_alone = set(re.findall(r"\$\{(AGATHA_[A-Z_]+)", compose_file())) - variables_of_the_settings()
    assert of_compose_alone == {"AGATHA_DICOM_PUBLISH", "AGATHA_HTTP_PUBLISH"}
    assert set(documented_variables()) == variables_of_the_settings() | of_compose_alone
    for variable in of_compose_alone:
        assert f"${{{variable}:-{documented_variables()[variable]}}}" in compose_file()


def test_env_example_states_the_real_defaults():
    fields = Settings.model_fields
    for variable, written in documented_variables().items():
        if variable not in variables_of_the_settings():
            continue
        field = fields[variable.removeprefix("AGATHA_").lower()]
        if field.default_factory is not None or field.default is None:
            continue
        default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
        assert written.split(" #")[0].strip() == default, variable


def test_env_example_holds_no_secret():
    for variable in ("AGATHA_API_TOKEN", "AGATHA_DATABASE_URL", "AGATHA_BROKER_URL"):
        assert documented_variables()[variable] == ""
