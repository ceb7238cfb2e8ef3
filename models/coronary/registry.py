"""The list of the analyses. The router and the worker loop over it; adding a family means adding a row here.

A series of unknown kind is refused under the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable

from coronary.calcium_detection import CalciumDetection
from coronary.calcium_inpainting import CalciumInpainting
from coronary.ccta_scoring import CctaScoring
from coronary.contract import Family, ModelManifest, NetworkFile
from coronary.csct_scoring import CsctScoring
from coronary.lumen_extraction import LumenExtraction

FAMILIES: tuple[Family, ...] = (
    CsctScoring(),
    CalciumDetection(),
    CctaScoring(),
    CalciumInpainting(),
    LumenExtraction(),
)


def family_named(name: str) -> Family:
    """The family called `name`; KeyError with the known names otherwise."""
    for family in FAMILIES:
        if family.name == name:
            return family
    known = ", ".join(family.name for family in FAMILIES)
    raise KeyError(f"no analysis is called {name!r}; known: {known}")


def families_named(names: Sequence[str]) -> tuple[Family, ...]:
    """The families of these names in the order of the list, all of them for no name; KeyError for an unknown one."""
    chosen = [family_named(name) for name in names] or FAMILIES
    return tuple(family for family in FAMILIES if family in chosen)


def manifest_of(family: Family) -> ModelManifest:
    """Manifest shipped beside the family's code, with the networks that the family runs."""
    text = resources.files(family.package).joinpath("manifest.toml").read_text("utf-8")
    return ModelManifest.from_toml(text).only(family.networks)


def model_sha256(family: Family) -> str:
    """Hash of what a result depends on: the family's networks, and those of the analyses that it needs or asks."""
    own = manifest_of(family).sha256
    others = [name for name in (family.needs, family.second_opinion) if name is not None]
    if not others:
        return own
    lines = [f"{family.name} {own}\n", *(f"{name} {model_sha256(family_named(name))}\n" for name in others)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def model_file_of(family: Family, network: NetworkFile) -> Traversable:
    """An ONNX file shipped beside the family's code."""
    return resources.files(family.package).joinpath(network.file)
