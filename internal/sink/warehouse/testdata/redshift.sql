-- The lake at s3://acme-lake/finoos for Redshift, printed by `syncer sql`: for what programs of schema 2 have written.
-- External tables (Spectrum) over S3: new files are seen at once. They are kept in a schema and Glue
-- database of their own; the cluster's default IAM role must be allowed to read the bucket.
-- Dropping one deletes no file. Redshift shows a list as JSON text, and only where json_serialization_enable is set: for good, by
-- ALTER USER ... SET json_serialization_enable TO true.
-- An external table cannot be made in a transaction: let your client commit each statement.

SET json_serialization_enable TO true;

CREATE EXTERNAL SCHEMA IF NOT EXISTS finoos_lake
FROM DATA CATALOG DATABASE 'finoos_lake'
IAM_ROLE default
CREATE EXTERNAL DATABASE IF NOT EXISTS;

CREATE SCHEMA IF NOT EXISTS finoos;

DROP TABLE IF EXISTS finoos_lake.pulls;

CREATE EXTERNAL TABLE finoos_lake.pulls (
  user_id varchar(65535),
  stream varchar(65535),
  outcome varchar(65535),
  mode varchar(65535),
  previous_correlation_id varchar(65535),
  "rows" bigint,
  deletes bigint,
  requests bigint,
  bytes bigint,
  duration_ms bigint,
  error_class varchar(65535),
  error varchar(65535),
  issues varchar(65535),
  _op varchar(65535),
  _pull varchar(65535),
  _correlation_id varchar(65535),
  _correlation_at timestamp,
  _extracted_at timestamp,
  _run_id varchar(65535),
  _extra varchar(65535)
)
STORED AS PARQUET
LOCATION 's3://acme-lake/finoos/pulls/';

DROP TABLE IF EXISTS finoos_lake.users;

CREATE EXTERNAL TABLE finoos_lake.users (
  user_id varchar(65535),
  custom_user_id varchar(65535),
  "name" varchar(65535),
  "type" varchar(65535),
  tenant varchar(65535),
  created_at timestamp,
  duplicates array<varchar(65535)>,
  user_scopes array<varchar(65535)>,
  first_seen_at timestamp,
  last_seen_at timestamp,
  _op varchar(65535),
  _pull varchar(65535),
  _correlation_id varchar(65535),
  _correlation_at timestamp,
  _extracted_at timestamp,
  _run_id varchar(65535),
  _extra varchar(65535)
)
STORED AS PARQUET
LOCATION 's3://acme-lake/finoos/users/';

DROP TABLE IF EXISTS finoos_lake.sync_sessions;

CREATE EXTERNAL TABLE finoos_lake.sync_sessions (
  user_id varchar(65535),
  bank_login_id varchar(65535),
  outcome varchar(65535),
  http_status integer,
  error_type varchar(65535),
  message varchar(65535),
  session_id varchar(65535),
  redirect_url varchar(65535),
  requested_at timestamp,
  finished_at timestamp,
  analysis_correlation_id varchar(65535),
  _op varchar(65535),
  _pull varchar(65535),
  _correlation_id varchar(65535),
  _correlation_at timestamp,
  _extracted_at timestamp,
  _run_id varchar(65535),
  _extra varchar(65535)
)
STORED AS PARQUET
LOCATION 's3://acme-lake/finoos/sync_sessions/';

DROP TABLE IF EXISTS finoos_lake.bank_logins;

CREATE EXTERNAL TABLE finoos_lake.bank_logins (
  user_id varchar(65535),
  bank_login_id varchar(65535),
  status varchar(65535),
  active boolean,
  last_synchronization timestamp,
  _op varchar(65535),
  _pull varchar(65535),
  _correlation_id varchar(65535),
  _correlation_at timestamp,
  _extracted_at timestamp,
  _run_id varchar(65535),
  _extra varchar(65535)
)
STORED AS PARQUET
LOCATION 's3://acme-lake/finoos/bank_logins/';

DROP TABLE IF EXISTS finoos_lake.accounts;

