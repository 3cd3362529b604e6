-- The lake at s3://acme-lake/finoos for DuckDB, printed by `syncer sql`: for what programs of schema 2 have written.
-- Views that read the files where they are: there is nothing to load, and new files are seen at once.
-- They name the files by their path: where the lake moves, print this again.

INSTALL httpfs;

LOAD httpfs;

INSTALL aws;

LOAD aws;

-- A secret lasts as long as the session: run these lines again in each.
CREATE OR REPLACE SECRET syncer_lake (TYPE s3, PROVIDER credential_chain, SCOPE 's3://acme-lake/finoos', REGION 'eu-central-1');

-- Stands where the next statement fails, since no file of pulls is there yet.
CREATE OR REPLACE VIEW pulls AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS stream, NULL::VARCHAR AS outcome, NULL::VARCHAR AS mode,
  NULL::VARCHAR AS previous_correlation_id, NULL::BIGINT AS "rows", NULL::BIGINT AS deletes,
  NULL::BIGINT AS requests, NULL::BIGINT AS bytes, NULL::BIGINT AS duration_ms, NULL::VARCHAR AS error_class,
  NULL::VARCHAR AS error, NULL::VARCHAR AS issues, NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull,
  NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at,
  NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false;

CREATE OR REPLACE VIEW pulls AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS stream, NULL::VARCHAR AS outcome, NULL::VARCHAR AS mode,
  NULL::VARCHAR AS previous_correlation_id, NULL::BIGINT AS "rows", NULL::BIGINT AS deletes,
  NULL::BIGINT AS requests, NULL::BIGINT AS bytes, NULL::BIGINT AS duration_ms, NULL::VARCHAR AS error_class,
  NULL::VARCHAR AS error, NULL::VARCHAR AS issues, NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull,
  NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at,
  NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false
UNION ALL BY NAME
SELECT * FROM read_parquet('s3://acme-lake/finoos/pulls/**/*.parquet', union_by_name = true, hive_partitioning = false);

-- Stands where the next statement fails, since no file of users is there yet.
CREATE OR REPLACE VIEW users AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS custom_user_id, NULL::VARCHAR AS "name", NULL::VARCHAR AS "type",
  NULL::VARCHAR AS tenant, NULL::TIMESTAMPTZ AS created_at, NULL::VARCHAR[] AS duplicates,
  NULL::VARCHAR[] AS user_scopes, NULL::TIMESTAMPTZ AS first_seen_at, NULL::TIMESTAMPTZ AS last_seen_at,
  NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull, NULL::VARCHAR AS _correlation_id,
  NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at, NULL::VARCHAR AS _run_id,
  NULL::VARCHAR AS _extra
WHERE false;

CREATE OR REPLACE VIEW users AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS custom_user_id, NULL::VARCHAR AS "name", NULL::VARCHAR AS "type",
  NULL::VARCHAR AS tenant, NULL::TIMESTAMPTZ AS created_at, NULL::VARCHAR[] AS duplicates,
  NULL::VARCHAR[] AS user_scopes, NULL::TIMESTAMPTZ AS first_seen_at, NULL::TIMESTAMPTZ AS last_seen_at,
  NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull, NULL::VARCHAR AS _correlation_id,
  NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at, NULL::VARCHAR AS _run_id,
  NULL::VARCHAR AS _extra
WHERE false
UNION ALL BY NAME
SELECT * FROM read_parquet('s3://acme-lake/finoos/users/**/*.parquet', union_by_name = true, hive_partitioning = false);

-- Stands where the next statement fails, since no file of sync_sessions is there yet.
CREATE OR REPLACE VIEW sync_sessions AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS bank_login_id, NULL::VARCHAR AS outcome,
  NULL::INTEGER AS http_status, NULL::VARCHAR AS error_type, NULL::VARCHAR AS message,
  NULL::VARCHAR AS session_id, NULL::VARCHAR AS redirect_url, NULL::TIMESTAMPTZ AS requested_at,
  NULL::TIMESTAMPTZ AS finished_at, NULL::VARCHAR AS analysis_correlation_id, NULL::VARCHAR AS _op,
  NULL::VARCHAR AS _pull, NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at,
  NULL::TIMESTAMPTZ AS _extracted_at, NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false;

