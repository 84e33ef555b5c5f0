"""Aliases of a renamed main device, which give way to those that need their former names; and
devices that do not: those of others, and those that somebody has renamed."""

from __future__ import annotations

from netalias import errors
from netalias.model import SCRATCH, names
from netalias.model.renames import RenameLink
from netalias.model.steps import REMOVE, AddAltname, DelAltname

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Alias, Device
    from netalias.model.names import AliasName
    from netalias.model.steps import Step
    from netalias.observed import Observed


def give_way(alias: Alias, device: Device, taken: str, observed: Observed) -> list[Step]:
    """The steps after which the *device* of *alias* has the name *taken* no more: it gets the name
    that its main device gives it now.

    Its own altname is left to the plan of that alias where there may be one (not ``hands_over``):
    it is different as long as it has a former name.
    """
    if taken == device.name:
        new = names.primary(alias.name)
        return [RenameLink(device.name, device.index, new), *_rules(alias, device, new, observed)]
    steps: list[Step] = [DelAltname(device.name, device.index, taken)]
    if observed.hands_over and str(alias.name) not in device.altnames:
        former = names.split(taken)
        moves = former is not None and device.name == names.primary(former)
        called = names.primary(alias.name) if moves else device.name  # by then
        steps.append(AddAltname(called, device.index, str(alias.name)))
    return steps


def _rules(alias: Alias, device: Device, new: str, observed: Observed) -> list[Step]:
    """The steps that give the rules of a gateway the *new* name of their device."""
    if not alias.gateway:
        return []
    from netalias.model.gateways import AddRule, DelRule, Rule

    steps: list[Step] = []
    for rule in observed.outlets().rules.get(device.name, ()):
        moved = Rule(new, rule.family, rule.table, rule.priority)
        steps += [DelRule(rule, REMOVE), AddRule(moved)]
    return steps


def missing(name: AliasName, main: Device | None, observed: Observed) -> errors.NetaliasError:
    """The error for an alias that is to be deleted and is not there; *main* is its main device."""
    device = observed.snapshot.device(name)
    if device is not None and device.group & (SCRATCH - 1) == observed.group:
        now = next((one.name for one in observed.aliases if one.device is device), None)
        if now is None:
            return named_by_others(name, name, device, observed)
        return errors.NoSuchDevice(f"{name}: it is called {now} now", f"netalias {now}-")
    if device is not None:
        return errors.NotOurs(
            f"{name}: {device.name} is a device that netalias did not make",
            f"ip link del {device.name}",
        )
    if main is None:
        return errors.NoSuchDevice(f"{name}: there is no device {name.main}")
    return errors.NoSuchDevice(f"{name}: there is no such alias")


def named_by_others(
    name: AliasName, taken: str, device: Device, observed: Observed
) -> errors.StateError:
    """The error for a device which is no alias, and has the name *taken* of an alias."""
    from netalias.observed.misnamed import former_alias, rename, renamed

    if former_alias(device, observed) == name:
        return errors.NotOurs(renamed(name, device), rename(device, name))
    return errors.AlreadyExists(
        f"{name}: {taken} names the device {device.name}, which netalias did not make"
    )
