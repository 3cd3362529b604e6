package finoos

import (
	"context"
	"errors"
	"io"
)

// single makes a call and decodes its answer, which is one record: the answer
// itself, or its member wrapper. found is false for a 204.
func single[T any](ctx context.Context, c *Client, call *apiCall, schema *schema[T], wrapper string) (record T, found bool, err error) {
	body, err := c.read(ctx, call)
	if body == nil || err != nil {
		return record, false, err
	}
	defer closeQuietly(body)
	if body.size > maxRecord {
		return record, false, call.unreadable(errRecordTooBig)
	}
	text, err := io.ReadAll(body.reader())
	if err != nil {
		return record, false, call.unreadable(err)
	}
	v, repairs, ok := parseRepaired(text)
	if !ok {
		return record, false, call.unreadable(errNoJSON)
	}
	d := newDecoder()
	d.shown(v.raw, repairs)
	record, err = schema.decode(d, unwrap(v, wrapper))
	if err != nil {
		return record, false, call.unreadable(err)
	}
	d.release()
	return record, true, nil
}

// unwrap returns the object that v has under name, else v.
func unwrap(v value, name string) value {
	for m := v.members(); name != "" && m.next(); {
		if m.value.kind() == kindObject && string(m.name.appendLower(nil)) == name {
			return m.value
		}
	}
	return v
}

var errNothing = errors.New("no content where a record is due")
