"""Names of reconstruction kernels: which ones are smooth enough for a calcium score.

Decides by the vendors' naming habits; a site's own kernel name that fits none is "not known to be soft".
"""

from __future__ import annotations

import re
from typing import Final

#: Siemens B, Br, Bv, Qr, Sa up to 46 (B35f, Qr36), Canon FC01–FC15, GE STANDARD and SOFT, Philips A–C, XCA–XCC, CA–CC.
_SOFT: Final = re.compile(
    r"(B|BR|BV|HR|HV|QR|SA|I|J)([12]\d|3\d|4[0-6])[A-Z]?\d?|FC(0\d|1[0-5])|STANDARD|STND|SOFT|(XC|C)?[ABC]|FL0[1-4]",
    re.IGNORECASE,
)


def is_soft_kernel(name: str) -> bool:
    r"""Whether the kernel (the first of several, separated by a backslash) is a smooth one."""
    return bool(_SOFT.fullmatch(name.split("\\")[0].strip()))
