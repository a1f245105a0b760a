-- The append-only log: the one thing that is true; every other table is a function of it.
create schema ledger;

-- milliseconds since 1970 as a timestamp; NULL where no calendar holds it
create macro ledger.moment(ms) as
case when ms between -62135596800000 and 253402300799999 then make_timestamp(ms * 1000) end;

create table ledger.log (
    seq         BIGINT NOT NULL,
    entry       VARCHAR,
    leaf        BLOB NOT NULL,
    recorded_at TIMESTAMP,
    source      VARCHAR,
    kind        VARCHAR,
    op          VARCHAR,
    subject     VARCHAR,
    registry    VARCHAR,
    workspace   VARCHAR,
    model       VARCHAR,
    version     BIGINT,
    observed_at TIMESTAMP,
    valid_at    TIMESTAMP,
    created_at  TIMESTAMP,
    changed_at  TIMESTAMP,
    actor       VARCHAR,
    grade       VARCHAR,
    fingerprint VARCHAR,
    secrets     VARCHAR,
    journal     BIGINT
);

create table ledger.format (
    version         INTEGER NOT NULL,
    storage_version VARCHAR NOT NULL,
    written_by      VARCHAR NOT NULL
);

create table ledger.heads (
    subject     VARCHAR NOT NULL,
    kind        VARCHAR NOT NULL,
    registry    VARCHAR,
    workspace   VARCHAR,
    model       VARCHAR,
    seq         BIGINT NOT NULL,
    op          VARCHAR NOT NULL,
    observed_at TIMESTAMP,
    fingerprint VARCHAR,
    secrets     VARCHAR
);

create table ledger.fingerprints (
    seq         BIGINT NOT NULL,
    fingerprint VARCHAR NOT NULL
);

create table ledger.recorded (
    registry VARCHAR,
    begins   TIMESTAMP,
    ends     TIMESTAMP
);

create table ledger.frontier (
    size   BIGINT NOT NULL,
    height INTEGER NOT NULL,
    hash   BLOB NOT NULL
);
