"""The command `agatha`. Decides names, flags and exit statuses; what a command does is in the module of its name.

Exit statuses: 0 done, 1 failed, 2 usage or configuration, 3 the input was refused, with the reason.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console

from agatha.processes.settings import AnalysisName, ConfigurationError, Settings, read_settings

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
REFUSED: Final = 3

app = typer.Typer(
    name="agatha",
    help="Coronary calcium scores from DICOM CT: receives, scores, answers with SR and SEG. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
)
db = typer.Typer(help="The database's schema.", no_args_is_help=True)
app.add_typer(db, name="db")
evaluate = typer.Typer(help="Agreement and accuracy reports.", no_args_is_help=True)
app.add_typer(evaluate, name="evaluate")

StopWithParent = Annotated[bool, typer.Option("--stop-with-parent", hidden=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
Strata = Annotated[list[str] | None, typer.Option(help="Column by whose values to report too; may be repeated.")]


def example(*lines: str) -> str:
    """The examples at the end of a command's help."""
    return "[bold]Example[/bold]\n\n" + "\n\n".join(f"  $ {line}" for line in lines)


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


@app.command(epilog=example("agatha serve --data-dir ./data --dicom-port 11112 --http-port 8080"))
def serve(
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept. [default: ./data]")] = None,
    dicom_port: Annotated[int | None, typer.Option(help="Port of the storage SCP. [default: 11112]")] = None,
    http_port: Annotated[int | None, typer.Option(help="Port of REST and pages. [default: 8080]")] = None,
    ae_title: Annotated[str | None, typer.Option(help="Our AE title. [default: AGATHA]")] = None,
) -> None:
    """Run everything in one place: listener, worker, scheduler and HTTP, with SQLite and no broker to install."""
    from agatha.processes.life import private_files
    from agatha.processes.serve_command import serve_all

    private_files()
    settings = _settings(data_dir=data_dir, dicom_port=dicom_port, http_port=http_port, ae_title=ae_title)
    raise typer.Exit(_guarded(lambda: serve_all(settings, Console(stderr=True))))


@app.command(epilog=example("AGATHA_DATABASE_URL=postgresql://… agatha listener"))
def listener(stop_with_parent: StopWithParent = False) -> None:
    """Receive DICOM instances (C-STORE)."""
    from agatha.processes import listener as process

    _run_process(process.run, stop_with_parent)


@app.command(epilog=example("AGATHA_WORKER_QUEUES=gpu AGATHA_PROVIDERS=CUDAExecutionProvider agatha worker"))
def worker(stop_with_parent: StopWithParent = False) -> None:
    """Assemble, analyse, report and deliver: everything that takes time."""
    from agatha.processes import worker as process

    _run_process(process.run, stop_with_parent)


@app.command(epilog=example("AGATHA_BROKER_URL=redis://redis:6379/0 agatha scheduler"))
def scheduler(stop_with_parent: StopWithParent = False) -> None:
    """Find due work in the database and put it on the queue."""
    from agatha.processes import scheduler as process

    _run_process(process.run, stop_with_parent)


@app.command(epilog=example("AGATHA_HTTP_BIND=0.0.0.0 AGATHA_API_TOKEN=… agatha api"))
def api(stop_with_parent: StopWithParent = False) -> None:
    """Serve REST, pages, health and metrics."""
    from agatha.processes import api as process

    _run_process(process.run, stop_with_parent)


@app.command(epilog=example("agatha health worker"))
def health(process: Annotated[str, typer.Argument(help="listener, worker, scheduler or api")]) -> None:
    """Say by exit status whether a process on this machine is alive (for container health checks)."""
    from agatha.processes.health import problem_of

    if process not in ("listener", "worker", "scheduler", "api"):
        raise typer.BadParameter("expected listener, worker, scheduler or api")
    problem = problem_of(process, _settings())
    print(problem or f"{process}: alive")
    raise typer.Exit(OK if problem is None else FAILED)


