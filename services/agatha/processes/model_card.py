"""The measured figures of a model card: a block between two marks, written by the command that measured them.

Decides how a block is found. Everything else on a card is written by people and stays as it is.
"""

from __future__ import annotations

from pathlib import Path

from agatha.processes.settings import ConfigurationError


def marks(name: str) -> tuple[str, str]:
    """First and last line of the block called `name`."""
    return f"<!-- figures: {name} -->", f"<!-- end of figures: {name} -->"


def write_figures(card: Path, name: str, text: str) -> None:
    """Replace what stands between the marks of the block `name`.

    Raises
    ------
    ConfigurationError
        If the card has no such block, or its end is missing.
    """
    before, after = marks(name)
    written = card.read_text(encoding="utf-8")
    head, found, rest = written.partition(before)
    _, ended, tail = rest.partition(after)
    if not found or not ended:
        raise ConfigurationError(f"{card} has no block for these figures; put in the two lines {before} and {after}")
    card.write_text(f"{head}{before}\n{text.strip()}\n{after}{tail}", encoding="utf-8")
