package sandbox

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// recordReadings are about what lists of records look like.
func recordReadings() []reading {
	return []reading{
		{"order", "kept nightly request", "no order is promised: another one each night, or at every request", "", func(r *Readings) *string { return &r.Order }},
		{"repeats", "none equal different", "an answer holds records twice, the same or different ones under one id", "", func(r *Readings) *string { return &r.Repeats }},
		{"empty", "given list null missing 204", "an empty list is [], null, left out, or a 204", "", func(r *Readings) *string { return &r.Empty }},
		{"record_ids", "given contract_missing contract_null transaction_missing transaction_null transaction_long transaction_control account_missing", "records without an id that can be one, for some users", "", func(r *Readings) *string { return &r.RecordIDs }},
		{"history", "account currency no_currency split interleaved", "an account with several currencies has an entry for each; an account's days come in several entries", "", func(r *Readings) *string { return &r.History }},
		{"tag_accounts", "given missing", "entries of categorization without an account, for some users", "", func(r *Readings) *string { return &r.TagAccounts }},
	}
}

// reorder puts records in another order.
func (x rewriter) reorder(c *call, list *node) {
	if x.Order == "" {
		return
	}
	x.s.mu.Lock()
	turn := x.s.nights
	if x.Order == "request" {
		x.s.rolls++
		turn = x.s.rolls
	}
	x.s.mu.Unlock()
	d := x.dice.on("order "+c.op.name, turn)
	for i := range list.items {
		j := i + d.on("swap", i).below(len(list.items)-i)
		list.items[i], list.items[j] = list.items[j], list.items[i]
	}
}

// repeat adds records that are there already.
func (x rewriter) repeat(op string, list *node) {
	if x.Repeats == "" {
		return
	}
	if op == "account_history" {
		for _, entry := range list.items {
			if points := entry.get("balances"); points != nil {
				x.repeatIn(op, points, func(p *node) string { return entry.text("accountId") + dayText(p.text("date")) })
			}
		}
		return
	}
	x.repeatIn(op, list, func(rec *node) string { return recordID(op, rec) })
}

func (x rewriter) repeatIn(op string, list *node, idOf func(*node) string) {
	for _, rec := range slices.Clone(list.items) {
		id := idOf(rec)
		if !x.repeated(id) || id == "" {
			continue
		}
		again := rec.clone()
		if x.Repeats == "different" && !x.differ(op, again, id) {
			continue
		}
		list.items = append(list.items, again)
	}
}

func (x rewriter) repeated(id string) bool { return x.dice.on("repeated " + id).chance(0.1) }

// differing are the columns in which a repeated record differs.
var differing = []string{"accounts.owner", "transactions.purpose", "contracts.category", "account_history.balance"}

func differs(col column) bool { return slices.Contains(differing, col.table+"."+col.name) }

// other is another value for a differing column.
func other(col column, v string) string {
	if col.kind == words {
		return v + " (2)"
	}
	last := len(v) - 1
	return v[:last] + string('0'+(v[last]-'0'+1)%10)
}

// differ changes a record, unless another reading has changed it already.
func (x rewriter) differ(op string, rec *node, id string) bool {
	for _, col := range columnsOf(op) {
		n := rec.get(col.wire)
		if !differs(col) || n == nil || n.raw == "null" || n.raw == `""` || n.open != 0 {
			continue
		}
		v := n.raw
		if strings.HasPrefix(v, `"`) {
			v = unquote(v)
		}
		if _, changed := x.spell(col, id, v); changed {
			return false
		}
		if n.raw = other(col, v); col.kind == words {
			n.raw = quoted(n.raw)
		}
		return true
	}
	return false
}

func (x rewriter) alternatives(table string, r row) []map[string]any {
	id := rowID(r, rowKeys[table]...)
	if !x.repeated(id) {
		return nil
	}
	for _, col := range columns {
		if col.table != table || !differs(col) || r[col.name] == nil {
			continue
		}
		again, v := maps.Clone(r), ""
		switch was := r[col.name].(type) {
		case string:
			v = was
			again[col.name] = other(col, v)
		case Decimal:
			v = strings.TrimSuffix(string(was), "00")
			again[col.name] = Decimal(other(col, v) + "00")
		}
		if _, changed := x.spell(col, id, v); changed {
			return nil
		}
		return []map[string]any{again}
	}
	return nil
}

// empty answers an empty list in one of the ways that mean so.
func (x rewriter) empty(op string, tree, list *node, a answer) answer {
	if op == "users" || op == "user" || x.Empty == "" {
		return a
	}
	topLevel := tree == list
	switch x.Empty {
	case "204":
		return answer{status: http.StatusNoContent}
	case "null":
		*list = *scalar("null")
	case "missing":
		if topLevel {
			return answer{status: http.StatusOK} // no body at all
		}
		tree.fields = slices.DeleteFunc(tree.fields, func(m member) bool { return m.node == list })
	}
	x.recase(tree)
	return ok(tree.body())
}

