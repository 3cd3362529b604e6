package sandbox

// style is how awkwardly one user's records are written. It belongs to the
// user, not to the request, so that a quiet user's answers stay byte for byte
// the same.
type style struct {
	dice        dice
	plain       bool
	capitalID   bool // transactionID instead of transactionId
	longDates   bool // 2026-11-19T00:00:00+01:00 instead of 2026-11-19
	ascii       bool // umlauts as \u escapes
	noContent   bool // empty lists as 204
	tagObjects  int  // 1: {"id":…}, 2: {"name":…} instead of strings
	numbers     bool // merchant category codes, intervals and durations as number literals
	rangeForm   int  // nextBookingRange: 0 array, 1 {from,to}, 2 {since,until}
	contractKey string
}

func newStyle(d dice, plain bool) style {
	s := style{dice: d.on("style"), plain: plain, contractKey: "contractId"}
	if plain {
		return s
	}
	s.capitalID = s.dice.on("id").chance(0.3)
	s.longDates = s.dice.on("dates").chance(0.2)
	s.ascii = s.dice.on("ascii").chance(0.2)
	s.noContent = s.dice.on("204").chance(0.5)
	s.numbers = s.dice.on("numbers").chance(0.2)
	s.rangeForm = max(0, s.dice.on("range").below(6)-3)
	s.contractKey = pick(s.dice.on("contract"), []string{"contractId", "contractId", "id", "contractID"})
	if n := s.dice.on("tags").below(10); n < 2 {
		s.tagObjects = n + 1
	}
	return s
}

// odds is p, or never for a plain style.
func (s style) odds(p float64) float64 {
	if s.plain {
		return 0
	}
	return p
}

// id spells the name of an identifier.
func (s style) id(name string) string {
	if s.capitalID {
		return name + "ID"
	}
	return name + "Id"
}

func (s style) date(w *wire, name string, d day) {
	if s.longDates {
		w.str(name, d.long())
		return
	}
	w.str(name, d.String())
}

// optDate writes a date that may be unknown: 0.
func (s style) optDate(w *wire, name string, d day) {
	if d == 0 {
		s.gap(w, name, 2)
		return
	}
	s.date(w, name, d)
}

// opt writes a text that may be unknown.
func (s style) opt(w *wire, name, value string) {
	if value == "" {
		s.gap(w, name, 3)
		return
	}
	w.str(name, value)
}

// gap writes what is not known in one of the ways that mean so: the field is
// missing, null, or for texts empty.
func (s style) gap(w *wire, name string, ways int) {
	n := 1
	if !s.plain {
		n = s.dice.on(name).below(ways)
	}
	switch n {
	case 1:
		w.null(name)
	case 2:
		w.str(name, "")
	}
}

// list writes a list of texts: nil is unknown, and empty is empty.
func (s style) list(w *wire, name string, values []string) {
	if values == nil {
		s.gap(w, name, 2)
		return
	}
	w.strs(name, values)
}

// code writes a text of digits, at times as a number literal.
func (s style) code(w *wire, name, digits string) {
	if digits != "" && s.numbers {
		w.raw(name, digits)
		return
	}
	s.opt(w, name, digits)
}

// extras are fields that no column holds: name and JSON text, in order.
type extras []struct{ name, json string }

func (e *extras) add(name, json string) {
	*e = append(*e, struct{ name, json string }{name, json})
}

func (e *extras) text(name, value string) {
	var w wire
	w.quote(value)
	e.add(name, string(w.b))
}

func (e extras) write(w *wire) {
	for _, f := range e {
		w.raw(f.name, f.json)
	}
}