CREATE EXTERNAL TABLE finoos_lake.accounts (
  user_id varchar(65535),
  account_id varchar(65535),
  account_number varchar(65535),
  "name" varchar(65535),
  "owner" varchar(65535),
  "type" varchar(65535),
  iban varchar(65535),
  bic varchar(65535),
  bank_code varchar(65535),
  bank_name varchar(65535),
  currency varchar(65535),
  balance decimal(18,4),
  status varchar(65535),
  bank_login_id varchar(65535),
  _op varchar(65535),
  _pull varchar(65535),
  _correlation_id varchar(65535),
  _correlation_at timestamp,
  _extracted_at timestamp,
  _run_id varchar(65535),
  _extra varchar(65535)
)
STORED AS PARQUET
LOCATION 's3://acme-lake/finoos/accounts/';

DROP TABLE IF EXISTS finoos_lake.transactions;

CREATE EXTERNAL TABLE finoos_lake.transactions (
  user_id varchar(65535),
  account_id varchar(65535),
  transaction_id varchar(65535),
  amount decimal(18,4),
  currency varchar(65535),
  booking_date date,
  value_date date,
  booking_text varchar(65535),
  purpose varchar(65535),
  merchant_category_code varchar(65535),
  partner_name varchar(65535),
  partner_iban varchar(65535),
  partner_bic varchar(65535),
  partner_creditor_id varchar(65535),
  partner_mandate_reference varchar(65535),
  tags array<varchar(65535)>,
  _op varchar(65535),
  _pull varchar(65535),
  _correlation_id varchar(65535),
  _correlation_at timestamp,
  _extracted_at timestamp,
  _run_id varchar(65535),
  _extra varchar(65535)
)
STORED AS PARQUET
LOCATION 's3://acme-lake/finoos/transactions/';

DROP TABLE IF EXISTS finoos_lake.categorization;

CREATE EXTERNAL TABLE finoos_lake.categorization (
  user_id varchar(65535),
  account_id varchar(65535),
  transaction_id varchar(65535),
  "tag" varchar(65535),
  _op varchar(65535),
  _pull varchar(65535),
  _correlation_id varchar(65535),
  _correlation_at timestamp,
  _extracted_at timestamp,
  _run_id varchar(65535),
  _extra varchar(65535)
)
STORED AS PARQUET
LOCATION 's3://acme-lake/finoos/categorization/';

DROP TABLE IF EXISTS finoos_lake.contracts;

CREATE EXTERNAL TABLE finoos_lake.contracts (
  user_id varchar(65535),
  contract_id varchar(65535),
  partner_id varchar(65535),
  partner_name varchar(65535),
  amount decimal(18,4),
  amount_consistency varchar(65535),
  "interval" varchar(65535),
  duration varchar(65535),
  category varchar(65535),
  tags array<varchar(65535)>,
  next_booking_date date,
  next_booking_from date,
  next_booking_to date,
  mandate_reference varchar(65535),
  is_active boolean,
  transaction_ids array<varchar(65535)>,
  partner varchar(65535),
  attributes varchar(65535),
  _op varchar(65535),
  _pull varchar(65535),
  _correlation_id varchar(65535),
  _correlation_at timestamp,
  _extracted_at timestamp,
  _run_id varchar(65535),
  _extra varchar(65535)
)
STORED AS PARQUET
LOCATION 's3://acme-lake/finoos/contracts/';

DROP TABLE IF EXISTS finoos_lake.account_history;

CREATE EXTERNAL TABLE finoos_lake.account_history (
  user_id varchar(65535),
  account_id varchar(65535),
  currency varchar(65535),
  "date" date,
  balance decimal(18,4),
  _op varchar(65535),
  _pull varchar(65535),
  _correlation_id varchar(65535),
  _correlation_at timestamp,
  _extracted_at timestamp,
  _run_id varchar(65535),
  _extra varchar(65535)
)
STORED AS PARQUET
LOCATION 's3://acme-lake/finoos/account_history/';

-- A full pull replaces all that was known of a user and stream: from one to the next is a span.
-- The first span of a user is what came before the first full pull.
CREATE OR REPLACE VIEW finoos.full_pull_spans AS
SELECT stream, user_id, _extracted_at AS span_from,
  COALESCE(LEAD(_extracted_at) OVER (PARTITION BY stream, user_id ORDER BY _extracted_at), CAST('9999-12-31 00:00:00' AS timestamp)) AS span_to
