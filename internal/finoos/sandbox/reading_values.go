package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// valueReadings are about how values are written. Each strikes some of the
// records; Truth has what nights of real data demand: what can be read without
// a guess fills its column, and the rest is null and kept in _extra.
func valueReadings() []reading {
	return []reading{
		{"dates", "plain impossible zero epoch epoch_millis lower_case fractions zoned no_offset", "German banks book interest on 30 February; others write 0000-00-00, seconds, lower-case t and z, nine digits of a second", "", func(r *Readings) *string { return &r.Dates }},
		{"amounts", "decimal float text comma exponent object", "servers compute with floats, or print what a person would read", "", func(r *Readings) *string { return &r.Amounts }},
		{"texts", "plain surrogate nul latin1 control long", "texts were cut in the middle of a letter, or hold what no table takes", "", func(r *Readings) *string { return &r.Texts }},
		{"types", "documented number object text_for_list", "a value is of another type than documented", "", func(r *Readings) *string { return &r.Types }},
		{"casing", "given lower capital upper", "the document itself spells field names in several ways", "", func(r *Readings) *string { return &r.Casing }},
		{"bom", "none body", "a proxy or a framework puts a byte order mark before the body", "", func(r *Readings) *string { return &r.BOM }},
	}
}

// kind is what a column holds.
type kind int

const (
	dateOnly kind = iota
	moment
	money
	words
	digits
	textList
)

// column is a field that readings change, with its column.
type column struct {
	op, table, name, wire string
	kind                  kind
}

var columns = []column{
	{"users", "users", "created_at", "createdAt", moment},
	{"users", "users", "name", "name", words},
	{"users", "users", "duplicates", "duplicates", textList},
	{"user", "users", "created_at", "createdAt", moment},
	{"user", "users", "name", "name", words},
	{"user", "users", "duplicates", "duplicates", textList},
	{"logins", "bank_logins", "last_synchronization", "lastSynchronization", moment},
	{"accounts", "accounts", "balance", "balance", money},
	{"accounts", "accounts", "name", "name", words},
	{"accounts", "accounts", "owner", "owner", words},
	{"accounts", "accounts", "bank_code", "bankCode", digits},
	{"transactions", "transactions", "amount", "amount", money},
	{"transactions", "transactions", "booking_date", "bookingDate", dateOnly},
	{"transactions", "transactions", "value_date", "valueDate", dateOnly},
	{"transactions", "transactions", "purpose", "purpose", words},
	{"transactions", "transactions", "booking_text", "bookingText", words},
	{"contracts", "contracts", "amount", "amount", money},
	{"contracts", "contracts", "next_booking_date", "nextBookingDate", dateOnly},
	{"contracts", "contracts", "category", "category", words},
	{"account_history", "account_history", "balance", "balance", money},
}

func columnsOf(op string) (of []column) {
	for _, col := range columns {
		if col.op == op {
			of = append(of, col)
		}
	}
	return of
}

// spelling is how a value is written, what a correct reader makes of it, and
// whether it keeps the spelling beside that.
type spelling struct {
	raw  string
	read any
	kept bool
}

// unread is a value that no reader can take for what it should be.
func unread(raw string) (spelling, bool) { return spelling{raw, nil, true}, true }

func fine(raw string, read any) (spelling, bool) { return spelling{raw, read, false}, true }

// spell rolls whether a value is written differently, and how. v is the value
// in the form that the answer and the truth have in common.
func (x rewriter) spell(col column, id, v string) (spelling, bool) {
	d := x.dice.on(col.wire + " " + id)
	some := d.chance(0.15)
	switch {
	case (col.kind == dateOnly || col.kind == moment) && x.Dates != "" && some:
		return spellDate(x.Dates, col.kind, v)
	case col.kind == money && x.Amounts != "" && some:
		return spellAmount(x.Amounts, v)
	case col.kind == digits && x.Types == "number" && v[0] != '0' && strings.Trim(v, "0123456789") == "":
		return fine(v, v)
	case col.kind == textList && x.Types == "text_for_list":
		return unread(`"u9"`)
	case col.kind == words && x.Types == "object" && d.on("type").chance(0.1):
		return unread(`{"text":` + quoted(v) + `}`)
	case col.kind == words && x.Texts != "" && some:
		return spellText(x.Texts, v)
	default:
		return spelling{}, false
	}
}

