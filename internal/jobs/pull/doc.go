// Package pull reads one stream of one user and compares it with what the cursor
// remembers, so that only what differs is written.
//
//	Reader.Begin ──> Result, with the instant of its beginning
//	    Reader.Read
//	        ask            read_*.go        one file a kind of stream: the request, what of it counts
//	                       joined.go        or one answer for several, compared with them or in their place
//	        take a turn    turn.go          memory for rows, used again from pull to pull
//	        pick           picks.go         of several records under one key the same one always
//	        compare        fingerprints.go  keys and hashes that the cursor's State holds
//	        make rows      rows.go          an API record becomes the row of a table
//	        count oddities issues.go        what is null, replaced or twice, and goes on
//	        hide           veil.go          what is remembered of tables that a job masks
//	        collect        collect.go       kept in memory, or gone through twice where it is too large
//	Result.Cursor, Result.Row ──> what the run hands to the sink, as one batch
//
// The correlation is read before the data, by who calls: where there is nothing
// new, nothing is begun here.
//
// # What a pull may claim
//
// A full pull ([table.Full]) replaces what was known, a diff adds to it; Whole
// says that everything that the API has was looked at, whatever the mode. A state
// that cannot be decoded, or whose hashes are of another version, makes the next
// pull a full one; so does another mask, whether or not the stream has moved.
//
// # What may fail
//
// An error of Read is the API's (finoos.ClassOf tells its class) or that of
// scratch files, and leaves nothing behind: Result.Close gives back the turn, the
// files and the rows. Nobody waits for an answer while it holds a turn (turn.go
// says why).
package pull
