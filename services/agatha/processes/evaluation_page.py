"""The page of an evaluation: one HTML file that needs no other file, no script and no network.

Decides what stands where and how it is worded; the layout is `templates/evaluation.html`. Every figure stands with the
name of its data, its number of cases and the research mark.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from agatha.dicom.codes import RESEARCH_MARK
from agatha.processes.evaluation_tables import LeftOut
from coronary.calcium import RISK_CATEGORIES
from coronary.evaluation.cohort import NO_VESSELS, AgreementReport, CaseRecord
from coronary.evaluation.continuous_agreement import PairedTTest
from coronary.evaluation.disagreements import worst_disagreements
from coronary.evaluation.figure_text import estimate_text, interval_text, number_text, p_text, proportion_text
from coronary.evaluation.headlines import headlines
from coronary.evaluation.plots import (
    INSTALL,
    plot_agreement,
    plot_confusion,
    plot_detection,
    plot_differences,
    plot_scatter,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Cases that are shown one by one; all are in the case table.
MOST_DISAGREEMENTS: Final = 20

#: Text of a vector picture stays text, and the same figures give the same bytes.
_SVG_STYLE: Final[dict[Any, Any]] = {"svg.fonttype": "none", "svg.hashsalt": "agatha"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it stands in the page: a data URI, what it shows, and for those who do not see it."""

    title: str
    description: str
    uri: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures of the page by their place in it, and those written beside it by the ending of their name."""

    of_page: dict[str, Picture] = field(default_factory=dict)
    files: dict[str, Figure] = field(default_factory=dict)


def draw_pictures(cases: Sequence[CaseRecord], report: AgreementReport) -> Pictures:
    """Draw all pictures; none where matplotlib is not installed."""
    pairs = [(case.true.total, case.predicted.total) for case in cases if case.predicted is not None]
    true, predicted = zip(*pairs, strict=True)
    volumes = [
        (case.true_volume_mm3.total, case.predicted_volume_mm3.total)
        for case in cases
        if case.true_volume_mm3 is not None and case.predicted_volume_mm3 is not None
    ]
    pictures = Pictures()
    quantity, name = report.quantity, report.data_name
    try:
        with plain_warnings():
            pictures.files[""] = plot_agreement(true, predicted, quantity=quantity, data_name=name)
            if volumes:
                sides = zip(*volumes, strict=True)
                pictures.files["-volume"] = plot_agreement(*sides, quantity="volume, mm³", data_name=name)
            pictures.of_page["scatter"] = _picture(
                "Every case",
                "Score of each case against its reference, logarithmic above 1. On the grey line both are the same; a "
                "point at the bottom, right of zero, is a wrong zero.",
                plot_scatter(true, predicted, quantity=quantity, data_name=name),
            )
            pictures.of_page["differences"] = _picture(
                "Bland–Altman",
                "Difference of each case against the mean of both scores. Solid: mean difference; dashed: 95 % limits.",
                plot_differences(true, predicted, quantity=quantity, data_name=name),
            )
            pictures.of_page["confusion"] = _picture(
                "Risk categories",
                "Counts of cases, reference in rows. On the diagonal both agree; dark is a large share of the row.",
                plot_confusion(report.risk_classes.counts, RISK_CATEGORIES, data_name=name),
            )
            if report.detection.value is not None:
                has_calcium = [score > 0 for score in true]
                pictures.of_page["detection"] = _picture(
                    "Detection of calcium",
                    "ROC curve of the score against calcium in the reference. Red: any score above 0 is calcium.",
                    plot_detection(has_calcium, predicted, data_name=name),
                )
    except ImportError:
        return Pictures()
    return pictures


def render_page(
    report: AgreementReport,
    cases: Sequence[CaseRecord],
    *,
    pictures: Pictures,
    left_out: Sequence[LeftOut],
    sources: Mapping[str, str],
    stem: str,
    version: str,
) -> str:
    """Return the page as text."""
    environment = Environment(
        loader=PackageLoader("agatha.processes", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        estimate=estimate_text,
        interval=interval_text,
        number=number_text,
        proportion=proportion_text,
        t_test=_t_test,
        stacked=_stacked,
    )
    return environment.get_template("evaluation.html").render(
        report=report,
        headlines=headlines(report),
        categories=RISK_CATEGORIES,
        worst=worst_disagreements(cases, MOST_DISAGREEMENTS),
        n_disagreeing=len(worst_disagreements(cases, len(cases))),
        refused=[case for case in cases if case.predicted is None],
        pictures=pictures.of_page,
        how_to_get_pictures=INSTALL,
        no_vessels=NO_VESSELS,
        left_out=left_out,
        sources=sources,
        stem=stem,
        has_volumes=any(case.predicted_volume_mm3 is not None for case in cases),
        research_mark=RESEARCH_MARK,
        version=version,
    )


def _stacked(text: str) -> Markup:
    """The interval below its value, so that neither is broken in a narrow column."""
    return Markup("<br>[").join(text.split(" ["))


def _t_test(test: PairedTTest) -> str:
    if test.t is None or test.p_value is None:
        return "undefined"
    return f"t({test.degrees_of_freedom}) = {number_text(test.t, 2)}, p {_compared(p_text(test.p_value))}"


def _compared(p: str) -> str:
    return f"< {p[1:]}" if p.startswith("<") else f"= {p}"


def _picture(title: str, description: str, figure: Figure) -> Picture:
    from matplotlib import rc_context

    drawn = io.BytesIO()
    nothing: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context(_SVG_STYLE):
        figure.savefig(drawn, format="svg", metadata=nothing)
    uri = "data:image/svg+xml;base64," + base64.b64encode(drawn.getvalue()).decode("ascii")
    return Picture(title, description, uri)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Draw without complaints about a data name in a script that the font lacks: the browser has fonts of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        yield
