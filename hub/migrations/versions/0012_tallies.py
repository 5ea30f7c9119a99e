"""What is counted over all history, written in the commit of what it counts and folded now and then; indexes of what is open now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

KINDS = (("order", "orders"), ("signup", "signups"), ("release", "releases"))
INFINITY = sa.text("'Infinity'")
LABELS = postgresql.ARRAY(sa.Text())
OPEN = sa.text("state IN ('intended', 'pending', 'unknown')")
STUCK = sa.text("state IN ('failed', 'quarantined')")
ATTENTION = sa.text("attention IS NOT NULL")

# The upper bounds of `hub.tallies.BOUNDS`: the smallest one that is not below the value, or infinity.
BUCKET = """
CREATE FUNCTION bucket_of_seconds(seconds numeric) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(
        (SELECT min(bound) FROM unnest('{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800}'::numeric[]) bound
         WHERE seconds <= bound)::double precision,
        'Infinity'
    )
$$
"""
# One folds at a time, so two folds never wait for each other in a ring; who finds somebody at it leaves it to the next thousandth.
FOLD = """
CREATE FUNCTION fold_tallies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_try_advisory_xact_lock(7205502) THEN
        WITH taken AS (DELETE FROM tally_entries RETURNING name, labels, le, value)
        INSERT INTO tallies AS kept (name, labels, le, count, total)
        SELECT name, labels, le, count(*), sum(value) FROM taken GROUP BY name, labels, le
        ON CONFLICT (name, labels, le) DO UPDATE SET count = kept.count + excluded.count, total = kept.total + excluded.total;
    END IF;
    RETURN NULL;
END
$$
"""
# A call counts when it ends, with what was known of it then; that a lost one is found later changes nothing.
ATTEMPT = """
CREATE FUNCTION tally_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    effect record;
    seconds numeric := extract(epoch FROM coalesce(NEW.ended_at, clock_timestamp()) - NEW.started_at);
BEGIN
    SELECT provider, action INTO effect FROM effects WHERE key = NEW.effect_key;
    INSERT INTO tally_entries (name, labels, value, le)
    VALUES ('call', ARRAY[effect.provider, effect.action, NEW.kind, NEW.outcome], seconds, bucket_of_seconds(seconds));
    IF NEW.kind = 'call' AND EXISTS (SELECT FROM attempts WHERE effect_key = NEW.effect_key AND kind = 'call' AND id < NEW.id) THEN
        INSERT INTO tally_entries (name, labels, value) VALUES ('retry', ARRAY[effect.provider, effect.action], 1);
    END IF;
    RETURN NULL;
END
$$
"""
NOTICE = """
CREATE FUNCTION tally_notice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    seconds numeric := extract(epoch FROM coalesce(NEW.handled_at, clock_timestamp()) - NEW.received_at);
BEGIN
    INSERT INTO tally_entries (name, labels, value, le)
    VALUES ('notice', ARRAY[NEW.provider, NEW.state], seconds, bucket_of_seconds(seconds));
    RETURN NULL;
END
$$
"""
SUBJECT = """
CREATE FUNCTION tally_subject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO tally_entries (name, labels, value) VALUES ('subject', ARRAY[TG_ARGV[0], OLD.status], -1);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO tally_entries (name, labels, value) VALUES ('subject', ARRAY[TG_ARGV[0], NEW.status], 1);
    END IF;
    RETURN NULL;
END
$$
"""
AUDIT = """
CREATE FUNCTION tally_payment_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally_entries (name, labels, value) VALUES ('audit', ARRAY[NEW.operation, NEW.currency], NEW.amount);
    RETURN NULL;
