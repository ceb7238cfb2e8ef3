"""What routing and the analyses are told from the headers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from agatha.assemble import AssembledSeries, SeriesHeader, assemble_series, read_series_header
from agatha.dicom.codes import MANUFACTURER, MODEL_NAME
from builders.ct_series import build_ct_series, build_enhanced_ct
from coronary.contract import AcquisitionFacts
from coronary.imaging.blood_pool import measure_blood_pool


def header_of(folder: Path, **options: Any) -> SeriesHeader:
    header = read_series_header(build_ct_series(folder, **{"slices": 6, "rows": 8, **options}))
    assert isinstance(header, SeriesHeader), header
    return header


def facts_of(folder: Path, **options: Any) -> AcquisitionFacts:
    return header_of(folder, **options).facts


def test_header_describes_the_series(tmp_path: Path) -> None:
    header = header_of(tmp_path)
    assert (header.modality, header.image_type, header.slice_count) == ("CT", ("ORIGINAL", "PRIMARY", "AXIAL"), 6)
    assert (header.spacing_mm, header.coverage_mm, header.field_of_view_mm) == (3.0, 18.0, 320.0)
    assert header.normal_lps == (0.0, 0.0, 1.0)
    assert (header.series_number, header.rescale_type, header.phases) == (2, "HU", 1)
    assert not header.is_own_output
    assert header.facts.series_description == "CaScSeq 3.0 B35f 70%"
    assert (header.facts.kvp, header.facts.slice_thickness_mm) == (120.0, 3.0)


def test_header_of_the_volume_is_that_of_the_series(tmp_path: Path) -> None:
    paths = build_ct_series(tmp_path, slices=6, rows=8, fault="identical_duplicates")
    series = assemble_series(paths)
    assert isinstance(series, AssembledSeries)
    assert series.header == read_series_header(paths)
    assert series.facts == series.header.facts


@pytest.mark.parametrize("agent", ["", "NONE", "none", "Undefined", "NO", "No contrast", None])
def test_absent_contrast_has_many_names(tmp_path: Path, agent: str | None) -> None:
    assert facts_of(tmp_path, ContrastBolusAgent=agent).contrast_agent == ""


def test_contrast_agent_is_kept(tmp_path: Path) -> None:
    assert facts_of(tmp_path, ContrastBolusAgent="Ultravist 370").contrast_agent == "Ultravist 370"


@pytest.mark.parametrize(
    ("attributes", "is_soft", "evidence"),
    [
        ({"ConvolutionKernel": "B35f"}, True, ""),
        ({"ConvolutionKernel": "B70f"}, False, ""),
        ({"ConvolutionKernel": None}, None, ""),
        ({"ConvolutionKernel": ["Qr36d", "3"]}, True, "kernel Qr36d, strength 3"),
        (
            {"ConvolutionKernel": "FC12", "ReconstructionAlgorithm": "ITERATIVE"},
            True,
            "ReconstructionAlgorithm ITERATIVE",
        ),
        ({"ConvolutionKernel": "FC12", "ReconstructionAlgorithm": "FILTER_BACK_PROJ"}, True, ""),
    ],
)
def test_how_the_images_were_reconstructed(
    tmp_path: Path, attributes: dict[str, Any], is_soft: bool | None, evidence: str
) -> None:
    facts = facts_of(tmp_path, **attributes)
    assert (facts.is_soft_kernel, facts.iterative_reconstruction) == (is_soft, evidence)


NAMELESS = {"SeriesDescription": "3mm", "ProtocolName": "Heart", "ScanOptions": "HELIX"}


@pytest.mark.parametrize(
    "attributes",
    [
        {"HeartRate": 62},
        {"TriggerTime": 700},
        {"NominalPercentageOfCardiacPhase": 70},
        {"CardiacSynchronizationTechnique": "PROSPECTIVE"},
        {"SeriesDescription": "SmartScore - Gated 0.5 sec"},
        {"SeriesDescription": "CorCTA 0.6 BestDiast"},
        {"ProtocolName": "CTA 350 ms"},
        {"ScanOptions": "TP70PC"},
    ],
)
def test_evidence_of_gating(tmp_path: Path, attributes: dict[str, Any]) -> None:
    header = header_of(tmp_path, **{**NAMELESS, **attributes})
    assert header.gating_evidence
    assert header.facts.is_gated


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"HeartRate": 0, "TriggerTime": 0},
        {"CardiacSynchronizationTechnique": "NONE"},
        {"SeriesDescription": "Chest non-gated"},
        {"SeriesDescription": "Thorax ASiR 40%"},
    ],
)
def test_no_evidence_of_gating(tmp_path: Path, attributes: dict[str, Any]) -> None:
    header = header_of(tmp_path, **{**NAMELESS, **attributes})
    assert header.gating_evidence == ()
    assert not header.facts.is_gated


@pytest.mark.parametrize(
    ("attributes", "factor", "source"),
    [
        ({}, None, ""),
        ({"CalciumScoringMassFactorPatient": 0.8}, 0.8, "(0018,9351) CalciumScoringMassFactorPatient"),
        (
            {"CalciumScoringMassFactorDevice": [0.7, 0.75, 0.8]},
            0.75,
            "(0018,9352) CalciumScoringMassFactorDevice, medium patient",
        ),
        (
            {"CalciumScoringMassFactorPatient": 0.8, "CalciumScoringMassFactorDevice": [0.7, 0.75, 0.8]},
            0.8,
            "(0018,9351) CalciumScoringMassFactorPatient",
        ),
        ({"CalciumScoringMassFactorPatient": 0}, None, ""),
    ],
)
def test_mass_factor(tmp_path: Path, attributes: dict[str, Any], factor: float | None, source: str) -> None:
    facts = facts_of(tmp_path, **attributes)
    assert facts.calcium_mass_factor == (None if factor is None else pytest.approx(factor, abs=1e-6))
    assert facts.calcium_mass_factor_source == source


def test_mass_factor_that_differs_between_slices_is_none(tmp_path: Path) -> None:
    def different(datasets: list[Dataset]) -> list[Dataset]:
        for index, dataset in enumerate(datasets):
            dataset.CalciumScoringMassFactorPatient = 0.7 + index / 100
        return datasets

    assert facts_of(tmp_path, change=different).calcium_mass_factor is None


def test_lossy_flag(tmp_path: Path) -> None:
    assert facts_of(tmp_path / "a", fault="lossy").is_lossy_compressed
    assert not facts_of(tmp_path / "b").is_lossy_compressed


def test_localizers_reformats_and_own_output_are_told(tmp_path: Path) -> None:
    assert "LOCALIZER" in header_of(tmp_path / "a", fault="localizer").image_type
    reformat = header_of(tmp_path / "b", fault="mpr")
    assert reformat.image_type == ("DERIVED", "SECONDARY", "MPR")
    assert reformat.normal_lps == (0.0, 1.0, 0.0)
    assert header_of(tmp_path / "c", SyntheticData="YES").is_own_output
    equipment = Dataset()
    equipment.Manufacturer, equipment.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    assert header_of(tmp_path / "d", ContributingEquipmentSequence=[equipment]).is_own_output
    assert not header_of(tmp_path / "e", SeriesDescription="AI Recon CaScore 3.0").is_own_output


def test_few_reformats_do_not_speak_for_the_axial_slices(tmp_path: Path) -> None:
    assert header_of(tmp_path, fault="mixed_orientation").normal_lps == (0.0, 0.0, 1.0)


def test_unreadable_values_count_as_missing(tmp_path: Path) -> None:
    paths = build_ct_series(tmp_path, slices=3, rows=8)
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"120.0", b"12O.O"))
    header = read_series_header(paths)
    assert isinstance(header, SeriesHeader)
    assert header.facts.kvp is None


def test_object_that_is_no_image_has_a_header(tmp_path: Path) -> None:
    def document(datasets: list[Dataset]) -> list[Dataset]:
        plain = Dataset()
        plain.SOPClassUID, plain.SOPInstanceUID = EncapsulatedPDFStorage, "1.2.3"
        plain.SeriesInstanceUID, plain.Modality = "1.2", "DOC"
        return [plain]

    header = header_of(tmp_path, change=document)
    assert (header.modality, header.slice_count, header.normal_lps) == ("DOC", 0, None)


def test_enhanced_header_is_read_from_its_groups(tmp_path: Path) -> None:
    header = read_series_header(build_enhanced_ct(tmp_path, slices=6, rows=8))
    assert isinstance(header, SeriesHeader)
    assert (header.facts.kvp, header.facts.slice_thickness_mm, header.rescale_type) == (120.0, 3.0, "HU")
    assert (header.slice_count, header.spacing_mm, header.facts.cardiac_phase_percent) == (6, 3.0, 75.0)


@pytest.mark.parametrize(("planted_hu", "low", "high"), [(40, 0, 80), (120, 80, 180), (350, 180, 400)])
def test_phantom_has_a_blood_pool_to_route_by(tmp_path: Path, planted_hu: int, low: int, high: int) -> None:
    series = assemble_series(build_ct_series(tmp_path, blood_pool_hu=planted_hu))
    assert isinstance(series, AssembledSeries)
    pool = measure_blood_pool(series.volume)
    assert pool is not None
    assert low < pool.median_hu < high
