"""What logs in somewhere is hidden, however an address with it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from values import project
from venvsmith.build.secrets import gather_secrets, sensitive
from venvsmith.model.plan import NETWORK_SECRETS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("proxy", ["http://u:p@ss@proxy:3128", "u:p@ss@proxy:3128"])
def test_a_proxys_password_is_hidden_whole(proxy: str) -> None:
    own = {"https_proxy": proxy, "http_proxy": "http://[::1", "all_proxy": "proxy:3128"}
    assert set(sensitive(project(), {}, own)) == {"u%3Ap%40ss", "u:p@ss", "p%40ss", "p@ss"}


def test_a_mirror_at_no_address_is_left_to_the_installer_to_refuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine x login u password p\n")
    for mirror, told in (("https://[x/simple", "https://[x/simple"), ("http://x", "http://u:p@x")):
        monkeypatch.setenv("UV_DEFAULT_INDEX", mirror)
        assert gather_secrets(project(), []) == {NETWORK_SECRETS[1]: told}
