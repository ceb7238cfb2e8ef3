"""`agatha analyze`: a folder of DICOM through the same stages as the service, without server, queue or database."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from agatha.dicom.uids import config_digest, src_digest
from agatha.infer import ModelRuntime, ModelUnusable, run_analysis
from agatha.pipeline.concordance import agreement_of, concordance_with
from agatha.pipeline.examination import Examination, examine_series
from agatha.pipeline.result_objects import report_sources
from agatha.pipeline.series_outcome import series_outcome
from agatha.processes.dicom_files import SeriesFiles, dicom_files, group_by_series
from agatha.processes.settings import ConfigurationError, SrSopClass, read_settings
from agatha.report import (
    DicomObject,
    ModelIdentity,
    ReportRequest,
    SourceMismatch,
    result_document,
    write_objects,
    write_series,
)
from agatha.store.paired_scores import PARTNER_OF
from coronary.calcium import VesselValues, score_text
from coronary.concordance import Concordance
from coronary.contract import CalciumFindings, Family, Findings, ProgressCallback, Refusal, SeriesKind
from coronary.detection_findings import presence_text
from coronary.reasons import ZERO_CONFIRMED
from coronary.registry import families_named, family_named, manifest_of, model_sha256

OK, FAILED, REFUSED = 0, 1, 3


@dataclass
class SeriesReport:
    """What became of one series."""

    source: SeriesFiles
    refusal: Refusal | None = None
    results: list[dict[str, Any]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    failure: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As printed with --json."""
        reason = None if self.refusal is None else {"code": self.refusal.code, "text": self.refusal.text}
        return {
            "study_instance_uid": self.source.study_instance_uid,
            "series_instance_uid": self.source.series_instance_uid,
            "instances": len(self.source.paths),
            "reason": reason,
            "failure": self.failure,
            "results": self.results,
            "files": [str(path) for path in self.files],
        }


