-- The lake at s3://acme-lake/finoos for Snowflake, printed by `syncer sql`: for what programs of schema 2 have written.
-- Tables that COPY INTO loads. Snowflake remembers for 64 days which files it has loaded: run the
-- COPY statements after each run of syncer, in this order, and each row comes once. Columns that a
-- later version adds come by themselves, to whoever has the privilege EVOLVE SCHEMA.
-- Put the name of your storage integration for SYNCER_INTEGRATION.

CREATE SCHEMA IF NOT EXISTS finoos;

-- Instants in the files are UTC; so they are read right whatever the account's time zone is.
ALTER SESSION SET TIMEZONE = 'UTC';

-- Without NULL_IF = () a text that reads \N would be loaded as null.
CREATE OR REPLACE FILE FORMAT finoos.syncer_parquet
  TYPE = PARQUET USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE BINARY_AS_TEXT = FALSE NULL_IF = ();

CREATE STAGE IF NOT EXISTS finoos.syncer_lake
  URL = 's3://acme-lake/finoos/'
  STORAGE_INTEGRATION = SYNCER_INTEGRATION;

CREATE TABLE IF NOT EXISTS finoos.pulls (
  user_id VARCHAR,
  stream VARCHAR,
  outcome VARCHAR,
  mode VARCHAR,
  previous_correlation_id VARCHAR,
  "ROWS" NUMBER(19,0),
  deletes NUMBER(19,0),
  requests NUMBER(19,0),
  bytes NUMBER(19,0),
  duration_ms NUMBER(19,0),
  error_class VARCHAR,
  error VARCHAR,
  issues VARCHAR,
  _op VARCHAR,
  _pull VARCHAR,
  _correlation_id VARCHAR,
  _correlation_at TIMESTAMP_LTZ(6),
  _extracted_at TIMESTAMP_LTZ(6),
  _run_id VARCHAR,
  _extra VARCHAR
)
ENABLE_SCHEMA_EVOLUTION = TRUE;

COPY INTO finoos.pulls
  FROM @finoos.syncer_lake/pulls/
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'finoos.syncer_parquet')
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;

CREATE TABLE IF NOT EXISTS finoos.users (
  user_id VARCHAR,
  custom_user_id VARCHAR,
  "NAME" VARCHAR,
  "TYPE" VARCHAR,
  tenant VARCHAR,
  created_at TIMESTAMP_LTZ(6),
  duplicates ARRAY,
  user_scopes ARRAY,
  first_seen_at TIMESTAMP_LTZ(6),
  last_seen_at TIMESTAMP_LTZ(6),
  _op VARCHAR,
  _pull VARCHAR,
  _correlation_id VARCHAR,
  _correlation_at TIMESTAMP_LTZ(6),
  _extracted_at TIMESTAMP_LTZ(6),
  _run_id VARCHAR,
  _extra VARCHAR
)
ENABLE_SCHEMA_EVOLUTION = TRUE;

COPY INTO finoos.users
  FROM @finoos.syncer_lake/users/
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'finoos.syncer_parquet')
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;

CREATE TABLE IF NOT EXISTS finoos.sync_sessions (
  user_id VARCHAR,
  bank_login_id VARCHAR,
  outcome VARCHAR,
  http_status NUMBER(10,0),
  error_type VARCHAR,
  message VARCHAR,
  session_id VARCHAR,
  redirect_url VARCHAR,
  requested_at TIMESTAMP_LTZ(6),
  finished_at TIMESTAMP_LTZ(6),
  analysis_correlation_id VARCHAR,
  _op VARCHAR,
  _pull VARCHAR,
  _correlation_id VARCHAR,
  _correlation_at TIMESTAMP_LTZ(6),
  _extracted_at TIMESTAMP_LTZ(6),
  _run_id VARCHAR,
  _extra VARCHAR
)
ENABLE_SCHEMA_EVOLUTION = TRUE;

COPY INTO finoos.sync_sessions
  FROM @finoos.syncer_lake/sync_sessions/
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'finoos.syncer_parquet')
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;

CREATE TABLE IF NOT EXISTS finoos.bank_logins (
  user_id VARCHAR,
  bank_login_id VARCHAR,
  status VARCHAR,
  active BOOLEAN,
  last_synchronization TIMESTAMP_LTZ(6),
  _op VARCHAR,
  _pull VARCHAR,
  _correlation_id VARCHAR,
  _correlation_at TIMESTAMP_LTZ(6),
  _extracted_at TIMESTAMP_LTZ(6),
  _run_id VARCHAR,
  _extra VARCHAR
)
ENABLE_SCHEMA_EVOLUTION = TRUE;

