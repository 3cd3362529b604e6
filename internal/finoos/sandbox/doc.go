// Package sandbox is the finoOS API as a program: a simulator with seeded,
// believable German bank data, the documented behaviour, and misbehaviour by
// option. It is written from the document alone and shares no code with the
// client, so that a misreading in one does not hide in the other.
//
//	s, err := sandbox.New(sandbox.Options{Users: 200, Seed: 7})
//	client := &http.Client{Transport: s.Transport()} // or http.Serve(listener, s)
//	…                                                // read it
//	s.Night()                                        // one day later
//	for row := range s.Truth("contracts") { … }      // what must be known now
//
// # No user is held in memory
//
// Everything is decided by dice: hashes of the seed, the user's index and what
// is being decided. What the API says of a user is a pure function of these
// and of the user's analyses so far:
//
//	seed, index ──> household: accounts, standing payments, habits
//	                    │
//	                    └──> ledger: two years of bookings, day by day, nominal
//	nights, syncs ──> life: the list of analyses, the logins' status
//	                    │
//	ledger + analyses ──┴──> state: what each analysis revealed and changed
//	                             │
//	                             ├──> answers (handlers, written field by field)
//	                             └──> Truth   (rows, column by column)
//
// So a million users cost nothing until they are asked for, any night can be
// replayed, and a user whom a night passes by answers byte for byte what was
// answered before. The few things that are remembered are those that nobody
// can compute: who has left, which sync sessions were created, requests.
//
// # Nights
//
// A night analyses about one user in six anew: the bookings since, tags newly
// added to old and new bookings, contracts that appear, change and vanish,
// balances of the last two months corrected, a recent booking that vanishes or
// changes, now and then an account that is new or closed. All services show
// the new analysis. Beside that a few users come and go, and a few logins
// change their status. Two limits keep the truth within reach of a reader who
// follows the document: banking/transactions changes only within a week before
// the newest booking, and a booking that has tags never vanishes, since the
// categorization diff does not tell (Options.OldCorrections lifts the first of
// these, Options.RemoveTags the second for tags).
//
// # Misbehaviour
//
// Records are awkward by default, each user in an own way (see style; off with
// Options.Plain): identifiers in several spellings, dates with and without a
// time, umlauts as escapes, fields that are missing, null or empty, unknown
// fields, number literals where texts are due, tags as objects, 204 for empty
// lists. What breaks is listed in Faults, with the reason for each. A route
// that does not exist answers a loud 404 of type "unknown_route" and is
// counted: see UnknownRoutes.
//
// # Readings
//
// The document leaves much open, and this sandbox has to decide: where pages
// begin, what an unknown correlation is answered with, which date a window
// compares. Each such decision is a reading with other values beside it (see
// Readings; AllReadings lists them with what they imitate), and so are the ways
// in which other banking APIs and what stands in front of them were seen to
// differ from their documents. A reading is applied at one place:
//
//	reading_list, reading_users                  who is listed, and how; the token
//	reading_outage, reading_attack               answers in place of an operation's
//	reading_transactions                         what an operation looks for
//	reading_values, reading_records              how records are written (rewrite.go)
//
// The last two change an answer and the row of Truth alike, by the same dice:
// what can be read without a guess fills its column, the rest is null and kept
// in _extra under the name that the answer had. Where an answer holds different
// records under one key, Alternatives tells what may stand in Truth's place.
// Trouble (outages, bad users, answers that are not ready, ids that are none)
// leaves Truth as it is: a reader has to say that it could not reach it.
//
// # Limitations
//
// Creating, changing and deleting (users, contracts, webhooks, uploads) are
// not there, nor is anything of connecting a bank. Every booking has a date,
// amounts are always plain numbers, and the entries of account-history have no
// unknown fields. Account detection is a stub. Faults of single users do not
// change the truth, except that they are deleted.
//
// With Options.Data the users are the clients of the Berka tables (PKDD'99),
// with real bookings in Czech crowns: see the type berka.
package sandbox
