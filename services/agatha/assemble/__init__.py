"""Build one volume in HU from the instances of a CT series, or say why not (``series_volume``).

The types that come out are defined in ``agatha.dicom.ct_series``, because stages do not import one another.
"""

from agatha.assemble.series_volume import assemble_series, read_series_header
from agatha.dicom.ct_series import AssembledSeries, SeriesHeader, SourceSlice

__all__ = ["AssembledSeries", "SeriesHeader", "SourceSlice", "assemble_series", "read_series_header"]
