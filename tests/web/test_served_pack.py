"""A service offers the pack of the release that it serves, and uses those of a host that it follows."""

from __future__ import annotations

from pathlib import Path

from tests.support.counted_hosts import counted_host
from tests.support.published_logs import Place
from tests.support.services import Service, service


def test_the_pack_of_a_service_is_that_of_a_site(site: Path, served: Service) -> None:
    (pack,) = (site / "pack").iterdir()
    status, body, headers = served.ask(f"/pack/{pack.name}")
    assert (status, body) == (200, pack.read_bytes())
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for other in ("73", f"0{pack.name}", "x", "", "../checkpoint"):
        assert served.ask(f"/pack/{other}")[0] == 404


def test_a_service_that_follows_a_host_begins_with_its_pack(published: Place, site: Path, tmp_path: Path) -> None:
    (pack,) = (site / "pack").iterdir()
    with counted_host(site) as host, service(tmp_path / "home", host.url, "--trust", published.trust) as served:
        assert served.ask("/readyz")[0] == 200
        assert host.paths[:2] == ["checkpoint", f"pack/{pack.name}"]
        assert not [path for path in host.paths if path.startswith("tile/0") or "components/firmware" in path]
        assert host.connections == 1
        assert served.ask(f"/pack/{pack.name}")[1] == pack.read_bytes()
