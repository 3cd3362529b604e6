package main

// demoQueries are what the demo offers to paste into DuckDB, where the views that
// `syncer sql` prints have been made; LAKE stands for the folder. Each finds something in
// the demo's own lake.
var demoQueries = []struct{ about, sql string }{
	{
		"The running contracts of all users by category, as of now.",
		`SELECT category, count(*) AS contracts, count(DISTINCT user_id) AS users,
  sum(amount) AS amount
FROM current_contracts WHERE is_active GROUP BY category ORDER BY amount;`,
	},
	{
		"What they were before: contracts that have changed or ended since.",
		`SELECT user_id, contract_id, partner_name, amount, valid_from, valid_to
FROM history_contracts WHERE valid_to IS NOT NULL ORDER BY ALL;`,
	},
	{
		"How fresh each stream is.",
		`SELECT * FROM freshness ORDER BY stream;`,
	},
	{
		"What each night wrote, table by table.",
		`SELECT ingest_date,
  regexp_extract(filename, '([a-z_]+)/ingest_date', 1) AS "table",
  count(*) AS rows, count(*) FILTER (_op = 'delete') AS deletes
FROM read_parquet('LAKE/*/ingest_date=*/*.parquet',
  union_by_name = true, filename = true, hive_partitioning = true)
GROUP BY ALL ORDER BY ALL;`,
	},
	{
		"Who could not be pulled, and why: a bad user is a row, not a failed run.",
		`SELECT _extracted_at, user_id, stream, outcome, error_class, error
FROM pulls WHERE outcome <> 'pulled' ORDER BY ALL;`,
	},
	{
		"Whose bank gives nothing new before the user has signed in again.",
		`SELECT requested_at, user_id, bank_login_id, outcome
FROM sync_sessions WHERE outcome <> 'synced' ORDER BY ALL;`,
	},
}
