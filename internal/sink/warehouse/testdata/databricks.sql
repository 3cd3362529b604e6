-- The lake at s3://acme-lake/finoos for Databricks, printed by `syncer sql`: for what programs of schema 2 have written.
-- Views that read the files where they are (Unity Catalog needs an external location there): new files
-- are seen at once. To load them instead, make each table a streaming one:
-- CREATE OR REFRESH STREAMING TABLE ... AS SELECT ... FROM STREAM read_files(...).

CREATE SCHEMA IF NOT EXISTS finoos;

CREATE OR REPLACE VIEW finoos.pulls AS
SELECT user_id, stream, outcome, mode, previous_correlation_id, `rows`, deletes, requests, bytes, duration_ms,
  error_class, error, issues, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM read_files(
  's3://acme-lake/finoos/pulls/',
  format => 'parquet',
  partitionColumns => '',
  schemaEvolutionMode => 'none',
  schema => '`user_id` STRING,
    `stream` STRING,
    `outcome` STRING,
    `mode` STRING,
    `previous_correlation_id` STRING,
    `rows` BIGINT,
    `deletes` BIGINT,
    `requests` BIGINT,
    `bytes` BIGINT,
    `duration_ms` BIGINT,
    `error_class` STRING,
    `error` STRING,
    `issues` STRING,
    `_op` STRING,
    `_pull` STRING,
    `_correlation_id` STRING,
    `_correlation_at` TIMESTAMP,
    `_extracted_at` TIMESTAMP,
    `_run_id` STRING,
    `_extra` STRING'
);

CREATE OR REPLACE VIEW finoos.users AS
SELECT user_id, custom_user_id, `name`, `type`, tenant, created_at, duplicates, user_scopes, first_seen_at,
  last_seen_at, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM read_files(
  's3://acme-lake/finoos/users/',
  format => 'parquet',
  partitionColumns => '',
  schemaEvolutionMode => 'none',
  schema => '`user_id` STRING,
    `custom_user_id` STRING,
    `name` STRING,
    `type` STRING,
    `tenant` STRING,
    `created_at` TIMESTAMP,
    `duplicates` ARRAY<STRING>,
    `user_scopes` ARRAY<STRING>,
    `first_seen_at` TIMESTAMP,
    `last_seen_at` TIMESTAMP,
    `_op` STRING,
    `_pull` STRING,
    `_correlation_id` STRING,
    `_correlation_at` TIMESTAMP,
    `_extracted_at` TIMESTAMP,
    `_run_id` STRING,
    `_extra` STRING'
);

CREATE OR REPLACE VIEW finoos.sync_sessions AS
SELECT user_id, bank_login_id, outcome, http_status, error_type, message, session_id, redirect_url, requested_at,
  finished_at, analysis_correlation_id, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id,
  _extra
FROM read_files(
  's3://acme-lake/finoos/sync_sessions/',
  format => 'parquet',
  partitionColumns => '',
  schemaEvolutionMode => 'none',
  schema => '`user_id` STRING,
    `bank_login_id` STRING,
    `outcome` STRING,
    `http_status` INT,
    `error_type` STRING,
    `message` STRING,
    `session_id` STRING,
    `redirect_url` STRING,
    `requested_at` TIMESTAMP,
    `finished_at` TIMESTAMP,
    `analysis_correlation_id` STRING,
    `_op` STRING,
    `_pull` STRING,
    `_correlation_id` STRING,
    `_correlation_at` TIMESTAMP,
    `_extracted_at` TIMESTAMP,
    `_run_id` STRING,
    `_extra` STRING'
);

CREATE OR REPLACE VIEW finoos.bank_logins AS
SELECT user_id, bank_login_id, status, active, last_synchronization, _op, _pull, _correlation_id, _correlation_at,
  _extracted_at, _run_id, _extra
