"""Concludes: frames of facts in, frames of conclusions out. Pure; no session, no HTTP, no clock.

`ALL` names the conclusion tables; `derive` fills them; `summary` counts and estimates over them. pandas and lifelines
are loaded only when something is derived.
"""

from fhir_adapter.endpoints.conclusions import ALL, Conclusion

__all__ = ["ALL", "Conclusion"]
