"""What the pages show, prepared as plain values: rows of the work list, cards of the study page.

Decides which result stands for a study and which slices are shown. Text and markup are the templates' part.
"""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agatha.serve.instances_api import find_output
from agatha.serve.lesion_frames import UnreadableSegmentation, choose_key_slices, read_lesion_frames
from agatha.serve.pictures import CONTRAST_WINDOW, Window, key_slice_window
from agatha.serve.result_schema import ConcordanceDocument, ResultDocument
from agatha.serve.standing import StudyRows, doubts_of_zero, is_moving, series_name, standing_of
from agatha.serve.studies_api import result_documents
from agatha.serve.study_queries import ServeContext, read_study
from agatha.store.paired_scores import latest_results, paired_scores
from agatha.store.records import EventRecord, OutputRecord, ResultRecord, SeriesRecord, StudyRecord
from agatha.store.units_of_work import Reading
from coronary.detection_findings import CalciumPresence

#: How the kinds of outputs are called on a page.
OUTPUT_NAMES = {
    "sr": "Measurement report (SR)",
    "seg-vessels": "Calcium per vessel (SEG)",
    "seg-lesions": "Calcium per lesion (SEG)",
    "seg-anatomy": "Coronary tree and aorta (SEG)",
    "summary": "Summary page (SC)",
    "tree-views": "Coronary tree views (SC)",
    "key-images": "Key images (KO)",
    "seg-altered": "Altered voxels (SEG)",
    "cpr": "Curved reformats of the trunks (SC)",
    "ct-calcium-removed": "Calcium-removed series (CT)",
    "ct-non-contrast": "Pseudo non-contrast series (CT)",
    "ct-lumen": "Lumen series (CT)",
}
#: Derived series that is shown beside its source.
COMPARED_KIND = "ct-calcium-removed"
#: Kinds that are made to be looked at.
PICTURE_KINDS = ("summary", "tree-views")
VESSELS = ("total", "LM", "LAD", "LCX", "RCA")
QUANTITIES = (("agatston", "Agatston score"), ("volume_mm3", "Volume (mm³)"), ("mass_mg", "Mass (mg)"))


@dataclass(frozen=True, slots=True)
class ScoreBrief:
    """One score in the work list."""

    analysis: str
    agatston_total: float
    risk_category: str
    is_provisional: bool
    is_estimate: bool


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """One study in the work list: its scores, whether they contradict each other, and in words why there are none.

    `presence` is what the detection says where it was asked for, `doubtful_zero` why a score of zero needs reading.
    """

    study: StudyRecord
    scores: Sequence[ScoreBrief]
    notes: Sequence[str]
    discordance: str | None
    presence: CalciumPresence | None
    doubtful_zero: str | None
    has_calcium_removed: bool


@dataclass(frozen=True, slots=True)
class KeySliceView:
    """One picture and what is on it."""

    address: str
    caption: str


@dataclass(frozen=True, slots=True)
class OutputView:
    """The objects of one kind with their addresses.

    `address` is that of the file, or of the archive of several; `picture` is None unless it is made to be looked at.
    """

    kind: str
    name: str
    uid: str
    count: int
    size_bytes: int
    address: str
    picture: str | None
    deliveries: Sequence[str]


@dataclass(frozen=True, slots=True)
class ComparedSlice:
    """One image of the source and what was made of it; `number` counts from 1."""

    number: int
    source_picture: str
    derived_picture: str
    is_altered: bool


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """A scan and the derived series, slice by slice; `altered_runs` are the first and last number of each run."""

    slices: Sequence[ComparedSlice]
    altered_runs: Sequence[tuple[int, int]]
    window: Window


@dataclass(frozen=True, slots=True)
class ResultView:
    """One result card."""

    document: ResultDocument
    series_name: str
    lesion_columns_have_mass: bool
    key_slices: Sequence[KeySliceView]
    key_slice_window: Window
    outputs: Sequence[OutputView]
    comparison: ComparisonView | None
    anchor: str
    summary_picture: str | None
    tree_picture: str | None


@dataclass(frozen=True, slots=True)
class OlderResult:
    """One line of the history of results."""

    analysis: str
    series_name: str
    version: int
    state: str
    agatston_total: float | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ConcordanceView:
    """The two scores of a study side by side, with the names of their series."""

    document: ConcordanceDocument
    csct_series: str
    ccta_series: str

    def difference(self, vessel: str) -> float:
        """Contrast scan minus calcium-scoring CT of one vessel, or of the total."""
        return float(getattr(self.document.ccta, vessel) - getattr(self.document.csct, vessel))


