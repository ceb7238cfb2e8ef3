"""Names of reconstruction kernels: which ones are smooth enough for a calcium score, and which ones are iterative.

Decides by the vendors' naming habits; a site's own kernel name that fits none is "not known to be soft".
"""

from __future__ import annotations

import re
from typing import Final

#: Smooth kernels by vendor. After a hyphen or a blank the name goes on with what is no sharpness (Canon FC12-H).
#: Philips' letters stand alone, because names of others begin with them (B60f).
_SOFT: Final = re.compile(
    r"("
    r"(B|BR|BV|HR|HV|QR|SA|I|J)([123]\d|4[0-6])[A-Z]?\d?"  # Siemens up to 46: B35f, Qr36d, Sa36f, I26f
    r"|FC(0\d|1[0-5])|FL0[1-4]"  # Canon: body FC00 to FC15, low contrast FL01 to FL04
    r"|STANDARD|STND|SOFT"  # GE
    r")([- ].*)?"
    r"|(XC|C)?[ABC]",  # Philips: B, CB, XCB
    re.IGNORECASE,
)

#: Siemens' kernels for SAFIRE; with ADMIRE a kernel keeps its name, and the strength is its second value.
_SAFIRE: Final = re.compile(r"[IJ]\d\d[A-Z]?", re.IGNORECASE)
_STRENGTH: Final = re.compile(r"[1-5]")


def iterative_kernel(name: str) -> str:
    r"""What a kernel (``ConvolutionKernel``, values separated by a backslash) says of iterative reconstruction.

    A sentence's part such as "kernel I26f, strength 3"; "" where it says nothing. Siemens only: the other vendors have
    it in private attributes.
    """
    first, *others = (part.strip() for part in name.split("\\"))
    strength = next((part for part in others if _STRENGTH.fullmatch(part)), "")
    if not strength and not _SAFIRE.fullmatch(first):
        return ""
    return f"kernel {first}, strength {strength}" if strength else f"kernel {first}"


def is_soft_kernel(name: str) -> bool:
    r"""Whether the kernel (the first of several, separated by a backslash) is a smooth one."""
    return bool(_SOFT.fullmatch(name.split("\\")[0].strip()))