COPY INTO finoos.bank_logins
  FROM @finoos.syncer_lake/bank_logins/
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'finoos.syncer_parquet')
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;

CREATE TABLE IF NOT EXISTS finoos.accounts (
  user_id VARCHAR,
  account_id VARCHAR,
  account_number VARCHAR,
  "NAME" VARCHAR,
  "OWNER" VARCHAR,
  "TYPE" VARCHAR,
  iban VARCHAR,
  bic VARCHAR,
  bank_code VARCHAR,
  bank_name VARCHAR,
  currency VARCHAR,
  balance NUMBER(18,4),
  status VARCHAR,
  bank_login_id VARCHAR,
  _op VARCHAR,
  _pull VARCHAR,
  _correlation_id VARCHAR,
  _correlation_at TIMESTAMP_LTZ(6),
  _extracted_at TIMESTAMP_LTZ(6),
  _run_id VARCHAR,
  _extra VARCHAR
)
ENABLE_SCHEMA_EVOLUTION = TRUE;

COPY INTO finoos.accounts
  FROM @finoos.syncer_lake/accounts/
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'finoos.syncer_parquet')
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;

CREATE TABLE IF NOT EXISTS finoos.transactions (
  user_id VARCHAR,
  account_id VARCHAR,
  transaction_id VARCHAR,
  amount NUMBER(18,4),
  currency VARCHAR,
  booking_date DATE,
  value_date DATE,
  booking_text VARCHAR,
  purpose VARCHAR,
  merchant_category_code VARCHAR,
  partner_name VARCHAR,
  partner_iban VARCHAR,
  partner_bic VARCHAR,
  partner_creditor_id VARCHAR,
  partner_mandate_reference VARCHAR,
  tags ARRAY,
  _op VARCHAR,
  _pull VARCHAR,
  _correlation_id VARCHAR,
  _correlation_at TIMESTAMP_LTZ(6),
  _extracted_at TIMESTAMP_LTZ(6),
  _run_id VARCHAR,
  _extra VARCHAR
)
ENABLE_SCHEMA_EVOLUTION = TRUE;

COPY INTO finoos.transactions
  FROM @finoos.syncer_lake/transactions/
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'finoos.syncer_parquet')
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;

CREATE TABLE IF NOT EXISTS finoos.categorization (
  user_id VARCHAR,
  account_id VARCHAR,
  transaction_id VARCHAR,
  "TAG" VARCHAR,
  _op VARCHAR,
  _pull VARCHAR,
  _correlation_id VARCHAR,
  _correlation_at TIMESTAMP_LTZ(6),
  _extracted_at TIMESTAMP_LTZ(6),
  _run_id VARCHAR,
  _extra VARCHAR
)
ENABLE_SCHEMA_EVOLUTION = TRUE;

COPY INTO finoos.categorization
  FROM @finoos.syncer_lake/categorization/
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'finoos.syncer_parquet')
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;

CREATE TABLE IF NOT EXISTS finoos.contracts (
  user_id VARCHAR,
  contract_id VARCHAR,
  partner_id VARCHAR,
  partner_name VARCHAR,
  amount NUMBER(18,4),
  amount_consistency VARCHAR,
  "INTERVAL" VARCHAR,
  duration VARCHAR,
  category VARCHAR,
  tags ARRAY,
  next_booking_date DATE,
  next_booking_from DATE,
  next_booking_to DATE,
  mandate_reference VARCHAR,
  is_active BOOLEAN,
  transaction_ids ARRAY,
  partner VARCHAR,
  attributes VARCHAR,
  _op VARCHAR,
  _pull VARCHAR,
  _correlation_id VARCHAR,
  _correlation_at TIMESTAMP_LTZ(6),
  _extracted_at TIMESTAMP_LTZ(6),
  _run_id VARCHAR,
  _extra VARCHAR
)
ENABLE_SCHEMA_EVOLUTION = TRUE;

COPY INTO finoos.contracts
  FROM @finoos.syncer_lake/contracts/
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'finoos.syncer_parquet')
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;

CREATE TABLE IF NOT EXISTS finoos.account_history (
  user_id VARCHAR,
  account_id VARCHAR,
  currency VARCHAR,
  "DATE" DATE,
  balance NUMBER(18,4),
  _op VARCHAR,
  _pull VARCHAR,
  _correlation_id VARCHAR,
  _correlation_at TIMESTAMP_LTZ(6),
  _extracted_at TIMESTAMP_LTZ(6),
  _run_id VARCHAR,
  _extra VARCHAR
)
ENABLE_SCHEMA_EVOLUTION = TRUE;

COPY INTO finoos.account_history
  FROM @finoos.syncer_lake/account_history/
  PATTERN = '.*[.]parquet'
  FILE_FORMAT = (FORMAT_NAME = 'finoos.syncer_parquet')
  MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE;

