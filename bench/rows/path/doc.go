// Package path is the way of a row through the product, from the JSON body that
// the API sends to Parquet files committed to a local folder, made repeatable:
// answers of a simulated API, recorded once, and the run that reads them. Its
// tests hold the allocations of a row to a limit (make bench-check).
package path
