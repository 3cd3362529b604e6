package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Readings are the ways in which a real finoOS may differ from what this
// sandbox makes of its document: every line of the document that is likely or
// guessed is one, and so is everything that other banking APIs were seen to
// do. A field holds one of the values that AllReadings lists; "" is the first
// of these, which is what the sandbox does anyway. Readings combine freely,
// are decided by the seed like everything else, and keep Truth right: it
// tells what a correct lake makes of the answers as they are read.
//
// Faults are trouble that a test turns on and off; readings hold from the
// start to the end. Where both speak of one thing, the reading wins.
type Readings struct {
	// How lists are paged: see reading_list.go.
	FirstPage, PageSize, Paging, Context, Total, Token, LastToken, End, EmptyPage, Moving, List string
	// Who is on the list: see reading_users.go.
	OddUsers, UserIDs, Turnover, UserScopes string
	// What is granted: see reading_users.go.
	ScopeNames, ExpiresIn string
	// Who is in trouble, and when: see reading_outage.go.
	Outage, OutageOf, OutagePart, BadNight, BadUser, BadUserOf, BadUsers, RetryAfter, NotReady, SyncAnswer string
	// What analyses are called, and when they end: see reading_services.go.
	CorrelationIDs, Services, Replicas, UnknownCorrelation, Diff, RemovedTags string
	// Which transactions are answered: see reading_transactions.go.
	TransactionIDs, Pending, SinceCompares, Window, ByID string
	// What one body says of transactions and their tags: see reading_transactions.go.
	Joined string
	// How values are written: see reading_values.go.
	Dates, Amounts, Texts, Types, Casing, BOM string
	// What lists of records look like: see reading_records.go.
	Order, Repeats, Empty, RecordIDs, History, TagAccounts string
	// What an attacker would send: see reading_attack.go.
	Attack, Encoding string
}

// Reading is one of the switches.
type Reading struct {
	// Name is what ParseReadings calls it.
	Name string
	// Values are those it can have, the one that holds anyway first.
	Values []string
	// Why says what is imitated.
	Why string
	// With are settings without which no value makes a difference: one that
	// says of whom, or when, needs one that says what.
	With string
}

// reading is a Reading with its place.
type reading struct {
	name, values, why, with string
	at                      func(*Readings) *string
}

// allReadings is the one table: all else about a reading's name and values
// follows from it.
func allReadings() []reading {
	return slices.Concat(
		listReadings(), userReadings(), tokenReadings(), outageReadings(), analysisReadings(),
		transactionReadings(), joinedReadings(), valueReadings(), recordReadings(), attackReadings(),
	)
}

// AllReadings lists every reading with its values.
func AllReadings() []Reading {
	table := allReadings()
	out := make([]Reading, len(table))
	for i, d := range table {
		out[i] = Reading{d.name, strings.Fields(d.values), d.why, d.with}
	}
	return out
}

// ParseReadings reads name=value,name=value. Names and values that do not
// exist are all reported, with the nearest that does.
func ParseReadings(text string) (Readings, error) {
	var r Readings
	var errs []error
	for setting := range strings.SplitSeq(text, ",") {
		if setting = strings.TrimSpace(setting); setting == "" {
			continue
		}
		name, value, _ := strings.Cut(setting, "=")
		if err := r.set(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			errs = append(errs, err)
		}
	}
	return r, errors.Join(errs...)
}

func (r *Readings) set(name, value string) error {
	table := allReadings()
	i := slices.IndexFunc(table, func(d reading) bool { return d.name == name })
	if i < 0 {
		names := make([]string, len(table))
		for k, d := range table {
			names[k] = d.name
		}
		return fmt.Errorf("there is no reading %q: did you mean %q?", name, closest(name, names))
	}
	if err := table[i].check(value); err != nil {
		return err
	}
	*table[i].at(r) = value
	return nil
}

func (d reading) check(value string) error {
	values := strings.Fields(d.values)
	if slices.Contains(values, value) {
		return nil
	}
	return fmt.Errorf("reading %q has no value %q: did you mean %q? It has %s", d.name, value, closest(value, values), strings.Join(values, " "))
}

// settle checks every value and makes the first ones "", so that one spelling
// is left of what holds anyway.
func (r *Readings) settle() error {
	var errs []error
	for _, d := range allReadings() {
		v := d.at(r)
		if *v == "" {
			continue
		}
		if err := d.check(*v); err != nil {
			errs = append(errs, err)
		}
		if first, _, _ := strings.Cut(d.values, " "); *v == first {
			*v = ""
		}
	}
	return errors.Join(errs...)
}

// String writes the readings as ParseReadings reads them.
func (r Readings) String() string {
	var set []string
	for _, d := range allReadings() {
		if v := *d.at(&r); v != "" {
			set = append(set, d.name+"="+v)
		}
	}
	return strings.Join(set, ",")
}

// MixReadings is a mixture that a seed decides: each reading has another
// value than its first with probability share.
func MixReadings(seed uint64, share float64) Readings {
	var r Readings
	d := dice(mix(seed)).on("mixture")
	for _, reading := range allReadings() {
		values := strings.Fields(reading.values)
		if d.on(reading.name).chance(share) {
			*reading.at(&r) = pick(d.on("value of "+reading.name), values[1:])
		}
	}
	return r
}

// closest is the name that was probably meant.
func closest(name string, among []string) string {
	return slices.MinFunc(among, func(a, b string) int { return edits(name, a) - edits(name, b) })
}

// edits is how many letters differ (Levenshtein).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			swap := before
			if a[i] != b[j] {
				swap++
			}
			before, row[j+1] = row[j+1], min(swap, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