@dataclass(frozen=True, slots=True)
class StudyView:
    """Everything on a study page."""

    study: StudyRecord
    summary: str
    next_try_at: datetime | None
    can_reprocess: bool
    concordance: ConcordanceView | None
    results: Sequence[ResultView]
    older: Sequence[OlderResult]
    series: Sequence[SeriesRecord]
    events: Sequence[EventRecord]


def worklist_row(reading: Reading, study: StudyRecord) -> WorklistRow:
    """Return the row of one study."""
    stored = reading.results_of_study(study.study_instance_uid)
    results, pair = latest_results(stored), paired_scores(stored)
    scores = [
        ScoreBrief(
            analysis=result.analysis,
            agatston_total=calcium["agatston"]["total"],
            risk_category=calcium["risk_category"],
            is_provisional=result.provisional,
            is_estimate=result.document.get("contrast") is not None,
        )
        for result in results
        if (calcium := result.document.get("calcium")) is not None
    ]
    notes = [_reason_text(result.document.get("reason")) for result in results if result.state != "completed"]
    if not scores and not notes:
        notes = [
            f"{series_name(series)}: {series.reason_text}"
            for series in reading.series_of_study(study.study_instance_uid)
            if series.reason_text
        ]
    discordance = pair.concordance.text if pair is not None and pair.concordance.is_discordant else None
    has_calcium_removed = any(COMPARED_KIND in _kinds(result) for result in results)
    presences = [detection["presence"] for result in results if (detection := result.document.get("detection"))]
    return WorklistRow(
        study=study,
        scores=scores,
        notes=notes,
        discordance=discordance,
        presence=presences[0] if presences else None,
        doubtful_zero=" ".join(doubts_of_zero(results)) or None,
        has_calcium_removed=has_calcium_removed,
    )


def _kinds(result: ResultRecord) -> set[str]:
    """Kinds of the objects that a result names."""
    return {output["kind"] for output in result.document.get("outputs", ())}


def study_view(context: ServeContext, study_instance_uid: str) -> StudyView:
    """Return the page of one study.

    Raises
    ------
    StudyNotFound
        When nothing of it was stored.
    """
    with context.database.reading() as reading:
        rows = read_study(reading, study_instance_uid)
        latest = latest_results(rows.results)
        documents = dict(zip((row.id for row in rows.results), result_documents(rows.results), strict=True))
        standing = standing_of(rows)
        return StudyView(
            study=rows.study,
            summary=standing.summary,
            next_try_at=standing.next_try_at,
            can_reprocess=not is_moving(rows),
            concordance=_concordance_view(rows),
            results=[_result_view(context, reading, rows, result, documents[result.id]) for result in latest],
            older=[_older_result(result, rows) for result in rows.results if result not in latest],
            series=rows.series,
            events=reading.timeline(study_instance_uid),
        )


def _concordance_view(rows: StudyRows) -> ConcordanceView | None:
    pair = paired_scores(rows.results)
    if pair is None:
        return None
    return ConcordanceView(
        document=ConcordanceDocument.model_validate(pair.concordance.as_dict()),
        csct_series=_name_of(pair.csct.series_id, rows),
        ccta_series=_name_of(pair.ccta.series_id, rows),
    )


def _result_view(
    context: ServeContext, reading: Reading, rows: StudyRows, result: ResultRecord, document: ResultDocument
) -> ResultView:
    records = reading.outputs_of_result(result.id)
    kinds = {kind: [each for each in records if each.kind == kind] for kind in dict.fromkeys(r.kind for r in records)}
    outputs = [_output_view(context, rows, each) for each in kinds.values()]
    lesions = document.calcium.lesions if document.calcium else []
    return ResultView(
        document=document,
        series_name=_name_of(result.series_id, rows),
        lesion_columns_have_mass=any(lesion.mass_mg is not None for lesion in lesions),
        key_slices=_key_slices(context, reading, rows, result, document),
        key_slice_window=key_slice_window(is_contrast=document.contrast is not None),
        outputs=outputs,
        comparison=_comparison(context, kinds.get(COMPARED_KIND, ()), document),
        anchor=f"result-{result.id}-slice",
        summary_picture=_picture(outputs, "summary"),
        tree_picture=_picture(outputs, "tree-views"),
    )


def _picture(outputs: Sequence[OutputView], kind: str) -> str | None:
    return next((output.picture for output in outputs if output.kind == kind), None)


