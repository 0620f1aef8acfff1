"""`ldcat serve`: serve a catalog or a release over HTTP, for people and programs."""

from __future__ import annotations

from typing import Annotated, Any

from catalog.cli.declare.declared import Argument, Option
from catalog.cli.first_build import made_default
from catalog.cli.help_form import RELEASE_CODES, Example, Group
from catalog.cli.options import QuietOption, SkipVerifyOption, TrustOption, named_location, number_option
from catalog.terminal import render

HELP_ORDER = 200
HELP_GROUP = Group.KEY_BROKERS
EXAMPLES = (
    Example("ldcat serve", "Serve the default catalog at http://127.0.0.1:8080", runs=False),
    Example(
        "ldcat serve public --trust trust.note --listen 0.0.0.0:8080",
        "Serve a published log to other machines",
        runs=False,
    ),
)
EXIT_CODES = RELEASE_CODES


def command(
    release: Annotated[
        Any,  # CatalogLocation | None
        Argument(
            parser=named_location,
            metavar="[RELEASE]",
            help="Folder of a catalog, of a log or of a release, or its URL; if not given, the default catalog.",
        ),
    ] = None,
    listen: Annotated[
        str,
        Option(metavar="HOST:PORT", envvar="LDCAT_LISTEN", help="Where to listen; port 0 means any free port."),
    ] = "127.0.0.1:8080",
    host: Annotated[
        str | None, Option(metavar="HOST", help="Where to listen, in place of the host of --listen.")
    ] = None,
    port: Annotated[
        int | None, Option(parser=number_option, metavar="PORT", help="The same, in place of the port.")
    ] = None,
    trust: TrustOption = None,
    skip_verify: SkipVerifyOption = False,
    quiet: QuietOption = False,
) -> int:
    """Answer lookups over HTTP, with a page for people.

    It runs until SIGTERM or SIGINT. A newer release of the same log replaces the one that is served once it is
    verified, and is refused if verification fails. Requests are logged on stderr, without digests. The service speaks
    plain HTTP: put a reverse proxy with TLS in front of it.
    """
    from catalog.web import server

    server.need_extra("starlette", "granian", "prometheus_client")
    from catalog.web import memory

    memory.keep_little()
    from catalog.verify.trust_choice import TrustChoice
    from catalog.web.front import ResponseCache
    from catalog.web.metrics import Metrics
    from catalog.web.release.current import LiveRelease
    from catalog.web.routes import routes
    from catalog.web.serving import run_granian

    metrics = Metrics()
    if release is None:
        made_default(quiet=quiet)
    current = LiveRelease(release, TrustChoice.of_environment(trust, skip=skip_verify), metrics)
    with server.listen(server.address(listen, host, port)) as listening:
        with render.progress(quiet=quiet, plain=False) as begin:
            current.open(begin, quiet=quiet)
        front = ResponseCache(routes(metrics), current, metrics, log=not quiet)
        ready = f"serves at {server.listening_url(listening)}"
        run_granian(
            front,
            listening,
            ready=lambda: None if quiet else render.note(ready),
            besides=[current.watch, lambda: memory.give_back(lambda: front.requests, lambda: current.served.rest())],
            finish=front.flush,
        )
    return 0
