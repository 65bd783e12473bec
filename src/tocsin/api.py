"""`tocsin api`: the HTTP API and the sockets of one process."""

import uvicorn

from tocsin.app import create_app
from tocsin.startup import Installation


def serve(installation: Installation) -> None:
    """Run until told to stop. Requests under way are answered, sockets are told to go elsewhere."""
    app = create_app(installation.settings, installation.app_url, installation.master)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=installation.settings.host,
            port=installation.settings.port,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=True,
            backlog=4096,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=25,
            h11_max_incomplete_event_size=16 * 1024,
            proxy_headers=False,
        )
    )
    server.run()
