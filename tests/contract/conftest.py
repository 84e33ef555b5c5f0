"""The fixture ``kernel``: every Kernel, each on the same stage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stage import (
    ip_port,
    iproute,
    memory,
    memory_port,
    netlink,
)

from netalias.kernel import Kernel
from netalias.kernel.memory import Memory


@pytest.fixture(
    params=[
        "memory",
        pytest.param("netlink", marks=pytest.mark.root),
        pytest.param("iproute", marks=pytest.mark.root),
    ]
)
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """The Kernel under test, on its stage."""
    if request.param == "memory":
        yield memory()
        return
    if request.param == "iproute":
        pytest.importorskip("pyroute2")
    with request.getfixturevalue("veth"):
        made = netlink() if request.param == "netlink" else iproute()
    yield made
    made.close()


@pytest.fixture
def port(kernel: Kernel, request: pytest.FixtureRequest) -> Kernel:
    """The same, with eth9 as port of the bridge br9."""
    if isinstance(kernel, Memory):
        memory_port(kernel)
    else:
        ip_port(request.getfixturevalue("veth"))
    return kernel