-- A full pull replaces all that was known of a user and stream: from one to the next is a span.
-- The first span of a user is what came before the first full pull.
CREATE OR REPLACE VIEW finoos.full_pull_spans AS
SELECT stream, user_id, _extracted_at AS span_from,
  COALESCE(LEAD(_extracted_at) OVER (PARTITION BY stream, user_id ORDER BY _extracted_at), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)) AS span_to
FROM finoos.pulls
WHERE outcome = 'pulled' AND mode = 'full'
UNION ALL
SELECT stream, user_id, CAST('1970-01-01 00:00:00 +0000' AS TIMESTAMP_LTZ) AS span_from, MIN(_extracted_at) AS span_to
FROM finoos.pulls
WHERE outcome = 'pulled' AND mode = 'full'
GROUP BY stream, user_id;

-- When a user that was deleted at least once was there: until the first delete, and from each
-- return to the next delete. Users that were never deleted are not listed.
CREATE OR REPLACE VIEW finoos.user_spans AS
SELECT user_id, changed_at AS span_from, span_to
FROM (
  SELECT user_id, _op, changed_at,
    COALESCE(LEAD(changed_at) OVER (PARTITION BY user_id ORDER BY changed_at), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)) AS span_to
  FROM (
    SELECT user_id, _op, _extracted_at AS changed_at,
      LAG(_op) OVER (PARTITION BY user_id ORDER BY _extracted_at) AS op_before
    FROM finoos.users
  ) steps
  WHERE _op <> COALESCE(op_before, 'upsert')
) switches
WHERE _op = 'upsert'
UNION ALL
SELECT user_id, CAST('1970-01-01 00:00:00 +0000' AS TIMESTAMP_LTZ) AS span_from, MIN(_extracted_at) AS span_to
FROM finoos.users
WHERE _op = 'delete'
GROUP BY user_id;

-- Users that are deleted as of now.
CREATE OR REPLACE VIEW finoos.gone_users AS
SELECT user_id
FROM (
  SELECT user_id, _op, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY _extracted_at DESC) AS nth
  FROM finoos.users
) newest
WHERE nth = 1 AND _op = 'delete';

-- The current state of users: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_users AS
SELECT user_id, custom_user_id, "NAME", "TYPE", tenant, created_at, duplicates, user_scopes, first_seen_at,
  last_seen_at, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.users r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'users' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete';

-- The current state of bank_logins: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_bank_logins AS
SELECT user_id, bank_login_id, status, active, last_synchronization, _op, _pull, _correlation_id, _correlation_at,
  _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.bank_login_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.bank_logins r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'bank_logins' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- The current state of accounts: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_accounts AS
SELECT user_id, account_id, account_number, "NAME", "OWNER", "TYPE", iban, bic, bank_code, bank_name, currency,
  balance, status, bank_login_id, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.accounts r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'accounts' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- The current state of transactions: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_transactions AS
SELECT user_id, account_id, transaction_id, amount, currency, booking_date, value_date, booking_text, purpose,
  merchant_category_code, partner_name, partner_iban, partner_bic, partner_creditor_id,
  partner_mandate_reference, tags, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id,
  _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.transactions r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'transactions' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- The current state of categorization: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_categorization AS
SELECT user_id, account_id, transaction_id, "TAG", _op, _pull, _correlation_id, _correlation_at, _extracted_at,
  _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id, r."TAG" ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.categorization r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'categorization' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- The current state of contracts: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_contracts AS
SELECT user_id, contract_id, partner_id, partner_name, amount, amount_consistency, "INTERVAL", duration, category,
  tags, next_booking_date, next_booking_from, next_booking_to, mandate_reference, is_active, transaction_ids,
  partner, attributes, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.contract_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.contracts r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'contracts' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- The current state of account_history: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_account_history AS
SELECT user_id, account_id, currency, "DATE", balance, _op, _pull, _correlation_id, _correlation_at, _extracted_at,
  _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.currency, r."DATE" ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.account_history r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'account_history' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_users was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_users AS
SELECT v.user_id, v.custom_user_id, v."NAME", v."TYPE", v.tenant, v.created_at, v.duplicates, v.user_scopes,
  v.first_seen_at, v.last_seen_at, v._op, v._pull, v._correlation_id, v._correlation_at, v._extracted_at,
  v._run_id, v._extra,
  v._extracted_at AS valid_from, NULLIF(v.ends_at, CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ))) AS ends_at
  FROM finoos.users r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'users' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