CREATE OR REPLACE VIEW sync_sessions AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS bank_login_id, NULL::VARCHAR AS outcome,
  NULL::INTEGER AS http_status, NULL::VARCHAR AS error_type, NULL::VARCHAR AS message,
  NULL::VARCHAR AS session_id, NULL::VARCHAR AS redirect_url, NULL::TIMESTAMPTZ AS requested_at,
  NULL::TIMESTAMPTZ AS finished_at, NULL::VARCHAR AS analysis_correlation_id, NULL::VARCHAR AS _op,
  NULL::VARCHAR AS _pull, NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at,
  NULL::TIMESTAMPTZ AS _extracted_at, NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false
UNION ALL BY NAME
SELECT * FROM read_parquet('s3://acme-lake/finoos/sync_sessions/**/*.parquet', union_by_name = true, hive_partitioning = false);

-- Stands where the next statement fails, since no file of bank_logins is there yet.
CREATE OR REPLACE VIEW bank_logins AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS bank_login_id, NULL::VARCHAR AS status, NULL::BOOLEAN AS active,
  NULL::TIMESTAMPTZ AS last_synchronization, NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull,
  NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at,
  NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false;

CREATE OR REPLACE VIEW bank_logins AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS bank_login_id, NULL::VARCHAR AS status, NULL::BOOLEAN AS active,
  NULL::TIMESTAMPTZ AS last_synchronization, NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull,
  NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at,
  NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false
UNION ALL BY NAME
SELECT * FROM read_parquet('s3://acme-lake/finoos/bank_logins/**/*.parquet', union_by_name = true, hive_partitioning = false);

-- Stands where the next statement fails, since no file of accounts is there yet.
CREATE OR REPLACE VIEW accounts AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS account_id, NULL::VARCHAR AS account_number,
  NULL::VARCHAR AS "name", NULL::VARCHAR AS "owner", NULL::VARCHAR AS "type", NULL::VARCHAR AS iban,
  NULL::VARCHAR AS bic, NULL::VARCHAR AS bank_code, NULL::VARCHAR AS bank_name, NULL::VARCHAR AS currency,
  NULL::DECIMAL(18,4) AS balance, NULL::VARCHAR AS status, NULL::VARCHAR AS bank_login_id,
  NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull, NULL::VARCHAR AS _correlation_id,
  NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at, NULL::VARCHAR AS _run_id,
  NULL::VARCHAR AS _extra
WHERE false;

CREATE OR REPLACE VIEW accounts AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS account_id, NULL::VARCHAR AS account_number,
  NULL::VARCHAR AS "name", NULL::VARCHAR AS "owner", NULL::VARCHAR AS "type", NULL::VARCHAR AS iban,
  NULL::VARCHAR AS bic, NULL::VARCHAR AS bank_code, NULL::VARCHAR AS bank_name, NULL::VARCHAR AS currency,
  NULL::DECIMAL(18,4) AS balance, NULL::VARCHAR AS status, NULL::VARCHAR AS bank_login_id,
  NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull, NULL::VARCHAR AS _correlation_id,
  NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at, NULL::VARCHAR AS _run_id,
  NULL::VARCHAR AS _extra
WHERE false
UNION ALL BY NAME
SELECT * FROM read_parquet('s3://acme-lake/finoos/accounts/**/*.parquet', union_by_name = true, hive_partitioning = false);

-- Stands where the next statement fails, since no file of transactions is there yet.
CREATE OR REPLACE VIEW transactions AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS account_id, NULL::VARCHAR AS transaction_id,
  NULL::DECIMAL(18,4) AS amount, NULL::VARCHAR AS currency, NULL::DATE AS booking_date,
  NULL::DATE AS value_date, NULL::VARCHAR AS booking_text, NULL::VARCHAR AS purpose,
  NULL::VARCHAR AS merchant_category_code, NULL::VARCHAR AS partner_name, NULL::VARCHAR AS partner_iban,
  NULL::VARCHAR AS partner_bic, NULL::VARCHAR AS partner_creditor_id,
  NULL::VARCHAR AS partner_mandate_reference, NULL::VARCHAR[] AS tags, NULL::VARCHAR AS _op,
  NULL::VARCHAR AS _pull, NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at,
  NULL::TIMESTAMPTZ AS _extracted_at, NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false;

CREATE OR REPLACE VIEW transactions AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS account_id, NULL::VARCHAR AS transaction_id,
  NULL::DECIMAL(18,4) AS amount, NULL::VARCHAR AS currency, NULL::DATE AS booking_date,
  NULL::DATE AS value_date, NULL::VARCHAR AS booking_text, NULL::VARCHAR AS purpose,
  NULL::VARCHAR AS merchant_category_code, NULL::VARCHAR AS partner_name, NULL::VARCHAR AS partner_iban,
  NULL::VARCHAR AS partner_bic, NULL::VARCHAR AS partner_creditor_id,
  NULL::VARCHAR AS partner_mandate_reference, NULL::VARCHAR[] AS tags, NULL::VARCHAR AS _op,
  NULL::VARCHAR AS _pull, NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at,
  NULL::TIMESTAMPTZ AS _extracted_at, NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false
UNION ALL BY NAME
SELECT * FROM read_parquet('s3://acme-lake/finoos/transactions/**/*.parquet', union_by_name = true, hive_partitioning = false);

-- Stands where the next statement fails, since no file of categorization is there yet.
CREATE OR REPLACE VIEW categorization AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS account_id, NULL::VARCHAR AS transaction_id,
  NULL::VARCHAR AS "tag", NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull, NULL::VARCHAR AS _correlation_id,
  NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at, NULL::VARCHAR AS _run_id,
  NULL::VARCHAR AS _extra
WHERE false;

CREATE OR REPLACE VIEW categorization AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS account_id, NULL::VARCHAR AS transaction_id,
  NULL::VARCHAR AS "tag", NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull, NULL::VARCHAR AS _correlation_id,
  NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at, NULL::VARCHAR AS _run_id,
  NULL::VARCHAR AS _extra
WHERE false
UNION ALL BY NAME
SELECT * FROM read_parquet('s3://acme-lake/finoos/categorization/**/*.parquet', union_by_name = true, hive_partitioning = false);

-- Stands where the next statement fails, since no file of contracts is there yet.
CREATE OR REPLACE VIEW contracts AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS contract_id, NULL::VARCHAR AS partner_id,
  NULL::VARCHAR AS partner_name, NULL::DECIMAL(18,4) AS amount, NULL::VARCHAR AS amount_consistency,
  NULL::VARCHAR AS "interval", NULL::VARCHAR AS duration, NULL::VARCHAR AS category, NULL::VARCHAR[] AS tags,
  NULL::DATE AS next_booking_date, NULL::DATE AS next_booking_from, NULL::DATE AS next_booking_to,
  NULL::VARCHAR AS mandate_reference, NULL::BOOLEAN AS is_active, NULL::VARCHAR[] AS transaction_ids,
  NULL::VARCHAR AS partner, NULL::VARCHAR AS attributes, NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull,
  NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at,
  NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false;

CREATE OR REPLACE VIEW contracts AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS contract_id, NULL::VARCHAR AS partner_id,
  NULL::VARCHAR AS partner_name, NULL::DECIMAL(18,4) AS amount, NULL::VARCHAR AS amount_consistency,
  NULL::VARCHAR AS "interval", NULL::VARCHAR AS duration, NULL::VARCHAR AS category, NULL::VARCHAR[] AS tags,
  NULL::DATE AS next_booking_date, NULL::DATE AS next_booking_from, NULL::DATE AS next_booking_to,
  NULL::VARCHAR AS mandate_reference, NULL::BOOLEAN AS is_active, NULL::VARCHAR[] AS transaction_ids,
  NULL::VARCHAR AS partner, NULL::VARCHAR AS attributes, NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull,
  NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at,
  NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false
UNION ALL BY NAME
SELECT * FROM read_parquet('s3://acme-lake/finoos/contracts/**/*.parquet', union_by_name = true, hive_partitioning = false);

