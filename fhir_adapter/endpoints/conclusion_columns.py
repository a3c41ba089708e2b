"""The columns that every conclusion has, and code lists that several share."""

from typing import Annotated

from fhir_adapter.core.facts import column

EVALUATORS = ("investigator", "central 1", "central 2", "adjudicator")
RESPONSES = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "NED")
SOURCES = ("lesions", "reported")
UNIRRADIATED = "unirradiated"
"""Responses from lesions without the targets that study radiotherapy hit."""
ENDPOINTS = ("PFS", "OS", "DOR", "TTR", "TTP", "iPFS")

Subject = Annotated[str, column("trial number of the subject")]
Evaluator = Annotated[str, column("role of the reader whose series this is", codes=EVALUATORS)]
Why = Annotated[str, column("the reason in words")]
Provisional = Annotated[bool, column("whether an open conflict may still change the value")]
HeldKinds = Annotated[str, column("kinds of the open conflicts involved, a JSON list")]
Facts = Annotated[str, column("the facts that decided the value, a sorted JSON list of table:fact_key")]
