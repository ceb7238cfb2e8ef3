"""Text on a page: the fonts that come with the service, shortening and wrapping.

Decides how text gets onto a page the same way on every machine; therefore no system font and no text shaping library.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from io import BytesIO
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Anchor = Literal["la", "ra", "ma"]

_FONT_FILES = {False: "DejaVuSans.ttf", True: "DejaVuSans-Bold.ttf"}

#: No font has a glyph here (a noncharacter), so this is what a missing glyph looks like.
_NO_CHARACTER = "￾"


@lru_cache(maxsize=32)
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans of a size in pixels, from the package itself."""
    content = resources.files("agatha.report").joinpath("fonts", _FONT_FILES[bold]).read_bytes()
    return ImageFont.truetype(BytesIO(content), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def is_drawable(text: str) -> bool:
    """Whether every character has a glyph (Latin, Greek and Cyrillic have; Han, Kana and Hangul have not)."""
    face = font(16)
    missing = bytes(face.getmask(_NO_CHARACTER))
    return all(character.isspace() or bytes(face.getmask(character)) != missing for character in text)


class Page:
    """A page to write on; positions and sizes in pixels from the top left."""

    def __init__(self, width: int, height: int, background: Colour) -> None:
        self.image = Image.new("RGB", (width, height), background)
        self.draw = ImageDraw.Draw(self.image)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        colour: Colour,
        *,
        bold: bool = False,
        anchor: Anchor = "la",
        max_width: float | None = None,
        on_picture: bool = False,
    ) -> float:
        """Write one line, shortened with an ellipsis where it is wider than ``max_width``; returns its width.

        ``on_picture`` draws a black rim, so that the text can be read on bright tissue.
        """
        face = font(size, bold)
        if max_width is not None and face.getlength(text) > max_width:
            while text and face.getlength(text + "…") > max_width:
                text = text[:-1]
            text = text.rstrip() + "…"
        rim = 2 if on_picture else 0
        self.draw.text(at, text, fill=colour, font=face, anchor=anchor, stroke_width=rim, stroke_fill=(0, 0, 0))
        return face.getlength(text)

    def paragraph(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        colour: Colour,
        *,
        width: float,
        lines: int,
        bold: bool = False,
    ) -> float:
        """Write wrapped text of at most ``lines`` lines (the last one shortened); returns the y below it."""
        x, y = at
        wrapped = wrap(text, size, width, bold=bold)
        for number, line in enumerate(wrapped[:lines]):
            rest = " ".join(wrapped[number:]) if number == lines - 1 else line
            self.text((x, y), rest, size, colour, bold=bold, max_width=width)
            y += round(size * 1.35)
        return y

    def box(self, corners: tuple[float, float, float, float], fill: Colour, outline: Colour | None = None) -> None:
        """Filled rectangle with slightly rounded corners."""
        self.draw.rounded_rectangle(corners, radius=6, fill=fill, outline=outline)

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: Colour) -> None:
        """Thin line."""
        self.draw.line([start, end], fill=colour, width=1)


def wrap(text: str, size: int, width: float, *, bold: bool = False) -> list[str]:
    """Break text at spaces into lines no wider than ``width`` (a longer single word keeps its line)."""
    face = font(size, bold)
    lines: list[str] = []
    for word in text.split():
        if lines and face.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines
