"""The limits of target lesions. Case W13; RECIST 1.1 §4.1."""

from fhir_adapter.endpoints.target_selection import Candidate, excess, propose

W13 = """
name site  longest short kind
A    liver 30      -     -
B    liver 25      -     -
C    liver 22      -     -
D    lung  18      -     -
E    lung  12      -     -
F    node  28      16    -
G    node  20      13    -
H    node  14      8     -
I    bone  40      -     blastic
J    lung  9       -     -
"""


def candidates() -> list[Candidate]:
    """The lesions of the table."""
    found = []
    for line in W13.strip().splitlines()[1:]:
        name, site, longest, short, kind = line.split()
        found.append(Candidate(
            name=name, site=site, longest_um=int(longest) * 1000, node=site == "node", kind=kind.strip("-"),
            short_um=None if short == "-" else int(short) * 1000))
    return found


def test_w13_choosing_target_lesions() -> None:
    """W13: at most 5, 2 per organ, 10 mm (node 15 mm), nodes by short axis; the baseline sum is 101 mm."""
    roles = propose(candidates())

    assert {role: sorted(name for name in roles if roles[name] == role) for role in set(roles.values())} == {
        "target": ["A", "B", "D", "E", "F"], "non-target": ["C", "G", "I", "J"], "none": ["H"]}
    assert sum(one.size for one in candidates() if roles[one.name] == "target") == 101000


def test_too_many_targets_are_named() -> None:
    """Nodes are one organ, whatever their site."""
    assert excess([("neck", True), ("lung", True), ("axilla", True), ("lung", False), ("liver", False),
                   ("bone", False)]) == ["6 targets, at most 5", "3 targets in node, at most 2"]
    assert excess([("lung", False), ("lung", False)]) == []