def checked_kind(kind: str | None) -> SeriesKind | None:
    """The kind given on the command line; ConfigurationError when there is none of that name."""
    if kind is not None and kind not in get_args(SeriesKind):
        raise ConfigurationError(f"--kind {kind}: expected one of {', '.join(get_args(SeriesKind))}")
    return cast("SeriesKind | None", kind)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What holds for every series of one run."""

    runtime: ModelRuntime
    families: Sequence[Family]
    assumed: SeriesKind | None
    sr_sop_class: SrSopClass
    out: Path | None


def chosen_families(names: Sequence[str]) -> tuple[Family, ...]:
    """Families of the analyses of these names; ConfigurationError for an unknown one."""
    try:
        return families_named(names)
    except KeyError as exc:
        raise ConfigurationError(str(exc.args[0])) from exc


def analyze_folder(
    path: Path, analyses: Sequence[str], *, kind: str | None, out: Path | None, as_json: bool, console: Console
) -> int:
    """Analyse every series below `path`.

    Parameters
    ----------
    analyses
        Names of analyses; none takes those of the configuration, which also names the SOP class of the report.

    Returns
    -------
    int
        0 when there is at least one score, 3 when everything was refused, 1 when something failed.
    """
    settings = read_settings()
    assumed, families = checked_kind(kind), chosen_families(analyses or settings.analyses)
    paths, _ = dicom_files(path)
    series, unreadable = group_by_series(paths)
    runtime = ModelRuntime(providers=settings.providers or None, threads=settings.inference_threads)
    plan = _Plan(runtime, families, assumed, settings.sr_sop_class, out)
    reports: list[SeriesReport] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=as_json) as progress:
        for index, files in enumerate(series, start=1):
            bar = progress.add_task(f"series {index} of {len(series)}, {len(files.paths)} instances", total=1.0)
            advance = partial(_advance, progress, bar)
            partners = _scores_of_study(reports, files.study_instance_uid)
            reports.append(_analyze_series(files, index, plan, partners, advance))
            advance(1.0)
    if as_json:
        print(json.dumps({"series": [r.as_json() for r in reports], "unreadable": unreadable}, indent=2))
    else:
        _print(reports, unreadable, console)
    return _exit_status(reports)


def _exit_status(reports: Sequence[SeriesReport]) -> int:
    if any(report.failure is not None for report in reports):
        return FAILED
    is_scored = any(result["state"] == "completed" for report in reports for result in report.results)
    return OK if is_scored else REFUSED


def _advance(progress: Progress, bar: TaskID, done: float) -> None:
    progress.update(bar, completed=done)


def _scores_of_study(reports: Sequence[SeriesReport], study_instance_uid: str) -> dict[str, dict[str, Any]]:
    """Analysis -> its last scored result among the series of one study that were analysed so far."""
    return {
        result["analysis"]: result
        for report in reports
        if report.source.study_instance_uid == study_instance_uid
        for result in report.results
        if result["state"] == "completed" and result["calcium"] is not None
    }


def _analyze_series(
    files: SeriesFiles,
    index: int,
    plan: _Plan,
    partners: Mapping[str, Mapping[str, Any]],
    on_progress: ProgressCallback,
) -> SeriesReport:
    seen = examine_series(files.paths, plan.families, assume_kind=plan.assumed)
    _, _, reason = series_outcome(seen)
    report = SeriesReport(files, None if seen.is_positive else reason)
    for decided in seen.analyses:
        findings, refusal = None, decided.refusal
        try:
            if refusal is None and seen.assembled is not None:
                family = family_named(decided.analysis)
                outcome = run_analysis(plan.runtime, family, seen.assembled, seen.notes, on_progress)
                findings, refusal = (None, outcome) if isinstance(outcome, Refusal) else (outcome, None)
            concordance = _concordance(decided.analysis, findings, partners)
            request = _request(files, index, seen, decided.analysis, findings, refusal, concordance, plan.sr_sop_class)
            _write(report, request, plan.out)
        except (ModelUnusable, SourceMismatch) as exc:
            report.failure = str(exc)
    return report


def _concordance(
    analysis: str, findings: Findings | None, partners: Mapping[str, Mapping[str, Any]]
) -> Concordance | None:
    partner = partners.get(PARTNER_OF.get(analysis, ""))
    if partner is None or not isinstance(findings, CalciumFindings):
        return None
    return concordance_with(analysis, findings, partner)


def _request(
    files: SeriesFiles,
    index: int,
    seen: Examination,
    analysis: str,
    findings: Findings | None,
    refusal: Refusal | None,
    concordance: Concordance | None,
    sr_sop_class: SrSopClass,
) -> ReportRequest:
    family = family_named(analysis)
    manifest = manifest_of(family)
    return ReportRequest(
        analysis=analysis,
        model=ModelIdentity(manifest.name, manifest.version, model_sha256(family)),
        src_digest=seen.assembled.src_digest
        if seen.assembled is not None
        else src_digest((uid, None) for uid in files.sop_instance_uids),
        config_digest=config_digest({"sr_sop_class": sr_sop_class}),
        content_time=datetime.now(UTC),
        series_index=index,
        findings=findings,
        refusal=refusal,
        sr_sop_class=sr_sop_class,
        concordance=concordance,
        limits_of_agreement=None if findings is None else agreement_of(analysis),
        **report_sources(seen, files.paths),
    )


def _write(report: SeriesReport, request: ReportRequest, out: Path | None) -> None:
    """The document of one result and, with a folder, its objects; each derived series gets a folder of its own."""
    folder = None if out is None else out / f"{request.series_index:02d}-{request.analysis}"
    objects: list[_Written] = []
    if folder is not None:
        objects += [_written(item, folder / f"{item.kind}.dcm") for item in write_objects(request)]
        report.files += [folder / f"{item.kind}.dcm" for item in objects]
        counts: Counter[str] = Counter()
        for item in write_series(request):
            counts[item.kind] += 1
            objects.append(_written(item, folder / item.kind / f"{counts[item.kind]:04d}.dcm"))
        report.files += [folder / kind for kind in counts]
    document = result_document(
        request,
        objects,
        state="completed" if request.findings is not None else "refused",
        provisional=False,
        series_instance_uid=report.source.series_instance_uid,
    )
    report.results.append(document)
    if folder is not None:
        (folder / "result.json").write_text(json.dumps(document, indent=2), "utf-8")


@dataclass(frozen=True, slots=True)
class _Written:
    """An object that is on disk: a series is as large as its source, so its bytes are not kept."""

    kind: str
    sop_class_uid: str
    series_instance_uid: str
    sop_instance_uid: str


def _written(item: DicomObject, path: Path) -> _Written:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(item.data)
    return _Written(item.kind, item.sop_class_uid, item.series_instance_uid, item.sop_instance_uid)


def _print(reports: Sequence[SeriesReport], unreadable: int, console: Console) -> None:
    for number, report in enumerate(reports, start=1):
        title = f"series {number}: {len(report.source.paths)} instances"
        if report.failure is not None:
            console.print(f"{title}: [red]failed[/red]: {report.failure}")
        elif not report.results and report.refusal is not None:
            console.print(f"{title}: not applicable: {report.refusal.code}: {report.refusal.text}")
        for result in report.results:
            if result["state"] == "completed":
                _print_findings(result, f"{title}: {result['analysis']}", console)
                if (concordance := result.get("concordance")) is not None:
                    verdict = "[yellow]discordant[/yellow]" if concordance["is_discordant"] else "concordant"
                    console.print(f"  {verdict}: {concordance['text']}")
                for note in result["quality"]:
                    console.print(f"  {note['code']}: {note['text']}")
            else:
                reason = result["reason"]
                console.print(f"{title}: {result['analysis']} refused: {reason['code']}: {reason['text']}")
        for path in report.files:
            console.print(f"  wrote {path}")
    if not reports:
        console.print("no readable DICOM series")
    if unreadable:
        console.print(f"{unreadable} unreadable DICOM files")


def _print_findings(result: dict[str, Any], title: str, console: Console) -> None:
    """The numbers of one result, whatever kind of analysis it is of."""
    if (detection := result["detection"]) is not None:
        console.print(f"{title}: {presence_text(detection['presence'])}, probability {detection['probability']:.2f}")
        return
    if result["stenosis"] is not None:
        console.print(stenosis_table(result, title))
        return
    console.print(score_table(result, title))
    if (interval := result["calcium"]["interval"]) is not None:
        console.print(f"  {interval_text(interval)}")
    if (opinion := result["calcium"]["second_opinion"]) is not None and opinion["verdict"] == ZERO_CONFIRMED:
        console.print(f"  {opinion['text']}")


def score_table(result: dict[str, Any], title: str, truth: dict[str, float] | None = None) -> Table:
    """The numbers of one result; with `truth` (Agatston per key) beside them. An estimate is called one."""
    calcium, score = result["calcium"], "Agatston"
    if result.get("contrast") is not None:
        title, score = f"{title}, estimated from contrast CT (Agatston equivalent)", "Agatston equivalent"
    table = Table(title=title, title_justify="left")
    for name in ("", score, *(("true Agatston",) if truth is not None else ()), "volume mm³", "mass mg"):
        table.add_column(name, justify="left" if not name else "right")
    for key in VesselValues.__dataclass_fields__:
        mass = calcium["mass_mg"]
        cells = [score_text(calcium["agatston"][key]), score_text(calcium["volume_mm3"][key])]
        cells.append("–" if mass is None else score_text(mass[key]))
        if truth is not None:
            cells.insert(1, score_text(truth[key]))
        table.add_row(key, *cells)
    table.caption = f"risk category {calcium['risk_category']} · CAC-DRS {calcium['cac_drs']}"
    return table


def interval_text(interval: Mapping[str, Any]) -> str:
    """Limits of the total score, and what they were measured on."""
    low, high = score_text(interval["low"], 0), score_text(interval["high"], 0)
    return f"{100 * interval['confidence']:.0f} % interval {low} to {high} (measured on {interval['data']})"


def stenosis_table(result: dict[str, Any], title: str) -> Table:
    """Diameter stenosis per segment, on the scan and on the derived series, and where that must not be trusted."""
    table = Table(title=f"{title}, diameter stenosis in %", title_justify="left")
    for name in ("segment", "scanned", "made"):
        table.add_column(name, justify="right" if name != "segment" else "left")
    table.add_column("do not trust", style="yellow")
    for segment in result["stenosis"]["segments"]:
        table.add_row(
            f"{segment['artery']} {segment['segment']}",
            f"{segment['original_percent']:.0f}",
            f"{segment['derived_percent']:.0f}",
            segment["distrust"],
        )
    table.caption = f"CAD-RADS {result['stenosis']['cad_rads']}"
    return table
