"""The table of contents of the server: which blueprints there are, and what holds for all of them."""

from collections.abc import Callable
from typing import Any

import svcs
from flask import Flask, Request, Response, jsonify
from flask_babel import gettext
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

from gateway import metrics, tracing
from gateway.admin import pages as admin_pages
from gateway.admin.policies import pages as policy_pages
from gateway.auditor import pages as audit_pages
from gateway.auditor import views as auditor_views
from gateway.catalogue import views as catalogue_views
from gateway.errors import GatewayError
from gateway.evidence import views as evidence_views
from gateway.exchange import approval_views, recall_views
from gateway.exchange import views as exchange_views
from gateway.health import blueprint as health_blueprint
from gateway.intake import views as intake_views
from gateway.oauth import views as oauth_views
from gateway.oauth import whoami
from gateway.openapi import views as openapi_views
from gateway.people import admin_views as people_admin
from gateway.people import security
from gateway.people import views as people_views
from gateway.policy_api import views as policy_views
from gateway.web import deprecation, headers, pages, problem, reading_again
from gateway.web.numbers import ColumnInteger
from gateway.wiring import Services, register

BODY_BYTES = 1 << 20


class Gateway(Flask):
    """Flask without what is not here and costs each call something: asynchronous views, hosts that are routed by."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Take every view and hook as it is, without a look at whether it is asynchronous."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Match addresses by path and method alone; the host that was named is looked at once, for being one."""
        if request is None or "HTTP_UPGRADE" in request.environ:
            return super().create_url_adapter(request)
        request.host = get_host(request.environ)
        return self.url_map.bind(
            request.host,
            request.root_path,
            subdomain="",
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.query_string.decode(errors="replace"),
        )


def create_app(services: Services) -> Flask:
    """Build the Flask application over ready-made services."""
    app = Gateway("gateway", static_folder=None)
    app.url_map.converters["int"] = ColumnInteger
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    svcs.flask.init_app(app)
    register(app, services)
    app.extensions["tracing"] = tracing.read(services.settings.traces_url)
    problem.install(app, services.settings.origin)
    if services.settings.has_consoles:
        pages.install(app, lambda: _state(services))
    app.register_blueprint(problem.pages())
    app.register_blueprint(oauth_views.blueprint())
    app.register_blueprint(evidence_views.blueprint())
    app.register_blueprint(evidence_views.witness_blueprint())
    app.register_blueprint(whoami.blueprint())
    app.register_blueprint(exchange_views.blueprint())
    app.register_blueprint(approval_views.blueprint())
    app.register_blueprint(recall_views.blueprint())
    app.register_blueprint(recall_views.releases_blueprint())
    app.register_blueprint(auditor_views.blueprint())
    app.register_blueprint(intake_views.blueprint())
    app.register_blueprint(catalogue_views.blueprint())
    app.register_blueprint(policy_views.blueprint())
    app.register_blueprint(openapi_views.blueprint())
    app.register_blueprint(health_blueprint(services.clock))
    metrics.install(app, services.settings.metrics_token, services.clock)
    if services.settings.has_consoles:
        security.install(app, services.desk)
        app.register_blueprint(people_views.blueprint())
        admin_pages.install(app)
        policy_pages.install(app)
        people_admin.install(app)
        admin_pages.install_tools(app)
        audit_pages.install(app)
    app.add_url_rule("/", "front", _front)
    deprecation.install(app)
    reading_again.install(app)
    app.after_request(headers.set_headers)
    return app


def _state(services: Services) -> list[str]:
    """Say in the foot of each page which policy is in force and how long the published log is."""
    try:
        version, size = services.books.current().activation, services.published.newest().size
    except GatewayError:
        return []
    return [gettext("policy version %(version)s", version=version), gettext("log of %(size)s entries", size=size)]


def _front() -> Response:
    return jsonify(
        {
            "service": "IPX Gateway",
            "start": {
                "token": "/.well-known/oauth-authorization-server",
                "exchange": "/v1/exchanges",
                "record types": "/v1/record-types",
                "log": "/log/checkpoint",
                "trust list": "/log/trust.jws",
                "ready": "/readyz",
            },
        }
    )
