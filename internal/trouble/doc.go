// Package trouble speaks while something is waited for, and counts it: an API or
// a store that does not serve, a pause that is asked for, another run at work. It
// knows neither; who asks them tells what came of it, and what came of it is one
// line, however many ask.
//
//	Begin, End   a request is under way          how long nothing moves
//	Good         somebody was served             ends a trouble
//	Failed       somebody was not, and asks again
//	Wait, Over   something is waited for that tells until when
//
//	         5 s              1 min              1 min
//	Failed ──────── WARN begins ────── WARN lasts ────── … ── Good: WARN is over
//	   └─ Good within: nothing is said, and nothing counted
//
// # When it speaks
//
// A trouble is of a [Kind], and begins where somebody is not served after
// everybody was: any answer ends it. So a request that fails beside others that do
// not is no trouble of the API, but one of its own, and is only counted where it
// is sent. After five seconds of it there is one line, with the cause; one a minute
// while it lasts and somebody still tries; one when it is over. Where it comes and
// goes, the time before the first line doubles each time, up to a minute: a log
// is not filled by what flaps. What concerns one user alone is told as that, and
// is no warning.
//
// Silence is trouble, too: requests are under way, and nothing has come back for a
// quarter of a minute, or twice as long as it has taken before.
//
// # What it says
//
// [CauseOf] names what is wrong with a connection, and what to do about it. It says
// so in words of its own: the errors of Go's network hold addresses with the ids of
// users, and those of proxies passwords.
package trouble
