package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"finoos-syncer/internal/sink/table"
)

// everyTable stands for all tables that have a column.
const everyTable = "all"

// apiNames are where the API has what a column holds, for columns whose own
// name does not tell. What is masked in a column is masked there as well, since
// a record's further fields, and those that come twice, are kept in _extra.
var apiNames = map[string]map[string][]string{
	"users": {"user_id": {"id"}},
	"transactions": {
		"partner_name": {"paymentPartner.name"}, "partner_iban": {"paymentPartner.iban"}, "partner_bic": {"paymentPartner.bic"},
		"partner_creditor_id": {"paymentPartner.creditorId"}, "partner_mandate_reference": {"paymentPartner.mandateReference"},
	},
	"contracts": {
		"contract_id": {"id"}, "partner": {"contractPartner"}, "partner_id": {"partner.id", "contractPartner.id"}, "partner_name": {"partner.name", "contractPartner.name"},
		"mandate_reference": {"mref"}, "transaction_ids": {"transactions"},
		"next_booking_from": {"nextBookingRange"}, "next_booking_to": {"nextBookingRange"},
	},
	"categorization":  {"tag": {"tags"}},
	"account_history": {"balance": {"balances.balance"}, "date": {"balances.date"}},
}

// references are where else than in columns of its own name an id stands, or what is
// told by such a value. Hidden below "all", it is hidden there as well, in the same
// way, so that what refers to it still finds it.
var references = map[string]struct {
	columns map[string]string // by table
	members []string          // of JSON columns, of any table
}{
	"user_id":        {map[string]string{"users": "duplicates"}, namesOf("user")},
	"account_id":     {nil, namesOf("account")},
	"transaction_id": {map[string]string{"contracts": "transaction_ids"}, namesOf("transaction")},
	"contract_id":    {nil, namesOf("contract")},
	"bank_login_id":  {nil, namesOf("bankLogin")},
	"tag":            {map[string]string{"transactions": "tags", "contracts": "tags"}, []string{"tags"}},
	"tags":           {map[string]string{"categorization": "tag"}, nil},
}

// namesOf are the names under which the id of a thing may come. Where an object is due
// that has it, a text counts, and so do the items of a list.
func namesOf(thing string) []string {
	return []string{thing + "Id", thing + "Ids", thing + ".id", thing + "s.id"}
}

// jsonColumns are those that hold objects; their members can be masked.
var jsonColumns = []string{"partner", "attributes", "_extra"}