FROM read_files(
  's3://acme-lake/finoos/bank_logins/',
  format => 'parquet',
  partitionColumns => '',
  schemaEvolutionMode => 'none',
  schema => '`user_id` STRING,
    `bank_login_id` STRING,
    `status` STRING,
    `active` BOOLEAN,
    `last_synchronization` TIMESTAMP,
    `_op` STRING,
    `_pull` STRING,
    `_correlation_id` STRING,
    `_correlation_at` TIMESTAMP,
    `_extracted_at` TIMESTAMP,
    `_run_id` STRING,
    `_extra` STRING'
);

CREATE OR REPLACE VIEW finoos.accounts AS
SELECT user_id, account_id, account_number, `name`, `owner`, `type`, iban, bic, bank_code, bank_name, currency,
  balance, status, bank_login_id, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM read_files(
  's3://acme-lake/finoos/accounts/',
  format => 'parquet',
  partitionColumns => '',
  schemaEvolutionMode => 'none',
  schema => '`user_id` STRING,
    `account_id` STRING,
    `account_number` STRING,
    `name` STRING,
    `owner` STRING,
    `type` STRING,
    `iban` STRING,
    `bic` STRING,
    `bank_code` STRING,
    `bank_name` STRING,
    `currency` STRING,
    `balance` DECIMAL(18,4),
    `status` STRING,
    `bank_login_id` STRING,
    `_op` STRING,
    `_pull` STRING,
    `_correlation_id` STRING,
    `_correlation_at` TIMESTAMP,
    `_extracted_at` TIMESTAMP,
    `_run_id` STRING,
    `_extra` STRING'
);

CREATE OR REPLACE VIEW finoos.transactions AS
SELECT user_id, account_id, transaction_id, amount, currency, booking_date, value_date, booking_text, purpose,
  merchant_category_code, partner_name, partner_iban, partner_bic, partner_creditor_id,
  partner_mandate_reference, tags, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id,
  _extra
FROM read_files(
  's3://acme-lake/finoos/transactions/',
  format => 'parquet',
  partitionColumns => '',
  schemaEvolutionMode => 'none',
  schema => '`user_id` STRING,
    `account_id` STRING,
    `transaction_id` STRING,
    `amount` DECIMAL(18,4),
    `currency` STRING,
    `booking_date` DATE,
    `value_date` DATE,
    `booking_text` STRING,
    `purpose` STRING,
    `merchant_category_code` STRING,
    `partner_name` STRING,
    `partner_iban` STRING,
    `partner_bic` STRING,
    `partner_creditor_id` STRING,
    `partner_mandate_reference` STRING,
    `tags` ARRAY<STRING>,
    `_op` STRING,
    `_pull` STRING,
    `_correlation_id` STRING,
    `_correlation_at` TIMESTAMP,
    `_extracted_at` TIMESTAMP,
    `_run_id` STRING,
    `_extra` STRING'
);

CREATE OR REPLACE VIEW finoos.categorization AS
SELECT user_id, account_id, transaction_id, `tag`, _op, _pull, _correlation_id, _correlation_at, _extracted_at,
  _run_id, _extra
FROM read_files(
  's3://acme-lake/finoos/categorization/',
  format => 'parquet',
  partitionColumns => '',
  schemaEvolutionMode => 'none',
  schema => '`user_id` STRING,
    `account_id` STRING,
    `transaction_id` STRING,
    `tag` STRING,
    `_op` STRING,
    `_pull` STRING,
    `_correlation_id` STRING,
    `_correlation_at` TIMESTAMP,
    `_extracted_at` TIMESTAMP,
    `_run_id` STRING,
    `_extra` STRING'
);

