"""Test queries over HTTP: the queries a module brings along, and asking one, or any other, of its database."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.params import JSONBody
from msgspec import Meta

from placet.platform.build import MODULE
from placet.platform.module_databases import ModuleDatabase
from placet.platform.problems import ModuleProblem
from placet.platform.product import TEST_QUERIES
from placet.platform.published import unknown_module
from placet.platform.query import check_statement
from placet.platform.saved_queries import SavedQuery, query_names, saved_query
from placet.platform.server import PlatformServer
from placet.store import audit, modules
from placet.store.modules import ModuleVersion
from placet.web.access import Access, caller_of, requires
from placet.web.api.parameters import ModuleName, Server
from placet.web.problems import Problem
from placet.web.render import notice_members

QUERY_BODY = 1024 * 1024

Parameters = dict[Annotated[str, Meta(min_length=1, max_length=100)], Any] | list[Any]


class Query(msgspec.Struct, frozen=True):
    """A query to test: ``sql``, or the ``name`` of one the module brings along.

    ``parameters`` by name or by position, ``max_rows`` at most. With ``plan`` it is not run: the engine says how it
    would go about it.
    """

    sql: Annotated[str, Meta(min_length=1, max_length=100 * 1024)] | None = None
    name: Annotated[str, Meta(min_length=1, max_length=63)] | None = None
    parameters: Parameters = {}
    max_rows: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    plan: bool = False


class QueryController(Controller):
    """``/api/v1/modules/{name}/queries``."""

    path = "/api/v1/modules"
    tags = ("modules",)

    @get("/{name:str}/queries", opt=requires(Access.SIGNED_IN), sync_to_thread=True)
    def queries(self, server: Server, name: ModuleName) -> list[dict[str, Any]]:
        """The queries the module brings along, with their parameters by its database's word. None of them is run."""
        version = _active(server, name)
        found: list[SavedQuery] = []
        entries: list[dict[str, Any]] = []
        for saved in query_names(_files(server, version)):
            try:
                found.append(saved_query(_files(server, version), saved))
            except ModuleProblem as error:
                entries.append({"name": saved, "file": error.file, "problem": error.detail})
        described = _database(server, version).describe([query.sql for query in found])
        for query, description in zip(found, described, strict=True):
            entry = {"name": query.name, "file": query.file, "title": query.title, "sql": query.sql}
            entries.append(entry | msgspec.to_builtins(description))
        return sorted(entries, key=lambda entry: str(entry["name"]))

    @post(
        "/{name:str}/queries",
        opt=requires(Access.SIGNED_IN),
        status_code=200,
        request_max_body_size=QUERY_BODY,
        sync_to_thread=True,
    )
    def query(
        self, server: Server, request: Request[Any, Any, Any], name: ModuleName, data: JSONBody[Query]
    ) -> dict[str, Any]:
        """Test a query against the module's database, in a transaction that is always rolled back.

        Each that runs, or is planned, counts as one of the license's Test Queries, however it ends.
        """
        server.notice()
        server.guard.require("test_query")
        server.front_end.require()
        version, caller = _active(server, name), caller_of(request)
        asked = _asked(server, version, data)
        try:
            check_statement(asked.sql)
            database = _database(server, version)
            consumed = server.guard.consume(TEST_QUERIES, actor=caller.name)
            result = database.test_query(asked.sql, parameters=data.parameters, max_rows=data.max_rows, plan=data.plan)
        except ModuleProblem as error:
            error.file = asked.file or None
            raise
        with server.guard.database.write() as connection:
            now, detail = server.guard.now(), {"version": version.version, "rows": len(result.rows)}
            audit.record(connection, audit.Event.QUERY_TESTED, now=now, actor=caller.name, subject=name, **detail)
        answer: dict[str, Any] = msgspec.to_builtins(result)
        return answer | {"warnings": notice_members(consumed.decision.warnings)}


def _active(server: PlatformServer, name: str) -> ModuleVersion:
    with server.guard.database.read() as connection:
        version = modules.active_version(connection, name)
    if version is None:
        raise unknown_module(name)
    return version


def _files(server: PlatformServer, version: ModuleVersion) -> Path:
    return server.layout.version(version.module, version.id) / MODULE


def _database(server: PlatformServer, version: ModuleVersion) -> ModuleDatabase:
    return server.databases.published(version.module)


def _asked(server: PlatformServer, version: ModuleVersion, data: Query) -> SavedQuery:
    if (data.sql is None) == (data.name is None):
        detail = "Give either sql, the text of a query, or name, that of one the module brings along; not both."
        raise Problem("bad_request", title="Bad Request", status=400, detail=detail)
    if data.name is not None:
        return saved_query(_files(server, version), data.name)
    return SavedQuery(name="", file="", sql=data.sql or "")
