"""The Platform Server as a product: what it licenses, and what each of its operations needs and consumes."""

from placet.enforcement import Code, Limit, Metered, Operation, Product, Seats, Switch
from placet.license.terms import Period

SOFTWARE_UNITS = "software_units"
USERS = "users"
FRONT_END_SERVERS = "front_end_servers"
PRIVATE_INSTANCES = "private_instances"
TEST_QUERIES = "test_queries"

PLATFORM_SERVER = Product(
    "platform_server",
    features=(
        Switch("run", "Run"),
        Switch("debugger", "Debugger"),
        Switch("test_query", "Test Query"),
        Limit(
            SOFTWARE_UNITS,
            "Software Units",
            reached=Code.SOFTWARE_UNITS_LIMIT,
            reached_tolerated=Code.SOFTWARE_UNITS_LIMIT_TOLERATED,
        ),
        Limit(USERS, "Users", included=None),
        Limit(FRONT_END_SERVERS, "Front-end Servers", included=1),
        Seats(PRIVATE_INSTANCES, "Private Instances", included=None),
        Metered(TEST_QUERIES, "Test Queries", period=Period.MONTH, included=None),
    ),
    operations=(
        Operation("publish", consumes=(SOFTWARE_UNITS,)),
        Operation("run", requires="run"),
        Operation("debug", requires="debugger"),
        Operation("test_query", requires="test_query"),
        Operation("activate_user", consumes=(USERS,)),
        Operation("register_front_end", consumes=(FRONT_END_SERVERS,), by_itself=True),
    ),
)