FROM finoos_lake.pulls
WHERE outcome = 'pulled' AND mode = 'full'
UNION ALL
SELECT stream, user_id, CAST('1970-01-01 00:00:00' AS timestamp) AS span_from, MIN(_extracted_at) AS span_to
FROM finoos_lake.pulls
WHERE outcome = 'pulled' AND mode = 'full'
GROUP BY stream, user_id
WITH NO SCHEMA BINDING;

-- When a user that was deleted at least once was there: until the first delete, and from each
-- return to the next delete. Users that were never deleted are not listed.
CREATE OR REPLACE VIEW finoos.user_spans AS
SELECT user_id, changed_at AS span_from, span_to
FROM (
  SELECT user_id, _op, changed_at,
    COALESCE(LEAD(changed_at) OVER (PARTITION BY user_id ORDER BY changed_at), CAST('9999-12-31 00:00:00' AS timestamp)) AS span_to
  FROM (
    SELECT user_id, _op, _extracted_at AS changed_at,
      LAG(_op) OVER (PARTITION BY user_id ORDER BY _extracted_at) AS op_before
    FROM finoos_lake.users
  ) steps
  WHERE _op <> COALESCE(op_before, 'upsert')
) switches
WHERE _op = 'upsert'
UNION ALL
SELECT user_id, CAST('1970-01-01 00:00:00' AS timestamp) AS span_from, MIN(_extracted_at) AS span_to
FROM finoos_lake.users
WHERE _op = 'delete'
GROUP BY user_id
WITH NO SCHEMA BINDING;

-- Users that are deleted as of now.
CREATE OR REPLACE VIEW finoos.gone_users AS
SELECT user_id
FROM (
  SELECT user_id, _op, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY _extracted_at DESC) AS nth
  FROM finoos_lake.users
) newest
WHERE nth = 1 AND _op = 'delete'
WITH NO SCHEMA BINDING;

-- The current state of users: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_users AS
SELECT user_id, custom_user_id, "name", "type", tenant, created_at, duplicates, user_scopes, first_seen_at,
  last_seen_at, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos_lake.users r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'users' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00' AS timestamp)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
WITH NO SCHEMA BINDING;

-- The current state of bank_logins: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_bank_logins AS
SELECT user_id, bank_login_id, status, active, last_synchronization, _op, _pull, _correlation_id, _correlation_at,
  _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.bank_login_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos_lake.bank_logins r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'bank_logins' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00' AS timestamp)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users)
WITH NO SCHEMA BINDING;

-- The current state of accounts: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_accounts AS
SELECT user_id, account_id, account_number, "name", "owner", "type", iban, bic, bank_code, bank_name, currency,
  balance, status, bank_login_id, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos_lake.accounts r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'accounts' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00' AS timestamp)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users)
WITH NO SCHEMA BINDING;

-- The current state of transactions: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_transactions AS
SELECT user_id, account_id, transaction_id, amount, currency, booking_date, value_date, booking_text, purpose,
  merchant_category_code, partner_name, partner_iban, partner_bic, partner_creditor_id,
  partner_mandate_reference, tags, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id,
  _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos_lake.transactions r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'transactions' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00' AS timestamp)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users)
WITH NO SCHEMA BINDING;

-- The current state of categorization: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_categorization AS
SELECT user_id, account_id, transaction_id, "tag", _op, _pull, _correlation_id, _correlation_at, _extracted_at,
  _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id, r."tag" ORDER BY r._extracted_at DESC) AS nth
  FROM finoos_lake.categorization r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'categorization' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00' AS timestamp)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users)
WITH NO SCHEMA BINDING;

-- The current state of contracts: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_contracts AS
SELECT user_id, contract_id, partner_id, partner_name, amount, amount_consistency, "interval", duration, category,
  tags, next_booking_date, next_booking_from, next_booking_to, mandate_reference, is_active, transaction_ids,
  partner, attributes, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.contract_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos_lake.contracts r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'contracts' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00' AS timestamp)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users)
WITH NO SCHEMA BINDING;

