"""Where a fact comes from."""

import msgspec


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Hospital, opaque resource key, version ordinal and element path; outside the vault it never shows a source id."""

    hospital: str
    type: str
    resource: str
    ordinal: int
    element: str = ""

    def at(self, element: str) -> "Origin":
        """The same record, at an element path such as `component[0].valueQuantity`."""
        return msgspec.structs.replace(self, element=element)

    def __str__(self) -> str:
        """`west AdverseEvent 3f0c… v2 at severity`: fit for logs and screens, without a source id."""
        where = f" at {self.element}" if self.element else ""
        return f"{self.hospital} {self.type} {self.resource[:12]} v{self.ordinal}{where}"
