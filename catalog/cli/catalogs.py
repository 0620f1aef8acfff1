"""Open the catalog that the options of a command name, and list the builds that can be named with it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from catalog.ask.builds import builds_with
from catalog.cli.first_build import made_default
from catalog.errors import MalformedInput, Unreadable, UsageError
from catalog.fast.asked import CheckpointAge, Moment
from catalog.fast.plain_lookup import search_options as given_options
from catalog.files.inputs import exists
from catalog.firmware.build import FirmwareBuild
from catalog.state.folders import default_catalog
from catalog.store.catalog import Catalog
from catalog.terminal import render
from catalog.terminal.shown_notices import notices
from catalog.verify.location import CatalogLocation, parse_location
from catalog.verify.opening import URL_BEGINS, Freshness, open_catalog
from catalog.verify.trust_choice import TrustChoice


def open_named(
    location: CatalogLocation | None,
    trust: Path | None,
    *,
    skip: bool,
    quiet: bool,
    freshness: Freshness = Freshness.NEWEST,
    max_age: int = 0,
) -> Catalog:
    """Open a catalog, or the default one if no location is given, and print notices.

    max_age: seconds, as --max-checkpoint-age.
    The default one is built if nothing is there, unless it should be verified: it is not published. Raises as
    `made_default` and `open_catalog`.
    """
    choice = TrustChoice.of_environment(trust, skip=skip)
    is_default = location is None
    location = location or (default_catalog() if trust or skip else made_default(quiet=quiet))
    try:
        age = CheckpointAge(max_age, Moment.now())
        now, shown = int(age.now.wall), notices(quiet=quiet)
        return open_catalog(location, choice, freshness=freshness, now=now, notices=shown, age=age)
    except (MalformedInput, Unreadable, UsageError) as error:
        if is_default and (trust or skip):
            error.hint = "this is the default catalog: name the log with --catalog DIR or URL"
        elif isinstance(error, Unreadable) and isinstance(location, Path) and not exists(location):
            error.hint = f"{URL_BEGINS}; ldcat build -o NAME makes a catalog"
        elif is_default and isinstance(location, Path) and not isinstance(error, UsageError):
            error.hint = f"move {location} away: the next lookup makes it again"
        raise


def is_set_here(location: CatalogLocation) -> bool:
    """Whether a location is what LDCAT_CATALOG says."""
    set_here = os.environ.get("LDCAT_CATALOG")
    return set_here is not None and set_here != "" and location == parse_location(set_here)


def search_options(location: CatalogLocation | None, trust: Path | None, *, skip: bool) -> list[str]:
    """The options of a search in the same catalog, quoted for a shell; without what LDCAT_CATALOG says anyway."""
    named = "" if location is None or is_set_here(location) else str(location)
    options = given_options(named, "" if trust is None else str(trust))
    return [*map(shlex.quote, options), *(["--insecure-skip-verify"] if skip else [])]


def open_if_any(location: CatalogLocation | None, trust: Path | None, *, skip: bool, quiet: bool) -> Catalog | None:
    """As `open_named`, but None if no location is given and no default catalog was built: none is built for it."""
    named = location or trust or skip or default_catalog().exists()
    return open_named(location, trust, skip=skip, quiet=quiet) if named else None


def known_builds(
    location: CatalogLocation | None, trust: Path | None, *, skip: bool, quiet: bool
) -> Mapping[str, FirmwareBuild]:
    """Builds that can be named: the embedded ones, and those of a catalog if one is given.

    Raises UsageError for --trust or --insecure-skip-verify without a catalog, and as `builds_with` and `open_catalog`.
    """
    if location is None and (trust or skip):
        raise UsageError("there is nothing to verify without --catalog", "the embedded builds are part of ldcat")
    return builds_with(None if location is None else open_named(location, trust, skip=skip, quiet=quiet))


def print_image_notes(builds: Iterable[FirmwareBuild], *, quiet: bool) -> None:
    """Print, unless `quiet`, how the images of builds were read, and what speaks against their launch."""
    for text in () if quiet else (note.text for build in builds for note in build.notes):
        render.note(text)
