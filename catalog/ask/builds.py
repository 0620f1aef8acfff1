"""The builds that have names: the embedded ones, and those of a catalog."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.errors import UsageError
from catalog.firmware.build import FirmwareBuild
from catalog.spec import embedded
from catalog.store.catalog import Catalog


def builds_with(catalog: Catalog | None) -> Mapping[str, FirmwareBuild]:
    """Embedded builds and those of a catalog, by name.

    Raises UsageError if the catalog has another image under the name of an embedded build, VerificationFailed for a
    damaged catalog.
    """
    if catalog is None:
        return embedded.builds()
    for name, build in catalog.builds.items():
        if name in embedded.builds() and embedded.builds()[name].component != build.component:
            raise UsageError(
                f"{name} is an embedded build, but another image in the catalog", "name its file or record instead"
            )
    return {**embedded.builds(), **catalog.builds}
