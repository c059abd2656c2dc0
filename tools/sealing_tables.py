"""The table about sealed folders, written from the results of its benchmark."""

from collections.abc import Iterator
from typing import Any

from correction_tables import mean_and_sd


def tampering(found: dict[str, Any]) -> Iterator[str]:
    """How much of what was done was found, and how fast."""
    flips = [row for row in found["rows"] if row["what"] == "flipped bits"]
    kinds = [row for row in found["rows"] if "tried" in row and row["what"] != "flipped bits"]
    yield "| what was done to a signed seal | tried | found |"
    yield "|---|---|---|"
    yield f"| a flipped bit, in every file alike | {_total(flips, 'tried'):,} | {_total(flips, 'found'):,} |"
    yield f"| {len(kinds)} kinds of tampering | {_total(kinds, 'tried'):,} | {_total(kinds, 'found'):,} |"
    yield ""
    yield "| verifying 1 GB, as a multiple of the speed of | `sha256sum` | `openssl dgst -sha256` |"
    yield "|---|---|---|"
    for row in found["rows"]:
        if "openssl" in row:
            way, files = (
                row["what"].removeprefix("speed of a "),
                "1 file" if row["files"] == 1 else f"{row['files']} files",
            )
            yield f"| {way}, {files} | {mean_and_sd(row['sha256sum'])} | {mean_and_sd(row['openssl'])} |"


def _total(rows: list[dict[str, Any]], name: str) -> int:
    return sum(round(row[name]["mean"] * row[name]["count"]) for row in rows)
