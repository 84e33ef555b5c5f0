"""Deprecated name of netalias.families, kept for plug-ins until the next minor version."""

from __future__ import annotations

from netalias.families import ENTRY_POINTS, AliasType, Registry, installed, lazy, load

__all__ = ["ENTRY_POINTS", "AliasType", "Registry", "installed", "lazy", "load"]