END
$$
"""
ENDED = "NEW.state IN ('handled', 'not_for_us', 'quarantined', 'failed')"
TRIGGERS = (
    (
        "CREATE TRIGGER entries_are_folded AFTER INSERT ON tally_entries FOR EACH ROW WHEN (NEW.id % 1000 = 0) "
        "EXECUTE FUNCTION fold_tallies()"
    ),
    (
        "CREATE TRIGGER attempts_are_tallied AFTER INSERT ON attempts FOR EACH ROW WHEN (NEW.outcome IS NOT NULL) "
        "EXECUTE FUNCTION tally_attempt()"
    ),
    (
        "CREATE TRIGGER ends_are_tallied AFTER UPDATE OF outcome ON attempts FOR EACH ROW "
        "WHEN (OLD.outcome IS NULL AND NEW.outcome IS NOT NULL) EXECUTE FUNCTION tally_attempt()"
    ),
    f"CREATE TRIGGER notices_are_tallied AFTER INSERT ON notices FOR EACH ROW WHEN ({ENDED}) EXECUTE FUNCTION tally_notice()",
    (
        "CREATE TRIGGER ends_are_tallied AFTER UPDATE OF state ON notices FOR EACH ROW "
        f"WHEN ({ENDED} AND NEW.state <> OLD.state) EXECUTE FUNCTION tally_notice()"
    ),
    "CREATE TRIGGER audit_is_tallied AFTER INSERT ON payment_audit FOR EACH ROW EXECUTE FUNCTION tally_payment_audit()",
)
HISTORY = (
    """
    INSERT INTO tally_entries (name, labels, value, le)
    SELECT 'call', ARRAY[e.provider, e.action, a.kind, a.outcome], seconds, bucket_of_seconds(seconds)
    FROM attempts a JOIN effects e ON e.key = a.effect_key, LATERAL extract(epoch FROM a.ended_at - a.started_at) seconds
    WHERE a.outcome IS NOT NULL
    """,
    """
    INSERT INTO tally_entries (name, labels, value)
    SELECT 'retry', ARRAY[e.provider, e.action], 1
    FROM (SELECT *, row_number() OVER (PARTITION BY effect_key ORDER BY id) AS nth FROM attempts WHERE kind = 'call') a
    JOIN effects e ON e.key = a.effect_key WHERE a.nth > 1 AND a.outcome IS NOT NULL
    """,
    f"""
    INSERT INTO tally_entries (name, labels, value, le)
    SELECT 'notice', ARRAY[provider, state], seconds, bucket_of_seconds(seconds)
    FROM notices AS NEW, LATERAL extract(epoch FROM coalesce(handled_at, received_at) - received_at) seconds WHERE {ENDED}
    """,  # noqa: S608 - the states stand above
    "INSERT INTO tally_entries (name, labels, value) SELECT 'audit', ARRAY[operation, currency], amount FROM payment_audit",
    *(
        f"INSERT INTO tally_entries (name, labels, value) SELECT 'subject', ARRAY['{kind}', status], 1 FROM {table}"  # noqa: S608 - ours
        for kind, table in KINDS
    ),
)


def upgrade() -> None:
    op.create_table(
        "tally_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", LABELS, nullable=False),
        sa.Column("value", sa.Numeric(), nullable=False),
        sa.Column("le", sa.Double(), server_default=INFINITY, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tallies",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", LABELS, nullable=False),
        sa.Column("le", sa.Double(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", "le"),
    )
    op.create_table(
        "payment_audit_check",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("broken", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("effects_open", "effects", ["provider"], postgresql_where=OPEN)
    op.create_index("notices_stuck", "notices", ["id"], postgresql_where=STUCK)
    for statement in (BUCKET, FOLD, ATTEMPT, NOTICE, SUBJECT, AUDIT, *TRIGGERS, *HISTORY):
        op.execute(statement)
    for kind, table in KINDS:
        op.create_index(f"{table}_attention", table, ["progressed_at"], postgresql_where=ATTENTION)
        op.execute(
            f"CREATE TRIGGER comings_are_tallied AFTER INSERT OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION tally_subject('{kind}')"
        )
        op.execute(
            f"CREATE TRIGGER moves_are_tallied AFTER UPDATE OF status ON {table} FOR EACH ROW WHEN (NEW.status <> OLD.status) "
            f"EXECUTE FUNCTION tally_subject('{kind}')"
        )
