"""The addresses of an item and of its pictures on the page; the name of a split may hold any character."""

from urllib.parse import quote


def item_address(split: str, row: int) -> str:
    """The address of the item's page."""
    return f"/item/{_place(split, row)}"


def picture_address(split: str, row: int) -> str:
    """The address of the image itself."""
    return f"/picture/{_place(split, row)}.png"


def thumb_address(split: str, row: int) -> str:
    """The address of the image made small."""
    return f"/thumb/{_place(split, row)}.png"


def segments_address(split: str, row: int) -> str:
    """The address of the image's segments."""
    return f"/segments/{_place(split, row)}.png"


def map_address(split: str, row: int, method: str, run: str) -> str:
    """The address of the map of where that run's model looks, so that a browser keeps no other model's in its place."""
    return f"/map/{_place(split, row)}/{quote(method, safe='')}.png?run={quote(run, safe='')}"


def _place(split: str, row: int) -> str:
    return f"{quote(split, safe='')}/{row}"
