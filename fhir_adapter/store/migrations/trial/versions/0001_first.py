"""The first tables of the trial database (frozen; made by `python -m fhir_adapter.store.migrations`)."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _ae_episode() -> None:
    op.create_table('ae_episode',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('number', sa.Integer(), autoincrement=False, nullable=False, comment="counts the subject's events by onset"),
        sa.Column('episode', sa.Integer(), nullable=False, comment="counts the subject's episodes: records of one term that touch or overlap are one episode"),
        sa.Column('term', sa.Text(), nullable=False, comment='CTCAE term; the reported words if no code leads to one; `not coded` without words'),
        sa.Column('coded', sa.Boolean(), nullable=False, comment='whether the term is a CTCAE term'),
        sa.Column('soc', sa.Text(), nullable=False, comment='system organ class; `not coded` without one'),
        sa.Column('ctcae', sa.Text(), nullable=False, comment='CTCAE version of the grade'),
        sa.Column('grade', sa.Integer(), nullable=True, comment='CTCAE grade 1 to 5; missing stays missing'),
        sa.Column('grade_exists', sa.Boolean(), nullable=True, comment='whether the term has this grade in its CTCAE version; empty without a grade, a code or that version'),
        sa.Column('onset', sa.Text(), nullable=True, comment='onset, as precisely as known'),
        sa.Column('onset_day', sa.Integer(), nullable=True, comment='study day of the onset; the first study treatment is day 1'),
        sa.Column('end', sa.Text(), nullable=True, comment='end, as precisely as known; empty while it goes on'),
        sa.Column('serious', sa.Boolean(), nullable=True, comment='serious: the flag or any criterion'),
        sa.Column('fatal', sa.Boolean(), nullable=False, comment='outcome fatal or grade 5'),
        sa.Column('related', sa.Boolean(), nullable=True, comment='related to any study component; empty when none is judged'),
        sa.Column('related_to', sa.Text(), nullable=False, comment='components judged related, a JSON list'),
        sa.Column('actions', sa.Text(), nullable=False, comment='actions taken, a JSON list of component:action'),
        sa.Column('immune_related', sa.Boolean(), nullable=True, comment='whether mappings/terms/immune_related.csv lists the term; empty while nobody filled it'),
        sa.Column('continues', sa.Boolean(), nullable=False, comment='goes on from before the first study treatment without a higher grade: not emergent'),
        sa.Column('in_registered', sa.Boolean(), nullable=False, comment='first study treatment to end of follow-up'),
        sa.Column('in_teae', sa.Boolean(), nullable=False, comment='first study treatment to last component + 30 days, or worse then than before it'),
        sa.Column('in_extended', sa.Boolean(), nullable=False, comment='serious or immune-related, to last component + 90 days'),
        sa.Column('radiotherapy_phase', sa.Text(), nullable=True, comment='acute up to 90 days after the last fraction, else late'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("radiotherapy_phase = 'acute' OR radiotherapy_phase = 'late'", name='ck_ae_episode_radiotherapy_phase'),
        sa.PrimaryKeyConstraint('subject', 'number'),
    comment='One adverse event record and the analysis sets it belongs to.'
    )


def _alive_evidence() -> None:
    op.create_table('alive_evidence',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('kind', sa.Text(), autoincrement=False, nullable=False, comment='what proves it: the fact table, or the step of the subject through the study'),
        sa.Column('date', sa.Text(), nullable=False, comment='latest day proved by this kind'),
        sa.Column('latest', sa.Boolean(), nullable=False, comment='whether no other kind proves a later day'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.PrimaryKeyConstraint('subject', 'kind'),
    comment='The latest day on which one kind of record proves that the subject was alive.'
    )


def _arm() -> None:
    op.create_table('arm',
        sa.Column('arm', sa.Text(), nullable=False, comment='name of the arm'),
        sa.Column('title', sa.Text(), nullable=False, comment='what it receives'),
        sa.PrimaryKeyConstraint('arm', name='pk_arm'),
    comment='An arm of the trial.'
    )


def _assessment_compliance() -> None:
    op.create_table('assessment_compliance',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('number', sa.Integer(), autoincrement=False, nullable=False, comment='counts the planned assessments from 1'),
        sa.Column('due', sa.Text(), nullable=False, comment='planned day'),
        sa.Column('due_from', sa.Text(), nullable=False, comment='first day of its window'),
        sa.Column('due_to', sa.Text(), nullable=False, comment='last day of its window'),
        sa.Column('done', sa.Text(), nullable=True, comment='day of the assessment that fills it'),
        sa.Column('state', sa.Text(), nullable=False, comment='what became of it'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("state = 'done' OR state = 'early' OR state = 'late' OR state = 'missed' OR state = 'not_due'", name='ck_assessment_compliance_state'),
        sa.PrimaryKeyConstraint('subject', 'number'),
    comment='One planned tumour assessment and whether it took place.'
    )


def _audit_entry() -> None:
    op.create_table('audit_entry',
        sa.Column('seq', sa.Integer(), nullable=False, comment='counts entries'),
        sa.Column('at', sa.Text(), nullable=False, comment='when (UTC)'),
        sa.Column('actor', sa.Text(), nullable=False, comment="who, by the study's name"),
        sa.Column('action', sa.Text(), nullable=False, comment='what was done'),
        sa.Column('object', sa.Text(), nullable=False, comment='to what'),
        sa.Column('hash', sa.Text(), nullable=False, comment="hash of the entry in the vault's chain"),
        sa.PrimaryKeyConstraint('seq', name='pk_audit_entry'),
    comment='One entry of the audit trail, as the vault has it.'
    )


def _baseline() -> None:
    op.create_table('baseline',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('evaluator', sa.Text(), autoincrement=False, nullable=False, comment='role of the reader whose series this is'),
        sa.Column('date', sa.Text(), nullable=True, comment='first scan of the baseline assessment; none: there is no baseline'),
        sa.Column('last_date', sa.Text(), nullable=True, comment='last scan of the baseline assessment'),
        sa.Column('sum_um', sa.Integer(), nullable=True, comment='baseline sum of diameters'),
        sa.Column('targets', sa.Integer(), nullable=False, comment='target lesions in the sum'),
        sa.Column('non_targets', sa.Integer(), nullable=False, comment='lesions known at baseline that are not targets'),
        sa.Column('deviation', sa.Text(), nullable=True, comment='why a baseline called so by its source is out of the window'),
        sa.Column('age', sa.Integer(), nullable=True, comment='year of the first dose minus year of birth'),
        sa.Column('birth_year', sa.Integer(), nullable=True, comment='year of birth'),
        sa.Column('sex', sa.Text(), nullable=True, comment='sex as administered'),
        sa.Column('histology', sa.Text(), nullable=True, comment='histology concept of the cancer'),
        sa.Column('stage', sa.Text(), nullable=True, comment='stage group as stated'),
        sa.Column('braf', sa.Text(), nullable=True, comment='latest BRAF result as stated'),
        sa.Column('pdl1', sa.Text(), nullable=True, comment='latest PD-L1 result as stated'),
        sa.Column('pdl1_percent', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='the same as a number, if it is one'),
        sa.Column('ecog', sa.Integer(), nullable=True, comment='last ECOG on or before the first study treatment'),
        sa.Column('enrolled', sa.Text(), nullable=True, comment='day of enrolment'),
        sa.Column('first_dose', sa.Text(), nullable=True, comment='first dose above 0 of any study drug'),
        sa.Column('first_dose_evidence', sa.Text(), nullable=True, comment='rank of the evidence of the first dose'),
        sa.Column('first_treatment', sa.Text(), nullable=True, comment='first study treatment of any kind, radiotherapy included'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("deviation = 'too_old' OR deviation = 'after_start'", name='ck_baseline_deviation'),
        sa.CheckConstraint("evaluator = 'investigator' OR evaluator = 'central 1' OR evaluator = 'central 2' OR evaluator = 'adjudicator'", name='ck_baseline_evaluator'),
        sa.CheckConstraint("first_dose_evidence = 'administered' OR first_dose_evidence = 'stated' OR first_dose_evidence = 'dispensed'", name='ck_baseline_first_dose_evidence'),
        sa.CheckConstraint("sex = 'female' OR sex = 'male' OR sex = 'other' OR sex = 'unknown'", name='ck_baseline_sex'),
        sa.PrimaryKeyConstraint('subject', 'evaluator'),
    comment='The last complete tumour assessment on or before the first study treatment, and who the subject was then.'
    )


def _best_response() -> None:
    op.create_table('best_response',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('evaluator', sa.Text(), autoincrement=False, nullable=False, comment='role of the reader whose series this is'),
        sa.Column('source', sa.Text(), autoincrement=False, nullable=False, comment='computed from lesions, as reported by the reader, or from lesions without irradiated targets'),
        sa.Column('confirmed', sa.Boolean(), autoincrement=False, nullable=False, comment='whether CR and PR need confirmation'),
        sa.Column('headline', sa.Boolean(), nullable=False, comment='whether this is the row that is counted for the subject'),
        sa.Column('chosen', sa.Boolean(), nullable=False, comment='whether this source is the one analysed for this reader'),
        sa.Column('value', sa.Text(), nullable=False, comment='best overall response'),
        sa.Column('date', sa.Text(), nullable=True, comment='first assessment that gives the value'),
        sa.Column('reason', sa.Text(), nullable=True, comment='why it is NE, as a code'),
        sa.Column('first_response_date', sa.Text(), nullable=True, comment='first CR or PR (of the earliest confirmed response); empty for others'),
        sa.Column('best_change_permille', sa.Integer(), nullable=True, comment='smallest change of a complete sum from baseline up to progression or new therapy'),
        sa.Column('controlled_days', sa.Integer(), nullable=True, comment='start to the last CR, PR, SD or NON-CR/NON-PD that counts; empty without one'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("evaluator = 'investigator' OR evaluator = 'central 1' OR evaluator = 'central 2' OR evaluator = 'adjudicator'", name='ck_best_response_evaluator'),
        sa.CheckConstraint("reason = 'no_assessment' OR reason = 'no_baseline' OR reason = 'not_evaluable' OR reason = 'too_early'", name='ck_best_response_reason'),
        sa.CheckConstraint("source = 'lesions' OR source = 'reported' OR source = 'unirradiated'", name='ck_best_response_source'),
        sa.CheckConstraint("value = 'CR' OR value = 'PR' OR value = 'SD' OR value = 'NON-CR/NON-PD' OR value = 'PD' OR value = 'NE' OR value = 'NED'", name='ck_best_response_value'),
        sa.PrimaryKeyConstraint('subject', 'evaluator', 'source', 'confirmed'),
    comment='The best overall response of one series, confirmed and unconfirmed.'
    )


def _completeness() -> None:
    op.create_table('completeness',
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital'),
        sa.Column('type', sa.Text(), nullable=False, comment='FHIR resource type'),
        sa.Column('mode', sa.Text(), nullable=False, comment='how new data are asked for'),
        sa.Column('whole_as_of', sa.Text(), nullable=True, comment='when everything was had last (UTC)'),
        sa.Column('open_since', sa.Text(), nullable=True, comment='since when something is missing (UTC); empty: nothing is'),
        sa.Column('declared_gap', sa.Text(), nullable=False, comment='signed reason why the hospital does not give this type'),
        sa.PrimaryKeyConstraint('hospital', 'type', 'mode', name='pk_completeness'),
    comment='Whether we have everything of one type from one hospital, and since when not.'
    )


def _conflict() -> None:
    op.create_table('conflict',
        sa.Column('key', sa.Text(), nullable=False, comment='hash of kind and scope'),
        sa.Column('kind', sa.Text(), nullable=False, comment='kind of conflict'),
        sa.Column('subject', sa.Text(), nullable=True, comment='trial number of the subject; empty for what concerns none or several'),
        sa.Column('hospitals', sa.Text(), nullable=False, comment='hospitals concerned, a sorted JSON list'),
        sa.Column('state', sa.Text(), nullable=False, comment='whether somebody has settled it'),
        sa.Column('fingerprint', sa.Text(), nullable=False, comment='hash of the values in dispute: a decision about other values does not apply'),
        sa.Column('values_text', sa.Text(), nullable=False, comment='what is in dispute, a JSON list'),
        sa.Column('scope', sa.Text(), nullable=False, comment='what identifies it, a JSON list; never a subject number'),
        sa.Column('message', sa.Text(), nullable=False, comment='what is wrong and what counts meanwhile, in words'),
        sa.Column('owner', sa.Text(), nullable=True, comment='role that may settle it'),
        sa.Column('blocking', sa.Boolean(), nullable=True, comment='whether a cut cannot be locked over it'),
        sa.Column('decided_by', sa.Integer(), nullable=True, comment='number of the decision that closes it'),
        sa.CheckConstraint("state = 'open' OR state = 'closed'", name='ck_conflict_state'),
        sa.PrimaryKeyConstraint('key', name='pk_conflict'),
    comment='Facts that cannot all be true, something expected that is missing, or a code that nobody has mapped.'
    )
    op.create_index('ix_conflict_state_kind', 'conflict', ['state', 'kind'], unique=False)
    op.create_index('ix_conflict_subject', 'conflict', ['subject'], unique=False)


def _conflict_item() -> None:
    op.create_table('conflict_item',
        sa.Column('conflict_key', sa.Text(), nullable=False, comment='the conflict'),
        sa.Column('number', sa.Integer(), nullable=False, comment='counts the sides from 1'),
        sa.Column('table_name', sa.Text(), nullable=False, comment='fact table; empty for a record without fact'),
        sa.Column('fact_key', sa.Text(), nullable=False, comment='the fact; empty for a record without fact'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.PrimaryKeyConstraint('conflict_key', 'number', name='pk_conflict_item'),
    comment='One side of a conflict: a fact, or a record.'
    )
    op.create_index('ix_conflict_item_fact_key', 'conflict_item', ['fact_key'], unique=False)


def _cursor() -> None:
    op.create_table('cursor',
        sa.Column('name', sa.Text(), nullable=False, comment='hospital, `decisions`, or `worklist` (counts its changes)'),
        sa.Column('seq', sa.Integer(), nullable=False, comment='last sequence number worked in'),
        sa.Column('digest', sa.Text(), nullable=False, comment='digest of the mappings that it was done with'),
        sa.PrimaryKeyConstraint('name', name='pk_cursor'),
    comment="How far a source has been worked in: a hospital's versions, or the decisions."
    )


def _cut() -> None:
    op.create_table('cut',
        sa.Column('name', sa.Text(), nullable=False, comment='name of the cut'),
        sa.Column('data_cutoff', sa.Text(), nullable=False, comment='clinical cut-off: what had happened'),
        sa.Column('known_at', sa.Text(), nullable=False, comment='what the databases knew'),
        sa.Column('digest', sa.Text(), nullable=False, comment='SHA-256 over its inputs, options, program and results'),
        sa.Column('reason', sa.Text(), nullable=False, comment='what it is for'),
        sa.Column('signed_by', sa.Text(), nullable=False, comment='who signed'),
        sa.Column('signed_at', sa.Text(), nullable=False, comment='when it was signed (UTC)'),
        sa.Column('waived', sa.Text(), nullable=False, comment='open blocking conflicts that it was locked over, a JSON list of keys'),
        sa.PrimaryKeyConstraint('name', name='pk_cut'),
    comment='A locked snapshot, as signed in the vault.'
    )


def _decision() -> None:
    op.create_table('decision',
        sa.Column('number', sa.Integer(), nullable=False, comment='counts decisions in the order of signing'),
        sa.Column('conflict_key', sa.Text(), nullable=False, comment='the conflict'),
        sa.Column('kind', sa.Text(), nullable=False, comment='kind of conflict'),
        sa.Column('fingerprint', sa.Text(), nullable=False, comment='values that were in dispute when it was decided'),
        sa.Column('choice', sa.Text(), nullable=False, comment='what was chosen'),
        sa.Column('value', sa.Text(), nullable=False, comment='argument of the choice'),
        sa.Column('reason', sa.Text(), nullable=False, comment='reason given'),
        sa.Column('decided_by', sa.Text(), nullable=False, comment='who decided'),
        sa.Column('decided_at', sa.Text(), nullable=False, comment='when it was signed (UTC)'),
        sa.Column('undoes', sa.Integer(), nullable=True, comment='number of the decision that it undoes'),
        sa.PrimaryKeyConstraint('number', name='pk_decision'),
    comment='What a person decided about one conflict, as signed in the vault.'
    )


def _dependency() -> None:
    op.create_table('dependency',
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record that was mapped'),
        sa.Column('needs', sa.Text(), nullable=False, comment='opaque key of the record that was looked at'),
        sa.PrimaryKeyConstraint('resource', 'needs', name='pk_dependency'),
    comment='A record that was looked at while another one was mapped: when it changes, the other is mapped again.'
    )
    op.create_index('ix_dependency_needs', 'dependency', ['needs'], unique=False)


def _doubt() -> None:
    op.create_table('doubt',
        sa.Column('key', sa.Text(), nullable=False, comment='hash of kind, scope, record, version, element and values'),
        sa.Column('kind', sa.Text(), nullable=False, comment='kind of conflict'),
        sa.Column('scope', sa.Text(), nullable=False, comment='what identifies the dispute, a JSON list; empty: the record itself'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital'),
        sa.Column('type', sa.Text(), nullable=False, comment='FHIR resource type'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('subject', sa.Text(), nullable=True, comment='trial number of the subject; empty for what concerns none or several'),
        sa.Column('message', sa.Text(), nullable=False, comment='what is doubted, in words'),
        sa.Column('values_text', sa.Text(), nullable=False, comment='what is in dispute, a JSON list'),
        sa.Column('holds', sa.Boolean(), nullable=False, comment='whether the facts at that element are held meanwhile'),
        sa.PrimaryKeyConstraint('key', name='pk_doubt'),
    comment='A conflict that one record raises by itself, as mapping found it; settling makes conflicts of them.'
    )
    op.create_index('ix_doubt_resource_ordinal', 'doubt', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_doubt_subject', 'doubt', ['subject'], unique=False)


def _exposure() -> None:
    op.create_table('exposure',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('treatment', sa.Text(), autoincrement=False, nullable=False, comment='drug concept, or `radiotherapy`'),
        sa.Column('evidence', sa.Text(), nullable=True, comment='best rank of the evidence'),
        sa.Column('doses', sa.Integer(), nullable=False, comment='doses given, or stated periods; for radiotherapy courses'),
        sa.Column('doses_unknown', sa.Integer(), nullable=False, comment='of these without a known amount'),
        sa.Column('doses_partial', sa.Integer(), nullable=False, comment='of these stopped before their end'),
        sa.Column('doses_omitted', sa.Integer(), nullable=False, comment='recorded as not given, or given as 0; not in `doses`'),
        sa.Column('cycles', sa.Integer(), nullable=True, comment='cycles begun; empty without a regimen, or when doses were not recorded as administered'),
        sa.Column('total_mg', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='sum of known doses; empty if none is known'),
        sa.Column('first_date', sa.Text(), nullable=True, comment='first dose or fraction'),
        sa.Column('last_date', sa.Text(), nullable=True, comment='last dose or fraction'),
        sa.Column('duration_days', sa.Integer(), nullable=True, comment='last minus first plus one planned interval'),
        sa.Column('intensity', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='total / duration; empty if an amount is unknown'),
        sa.Column('relative_intensity', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='intensity / planned intensity: doses and delays count'),
        sa.Column('planned_mg', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='planned doses of the cycles begun'),
        sa.Column('dose_percent', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment="total / planned total of the cycles begun, delays do not count (admiral's `doseint`)"),
        sa.Column('dose_cgy', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='highest volume of one level of one course, physical dose delivered'),
        sa.Column('fractions', sa.Integer(), nullable=True, comment='fractions delivered to that volume'),
        sa.Column('level', sa.Text(), nullable=True, comment='level of the records that gave the dose'),
        sa.Column('eqd2_gy', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='equivalent dose in 2-Gy fractions'),
        sa.Column('bed_gy', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='biologically effective dose'),
        sa.Column('alpha_beta', sa.Integer(), nullable=True, comment='alpha/beta used for eqd2_gy and bed_gy'),
        sa.Column('courses', sa.Text(), nullable=True, comment='each course of radiotherapy: site, days, level, dose_cgy, fractions, eqd2_gy, bed_gy; a JSON list'),
        sa.Column('at_least_subgroup', sa.Text(), nullable=True, comment="whether the dose reaches the subgroup's limit (radiotherapy only)"),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("at_least_subgroup = 'yes' OR at_least_subgroup = 'no' OR at_least_subgroup = 'unknown' OR at_least_subgroup = 'ambiguous' OR at_least_subgroup = 'none'", name='ck_exposure_at_least_subgroup'),
        sa.CheckConstraint("evidence = 'administered' OR evidence = 'stated' OR evidence = 'dispensed'", name='ck_exposure_evidence'),
        sa.CheckConstraint("level = 'course' OR level = 'phase' OR level = 'fraction'", name='ck_exposure_level'),
        sa.PrimaryKeyConstraint('subject', 'treatment'),
    comment='What a subject received of one study treatment.'
    )


def _fact_origin() -> None:
    op.create_table('fact_origin',
        sa.Column('fact_key', sa.Text(), nullable=False, comment='the fact'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('stated_in', sa.Text(), nullable=False, comment='opaque key of the record named in the fact itself'),
        sa.Column('stated_ordinal', sa.Integer(), nullable=False, comment='its version'),
        sa.PrimaryKeyConstraint('fact_key', 'resource', 'ordinal', 'element', name='pk_fact_origin'),
    comment='A further record that a fact rests on, beside the one named in the fact itself.'
    )
    op.create_index('ix_fact_origin_stated_in_stated_ordinal', 'fact_origin', ['stated_in', 'stated_ordinal'], unique=False)


def _fence() -> None:
    op.create_table('fence',
        sa.Column('name', sa.Text(), nullable=False, comment='name of the lease'),
        sa.Column('number', sa.Integer(), nullable=False, comment='number of the lease'),
        sa.PrimaryKeyConstraint('name', name='pk_fence'),
    comment='The highest number of a lease that has written here; lower ones are refused.'
    )


def _immune_best_response() -> None:
    op.create_table('immune_best_response',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('evaluator', sa.Text(), autoincrement=False, nullable=False, comment='role of the reader whose series this is'),
        sa.Column('confirmed', sa.Boolean(), autoincrement=False, nullable=False, comment='whether iCR and iPR need confirmation'),
        sa.Column('source', sa.Text(), nullable=False, comment='computed from lesions, or as the reader reports iRECIST'),
        sa.Column('value', sa.Text(), nullable=False, comment='best response up to the confirmed progression'),
        sa.Column('date', sa.Text(), nullable=True, comment='first assessment that gives the value'),
        sa.Column('first_response_date', sa.Text(), nullable=True, comment='first iCR or iPR that counts; empty for others'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("evaluator = 'investigator' OR evaluator = 'central 1' OR evaluator = 'central 2' OR evaluator = 'adjudicator'", name='ck_immune_best_response_evaluator'),
        sa.CheckConstraint("source = 'lesions' OR source = 'reported'", name='ck_immune_best_response_source'),
        sa.CheckConstraint("value = 'iCR' OR value = 'iPR' OR value = 'iSD' OR value = 'NON-iCR/NON-iUPD' OR value = 'iUPD' OR value = 'iCPD' OR value = 'NE' OR value = 'NED'", name='ck_immune_best_response_value'),
        sa.PrimaryKeyConstraint('subject', 'evaluator', 'confirmed'),
    comment='The best iRECIST response of one reader, confirmed and unconfirmed.'
    )


def _immune_time_point() -> None:
    op.create_table('immune_time_point',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('evaluator', sa.Text(), autoincrement=False, nullable=False, comment='role of the reader whose series this is'),
        sa.Column('number', sa.Integer(), autoincrement=False, nullable=False, comment='time point, as in time_point'),
        sa.Column('source', sa.Text(), nullable=False, comment='computed from lesions, or as the reader reports iRECIST'),
        sa.Column('date', sa.Text(), nullable=False, comment='first scan'),
        sa.Column('value', sa.Text(), nullable=True, comment='response; empty when the scan is disregarded'),
        sa.Column('disregarded', sa.Text(), nullable=True, comment='why it is disregarded'),
        sa.Column('progression_date', sa.Text(), nullable=True, comment='day on which an iUPD counts; empty without one'),
        sa.Column('categories', sa.Text(), nullable=False, comment='what progressed: target, non_target, new_lesion; a JSON list, empty as reported'),
        sa.Column('first_iupd', sa.Text(), nullable=True, comment='first iUPD of the block that this iUPD or iCPD belongs to'),
        sa.Column('late', sa.Boolean(), nullable=False, comment='confirmed later than eight weeks after the first iUPD'),
        sa.Column('new_sum_um', sa.Integer(), nullable=True, comment='sum of the new targets; never added to the sum of the targets'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("disregarded = 'too_early' OR disregarded = 'after_icpd'", name='ck_immune_time_point_disregarded'),
        sa.CheckConstraint("evaluator = 'investigator' OR evaluator = 'central 1' OR evaluator = 'central 2' OR evaluator = 'adjudicator'", name='ck_immune_time_point_evaluator'),
        sa.CheckConstraint("source = 'lesions' OR source = 'reported'", name='ck_immune_time_point_source'),
        sa.CheckConstraint("value = 'iCR' OR value = 'iPR' OR value = 'iSD' OR value = 'NON-iCR/NON-iUPD' OR value = 'iUPD' OR value = 'iCPD' OR value = 'NE' OR value = 'NED'", name='ck_immune_time_point_value'),
        sa.PrimaryKeyConstraint('subject', 'evaluator', 'number'),
    comment='The iRECIST response of one tumour assessment of one reader.'
    )


def _impact() -> None:
    op.create_table('impact',
        sa.Column('conflict_key', sa.Text(), nullable=False, comment='the conflict'),
        sa.Column('kind', sa.Text(), nullable=False, comment='kind of conflict'),
        sa.Column('subject', sa.Text(), nullable=True, comment='trial number of the subject; empty for what concerns none or several'),
        sa.Column('fingerprint', sa.Text(), nullable=False, comment='hash of the values in dispute then'),
        sa.Column('rank', sa.Integer(), nullable=False, comment='1 moves most: by values of subjects and study, then by those of the study'),
        sa.Column('alternatives', sa.Integer(), nullable=False, comment='ways of settling it that were tried'),
        sa.Column('subject_values', sa.Integer(), nullable=False, comment='values of subjects that it can move'),
        sa.Column('study_values', sa.Integer(), nullable=False, comment='response rates and medians that it can move'),
        sa.Column('joint_values', sa.Integer(), nullable=False, comment='further values of its subject, moved only together with another conflict'),
        sa.Column('untried', sa.Integer(), nullable=False, comment='ways of settling two conflicts of its subject together that were left out'),
        sa.Column('moves', sa.Text(), nullable=False, comment='endpoints that it can move, a sorted JSON list'),
        sa.PrimaryKeyConstraint('conflict_key', name='pk_impact'),
    comment='What an open conflict could move, as the last `derive --sensitivity` found it; gone once its subject changes.'
    )
    op.create_index('ix_impact_subject', 'impact', ['subject'], unique=False)


def _lab_toxicity() -> None:
    op.create_table('lab_toxicity',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('number', sa.Integer(), autoincrement=False, nullable=False, comment="counts the subject's graded values by day, test and term"),
        sa.Column('test', sa.Text(), nullable=False, comment='laboratory test or vital sign concept'),
        sa.Column('term', sa.Text(), nullable=False, comment='CTCAE term'),
        sa.Column('soc', sa.Text(), nullable=True, comment='system organ class of the term'),
        sa.Column('direction', sa.Text(), nullable=False, comment='which side of normal the term is about'),
        sa.Column('ctcae', sa.Text(), nullable=False, comment='CTCAE version of the grade'),
        sa.Column('date', sa.Text(), nullable=True, comment='day of the sample, as precisely as known'),
        sa.Column('value', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='value in the canonical unit; total calcium corrected for albumin'),
        sa.Column('unit', sa.Text(), nullable=True, comment='canonical unit (UCUM)'),
        sa.Column('grade', sa.Integer(), nullable=True, comment='grade by the named policy; 0 is a result, empty cannot be graded'),
        sa.Column('lowest', sa.Integer(), nullable=True, comment='lowest possible grade'),
        sa.Column('highest', sa.Integer(), nullable=True, comment='highest possible grade'),
        sa.Column('reason', sa.Text(), nullable=True, comment='why it cannot be graded, as a code'),
        sa.Column('question', sa.Text(), nullable=True, comment='what CTCAE asks and no record says, where the grade depends on it'),
        sa.Column('policy', sa.Text(), nullable=True, comment='which grade was taken where the question decides; empty elsewhere'),
        sa.Column('screening', sa.Boolean(), nullable=False, comment='a single blood pressure: a screening grade, never in tables'),
        sa.Column('is_baseline', sa.Boolean(), nullable=False, comment='whether this value is the baseline of its test'),
        sa.Column('baseline_date', sa.Text(), nullable=True, comment='day of the baseline value'),
        sa.Column('baseline_value', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='baseline value in the canonical unit'),
        sa.Column('baseline_grade', sa.Integer(), nullable=True, comment='grade of the baseline value'),
        sa.Column('assumed_before', sa.Boolean(), nullable=False, comment='on the day of the first treatment, times unknown: counted as before it'),
        sa.Column('on_treatment', sa.Boolean(), nullable=False, comment='after the first study treatment, up to the last component + the window of `teae`'),
        sa.Column('worst', sa.Boolean(), nullable=False, comment='the first value with the highest grade of the term on treatment'),
        sa.Column('shift', sa.Text(), nullable=True, comment='baseline grade > worst grade on treatment; only with `worst`'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("direction = 'low' OR direction = 'high'", name='ck_lab_toxicity_direction'),
        sa.CheckConstraint("policy = 'worst_case' OR policy = 'lowest'", name='ck_lab_toxicity_policy'),
        sa.CheckConstraint("reason = 'not_final' OR reason = 'no_unit' OR reason = 'unit_unknown' OR reason = 'comparator' OR reason = 'no_albumin' OR reason = 'no_uln' OR reason = 'no_lln' OR reason = 'no_baseline' OR reason = 'no_baseline_range'", name='ck_lab_toxicity_reason'),
        sa.PrimaryKeyConstraint('subject', 'number'),
    comment='A CTCAE grade computed from a laboratory value or a vital sign; a lab grade is no adverse event.'
    )


def _origin() -> None:
    op.create_table('origin',
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital; `decision` for facts that a decision states'),
        sa.Column('type', sa.Text(), nullable=False, comment='FHIR resource type; `Sheet` or `Decision` for what is none'),
        sa.Column('subject', sa.Text(), nullable=True, comment='trial number of the subject; empty for what concerns none or several'),
        sa.Column('outcome', sa.Text(), nullable=False, comment='what became of it'),
        sa.Column('reason', sa.Text(), nullable=False, comment='why it is ignored or quarantined, or the kind of conflict that it waits for'),
        sa.Column('is_head', sa.Boolean(), nullable=False, comment='whether it is the newest version of its record'),
        sa.CheckConstraint("outcome = 'mapped' OR outcome = 'waiting' OR outcome = 'ignored' OR outcome = 'quarantined'", name='ck_origin_outcome'),
        sa.PrimaryKeyConstraint('resource', 'ordinal', name='pk_origin'),
    comment='One mapped version of one record, and what became of it.'
    )
    op.create_index('ix_origin_subject', 'origin', ['subject'], unique=False)


def _outlook() -> None:
    op.create_table('outlook',
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('endpoint', sa.Text(), nullable=False, comment='endpoint, as `fhir-adapter trace` names it'),
        sa.Column('rule', sa.Text(), nullable=False, comment='rule or part, as in `sensitivity`'),
        sa.Column('may_become', sa.Text(), nullable=False, comment='a JSON list of conflict, kind, way and value'),
        sa.PrimaryKeyConstraint('subject', 'endpoint', 'rule', name='pk_outlook'),
    comment='How one value of a subject could change, over all open conflicts that can move it.'
    )


def _placement() -> None:
    op.create_table('placement',
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital'),
        sa.Column('patient', sa.Text(), nullable=False, comment="opaque key of the patient's record"),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.PrimaryKeyConstraint('hospital', 'patient', name='pk_placement'),
    comment="As which subject a hospital's patient was mapped last; by opaque key."
    )


def _planned_assessment() -> None:
    op.create_table('planned_assessment',
        sa.Column('arm', sa.Text(), nullable=False, comment='name of the arm'),
        sa.Column('number', sa.Integer(), nullable=False, comment='counts the planned assessments from 1'),
        sa.Column('day', sa.Integer(), nullable=False, comment='planned study day'),
        sa.Column('early', sa.Integer(), nullable=False, comment='days by which it may be earlier'),
        sa.Column('late', sa.Integer(), nullable=False, comment='days by which it may be later'),
        sa.PrimaryKeyConstraint('arm', 'number', name='pk_planned_assessment'),
    comment='A tumour assessment that the protocol plans, by study day.'
    )


def _population() -> None:
    op.create_table('population',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('population', sa.Text(), autoincrement=False, nullable=False, comment='analysis population'),
        sa.Column('included', sa.Boolean(), nullable=False, comment='whether the subject belongs to it'),
        sa.Column('reason', sa.Text(), nullable=True, comment='why the subject is excluded, as a code; empty for a member'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("population = 'screened' OR population = 'enrolled' OR population = 'treated' OR population = 'safety' OR population = 'evaluable'", name='ck_population_population'),
        sa.CheckConstraint("reason = 'no_consent' OR reason = 'screening_failure' OR reason = 'not_enrolled' OR reason = 'not_treated' OR reason = 'no_measurable_disease' OR reason = 'no_baseline' OR reason = 'no_assessment'", name='ck_population_reason'),
        sa.PrimaryKeyConstraint('subject', 'population'),
    comment='Whether a subject belongs to a population, and if not, why not.'
    )


def _problem() -> None:
    op.create_table('problem',
        sa.Column('key', sa.Text(), nullable=False, comment='hash of code, record, version, element and message'),
        sa.Column('code', sa.Text(), nullable=False, comment='kind of problem, see docs/problems.md'),
        sa.Column('message', sa.Text(), nullable=False, comment='what is wrong, in words without values'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital'),
        sa.Column('type', sa.Text(), nullable=False, comment='FHIR resource type'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('subject', sa.Text(), nullable=True, comment='trial number of the subject; empty for what concerns none or several'),
        sa.Column('refuses', sa.Boolean(), nullable=False, comment='whether the record is not used because of it'),
        sa.PrimaryKeyConstraint('key', name='pk_problem'),
    comment='Something refused or doubted about one record.'
    )
    op.create_index('ix_problem_resource_ordinal', 'problem', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_problem_subject', 'problem', ['subject'], unique=False)


def _run() -> None:
    op.create_table('run',
        sa.Column('id', sa.Integer(), nullable=False, comment='counts runs'),
        sa.Column('command', sa.Text(), nullable=False, comment='what was asked of the program'),
        sa.Column('hospitals', sa.Text(), nullable=False, comment='hospitals, a JSON list'),
        sa.Column('started_at', sa.Text(), nullable=False, comment='begin (UTC)'),
        sa.Column('ended_at', sa.Text(), nullable=True, comment='end (UTC); empty: still running, or killed'),
        sa.Column('exit_code', sa.Integer(), nullable=True, comment='exit code'),
        sa.Column('counts', sa.Text(), nullable=False, comment='what it counted, JSON'),
        sa.Column('mappings', sa.Text(), nullable=False, comment='digest of the mappings in force'),
        sa.Column('program', sa.Text(), nullable=False, comment='version of the program'),
        sa.PrimaryKeyConstraint('id', name='pk_run'),
    comment='One run of the program, as the vault has it.'
    )


def _sensitivity() -> None:
    op.create_table('sensitivity',
        sa.Column('conflict_key', sa.Text(), nullable=False, comment='the conflict'),
        sa.Column('alternative', sa.Integer(), nullable=False, comment='counts the ways of settling it from 1'),
        sa.Column('label', sa.Text(), nullable=False, comment='the way, in words'),
        sa.Column('other', sa.Text(), nullable=False, comment='the conflict that would have to be settled too; empty for one alone'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject; empty for a value of the study'),
        sa.Column('endpoint', sa.Text(), nullable=False, comment='endpoint, as `fhir-adapter trace` names it; ORR, DCR, MEDIAN ... of the study'),
        sa.Column('rule', sa.Text(), nullable=False, comment='rule or part: censoring rules; confirmed, reader and source; population; term'),
        sa.Column('before', sa.Text(), nullable=False, comment='the value as it is, in words; empty: none'),
        sa.Column('after', sa.Text(), nullable=False, comment='the value as it would be, in words; empty: none'),
        sa.PrimaryKeyConstraint('conflict_key', 'alternative', 'subject', 'endpoint', 'rule', name='pk_sensitivity'),
    comment='One value that would be another one, were a conflict settled in one of its ways.'
    )
    op.create_index('ix_sensitivity_subject', 'sensitivity', ['subject'], unique=False)


def _site() -> None:
    op.create_table('site',
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital'),
        sa.Column('name', sa.Text(), nullable=False, comment='name of the hospital as configured'),
        sa.Column('mode', sa.Text(), nullable=False, comment='how it is asked'),
        sa.Column('fhir_version', sa.Text(), nullable=False, comment='FHIR version that it declares'),
        sa.CheckConstraint("mode = 'search' OR mode = 'bulk' OR mode = 'files' OR mode = 'sheet'", name='ck_site_mode'),
        sa.PrimaryKeyConstraint('hospital', name='pk_site'),
    comment='A hospital of the study.'
    )


def _subject() -> None:
    op.create_table('subject',
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospitals', sa.Text(), nullable=False, comment='hospitals that know the subject, a sorted JSON list'),
        sa.Column('state', sa.Text(), nullable=True, comment='last known state in the study, as the source writes it'),
        sa.PrimaryKeyConstraint('subject', name='pk_subject'),
    comment="A person of the trial, by the trial's own number; never a hospital's."
    )


def _time_point() -> None:
    op.create_table('time_point',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('evaluator', sa.Text(), autoincrement=False, nullable=False, comment='role of the reader whose series this is'),
        sa.Column('source', sa.Text(), autoincrement=False, nullable=False, comment='computed from lesions, or as reported by the reader'),
        sa.Column('number', sa.Integer(), autoincrement=False, nullable=False, comment='0 is the baseline, later ones count from 1; earlier ones are negative'),
        sa.Column('visit', sa.Text(), nullable=True, comment='visit as stated'),
        sa.Column('grouping', sa.Text(), nullable=False, comment='what binds the scans together'),
        sa.Column('date', sa.Text(), nullable=False, comment='first scan'),
        sa.Column('last_date', sa.Text(), nullable=False, comment='last scan'),
        sa.Column('progression_date', sa.Text(), nullable=True, comment='day on which progression counts; empty without progression'),
        sa.Column('censor_date', sa.Text(), nullable=False, comment='day on which a censoring counts: last target measurement, else last scan'),
        sa.Column('sum_um', sa.Integer(), nullable=True, comment='sum of diameters of the targets; empty when none was measured'),
        sa.Column('complete', sa.Boolean(), nullable=False, comment='whether every target of the baseline is in the sum'),
        sa.Column('baseline_um', sa.Integer(), nullable=True, comment='baseline sum'),
        sa.Column('nadir_um', sa.Integer(), nullable=True, comment='smallest complete sum before this one, baseline included'),
        sa.Column('change_permille', sa.Integer(), nullable=True, comment='change of a complete sum from baseline, rounded half up'),
        sa.Column('target', sa.Text(), nullable=True, comment='response of the targets'),
        sa.Column('non_target', sa.Text(), nullable=True, comment='response of the other lesions'),
        sa.Column('new_lesion', sa.Text(), nullable=False, comment='new lesion'),
        sa.Column('overall', sa.Text(), nullable=True, comment='overall response; empty at and before the baseline'),
        sa.Column('chosen', sa.Boolean(), nullable=False, comment='whether this source is the one analysed for the subject'),
        sa.Column('discordant', sa.Boolean(), nullable=False, comment='whether the other source has another overall response here'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("evaluator = 'investigator' OR evaluator = 'central 1' OR evaluator = 'central 2' OR evaluator = 'adjudicator'", name='ck_time_point_evaluator'),
        sa.CheckConstraint("grouping = 'visit' OR grouping = 'window' OR grouping = 'days'", name='ck_time_point_grouping'),
        sa.CheckConstraint("new_lesion = 'unequivocal' OR new_lesion = 'equivocal' OR new_lesion = 'none' OR new_lesion = 'not stated'", name='ck_time_point_new_lesion'),
        sa.CheckConstraint("non_target = 'CR' OR non_target = 'NON-CR/NON-PD' OR non_target = 'PD' OR non_target = 'NE' OR non_target = 'NONE'", name='ck_time_point_non_target'),
        sa.CheckConstraint("overall = 'CR' OR overall = 'PR' OR overall = 'SD' OR overall = 'NON-CR/NON-PD' OR overall = 'PD' OR overall = 'NE' OR overall = 'NED'", name='ck_time_point_overall'),
        sa.CheckConstraint("source = 'lesions' OR source = 'reported'", name='ck_time_point_source'),
        sa.CheckConstraint("target = 'CR' OR target = 'PR' OR target = 'SD' OR target = 'PD' OR target = 'NE' OR target = 'NONE'", name='ck_time_point_target'),
        sa.PrimaryKeyConstraint('subject', 'evaluator', 'source', 'number'),
    comment='One tumour assessment of one evaluator: scans that belong together, and the response they give.'
    )


def _time_to_event() -> None:
    op.create_table('time_to_event',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('endpoint', sa.Text(), autoincrement=False, nullable=False, comment='endpoint'),
        sa.Column('rule', sa.Text(), autoincrement=False, nullable=False, comment='censoring rules; empty where there is only one way'),
        sa.Column('headline', sa.Boolean(), nullable=False, comment='whether this is the row that is analysed'),
        sa.Column('evaluator', sa.Text(), autoincrement=False, nullable=False, comment='whose readings; empty where no reading decides'),
        sa.Column('source', sa.Text(), nullable=True, comment='which readings'),
        sa.Column('start', sa.Text(), nullable=True, comment='day on which the clock starts'),
        sa.Column('date', sa.Text(), nullable=True, comment='day of the event or of the censoring; empty when undetermined'),
        sa.Column('status', sa.Text(), nullable=False, comment='what happened on that day'),
        sa.Column('days', sa.Integer(), nullable=True, comment='date minus start, plus one if day one counts'),
        sa.Column('reason', sa.Text(), nullable=False, comment='what decided, as a code'),
        sa.Column('imputed', sa.Text(), nullable=True, comment='what of the date was imputed'),
        sa.Column('cause', sa.Text(), nullable=True, comment='stated cause of a death (OS only)'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("cause = 'disease' OR cause = 'toxicity' OR cause = 'other' OR cause = 'unknown'", name='ck_time_to_event_cause'),
        sa.CheckConstraint("endpoint = 'PFS' OR endpoint = 'OS' OR endpoint = 'DOR' OR endpoint = 'TTR' OR endpoint = 'TTP' OR endpoint = 'iPFS'", name='ck_time_to_event_endpoint'),
        sa.CheckConstraint("evaluator = 'investigator' OR evaluator = 'central 1' OR evaluator = 'central 2' OR evaluator = 'adjudicator' OR evaluator = ''", name='ck_time_to_event_evaluator'),
        sa.CheckConstraint("imputed = 'day' OR imputed = 'month' OR imputed = 'date'", name='ck_time_to_event_imputed'),
        sa.CheckConstraint("reason = 'progression' OR reason = 'clinical_progression' OR reason = 'death' OR reason = 'response' OR reason = 'no_start' OR reason = 'no_baseline' OR reason = 'no_assessment' OR reason = 'missed_assessments' OR reason = 'new_therapy' OR reason = 'discontinuation' OR reason = 'last_assessment' OR reason = 'last_alive' OR reason = 'no_contact' OR reason = 'cutoff' OR reason = 'no_schedule' OR reason = 'radiotherapy_only'", name='ck_time_to_event_reason'),
        sa.CheckConstraint("rule = 'treatment_policy' OR rule = 'table_a' OR rule = ''", name='ck_time_to_event_rule'),
        sa.CheckConstraint("source = 'lesions' OR source = 'reported'", name='ck_time_to_event_source'),
        sa.CheckConstraint("status = 'event' OR status = 'censored' OR status = 'undetermined'", name='ck_time_to_event_status'),
        sa.PrimaryKeyConstraint('subject', 'endpoint', 'rule', 'evaluator'),
    comment="One endpoint on one subject's clock: start, end, and whether the end is the event."
    )


def _touched() -> None:
    op.create_table('touched',
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.PrimaryKeyConstraint('subject', name='pk_touched'),
    comment='A subject whose facts have changed since its conclusions were drawn.'
    )


def _treatment() -> None:
    op.create_table('treatment',
        sa.Column('subject', sa.Text(), autoincrement=False, nullable=False, comment='trial number of the subject'),
        sa.Column('number', sa.Integer(), autoincrement=False, nullable=False, comment="counts the subject's treatments in time order; those without a day first"),
        sa.Column('kind', sa.Text(), nullable=False, comment='kind of treatment'),
        sa.Column('therapy', sa.Text(), nullable=False, comment='drug or procedure concept, or the irradiated site; may be empty'),
        sa.Column('role', sa.Text(), nullable=False, comment='what it was for'),
        sa.Column('stated', sa.Boolean(), nullable=False, comment='whether a source, a sheet or a decision states the role'),
        sa.Column('start', sa.Text(), nullable=True, comment='first day that its start can be'),
        sa.Column('end', sa.Text(), nullable=True, comment='last day that its end can be'),
        sa.Column('why', sa.Text(), nullable=False, comment='the reason in words'),
        sa.Column('provisional', sa.Boolean(), nullable=False, comment='whether an open conflict may still change the value'),
        sa.Column('held_kinds', sa.Text(), nullable=False, comment='kinds of the open conflicts involved, a JSON list'),
        sa.Column('facts', sa.Text(), nullable=False, comment='the facts that decided the value, a sorted JSON list of table:fact_key'),
        sa.CheckConstraint("kind = 'drug' OR kind = 'radiotherapy' OR kind = 'surgery' OR kind = 'other'", name='ck_treatment_kind'),
        sa.CheckConstraint("role = 'prior' OR role = 'study' OR role = 'subsequent' OR role = 'supportive' OR role = 'unknown'", name='ck_treatment_role'),
        sa.PrimaryKeyConstraint('subject', 'number'),
    comment='One treatment of the cancer, or around it, and what it was for.'
    )


def _worklist() -> None:
    op.create_table('worklist',
        sa.Column('conflict_key', sa.Text(), nullable=False, comment='the conflict'),
        sa.Column('kind', sa.Text(), nullable=False, comment='kind of conflict'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject; empty for what concerns none or several'),
        sa.Column('hospitals', sa.Text(), nullable=False, comment='hospitals concerned, a sorted JSON list'),
        sa.Column('code', sa.Text(), nullable=False, comment='code in dispute, for conflicts about codes and units'),
        sa.Column('state', sa.Text(), nullable=False, comment='how far it is'),
        sa.Column('blocking', sa.Boolean(), nullable=False, comment='whether a cut cannot be locked over it'),
        sa.Column('owner', sa.Text(), nullable=False, comment='role that may settle it'),
        sa.Column('place', sa.Integer(), nullable=False, comment='order in the queue: what can move more has a smaller number'),
        sa.Column('occurrences', sa.Integer(), nullable=False, comment='records that wait for it, or facts in dispute'),
        sa.Column('message', sa.Text(), nullable=False, comment='what is wrong, in words'),
        sa.Column('since', sa.Text(), nullable=False, comment='when it was first seen (UTC)'),
        sa.Column('assignee', sa.Text(), nullable=False, comment='who works on it'),
        sa.Column('due', sa.Text(), nullable=False, comment='until when, a day'),
        sa.Column('query', sa.Text(), nullable=False, comment='state of the last query to a hospital'),
        sa.Column('last_decision', sa.Integer(), nullable=False, comment='number of the last decision about it, undone or not; 0: none'),
        sa.Column('words', sa.Text(), nullable=False, comment='what a search looks through, in lower case: what is wrong, subject, code, key'),
        sa.CheckConstraint("state = 'open' OR state = 'deferred' OR state = 'proposed' OR state = 'changed' OR state = 'settling' OR state = 'closed'", name='ck_worklist_state'),
        sa.PrimaryKeyConstraint('conflict_key', name='pk_worklist'),
    comment="One conflict as the review desk's queue lists it; a projection, outside the digest."
    )
    op.create_index('ix_worklist_code', 'worklist', ['code'], unique=False)
    op.create_index('ix_worklist_kind_place_conflict_key', 'worklist', ['kind', 'place', 'conflict_key'], unique=False)
    op.create_index('ix_worklist_place_conflict_key', 'worklist', ['place', 'conflict_key'], unique=False)
    op.create_index('ix_worklist_state_kind_blocking_hospitals_assignee_since', 'worklist', ['state', 'kind', 'blocking', 'hospitals', 'assignee', 'since'], unique=False)
    op.create_index('ix_worklist_subject', 'worklist', ['subject'], unique=False)


def _adverse_event() -> None:
    op.create_table('adverse_event',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('term', sa.Text(), nullable=True, comment='CTCAE term, if the code leads to one'),
        sa.Column('term_text', sa.Text(), nullable=True, comment='the term as reported'),
        sa.Column('term_code', sa.Text(), nullable=True, comment='MedDRA LLT code of the term'),
        sa.Column('soc', sa.Text(), nullable=True, comment='system organ class of the CTCAE term'),
        sa.Column('ctcae', sa.Text(), nullable=True, comment='CTCAE version of the grade, if stated; else that of the trial'),
        sa.Column('grade', sa.Integer(), nullable=True, comment='CTCAE grade 1 to 5; never from severity'),
        sa.Column('severity', sa.Text(), nullable=True, comment='severity word as reported, not a grade'),
        sa.Column('onset', sa.Text(), nullable=True, comment='onset'),
        sa.Column('onset_precision', sa.Text(), nullable=True, comment='onset: precision'),
        sa.Column('onset_written', sa.Text(), nullable=True, comment='onset: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='end'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='end: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='end: as written, with its offset'),
        sa.Column('not_after', sa.Text(), nullable=True, comment='latest possible onset, when only the recording date is known'),
        sa.Column('not_after_precision', sa.Text(), nullable=True, comment='latest possible onset, when only the recording date is known: precision'),
        sa.Column('not_after_written', sa.Text(), nullable=True, comment='latest possible onset, when only the recording date is known: as written, with its offset'),
        sa.Column('serious', sa.Boolean(), nullable=True, comment='whether it is serious'),
        sa.Column('outcome', sa.Text(), nullable=True, comment='outcome'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_adverse_event_end_date_precision'),
        sa.CheckConstraint("not_after_precision = 'year' OR not_after_precision = 'month' OR not_after_precision = 'day'", name='ck_adverse_event_not_after_precision'),
        sa.CheckConstraint("onset_precision = 'year' OR onset_precision = 'month' OR onset_precision = 'day'", name='ck_adverse_event_onset_precision'),
        sa.CheckConstraint("outcome = 'resolved' OR outcome = 'recovering' OR outcome = 'ongoing' OR outcome = 'resolved_with_sequelae' OR outcome = 'fatal' OR outcome = 'unknown'", name='ck_adverse_event_outcome'),
        sa.CheckConstraint("severity = 'mild' OR severity = 'moderate' OR severity = 'severe'", name='ck_adverse_event_severity'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_adverse_event_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_adverse_event_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='adverse events'
    )
    op.create_index('ix_adverse_event_origin', 'adverse_event', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_adverse_event_subject', 'adverse_event', ['subject'], unique=False)


def _ae_action() -> None:
    op.create_table('ae_action',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('component', sa.Text(), nullable=False, comment='drug concept, or `radiotherapy`'),
        sa.Column('action', sa.Text(), nullable=False, comment='action taken'),
        sa.CheckConstraint("action = 'none' OR action = 'reduced' OR action = 'interrupted' OR action = 'withdrawn' OR action = 'increased' OR action = 'rate_reduced'", name='ck_ae_action_action'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_ae_action_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_ae_action_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='actions taken for adverse events'
    )
    op.create_index('ix_ae_action_origin', 'ae_action', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_ae_action_subject', 'ae_action', ['subject'], unique=False)


def _ae_causality() -> None:
    op.create_table('ae_causality',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('component', sa.Text(), nullable=False, comment='drug concept, or `radiotherapy`'),
        sa.Column('relatedness', sa.Text(), nullable=False, comment='as reported, in one list'),
        sa.Column('related', sa.Boolean(), nullable=True, comment='possible or stronger counts as related; None when not recorded'),
        sa.Column('record', sa.Text(), nullable=True, comment='opaque key of the event that a sheet speaks of'),
        sa.CheckConstraint("relatedness = 'related' OR relatedness = 'possibly' OR relatedness = 'probably' OR relatedness = 'unlikely' OR relatedness = 'not_related' OR relatedness = 'unknown'", name='ck_ae_causality_relatedness'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_ae_causality_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_ae_causality_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='causality of adverse events'
    )
    op.create_index('ix_ae_causality_origin', 'ae_causality', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_ae_causality_subject', 'ae_causality', ['subject'], unique=False)


def _ae_seriousness() -> None:
    op.create_table('ae_seriousness',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('criterion', sa.Text(), nullable=False, comment='criterion'),
        sa.CheckConstraint("criterion = 'death' OR criterion = 'life_threatening' OR criterion = 'hospitalisation' OR criterion = 'disability' OR criterion = 'congenital' OR criterion = 'intervention' OR criterion = 'other'", name='ck_ae_seriousness_criterion'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_ae_seriousness_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_ae_seriousness_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='what makes adverse events serious'
    )
    op.create_index('ix_ae_seriousness_origin', 'ae_seriousness', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_ae_seriousness_subject', 'ae_seriousness', ['subject'], unique=False)


def _anticancer_therapy() -> None:
    op.create_table('anticancer_therapy',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('kind', sa.Text(), nullable=False, comment='what kind of treatment'),
        sa.Column('therapy', sa.Text(), nullable=False, comment='concept of the drug, or of the radiotherapy or operation'),
        sa.Column('stated_role', sa.Text(), nullable=True, comment='role that a source or a sheet states'),
        sa.Column('start_date', sa.Text(), nullable=True, comment='first day of the treatment'),
        sa.Column('start_date_precision', sa.Text(), nullable=True, comment='first day of the treatment: precision'),
        sa.Column('start_date_written', sa.Text(), nullable=True, comment='first day of the treatment: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='last day of the treatment'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='last day of the treatment: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='last day of the treatment: as written, with its offset'),
        sa.Column('status', sa.Text(), nullable=True, comment='status as the source writes it'),
        sa.Column('line', sa.Integer(), nullable=True, comment='line of therapy, if stated'),
        sa.Column('stop_reason', sa.Text(), nullable=True, comment='why it ended, as a concept'),
        sa.Column('record', sa.Text(), nullable=True, comment='opaque key of the record whose role a sheet states'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_anticancer_therapy_end_date_precision'),
        sa.CheckConstraint("kind = 'drug' OR kind = 'radiotherapy' OR kind = 'surgery'", name='ck_anticancer_therapy_kind'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_anticancer_therapy_standing'),
        sa.CheckConstraint("start_date_precision = 'year' OR start_date_precision = 'month' OR start_date_precision = 'day'", name='ck_anticancer_therapy_start_date_precision'),
        sa.CheckConstraint("stated_role = 'prior' OR stated_role = 'study' OR stated_role = 'subsequent' OR stated_role = 'supportive' OR stated_role = 'unknown'", name='ck_anticancer_therapy_stated_role'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_anticancer_therapy_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Treatments of the cancer and their roles'
    )
    op.create_index('ix_anticancer_therapy_origin', 'anticancer_therapy', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_anticancer_therapy_subject', 'anticancer_therapy', ['subject'], unique=False)


def _biomarker() -> None:
    op.create_table('biomarker',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('marker', sa.Text(), nullable=False, comment='marker concept'),
        sa.Column('result', sa.Text(), nullable=True, comment='result concept or text as written'),
        sa.Column('value', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='numeric result'),
        sa.Column('unit', sa.Text(), nullable=True, comment='unit'),
        sa.Column('date', sa.Text(), nullable=True, comment='day of the sample'),
        sa.Column('date_precision', sa.Text(), nullable=True, comment='day of the sample: precision'),
        sa.Column('date_written', sa.Text(), nullable=True, comment='day of the sample: as written, with its offset'),
        sa.CheckConstraint("date_precision = 'year' OR date_precision = 'month' OR date_precision = 'day'", name='ck_biomarker_date_precision'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_biomarker_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_biomarker_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='biomarkers'
    )
    op.create_index('ix_biomarker_origin', 'biomarker', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_biomarker_subject', 'biomarker', ['subject'], unique=False)


def _demographic() -> None:
    op.create_table('demographic',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('sex', sa.Text(), nullable=True, comment='sex as administered'),
        sa.Column('birth_year', sa.Integer(), nullable=True, comment='year of birth'),
        sa.CheckConstraint("sex = 'female' OR sex = 'male' OR sex = 'other' OR sex = 'unknown'", name='ck_demographic_sex'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_demographic_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_demographic_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Who a subject is: sex, birth year'
    )
    op.create_index('ix_demographic_origin', 'demographic', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_demographic_subject', 'demographic', ['subject'], unique=False)


def _deviation() -> None:
    op.create_table('deviation',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('category', sa.Text(), nullable=False, comment='kind of deviation'),
        sa.Column('date', sa.Text(), nullable=True, comment='day'),
        sa.Column('date_precision', sa.Text(), nullable=True, comment='day: precision'),
        sa.Column('date_written', sa.Text(), nullable=True, comment='day: as written, with its offset'),
        sa.Column('important', sa.Boolean(), nullable=True, comment='whether it is important'),
        sa.CheckConstraint("date_precision = 'year' OR date_precision = 'month' OR date_precision = 'day'", name='ck_deviation_date_precision'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_deviation_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_deviation_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Protocol deviations'
    )
    op.create_index('ix_deviation_origin', 'deviation', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_deviation_subject', 'deviation', ['subject'], unique=False)


def _diagnosis() -> None:
    op.create_table('diagnosis',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('concept', sa.Text(), nullable=True, comment='what the condition is'),
        sa.Column('histology', sa.Text(), nullable=True, comment='histology concept'),
        sa.Column('onset', sa.Text(), nullable=True, comment='date of diagnosis'),
        sa.Column('onset_precision', sa.Text(), nullable=True, comment='date of diagnosis: precision'),
        sa.Column('onset_written', sa.Text(), nullable=True, comment='date of diagnosis: as written, with its offset'),
        sa.Column('stage', sa.Text(), nullable=True, comment='stage group as stated'),
        sa.CheckConstraint("onset_precision = 'year' OR onset_precision = 'month' OR onset_precision = 'day'", name='ck_diagnosis_onset_precision'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_diagnosis_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_diagnosis_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='diagnoses'
    )
    op.create_index('ix_diagnosis_origin', 'diagnosis', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_diagnosis_subject', 'diagnosis', ['subject'], unique=False)


def _disposition() -> None:
    op.create_table('disposition',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('event', sa.Text(), nullable=False, comment='what happened'),
        sa.Column('date', sa.Text(), nullable=True, comment='when it happened'),
        sa.Column('date_precision', sa.Text(), nullable=True, comment='when it happened: precision'),
        sa.Column('date_written', sa.Text(), nullable=True, comment='when it happened: as written, with its offset'),
        sa.Column('component', sa.Text(), nullable=True, comment='treatment component that ended: a drug concept or `radiotherapy`'),
        sa.Column('level', sa.Text(), nullable=True, comment='what a withdrawal withdraws'),
        sa.Column('state', sa.Text(), nullable=True, comment='subject state as the source writes it'),
        sa.Column('arm', sa.Text(), nullable=True, comment='arm as stated'),
        sa.Column('reason', sa.Text(), nullable=True, comment='coded reason'),
        sa.CheckConstraint("date_precision = 'year' OR date_precision = 'month' OR date_precision = 'day'", name='ck_disposition_date_precision'),
        sa.CheckConstraint("event = 'consent' OR event = 'screened' OR event = 'screening_failure' OR event = 'enrolled' OR event = 'end_of_component' OR event = 'end_of_study' OR event = 'withdrawal' OR event = 'lost_to_follow_up' OR event = 'contact' OR event = 'clinical_progression'", name='ck_disposition_event'),
        sa.CheckConstraint("level = 'treatment' OR level = 'visits' OR level = 'records'", name='ck_disposition_level'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_disposition_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_disposition_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Steps of a subject through the study'
    )
    op.create_index('ix_disposition_origin', 'disposition', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_disposition_subject', 'disposition', ['subject'], unique=False)


def _drug_administration() -> None:
    op.create_table('drug_administration',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('drug', sa.Text(), nullable=False, comment='drug concept'),
        sa.Column('status', sa.Text(), nullable=False, comment='status in R4 words (STU3 notGiven becomes not-done)'),
        sa.Column('given', sa.Boolean(), nullable=False, comment='whether it counts as given: completed, stopped or in progress, and not a stated zero dose'),
        sa.Column('evidence', sa.Text(), nullable=False, comment='rank of the evidence'),
        sa.Column('start_date', sa.Text(), nullable=True, comment='start of the dose or of the period'),
        sa.Column('start_date_precision', sa.Text(), nullable=True, comment='start of the dose or of the period: precision'),
        sa.Column('start_date_written', sa.Text(), nullable=True, comment='start of the dose or of the period: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='end of the dose or of the period'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='end of the dose or of the period: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='end of the dose or of the period: as written, with its offset'),
        sa.Column('dose_mg', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='dose in milligrams; for a stated period the dose of one intake'),
        sa.Column('dose_text', sa.Text(), nullable=True, comment='dose value exactly as written'),
        sa.Column('dose_unit', sa.Text(), nullable=True, comment='dose unit as written'),
        sa.Column('route', sa.Text(), nullable=True, comment='route of administration'),
        sa.Column('reason', sa.Text(), nullable=True, comment='why it was not given or stopped, as a concept'),
        sa.Column('sub_potent', sa.Boolean(), nullable=True, comment='whether its source says that it had less than its full strength'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_drug_administration_end_date_precision'),
        sa.CheckConstraint("evidence = 'administered' OR evidence = 'stated' OR evidence = 'dispensed' OR evidence = 'ordered'", name='ck_drug_administration_evidence'),
        sa.CheckConstraint("route = 'oral' OR route = 'intravenous' OR route = 'other'", name='ck_drug_administration_route'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_drug_administration_standing'),
        sa.CheckConstraint("start_date_precision = 'year' OR start_date_precision = 'month' OR start_date_precision = 'day'", name='ck_drug_administration_start_date_precision'),
        sa.CheckConstraint("status = 'in-progress' OR status = 'not-done' OR status = 'on-hold' OR status = 'completed' OR status = 'stopped' OR status = 'unknown' OR status = 'active' OR status = 'intended'", name='ck_drug_administration_status'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_drug_administration_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Doses of study drugs'
    )
    op.create_index('ix_drug_administration_origin', 'drug_administration', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_drug_administration_subject', 'drug_administration', ['subject'], unique=False)


def _hospital_stay() -> None:
    op.create_table('hospital_stay',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('kind', sa.Text(), nullable=True, comment='class of the encounter'),
        sa.Column('status', sa.Text(), nullable=False, comment='status'),
        sa.Column('start_date', sa.Text(), nullable=True, comment='start'),
        sa.Column('start_date_precision', sa.Text(), nullable=True, comment='start: precision'),
        sa.Column('start_date_written', sa.Text(), nullable=True, comment='start: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='end'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='end: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='end: as written, with its offset'),
        sa.Column('died', sa.Boolean(), nullable=True, comment='discharged as dead'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_hospital_stay_end_date_precision'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_hospital_stay_standing'),
        sa.CheckConstraint("start_date_precision = 'year' OR start_date_precision = 'month' OR start_date_precision = 'day'", name='ck_hospital_stay_start_date_precision'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_hospital_stay_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='stays and visits'
    )
    op.create_index('ix_hospital_stay_origin', 'hospital_stay', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_hospital_stay_subject', 'hospital_stay', ['subject'], unique=False)


def _lab_result() -> None:
    op.create_table('lab_result',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('test', sa.Text(), nullable=False, comment='laboratory test or vital sign'),
        sa.Column('date', sa.Text(), nullable=True, comment='day of the sample'),
        sa.Column('date_precision', sa.Text(), nullable=True, comment='day of the sample: precision'),
        sa.Column('date_written', sa.Text(), nullable=True, comment='day of the sample: as written, with its offset'),
        sa.Column('time', sa.Text(), nullable=True, comment='time of day with offset, as written'),
        sa.Column('status', sa.Text(), nullable=False, comment='status of the record'),
        sa.Column('comparator', sa.Text(), nullable=True, comment='comparator as written'),
        sa.Column('value', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='value in the canonical unit'),
        sa.Column('unit', sa.Text(), nullable=True, comment='canonical unit (UCUM)'),
        sa.Column('value_text', sa.Text(), nullable=True, comment='value exactly as written'),
        sa.Column('unit_text', sa.Text(), nullable=True, comment='unit as written'),
        sa.Column('low', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='lower limit of the record, canonical unit'),
        sa.Column('high', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='upper limit of the record, canonical unit'),
        sa.Column('low_text', sa.Text(), nullable=True, comment='lower limit as written'),
        sa.Column('high_text', sa.Text(), nullable=True, comment='upper limit as written'),
        sa.CheckConstraint("comparator = '<' OR comparator = '<=' OR comparator = '>=' OR comparator = '>' OR comparator = 'ad'", name='ck_lab_result_comparator'),
        sa.CheckConstraint("date_precision = 'year' OR date_precision = 'month' OR date_precision = 'day'", name='ck_lab_result_date_precision'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_lab_result_standing'),
        sa.CheckConstraint("status = 'registered' OR status = 'preliminary' OR status = 'final' OR status = 'amended' OR status = 'corrected' OR status = 'cancelled' OR status = 'unknown'", name='ck_lab_result_status'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_lab_result_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='laboratory results'
    )
    op.create_index('ix_lab_result_origin', 'lab_result', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_lab_result_subject', 'lab_result', ['subject'], unique=False)


def _lesion() -> None:
    op.create_table('lesion',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('lesion', sa.Text(), nullable=False, comment='opaque key of the lesion (BodyStructure)'),
        sa.Column('label', sa.Text(), nullable=True, comment='L1, L2, ... within the subject; set when the subject is settled'),
        sa.Column('role', sa.Text(), nullable=True, comment='role'),
        sa.Column('site', sa.Text(), nullable=True, comment='organ or site concept'),
        sa.Column('node', sa.Boolean(), nullable=True, comment='whether it is a lymph node'),
        sa.Column('irradiated_before', sa.Boolean(), nullable=True, comment='whether it lay in an earlier radiation field'),
        sa.CheckConstraint("role = 'target' OR role = 'non-target' OR role = 'new' OR role = 'none'", name='ck_lesion_role'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_lesion_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_lesion_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='lesions and their roles'
    )
    op.create_index('ix_lesion_origin', 'lesion', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_lesion_subject', 'lesion', ['subject'], unique=False)


def _lesion_measurement() -> None:
    op.create_table('lesion_measurement',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('lesion', sa.Text(), nullable=False, comment='opaque key of the lesion'),
        sa.Column('fragment', sa.Text(), nullable=False, comment='fragment of a split lesion; empty for a whole one'),
        sa.Column('date', sa.Text(), nullable=True, comment='day of the scan'),
        sa.Column('date_precision', sa.Text(), nullable=True, comment='day of the scan: precision'),
        sa.Column('date_written', sa.Text(), nullable=True, comment='day of the scan: as written, with its offset'),
        sa.Column('visit', sa.Text(), nullable=True, comment='visit as stated'),
        sa.Column('axis', sa.Text(), nullable=True, comment='which diameter'),
        sa.Column('state', sa.Text(), nullable=False, comment='what was found'),
        sa.Column('size_um', sa.Integer(), nullable=True, comment='diameter in whole micrometres'),
        sa.Column('size_text', sa.Text(), nullable=True, comment='diameter exactly as written'),
        sa.Column('size_unit', sa.Text(), nullable=True, comment='unit as written'),
        sa.Column('method', sa.Text(), nullable=True, comment='modality'),
        sa.Column('evaluator', sa.Text(), nullable=False, comment='role of the reader'),
        sa.Column('performer', sa.Text(), nullable=True, comment='opaque key of the reader'),
        sa.CheckConstraint("axis = 'longest' OR axis = 'short'", name='ck_lesion_measurement_axis'),
        sa.CheckConstraint("date_precision = 'year' OR date_precision = 'month' OR date_precision = 'day'", name='ck_lesion_measurement_date_precision'),
        sa.CheckConstraint("evaluator = 'investigator' OR evaluator = 'central 1' OR evaluator = 'central 2' OR evaluator = 'adjudicator'", name='ck_lesion_measurement_evaluator'),
        sa.CheckConstraint("method = 'CT' OR method = 'MRI' OR method = 'PET' OR method = 'X-ray' OR method = 'ultrasound' OR method = 'clinical' OR method = 'pathology' OR method = 'other'", name='ck_lesion_measurement_method'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_lesion_measurement_standing'),
        sa.CheckConstraint("state = 'measured' OR state = 'too_small' OR state = 'absent' OR state = 'not_evaluated' OR state = 'present' OR state = 'progressed'", name='ck_lesion_measurement_state'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_lesion_measurement_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='sizes of lesions'
    )
    op.create_index('ix_lesion_measurement_origin', 'lesion_measurement', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_lesion_measurement_subject', 'lesion_measurement', ['subject'], unique=False)


def _medical_history() -> None:
    op.create_table('medical_history',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('concept', sa.Text(), nullable=False, comment='condition concept'),
        sa.Column('onset', sa.Text(), nullable=True, comment='onset'),
        sa.Column('onset_precision', sa.Text(), nullable=True, comment='onset: precision'),
        sa.Column('onset_written', sa.Text(), nullable=True, comment='onset: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='end'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='end: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='end: as written, with its offset'),
        sa.Column('status', sa.Text(), nullable=True, comment='clinical status'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_medical_history_end_date_precision'),
        sa.CheckConstraint("onset_precision = 'year' OR onset_precision = 'month' OR onset_precision = 'day'", name='ck_medical_history_onset_precision'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_medical_history_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_medical_history_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='medical history'
    )
    op.create_index('ix_medical_history_origin', 'medical_history', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_medical_history_subject', 'medical_history', ['subject'], unique=False)


def _medication() -> None:
    op.create_table('medication',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('concept', sa.Text(), nullable=False, comment='drug concept'),
        sa.Column('drug_class', sa.Text(), nullable=False, comment='class of the drug'),
        sa.Column('drug_group', sa.Text(), nullable=True, comment='what it is given for, by its ATC group'),
        sa.Column('start_date', sa.Text(), nullable=True, comment='start'),
        sa.Column('start_date_precision', sa.Text(), nullable=True, comment='start: precision'),
        sa.Column('start_date_written', sa.Text(), nullable=True, comment='start: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='end'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='end: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='end: as written, with its offset'),
        sa.Column('evidence', sa.Text(), nullable=False, comment='rank of the evidence'),
        sa.CheckConstraint("drug_class = 'study' OR drug_class = 'anticancer' OR drug_class = 'supportive' OR drug_class = 'other'", name='ck_medication_drug_class'),
        sa.CheckConstraint("drug_group = 'anticoagulation' OR drug_group = 'antihypertensive' OR drug_group = 'corticosteroid' OR drug_group = 'thyroid_hormone' OR drug_group = 'growth_factor' OR drug_group = 'transfusion'", name='ck_medication_drug_group'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_medication_end_date_precision'),
        sa.CheckConstraint("evidence = 'administered' OR evidence = 'stated' OR evidence = 'dispensed' OR evidence = 'ordered'", name='ck_medication_evidence'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_medication_standing'),
        sa.CheckConstraint("start_date_precision = 'year' OR start_date_precision = 'month' OR start_date_precision = 'day'", name='ck_medication_start_date_precision'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_medication_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Concomitant medication'
    )
    op.create_index('ix_medication_origin', 'medication', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_medication_subject', 'medication', ['subject'], unique=False)


def _performance_status() -> None:
    op.create_table('performance_status',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('scale', sa.Text(), nullable=False, comment='scale'),
        sa.Column('score', sa.Integer(), nullable=False, comment='score'),
        sa.Column('date', sa.Text(), nullable=True, comment='day'),
        sa.Column('date_precision', sa.Text(), nullable=True, comment='day: precision'),
        sa.Column('date_written', sa.Text(), nullable=True, comment='day: as written, with its offset'),
        sa.CheckConstraint("date_precision = 'year' OR date_precision = 'month' OR date_precision = 'day'", name='ck_performance_status_date_precision'),
        sa.CheckConstraint("scale = 'ECOG' OR scale = 'Karnofsky'", name='ck_performance_status_scale'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_performance_status_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_performance_status_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='performance status'
    )
    op.create_index('ix_performance_status_origin', 'performance_status', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_performance_status_subject', 'performance_status', ['subject'], unique=False)


def _procedure() -> None:
    op.create_table('procedure',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('concept', sa.Text(), nullable=False, comment='procedure concept'),
        sa.Column('status', sa.Text(), nullable=False, comment='status in R4 words'),
        sa.Column('start_date', sa.Text(), nullable=True, comment='start'),
        sa.Column('start_date_precision', sa.Text(), nullable=True, comment='start: precision'),
        sa.Column('start_date_written', sa.Text(), nullable=True, comment='start: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='end'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='end: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='end: as written, with its offset'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_procedure_end_date_precision'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_procedure_standing'),
        sa.CheckConstraint("start_date_precision = 'year' OR start_date_precision = 'month' OR start_date_precision = 'day'", name='ck_procedure_start_date_precision'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_procedure_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Procedures that are no radiotherapy'
    )
    op.create_index('ix_procedure_origin', 'procedure', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_procedure_subject', 'procedure', ['subject'], unique=False)


def _radiotherapy() -> None:
    op.create_table('radiotherapy',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('level', sa.Text(), nullable=False, comment='which level the record describes'),
        sa.Column('part_of', sa.Text(), nullable=True, comment='opaque key of the record that this one is part of'),
        sa.Column('status', sa.Text(), nullable=False, comment='status in R4 words'),
        sa.Column('start_date', sa.Text(), nullable=True, comment='first fraction'),
        sa.Column('start_date_precision', sa.Text(), nullable=True, comment='first fraction: precision'),
        sa.Column('start_date_written', sa.Text(), nullable=True, comment='first fraction: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='last fraction so far'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='last fraction so far: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='last fraction so far: as written, with its offset'),
        sa.Column('sessions', sa.Integer(), nullable=True, comment='fractions given'),
        sa.Column('modality', sa.Text(), nullable=True, comment='modality concept'),
        sa.Column('technique', sa.Text(), nullable=True, comment='technique concept'),
        sa.Column('derived_class', sa.Text(), nullable=True, comment='class derived from fractionation, never stated'),
        sa.Column('site', sa.Text(), nullable=True, comment='treated site concept'),
        sa.Column('intent', sa.Text(), nullable=True, comment='intent'),
        sa.Column('reason', sa.Text(), nullable=True, comment='why it was stopped'),
        sa.CheckConstraint("derived_class = 'conventional' OR derived_class = 'sbrt' OR derived_class = 'low_dose' OR derived_class = 'other'", name='ck_radiotherapy_derived_class'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_radiotherapy_end_date_precision'),
        sa.CheckConstraint("intent = 'curative' OR intent = 'palliative'", name='ck_radiotherapy_intent'),
        sa.CheckConstraint("level = 'course' OR level = 'phase' OR level = 'fraction'", name='ck_radiotherapy_level'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_radiotherapy_standing'),
        sa.CheckConstraint("start_date_precision = 'year' OR start_date_precision = 'month' OR start_date_precision = 'day'", name='ck_radiotherapy_start_date_precision'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_radiotherapy_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Delivered radiotherapy'
    )
    op.create_index('ix_radiotherapy_origin', 'radiotherapy', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_radiotherapy_subject', 'radiotherapy', ['subject'], unique=False)


def _radiotherapy_volume() -> None:
    op.create_table('radiotherapy_volume',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('volume', sa.Text(), nullable=True, comment='opaque key of the volume'),
        sa.Column('dose_cgy', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='physical dose delivered'),
        sa.Column('dose_text', sa.Text(), nullable=True, comment='dose value exactly as written'),
        sa.Column('dose_unit', sa.Text(), nullable=True, comment='dose unit as written'),
        sa.Column('fractions', sa.Integer(), nullable=True, comment='fractions delivered to this volume'),
        sa.Column('fraction_cgy', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='physical dose of one fraction, as stated'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_radiotherapy_volume_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_radiotherapy_volume_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Physical dose per irradiated volume'
    )
    op.create_index('ix_radiotherapy_volume_origin', 'radiotherapy_volume', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_radiotherapy_volume_subject', 'radiotherapy_volume', ['subject'], unique=False)


def _response_assessment() -> None:
    op.create_table('response_assessment',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('category', sa.Text(), nullable=False, comment='what is judged'),
        sa.Column('value', sa.Text(), nullable=False, comment='the judgement'),
        sa.Column('criteria', sa.Text(), nullable=False, comment='criteria named by the source'),
        sa.Column('date', sa.Text(), nullable=True, comment='day of the scan that is judged'),
        sa.Column('date_precision', sa.Text(), nullable=True, comment='day of the scan that is judged: precision'),
        sa.Column('date_written', sa.Text(), nullable=True, comment='day of the scan that is judged: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='last scan, when it took several days'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='last scan, when it took several days: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='last scan, when it took several days: as written, with its offset'),
        sa.Column('visit', sa.Text(), nullable=True, comment='visit as stated'),
        sa.Column('lesion', sa.Text(), nullable=True, comment='opaque key of the new lesion, if it is named'),
        sa.Column('evaluator', sa.Text(), nullable=False, comment='role of the reader'),
        sa.Column('performer', sa.Text(), nullable=True, comment='opaque key of the reader'),
        sa.CheckConstraint("category = 'overall' OR category = 'target' OR category = 'non_target' OR category = 'new_lesion' OR category = 'best_overall'", name='ck_response_assessment_category'),
        sa.CheckConstraint("criteria = 'RECIST 1.1' OR criteria = 'iRECIST' OR criteria = 'unstated'", name='ck_response_assessment_criteria'),
        sa.CheckConstraint("date_precision = 'year' OR date_precision = 'month' OR date_precision = 'day'", name='ck_response_assessment_date_precision'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_response_assessment_end_date_precision'),
        sa.CheckConstraint("evaluator = 'investigator' OR evaluator = 'central 1' OR evaluator = 'central 2' OR evaluator = 'adjudicator'", name='ck_response_assessment_evaluator'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_response_assessment_standing'),
        sa.CheckConstraint("value = 'CR' OR value = 'PR' OR value = 'SD' OR value = 'PD' OR value = 'NE' OR value = 'NON-CR/NON-PD' OR value = 'NED' OR value = 'iCR' OR value = 'iPR' OR value = 'iSD' OR value = 'iUPD' OR value = 'iCPD' OR value = 'NON-iCR/NON-iUPD' OR value = 'unequivocal' OR value = 'equivocal' OR value = 'none'", name='ck_response_assessment_value'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_response_assessment_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='responses as readers stated them'
    )
    op.create_index('ix_response_assessment_origin', 'response_assessment', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_response_assessment_subject', 'response_assessment', ['subject'], unique=False)


def _safety_report() -> None:
    op.create_table('safety_report',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('term', sa.Text(), nullable=True, comment='CTCAE term, if the term or code leads to one'),
        sa.Column('term_text', sa.Text(), nullable=False, comment='the term as the safety database has it'),
        sa.Column('onset', sa.Text(), nullable=True, comment='onset'),
        sa.Column('onset_precision', sa.Text(), nullable=True, comment='onset: precision'),
        sa.Column('onset_written', sa.Text(), nullable=True, comment='onset: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='end'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='end: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='end: as written, with its offset'),
        sa.Column('grade', sa.Integer(), nullable=True, comment='CTCAE grade 1 to 5'),
        sa.Column('serious', sa.Boolean(), nullable=True, comment='whether it is serious'),
        sa.Column('outcome', sa.Text(), nullable=True, comment='outcome'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_safety_report_end_date_precision'),
        sa.CheckConstraint("onset_precision = 'year' OR onset_precision = 'month' OR onset_precision = 'day'", name='ck_safety_report_onset_precision'),
        sa.CheckConstraint("outcome = 'resolved' OR outcome = 'recovering' OR outcome = 'ongoing' OR outcome = 'resolved_with_sequelae' OR outcome = 'fatal' OR outcome = 'unknown'", name='ck_safety_report_outcome'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_safety_report_standing'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_safety_report_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Serious adverse events of the safety database'
    )
    op.create_index('ix_safety_report_origin', 'safety_report', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_safety_report_subject', 'safety_report', ['subject'], unique=False)


def _tumor_assessment() -> None:
    op.create_table('tumor_assessment',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('visit', sa.Text(), nullable=True, comment='visit as stated by the source or sheet'),
        sa.Column('start_date', sa.Text(), nullable=True, comment='first scan'),
        sa.Column('start_date_precision', sa.Text(), nullable=True, comment='first scan: precision'),
        sa.Column('start_date_written', sa.Text(), nullable=True, comment='first scan: as written, with its offset'),
        sa.Column('end_date', sa.Text(), nullable=True, comment='last scan'),
        sa.Column('end_date_precision', sa.Text(), nullable=True, comment='last scan: precision'),
        sa.Column('end_date_written', sa.Text(), nullable=True, comment='last scan: as written, with its offset'),
        sa.Column('method', sa.Text(), nullable=True, comment='modality'),
        sa.Column('evaluator', sa.Text(), nullable=False, comment='role of the reader'),
        sa.Column('performer', sa.Text(), nullable=True, comment='opaque key of the reader'),
        sa.Column('stated_baseline', sa.Boolean(), nullable=False, comment='whether the source calls it the baseline'),
        sa.CheckConstraint("end_date_precision = 'year' OR end_date_precision = 'month' OR end_date_precision = 'day'", name='ck_tumor_assessment_end_date_precision'),
        sa.CheckConstraint("evaluator = 'investigator' OR evaluator = 'central 1' OR evaluator = 'central 2' OR evaluator = 'adjudicator'", name='ck_tumor_assessment_evaluator'),
        sa.CheckConstraint("method = 'CT' OR method = 'MRI' OR method = 'PET' OR method = 'X-ray' OR method = 'ultrasound' OR method = 'clinical' OR method = 'pathology' OR method = 'other'", name='ck_tumor_assessment_method'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_tumor_assessment_standing'),
        sa.CheckConstraint("start_date_precision = 'year' OR start_date_precision = 'month' OR start_date_precision = 'day'", name='ck_tumor_assessment_start_date_precision'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_tumor_assessment_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='tumour assessments'
    )
    op.create_index('ix_tumor_assessment_origin', 'tumor_assessment', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_tumor_assessment_subject', 'tumor_assessment', ['subject'], unique=False)


def _vital_sign() -> None:
    op.create_table('vital_sign',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('test', sa.Text(), nullable=False, comment='laboratory test or vital sign'),
        sa.Column('date', sa.Text(), nullable=True, comment='day of the sample'),
        sa.Column('date_precision', sa.Text(), nullable=True, comment='day of the sample: precision'),
        sa.Column('date_written', sa.Text(), nullable=True, comment='day of the sample: as written, with its offset'),
        sa.Column('time', sa.Text(), nullable=True, comment='time of day with offset, as written'),
        sa.Column('status', sa.Text(), nullable=False, comment='status of the record'),
        sa.Column('comparator', sa.Text(), nullable=True, comment='comparator as written'),
        sa.Column('value', sa.Numeric().with_variant(sa.Text(), "sqlite"), nullable=True, comment='value in the canonical unit'),
        sa.Column('unit', sa.Text(), nullable=True, comment='canonical unit (UCUM)'),
        sa.Column('value_text', sa.Text(), nullable=True, comment='value exactly as written'),
        sa.Column('unit_text', sa.Text(), nullable=True, comment='unit as written'),
        sa.CheckConstraint("comparator = '<' OR comparator = '<=' OR comparator = '>=' OR comparator = '>' OR comparator = 'ad'", name='ck_vital_sign_comparator'),
        sa.CheckConstraint("date_precision = 'year' OR date_precision = 'month' OR date_precision = 'day'", name='ck_vital_sign_date_precision'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_vital_sign_standing'),
        sa.CheckConstraint("status = 'registered' OR status = 'preliminary' OR status = 'final' OR status = 'amended' OR status = 'corrected' OR status = 'cancelled' OR status = 'unknown'", name='ck_vital_sign_status'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_vital_sign_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='vital signs'
    )
    op.create_index('ix_vital_sign_origin', 'vital_sign', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_vital_sign_subject', 'vital_sign', ['subject'], unique=False)


def _vital_status() -> None:
    op.create_table('vital_status',
        sa.Column('fact_key', sa.Text(), autoincrement=False, nullable=False, comment='128-bit hash of resource key, ordinal, domain, element path and index'),
        sa.Column('subject', sa.Text(), nullable=False, comment='trial number of the subject'),
        sa.Column('hospital', sa.Text(), nullable=False, comment='hospital that states it'),
        sa.Column('resource', sa.Text(), nullable=False, comment='opaque key of the record'),
        sa.Column('ordinal', sa.Integer(), nullable=False, comment='version of the record, counted by us from 1'),
        sa.Column('element', sa.Text(), nullable=False, comment='element path inside the record'),
        sa.Column('position', sa.Integer(), nullable=False, comment='tells facts of one element apart'),
        sa.Column('standing', sa.Text(), nullable=False, comment='what the fact counts for'),
        sa.Column('held_by', sa.Text(), nullable=True, comment='key of the open conflict that holds it, or of the decision that overrules it'),
        sa.Column('status', sa.Text(), nullable=False, comment='what the source states'),
        sa.Column('death', sa.Text(), nullable=True, comment='date of death, as precisely as stated'),
        sa.Column('death_precision', sa.Text(), nullable=True, comment='date of death, as precisely as stated: precision'),
        sa.Column('death_written', sa.Text(), nullable=True, comment='date of death, as precisely as stated: as written, with its offset'),
        sa.Column('statement', sa.Text(), nullable=False, comment='kind of statement'),
        sa.Column('cause', sa.Text(), nullable=True, comment='cause of death, if stated'),
        sa.CheckConstraint("cause = 'disease' OR cause = 'toxicity' OR cause = 'other' OR cause = 'unknown'", name='ck_vital_status_cause'),
        sa.CheckConstraint("death_precision = 'year' OR death_precision = 'month' OR death_precision = 'day'", name='ck_vital_status_death_precision'),
        sa.CheckConstraint("standing = 'current' OR standing = 'held' OR standing = 'overruled' OR standing = 'superseded' OR standing = 'retracted'", name='ck_vital_status_standing'),
        sa.CheckConstraint("statement = 'deceased_date' OR statement = 'deceased_flag' OR statement = 'sheet' OR statement = 'adverse_event' OR statement = 'performance_status'", name='ck_vital_status_statement'),
        sa.CheckConstraint("status = 'alive' OR status = 'dead'", name='ck_vital_status_status'),
        sa.ForeignKeyConstraint(['resource', 'ordinal'], ['origin.resource', 'origin.ordinal'], name='fk_vital_status_origin'),
        sa.PrimaryKeyConstraint('fact_key'),
    comment='Whether and when a subject died'
    )
    op.create_index('ix_vital_status_origin', 'vital_status', ['resource', 'ordinal'], unique=False)
    op.create_index('ix_vital_status_subject', 'vital_status', ['subject'], unique=False)


def upgrade() -> None:
    """Makes the tables."""
    _ae_episode()
    _alive_evidence()
    _arm()
    _assessment_compliance()
    _audit_entry()
    _baseline()
    _best_response()
    _completeness()
    _conflict()
    _conflict_item()
    _cursor()
    _cut()
    _decision()
    _dependency()
    _doubt()
    _exposure()
    _fact_origin()
    _fence()
    _immune_best_response()
    _immune_time_point()
    _impact()
    _lab_toxicity()
    _origin()
    _outlook()
    _placement()
    _planned_assessment()
    _population()
    _problem()
    _run()
    _sensitivity()
    _site()
    _subject()
    _time_point()
    _time_to_event()
    _touched()
    _treatment()
    _worklist()
    _adverse_event()
    _ae_action()
    _ae_causality()
    _ae_seriousness()
    _anticancer_therapy()
    _biomarker()
    _demographic()
    _deviation()
    _diagnosis()
    _disposition()
    _drug_administration()
    _hospital_stay()
    _lab_result()
    _lesion()
    _lesion_measurement()
    _medical_history()
    _medication()
    _performance_status()
    _procedure()
    _radiotherapy()
    _radiotherapy_volume()
    _response_assessment()
    _safety_report()
    _tumor_assessment()
    _vital_sign()
    _vital_status()


_TABLES = (
    "vital_status",
    "vital_sign",
    "tumor_assessment",
    "safety_report",
    "response_assessment",
    "radiotherapy_volume",
    "radiotherapy",
    "procedure",
    "performance_status",
    "medication",
    "medical_history",
    "lesion_measurement",
    "lesion",
    "lab_result",
    "hospital_stay",
    "drug_administration",
    "disposition",
    "diagnosis",
    "deviation",
    "demographic",
    "biomarker",
    "anticancer_therapy",
    "ae_seriousness",
    "ae_causality",
    "ae_action",
    "adverse_event",
    "worklist",
    "treatment",
    "touched",
    "time_to_event",
    "time_point",
    "subject",
    "site",
    "sensitivity",
    "run",
    "problem",
    "population",
    "planned_assessment",
    "placement",
    "outlook",
    "origin",
    "lab_toxicity",
    "impact",
    "immune_time_point",
    "immune_best_response",
    "fence",
    "fact_origin",
    "exposure",
    "doubt",
    "dependency",
    "decision",
    "cut",
    "cursor",
    "conflict_item",
    "conflict",
    "completeness",
    "best_response",
    "baseline",
    "audit_entry",
    "assessment_compliance",
    "arm",
    "alive_evidence",
    "ae_episode",
)


def downgrade() -> None:
    """Drops the tables, the dependent ones first."""
    for table in _TABLES:
        op.drop_table(table)