-- Stands where the next statement fails, since no file of account_history is there yet.
CREATE OR REPLACE VIEW account_history AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS account_id, NULL::VARCHAR AS currency, NULL::DATE AS "date",
  NULL::DECIMAL(18,4) AS balance, NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull,
  NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at,
  NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false;

CREATE OR REPLACE VIEW account_history AS
SELECT NULL::VARCHAR AS user_id, NULL::VARCHAR AS account_id, NULL::VARCHAR AS currency, NULL::DATE AS "date",
  NULL::DECIMAL(18,4) AS balance, NULL::VARCHAR AS _op, NULL::VARCHAR AS _pull,
  NULL::VARCHAR AS _correlation_id, NULL::TIMESTAMPTZ AS _correlation_at, NULL::TIMESTAMPTZ AS _extracted_at,
  NULL::VARCHAR AS _run_id, NULL::VARCHAR AS _extra
WHERE false
UNION ALL BY NAME
SELECT * FROM read_parquet('s3://acme-lake/finoos/account_history/**/*.parquet', union_by_name = true, hive_partitioning = false);

-- A full pull replaces all that was known of a user and stream: from one to the next is a span.
-- The first span of a user is what came before the first full pull.
CREATE OR REPLACE VIEW full_pull_spans AS
SELECT stream, user_id, _extracted_at AS span_from,
  COALESCE(LEAD(_extracted_at) OVER (PARTITION BY stream, user_id ORDER BY _extracted_at), TIMESTAMPTZ '9999-12-31 00:00:00+00') AS span_to
FROM pulls
WHERE outcome = 'pulled' AND mode = 'full'
UNION ALL
SELECT stream, user_id, TIMESTAMPTZ '1970-01-01 00:00:00+00' AS span_from, MIN(_extracted_at) AS span_to
FROM pulls
WHERE outcome = 'pulled' AND mode = 'full'
GROUP BY stream, user_id;

-- When a user that was deleted at least once was there: until the first delete, and from each
-- return to the next delete. Users that were never deleted are not listed.
CREATE OR REPLACE VIEW user_spans AS
SELECT user_id, changed_at AS span_from, span_to
FROM (
  SELECT user_id, _op, changed_at,
    COALESCE(LEAD(changed_at) OVER (PARTITION BY user_id ORDER BY changed_at), TIMESTAMPTZ '9999-12-31 00:00:00+00') AS span_to
  FROM (
    SELECT user_id, _op, _extracted_at AS changed_at,
      LAG(_op) OVER (PARTITION BY user_id ORDER BY _extracted_at) AS op_before
    FROM users
  ) steps
  WHERE _op <> COALESCE(op_before, 'upsert')
) switches
WHERE _op = 'upsert'
UNION ALL
SELECT user_id, TIMESTAMPTZ '1970-01-01 00:00:00+00' AS span_from, MIN(_extracted_at) AS span_to
FROM users
WHERE _op = 'delete'
GROUP BY user_id;

-- Users that are deleted as of now.
CREATE OR REPLACE VIEW gone_users AS
SELECT user_id
FROM (
  SELECT user_id, _op, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY _extracted_at DESC) AS nth
  FROM users
) newest
WHERE nth = 1 AND _op = 'delete';

-- The current state of users: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW current_users AS
SELECT user_id, custom_user_id, "name", "type", tenant, created_at, duplicates, user_scopes, first_seen_at,
  last_seen_at, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id ORDER BY r._extracted_at DESC) AS nth
  FROM users r
  LEFT JOIN full_pull_spans f ON f.stream = 'users' AND f.user_id = r.user_id AND f.span_to = TIMESTAMPTZ '9999-12-31 00:00:00+00'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete';

-- The current state of bank_logins: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW current_bank_logins AS
SELECT user_id, bank_login_id, status, active, last_synchronization, _op, _pull, _correlation_id, _correlation_at,
  _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.bank_login_id ORDER BY r._extracted_at DESC) AS nth
  FROM bank_logins r
  LEFT JOIN full_pull_spans f ON f.stream = 'bank_logins' AND f.user_id = r.user_id AND f.span_to = TIMESTAMPTZ '9999-12-31 00:00:00+00'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM gone_users);