-- The current state of account_history: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_account_history AS
SELECT user_id, account_id, currency, "date", balance, _op, _pull, _correlation_id, _correlation_at, _extracted_at,
  _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.currency, r."date" ORDER BY r._extracted_at DESC) AS nth
  FROM finoos_lake.account_history r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'account_history' AND f.user_id = r.user_id AND f.span_to = CAST('9999-12-31 00:00:00' AS timestamp)
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users)
WITH NO SCHEMA BINDING;

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_users was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_users AS
SELECT v.user_id, v.custom_user_id, v."name", v."type", v.tenant, v.created_at, v.duplicates, v.user_scopes,
  v.first_seen_at, v.last_seen_at, v._op, v._pull, v._correlation_id, v._correlation_at, v._extracted_at,
  v._run_id, v._extra,
  v._extracted_at AS valid_from, NULLIF(v.ends_at, CAST('9999-12-31 00:00:00' AS timestamp)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00' AS timestamp)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00' AS timestamp))) AS ends_at
  FROM finoos_lake.users r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'users' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
WHERE v._op <> 'delete'
WITH NO SCHEMA BINDING;

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_bank_logins was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_bank_logins AS
SELECT v.user_id, v.bank_login_id, v.status, v.active, v.last_synchronization, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00' AS timestamp)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.bank_login_id ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00' AS timestamp)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00' AS timestamp))) AS ends_at
  FROM finoos_lake.bank_logins r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'bank_logins' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to))
WITH NO SCHEMA BINDING;

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_accounts was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_accounts AS
SELECT v.user_id, v.account_id, v.account_number, v."name", v."owner", v."type", v.iban, v.bic, v.bank_code,
  v.bank_name, v.currency, v.balance, v.status, v.bank_login_id, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00' AS timestamp)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00' AS timestamp)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00' AS timestamp))) AS ends_at
  FROM finoos_lake.accounts r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'accounts' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to))
WITH NO SCHEMA BINDING;

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_transactions was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_transactions AS
SELECT v.user_id, v.account_id, v.transaction_id, v.amount, v.currency, v.booking_date, v.value_date,
  v.booking_text, v.purpose, v.merchant_category_code, v.partner_name, v.partner_iban, v.partner_bic,
  v.partner_creditor_id, v.partner_mandate_reference, v.tags, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00' AS timestamp)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00' AS timestamp)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00' AS timestamp))) AS ends_at
  FROM finoos_lake.transactions r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'transactions' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to))
WITH NO SCHEMA BINDING;

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_categorization was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_categorization AS
SELECT v.user_id, v.account_id, v.transaction_id, v."tag", v._op, v._pull, v._correlation_id, v._correlation_at,
  v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00' AS timestamp)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id, r."tag" ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00' AS timestamp)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00' AS timestamp))) AS ends_at
  FROM finoos_lake.categorization r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'categorization' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to))
WITH NO SCHEMA BINDING;

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_contracts was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_contracts AS
SELECT v.user_id, v.contract_id, v.partner_id, v.partner_name, v.amount, v.amount_consistency, v."interval",
  v.duration, v.category, v.tags, v.next_booking_date, v.next_booking_from, v.next_booking_to,
  v.mandate_reference, v.is_active, v.transaction_ids, v.partner, v.attributes, v._op, v._pull,
  v._correlation_id, v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00' AS timestamp)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.contract_id ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00' AS timestamp)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00' AS timestamp))) AS ends_at
  FROM finoos_lake.contracts r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'contracts' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to))
WITH NO SCHEMA BINDING;

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_account_history was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_account_history AS
SELECT v.user_id, v.account_id, v.currency, v."date", v.balance, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), CAST('9999-12-31 00:00:00' AS timestamp)) AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.currency, r."date" ORDER BY r._extracted_at), CAST('9999-12-31 00:00:00' AS timestamp)),
    COALESCE(f.span_to, CAST('9999-12-31 00:00:00' AS timestamp))) AS ends_at
  FROM finoos_lake.account_history r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'account_history' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN finoos.user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to))
WITH NO SCHEMA BINDING;

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
  SELECT stream, last_pull_at, DATEDIFF(second, last_pull_at, GETDATE()) AS age_seconds,
    ROW_NUMBER() OVER (PARTITION BY stream ORDER BY last_pull_at DESC) AS nth,
    COUNT(*) OVER (PARTITION BY stream) AS n
  FROM (
    SELECT stream, user_id, MAX(_extracted_at) AS last_pull_at
    FROM finoos_lake.pulls
    WHERE outcome = 'pulled' AND COALESCE(mode, '') <> 'backfill' AND user_id NOT IN (SELECT user_id FROM finoos.gone_users)
    GROUP BY stream, user_id
  ) last_pulls
) ranked
GROUP BY stream
) ages
WITH NO SCHEMA BINDING;