CREATE OR REPLACE VIEW finoos.contracts AS
SELECT user_id, contract_id, partner_id, partner_name, amount, amount_consistency, `interval`, duration, category,
  tags, next_booking_date, next_booking_from, next_booking_to, mandate_reference, is_active, transaction_ids,
  partner, attributes, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM read_files(
  's3://acme-lake/finoos/contracts/',
  format => 'parquet',
  partitionColumns => '',
  schemaEvolutionMode => 'none',
  schema => '`user_id` STRING,
    `contract_id` STRING,
    `partner_id` STRING,
    `partner_name` STRING,
    `amount` DECIMAL(18,4),
    `amount_consistency` STRING,
    `interval` STRING,
    `duration` STRING,
    `category` STRING,
    `tags` ARRAY<STRING>,
    `next_booking_date` DATE,
    `next_booking_from` DATE,
    `next_booking_to` DATE,
    `mandate_reference` STRING,
    `is_active` BOOLEAN,
    `transaction_ids` ARRAY<STRING>,
    `partner` STRING,
    `attributes` STRING,
    `_op` STRING,
    `_pull` STRING,
    `_correlation_id` STRING,
    `_correlation_at` TIMESTAMP,
    `_extracted_at` TIMESTAMP,
    `_run_id` STRING,
    `_extra` STRING'
);

CREATE OR REPLACE VIEW finoos.account_history AS
SELECT user_id, account_id, currency, `date`, balance, _op, _pull, _correlation_id, _correlation_at, _extracted_at,
  _run_id, _extra
FROM read_files(
  's3://acme-lake/finoos/account_history/',
  format => 'parquet',
  partitionColumns => '',
  schemaEvolutionMode => 'none',
  schema => '`user_id` STRING,
    `account_id` STRING,
    `currency` STRING,
    `date` DATE,
    `balance` DECIMAL(18,4),
    `_op` STRING,
    `_pull` STRING,
    `_correlation_id` STRING,
    `_correlation_at` TIMESTAMP,
    `_extracted_at` TIMESTAMP,
    `_run_id` STRING,
    `_extra` STRING'
);

-- A full pull replaces all that was known of a user and stream: from one to the next is a span.
-- The first span of a user is what came before the first full pull.
CREATE OR REPLACE VIEW finoos.full_pull_spans AS
SELECT stream, user_id, _extracted_at AS span_from,
  COALESCE(LEAD(_extracted_at) OVER (PARTITION BY stream, user_id ORDER BY _extracted_at), TIMESTAMP '9999-12-31 00:00:00Z') AS span_to
FROM finoos.pulls
WHERE outcome = 'pulled' AND mode = 'full'
UNION ALL
SELECT stream, user_id, TIMESTAMP '1970-01-01 00:00:00Z' AS span_from, MIN(_extracted_at) AS span_to
FROM finoos.pulls
WHERE outcome = 'pulled' AND mode = 'full'
GROUP BY stream, user_id;

-- When a user that was deleted at least once was there: until the first delete, and from each
-- return to the next delete. Users that were never deleted are not listed.
CREATE OR REPLACE VIEW finoos.user_spans AS
SELECT user_id, changed_at AS span_from, span_to
FROM (
  SELECT user_id, _op, changed_at,
    COALESCE(LEAD(changed_at) OVER (PARTITION BY user_id ORDER BY changed_at), TIMESTAMP '9999-12-31 00:00:00Z') AS span_to
  FROM (
    SELECT user_id, _op, _extracted_at AS changed_at,
      LAG(_op) OVER (PARTITION BY user_id ORDER BY _extracted_at) AS op_before
    FROM finoos.users
  ) steps
  WHERE _op <> COALESCE(op_before, 'upsert')
) switches
WHERE _op = 'upsert'
UNION ALL
SELECT user_id, TIMESTAMP '1970-01-01 00:00:00Z' AS span_from, MIN(_extracted_at) AS span_to
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
SELECT user_id, custom_user_id, `name`, `type`, tenant, created_at, duplicates, user_scopes, first_seen_at,
  last_seen_at, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.users r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'users' AND f.user_id = r.user_id AND f.span_to = TIMESTAMP '9999-12-31 00:00:00Z'
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
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'bank_logins' AND f.user_id = r.user_id AND f.span_to = TIMESTAMP '9999-12-31 00:00:00Z'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- The current state of accounts: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_accounts AS
SELECT user_id, account_id, account_number, `name`, `owner`, `type`, iban, bic, bank_code, bank_name, currency,
  balance, status, bank_login_id, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.accounts r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'accounts' AND f.user_id = r.user_id AND f.span_to = TIMESTAMP '9999-12-31 00:00:00Z'
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
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'transactions' AND f.user_id = r.user_id AND f.span_to = TIMESTAMP '9999-12-31 00:00:00Z'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- The current state of categorization: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_categorization AS
SELECT user_id, account_id, transaction_id, `tag`, _op, _pull, _correlation_id, _correlation_at, _extracted_at,
  _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id, r.`tag` ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.categorization r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'categorization' AND f.user_id = r.user_id AND f.span_to = TIMESTAMP '9999-12-31 00:00:00Z'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- The current state of contracts: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_contracts AS
