"""Names of a new alias that a device has already."""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model.names import AliasName
    from netalias.model.steps import Step
    from netalias.observed import Observed


def cleared(name: AliasName, primary: str, observed: Observed) -> list[Step]:
    """The steps after which no device is called *name* or *primary*: they let an alias of a main
    device that was renamed give way.

    Raises AlreadyExists for any other device.
    """
    steps: list[Step] = []
    for taken in (name, primary):
        device = observed.snapshot.device(taken)
        if device is None:
            continue
        other = next((one for one in observed.aliases if one.device is device), None)
        if other is None:
            from netalias.plan.renamed import named_by_others

            raise named_by_others(name, taken, device, observed)
        if other.name == name:
            raise errors.AlreadyExists(f"{name}: {taken} names the alias {device.name} already")
        from netalias.plan.renamed import give_way

        steps += give_way(other, device, taken, observed)
    return steps
