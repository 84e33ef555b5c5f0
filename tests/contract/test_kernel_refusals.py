"""What every Kernel refuses, and how: the errno, the kernel's words, and nothing changed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from errno import (
    EADDRNOTAVAIL,
    EBUSY,
    EEXIST,
    EINVAL,
    ENODEV,
    EOPNOTSUPP,
    EPERM,
    ERANGE,
    errorcode,
)
from pathlib import Path

import pytest
from stage import (
    MAC,
    device_values,
    done,
    index,
    inet,
    iproute,
    macvlan,
    refused,
    same_words,
    state,
    texts,
)
from support import Namespace

from netalias import errors
from netalias.kernel import Kernel
from netalias.kernel.memory import Memory
from netalias.model import (
    Address,
)
from netalias.model.commands import title
from netalias.model.renames import RenameLink
from netalias.model.steps import (
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
    Step,
)

REFUSALS: list[tuple[str, Callable[[Kernel], Step], int, str]] = [
    ("macvlan on lo", lambda k: macvlan(k, "x", "lo"), EINVAL, ""),
    ("macvlan on nothing", lambda k: macvlan(k, "x", ""), EINVAL, ""),
    ("macvlan on a missing device", lambda k: macvlan(k, "x", "zz"), ENODEV, ""),
    ("macvlan above the MTU", lambda k: macvlan(k, "x", mtu=1501), EINVAL, ""),
    ("MTU too small", lambda k: macvlan(k, "x", mtu=60), EINVAL, "mtu less than device minimum"),
    ("no such mode", lambda k: macvlan(k, "x", mode=3), EINVAL, ""),
    ("multicast MAC", lambda k: macvlan(k, "x", mac=b"\1" + bytes(5)), EADDRNOTAVAIL, ""),
    ("no such kind", lambda k: CreateLink("x", "nosuch", group=0),
     EOPNOTSUPP, "Unknown device type"),
    ("name of another device", lambda k: macvlan(k, "lo"), EEXIST, ""),
    ("name with a colon", lambda k: macvlan(k, "eth9:7"), EINVAL, ""),
    ("name with a blank", lambda k: macvlan(k, "a b"), EINVAL, ""),
    ("name with a slash", lambda k: macvlan(k, "a/b"), EINVAL, ""),
    ("name of 16 bytes", lambda k: macvlan(k, "a" * 16),
     ERANGE, "Attribute failed policy validation"),
    ("altname of 128 bytes", lambda k: AddAltname("lo", 1, "a" * 128), ERANGE, ""),
    ("altname that is a primary name", lambda k: AddAltname("lo", 1, "eth9"), EEXIST, ""),
    ("altname for a missing device", lambda k: AddAltname("zz", 9999, "b"), ENODEV, ""),
    ("primary name as altname", lambda k: DelAltname("lo", 1, "lo"), EINVAL, ""),
    ("altname of another device", lambda k: DelAltname("lo", 1, "eth9"), EINVAL, ""),
    ("missing device", lambda k: SetLink("zz", 9999, up=True), ENODEV, ""),
    ("renaming a missing device", lambda k: RenameLink("zz", 9999, "yy"), ENODEV, ""),
    ("a name that is taken", lambda k: RenameLink("lo", 1, "eth9"), EEXIST, ""),
    ("device not made in this plan", lambda k: SetLink("zz", 0, up=True), ENODEV, ""),
    ("short MAC", lambda k: SetLink("eth9", index(k, "eth9"), mac=MAC[:4]), EINVAL, ""),
    ("deleting a missing device", lambda k: DelLink("zz", 9999, 0), ENODEV, ""),
    ("deleting lo", lambda k: DelLink("lo", 1, 0), EOPNOTSUPP, ""),
    ("label of 16 bytes", lambda k: AddAddress("lo", 1, inet("10.9.0.1/32", label="a" * 16)),
     ERANGE, "Attribute failed policy validation"),
    ("prefix of 33", lambda k: AddAddress("lo", 1, inet("10.9.0.1/33")),
     EINVAL, "ipv4: Invalid prefix length"),
    ("address of a missing device", lambda k: AddAddress("zz", 9999, inet("10.9.0.1/32")),
     ENODEV, "ipv4: Device not found"),
    ("IPv6 address of a missing device", lambda k: AddAddress("zz", 9999, inet("2001:db8::1/64")),
     ENODEV, "ipv6: Unable to find the interface"),
    ("missing address", lambda k: DelAddress("lo", 1, inet("10.9.0.1/32")),
     EADDRNOTAVAIL, "ipv4: Address not found"),
    ("missing IPv6 address", lambda k: DelAddress("lo", 1, inet("2001:db8::1/64")),
     EADDRNOTAVAIL, "ipv6: address not found"),
]  # fmt: skip


def test_an_altname_that_has_gone_counts_as_removed(kernel: Kernel) -> None:
    """Two plans of one run may remove it."""
    assert kernel.send([DelAltname("lo", 1, "b")]) == [None]


@pytest.mark.parametrize(
    ("step", "errno", "text"),
    [pytest.param(*case[1:], id=case[0].replace(" ", "-")) for case in REFUSALS],
)
def test_refusal(kernel: Kernel, step: Callable[[Kernel], Step], errno: int, text: str) -> None:
    """S89: a KernelError with errno and words, the kernel's own where it has some; no change."""
    before = state(kernel)
    asked = step(kernel)
    error = refused(kernel, asked)
    assert isinstance(error, errors.KernelError)
    assert errorcode[error.errno] == errorcode[errno]
    assert str(error).startswith(title(asked))
    if text:
        assert same_words(error.text, text)
    assert state(kernel) == before


