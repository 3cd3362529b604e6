// Package rows measures what a row costs, from the JSON body that the API
// sends to Parquet files that are committed to a local folder: by a run of the
// product, by DuckDB's COPY of the same bodies and of records that were prepared
// for it, and by the plainest Go program. `make bench-rows` runs it;
// ../README.md says how to read what it prints.
package rows