-- The current state of accounts: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW current_accounts AS
SELECT user_id, account_id, account_number, "name", "owner", "type", iban, bic, bank_code, bank_name, currency,
  balance, status, bank_login_id, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id ORDER BY r._extracted_at DESC) AS nth
  FROM accounts r
  LEFT JOIN full_pull_spans f ON f.stream = 'accounts' AND f.user_id = r.user_id AND f.span_to = TIMESTAMPTZ '9999-12-31 00:00:00+00'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM gone_users);

-- The current state of transactions: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW current_transactions AS
SELECT user_id, account_id, transaction_id, amount, currency, booking_date, value_date, booking_text, purpose,
  merchant_category_code, partner_name, partner_iban, partner_bic, partner_creditor_id,
  partner_mandate_reference, tags, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id,
  _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id ORDER BY r._extracted_at DESC) AS nth
  FROM transactions r
  LEFT JOIN full_pull_spans f ON f.stream = 'transactions' AND f.user_id = r.user_id AND f.span_to = TIMESTAMPTZ '9999-12-31 00:00:00+00'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM gone_users);

-- The current state of categorization: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW current_categorization AS
SELECT user_id, account_id, transaction_id, "tag", _op, _pull, _correlation_id, _correlation_at, _extracted_at,
  _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id, r."tag" ORDER BY r._extracted_at DESC) AS nth
  FROM categorization r
  LEFT JOIN full_pull_spans f ON f.stream = 'categorization' AND f.user_id = r.user_id AND f.span_to = TIMESTAMPTZ '9999-12-31 00:00:00+00'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM gone_users);

-- The current state of contracts: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW current_contracts AS
SELECT user_id, contract_id, partner_id, partner_name, amount, amount_consistency, "interval", duration, category,
  tags, next_booking_date, next_booking_from, next_booking_to, mandate_reference, is_active, transaction_ids,
  partner, attributes, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.contract_id ORDER BY r._extracted_at DESC) AS nth
  FROM contracts r
  LEFT JOIN full_pull_spans f ON f.stream = 'contracts' AND f.user_id = r.user_id AND f.span_to = TIMESTAMPTZ '9999-12-31 00:00:00+00'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM gone_users);

-- The current state of account_history: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW current_account_history AS
SELECT user_id, account_id, currency, "date", balance, _op, _pull, _correlation_id, _correlation_at, _extracted_at,
  _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.currency, r."date" ORDER BY r._extracted_at DESC) AS nth
  FROM account_history r
  LEFT JOIN full_pull_spans f ON f.stream = 'account_history' AND f.user_id = r.user_id AND f.span_to = TIMESTAMPTZ '9999-12-31 00:00:00+00'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM gone_users);

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_users was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW history_users AS
SELECT v.user_id, v.custom_user_id, v."name", v."type", v.tenant, v.created_at, v.duplicates, v.user_scopes,
  v.first_seen_at, v.last_seen_at, v._op, v._pull, v._correlation_id, v._correlation_at, v._extracted_at,
  v._run_id, v._extra,
  v._extracted_at AS valid_from, NULLIF(v.ends_at, TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id ORDER BY r._extracted_at), TIMESTAMPTZ '9999-12-31 00:00:00+00'),
    COALESCE(f.span_to, TIMESTAMPTZ '9999-12-31 00:00:00+00')) AS ends_at
  FROM users r
  LEFT JOIN full_pull_spans f ON f.stream = 'users' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
WHERE v._op <> 'delete';

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_bank_logins was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW history_bank_logins AS
SELECT v.user_id, v.bank_login_id, v.status, v.active, v.last_synchronization, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.bank_login_id ORDER BY r._extracted_at), TIMESTAMPTZ '9999-12-31 00:00:00+00'),
    COALESCE(f.span_to, TIMESTAMPTZ '9999-12-31 00:00:00+00')) AS ends_at
  FROM bank_logins r
  LEFT JOIN full_pull_spans f ON f.stream = 'bank_logins' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_accounts was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW history_accounts AS
