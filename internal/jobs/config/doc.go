// Package config is jobs.yaml: what is pulled, when, from where, into what.
//
//	file ──> load.go    the tree of the file, ${NAME} and secret files put in (env.go);
//	                    syntax.go says why there is none
//	     ──> spec.go    what a key is: the tags of the structs in config.go
//	     ──> values.go  texts become values, within their bounds (units.go, forms.go, cron.go)
//	     ──> check.go   what no key can tell alone: two jobs that pull one stream
//	     ──> Config
//
// The structs of config.go are the manual as well: the comment of a field is
// what the schema for editors says of its key (manual.go, schema.go), so that
// there is one text about each.
//
// Who only reads the lake, and who checks the file, needs no secrets (reading.go).
//
// Beside the file it holds what follows from it alone: which services and scopes
// streams need (streams.go), the instants of a schedule (schedule.go), which
// columns are masked (mask.go). It opens nothing and asks nobody; who needs a
// client or a store makes it from what stands here.
//
// # What may fail
//
// Decoding is strict: an unknown key, a wrong type, an impossible value. All
// problems are reported at once ([Error]), each with file, line, column and the
// key that was probably meant. No error shows a secret, nor a text that may be
// one.
package config
