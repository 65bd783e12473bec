"""The API process: what it opens, its routes in plain sight, and the edge every request crosses first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from tocsin import __version__
from tocsin.auth import calls, last_used
from tocsin.auth.call import Gate
from tocsin.auth.devices import Devices
from tocsin.auth.keys import Credentials
from tocsin.auth.rates import Rates
from tocsin.auth.revocation import RevocationWatch
from tocsin.auth.tenant import Tenants
from tocsin.auth.tokens import Tokens
from tocsin.auth.tries import Tries
from tocsin.connections.destination_routes import router as destination_routes
from tocsin.connections.health_routes import router as connection_health_routes
from tocsin.connections.hook_routes import router as hook_routes
from tocsin.connections.meta_app_routes import router as meta_app_routes
from tocsin.connections.opted_out_routes import router as opted_out_routes
from tocsin.connections.phone_routes import router as phone_routes
from tocsin.connections.platform_routes import router as all_connections_routes
from tocsin.connections.routes import router as connection_routes
from tocsin.connections.stepping_in_routes import router as stepping_in_routes
from tocsin.connections.template_routes import router as template_routes
from tocsin.connections.web_push_routes import router as web_push_routes
from tocsin.deliveries.ack_links import AckLinks
from tocsin.deliveries.routes import router as delivery_routes
from tocsin.documented import swagger_files, write_openapi
from tocsin.edge import Edge, Endpoint
from tocsin.event_types.routes import router as event_type_routes
from tocsin.event_types.seen import FLUSH_SECONDS as SEEN_SECONDS
from tocsin.events.accept import AcceptBatch, AcceptEvent
from tocsin.events.backlog import Backlog
from tocsin.events.declared import Declared
from tocsin.events.routes import router as event_routes
from tocsin.events.store import EventStore
from tocsin.health import router as health_routes
from tocsin.inbound.chat_routes import router as chat_routes
from tocsin.inbound.link_routes import router as link_routes
from tocsin.inbound.meta_apps import router as meta_app_hook_routes
from tocsin.inbound.routes import router as inbound_routes
from tocsin.kit import broker as brokers
from tocsin.kit import garbage, problems
from tocsin.kit.aside import aside
from tocsin.kit.crowd import Crowd
from tocsin.kit.crypto import MasterKey
from tocsin.kit.cursors import Cursors
from tocsin.kit.db import Database
from tocsin.kit.flush import flushed
from tocsin.kit.loops import ended
from tocsin.kit.vault import Vault
from tocsin.meta import router as meta_routes
from tocsin.methods import Methods, documented
from tocsin.notifications.ack_routes import router as ack_routes
from tocsin.notifications.routes import router as notification_routes
from tocsin.notifications.said import SaidBySocket
from tocsin.outgoing import outgoing_door
from tocsin.panel.routes import serve_panel
from tocsin.platform.admin_routes import router as admin_routes
from tocsin.platform.audit_routes import router as platform_audit_routes
from tocsin.platform.links import Links
from tocsin.platform.plan_routes import router as plan_routes
from tocsin.platform.prepare import prepare
from tocsin.platform.project_routes import router as all_projects_routes
from tocsin.platform.settings_routes import router as settings_routes
from tocsin.platform.setup_routes import page as setup_page
from tocsin.platform.setup_routes import router as setup_routes
from tocsin.platform.usage_routes import router as usage_of_projects_routes
from tocsin.platform.visit_routes import router as visit_routes
from tocsin.projects.audit_routes import router as audit_routes
from tocsin.projects.branding_routes import router as branding_routes
from tocsin.projects.domain_routes import Asked
from tocsin.projects.domain_routes import router as domain_routes
from tocsin.projects.key_routes import router as key_routes
from tocsin.projects.life_routes import router as life_routes
from tocsin.projects.proof import Names
from tocsin.projects.routes import router as project_routes
from tocsin.projects.secret_routes import router as secret_routes
from tocsin.projects.setting_routes import router as setting_routes
from tocsin.projects.usage_routes import router as usage_routes
from tocsin.realtime.http_api import HttpApi
from tocsin.realtime.routes import router as realtime_routes
from tocsin.realtime.signal import tell_of_connection
from tocsin.realtime.sockets import Sockets
from tocsin.rules.evaluator import Evaluator
from tocsin.rules.replay import Replays
from tocsin.rules.replay_routes import router as replay_routes
from tocsin.rules.routes import router as rule_routes
from tocsin.rules.starter_routes import install_first
from tocsin.rules.starter_routes import router as starter_routes
from tocsin.settings import Settings
from tocsin.signin.account_page import write_account_pages
from tocsin.signin.email_routes import router as email_routes
from tocsin.signin.invite_routes import router as invite_routes
from tocsin.signin.mail_routes import router as mail_routes
from tocsin.signin.password_routes import router as password_routes
from tocsin.signin.register_routes import router as register_routes
from tocsin.signin.routes import router as sign_in_routes
from tocsin.signin.second_factor_routes import router as second_factor_routes
from tocsin.signin.session_routes import router as session_routes
from tocsin.signin.sso.routes import Sso
from tocsin.signin.sso.routes import router as sso_routes
from tocsin.signin.sso.settings_routes import router as sso_settings_routes
from tocsin.signin.sso.tickets import Tickets
from tocsin.sounds.default_routes import router as sound_default_routes
from tocsin.sounds.links import SoundLinks
from tocsin.sounds.play_routes import router as play_routes
from tocsin.sounds.recoding import Recoder
from tocsin.sounds.routes import router as sound_routes
from tocsin.templates.routes import router as wording_routes
from tocsin.users.opt_out_routes import router as opt_out_routes
from tocsin.users.opting_out import OptOutLinks
from tocsin.users.preference_routes import router as preference_routes
from tocsin.users.role_routes import router as role_routes
from tocsin.users.routes import router as user_routes
from tocsin.users.topic_routes import router as topic_routes
from tocsin.webhooks.endpoints import router as webhook_endpoint_routes
from tocsin.webhooks.log import router as webhook_log_routes

PREFIX = "/api/v1"

ROUTERS = (
    sign_in_routes,
    session_routes,
    second_factor_routes,
    email_routes,
    password_routes,
    invite_routes,
    mail_routes,
    register_routes,
    setup_routes,
    admin_routes,
    all_projects_routes,
    settings_routes,
    platform_audit_routes,
    sso_routes,
    sso_settings_routes,
    project_routes,
    life_routes,
    key_routes,
    usage_routes,
    plan_routes,
    usage_of_projects_routes,
    secret_routes,
    setting_routes,
    domain_routes,
    branding_routes,
    visit_routes,
    user_routes,
    preference_routes,
    topic_routes,
    role_routes,
    connection_routes,
    connection_health_routes,
    destination_routes,
    meta_app_routes,
    hook_routes,
    template_routes,
    web_push_routes,
    chat_routes,
    link_routes,
    phone_routes,
    opted_out_routes,
    webhook_endpoint_routes,
    webhook_log_routes,
    stepping_in_routes,
    all_connections_routes,
    notification_routes,
    delivery_routes,
    realtime_routes,
    rule_routes,
    replay_routes,
    sound_default_routes,
    sound_routes,
    starter_routes,
    event_type_routes,
    wording_routes,
    event_routes,
    meta_routes,
    audit_routes,
)

log = structlog.get_logger(__name__)


def create_app(settings: Settings, app_url: str, platform_url: str, master: MasterKey) -> "Edge":
    """The application over one database; everything it needs is opened in its lifespan."""
    prefix = settings.db_role_prefix
    db = Database(app_url, ordinary=4, hot=4, statement_seconds=5, role_prefix=prefix)
    across = Database(platform_url, ordinary=2, hot=0, statement_seconds=10, role_prefix=prefix, read_only=True)
    broker = brokers.connect(str(settings.redis_url) if settings.redis_url else None, db.url)
    credentials = Credentials(db, master)
    tenants = Tenants(
        db,
        lambda: credentials.trusted,
        own_hosts=frozenset(host for host in (settings.public_host,) if host),
        base_domain=settings.base_domain,
        single=settings.single_project,
        debug=settings.debug_tenant,
    )
    gate = Gate(
        db,
        across,
        Vault(master),
        credentials,
        Tokens(master),
        Cursors(master),
        Rates(db),
        tenants,
        Tries(db, master),
        Devices(master, secure=settings.base_url.startswith("https://")),
        install_first,
    )
    counter = calls.CallCounter(db)
    store = EventStore(db, broker, settings.event_queue)
    backlog = Backlog(db, settings.backlog_seconds)
    sound_links = SoundLinks(master, settings.base_url)
    relayed, heard = settings.redis_url is not None, SaidBySocket(db, broker).heard
    sockets = Sockets(db, gate.vault, credentials, tenants, broker, sound_links, relayed=relayed, heard=heard)
    declared = Declared(db, lambda: credentials.trusted)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            await db.start()
            opened.push_async_callback(db.close)
            await across.start()
            opened.push_async_callback(across.close)
            await prepare(db, gate.vault)
            await broker.start()
            opened.push_async_callback(broker.close)
            opened.push_async_callback(store.drain)
            await opened.enter_async_context(flushed(calls.FLUSH_SECONDS, counter.flush))
            await opened.enter_async_context(flushed(last_used.FLUSH_SECONDS, credentials.last_used.flush))
            await opened.enter_async_context(flushed(SEEN_SECONDS, declared.flush))
            app.state.door = await opened.enter_async_context(outgoing_door(settings))
            app.state.aside = await opened.enter_async_context(aside())
            app.state.evaluator = Evaluator()
            opened.push_async_callback(app.state.evaluator.close)
            watch = RevocationWatch(db, credentials, app.state.revocation_listeners)
            await watch.look()
            watching = asyncio.create_task(watch.run(), name="revocations")
            opened.push_async_callback(ended, watching)
            looking = asyncio.create_task(backlog.run(), name="backlogs")
            opened.push_async_callback(ended, looking)
            await sockets.census.listen()
            if settings.realtime:
                await opened.enter_async_context(sockets.open())
            garbage.settle()
            log.info("api ready", version=__version__)
            yield

    app = FastAPI(
        title="Tocsin",
        version=__version__,
        description="Events in, the right people woken, nothing lost.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,  # a redirect would be built from the Host header, and send bodies twice
    )
    app.state.settings = settings
    app.state.gate = gate
    app.state.links = Links(master)
    app.state.opt_outs = OptOutLinks(master, settings.base_url)
    app.state.ack_links = AckLinks(master, settings.base_url)
    app.state.sound_links = sound_links
    app.state.recoder = Recoder()
    app.state.sso = Sso(Tickets(master))
    app.state.broker = broker
    app.state.connection_changed = partial(tell_of_connection, broker)
    app.state.names = Names(settings.dns_servers)
    app.state.asked = Asked()
    app.state.replays = Replays()
    app.state.draining = False
    app.state.sockets = sockets
    app.state.hub = sockets.hub
    app.state.revocation_listeners = [sockets.revoked, tenants.revoked, declared.revoked]
    problems.install(app)
    # Apps in browsers call with a public key or a token, never with a cookie, so any origin may; the secret of a
    # key is left out on purpose: it does not belong into a browser.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Tocsin-Env", "X-Tenant-Id", "Idempotency-Key"],
        expose_headers=["X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy", "Idempotent-Replayed"],
        max_age=3600,
    )
    express: dict[str, Endpoint] = {
        f"{PREFIX}/events": AcceptEvent(gate, store, backlog, declared),
        f"{PREFIX}/events/batch": AcceptBatch(gate, store, backlog, declared),
    }
    for path, endpoint in express.items():
        app.router.routes.append(Route(path, endpoint, methods=["POST"]))
    signed_routes = HttpApi(gate, sockets).routes()
    app.router.routes.extend(signed_routes)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.include_router(meta_app_hook_routes, prefix=PREFIX)
    app.include_router(inbound_routes, prefix=PREFIX)
    app.include_router(opt_out_routes, prefix=PREFIX)
    app.include_router(ack_routes, prefix=PREFIX)
    app.include_router(play_routes, prefix=PREFIX)
    app.include_router(health_routes)
    app.add_route("/setup", setup_page, include_in_schema=False)
    write_openapi(app)
    write_account_pages(app)
    serve_panel(app, gate, settings)
    app.mount("/docs/assets", StaticFiles(directory=swagger_files()))
    methods = {**documented(ROUTERS, PREFIX), **documented([health_routes], "")}
    for path in express:
        methods[path] = {*methods.get(path, ()), "POST"}
    for route in signed_routes:
        methods[route.path] = (route.methods or set()) - {"HEAD"}
    return Edge(app, express, counter, Crowd(settings.places), Methods(methods), settings.trusted_proxies)
