package pull

// picks decides which record of an answer stands under a key that several have:
// of equal ones one, of different ones that with the greater hash, in whatever
// order they come. So an answer that says the same again writes nothing.
//
// Different ones are rare. A pass that meets them is made again, and knows then
// which will stand:
//
//	pass ──> no key with two hashes ──> done
//	     └─> contested: key -> the greatest ──> the same pass, and any after it
type picks struct {
	res       *Result
	seen      map[uint64]uint64 // the hash that stands under each key, in this pass
	contested map[uint64]uint64
	decided   bool // contested is complete
}

// start begins a pass.
func (p *picks) start() { p.seen = p.res.turn.slabs.nothingSeen() }

// stands says whether a record is the one that stands under its key; both are
// hashes. Before all is decided that may be said of another one first.
func (p *picks) stands(key, hash uint64) bool {
	before, twice := p.seen[key]
	if p.decided {
		if best, is := p.contested[key]; is && hash != best {
			p.res.Issues.Repeated++
			return false
		}
	}
	switch {
	case !twice:
		p.seen[key] = hash
		return true
	case before != hash && !p.decided:
		if p.contested == nil {
			p.contested = map[uint64]uint64{}
		}
		p.contested[key] = max(before, hash, p.contested[key])
	}
	return false
}

// met says whether a key was met in this pass.
func (p *picks) met(key uint64) bool {
	_, is := p.seen[key]
	return is
}

// again says whether the pass that is over has to be made again.
func (p *picks) again() bool {
	if p.decided || p.contested == nil {
		return false
	}
	p.decided = true
	return true
}