// spoilIDs takes ids away from some users' records.
func (x rewriter) spoilIDs(op string, records *node) {
	if op == "categorization" && x.hidesAccounts() {
		for _, rec := range records.items {
			rec.remove("accountId")
		}
	}
	of, how, _ := strings.Cut(x.RecordIDs, "_")
	if x.RecordIDs == "" || op != of+"s" || !x.dice.on("spoilt ids").chance(0.35) {
		return
	}
	rec := records.items[len(records.items)/2]
	id := rec.get(of + "Id")
	if id == nil && op == "contracts" {
		id = rec.get("id")
	}
	switch how {
	case "missing":
		rec.remove(of + "Id")
		if op == "contracts" {
			rec.remove("id")
		}
	case "null":
		*id = *scalar("null")
	case "long":
		*id = *scalar(quoted(strings.Repeat("L", 1100)))
	case "control":
		*id = *scalar(`"t\u0000\u001b[31m"`)
	}
}

func (n *node) remove(name string) {
	n.fields = slices.DeleteFunc(n.fields, func(m member) bool { return strings.EqualFold(m.name, name) })
}

func (x rewriter) hidesAccounts() bool {
	return x.TagAccounts != "" && x.dice.on("tag accounts").chance(0.35)
}

// foreign is the currency of the second entry of an account.
const foreign = "USD"

// shapeHistory divides account-history into entries.
func (x rewriter) shapeHistory(op string, list *node) {
	if op != "account_history" || x.History == "" {
		return
	}
	for _, entry := range slices.Clone(list.items) {
		id := entry.text("accountId")
		switch x.History {
		case "no_currency":
			entry.remove("currency")
		case "currency":
			if !x.manyCurrencies(id) {
				continue
			}
			second := entry.clone()
			second.get("currency").raw = quoted(foreign)
			for _, p := range second.get("balances").items {
				p.get("balance").raw = "7.50"
			}
			list.items = append(list.items, second)
		default:
			second := entry.clone()
			for i, half := range []*node{entry, second} {
				points := half.get("balances")
				all := points.items
				points.items = nil
				for k, p := range all {
					late := k >= len(all)/2
					if x.History == "interleaved" {
						late = k%2 == 1
					}
					if late == (i == 1) {
						points.items = append(points.items, p)
					}
				}
			}
			list.items = append(list.items, second)
		}
	}
}

func (x rewriter) manyCurrencies(account string) bool {
	return x.dice.on("currencies " + account).chance(0.5)
}

// truthHistory is shapeHistory for a row of truth.
func (x rewriter) truthHistory(r row) []row {
	account, isText := r["account_id"].(string)
	switch {
	case x.History == "no_currency":
		r["currency"] = ""
	case x.History == "currency" && isText && x.manyCurrencies(account):
		second := maps.Clone(r)
		second["currency"], second["balance"], second["_extra"] = foreign, Decimal("7.5000"), nil
		return []row{r, second}
	}
	return []row{r}
}

// documented are the field names that are spelled otherwise. Unknown fields
// keep theirs, since _extra does, and so does what may hold them.
var documented = strings.Fields(`id customUserID name type tenant createdAt duplicates userScopes
	bankLoginId status active lastSynchronization accountId accountNumber owner iban bic bankCode bankName currency balance
	transactionId amount bookingDate valueDate bookingText purpose merchantCategoryCode tags
	contractId contractPartner amountConsistency interval duration category nextBookingDate nextBookingRange mref isActive attributes
	balances date correlationID correlationTimestamp
	context metaData page pageSize totalPages total users user accounts categorization histories transactions`)

// opaque are the fields whose content is kept as it is.
var opaque = []string{"contractPartner", "attributes", "tags", "nextBookingRange"}

func (x rewriter) cased(name string) string {
	if !among(documented, name) {
		return name
	}
	switch x.Casing {
	case "lower":
		return strings.ToLower(name)
	case "upper":
		return strings.ToUpper(name)
	case "capital":
		return strings.ToUpper(name[:1]) + name[1:]
	default:
		return name
	}
}

// among tells whether a name is one of a list, in whatever case.
func among(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// recase spells field names otherwise.
func (x rewriter) recase(n *node) {
	if x.Casing == "" {
		return
	}
	for i, m := range n.fields {
		n.fields[i].name = x.cased(m.name)
		if among(documented, m.name) && !among(opaque, m.name) {
			x.recase(m.node)
		}
	}
	for _, e := range n.items {
		x.recase(e)
	}
}
