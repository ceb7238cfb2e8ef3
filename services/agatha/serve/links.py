"""Addresses: every URL that an answer or a page contains is made here, with each part percent-encoded.

The host never comes from the request (a forged Host header would end up in links); it comes from the configured
public base URL, and without one links are paths.
"""

from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from agatha.serve.documents import StudyLinks

API = "/api/v1"


class Links:
    """Makes addresses.

    Parameters
    ----------
    public_base_url
        Where clients reach the service, e.g. ``https://agatha.example/ct``; None makes every link a path. Pages use
        only its path, so that they work under any name of the host.
    """

    def __init__(self, public_base_url: str | None) -> None:
        self._api_base = (public_base_url or "").rstrip("/")
        self._page_base = urlsplit(self._api_base).path

    def studies(self, query: Mapping[str, str | int]) -> str:
        """Address of a page of studies."""
        return f"{self._api_base}{API}/studies?{urlencode(query)}"

    def study(self, study_instance_uid: str) -> StudyLinks:
        """Addresses of one study."""
        base = f"{self._api_base}{API}/studies/{_part(study_instance_uid)}"
        return StudyLinks(
            self=base,
            results=f"{base}/results",
            timeline=f"{base}/timeline",
            reprocess=f"{base}/reprocess",
            page=f"{self._api_base}/studies/{_part(study_instance_uid)}",
        )

    def worklist_page(self, query: Mapping[str, str | int] | None = None) -> str:
        """Path of the work list."""
        return f"{self._page_base}/" + (f"?{urlencode(query)}" if query else "")

    def study_page(self, study_instance_uid: str) -> str:
        """Path of a study page."""
        return f"{self._page_base}/studies/{_part(study_instance_uid)}"

    def reprocess_form(self, study_instance_uid: str) -> str:
        """Path that the button of the study page posts to."""
        return f"{self.study_page(study_instance_uid)}/reprocess"

    def key_slice(self, study_instance_uid: str, segmentation_uid: str, source_uid: str, frame: int | None) -> str:
        """Path of the picture of a source slice with the lesions of a segmentation outlined."""
        query = f"?{urlencode({'frame': frame})}" if frame is not None else ""
        return f"{self.study_page(study_instance_uid)}/key-slices/{_part(segmentation_uid)}/{_part(source_uid)}{query}"

    def instance(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> str:
        """Path of the file of an output."""
        return f"{self._series(study_instance_uid, series_instance_uid)}/instances/{_part(sop_instance_uid)}"

    def _series(self, study_instance_uid: str, series_instance_uid: str) -> str:
        series = f"{API}/studies/{_part(study_instance_uid)}/series/{_part(series_instance_uid)}"
        return f"{self._page_base}{series}"

    def archive(self, study_instance_uid: str, series_instance_uid: str) -> str:
        """Path of all files of one series of outputs."""
        return f"{self._series(study_instance_uid, series_instance_uid)}/archive"

    def source_rendered(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> str:
        """Path of the picture of the image that an image of a derived series was made from."""
        return f"{self.instance(study_instance_uid, series_instance_uid, sop_instance_uid)}/source/rendered"

    def rendered(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> str:
        """Path of the picture of an instance."""
        return f"{self.instance(study_instance_uid, series_instance_uid, sop_instance_uid)}/rendered"

    def api_document(self, study_instance_uid: str, name: str) -> str:
        """Path of a JSON document of a study, for links on pages."""
        return f"{self._page_base}{API}/studies/{_part(study_instance_uid)}/{_part(name)}"

    def static(self, name: str) -> str:
        """Path of a file that belongs to the pages."""
        return f"{self._page_base}/static/{_part(name)}"


def _part(value: str) -> str:
    return quote(value, safe="")
