"""The package of Debian, in roots of Debian: installed, used, upgraded, removed and purged.

It is built by its own tools, which takes minutes and reaches the archive of Debian: so only make
test-deb runs this.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian import FOLDER, REPO, Root, made

import netalias

pytestmark = pytest.mark.skipif(
    not os.environ.get("NETALIAS_DEB"), reason="make test-deb builds and tests the package"
)

SUITES = ("bookworm", "trixie")
ENABLED = "find /etc/systemd/system -name 'netalias*'"
ADDRESSES = "ip -br addr show dev eth9_0"

EXAMPLE = REPO / "tests" / "third_party" / "netalias-ddp" / "netalias_ddp.py"
PLUGIN = """\
folder=$(python3 -c 'import sys; print("/usr/local/lib/python3.%d" % sys.version_info[1])')
about=$folder/dist-packages/ddp-1.0.dist-info
mkdir -p $about && cat >$folder/dist-packages/netalias_ddp.py <<'END'
{module}END
printf 'Metadata-Version: 2.1\\nName: ddp\\nVersion: 1.0\\n' >$about/METADATA
printf '[netalias.alias_types]\\nddp = netalias_ddp:Ddp\\n' >$about/entry_points.txt
"""

PREVIOUS = """\
dpkg-deb -R {package} /tmp/old
sed -i 's/^Version: .*/Version: 0.1-1/' /tmp/old/DEBIAN/control
echo '# of before' >>/tmp/old/etc/netalias.conf
echo '# of before' >>/tmp/old/etc/cron.d/netalias
touch /tmp/old/usr/lib/python3/dist-packages/netalias/before.py
dpkg-deb --root-owner-group -b /tmp/old /tmp/old.deb
"""
"""A package of an earlier version, with a module and lines that this one does not have."""


@pytest.fixture(scope="module")
def package() -> Path:
    """The package, built from this checkout."""
    return Path(made("make-deb", str(FOLDER)).strip().splitlines()[-1])


@pytest.fixture(params=SUITES)
def root(request: pytest.FixtureRequest, package: Path) -> Iterator[Root]:
    """A root without the package."""
    found = Root(request.param, package)
    yield found
    found.close()


@pytest.fixture(scope="module", params=SUITES)
def installed(request: pytest.FixtureRequest, package: Path) -> Iterator[Root]:
    """A root with the package, for all tests that leave it as it is."""
    found = Root(request.param, package)
    found.install()
    yield found
    found.close()


def test_the_main_job(installed: Root) -> None:
    """Make, show, save, repair and delete an alias."""
    installed.silent("netalias eth9:0 10.0.0.5/24")
    assert "10.0.0.5" in installed(ADDRESSES)
    assert installed("netalias -br show").split()[:1] == ["eth9:0"]
    installed.silent("netalias save >/tmp/declared && netalias reconcile /tmp/declared")
    installed("ip link del eth9_0")
    assert installed("netalias reconcile /tmp/declared").startswith("+ eth9:0 10.0.0.5/24")
    installed.silent("netalias-ifconfig eth9:0 down")
    installed.silent("netalias show")


def test_nothing_is_enabled_or_declared(installed: Root) -> None:
    """Neither a unit nor a line of the crontab, and the file of the package has comments only."""
    assert installed(ENABLED) == ""
    jobs = installed("grep -v '^[A-Z]*=' /etc/cron.d/netalias").splitlines()
    assert all(line.startswith("#") or not line for line in jobs)
    assert sum("root netalias --wait 60 reconcile" in line for line in jobs) == 2
    assert "reconcile" in installed("cat /etc/netalias.conf")
    installed.silent("netalias check")
    installed.silent("netalias reconcile")


def test_the_units_are_whole(installed: Root) -> None:
    """systemd finds the command of the package, and nothing to complain about."""
    names = ("netalias.service", "netalias-watch.service", "netalias-link@.service")
    units = " ".join(f"/lib/systemd/system/{name}" for name in names)
    status, out, err = installed.run(f"systemd-analyze verify --man=no {units}")
    assert (status, [line for line in (out + err).splitlines() if "netalias" in line]) == (0, [])
    assert installed(f"grep -h ^ExecStart= {units}").splitlines() == [
        "ExecStart=/usr/bin/netalias --wait 60 reconcile",
        "ExecStart=/usr/bin/netalias watch",
        "ExecStart=/usr/bin/netalias link run %i $LINK",
    ]


def test_the_user_has_its_folder(installed: Root) -> None:
    """sysusers and tmpfiles have done their work."""
    assert installed("stat -c '%U:%G %a' /run/netalias").strip() == "netalias:netalias 755"


def test_pages_and_completion_stand_where_they_are_looked_for(installed: Root) -> None:
    """Manual pages, and completion for three shells."""
    for path in (
        "man/man5/netalias.conf.5.gz", "man/man7/netalias.7.gz", "man/man8/netalias.8.gz",
        "man/man8/netalias-ifconfig.8.gz", "zsh/vendor-completions/_netalias",
        "fish/vendor_completions.d/netalias.fish",
    ):  # fmt: skip
        installed(f"test -s /usr/share/{path}")
    script = ". /usr/share/bash-completion/completions/netalias; complete -p netalias"
    assert "netalias" in installed(f"bash -c '{script}'")


def test_the_command_is_isolated(installed: Root) -> None:
    """No variable and no folder of a user puts another module in the place of ours; the folders of
    packages are found all the same, pip's too."""
    installed("mkdir -p /tmp/evil && echo 'raise SystemExit(9)' >/tmp/evil/netalias.py")
    version = f"netalias {netalias.__version__}\n"
    assert installed("cd /tmp/evil && PYTHONPATH=/tmp/evil netalias --version") == version
    installed(PLUGIN.format(module=EXAMPLE.read_text()))
    installed("netalias eth9:9 ddp 1000.12 kind macvlan")
    installed.silent("netalias eth9:9-")


