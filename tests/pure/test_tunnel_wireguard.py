"""Key files of WireGuard: the words that are taken, and those that stand in the line."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netalias import errors, trust
from netalias.tunnels.wireguard import read

SECRET, PUBLIC, COMMON = (b64encode(bytes([one]) * 32).decode() for one in (1, 2, 3))
FILE = f"""
# wg(8) reads this too
[Interface]
PrivateKey = {SECRET}

[Peer]
PublicKey={PUBLIC}   # of the relay
presharedkey = {COMMON}
PersistentKeepalive = 25
"""


@pytest.fixture(autouse=True)
def way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the tests is trusted, whatever its mode."""
    monkeypatch.setattr(trust, "resolved", lambda file: file)


def written(folder: Path, text: str, mode: int = 0o600) -> str:
    """A file with this content."""
    file = folder / "wg.key"
    file.write_text(text, "utf-8", "surrogateescape")
    file.chmod(mode)
    return str(file)


def test_the_keys_of_a_file_of_wg_are_read(tmp_path: Path) -> None:
    """With comments, any case, and blanks where they like."""
    found = read(written(tmp_path, FILE))
    assert found.private_key == SECRET
    assert found.peer == {
        "public_key": PUBLIC,
        "preshared_key": COMMON,
        "persistent_keepalive": 25,
    }


def test_what_is_not_needed_may_be_left_out(tmp_path: Path) -> None:
    """Two keys are enough; a keepalive may be off."""
    text = f"[Interface]\nPrivateKey={SECRET}\n[Peer]\nPublicKey={PUBLIC}\nPersistentKeepalive=off"
    assert read(written(tmp_path, text)).peer == {"public_key": PUBLIC, "persistent_keepalive": 0}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ": PrivateKey is missing"),
        (f"[Interface]\nPrivateKey={SECRET}", ": PublicKey is missing"),
        (f"[Peer]\nPrivateKey={SECRET}", ":2: not a word of a key file"),
        (FILE + "Endpoint = 192.0.2.1:51820", ":10: not a word of a key file"),
        (FILE + "AllowedIPs = 0.0.0.0/0", ":10: not a word of a key file"),
        (FILE + f"[Peer]\nPublicKey={SECRET}", ":10: one peer is enough for a tunnel"),
        (FILE.replace(SECRET, SECRET[:-4]), ":4: no key of 32 bytes in base64"),
        (FILE.replace("= 25", "= 65536"), ":9: seconds up to 65535 needed"),
        (FILE.replace("= 25", "= 000000000099999"), ":9: seconds up to 65535 needed"),
        (FILE.replace("= 25", "= -1"), ":9: seconds up to 65535 needed"),
        (FILE.replace("= 25", ""), ":9: seconds up to 65535 needed"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_without_the_keys(
    tmp_path: Path, text: str, told: str
) -> None:
    """The words of the file are in no message."""
    file = written(tmp_path, text)
    with pytest.raises(errors.StateError) as error:
        read(file)
    assert str(error.value) == file + told
    assert SECRET[:6] not in error.value.line()


def test_it_is_trusted_like_any_key_file(tmp_path: Path) -> None:
    """Its owner alone may read it."""
    with pytest.raises(errors.StateError, match="others may read it"):
        read(written(tmp_path, FILE, 0o644))


@given(
    st.lists(
        st.sampled_from([*FILE.splitlines(), "[", "]", "=", "[]", "\0", "PrivateKey"])
        | st.text(max_size=20),
        max_size=12,
    )
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
def test_any_content_is_keys_or_an_error(tmp_path: Path, lines: list[str]) -> None:
    """Never another exception."""
    file = tmp_path / "wg.key"
    file.touch(0o600)
    file.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    try:
        found = read(str(file))
    except errors.StateError:
        return
    assert found.private_key
    assert found.peer["public_key"]
