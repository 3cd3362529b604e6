// Package metrics keeps the numbers of `syncer serve`, and of single runs, as
// Prometheus reads them. It is the only package that knows of Prometheus.
//
// [Metrics] is a jobs.Watcher. Counters grow while a run is at work: what its
// client has counted arrives as totals of the run, of which the difference to
// the last ones is added. Names are in names.go; the label of a job is job_name,
// since Prometheus itself calls the scraped target job.
package metrics
