"""The words for each analysis."""

from agatha.dicom.analysis_terms import ANALYSIS_TERMS
from coronary.registry import FAMILIES


def test_every_analysis_has_its_own_title_and_says_what_a_refusal_does_not_mean():
    assert set(ANALYSIS_TERMS) == {family.name for family in FAMILIES}
    assert len({terms.title for terms in ANALYSIS_TERMS.values()}) == len(FAMILIES)
    for family in FAMILIES:
        terms = ANALYSIS_TERMS[family.name]
        assert terms.refusal == f"{terms.not_done}. {terms.not_meant}"
        assert "not" in terms.not_meant
        assert terms.procedure.value == {"csct": "426005005", "ccta": "419545005"}[family.series_kind]