def _output_view(context: ServeContext, rows: StudyRows, outputs: Sequence[OutputRecord]) -> OutputView:
    """One line for all objects of a kind: a derived series has hundreds."""
    first, count = outputs[0], len(outputs)
    series = (first.study_instance_uid, first.series_instance_uid)
    address = context.links.archive(*series) if count > 1 else context.links.instance(*series, first.sop_instance_uid)
    return OutputView(
        kind=first.kind,
        name=OUTPUT_NAMES.get(first.kind, first.kind),
        uid=first.series_instance_uid if count > 1 else first.sop_instance_uid,
        count=count,
        size_bytes=sum(output.size_bytes for output in outputs),
        address=address,
        picture=context.links.rendered(*series, first.sop_instance_uid) if first.kind in PICTURE_KINDS else None,
        deliveries=_delivery_lines(rows, {output.id for output in outputs}),
    )


def _delivery_lines(rows: StudyRows, output_ids: Container[int]) -> list[str]:
    """One line per destination, state and error, with a count where it stands for several objects."""
    lines = Counter(
        f"{delivery.destination}: {delivery.state}" + (f" ({delivery.last_error})" if delivery.last_error else "")
        for delivery in rows.deliveries
        if delivery.output_id in output_ids
    )
    return [f"{line} × {count}" if count > 1 else line for line, count in lines.items()]


def _comparison(
    context: ServeContext, images: Sequence[OutputRecord], document: ResultDocument
) -> ComparisonView | None:
    """Both series slice by slice in the order of the volume; None where no series was made."""
    if not images or document.stenosis is None:
        return None
    series = next(each for each in document.stenosis.series if each.kind == COMPARED_KIND)
    altered, window, links = set(series.altered_slices or ()), CONTRAST_WINDOW, context.links
    query = f"?window={window.center_hu:g},{window.width_hu:g}"
    slices = []
    for index, image in enumerate(images):
        uids = (image.study_instance_uid, image.series_instance_uid, image.sop_instance_uid)
        source, derived = links.source_rendered(*uids) + query, links.rendered(*uids) + query
        slices.append(ComparedSlice(index + 1, source, derived, index in altered))
    return ComparisonView(slices, _runs(sorted(altered)), window)


def _runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """First and last number (from 1) of every run of consecutive indices."""
    runs: list[tuple[int, int]] = []
    for number in (index + 1 for index in indices):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _key_slices(
    context: ServeContext, reading: Reading, rows: StudyRows, result: ResultRecord, document: ResultDocument
) -> list[KeySliceView]:
    """Return the key slices of a result in the order of the series; none when there is no lesion segmentation."""
    study_uid = rows.study.study_instance_uid
    ledger = [output for output in reading.outputs_of_result(result.id) if output.kind == "seg-lesions"]
    segmentation = find_output(reading, study_uid, None, ledger[0].sop_instance_uid) if ledger else None
    if segmentation is None or not context.files.exists(segmentation.storage_key):
        return []
    try:
        lesions = read_lesion_frames(context.files.path(segmentation.storage_key))
    except UnreadableSegmentation:
        return []
    numbers = {i.sop_instance_uid: i.instance_number for i in reading.instances_of_series(result.series_id)}
    views = []
    for key_slice in choose_key_slices(lesions):
        number = numbers.get(key_slice.source.sop_instance_uid)
        place = (number or 0, key_slice.source.frame or 0)
        name = f"Image {number}" if number is not None else "Image"
        frame = f", frame {key_slice.source.frame}" if key_slice.source.frame else ""
        vessels = ", ".join(f"{n} ({_vessel(document, n)})" for n in key_slice.segment_numbers)
        label = "lesion" if len(key_slice.segment_numbers) == 1 else "lesions"
        address = context.links.key_slice(
            study_uid, ledger[0].sop_instance_uid, key_slice.source.sop_instance_uid, key_slice.source.frame
        )
        views.append((place, KeySliceView(address, f"{name}{frame}: {label} {vessels}")))
    return [view for _, view in sorted(views, key=lambda placed: placed[0])]


def _vessel(document: ResultDocument, segment_number: int) -> str:
    lesions = document.calcium.lesions if document.calcium else []
    return lesions[segment_number - 1].vessel if 0 < segment_number <= len(lesions) else "?"


def _older_result(result: ResultRecord, rows: StudyRows) -> OlderResult:
    calcium = result.document.get("calcium")
    return OlderResult(
        analysis=result.analysis,
        series_name=_name_of(result.series_id, rows),
        version=result.version,
        state=result.state,
        agatston_total=calcium["agatston"]["total"] if calcium else None,
        created_at=result.created_at,
    )


def _name_of(series_id: int, rows: StudyRows) -> str:
    return next((series_name(series) for series in rows.series if series.id == series_id), "a series")


def _reason_text(reason: Mapping[str, Any] | None) -> str:
    return str(reason["text"]) if reason else "No reason was recorded."
