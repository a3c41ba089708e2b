"""ResearchStudy: only what says which study it is. Supporting: it yields no facts."""

from fhir_adapter.fhir.elements import Identifier, Resource


class ResearchStudy(Resource, frozen=True, kw_only=True):
    """A study as a hospital knows it; its id differs per hospital, its identifier does not."""

    identifier: tuple[Identifier, ...] = ()
    status: str | None = None

    def carries(self, system: str, value: str) -> bool:
        """Whether it carries that identifier."""
        return any(i.system == system and i.value == value for i in self.identifier)
