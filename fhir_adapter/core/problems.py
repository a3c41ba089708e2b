"""Problems: something refused or doubted about one record, as a value."""

import msgspec

from fhir_adapter.core.origins import Origin


class ProblemCode(msgspec.Struct, frozen=True):
    """A kind of problem: its name, what it means, what to do. Every one is in docs/problems.md."""

    name: str
    meaning: str
    remedy: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One record or one element that was refused or doubted.

    `refuses` is True when the record yields no facts because of it (it is then quarantined).
    `message` names elements and rules, never a patient's value or a source id.
    """

    code: str
    message: str
    origin: Origin
    refuses: bool = True


CODES: tuple[ProblemCode, ...] = (
    ProblemCode("malformed_json", "The bytes are not JSON, or nested deeper than 200.",
                "Ask the hospital to send the record again; the bytes are kept in quarantine."),
    ProblemCode("poison_slice", "The server fails on a small part of an answer, named by type and time.",
                "Ask the hospital to look at its records of that type and time; all others were had."),
    ProblemCode("unreadable_head", "Type, id or subject of an entry could not be read.",
                "Position, length and SHA-256 are kept; ask the hospital to look at that page."),
    ProblemCode("wrong_shape", "An element that we read has the wrong JSON type or a code outside its required list.",
                "Ask the hospital to mend the record."),
    ProblemCode("missing_element", "An element that the resource must have is missing.",
                "Ask the hospital to complete the record."),
    ProblemCode("bad_date", "A date is not a day, month or year of the calendar.",
                "Ask the hospital to mend the date."),
    ProblemCode("bad_number", "A number is not finite or beyond 10^20.", "Ask the hospital to mend the value."),
    ProblemCode("bad_text", "A text holds NUL or a lone surrogate, or is longer than 1 MB.",
                "Ask the hospital to mend the text."),
    ProblemCode("several_values", "More than one value[x] in one element.", "Ask the hospital which one holds."),
    ProblemCode("unknown_modifier", "An unknown modifierExtension forbids the use of the record.",
                "Ask the hospital what it means; until then the record does not count."),
    ProblemCode("version_contradiction", "An element of another FHIR version than the hospital declares.",
                "Check fhir_version in the hospital's file against its /metadata."),
    ProblemCode("unresolved_subject", "The subject resolves to no patient of the cohort.",
                "Check the reference in the source; records of unknown persons are not used."),
    ProblemCode("unresolved_reference", "A referenced record that we need could not be had.",
                "Ask the hospital for the record, or give its content in a supplement."),
    ProblemCode("dose_unknown", "A dose could not be expressed in milligrams.",
                "Give the strength of the product in mappings, or ask the hospital."),
    ProblemCode("not_physical_dose", "A radiotherapy dose in a radiobiological unit is not a physical dose.",
                "Ask the hospital for the physical dose in Gy or cGy."),
    ProblemCode("value_refused", "The database does not take what was understood of the record: a value is out of its "
                "column's range or list.", "Report it to the makers of this program; the record's bytes are kept."),
    ProblemCode("sheet_cell", "A cell of a supplement is missing or not of its column's list.",
                "Mend the sheet; the message names sheet, row and column."),
    ProblemCode("merge_cycle", "Patients replace each other in a circle.", "Ask the hospital which record is valid."),
    ProblemCode("number_is_identifier", "A trial number equals an identifier of a patient.",
                "Give the subject a number that is not a hospital's."),
)
"""Every problem that can be raised."""
