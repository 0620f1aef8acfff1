"""What a hosted VMM says about builds: a platform launches its own firmware, and none that its customers bring."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal


def hosted_verdict(
    vmm: str | None, hosted: str | None, distribution: str | None
) -> tuple[Literal["no"], str, str] | None:
    """Launchability under a hosted VMM of a build that is not the platform's own: verdict, reason and source.

    None if the VMM is not hosted, or the build is the platform's: then the verdict is the recorded one.

    vmm: name of the VMM profile; None if the launch does not measure it.
    hosted: the platform that alone runs it.
    distribution: who publishes the build, by its origin.
    """
    if hosted is None or hosted == distribution:
        return None
    return "no", f"{hosted} launches its own firmware only", f"VMM profile {vmm}"
