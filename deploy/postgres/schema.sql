-- What the handler postgres needs in a database: the table that events go to,
-- its inbox, and a role that may do no more than the handler does. It may be
-- run again, and changes nothing that is there:
--
--   psql -v ON_ERROR_STOP=1 -d app -f schema.sql
--
-- The role has no password yet:
--
--   psql -d app -c '\password hookgate_consumer'
--
-- and the Caddyfile says, with all of the DSN or its password in a placeholder:
--
--   postgres {env.HOOKGATE_DSN} hookgate.events
--
-- Another table will do if it has the columns below and an inbox in its schema.
-- What else it has, such as constraints and triggers, is part of the same
-- transaction: an event that a constraint refuses is a dead letter at once.

begin;

create schema if not exists hookgate;

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
  create role hookgate_consumer login;
exception when duplicate_object then
  null; -- roles belong to all databases of a server
end
$$;
grant usage on schema hookgate to hookgate_consumer;
grant select, insert, delete on hookgate.hookgate_inbox to hookgate_consumer;
grant insert on hookgate.events to hookgate_consumer;

commit;
