"""Jinja templates of the pages: everything is escaped (autoescape everywhere), an unknown name is an error.

Decides how templates are found and what all of them know; what a page shows is prepared in `page_views`.
"""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from agatha.dicom.codes import RESEARCH_MARK
from agatha.serve.display_text import (
    dicom_date,
    moment,
    number,
    percent,
    probabilities,
    signed,
    signed_hu,
    whole,
    words,
)
from agatha.serve.links import Links
from coronary.detection_findings import presence_text


class PageTemplates:
    """Renders the pages."""

    def __init__(self, links: Links, version: str) -> None:
        self._environment = Environment(
            loader=PackageLoader("agatha.serve", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            number=number,
            whole=whole,
            percent=percent,
            presence=presence_text,
            probabilities=probabilities,
            signed=signed,
            signed_hu=signed_hu,
            moment=moment,
            dicom_date=dicom_date,
            words=words,
        )
        self._environment.globals.update(links=links, version=version, research_mark=RESEARCH_MARK)

    def render(self, template: str, **values: Any) -> str:
        """Return the page as text."""
        return self._environment.get_template(template).render(**values)
