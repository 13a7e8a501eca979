"""A stand-in for Atlas's control plane, and for the Atlas CLI that is its way in.

What commands there are, with which arguments and options, and which fields the answers have, is in
atlas_cli.json, from the CLI's repository: `parse` refuses what the real one refuses. What is made
isn't ready at once: it takes a look or two.
"""

import ipaddress
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.atlas import Atlas
from tests.support.local_aws import LocalAws

Item = dict[str, Any]

CLI: dict[str, Any] = json.loads(Path(__file__).with_name("atlas_cli.json").read_text("utf-8"))
READS = ("--version", "list", "describe", "whoami", "processes")
LOOKS = 2  # until what was made is ready


class RefusedError(Exception):
    """What the CLI says on its standard error, without "Error: "."""


def parse(words: list[str]) -> tuple[str, list[str], dict[str, str]]:
    """Split a command line into command, arguments and options, or refuse it."""
    line = " ".join(words) + " "
    command = max((it for it in CLI["commands"] if line.startswith(f"{it} ")), key=len, default="")
    if not command:
        raise RefusedError(f'unknown command "{line.strip()}" for "atlas"')
    known = CLI["commands"][command]["options"]
    arguments, options = [], {}
    rest = iter(words[len(command.split()) :])
    for word in rest:
        if not word.startswith("-"):
            arguments.append(word)
        elif word not in known:
            raise RefusedError(f"unknown flag: {word}")
        else:
            options[word] = "" if known[word]["type"] == "flag" else next(rest, "")
    if missing := [name for name, it in known.items() if it["required"] and name not in options]:
        raise RefusedError(f'required flag(s) "{missing[0].strip("-")}" not set')
    least, most = CLI["commands"][command]["arguments"]
    if not least <= len(arguments) <= most:
        raise RefusedError(f"accepts between {least} and {most} arg(s), received {len(arguments)}")
    return command, arguments, options


def api_error(status: str, code: str, detail: str) -> RefusedError:
    """An error of the Atlas Admin API, as the CLI shows it."""
    return RefusedError(
        f"https://cloud.mongodb.com/api/atlas/v2 HTTP {status} (Error code: "
        f'"{code}") Detail: {detail} Reason: {status[4:]}. Params: []'
    )


def object_id() -> str:
    return uuid.uuid4().hex[:24]