WHERE v._op <> 'delete';

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_bank_logins was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_bank_logins AS
SELECT v.user_id, v.bank_login_id, v.status, v.active, v.last_synchronization, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.bank_login_id ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ))) AS ends_at
  FROM finoos.bank_logins r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'bank_logins' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_accounts was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_accounts AS
SELECT v.user_id, v.account_id, v.account_number, v."NAME", v."OWNER", v."TYPE", v.iban, v.bic, v.bank_code,
  v.bank_name, v.currency, v.balance, v.status, v.bank_login_id, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ))) AS ends_at
  FROM finoos.accounts r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'accounts' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_transactions was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_transactions AS
SELECT v.user_id, v.account_id, v.transaction_id, v.amount, v.currency, v.booking_date, v.value_date,
  v.booking_text, v.purpose, v.merchant_category_code, v.partner_name, v.partner_iban, v.partner_bic,
  v.partner_creditor_id, v.partner_mandate_reference, v.tags, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ))) AS ends_at
  FROM finoos.transactions r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'transactions' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_categorization was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_categorization AS
SELECT v.user_id, v.account_id, v.transaction_id, v."TAG", v._op, v._pull, v._correlation_id, v._correlation_at,
  v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id, r."TAG" ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ))) AS ends_at
  FROM finoos.categorization r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'categorization' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_contracts was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_contracts AS
SELECT v.user_id, v.contract_id, v.partner_id, v.partner_name, v.amount, v.amount_consistency, v."INTERVAL",
  v.duration, v.category, v.tags, v.next_booking_date, v.next_booking_from, v.next_booking_to,
  v.mandate_reference, v.is_active, v.transaction_ids, v.partner, v.attributes, v._op, v._pull,
  v._correlation_id, v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.contract_id ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ))) AS ends_at
  FROM finoos.contracts r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'contracts' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_account_history was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_account_history AS
SELECT v.user_id, v.account_id, v.currency, v."DATE", v.balance, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.currency, r."DATE" ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00 +0000' AS TIMESTAMP_LTZ))) AS ends_at
  FROM finoos.account_history r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'account_history' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- How fresh each stream is: when the last nightly pull of a user brought something. A user of whom
-- nothing has changed is asked every night all the same, and leaves no row: see the run reports.
CREATE OR REPLACE VIEW finoos.freshness AS
SELECT stream, users_pulled, oldest_pull_at, newest_pull_at,
  CAST(CAST((p50_age_seconds - MOD(p50_age_seconds, 86400)) / 86400 AS BIGINT) AS VARCHAR) || ' d ' || LPAD(CAST(CAST((MOD(p50_age_seconds, 86400) - MOD(MOD(p50_age_seconds, 86400), 3600)) / 3600 AS BIGINT) AS VARCHAR), 2, '0') || ':' || LPAD(CAST(CAST((MOD(p50_age_seconds, 3600) - MOD(MOD(p50_age_seconds, 3600), 60)) / 60 AS BIGINT) AS VARCHAR), 2, '0') AS p50_age,
  CAST(CAST((p95_age_seconds - MOD(p95_age_seconds, 86400)) / 86400 AS BIGINT) AS VARCHAR) || ' d ' || LPAD(CAST(CAST((MOD(p95_age_seconds, 86400) - MOD(MOD(p95_age_seconds, 86400), 3600)) / 3600 AS BIGINT) AS VARCHAR), 2, '0') || ':' || LPAD(CAST(CAST((MOD(p95_age_seconds, 3600) - MOD(MOD(p95_age_seconds, 3600), 60)) / 60 AS BIGINT) AS VARCHAR), 2, '0') AS p95_age,
  p50_age_seconds, p95_age_seconds
FROM (
SELECT stream, COUNT(*) AS users_pulled,
  MIN(last_pull_at) AS oldest_pull_at, MAX(last_pull_at) AS newest_pull_at,
  MIN(CASE WHEN nth >= 0.5 * n THEN age_seconds END) AS p50_age_seconds,
  MIN(CASE WHEN nth >= 0.95 * n THEN age_seconds END) AS p95_age_seconds
FROM (
  SELECT stream, last_pull_at, DATEDIFF(second, last_pull_at, CURRENT_TIMESTAMP()) AS age_seconds,
    ROW_NUMBER() OVER (PARTITION BY stream ORDER BY last_pull_at DESC) AS nth,
    COUNT(*) OVER (PARTITION BY stream) AS n
  FROM (
    SELECT stream, user_id, MAX(_extracted_at) AS last_pull_at
    FROM finoos.pulls
    WHERE outcome = 'pulled' AND COALESCE(mode, '') <> 'backfill' AND user_id NOT IN (SELECT user_id FROM finoos.gone_users)
    GROUP BY stream, user_id
  ) last_pulls
) ranked
GROUP BY stream
) ages;
