-- What Hookgate needs in a database: the table of claims, the table that the
-- handler postgres writes events to, its inbox, and two roles that may do no
-- more than is needed: hookgate_edge for the edge, hookgate_consumer for what
-- processes the events. It may be run again, and changes nothing that is there:
--
--   psql -v ON_ERROR_STOP=1 -d app -f schema.sql
--
-- The roles have no password yet:
--
--   psql -d app -c '\password hookgate_edge'
--   psql -d app -c '\password hookgate_consumer'
--
-- and the Caddyfile says, with all of the DSN or its password in a placeholder:
--
--   store redis <url> {
--     fallback postgres {env.HOOKGATE_POSTGRES}
--   }
--
-- and for the handler:
--
--   postgres {env.HOOKGATE_DSN} hookgate.events
--
-- The claims alone are also made by: hookgate store migrate
--
-- Another table will do if it has the columns below and an inbox in its schema.
-- What else it has, such as constraints and triggers, is part of the same
-- transaction: an event that a constraint refuses is a dead letter at once.

begin;

create schema if not exists hookgate;

-- Which steps of "hookgate store migrate" were made.
create table if not exists hookgate.schema_version (
  version    int primary key,
  applied_at timestamptz not null default now()
);

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
insert into hookgate.schema_version (version) values (1) on conflict do nothing;

-- Which events were processed. A row is written together with the event, and
-- deleted after 30 days.
create table if not exists hookgate.hookgate_inbox (
  key          text primary key,     -- hook, a digest of the event ID, and the replay
  fingerprint  bytea not null check (octet_length(fingerprint) = 32),
  processed_at timestamptz not null default now()
);
create index if not exists hookgate_inbox_processed_at on hookgate.hookgate_inbox (processed_at);

-- The events. A replay from the dead letters is a row of its own.
create table if not exists hookgate.events (
  event_id    text not null,         -- the idempotency key
  hook        text not null,         -- the name of the hook that took it
  received_at timestamptz,           -- when the edge got it; null where nobody knows
  body        jsonb not null,        -- as jsonb keeps it: without spaces, keys in another order
  fingerprint bytea not null,        -- SHA-256 that tells this body from another under the same ID
  replay      int not null,          -- how often it was sent again from the dead letters
  attempt     int not null           -- failed attempts before this one
);
create index if not exists events_event_id on hookgate.events (event_id, hook);

do $$
begin
  create role hookgate_edge login;
exception when duplicate_object then
  null; -- roles belong to all databases of a server
end
$$;
do $$
begin
  create role hookgate_consumer login;
exception when duplicate_object then
  null;
end
$$;
grant usage on schema hookgate to hookgate_edge;
grant select, insert, update, delete on hookgate.claims to hookgate_edge;

grant usage on schema hookgate to hookgate_consumer;
grant select, insert, delete on hookgate.hookgate_inbox to hookgate_consumer;
grant insert on hookgate.events to hookgate_consumer;
-- For "inbox postgres", which is for other handlers. The handler postgres does
-- without.
grant select, insert, update, delete on hookgate.claims to hookgate_consumer;

commit;