class ControlPlane:
    """An organisation of Atlas with one project, `Orders`, and whoever is signed in.

    Users, once made, may log in to the cluster `atlas`; VPCs, endpoints and what stacks have in
    Atlas are those of `aws`. `calls` are all commands so far, `changes` those that don't only read.
    """

    def __init__(self, atlas: Atlas, aws: LocalAws, tier: str = "M10") -> None:
        self.atlas, self.aws = atlas, aws
        self.project = {"id": object_id(), "name": "Orders", "orgId": object_id()}
        self.projects = [self.project]
        self.users: list[Item] = []
        self.access_list: list[Item] = []
        self.services: list[Item] = []
        self.containers: list[Item] = []
        self.peerings: list[Item] = []
        self.clusters: list[Item] = []
        self.keys: list[Item] = [{"id": object_id(), "publicKey": "abcdefgh"}]
        self.key_access_list: list[Item] = []
        self.refusal: RefusedError | None = None  # of everything, such as an expired login
        self.limit = 50  # of endpoint services
        self.calls: list[list[str]] = []
        self._adopted: set[str] = set()
        self._lock = threading.RLock()
        self.create_cluster("Cluster0", tier, "US_EAST_1")
        self.clusters[0]["_looks"] = 0
        self.adopt(others=True)

    @property
    def changes(self) -> list[list[str]]:
        return [it for it in self.calls if not set(READS) & set(it[:5])]

    @contextmanager
    def served(self) -> Iterator[int]:
        """Yield the port at which it listens to atlas_program.py."""
        plane = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(plane.answer(request["words"], request["input"])).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        done = threading.Event()
        threads = [
            threading.Thread(target=server.serve_forever),
            threading.Thread(target=self._watch, args=[done]),
        ]
        for thread in threads:
            thread.start()
        try:
            yield server.server_port
        finally:
            done.set()
            server.shutdown()
            server.server_close()
            for thread in threads:
                thread.join()

    def answer(self, words: list[str], given: str) -> Item:
        """Return what the CLI prints, on which output, and its exit status."""
        with self._lock:
            self.calls.append(words)
            try:
                if words == ["--version"]:
                    return {"output": "atlascli version: 1.56.0\n", "error": "", "status": 0}
                command, arguments, options = parse(words)
                output = self.run(command, arguments, options, given)
            except RefusedError as refusal:
                return {"output": "", "error": f"Error: {refusal}\n", "status": 1}
            text = output if isinstance(output, str) else json.dumps(shown(output))
            return {"output": text, "error": "", "status": 0}

    def run(self, command: str, arguments: list[str], options: dict[str, str], given: str) -> Any:
        """Do what a command says."""
        if command == "auth whoami":
            return "Logged in as anna@example.com account\n"
        if self.refusal:
            raise self.refusal
        self.adopt()
        if options.get("--projectId", self.project["id"]) != self.project["id"]:
            raise api_error("401 Unauthorized", "USER_UNAUTHORIZED", "Not in this project.")
        name = arguments[0] if arguments else ""
        match command:
            case "projects list":
                return page(self.projects)
            case "projects describe":
                return self.project
            case "projects apiKeys list":
                return page(self.keys)
            case "organizations apiKeys accessLists list":
                return page(self.key_access_list)
            case "clusters list":
                flex = options.get("--tier") == "FLEX"
                return page(
                    [aged(it) for it in self.clusters if ("providerSettings" in it) == flex]
                )
            case "clusters describe":
                return self._described(name)
            case "clusters create":
                self.create_cluster(name, options["--tier"], options["--region"])
            case "dbusers list":
                return page(self.users)
            case "dbusers create":
                self._create_user(options, given)
            case "dbusers update" | "dbusers delete":
                key = (options.get("--authDB", "admin"), name)
                [user] = [it for it in self.users if (it["databaseName"], it["username"]) == key]
                if command == "dbusers delete":
                    self.users.remove(user)
                else:
                    user |= rights(options)
            case "accessLists list":
                return page(self.access_list)
            case "accessLists create":
                ipaddress.ip_network(name)
                entry = {options["--type"]: name, "comment": options.get("--comment", "")}
                self.access_list.append(entry)
            case "accessLists delete":
                self.access_list[:] = [it for it in self.access_list if name not in it.values()]
            case "networking containers list":
                return self.containers
            case _:
                return self._network(command, name, options)
        return {}

    def _network(self, command: str, name: str, options: dict[str, str]) -> Any:
        """Do what a command about private endpoints, peerings or metrics says."""
        match command:
            case "privateEndpoints aws list":
                self.services = [it for it in self.services if aged(it)["status"] != "DELETED"]
                return self.services
            case "privateEndpoints aws create":
                self._create_service(options["--region"])
            case "privateEndpoints aws delete":
                [service] = [it for it in self.services if it["id"] == name]
                if service["interfaceEndpoints"]:
                    raise api_error("409 Conflict", "CANNOT_DELETE", "It has interface endpoints.")
                service.update(_looks=LOOKS, status="DELETING", _then="DELETED")
            case "privateEndpoints aws interfaces create":
                [service] = [it for it in self.services if it["id"] == name]
                self._connect(service, options["--privateEndpointId"])
            case "privateEndpoints aws interfaces describe":
                return next(aged(it["_endpoints"][name]) for it in self.services)
            case "privateEndpoints aws interfaces delete":
                for service in self.services:
                    service["interfaceEndpoints"].remove(name)
                    del service["_endpoints"][name]
            case "networking peering list":
                return [self._aged_peering(it) for it in self.peerings] or None  # Go's empty list
            case "networking peering create aws":
                self._create_peering(options)
            case "networking peering delete":
                [peering] = [it for it in self.peerings if it["id"] == name]
                peering["statusName"] = "TERMINATING"
            case "processes list":
                node = f"{self.atlas.nodes[0]}"
                process = {"id": f"{node}:27017", "userAlias": node, "typeName": "REPLICA_PRIMARY"}
                return page([process])
            case "metrics processes":
                count = len(self.atlas.mongod.clients())
                return {"measurements": [{"name": "CONNECTIONS", "dataPoints": [{"value": count}]}]}
            case _:
                raise AssertionError(command)
        return {}

    def create_cluster(self, name: str, tier: str, region: str) -> None:
        """Make a cluster, whose hosts are those of the one that there is."""
        if tier == "M0" and [it for it in self.clusters if it.get("_tier") == "M0"]:
            detail = "A project has one free cluster."
            raise api_error("400 Bad Request", "CANNOT_CREATE_FREE_CLUSTER", detail)
        cluster: Item = {"name": name, "groupId": self.project["id"], "connectionStrings": {}}
        cluster |= {"stateName": "CREATING", "_then": "IDLE", "_looks": LOOKS, "_tier": tier}
        if tier == "FLEX":
            cluster["providerSettings"] = {"regionName": region, "backingProviderName": "AWS"}
        else:
            place = {"regionName": region, "electableSpecs": {"instanceSize": tier}}
            cluster["replicationSpecs"] = [{"regionConfigs": [place]}]
            if tier.startswith("M") and tier != "M0":
                block = {"id": object_id(), "regionName": region}
                self.containers.append(block | {"atlasCidrBlock": "192.168.248.0/21"})
        self.clusters.append(cluster)

    def _described(self, name: str) -> Item:
        found = [it for it in self.clusters if it["name"] == name]
        if not found:
            detail = f"No cluster named {name} exists in group {self.project['id']}."
            raise api_error("404 Not Found", "CLUSTER_NOT_FOUND", detail)
        cluster = aged(found[0])
        if cluster["stateName"] == "IDLE":
            nodes = ",".join(f"{it}:27017" for it in self.atlas.nodes)
            strings = {"standard": f"mongodb://{nodes}/?ssl=true"}
            strings["standardSrv"] = f"mongodb+srv://{self.atlas.host}"
            cluster["connectionStrings"] = strings | {"privateEndpoint": self._private()}
        return cluster

    def _private(self) -> list[Item]:
        """The private hosts of a cluster: one for each endpoint that is ready."""
        ready = [
            name
            for service in self.services
            for name, it in service["_endpoints"].items()
            if it["connectionStatus"] == "AVAILABLE"
        ]
        return [
            {
                "srvConnectionString": f"mongodb+srv://{self.atlas.private_host}",
                "endpoints": [{"endpointId": name, "providerName": "AWS", "region": "US_EAST_1"}],
            }
            for name in ready
        ]

    def _create_user(self, options: dict[str, str], given: str) -> None:
        """Make a user, who may then log in to the cluster."""
        name, kind = options["--username"], options.get("--awsIAMType", "NONE")
        where = "admin" if kind == "NONE" else "$external"
        if [it for it in self.users if (it["username"], it["databaseName"]) == (name, where)]:
            raise api_error("409 Conflict", "USER_ALREADY_EXISTS", f"The user {name} exists.")
        user = {"username": name, "awsIAMType": kind, "databaseName": where, **rights(options)}
        user["description"] = options.get("--desc", "")
        self.users.append(user)
        # The real one asks on a terminal, else reads a line.
        self._let_in(user, options.get("--password") or given.rstrip("\n"))

    def _let_in(self, user: Item, password: str) -> None:
        name, database = user["username"], user["roles"][0]["databaseName"]
        if user["awsIAMType"] == "ROLE":
            self.atlas.add_role(name, *self.aws.credentials_of(name), database)
        else:
            self.atlas.add_user(name, password, database)

    def _create_service(self, region: str) -> None:
        if len(self.services) >= self.limit:
            detail = "The project has reached its limit of private endpoint services."
            raise api_error("400 Bad Request", "PRIVATE_ENDPOINT_LIMIT_REACHED", detail)
        name = f"com.amazonaws.vpce.{region}.vpce-svc-{uuid.uuid4().hex[:17]}"
        self.services.append(
            {
                "id": object_id(),
                "regionName": region.upper().replace("-", "_"),
                "endpointServiceName": name,
                "interfaceEndpoints": [],
                "_endpoints": {},
                "status": "INITIATING",
                "_then": "AVAILABLE",
                "_looks": LOOKS,
            }
        )

    def _connect(self, service: Item, endpoint: str) -> None:
        endpoints = self.aws.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[endpoint])
        assert endpoints["VpcEndpoints"][0]["ServiceName"] == service["endpointServiceName"]
        service["interfaceEndpoints"].append(endpoint)
        state = {"interfaceEndpointId": endpoint, "connectionStatus": "PENDING", "_looks": LOOKS}
        service["_endpoints"][endpoint] = state | {"_then": "AVAILABLE"}

    def _create_peering(self, options: dict[str, str]) -> None:
        region = options["--region"].upper().replace("-", "_")
        [container] = [it for it in self.containers if it["regionName"] == region]
        vpc = options["--vpcId"]
        made = self.aws.client("ec2").create_vpc_peering_connection(VpcId="vpc-1", PeerVpcId=vpc)
        self.peerings.append(
            {
                "id": object_id(),
                "containerId": container["id"],
                "vpcId": vpc,
                "routeTableCidrBlock": options["--routeTableCidrBlock"],
                "statusName": "INITIATING",
                "_connection": made["VpcPeeringConnection"]["VpcPeeringConnectionId"],
                "_looks": LOOKS,
            }
        )

    def _aged_peering(self, peering: Item) -> Item:
        """Atlas requests it, its owner accepts it in AWS, and Atlas notices in the end."""
        peering["_looks"] -= 1
        if peering["_looks"] < 0 and peering["statusName"] in ("INITIATING", "PENDING_ACCEPTANCE"):
            peering["connectionId"] = peering["_connection"]
            peering["statusName"] = "PENDING_ACCEPTANCE"
            found = self.aws.client("ec2").describe_vpc_peering_connections(
                VpcPeeringConnectionIds=[peering["_connection"]]
            )
            if found["VpcPeeringConnections"][0]["Status"]["Code"] == "active":
                peering.update(statusName="FINALIZING", _looks=LOOKS)
        elif peering["_looks"] < 0 and peering["statusName"] == "FINALIZING":
            peering["statusName"] = "AVAILABLE"
        return peering

    def adopt(self, *, others: bool = False) -> None:
        """Take over what the stacks of `aws` have made by MongoDB's types, for this project."""
        kinds = ("DatabaseUser", "PrivateEndpointService", "PrivateEndpointAWS", "NetworkPeering")
        for kind in kinds:
            for physical_id, it in self.aws.atlas(f"MongoDB::Atlas::{kind}").items():
                key = f"{kind} {physical_id} {it.get('Password')}"
                if key not in self._adopted:
                    self._adopted.add(key)
                    if not others:
                        self._take_over(kind, it)

    def _take_over(self, kind: str, it: Item) -> None:
        if kind == "DatabaseUser":
            roles = [{"databaseName": it["Roles"][0]["DatabaseName"]}]
            user = {"username": it["Username"], "awsIAMType": it.get("AWSIAMType"), "roles": roles}
            self._let_in(user, it.get("Password", ""))
        elif kind == "PrivateEndpointService":
            self._create_service(it["Region"])
            taken = {"id": it["Id"], "endpointServiceName": it["EndpointServiceName"]}
            self.services[-1] |= taken | {"_looks": 0}
        elif kind == "PrivateEndpointAWS":
            [service] = [one for one in self.services if one["id"] == it["EndpointServiceId"]]
            self._connect(service, it["Id"])
        else:
            peering = {"id": it["Id"], "vpcId": it["VpcId"], "_connection": it["ConnectionId"]}
            self.peerings.append(peering | {"statusName": "INITIATING", "_looks": LOOKS})

    def _watch(self, done: threading.Event) -> None:
        """Let in the users of stacks soon, whether anybody looks or not."""
        while not done.wait(0.2):
            with self._lock, suppress(OSError):  # the local AWS has ended
                self.adopt()


def shown(output: Any) -> Any:
    """Return what is said: names that begin with _ are the control plane's own."""
    if isinstance(output, dict):
        return {name: shown(it) for name, it in output.items() if not name.startswith("_")}
    return [shown(it) for it in output] if isinstance(output, list) else output


def page(items: list[Item]) -> Item:
    return {"results": items, "totalCount": len(items)}


def aged(item: Item) -> Item:
    """Return an item that has been looked at once more: after some looks it is ready."""
    state = next(it for it in ("status", "stateName", "connectionStatus") if it in item)
    item["_looks"] -= 1
    if item["_looks"] < 0 and "_then" in item:
        item[state] = item.pop("_then")
    return item


def rights(options: dict[str, str]) -> Item:
    """The roles and scopes of a database user."""
    roles = [it.partition("@") for it in options["--role"].split(",")]
    return {
        "roles": [{"roleName": role, "databaseName": database} for role, _, database in roles],
        "scopes": [{"name": options["--scope"], "type": "CLUSTER"}],
    }