def test_macvlan_on_a_port(port: Kernel) -> None:
    """S89: the port of a bridge is busy."""
    assert refused(port, macvlan(port, "x")).errno == EBUSY


def test_macvlan_on_a_macvlan(kernel: Kernel) -> None:
    """It stands on the real device below both, and both go with that one."""
    done(kernel, macvlan(kernel, "a"))
    done(kernel, macvlan(kernel, "b", "a"))
    assert device_values(kernel.snapshot(), "b")["link"] == "eth9"
    done(kernel, DelLink("eth9", index(kernel, "eth9"), 0))
    assert [device.name for device in kernel.snapshot().devices.values()] == ["lo"]


def test_tolerated_errno(kernel: Kernel) -> None:
    """An errno that a step tolerates counts as done."""
    assert kernel.send([SetLink("zz", 9999, up=True, tolerate=(ENODEV,))]) == [None]
    eth9 = index(kernel, "eth9")
    assert kernel.send([SetLink("eth9", eth9, mtu=60, tolerate=(EINVAL,))]) == [None]


def test_answers_are_in_order(kernel: Kernel) -> None:
    """One answer a step, and a refusal does not stop the steps behind it."""
    steps: list[Step] = [
        AddAddress("lo", 1, inet("10.9.0.1/32")),
        AddAddress("lo", 1, inet("10.9.0.1/32")),
        SetLink("zz", 0, up=True),
        AddAddress("lo", 1, inet("10.9.0.2/32")),
    ]
    found = [error.errno if error else 0 for error in kernel.send(steps)]
    assert found == [0, EEXIST, ENODEV, 0]
    assert texts(kernel, "lo") == ["10.9.0.1/32", "10.9.0.2/32"]


# Without privilege, without a socket ------------------------------------------------------------

UNPRIVILEGED = """
import sys
from netalias.errors import NotPermitted
from netalias.kernel import {module}
from netalias.model import Address
from netalias.model.steps import AddAddress
kernel = {module}.{name}()
assert kernel.snapshot().device("lo") is not None
for ask in (kernel.permitted, lambda: kernel.able("macvlan")):
    try:
        ask()
    except NotPermitted as error:
        assert error.errno == 1 and error.hint
    else:
        sys.exit("permitted")
(error,) = kernel.send([AddAddress("lo", 1, Address(0, 2, bytes([10, 9, 0, 1]), 32))])
assert isinstance(error, NotPermitted), error
(failure,) = kernel.apply([AddAddress("lo", 1, Address(0, 2, bytes([10, 9, 0, 1]), 32))])
assert isinstance(failure.error, NotPermitted), failure.error
print("refused")
"""


@pytest.mark.root
@pytest.mark.parametrize(("module", "name"), [("netlink", "Netlink"), ("pyroute", "Iproute")])
def test_not_permitted(netns: Namespace, module: str, name: str) -> None:
    """S15: without CAP_NET_ADMIN everything is NotPermitted, and reading still works."""
    if module == "pyroute":
        pytest.importorskip("pyroute2")
    enter = ["unshare", "--user", "--map-root-user"]
    tried = netns.run([*enter, "true"], check=False)
    if tried.returncode:
        pytest.skip(f"no user namespace can be made here: {tried.stderr.strip()}")
    root = Path(__file__).parents[2]
    program = f"import sys; sys.path.insert(0, {str(root)!r})" + UNPRIVILEGED.format(
        module=module, name=name
    )
    done = netns.run([*enter, sys.executable, "-B", "-c", program], check=False)
    assert done.stdout.strip() == "refused", done.stderr


def test_not_permitted_in_memory() -> None:
    """S15: the kernel in memory refuses the same way."""
    memory = Memory(privileged=False)
    for ask in (memory.permitted, lambda: memory.able("macvlan")):
        with pytest.raises(errors.NotPermitted) as caught:
            ask()
        assert caught.value.errno == EPERM
    error = refused(memory, AddAddress("lo", 1, inet("10.9.0.1/32")))
    assert isinstance(error, errors.NotPermitted)
    assert error.hint


def test_closed(kernel: Kernel) -> None:
    """A second close does nothing; what is asked afterwards is refused with a KernelError."""
    kernel.close()
    kernel.close()
    if not isinstance(kernel, Memory):
        with pytest.raises(errors.KernelError):
            kernel.snapshot()


UNSPEAKABLE = [
    lambda: CreateLink("x", "nosuch", group=0, mode=3),
    lambda: CreateLink("x\udcff", "macvlan", group=0),
    lambda: SetLink("eth9", 2, mac=b"\2"),
    lambda: SetLink("eth9", 2, mtu=-1),
    lambda: SetLink("eth9", 2, addrgen=300),
    lambda: SetLink("eth9", 2, conf={"nosuch": 1}),
    lambda: AddAltname("eth9", 2, "\udcff" * 300),
    lambda: AddAddress("eth9", 2, inet("10.9.0.1/24", preferred=5, valid=1)),
    lambda: AddAddress("eth9", 2, Address(0, 99, b"\1\2\3\4", 24)),
]


@pytest.mark.root
@pytest.mark.parametrize("number", range(len(UNSPEAKABLE)))
def test_no_foreign_exception(veth: Namespace, number: int) -> None:
    """What pyroute2 cannot write, or the kernel refuses, comes out as a KernelError."""
    pytest.importorskip("pyroute2")
    with veth:
        kernel = iproute()
    with kernel:
        (error,) = kernel.send([UNSPEAKABLE[number]()])
        assert isinstance(error, errors.KernelError)
        assert error.errno > 0
        assert kernel.snapshot().device("eth9") is not None
