package sandbox

import (
	"encoding/json"
	"strings"
)

// node is a JSON value of one of our own answers. Readings change answers as
// trees, since a text would have to be read anew for each of them. Scalars
// keep their spelling, and fields their order.
type node struct {
	raw    string // of a scalar
	open   byte   // '{' or '[', 0 for a scalar
	fields []member
	items  []*node
}

// member is a field of an object.
type member struct {
	name string
	*node
}

func scalar(raw string) *node { return &node{raw: raw} }

func quoted(s string) string {
	var w wire
	w.quote(s)
	return string(w.b)
}

// plant parses an answer. Answers are made here, so that they are known to be
// JSON; anything else is a panic.
func plant(body []byte) *node {
	g := grower{b: body}
	return g.value()
}

type grower struct {
	b []byte
	i int
}

func (g *grower) value() *node {
	switch g.b[g.i] {
	case '{':
		n := &node{open: '{'}
		for g.i++; g.b[g.i] != '}'; {
			name := unquote(g.token())
			g.i++ // the colon
			n.fields = append(n.fields, member{name, g.value()})
			g.comma()
		}
		g.i++
		return n
	case '[':
		n := &node{open: '['}
		for g.i++; g.b[g.i] != ']'; {
			n.items = append(n.items, g.value())
			g.comma()
		}
		g.i++
		return n
	default:
		return scalar(g.token())
	}
}

func (g *grower) comma() {
	if g.b[g.i] == ',' {
		g.i++
	}
}

// token is a scalar, as it is spelled.
func (g *grower) token() string {
	from := g.i
	if g.b[g.i] != '"' {
		for g.i < len(g.b) && !strings.ContainsRune(",:]}", rune(g.b[g.i])) {
			g.i++
		}
		return string(g.b[from:g.i])
	}
	for g.i++; g.b[g.i] != '"'; g.i++ {
		if g.b[g.i] == '\\' {
			g.i++
		}
	}
	g.i++
	return string(g.b[from:g.i])
}

func unquote(raw string) string {
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		panic(err) // our own JSON
	}
	return s
}

// write appends the tree as JSON.
func (n *node) write(w *wire) {
	switch n.open {
	case '{':
		w.open('{')
		for _, f := range n.fields {
			w.key(f.name)
			f.write(w)
		}
		w.close('}')
	case '[':
		w.open('[')
		for _, e := range n.items {
			e.write(w)
		}
		w.close(']')
	default:
		w.sep()
		w.b = append(w.b, n.raw...)
	}
}

func (n *node) body() []byte {
	var w wire
	n.write(&w)
	return w.b
}

// get is the member of a name, in whatever case; nil if there is none.
func (n *node) get(name string) *node {
	for _, f := range n.fields {
		if strings.EqualFold(f.name, name) {
			return f.node
		}
	}
	return nil
}

// text is the text of a member, "" if it is none.
func (n *node) text(name string) string {
	if v := n.get(name); v != nil && strings.HasPrefix(v.raw, `"`) {
		return unquote(v.raw)
	}
	return ""
}

// clone is deep, so that what changes in one is not seen in the other.
func (n *node) clone() *node {
	c := &node{raw: n.raw, open: n.open}
	for _, f := range n.fields {
		c.fields = append(c.fields, member{f.name, f.node.clone()})
	}
	for _, e := range n.items {
		c.items = append(c.items, e.clone())
	}
	return c
}
