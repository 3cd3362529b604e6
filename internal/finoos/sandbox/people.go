package sandbox

import (
	"strings"
	"time"
)

// persona is a way of life; it decides what comes in and what goes out.
type persona int

const (
	employee persona = iota
	pensioner
	student
	freelancer
	company
)

// person is who a user is.
type person struct {
	persona             persona
	first, last         string
	name, town, address string
}

var (
	firstNames = []string{
		"Anna", "Jürgen", "Käthe", "Günther", "Lea", "Björn", "Ayşe", "Mehmet", "Sören", "Zoë", "Jörg", "Ulrike",
		"Hannah", "Lukas", "Mia", "Felix", "Emilia", "Paul", "Sophie", "Jonas", "Marlene", "Till", "Frieda", "Oskar",
		"Renate", "Heinz", "Ingrid", "Wolfgang", "Svetlana", "Piotr", "Giulia", "José", "Fatma", "Thanh", "Aleksandra", "Karl-Heinz",
	}
	lastNames = []string{
		"Müller", "Schmidt", "Schneider", "Fischer", "Weber", "Jäger", "Schäfer", "Köhler", "Groß", "Weiß", "Krüger", "Böhm",
		"Strauß", "Löwe", "Öztürk", "Yılmaz", "Nowak", "Nguyễn", "García", "D'Angelo", "von der Heide", "Meyer-Lüdenscheidt", "Hoffmann", "Wagner",
		"Becker", "Schulz", "Koch", "Richter", "Klein", "Wolf", "Neumann", "Schwarz", "Zimmermann", "Braun", "Hofmann", "Krämer",
	}
	towns = []string{
		"Grünau", "Neustadt", "Mühlhausen", "Lüneberg", "Altenkirch", "Würzfeld", "Großbeeren", "Königswald", "Bad Sülzen", "Oberföhring",
	}
	streets = []string{
		"Hauptstraße", "Gartenstraße", "Bahnhofstraße", "Schulstraße", "Lindenallee", "Am Mühlbach", "Schloßplatz", "Weststraße", "Käthe-Kollwitz-Straße",
	}
	branches = []string{
		"Maschinenbau", "Haustechnik", "Bäckerei", "Software", "Gartenbau", "Spedition", "Möbel & Küchen", "Dachdeckerei", "Getränkehandel", "Zahntechnik",
	}
	legalForms = []string{"GmbH", "GmbH & Co. KG", "UG (haftungsbeschränkt)", "e.K.", "OHG", "AG"}
)

// who rolls a person.
func who(d dice) person {
	p := person{
		persona: rollPersona(d.on("persona")),
		first:   pick(d.on("first"), firstNames),
		last:    pick(d.on("last"), lastNames),
		town:    pick(d.on("town"), towns),
	}
	p.address = pick(d.on("street"), streets) + " " + d.on("house").digits(2) + ", " + p.town
	p.name = p.first + " " + p.last
	if p.persona == company {
		p.name = p.last + " " + pick(d.on("branch"), branches) + " " + pick(d.on("form"), legalForms)
	}
	return p
}

func rollPersona(d dice) persona {
	switch n := d.below(100); {
	case n < 52:
		return employee
	case n < 68:
		return pensioner
	case n < 78:
		return student
	case n < 88:
		return freelancer
	default:
		return company
	}
}

// customer is what GET /users/{id} tells.
type customer struct {
	index      int
	id         string
	customID   string
	name, kind string
	tenant     string
	created    time.Time
	duplicates []string // nil: not told
	scopes     []string // nil: not told
	automatic  string   // automaticAnalysis
	expires    bool     // has expiresIn
	withheld   bool     // has not granted all scopes
	extra      extras
	style      style
}

// newUser rolls what the list of users shows; it stays cheap, a page of the
// list has a hundred of them.
func newUser(d dice, ids userIDs, index int, tenant string, joined day, plain bool) *customer {
	p := who(d)
	u := &customer{
		index: index, id: ids.id(index), name: p.name, kind: "person", tenant: tenant,
		automatic: "active", style: newStyle(d, plain),
		created: (joined - 1 - day(d.on("age").below(900))).at(time.Duration(d.on("hour").below(86400)) * time.Second),
	}
	if p.persona == company {
		u.kind = "company"
	}
	if !d.on("custom").chance(0.15) {
		u.customID = strings.ToLower("k-" + d.on("custom id").digits(7))
	}
	switch n := d.on("duplicates").below(10); {
	case n == 0:
		u.duplicates = []string{d.on("duplicate").uuid()}
	case n < 6:
		u.duplicates = []string{}
	}
	if !d.on("scopes").chance(0.3) {
		u.scopes = []string{"banking", "categorization", "contracts", "account-history"}
	}
	if d.on("suspended").chance(0.05) {
		u.automatic = "suspended"
	}
	u.expires = d.on("expires").chance(0.1)
	if d.on("referrer").chance(u.style.odds(0.1)) {
		u.extra.text("referrer", "Empfehlung: Grüße von "+pick(d.on("by"), firstNames))
	}
	return u
}