def test_the_libraries_of_the_distribution(installed: Root) -> None:
    """A drawn table and the whole doctor work with rich and pyroute2 as they are there."""
    installed("netalias eth9:0 10.0.0.5/24")
    assert "─" in installed("netalias -c=always show")
    installed("nft 'table inet t { chain c { iifname \"eth9:0\" drop; }; }'")
    installed("sysctl -qw net.ipv4.conf.eth9_0.rp_filter=1 || "
              "echo 1 >/proc/sys/net/ipv4/conf/eth9_0/rp_filter")  # fmt: skip
    status, out, err = installed.run("netalias doctor")
    assert (status, err) == (3, "")
    assert "rp_filter of eth9_0 is 1" in out
    assert "eth9:0" in out.partition("table inet t")[0]
    installed("nft delete table inet t && netalias eth9:0-")


def test_only_some_commands_need_libraries(root: Root) -> None:
    """Without any, aliases are made and shown; the others say what they lack."""
    root("dpkg -P --force-depends python3-pyroute2 python3-rich python3-yaml")
    root.install()
    root.silent("netalias eth9:0 10.0.0.5/24")
    assert root("netalias -c=always show") == root("netalias show")
    status, out, err = root.run("netalias doctor")
    assert (status, out) == (2, "")
    assert "apt-get install python3-pyroute2" in err
    root("mkdir /etc/netplan && echo 'network: {}' >/etc/netplan/a.yaml")
    status, out, err = root.run("netalias import --from netplan /etc/netplan/a.yaml")
    assert (status, out) == (2, "")
    assert "apt-get install python3-yaml" in err


def test_upgrade_remove_and_purge(root: Root) -> None:
    """Whatever becomes of the package, aliases and declarations stay; nothing is started, and only
    a purge removes the state."""
    root.systemd()
    root(PREVIOUS.format(package=root.package))
    root.install("/tmp/old.deb")
    assert not [line for line in root.asked() if " start " in line or "enable" in line]
    root.silent("netalias eth9:0 10.0.0.5/24")
    root("netalias save >>/etc/netalias.conf")
    before = root("ip -o link show eth9_0; cat /etc/netalias.conf")
    root("ls /run/netalias/*/settings /usr/lib/python3/dist-packages/netalias/before.py")

    root.install()
    assert root("ip -o link show eth9_0; cat /etc/netalias.conf") == before
    assert root.run("grep 'of before' /etc/cron.d/netalias")[0] == 1
    assert root.run("ls /usr/lib/python3/dist-packages/netalias/before.py")[0] == 2
    asked = [line for line in root.asked() if "daemon-reload" not in line]
    assert sorted(asked) == [
        "deb-systemd-invoke reload netalias-link@*.service",
        "deb-systemd-invoke try-restart netalias-watch.service",
    ]
    assert root(ENABLED) == ""
    root("ls /run/netalias/*/settings")
    root.silent("netalias check")

    root("dpkg -r netalias")
    asked = [line for line in root.asked() if "daemon-reload" not in line]
    stopped = "netalias-watch.service netalias.timer netalias-link@*.service"
    assert asked == [f"deb-systemd-invoke stop {stopped}"]
    assert "10.0.0.5" in root(ADDRESSES)
    root("ls /run/netalias/*/settings /etc/netalias.conf")
    assert root("find /usr/lib/python3/dist-packages -path '*netalias*' -o -name procfs") == ""

    root("dpkg -P netalias")
    assert "10.0.0.5" in root(ADDRESSES)
    assert root.run("ls -d /run/netalias")[0] == 2
    assert root("find /etc -name '*netalias*'") == ""