SELECT user_id, contract_id, partner_id, partner_name, amount, amount_consistency, `interval`, duration, category,
  tags, next_booking_date, next_booking_from, next_booking_to, mandate_reference, is_active, transaction_ids,
  partner, attributes, _op, _pull, _correlation_id, _correlation_at, _extracted_at, _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.contract_id ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.contracts r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'contracts' AND f.user_id = r.user_id AND f.span_to = TIMESTAMP '9999-12-31 00:00:00Z'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- The current state of account_history: of the rows at or after the user's last full pull, the newest
-- per key, unless it is a delete. Users that are gone are left out.
CREATE OR REPLACE VIEW finoos.current_account_history AS
SELECT user_id, account_id, currency, `date`, balance, _op, _pull, _correlation_id, _correlation_at, _extracted_at,
  _run_id, _extra
FROM (
  SELECT r.*, ROW_NUMBER() OVER (PARTITION BY r.user_id, r.account_id, r.currency, r.`date` ORDER BY r._extracted_at DESC) AS nth
  FROM finoos.account_history r
  LEFT JOIN finoos.full_pull_spans f ON f.stream = 'account_history' AND f.user_id = r.user_id AND f.span_to = TIMESTAMP '9999-12-31 00:00:00Z'
  WHERE f.user_id IS NULL OR r._extracted_at >= f.span_from
) newest
WHERE nth = 1 AND _op <> 'delete'
  AND user_id NOT IN (SELECT user_id FROM finoos.gone_users);

