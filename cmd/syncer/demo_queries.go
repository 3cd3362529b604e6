package main

// demoQueries are what the demo offers to paste into DuckDB; LAKE stands for the
// folder. They state the rules of DESIGN.md ("What a row means") in SQL.
var demoQueries = []struct{ about, sql string }{
	{
		"The running contracts of all users by category, as of now. The current state of a table is, of\n" +
			"-- the rows since a user's last full pull, the newest per key, unless it is a delete.",
		`WITH base AS (
  SELECT user_id, max(_extracted_at) AS at FROM read_parquet('LAKE/pulls/**/*.parquet')
  WHERE stream = 'contracts' AND outcome = 'pulled' AND mode = 'full' GROUP BY user_id
), gone AS (
  SELECT user_id FROM read_parquet('LAKE/users/**/*.parquet')
  QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY _extracted_at DESC) = 1 AND _op = 'delete'
), current AS (
  SELECT c.* FROM read_parquet('LAKE/contracts/**/*.parquet') c LEFT JOIN base USING (user_id)
  WHERE (base.at IS NULL OR c._extracted_at >= base.at) AND c.user_id NOT IN (SELECT user_id FROM gone)
  QUALIFY row_number() OVER (PARTITION BY c.user_id, c.contract_id ORDER BY c._extracted_at DESC) = 1 AND c._op <> 'delete'
)
SELECT category, count(*) AS contracts, count(DISTINCT user_id) AS users, sum(amount) AS amount
FROM current WHERE is_active GROUP BY category ORDER BY amount;`,
	},
	{
		"What each night wrote, table by table.",
		`SELECT ingest_date, regexp_extract(filename, '([a-z_]+)/ingest_date', 1) AS "table", count(*) AS rows,
  count(*) FILTER (_op = 'delete') AS deletes
FROM read_parquet('LAKE/*/ingest_date=*/*.parquet', union_by_name = true, filename = true, hive_partitioning = true)
GROUP BY ALL ORDER BY ALL;`,
	},
	{
		"Who could not be pulled, and why: a bad user is a row, not a failed run.",
		`SELECT ingest_date, user_id, stream, outcome, error_class, error
FROM read_parquet('LAKE/pulls/**/*.parquet', hive_partitioning = true)
WHERE outcome <> 'pulled' ORDER BY ALL;`,
	},
}