// Masking is what a job's writer hides, nil for nothing.
func (j *Job) Masking() (*table.Masking, error) {
	if len(j.Mask) == 0 {
		return nil, nil //nolint:nilnil // nothing, and that is no error
	}
	m := &table.Masking{Key: []byte(j.MaskKey.Reveal()), Tables: map[string]table.Mask{}}
	hmac := false
	// What is said of one table goes before what is said of all.
	tables := slices.DeleteFunc(slices.Sorted(maps.Keys(j.Mask)), func(tab string) bool { return tab == everyTable })
	for _, tab := range append([]string{everyTable}, tables...) {
		for _, name := range slices.Sorted(maps.Keys(j.Mask[tab])) {
			action := table.MaskAction(j.Mask[tab][name])
			hmac = hmac || action == table.MaskHMAC
			if err := addMask(m, tab, name, action); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(j.Mask[everyTable])) {
		addReferences(m, name, table.MaskAction(j.Mask[everyTable][name]))
	}
	if (hmac || len(m.Key) > 0) && len(m.Key) < table.MinMaskKey {
		if len(m.Key) > 0 {
			return nil, fmt.Errorf("mask_key has %d characters, and seals nothing: it needs %d at least (openssl rand -hex 32)", len(m.Key), table.MinMaskKey)
		}
		return nil, fmt.Errorf("hmac needs a mask_key of %d characters at least", table.MinMaskKey)
	}
	return m, nil
}

// HidesUsers reports whether the tables have other ids of users than the API.
func (j *Job) HidesUsers() bool { return j.Mask[everyTable]["user_id"] != "" }

// addMask adds one entry for the tables that it means.
func addMask(m *table.Masking, tab, name string, action table.MaskAction) error {
	column, member, _ := strings.Cut(name, ".")
	tables := []string{tab}
	if tab == everyTable {
		tables = tablesWith(column)
	}
	if len(tables) == 0 {
		return fmt.Errorf("no table has a column %q", column)
	}
	if name == "user_id" && tab != everyTable {
		return errors.New(`user_id joins the tables: hide it in every table, below "all"`)
	}
	for _, t := range tables {
		mask := maskOf(m, t)
		if member != "" {
			if !slices.Contains(jsonColumns, column) {
				return fmt.Errorf("%s is no JSON column: only members of %s can be named with dots", column, strings.Join(jsonColumns, ", "))
			}
			mask.Fields = append(mask.Fields, table.MaskField{Path: table.MaskPath(strings.TrimPrefix(name, "_extra.")), Action: action})
			column = "_extra" // which every table has
		} else {
			mask.Columns[column] = action
			mask.Fields = append(mask.Fields, membersOf(t, column, action)...)
		}
		check := table.Mask{Columns: map[string]table.MaskAction{column: action}}
		if member != "" {
			check.Columns = nil
		}
		if err := check.Check(t); err != nil {
			return err
		}
		m.Tables[t] = mask
	}
	return nil
}

// addReferences hides what refers to a column that is hidden in all tables. What is
// said of it by name stays, and so does a key that cannot be dropped.
func addReferences(m *table.Masking, name string, action table.MaskAction) {
	of := references[name]
	for t, column := range of.columns {
		mask := maskOf(m, t)
		check := table.Mask{Columns: map[string]table.MaskAction{column: action}}
		if _, named := mask.Columns[column]; named || check.Check(t) != nil {
			continue
		}
		mask.Columns[column] = action
		mask.Fields = append(mask.Fields, membersOf(t, column, action)...)
		m.Tables[t] = mask
	}
	for _, t := range table.Tables() {
		mask := maskOf(m, t.Name)
		for _, member := range of.members {
			mask.Fields = append(mask.Fields, table.MaskField{Path: table.MaskPath(member), Action: action})
		}
		if len(of.members) > 0 {
			m.Tables[t.Name] = mask
		}
	}
}

// maskOf is what is hidden of a table so far.
func maskOf(m *table.Masking, t string) table.Mask {
	mask := m.Tables[t]
	if mask.Columns == nil {
		mask.Columns = map[string]table.MaskAction{}
	}
	return mask
}

// membersOf are the members of JSON columns that say what a column says.
func membersOf(tab, column string, action table.MaskAction) []table.MaskField {
	fields := []table.MaskField{{Path: table.MaskPath(column), Action: action}}
	for _, path := range apiNames[tab][column] {
		fields = append(fields, table.MaskField{Path: table.MaskPath(path), Action: action})
	}
	if strings.HasSuffix(column, "iban") && column != "iban" {
		fields = append(fields, table.MaskField{Path: table.MaskPath("iban"), Action: action})
	}
	return fields
}

func tablesWith(column string) []string {
	var names []string
	for _, t := range table.Tables() {
		if slices.ContainsFunc(t.Columns, func(c table.Column) bool { return c.Name == column }) {
			names = append(names, t.Name)
		}
	}
	return names
}

// checkMask reports what of a job's mask cannot be: each entry for itself, and then
// what they need.
func (l *loader) checkMask(job *Job, path string) {
	sound := true
	for _, tab := range slices.Sorted(maps.Keys(job.Mask)) {
		for _, name := range slices.Sorted(maps.Keys(job.Mask[tab])) {
			m := &table.Masking{Tables: map[string]table.Mask{}}
			if err := addMask(m, tab, name, table.MaskAction(job.Mask[tab][name])); err != nil {
				at := join(join(path+".mask", tab), name)
				l.problem(l.place(at), at, "%v", err)
				sound = false
			}
		}
	}
	if _, err := job.Masking(); err != nil && sound && !l.doubts(path+".mask_key") && !l.doubts(path+".mask_key_file") {
		l.problem(l.place(path+".mask"), path+".mask", "%v", err)
	}
}
