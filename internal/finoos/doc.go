// Package finoos speaks to the finoOS API: it says what the wire says, as Go
// values, and nothing about what is done with them.
//
// # The life of a request
//
//	Client.Accounts        one method an operation, one file a resource
//	  read                 retries: network, timeout, 408, 429, 5xx on reads
//	    http.Client        never follows a redirect: the token must not travel
//	      authorizer       token, renewed early, once more on a 401
//	        pacer          the shared gate (429) and the rate; see package pace
//	          metering     counts what really goes out
//	            deadline   of the first byte, of a silence, and of the whole body
//	              http.Transport
//	  spool                the body is read to its end, to memory or to disk
//	List.All               decodes the spooled body record by record
//
// A body is read to its end before a method returns. A cut connection is
// therefore an error of the method, and was retried; it never surfaces in the
// middle of a list. What surfaces there is only a body that arrived complete
// and is not what the API's document says ([Malformed]). Such a body is not
// asked for again and no part of it is guessed.
//
// # The files
//
//	client call retry pacer        a request, its attempts, and when they leave;
//	auth meter transport           the decorators that it passes, and
//	classify errors scrub secret   what its failure means and may say
//	operations                     the table of what may be called
//	accounts … users               one file a resource: the call, the model, its schema
//	synchronize examine*           the calls that are not plain reads
//	users_listing users_pages      the list of users: its pages, and whether it is whole
//	spool list* single             a complete body, and its records one by one
//	json_*                         the record reader: see below
//
// The law by which the pacer finds the rate is package pace, which knows nothing
// of this one.
//
// # Reading once
//
//	spool      the body, in memory or on disk
//	  window   64 KiB of it, or what a large record takes
//	    stream what stands around the list, token by token
//	      pass a record: checked, stored and hashed in one go
//
// Nobody looks at a record before the pass, so it may turn out to be cut off by
// the window, in a wrong encoding, or no JSON. To the pass all of these are
// errors like any other; only then the stream has the syntax of the record
// checked alone, and shows more of it, or a repaired one, or gives up. So an
// error that the pass found counts only where the record is right and ended.
//
//	json_window tokens decode    the stream: a body, moving on through memory
//	json_scan syntax             the grammar: where what begins here ends
//	json_walk                    a checked value, its members and texts
//	json_schema fields lists     which members a model has, and how each is read
//	json_record                  the pass
//	json_hash extra arena        what the pass feeds: fingerprint, extras, texts
//	json_mend                    text that no column takes
//
// These files are fenced: do not extend them. They stand for speed (what they
// gain is in bench/README.md), and are trusted because an oracle of the plainest
// code, a golden file and fuzz tests read each answer as they do. A new field is
// a line in its resource's schema. What needs more than that is better read from
// [Record] by its user than by a new trick in here.
//
// # Reading leniently, guessing nothing
//
// Field names are read case-insensitively; null, a missing field and "" are
// the same; a list may come bare or wrapped in an object. Fields without a
// place in the model are kept in [Record] under their path. So are those that
// cannot be read: an object where text is due, a date that is none. They are null
// and counted, and the record goes on. Only a key is not done without: without its
// ids a record makes the answer malformed, since one that is left out would look
// like one that is gone. What an id is, package id says. A balance without its day
// has no place either, but is told ([AccountHistory.Complete]).
//
// Text that no column takes (what is not UTF-8, half of a surrogate pair, NUL)
// reads as U+FFFD, in JSON that is kept as well, and is counted. The hash is of
// what the API said.
//
// The list of users is everybody's, so what is no user on it is put aside and
// counted, and the others go on ([UserListing]).
//
// # Fingerprints
//
// [Record] carries a hash of everything the API said about the record. It
// is computed from the record's fields and not from the columns made of them,
// so that a column which is added later changes no hash. See json_hash.go.
//
// # Errors
//
// Every failure of the API is an [*Error], made in one place. It names method,
// path template, status and what the server said, and never contains a token,
// a secret, a query or the user's id.
package finoos
