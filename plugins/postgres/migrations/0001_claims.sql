create schema if not exists hookgate;

-- Who holds which key, and which are committed. A row is some 320 bytes, with
-- its part of the indexes.
create table if not exists hookgate.claims (
  key          text primary key,     -- hook, and a digest of the event ID: no personal data
  token        bytea,                -- of the attempt that holds it; null when committed
  fingerprint  bytea not null check (octet_length(fingerprint) = 32),
  expires_at   timestamptz not null, -- the end of the lease, or of the time that it is remembered
  committed_at timestamptz           -- null while it is pending
) with (autovacuum_vacuum_scale_factor = 0.05);
create index if not exists claims_expires_at on hookgate.claims (expires_at);
create index if not exists claims_committed_at on hookgate.claims (committed_at, key) where committed_at is not null;
