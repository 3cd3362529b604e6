// Package doctor finds out, on one user and without changing anything, whether
// what syncer takes for granted holds where it is to run: the configuration, the
// credentials, the shape of every endpoint, the promises of the object store.
//
//	configuration   what jobs.yaml leaves to chance: secrets in it, whose addresses, masks
//	api             a token, its scopes, the clock
//	users           the list: its pages, the first page's number, the tenant
//	endpoints       every operation of the job's streams against one user
//	windows         how transactions may be asked for in part: since, ids; what totals say
//	tags            whether a diff of tags adds or replaces
//	sink            writes under a condition, uploads of several parts, encryption
//
// Each look becomes one or more lines ([Check]): ok, a note, a warning, or a
// failure with what to do about it. A failure does not keep later looks from
// being made, unless these cannot tell anything without it. [Run] ends with a
// *jobs.StopError where any look has failed, whose reason is that of the first.
// It never asks a bank to synchronise, and leaves nothing behind in the bucket.
package doctor