-- What was valid when: at any instant, the rows with valid_from <= it and (valid_to > it or null)
-- are what current_users was then. A null in valid_to: valid now.
CREATE OR REPLACE VIEW finoos.history_users AS
SELECT v.user_id, v.custom_user_id, v.`name`, v.`type`, v.tenant, v.created_at, v.duplicates, v.user_scopes,
  v.first_seen_at, v.last_seen_at, v._op, v._pull, v._correlation_id, v._correlation_at, v._extracted_at,
  v._run_id, v._extra,
  v._extracted_at AS valid_from, NULLIF(v.ends_at, TIMESTAMP '9999-12-31 00:00:00Z') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id ORDER BY r._extracted_at), TIMESTAMP '9999-12-31 00:00:00Z'),
    COALESCE(f.span_to, TIMESTAMP '9999-12-31 00:00:00Z')) AS ends_at
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
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMP '9999-12-31 00:00:00Z') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.bank_login_id ORDER BY r._extracted_at), TIMESTAMP '9999-12-31 00:00:00Z'),
    COALESCE(f.span_to, TIMESTAMP '9999-12-31 00:00:00Z')) AS ends_at
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
SELECT v.user_id, v.account_id, v.account_number, v.`name`, v.`owner`, v.`type`, v.iban, v.bic, v.bank_code,
  v.bank_name, v.currency, v.balance, v.status, v.bank_login_id, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMP '9999-12-31 00:00:00Z') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id ORDER BY r._extracted_at), TIMESTAMP '9999-12-31 00:00:00Z'),
    COALESCE(f.span_to, TIMESTAMP '9999-12-31 00:00:00Z')) AS ends_at
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
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMP '9999-12-31 00:00:00Z') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id ORDER BY r._extracted_at), TIMESTAMP '9999-12-31 00:00:00Z'),
    COALESCE(f.span_to, TIMESTAMP '9999-12-31 00:00:00Z')) AS ends_at
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
SELECT v.user_id, v.account_id, v.transaction_id, v.`tag`, v._op, v._pull, v._correlation_id, v._correlation_at,
  v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMP '9999-12-31 00:00:00Z') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.transaction_id, r.`tag` ORDER BY r._extracted_at), TIMESTAMP '9999-12-31 00:00:00Z'),
    COALESCE(f.span_to, TIMESTAMP '9999-12-31 00:00:00Z')) AS ends_at
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
SELECT v.user_id, v.contract_id, v.partner_id, v.partner_name, v.amount, v.amount_consistency, v.`interval`,
  v.duration, v.category, v.tags, v.next_booking_date, v.next_booking_from, v.next_booking_to,
  v.mandate_reference, v.is_active, v.transaction_ids, v.partner, v.attributes, v._op, v._pull,
  v._correlation_id, v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMP '9999-12-31 00:00:00Z') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.contract_id ORDER BY r._extracted_at), TIMESTAMP '9999-12-31 00:00:00Z'),
    COALESCE(f.span_to, TIMESTAMP '9999-12-31 00:00:00Z')) AS ends_at
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
SELECT v.user_id, v.account_id, v.currency, v.`date`, v.balance, v._op, v._pull, v._correlation_id,
  v._correlation_at, v._extracted_at, v._run_id, v._extra,
  GREATEST(v._extracted_at, COALESCE(u.span_from, v._extracted_at)) AS valid_from, NULLIF(LEAST(v.ends_at, COALESCE(u.span_to, v.ends_at)), TIMESTAMP '9999-12-31 00:00:00Z') AS valid_to
FROM (
  SELECT r.*, LEAST(
    COALESCE(LEAD(r._extracted_at) OVER (PARTITION BY r.user_id, r.account_id, r.currency, r.`date` ORDER BY r._extracted_at), TIMESTAMP '9999-12-31 00:00:00Z'),
    COALESCE(f.span_to, TIMESTAMP '9999-12-31 00:00:00Z')) AS ends_at
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
  CAST(CAST((p50_age_seconds - MOD(p50_age_seconds, 86400)) / 86400 AS BIGINT) AS STRING) || ' d ' || LPAD(CAST(CAST((MOD(p50_age_seconds, 86400) - MOD(MOD(p50_age_seconds, 86400), 3600)) / 3600 AS BIGINT) AS STRING), 2, '0') || ':' || LPAD(CAST(CAST((MOD(p50_age_seconds, 3600) - MOD(MOD(p50_age_seconds, 3600), 60)) / 60 AS BIGINT) AS STRING), 2, '0') AS p50_age,
  CAST(CAST((p95_age_seconds - MOD(p95_age_seconds, 86400)) / 86400 AS BIGINT) AS STRING) || ' d ' || LPAD(CAST(CAST((MOD(p95_age_seconds, 86400) - MOD(MOD(p95_age_seconds, 86400), 3600)) / 3600 AS BIGINT) AS STRING), 2, '0') || ':' || LPAD(CAST(CAST((MOD(p95_age_seconds, 3600) - MOD(MOD(p95_age_seconds, 3600), 60)) / 60 AS BIGINT) AS STRING), 2, '0') AS p95_age,
  p50_age_seconds, p95_age_seconds
FROM (
SELECT stream, COUNT(*) AS users_pulled,
  MIN(last_pull_at) AS oldest_pull_at, MAX(last_pull_at) AS newest_pull_at,
  MIN(CASE WHEN nth >= 0.5 * n THEN age_seconds END) AS p50_age_seconds,
  MIN(CASE WHEN nth >= 0.95 * n THEN age_seconds END) AS p95_age_seconds
FROM (
  SELECT stream, last_pull_at, timestampdiff(SECOND, last_pull_at, current_timestamp()) AS age_seconds,
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
