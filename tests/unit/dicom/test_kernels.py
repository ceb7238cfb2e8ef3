"""Kernel names of four vendors, as their scanners write them: smooth enough for a calcium score, or not."""

import pytest

from agatha.dicom.kernels import is_soft_kernel, iterative_kernel

SOFT = {
    "Siemens": ["B20f", "B26f", "B30s", "B31s", "B35f", "B35f\\3", "B36f", "Br36", "Br40d", "Bv40", "Hr36", "I26f\\3",
                "I30f", "J30s", "Qr36", "Qr36d\\3", "Qr40", "Sa36", "Sa36f", "b35F", " B35f "],
    "Canon": ["FC01", "FC03", "FC08", "FC12", "FC12-H", "FC13", "FC13-H", "FL03", "fc03"],
    "GE": ["STANDARD", "Standard", "STND", "SOFT", "Soft"],
    "Philips": ["A", "B", "C", "CA", "CB", "CC", "XCA", "XCB", "XCC", "b"],
}  # fmt: skip
SHARP = {
    "Siemens": ["B50f", "B60f", "B70f", "B80s", "Bl57", "Bl64", "Br49", "Bv49", "Bv59", "Qr59", "I50f\\3", "I70f",
                "J70h", "U70u", "T20f"],
    "Canon": ["FC18", "FC30", "FC35", "FC51", "FC52", "FC52-H", "FC81", "FC86"],
    "GE": ["DETAIL", "BONE", "BONEPLUS", "LUNG", "EDGE", "CHEST", "HD STANDARD EDGE"],
    "Philips": ["D", "E", "L", "XCD", "YA", "YB", "YC", "YE"],
    "none": ["", "\\B35f", "35", "SHARP", "NONSTANDARD"],
}  # fmt: skip


def _named(table):
    return [pytest.param(name, id=f"{vendor}: {name!r}") for vendor, names in table.items() for name in names]


@pytest.mark.parametrize("name", _named(SOFT))
def test_smooth_kernel_is_soft(name):
    assert is_soft_kernel(name)


@pytest.mark.parametrize("name", _named(SHARP))
def test_sharp_or_unknown_kernel_is_not_soft(name):
    assert not is_soft_kernel(name)


@pytest.mark.parametrize(
    ("name", "evidence"),
    [
        ("Qr36d\\3", "kernel Qr36d, strength 3"),
        ("I26f\\2", "kernel I26f, strength 2"),
        ("I30f", "kernel I30f"),
        ("J30s", "kernel J30s"),
    ],
)
def test_a_kernel_that_names_a_strength_is_iterative(name, evidence):
    assert iterative_kernel(name) == evidence


@pytest.mark.parametrize("name", ["", "B35f", "Qr36d", "FC12", "FC12-H", "STANDARD", "XCB", "B", "Br40d\\0"])
def test_a_kernel_that_says_nothing_of_it_is_not(name):
    assert iterative_kernel(name) == ""
