package sandbox

import (
	"net/http"
	"strings"
)

// rewriter changes what is said of one user's records: the answers, and the
// rows of truth in the same way. Both are decided by the same dice, which hang
// on the user and the record, so that they agree whatever is asked, and when.
type rewriter struct {
	Readings
	s    *Sandbox
	dice dice
}

func (s *Sandbox) rewriter(userID string) rewriter {
	return rewriter{s.opts.Readings, s, s.seed.on("rewrite " + userID)}
}

// rewrites tells whether any reading changes records, which costs a parse of
// every answer.
func (r Readings) rewrites() bool {
	return r.Dates+r.Amounts+r.Texts+r.Types+r.Casing+r.Order+r.Repeats+r.Empty+r.RecordIDs+r.History+r.TagAccounts != "" ||
		r.UserIDs == "number" || r.TransactionIDs == "number"
}

// rewrite is the one place where an answer's records change.
func (s *Sandbox) rewrite(c *call, a answer) answer {
	body := a.body
	switch {
	case !s.opts.Readings.rewrites() && (s.opts.Readings.Joined == "" || c.op.name != joinedOperation), c.r.Method != http.MethodGet:
		return a
	case a.status == http.StatusNoContent && c.op.name != "users":
		body = emptyBody(c.op.name)
	case a.status != http.StatusOK:
		return a
	}
	tree := plant(body)
	list := recordsOf(c.op.name, tree)
	x := s.rewriter(c.id)
	switch {
	case list == nil:
	case c.op.name == joinedOperation:
		x.join(c, list)
	case len(list.items) == 0:
		return x.empty(c.op.name, tree, list, a)
	default:
		x.records(c, list)
	}
	if x.Dates != "" && c.op.name == "correlation" {
		x.value(tree, column{wire: "correlationTimestamp", kind: moment}, "correlation")
	}
	x.recase(tree)
	a.body = tree.body()
	return a
}

// records changes a list of records in the order in which it must be done:
// values, as long as ids and lists are as they were, then what depends on
// their number, then ids.
func (x rewriter) records(c *call, list *node) {
	op := c.op.name
	for _, rec := range list.items {
		own := x
		if op == "users" {
			own = x.s.rewriter(rec.text("id"))
		}
		own.record(op, rec)
	}
	x.shapeHistory(op, list)
	x.repeat(op, list)
	x.reorder(c, list)
	x.spoilIDs(op, list)
	if x.TransactionIDs == "number" {
		numbersIn(list)
	}
	if x.UserIDs == "number" && (op == "users" || op == "user") {
		for _, rec := range list.items {
			literal(rec.get("id"))
		}
	}
}

func (x rewriter) record(op string, rec *node) {
	id := recordID(op, rec)
	if id == "" {
		return // what an odd list holds beside its records
	}
	for _, col := range columnsOf(op) {
		if col.op != "account_history" {
			x.value(rec, col, id)
			continue
		}
		if points := rec.get("balances"); points != nil {
			for _, p := range points.items {
				x.value(p, col, id+dayText(p.text("date")))
			}
		}
	}
}

// recordsOf is the list of records in an answer, nil where there is none.
func recordsOf(op string, tree *node) *node {
	switch op {
	case "users", "accounts", "categorization":
		return tree.get(op)
	case joinedOperation:
		return tree.get("accounts")
	case "account_history":
		return tree.get("histories")
	case "user":
		return &node{open: '[', items: []*node{tree.get("user")}}
	case "transactions", "logins", "contracts":
		return tree
	default:
		return nil
	}
}

// emptyBody is what a 204 stands for.
func emptyBody(op string) []byte {
	switch op {
	case "accounts", "categorization":
		return []byte(`{"` + op + `":[]}`)
	case "account_history":
		return []byte(`{"histories":[]}`)
	default:
		return []byte("[]")
	}
}

// recordID tells records of a user apart, in an answer as in truth.
func recordID(op string, rec *node) string {
	switch op {
	case "users", "user":
		return rec.text("id")
	case "accounts", "account_history":
		return rec.text("accountId")
	case "transactions", "categorization":
		return rec.text("accountId") + rec.text("transactionId")
	case "logins":
		return rec.text("bankLoginId")
	default: // contracts
		return rec.text("contractId") + rec.text("id")
	}
}

// rowID is recordID for a row of truth.
func rowID(r row, names ...string) string {
	var id strings.Builder
	for _, name := range names {
		switch v := r[name].(type) {
		case string:
			id.WriteString(v)
		case Date:
			id.WriteString(string(v))
		}
	}
	return id.String()
}

// rowKeys are the columns of rowID by table.
var rowKeys = map[string][]string{
	"users": {"user_id"}, "bank_logins": {"bank_login_id"}, "accounts": {"account_id"}, "transactions": {"account_id", "transaction_id"},
	"categorization": {"account_id", "transaction_id"}, "contracts": {"contract_id"}, "account_history": {"account_id", "date"},
}

// truth makes of a row what a correct lake makes of the record as it is
// answered.
func (x rewriter) truth(table string, r row) []row {
	id := rowID(r, rowKeys[table]...)
	for _, col := range columns {
		if col.table == table && col.op != "user" {
			x.truthValue(r, col, id)
		}
	}
	if table == "categorization" && x.hidesAccounts() {
		r["account_id"] = ""
	}
	if table == "account_history" {
		return x.truthHistory(r)
	}
	return []row{r}
}

// Alternatives are rows that may stand in place of one of Truth's: where an
// answer holds different records under one key, the document does not say
// which of them counts.
func (s *Sandbox) Alternatives(table string, r map[string]any) []map[string]any {
	id, isText := r["user_id"].(string)
	if !isText || s.opts.Readings.Repeats != "different" {
		return nil
	}
	return s.rewriter(id).alternatives(table, r)
}

// rereads is a table's rows of truth as the readings have them.
func rereads(table string, rows func(*Sandbox, int, func(row) bool) bool) func(*Sandbox, int, func(row) bool) bool {
	return func(s *Sandbox, index int, yield func(row) bool) bool {
		if !s.opts.Readings.rewrites() {
			return rows(s, index, yield)
		}
		x := s.rewriter(s.ids.id(index))
		// Without its account, the tag of a booking may be that of another with
		// the same id: one row.
		seen := map[string]bool{}
		merged := table == "categorization" && x.hidesAccounts()
		return rows(s, index, func(r row) bool {
			for _, r := range x.truth(table, r) {
				if key := rowID(r, "transaction_id", "tag"); merged && seen[key] {
					continue
				} else if merged {
					seen[key] = true
				}
				if !yield(r) {
					return false
				}
			}
			return true
		})
	}
}
