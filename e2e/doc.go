// Package e2e tests the product from outside: a simulated bank behind a real
// port, the command or the engine as an operator runs it, a lake in a folder or
// on a real S3 server, and DuckDB as the reader who knows nothing of this
// project.
//
//	sandbox (loopback) <- syncer -> lake (folder | S3) -> DuckDB == sandbox.Truth
//
// What a lake must hold is written down here a second time, by hand: the tables'
// columns with their types (schema_test.go) and the rule of the current state as
// SQL (lake_test.go). Nothing of it is taken from the product, so that a mistake
// there is not repeated here. Each reading of the API (readings_test.go) has a
// sandbox in memory and virtual time. The harness itself is tested on lakes that DuckDB
// writes (harness_test.go): a checker that finds nothing proves nothing.
package e2e
