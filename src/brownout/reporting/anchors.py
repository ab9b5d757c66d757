"""Anchors of a report: the same for the same thing in every night, and free of what names may hold."""

import hashlib

__all__ = ["action_anchor", "anchor"]


def action_anchor(about: str, title: str, entity: str) -> str:
    """The id of an action: what it is about, what is done, and to whom; two guests may leave one host."""
    return anchor("a", f"{about} {title} {entity}")


def anchor(kind: str, name: str) -> str:
    """Kind, a hyphen, and a short hash of a name, e.g. ``e-3f2a91c04b``."""
    return f"{kind}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"
