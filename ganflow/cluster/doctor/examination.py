"""The report of `ganflow doctor`: nodes, and the checks of each and of the whole."""

from dataclasses import dataclass, field

from ganflow.cluster.doctor.node_probe import NodeFacts

OK, NOTE, FAULT = "ok", "note", "FAULT"


@dataclass(frozen=True)
class NodeCheck:
    """Something that was looked at, as a whole or on one node."""

    name: str
    status: str
    text: str


@dataclass
class NodeReport:
    """One node. None: not known, for it did not answer."""

    node_id: str
    ip: str
    driver: bool  # the driver's connection is by this node
    cpus: int
    gpus: int  # that Ray offers
    answer_s: float | None = None
    facts: NodeFacts | None = None
    clock_s: float | None = None  # ahead of the driver
    clock_margin_s: float | None = None
    storage_s: float | None = None

    @property
    def works(self) -> bool:
        """True if workers may run there."""
        return self.cpus > 0 or self.gpus > 0


@dataclass
class Examination:
    """All that was found."""

    address: str
    nodes: list[NodeReport] = field(default_factory=list)
    checks: list[NodeCheck] = field(default_factory=list)

    def add(self, name: str, status: str, text: str) -> None:
        self.checks.append(NodeCheck(name, status, text))

    def fault(self, node: NodeReport, text: str) -> None:
        self.add(f"node {node.ip}", FAULT, text)
