package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"finoos-syncer/internal/sink"
)

// everyTable stands for all tables that have a column.
const everyTable = "all"

// minMaskKey is how long the key of hmac has to be: account numbers are few
// enough to be tried out with a short one.
const minMaskKey = 16

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
		"contract_id": {"id"}, "partner_id": {"partner.id", "contractPartner.id"}, "partner_name": {"partner.name", "contractPartner.name"},
		"mandate_reference": {"mref"}, "transaction_ids": {"transactions"},
		"next_booking_from": {"nextBookingRange"}, "next_booking_to": {"nextBookingRange"},
	},
	"account_history": {"balance": {"balances.balance"}, "date": {"balances.date"}},
}

// jsonColumns are those that hold objects; their members can be masked.
var jsonColumns = []string{"partner", "attributes", "_extra"}

// Masking is what a job's writer hides, nil for nothing.
func (j *Job) Masking() (*sink.Masking, error) {
	if len(j.Mask) == 0 {
		return nil, nil //nolint:nilnil // nothing, and that is no error
	}
	m := &sink.Masking{Key: []byte(j.MaskKey.Reveal()), Tables: map[string]sink.Mask{}}
	hmac := false
	for _, table := range slices.Sorted(maps.Keys(j.Mask)) {
		for _, name := range slices.Sorted(maps.Keys(j.Mask[table])) {
			action := sink.MaskAction(j.Mask[table][name])
			hmac = hmac || action == sink.MaskHMAC
			if err := addMask(m, table, name, action); err != nil {
				return nil, &maskError{table: table, name: name, err: err}
			}
		}
	}
	if hmac && len(m.Key) < minMaskKey {
		return nil, fmt.Errorf("hmac needs a mask_key of %d characters at least", minMaskKey)
	}
	return m, nil
}

// maskError says which entry of mask is wrong.
type maskError struct {
	table, name string
	err         error
}

func (e *maskError) Error() string { return e.err.Error() }

// addMask adds one entry for the tables that it means.
func addMask(m *sink.Masking, table, name string, action sink.MaskAction) error {
	column, member, _ := strings.Cut(name, ".")
	tables := []string{table}
	if table == everyTable {
		tables = tablesWith(column)
	}
	if len(tables) == 0 {
		return fmt.Errorf("no table has a column %q", column)
	}
	if name == "user_id" && table != everyTable {
		return errors.New(`user_id joins the tables: hide it in every table, below "all"`)
	}
	for _, t := range tables {
		mask := m.Tables[t]
		if mask.Columns == nil {
			mask.Columns = map[string]sink.MaskAction{}
		}
		if member != "" {
			if !slices.Contains(jsonColumns, column) {
				return fmt.Errorf("%s is no JSON column: only members of %s can be named with dots", column, strings.Join(jsonColumns, ", "))
			}
			mask.Fields = append(mask.Fields, sink.MaskField{Path: sink.MaskPath(strings.TrimPrefix(name, "_extra.")), Action: action})
			column = "_extra" // which every table has
		} else {
			mask.Columns[column] = action
			if t == "users" && column == "user_id" {
				mask.Columns["duplicates"] = action // ids of users, too
			}
			mask.Fields = append(mask.Fields, membersOf(t, column, action)...)
		}
		check := sink.Mask{Columns: map[string]sink.MaskAction{column: action}}
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

// membersOf are the members of JSON columns that say what a column says.
func membersOf(table, column string, action sink.MaskAction) []sink.MaskField {
	fields := []sink.MaskField{{Path: sink.MaskPath(column), Action: action}}
	for _, path := range apiNames[table][column] {
		fields = append(fields, sink.MaskField{Path: sink.MaskPath(path), Action: action})
	}
	if strings.HasSuffix(column, "iban") && column != "iban" {
		fields = append(fields, sink.MaskField{Path: sink.MaskPath("iban"), Action: action})
	}
	return fields
}

func tablesWith(column string) []string {
	var names []string
	for _, t := range sink.Tables() {
		if slices.ContainsFunc(t.Columns, func(c sink.Column) bool { return c.Name == column }) {
			names = append(names, t.Name)
		}
	}
	return names
}

// checkMask reports what of a job's mask cannot be.
func (l *loader) checkMask(job *Job, path string) {
	_, err := job.Masking()
	if err == nil {
		return
	}
	at := path + ".mask"
	if entry, ok := errors.AsType[*maskError](err); ok {
		at = join(join(at, entry.table), entry.name)
	}
	l.problem(l.place(at), at, "%v", err)
}
