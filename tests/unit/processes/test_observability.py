"""Logs: JSON lines with listed keys only. Run in processes of their own, because logging is configured once."""

import json
import subprocess
import sys
import textwrap

import pytest


def lines_of(script):
    """The lines a process logs, parsed."""
    setup = (
        "from agatha.processes.observability import configure_logging, log_defect\nconfigure_logging('test', 'INFO')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", setup + textwrap.dedent(script)], capture_output=True, text=True, check=True
    )
    assert run.stdout == ""
    assert "CANARY" not in run.stderr
    return [json.loads(line) for line in run.stderr.splitlines()]


def test_a_key_that_is_not_listed_is_dropped_and_its_name_is_kept():
    (line,) = lines_of("""
        import structlog
        structlog.get_logger("x").info("task", row=7, patient_name="CANARY^PHI")
    """)
    assert (line["event"], line["row"], line["dropped_keys"]) == ("task", 7, ["patient_name"])
    assert line["process_name"] == "test"


def test_an_object_as_value_is_reduced_to_its_type():
    (line,) = lines_of("""
        import structlog
        from pydicom import Dataset
        data_set = Dataset()
        data_set.PatientName = "CANARY^PHI"
        structlog.get_logger("x").info("task", reason=data_set, answers={"a": [data_set]})
    """)
    assert (line["reason"], line["answers"]) == ("Dataset", {"a": ["Dataset"]})


@pytest.mark.parametrize("library", ["pydicom", "pynetdicom.acse", "sqlalchemy.engine", "highdicom"])
def test_libraries_that_quote_data_keep_only_the_place(library):
    (line,) = lines_of(f"""
        import logging
        logging.getLogger("{library}").warning("Invalid value for VR PN: %s", "CANARY^PHI")
    """)
    assert (line["event"], line["logger"], line["level"]) == ("library_message", library, "warning")


def test_warnings_are_lines_without_their_text():
    (line,) = lines_of("""
        import warnings
        warnings.warn("Invalid value 'CANARY^PHI'", UserWarning)
    """)
    assert line["event"] == "library_message"


def test_an_exception_of_a_library_is_its_type_without_its_message():
    (line,) = lines_of("""
        import logging
        try:
            raise ValueError("CANARY^PHI")
        except ValueError:
            logging.getLogger("celery").error("task failed", exc_info=True)
    """)
    assert (line["event"], line["error_type"]) == ("library_error", "ValueError")


def test_a_defect_is_its_type_and_its_place():
    (line,) = lines_of("""
        def broken():
            raise KeyError("CANARY^PHI")
        try:
            broken()
        except KeyError as error:
            log_defect(error)
    """)
    assert line["error_type"] == "KeyError"
    assert "broken" in line["where"]


def test_information_of_libraries_is_not_logged():
    assert lines_of("import logging; logging.getLogger('celery').info('CANARY^PHI')") == []
