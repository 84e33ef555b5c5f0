"""An IPv6 alias that is taken down: what it loses. Loaded only then. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Alias


def note(alias: Alias) -> list[str]:
    """A note on what of an address is lost while the device is down, or none."""
    if alias.entry is None:
        return []
    lost = [f"the {word}" for word in ("metric", "peer") if getattr(alias.entry, word)]
    lost += ["deprecated"] if alias.entry.deprecated else []
    text = " and ".join(lost)
    return [f"{alias.name}: {text} must be given again when it is raised"] if lost else []