# ── tools ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@app.command(
    epilog=example(
        "agatha analyze ./study --out ./results",
        "agatha analyze ./phantom --region heart --truth benchmarks/qrm_canon_inserts.json",
        "agatha analyze ./phantom --region=-12.5,40,103,15 --mass-factor 0.65 --json",
    )
)
def analyze(
    path: Annotated[Path, typer.Argument(exists=True, help="A DICOM file or a folder of them.")],
    analysis: Annotated[
        list[str] | None, typer.Option(help="Only this analysis; may be repeated. [default: those of AGATHA_ANALYSES]")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for SR, SEG and summary page.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="Take every series for this kind (csct, ccta), whatever the router thinks.")
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(help="Measure objects instead of a patient: x,y,z,radius in LPS mm, or 'heart'. Repeatable."),
    ] = None,
    mass_factor: Annotated[
        float | None, typer.Option(help="Mass calibration in mg/(HU cm³) for --region, from a calibration insert.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="With --region: JSON of known inserts to print beside (see benchmarks/).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Analyse a folder of DICOM without a server: each series is scored, or refused with its reason."""
    from agatha.processes.analyze_command import analyze_folder
    from agatha.processes.insert_truth import read_truth
    from agatha.processes.measure_command import check_flags, measure_regions

    def run() -> int:
        check_flags(
            bool(region),
            mass_factor,
            of_regions={"--mass-factor": mass_factor, "--truth": truth},
            of_patients={"--analysis": analysis, "--out": out, "--kind": kind},
        )
        if region:
            known = None if truth is None else read_truth(truth)
            return measure_regions(
                path, region, mass_factor=mass_factor, truth=known, as_json=as_json, console=Console()
            )
        return analyze_folder(path, analysis or [], kind=kind, out=out, as_json=as_json, console=Console())

    raise typer.Exit(_guarded(run))


@app.command(epilog=example("agatha send ./study --to PACS@192.0.2.7:104"))
def send(
    path: Annotated[Path, typer.Argument(exists=True, help="A DICOM file or a folder of them.")],
    to: Annotated[str, typer.Option(help="AE@host:port")],
    calling: Annotated[str, typer.Option(help="Our AE title.")] = "AGATHA",
    as_json: AsJson = False,
) -> None:
    """Send DICOM files by C-STORE."""
    from agatha.processes.send_command import send_files

    raise typer.Exit(_guarded(lambda: send_files(path, to, calling, as_json=as_json, console=Console(stderr=True))))


@app.command(epilog=example("agatha phantom --out ./phantom --seed 7 --protocol paired"))
def phantom(
    out: Annotated[Path, typer.Option(help="Folder for the DICOM files and truth.json.")],
    seed: Annotated[int, typer.Option(min=0, help="Which patient; the same seed gives the same bytes.")] = 1,
    protocol: Annotated[Literal["csct", "ccta", "paired"], typer.Option(help="Which scans of the patient.")] = "csct",
    kvp: Annotated[int | None, typer.Option(help="Tube voltage in kV instead of the drawn one.")] = None,
    variant: Annotated[Literal["standard", "external"], typer.Option(help="Which generator.")] = "standard",
    calcium: Annotated[Literal["any", "none", "present"], typer.Option(help="Force calcium or none.")] = "any",
    distractors: Annotated[
        bool | None, typer.Option(help="Force dense things that are no coronary calcium, or none.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a virtual patient: a DICOM study and its exact truth."""
    from agatha.processes.phantom_command import write_phantom

    def run() -> int:
        return write_phantom(
            out,
            seed,
            protocol,
            kvp=kvp,
            variant=variant,
            calcium=calcium,
            distractors=distractors,
            as_json=as_json,
            console=Console(stderr=True),
        )

    raise typer.Exit(_guarded(run))


@evaluate.command(
    "cohort",
    epilog=example(
        "agatha evaluate cohort csct-scoring --first-seed 500001 --patients 150 --out ./evaluation",
        "agatha evaluate cohort calcium-inpainting --first-seed 950001 --patients 99 --out ./evaluation",
    ),
)
def evaluate_virtual(
    analysis: Annotated[
        AnalysisName,
        typer.Argument(help="Which analysis; those that make series share one study of stenosis."),
    ],
    first_seed: Annotated[int, typer.Option(min=0, help="First patient of the cohort.")],
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")],
    out: Annotated[Path, typer.Option(help="Folder for cases and report; a run there goes on.")],
    variant: Annotated[Literal["standard", "external"], typer.Option(help="Which generator.")] = "standard",
    workers: Annotated[int, typer.Option(min=1, help="Cases at a time.")] = 2,
    card: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Model card whose block of these figures is written anew."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Folder to keep scored scans in, 150 MB each; those there are not scored again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the virtual study of an analysis: patients whose truth is exact.

    Scores are compared with the exact score, and so is the presence of calcium; stenosis is read on scans with severe
    calcium and on the series made of them. Cases in the folder are not run again.
    """
    from agatha.processes.cohort_command import CohortRun, evaluate_cohort

    cohort = CohortRun(first_seed, patients, variant, out, keep, workers)
    raise typer.Exit(
        _guarded(lambda: evaluate_cohort(analysis, cohort, card, as_json=as_json, console=Console(stderr=as_json)))
    )


@evaluate.command(
    "table",
    epilog=example(
        "agatha evaluate table ours.csv --reference readers.csv --data-name 'our 2025 cohort' --out ./report",
        "agatha evaluate table both.csv --data-name 'our 2025 cohort' --out ./report",
    ),
)
def evaluate_csv(
    table: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="CSV: case_id, total, LM, LAD, LCX, RCA; or both sides."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    data_name: Annotated[str, typer.Option(help="What the cases are; printed with every figure.")],
    reference: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV of the reference, joined on case_id."),
    ] = None,
    stratum: Strata = None,
    as_json: AsJson = False,
) -> None:
    """Compare scores that are in tables already: two tables joined on the case, or one with both sides.

    One table with both sides has the columns case_id, true_total, true_LM … true_RCA, predicted_total … predicted_RCA.

    Where the reference has none of the columns LM, LAD, LCX and RCA, totals alone are compared.
    """
    from agatha.processes.evaluate_command import evaluate_table

    def run() -> int:
        return evaluate_table(
            table,
            reference,
            out,
            data_name=data_name,
            strata=stratum or (),
            as_json=as_json,
            console=Console(),
        )

    raise typer.Exit(_guarded(run))


@evaluate.command(
    "results",
    epilog=example("agatha evaluate results --reference readers.csv --data-name 'our 2025 cohort' --out ./report"),
)
def evaluate_database(
    reference: Annotated[
        Path,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="CSV: study_instance_uid or accession_number, total; optionally LM, LAD, LCX and RCA, case_id.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    analysis: Annotated[Literal["csct-scoring", "ccta-scoring"], typer.Option(help="Whose scores.")] = "csct-scoring",
    data_name: Annotated[
        str | None, typer.Option(help="What the cases are; printed with every figure. [default: studies of REFERENCE]")
    ] = None,
    stratum: Strata = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the service keeps its data. [default: ./data]")] = None,
    as_json: AsJson = False,
) -> None:
    """Compare what the service scored with a reference of your own: results are taken from its database.

    Where the reference has none of the columns LM, LAD, LCX and RCA, totals alone are compared.
    """
    from agatha.processes.evaluate_command import evaluate_results
    from agatha.processes.life import private_files

    settings = _settings(data_dir=data_dir)

    def run() -> int:
        private_files()
        return evaluate_results(
            settings,
            reference,
            out,
            analysis=analysis,
            data_name=data_name,
            strata=stratum or (),
            as_json=as_json,
            console=Console(),
        )

    raise typer.Exit(_guarded(run))


@db.command("upgrade", epilog=example("agatha db upgrade"))
def db_upgrade() -> None:
    """Bring the database to the schema of this version."""
    from agatha.processes.life import private_files
    from agatha.store.migrate import head_revision, upgrade

    settings = _settings()

    def run() -> int:
        private_files()
        settings.data_path.mkdir(parents=True, exist_ok=True)
        upgrade(settings.database)
        print(f"database is at revision {head_revision()}")
        return OK

    raise typer.Exit(_guarded(run))


@db.command("quarantine", epilog=example("agatha db quarantine", "agatha db quarantine --json --limit 1000"))
def db_quarantine(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    data_dir: Annotated[Path | None, typer.Option(help="Where the service keeps its data. [default: ./data]")] = None,
    as_json: AsJson = False,
) -> None:
    """List received instances that were set aside, and why: unreadable, or against what was stored before."""
    from agatha.processes.life import private_files
    from agatha.processes.quarantine_command import list_quarantine

    settings = _settings(data_dir=data_dir)

    def run() -> int:
        private_files()
        return list_quarantine(settings, limit=limit, as_json=as_json, console=Console())

    raise typer.Exit(_guarded(run))


@db.command("check", epilog=example("agatha db check --json"))
def db_check(as_json: AsJson = False) -> None:
    """Say what separates the database from the schema of this version."""
    from agatha.processes.life import private_files
    from agatha.store.migrate import pending_changes

    settings = _settings()

    def run() -> int:
        private_files()
        settings.data_path.mkdir(parents=True, exist_ok=True)
        pending = pending_changes(settings.database)
        print(json.dumps({"pending": pending}) if as_json else "\n".join(pending) or "database is up to date")
        return FAILED if pending else OK

    raise typer.Exit(_guarded(run))


@app.command(hidden=True, epilog=example("agatha demo --seed 700002"))
def demo(
    seed: Annotated[int, typer.Option(min=0, help="Which virtual patient.")] = 700002,
    data_dir: Annotated[Path, typer.Option(help="Emptied before the run.")] = Path(".demo"),
) -> None:
    """Start everything, send a virtual patient, wait, and print its scores beside the truth."""
    from agatha.processes.demo_command import run_demo

    raise typer.Exit(_guarded(lambda: run_demo(seed, data_dir, Console())))


# ── shared ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _settings(**flags: object) -> Settings:
    try:
        return read_settings(flags)
    except ConfigurationError as exc:
        print(f"configuration: {exc}", file=sys.stderr)
        raise typer.Exit(USAGE) from exc


def _run_process(run: Callable[[Settings], int], is_child: bool) -> None:
    from agatha.processes.life import private_files, stop_with_parent

    private_files()
    settings = _settings()
    if is_child:
        stop_with_parent()
    raise typer.Exit(_guarded(lambda: run(settings), is_service=True))


def _guarded(run: Callable[[], int], *, is_service: bool = False) -> int:
    """Run a command; what is expected to go wrong becomes one sentence and an exit status.

    A service does not print a traceback either: its lines are collected, and a message may quote a patient.
    """
    from agatha.deliver import DeliveryFailed, InvalidDestination
    from agatha.processes.observability import log_defect
    from agatha.store.errors import StoreError

    try:
        return run()
    except (ConfigurationError, InvalidDestination) as exc:
        print(str(exc), file=sys.stderr)
        return USAGE
    except (StoreError, DeliveryFailed) as exc:
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
        return FAILED
    except Exception as exc:
        if not is_service:
            raise
        log_defect(exc)
        return FAILED


def main(arguments: list[str] | None = None) -> Any:
    """Entry point of the console script."""
    return app(args=arguments)


if __name__ == "__main__":
    main()
