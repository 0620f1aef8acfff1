"""The names of the files of a log, which all requests of a service ask for."""

from __future__ import annotations

from catalog.log.log_folder import LogFolder
from catalog.verify.release_files import LogFiles
from catalog.verify.verify_release import unverified_release
from tests.support.published_logs import Place, revoke


def test_a_file_that_could_not_be_read_once_is_read_again(place: Place) -> None:
    place.publish(revoke("revoked", vcpus=3))
    files = LogFiles(unverified_release(LogFolder(place.log), None))
    tiles, away = place.log / "tile", place.log / "away"
    tiles.rename(away)
    assert not files.has("releases/1/components/spec.json")
    away.rename(tiles)
    assert files.has("releases/1/components/spec.json")
    assert not files.has("releases/1/components/other.json")
    assert not files.has("releases/3/components/spec.json")