func spellDate(how string, k kind, v string) (spelling, bool) {
	day, err := time.Parse(time.DateOnly, v[:10])
	at := day
	if k == moment {
		at, err = time.Parse(time.RFC3339, v)
	}
	if err != nil {
		panic(err) // our own date
	}
	rest := v[10:]
	var read any = Date(v[:10])
	if k == moment {
		read = at.UTC()
	}
	switch how {
	case "impossible":
		return unread(quoted(v[:4] + "-02-30" + rest))
	case "zero":
		return unread(quoted("0000-00-00" + rest))
	case "epoch":
		return unread(strconv.FormatInt(at.Unix(), 10))
	case "epoch_millis":
		return unread(strconv.FormatInt(at.UnixMilli(), 10))
	case "lower_case":
		return fine(quoted(strings.ToLower(at.UTC().Format(time.RFC3339))), read)
	case "fractions":
		if k == moment {
			read = at.UTC().Add(123456 * time.Microsecond)
		}
		return fine(quoted(at.UTC().Format("2006-01-02T15:04:05")+".1234567891234Z"), read)
	case "zoned":
		if k == dateOnly {
			return fine(quoted(v+"+01:00"), read)
		}
	case "no_offset":
		if k == moment {
			return unread(quoted(v[:19]))
		}
	}
	return spelling{}, false
}

// spellAmount writes an amount with two decimals otherwise.
func spellAmount(how, v string) (spelling, bool) {
	read := Decimal(v + "00")
	number := strings.Replace(v, ".", "", 1)
	minus := strings.HasPrefix(number, "-")
	number = strings.TrimLeft(number, "-0")
	if number == "" {
		return spelling{}, false
	}
	sign := ""
	if minus {
		sign = "-"
	}
	switch how {
	case "float":
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n < 1000 {
			return spelling{}, false // a float prints small amounts as they are
		}
		whole := n * 1_000_000_000
		frac := strconv.FormatInt((whole-1)%100_000_000_000+100_000_000_000, 10)[1:]
		return spelling{sign + strconv.FormatInt((whole-1)/100_000_000_000, 10) + "." + frac, read, true}, true
	case "text":
		return fine(quoted(v), read)
	case "comma":
		cut := len(v) - 3
		if head := strings.TrimPrefix(v[:cut], "-"); len(head) > 3 {
			return unread(quoted(sign + head[:len(head)-3] + "." + head[len(head)-3:] + "," + v[cut+1:]))
		}
		return unread(quoted(v[:cut] + "," + v[cut+1:]))
	case "exponent":
		return fine(sign+number+"e-2", read)
	default: // object
		return unread(`{"value":` + sign + number + `,"scale":2}`)
	}
}

func spellText(how, v string) (spelling, bool) {
	q := strings.TrimSuffix(quoted(v), `"`)
	switch how {
	case "surrogate":
		return fine(q+` \ud83d"`, v+" \uFFFD")
	case "nul":
		return fine(q+`\u0000x"`, v+"\uFFFDx")
	case "latin1":
		return fine(q+"M\xfcller\"", v+"M\uFFFDller")
	case "control":
		return fine(q+`\u001b[31m\n\tlevel=ERROR"`, v+"\x1b[31m\n\tlevel=ERROR")
	default: // long
		long := strings.Repeat("x", 20_000)
		return fine(q+long+`"`, v+long)
	}
}

// value writes a field of a record otherwise, where the dice say so.
func (x rewriter) value(rec *node, col column, id string) {
	n := rec.get(col.wire)
	if n == nil || n.raw == "null" || n.raw == `""` {
		return
	}
	v := n.raw
	if strings.HasPrefix(v, `"`) {
		v = unquote(v)
	}
	if col.kind == dateOnly {
		v = v[:10]
	}
	if s, changed := x.spell(col, id, v); changed {
		*n = *scalar(s.raw)
	}
}

// truthValue is value for a row of truth.
func (x rewriter) truthValue(r row, col column, id string) {
	v := ""
	switch was := r[col.name].(type) {
	case nil:
		return
	case string:
		v = was
	case Date:
		v = string(was)
	case Decimal:
		v = strings.TrimSuffix(string(was), "00")
	case time.Time:
		v = berlin(was).Format(time.RFC3339)
	case []string:
	}
	s, changed := x.spell(col, id, v)
	if !changed {
		return
	}
	r[col.name] = s.read
	name := x.cased(col.wire)
	if s.read != nil {
		name = col.wire // it was understood, whatever its name's letters
	}
	switch {
	case !s.kept:
	case col.table == "account_history":
		keep(r, col.table, "balances", "{"+quoted(name)+":"+s.raw+"}")
	default:
		keep(r, col.table, name, s.raw)
	}
}

// keep adds a field to a row's _extra, under its path.
func keep(r row, table, name, raw string) {
	extra := map[string]any{}
	if text, isText := r["_extra"].(string); isText {
		fields, err := parse(text)
		if err != nil {
			panic(err) // our own JSON
		}
		extra = fields.(map[string]any) //nolint:errcheck,forcetypeassert // of held
	}
	extra[name] = json.RawMessage(raw)
	text, err := render(extra)
	if err != nil {
		panic(err) // our own JSON
	}
	if text, err = CanonicalExtra(table, text); err != nil {
		panic(err) // our own JSON
	}
	r["_extra"] = text
}

// dayText is the day in a date of whatever form.
func dayText(date string) string { return date[:min(len(date), 10)] }
