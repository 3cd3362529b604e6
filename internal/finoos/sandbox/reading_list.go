package sandbox

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
)

// listReadings are about paging. Nothing but the query `page`, and that it is
// a text, is known of it.
func listReadings() []reading {
	return []reading{
		{"first_page", "given 1 0", "the document does not say from where pages count", "", func(r *Readings) *string { return &r.FirstPage }},
		{"page_size", "given 20 100 7", "the only page size that is documented anywhere is 20", "", func(r *Readings) *string { return &r.PageSize }},
		{"paging", "paged ignored", "a list that ignores `page` answers all users again and again", "", func(r *Readings) *string { return &r.Paging }},
		{"context", "given full none pages_only texts null", "nobody has documented the fields of `context`", "", func(r *Readings) *string { return &r.Context }},
		{"total", "right high low zero", "totals are estimates, or count what one may not see", "", func(r *Readings) *string { return &r.Total }},
		{"token", "none next nextPage nextToken cursor", "`page` is a text, so it may be a token", "", func(r *Readings) *string { return &r.Token }},
		{"last_token", "absent null empty repeated first", "how a list with tokens says that it has ended, if it does", "token=next", func(r *Readings) *string { return &r.LastToken }},
		{"end", "given empty 204 404 400 null repeat", "what is answered past the last page is not documented", "", func(r *Readings) *string { return &r.End }},
		{"empty_page", "none users categorization both", "a server that filters after paging has empty pages in the middle", "page_size=7", func(r *Readings) *string { return &r.EmptyPage }},
		{"moving", "given insert remove shuffle swap reorder", "users move between pages while they are read", "page_size=7", func(r *Readings) *string { return &r.Moving }},
		{"list", "whole half tenth empty", "a suspended tenant or a replica behind lists fewer users for a night (bad_night), while each still answers", "", func(r *Readings) *string { return &r.List }},
	}
}

// Shifts that are readings only, since no test wants to turn them on and off.
const (
	shiftSwap    Shift = "swap"    // two users change places across a page's end before the next is read
	shiftReorder Shift = "reorder" // another order of all users at every request
)

// Further ends of a list.
const (
	end400  End = "400"
	endNull End = "null"
)

// listing are the faults of the moment, with what the readings make of them.
func (s *Sandbox) listing() Faults {
	f, r := s.Faults(), s.opts.Readings
	if r.FirstPage != "" {
		f.ZeroPages = r.FirstPage == "0"
	}
	if r.Context != "" {
		f.NoContext = r.Context == "none"
	}
	if r.End != "" {
		f.End = End(r.End)
	}
	if r.Moving != "" {
		f.Shift = Shift(r.Moving)
	}
	return f
}

func (s *Sandbox) userPageSize() int {
	if s.opts.Readings.Paging == "ignored" {
		return max(1, s.total())
	}
	if n, err := strconv.Atoi(s.opts.Readings.PageSize); err == nil {
		return n
	}
	return s.opts.PageSize
}

// hole is the page that is empty although more follow, -1 for none. Without a
// context nobody could know that more follow.
func (s *Sandbox) hole(list string, f Faults, p page) int {
	v := s.opts.Readings.EmptyPage
	if v != list && v != "both" || p.pages() < 2 || f.NoContext || s.opts.Readings.Context == "null" || f.Shift != ShiftNone {
		return -1
	}
	return 1
}

// meta writes what an API tells of a page, in one of the ways that it may.
func (s *Sandbox) meta(w *wire, f Faults, p page, name string) {
	r := s.opts.Readings
	if f.NoContext {
		return
	}
	if r.Context == "null" {
		w.null(name)
		return
	}
	number := w.number
	if r.Context == "texts" {
		number = func(name string, v int64) { w.str(name, strconv.FormatInt(v, 10)) }
	}
	token := r.Token != "" && name == "context"
	w.key(name)
	w.open('{')
	if r.Context != "pages_only" && !token {
		number("page", int64(p.number))
		number("pageSize", int64(p.size))
	}
	if !token {
		number("totalPages", int64(p.pages()))
	}
	if r.Context != "pages_only" {
		number("total", int64(r.counted(p.total)))
	}
	if token {
		s.writeToken(w, f, p)
	}
	w.close('}')
}

func (r Readings) counted(total int) int {
	switch r.Total {
	case "high":
		return total + 1 + total/10
	case "low":
		return total - 1 - total/10
	case "zero":
		return 0
	default:
		return total
	}
}

func (s *Sandbox) writeToken(w *wire, f Faults, p page) {
	r := s.opts.Readings
	n := p.number - s.firstPage(f)
	if n+1 < p.pages() {
		w.str(r.Token, s.pageToken(n+1))
		return
	}
	switch r.LastToken {
	case "null":
		w.null(r.Token)
	case "empty":
		w.str(r.Token, "")
	case "repeated":
		w.str(r.Token, s.pageToken(n))
	case "first": // a cursor that goes round
		w.str(r.Token, s.pageToken(0))
	}
}

// pageToken is the name of a page, which nobody can count up.
func (s *Sandbox) pageToken(n int) string {
	return "p+" + hex.EncodeToString([]byte(strconv.Itoa(n)+"/"+s.seed.on("page token", n).digits(6))) + "=="
}

// tokenAsked finds the page of a token; the usual numbers of a first page are
// taken for that one.
func (s *Sandbox) tokenAsked(asked string) (int, bool) {
	if asked == "" || asked == "0" || asked == "1" {
		return 0, true
	}
	text, found := strings.CutPrefix(asked, "p+")
	raw, err := hex.DecodeString(strings.TrimSuffix(text, "=="))
	number, _, _ := strings.Cut(string(raw), "/")
	n, bad := strconv.Atoi(number)
	return n, found && err == nil && bad == nil && n >= 0 && asked == s.pageToken(n)
}

// listed is how many of the users a list shows tonight.
func (s *Sandbox) listed(alive int) int {
	if !s.badNight() {
		return alive
	}
	switch s.opts.Readings.List {
	case "half":
		return alive / 2
	case "tenth":
		return alive / 10
	case "empty":
		return 0
	default:
		return alive
	}
}

// places turns positions on the list into those of users, as they move.
func (s *Sandbox) places(f Faults, p page, positions []int) {
	switch f.Shift {
	case shiftSwap:
		// What was first on the page before stands last on it by now, and the
		// last stands here: it is seen twice, and the other not at all.
		if len(positions) > 0 && p.from > 0 {
			positions[0] = p.from - 1
		}
	case shiftReorder:
		s.rolls++
		d := s.seed.on("reorder", s.rolls)
		order := make([]int, p.total)
		for i := range order {
			order[i] = i
		}
		for i := range order {
			j := i + d.on("swap", i).below(len(order)-i)
			order[i], order[j] = order[j], order[i]
		}
		for i, k := range positions {
			positions[i] = order[k]
		}
	default: // cut has moved the page, or writeUsers shuffles it
	}
}

// specialEnd answers a page past the end where that is not an empty list.
func specialEnd(end End) (answer, bool) {
	switch end {
	case end400:
		return failure(http.StatusBadRequest, "invalid_request", "there is no such page"), true
	case endNull:
		return ok([]byte(`{"users":null}`)), true
	default:
		return pastTheEnd(end)
	}
}
