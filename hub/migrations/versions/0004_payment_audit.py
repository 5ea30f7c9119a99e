"""The payment audit log: one entry per payment operation, append-only, hash-chained per subject, written by the database itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The digest covers everything an entry says and the digest before it. ``hub.audit`` computes the same text.
APPEND = """
CREATE FUNCTION append_payment_audit(
    the_kind text, the_id text, the_operation text, the_amount bigint, the_currency text, the_correlation_id text, the_request_id text,
    the_reference text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before record;
    entry text;
    moment timestamptz := clock_timestamp();
BEGIN
    SELECT number, digest INTO before FROM payment_audit
    WHERE subject_kind = the_kind AND subject_id = the_id ORDER BY number DESC LIMIT 1;
    entry := concat_ws(
        '|', coalesce(before.digest, ''), the_kind, the_id, coalesce(before.number, 0) + 1, the_operation, the_amount, the_currency,
        the_correlation_id, coalesce(the_request_id, ''), coalesce(the_reference, ''),
        to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
    );
    INSERT INTO payment_audit (
        subject_kind, subject_id, number, operation, amount, currency, correlation_id, provider_request_id, reference, at, digest
    ) VALUES (
        the_kind, the_id, coalesce(before.number, 0) + 1, the_operation, the_amount, the_currency, the_correlation_id, the_request_id,
        the_reference, moment, encode(sha256(convert_to(entry, 'UTF8')), 'hex')
    );
END
$$
"""
# Every subject's row is locked by whoever asks a provider or records a fact, so a chain never forks; the primary key would refuse it.
ATTEMPTED = """
CREATE FUNCTION audit_payment_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    what record;
BEGIN
    SELECT * INTO what FROM effects WHERE key = NEW.effect_key;
    IF split_part(what.step, '.', 1) IN ('payment', 'refund', 'late-refund') THEN
        PERFORM append_payment_audit(
            what.subject_kind, what.subject_id, CASE WHEN what.step LIKE 'payment%' THEN 'charge attempted' ELSE 'refund attempted' END,
            (what.request->>'amount')::bigint, what.request->>'currency', coalesce(what.request->'metadata'->>'correlation_id', ''),
            NULL, what.key
        );
    END IF;
    RETURN NULL;
END
$$
"""
SETTLED = """
CREATE FUNCTION audit_payment_fact() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    named jsonb := '{"payment settled": "charged", "payment failed": "refused", "payment canceled": "canceled",
        "refund pending": "refund pending", "refund settled": "refunded", "refund failed": "refund failed",
        "refunded in all": "refunded in all", "dispute opened": "disputed", "dispute closed": "dispute closed"}';
    subject jsonb;
    latest record;
    steps text[] := CASE WHEN NEW.kind LIKE 'refund%' THEN ARRAY['refund', 'late-refund'] ELSE ARRAY['payment'] END;
BEGIN
    IF NOT named ? NEW.kind THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT to_jsonb(s) FROM %I s WHERE id = $1', NEW.subject_kind || 's') INTO subject USING NEW.subject_id;
    SELECT a.provider_request_id INTO latest FROM effects e JOIN attempts a ON a.effect_key = e.key
    WHERE e.subject_kind = NEW.subject_kind AND e.subject_id = NEW.subject_id AND split_part(e.step, '.', 1) = ANY (steps)
    ORDER BY a.id DESC LIMIT 1;
    PERFORM append_payment_audit(
        NEW.subject_kind, NEW.subject_id, named->>NEW.kind, coalesce((NEW.data->>'amount')::bigint, (subject->>'amount')::bigint, 0),
        coalesce(NEW.data->>'currency', subject->>'currency', ''), coalesce(subject->>'correlation_id', ''),
        CASE WHEN NEW.source = 'webhook' THEN NULL ELSE latest.provider_request_id END,
        coalesce(NEW.data->>'refund_id', NEW.data->>'dispute_id', NEW.data->>'charge_id', NEW.data->>'payment_id')
    );
    RETURN NULL;
END
$$
"""
REFUSE = """
CREATE FUNCTION refuse_to_change_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the payment audit log is append-only';
END
$$
"""
TRIGGERS = (
    (
        "CREATE TRIGGER attempts_are_audited AFTER INSERT ON attempts FOR EACH ROW WHEN (NEW.kind = 'call') "
        "EXECUTE FUNCTION audit_payment_attempt()"
    ),
    "CREATE TRIGGER facts_are_audited AFTER INSERT ON facts FOR EACH ROW EXECUTE FUNCTION audit_payment_fact()",
    "CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON payment_audit FOR EACH ROW EXECUTE FUNCTION refuse_to_change_audit()",
    "CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON payment_audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit()",
)


def upgrade() -> None:
    op.create_table(
        "payment_audit",
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("provider_request_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subject_kind", "subject_id", "number"),
    )
    for statement in (APPEND, ATTEMPTED, SETTLED, REFUSE, *TRIGGERS):
        op.execute(statement)