SELECT v.user_id, v.account_id, v.account_number, v."name", v."owner", v."type", v.iban, v.bic, v.bank_code,
  v.bank_name, v.currency, v.balance, v.status, v.bank_login_id, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id ORDER BY r._extracted_at), TIMESTAMPTZ '9999-12-31 00:00:00+00'),
    COALESCE(f.span_to, TIMESTAMPTZ '9999-12-31 00:00:00+00')) AS ends_at
  FROM accounts r
  LEFT JOIN full_pull_spans f ON f.stream = 'accounts' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_transactions was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW history_transactions AS
SELECT v.user_id, v.account_id, v.transaction_id, v.amount, v.currency, v.booking_date, v.value_date,
  v.booking_text, v.purpose, v.merchant_category_code, v.partner_name, v.partner_iban, v.partner_bic,
  v.partner_creditor_id, v.partner_mandate_reference, v.tags, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id ORDER BY r._extracted_at), TIMESTAMPTZ '9999-12-31 00:00:00+00'),
    COALESCE(f.span_to, TIMESTAMPTZ '9999-12-31 00:00:00+00')) AS ends_at
  FROM transactions r
  LEFT JOIN full_pull_spans f ON f.stream = 'transactions' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_categorization was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW history_categorization AS
SELECT v.user_id, v.account_id, v.transaction_id, v."tag", v._op, v._pull, v._correlation_id, v._correlation_at,
  v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id, r."tag" ORDER BY r._extracted_at), TIMESTAMPTZ '9999-12-31 00:00:00+00'),
    COALESCE(f.span_to, TIMESTAMPTZ '9999-12-31 00:00:00+00')) AS ends_at
  FROM categorization r
  LEFT JOIN full_pull_spans f ON f.stream = 'categorization' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_contracts was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW history_contracts AS
SELECT v.user_id, v.contract_id, v.partner_id, v.partner_name, v.amount, v.amount_consistency, v."interval",
  v.duration, v.category, v.tags, v.next_booking_date, v.next_booking_from, v.next_booking_to,
  v.mandate_reference, v.is_active, v.transaction_ids, v.partner, v.attributes, v._op, v._pull,
  v._correlation_id, v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.contract_id ORDER BY r._extracted_at), TIMESTAMPTZ '9999-12-31 00:00:00+00'),
    COALESCE(f.span_to, TIMESTAMPTZ '9999-12-31 00:00:00+00')) AS ends_at
  FROM contracts r
  LEFT JOIN full_pull_spans f ON f.stream = 'contracts' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_account_history was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW history_account_history AS
SELECT v.user_id, v.account_id, v.currency, v."date", v.balance, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMPTZ '9999-12-31 00:00:00+00') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.currency, r."date" ORDER BY r._extracted_at), TIMESTAMPTZ '9999-12-31 00:00:00+00'),
    COALESCE(f.span_to, TIMESTAMPTZ '9999-12-31 00:00:00+00')) AS ends_at
  FROM account_history r
  LEFT JOIN full_pull_spans f ON f.stream = 'account_history' AND f.user_id = r.user_id
    AND f.span_from <= r._extracted_at AND r._extracted_at < f.span_to
) v
LEFT JOIN user_spans u ON u.user_id = v.user_id
WHERE v._op <> 'delete'
  AND (u.user_id IS NULL OR (u.span_from < v.ends_at AND v._extracted_at < u.span_to));

-- How fresh each stream is: when the last nightly pull of a user brought something. A user of whom
-- nothing has changed is asked every night all the same, and leaves no row: see the run reports.
CREATE OR REPLACE VIEW freshness AS
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
  SELECT stream, last_pull_at, date_diff('second', last_pull_at, current_timestamp) AS age_seconds,
    ROW_NUMBER() OVER (PARTITION BY stream ORDER BY last_pull_at DESC) AS nth,
    COUNT(*) OVER (PARTITION BY stream) AS n
  FROM (
    SELECT stream, user_id, MAX(_extracted_at) AS last_pull_at
    FROM pulls
    WHERE outcome = 'pulled' AND COALESCE(mode, '') <> 'backfill' AND user_id NOT IN (SELECT user_id FROM gone_users)
    GROUP BY stream, user_id
  ) last_pulls
) ranked
GROUP BY stream
) ages;
